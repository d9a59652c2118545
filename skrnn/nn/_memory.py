"""What a decoder knows of the window that was read, and the last steps of sequences of unequal length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from skrnn.nn._recurrent import LayerOutputs
from skrnn.nn._reference import State, join


@dataclass(frozen=True)
class Memory:
    """The window as its decoder sees it.

    Attributes
    ----------
    final : Tensor of shape (batch, features)
        The encoder's final state, both directions side by side.
    states : list of State
        Where each layer of the decoder begins.
    steps : Tensor of shape (batch, steps, features) or None
        The encoder's outputs, where there is an attention to look at them.
    valid : Tensor of shape (batch, steps) or None
        Which of them are no padding.
    start : Tensor of shape (batch, segment_size, n_outputs)
        The targets' own last values, or what was learned in their place.
    """

    final: Tensor
    states: list[State]
    steps: Tensor | None
    valid: Tensor | None
    start: Tensor


def repeated(states: list[State], n_times: int) -> list[State]:
    """States of rows that are each repeated so many times in a row."""
    return [tuple(part.repeat_interleave(n_times, 0) for part in state) for state in states]


class Bridge(nn.Module):
    """Brings the encoder's states to the size of the decoder's: both directions of a layer become one.

    ``h = tanh(W [h_forward; h_backward] + b)`` (Bahdanau et al. 2015, section 3.2, where one direction is used); the
    carry of an LSTM has weights of its own and no tanh. Without a second direction the states pass as they are.

    Parameters
    ----------
    cell : str
    hidden_size, n_layers : int
    bidirectional : bool
    generator : torch.Generator
        Draws the weights, Glorot uniform.
    """

    def __init__(
        self, cell: str, hidden_size: int, n_layers: int, bidirectional: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        n_parts = 2 if cell == "lstm" else 1
        n_maps = n_layers * n_parts if bidirectional else 0
        self.n_parts = n_parts
        maps = [nn.Linear(2 * hidden_size, hidden_size) for _ in range(n_maps)]
        for part in maps:
            nn.init.xavier_uniform_(part.weight, generator=generator)
            nn.init.zeros_(part.bias)
        self.maps = nn.ModuleList(maps)

    def forward(self, outputs: LayerOutputs) -> list[State]:
        """The states of each layer of the decoder, h first."""
        if not len(self.maps):
            return outputs.states
        states: list[State] = []
        for layer in range(0, len(outputs.states), 2):
            parts = []
            for k, both in enumerate(zip(*outputs.states[layer : layer + 2], strict=True)):
                mapped = self.maps[layer // 2 * self.n_parts + k](join(list(both)))  # (batch, hidden)
                parts.append(mapped.tanh() if k == 0 else mapped)
            states.append(tuple(parts))
        return states


def last_steps(x: Tensor, lengths: Tensor | None, n_steps: int) -> Tensor:
    """The last `n_steps` valid steps of x (batch, steps, channels), zeros in front of rows that have fewer."""
    if lengths is None:
        missing = max(0, n_steps - x.shape[1])
        return functional.pad(x[:, x.shape[1] - n_steps + missing :], (0, 0, missing, 0))
    step = lengths[:, None] - n_steps + torch.arange(n_steps, device=x.device)  # (batch, n_steps)
    inside = step >= 0
    index = step.clamp(0, x.shape[1] - 1)[..., None].expand(-1, -1, x.shape[2])
    return x.gather(1, index) * inside[..., None]


def in_segments(values: Tensor, size: int, fill: float = 0.0) -> Tensor:
    """(batch, steps, features) -> (batch, segments, size, features), the last segment filled up with `fill`."""
    missing = -values.shape[1] % size
    padded = functional.pad(values, (0, 0, 0, missing), value=fill)
    return padded.unflatten(1, (-1, size))


def own_past(x: Tensor, lengths: Tensor | None, channels: Sequence[int], n_steps: int) -> Tensor:
    """The last values of each output's own channel, (batch, n_steps, n_outputs); 0 for outputs without one (-1)."""
    known = torch.tensor([channel >= 0 for channel in channels], device=x.device)
    picked = x[..., [max(channel, 0) for channel in channels]] * known
    return last_steps(picked, lengths, n_steps)
