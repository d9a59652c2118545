"""What a net gives for each target: one number, or the parameters of a distribution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_SCALE = 1e-4  # in standardised units
SMALLEST_DF = 2.01  # above 2, where Student's t has a variance, by more than float32 rounds away


@dataclass(frozen=True)
class Emission:
    """How the last axis of a net's outputs is to be read.

    Parameters
    ----------
    kind : {"point", "quantile", "gaussian", "student_t"}
        "gaussian" has location and scale, "student_t" also degrees of freedom, "quantile" ascending quantiles.
    n_parameters : int
        Numbers for each target.
    central : int
        Of quantiles, the position of the one that stands for a single forecast; else 0, the location.
    """

    kind: str = "point"
    n_parameters: int = 1
    central: int = 0

    def constrain(self, raw: Tensor) -> Tensor:
        """Any numbers (..., n_parameters) -> parameters of the same shape: in order, scales above 0."""
        if self.kind == "quantile":
            return raw.sort(dim=-1).values  # moves none further from the true ones (Chernozhukov et al. 2010)
        if self.kind == "point":
            return raw
        scale = functional.softplus(raw[..., 1:2]) + SMALLEST_SCALE
        parts = [raw[..., :1], scale]
        if self.kind == "student_t":
            parts.append(functional.softplus(raw[..., 2:]) + SMALLEST_DF)
        return torch.cat(parts, dim=-1)

    def shift(self, parameters: Tensor, offset: Tensor) -> Tensor:
        """Add an offset (...) to the location, or to each quantile, of parameters (..., n_parameters)."""
        if self.kind in ("point", "quantile"):
            return parameters + offset[..., None]
        return torch.cat([parameters[..., :1] + offset[..., None], parameters[..., 1:]], dim=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """One number for each target: (..., n_parameters) -> (...)"""
        return parameters[..., self.central]
