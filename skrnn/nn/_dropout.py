"""Dropout that draws from a generator of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout whose masks come from `generator`, so that fits in several threads do not share random numbers.

    Parameters
    ----------
    p : float in [0, 1)
        The share of values set to zero in training; the others are scaled by 1 / (1 - p).
    generator : torch.Generator
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        mask = torch.empty(x.shape, dtype=x.dtype, device=self.generator.device)
        mask.bernoulli_(1 - self.p, generator=self.generator)
        return x * mask.to(x.device).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class RandomShift(nn.Module):
    """In training, move each channel of each sequence by one random number for all its steps.

    Sensors are worn at other angles by other people: what only holds at one level of a channel is not to be learned.

    Parameters
    ----------
    deviation : float
        Standard deviation of the shifts, in units of the inputs; 0 does nothing.
    generator : torch.Generator
    """

    def __init__(self, deviation: float, generator: torch.Generator) -> None:
        super().__init__()
        self.deviation = deviation
        self.generator = generator

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, steps, channels); padding stays what it is"""
        if not self.training or not self.deviation:
            return x
        size = (len(x), 1, x.shape[2])
        shift = torch.randn(size, generator=self.generator, dtype=x.dtype, device=self.generator.device)
        shift = shift.to(x.device) * self.deviation
        if lengths is not None:
            shift = shift * (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
        return x + shift
