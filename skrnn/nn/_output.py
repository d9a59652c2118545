"""From a decoder's features to what is forecast, and a linear path around the net."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._distributions import Emission
from skrnn.nn._heads import LinearHead
from skrnn.nn._memory import last_steps


class SegmentHead(nn.Module):
    """Features of each segment -> the parameters of its steps and outputs.

    Parameters
    ----------
    n_features : int
    size : int
        Steps of a segment.
    n_outputs : int
    emission : Emission
    layer_norm : bool
    generator : torch.Generator
    """

    def __init__(
        self,
        n_features: int,
        size: int,
        n_outputs: int,
        emission: Emission,
        layer_norm: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.size, self.n_outputs, self.emission = size, n_outputs, emission
        n_numbers = size * n_outputs * emission.n_parameters
        self.linear_head = LinearHead(n_features, n_numbers, None, layer_norm, generator)

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """(batch, segments, features) -> (batch, segments, size, n_outputs, n_parameters)

        `skip` (batch, segments, size, n_outputs) is added to the location.
        """
        raw = self.linear_head(features).unflatten(-1, (self.size, self.n_outputs, self.emission.n_parameters))
        parameters = self.emission.constrain(raw)
        return parameters if skip is None else self.emission.shift(parameters, skip)


class LinearSkip(nn.Module):
    """A linear map from the window to the forecast, zero at first, that is added to what the net gives.

    What a linear model can say of the future need not pass through the state (Zeng et al. 2023 show how far that
    goes alone). Each output has weights of its own, over its own past.

    Parameters
    ----------
    channels : tuple of int
        Each output's own channel; without any (-1 for all) every channel is read for every output.
    n_channels : int
        Of the window.
    n_steps : int
        Last steps of the window that are read; shorter rows count as 0 in front.
    horizon : int
    """

    def __init__(self, channels: tuple[int, ...], n_channels: int, n_steps: int, horizon: int) -> None:
        super().__init__()
        self.n_steps, self.horizon, self.n_outputs = n_steps, horizon, len(channels)
        self.known = [output for output, channel in enumerate(channels) if channel >= 0]
        self.channels = [channels[output] for output in self.known]
        n_maps, n_read = (len(self.known), n_steps) if self.known else (len(channels), n_steps * n_channels)
        self.weight = nn.Parameter(torch.zeros(n_maps, horizon, n_read))
        self.bias = nn.Parameter(torch.zeros(n_maps, horizon))

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, steps, channels) -> (batch, horizon, n_outputs)"""
        past = last_steps(x, lengths, self.n_steps)  # (batch, n_steps, channels)
        if not self.known:
            return torch.einsum("mhr,br->bhm", self.weight, past.flatten(1)) + self.bias.T
        mapped = torch.einsum("mhr,brm->bhm", self.weight, past[..., self.channels]) + self.bias.T
        if len(self.known) == self.n_outputs:
            return mapped
        skip = mapped.new_zeros(len(x), self.horizon, self.n_outputs)
        skip[..., self.known] = mapped
        return skip
