"""From features to outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearHead(nn.Module):
    """A linear map to `n_outputs` numbers, or to so many times `n_quantiles` that never cross.

    Quantiles are put in ascending order, which moves none of them further from the true ones (rearrangement,
    Chernozhukov et al. 2010).

    Parameters
    ----------
    n_features, n_outputs : int
    n_quantiles : int or None
    layer_norm : bool
        Normalise the features of each row first (Ba et al. 2016).
    generator : torch.Generator
        Draws the weights, Glorot uniform.
    """

    def __init__(
        self, n_features: int, n_outputs: int, n_quantiles: int | None, layer_norm: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_quantiles = n_quantiles
        self.norm = nn.LayerNorm(n_features) if layer_norm else nn.Identity()
        self.linear = nn.Linear(n_features, n_outputs * (n_quantiles or 1))
        nn.init.xavier_uniform_(self.linear.weight, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(..., features) -> (..., n_outputs), or (..., n_outputs, n_quantiles) ascending on the last axis"""
        outputs = self.linear(self.norm(features))
        if self.n_quantiles is None:
            return outputs
        return outputs.unflatten(-1, (-1, self.n_quantiles)).sort(dim=-1).values
