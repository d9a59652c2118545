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
