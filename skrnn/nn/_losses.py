"""Losses by name, element by element; weights and unknown targets are applied by the net."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST_SIZE = 1e-8  # of a value and its forecast together
LARGEST_LOG = 40.0  # of a forecast in logarithms, so that its loss and gradient stay finite


class PinballLoss(nn.Module):
    """The quantile loss, averaged over quantiles (Koenker and Bassett 1978).

    Of a quantile q, prediction p and truth y it is ``q * (y - p)`` where y is above p, else ``(q - 1) * (y - p)``.

    Parameters
    ----------
    quantiles : sequence of float
    reduction : {"none"}
        Only there because every torch loss has it.

    Attributes
    ----------
    central : int
        The position of the quantile that stands for a single forecast.
    """

    quantiles: Tensor

    def __init__(self, quantiles: Sequence[float] = (0.1, 0.5, 0.9), reduction: str = "none") -> None:
        super().__init__()
        self.central = central_quantile(quantiles)
        self.register_buffer("quantiles", torch.tensor(quantiles, dtype=torch.float64))

    def point(self, y_pred: Tensor) -> Tensor:
        """The quantile that stands for a single forecast: (..., n_quantiles) -> (...)"""
        return y_pred[..., self.central]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_outputs, n_quantiles) and (..., n_outputs) -> (..., n_outputs)"""
        error = y_true[..., None] - y_pred
        quantiles = self.quantiles.to(error.dtype)
        return torch.maximum(quantiles * error, (quantiles - 1) * error).mean(dim=-1)


class LikelihoodLoss(nn.Module):
    """Abstract: minus the log-likelihood of a distribution whose location is the first parameter.

    Parameters
    ----------
    reduction : {"none"}
        Only there because every torch loss has it.
    """

    def __init__(self, reduction: str = "none") -> None:
        super().__init__()

    def point(self, y_pred: Tensor) -> Tensor:
        """The location: (..., n_parameters) -> (...)"""
        return y_pred[..., 0]


class GaussianLoss(LikelihoodLoss):
    """Minus the log-likelihood of a normal distribution with location and scale (Nix and Weigend 1994)."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_outputs, 2) and (..., n_outputs) -> (..., n_outputs)"""
        location, scale = y_pred.unbind(-1)
        return ((y_true - location) / scale).square() / 2 + scale.log() + math.log(2 * math.pi) / 2


class StudentTLoss(LikelihoodLoss):
    """Minus the log-likelihood of Student's t with location, scale and degrees of freedom: far values cost less."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_outputs, 3) and (..., n_outputs) -> (..., n_outputs)"""
        location, scale, df = y_pred.unbind(-1)
        normaliser = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - (df * math.pi).log() / 2 - scale.log()
        return (df + 1) / 2 * (((y_true - location) / scale).square() / df).log1p() - normaliser


class SmapeMaseLoss(nn.Module):
    """The symmetric relative error plus the scaled error, in the user's units: for panels of series of any size.

    ``w * 2 |y - f| / (|y| + |f|) + |y - f| / s``, s being the mean absolute error of the seasonal naive forecast within
    the rows of the row's series that its windows read: sMAPE and MASE of the M4 competition (Makridakis et al. 2020),
    with about the weights that they have in its overall average.

    Parameters
    ----------
    transform : {"log1p", "sqrt"} or None
        What the targets went through, undone before errors are measured.
    seasonality : int
        Rows in a season; the estimator measures s with it.
    smape_weight : float
        The weight w.
    reduction : {"none"}
        Only there because every torch loss has it.
    """

    def __init__(
        self,
        transform: str | None = None,
        seasonality: int = 1,
        smape_weight: float = 10.0,
        reduction: str = "none",
    ) -> None:
        super().__init__()
        self.smape_weight = smape_weight
        self.transform = transform
        self.seasonality = seasonality

    def forward(self, y_pred: Tensor, y_true: Tensor, units: Tensor, offsets: Tensor, naive_errors: Tensor) -> Tensor:
        """Predictions and truths (batch, n_columns), the others (batch, n_outputs) -> (batch, n_columns).

        ``value * units + offsets`` is in the (transformed) user's units; the outputs of a step stand side by side.
        """
        n_steps = y_true.shape[1] // units.shape[1]
        units, offsets, naive_errors = (each.repeat(1, n_steps) for each in (units, offsets, naive_errors))
        forecast, truth = (self._undo(values * units + offsets) for values in (y_pred, y_true))
        error = (forecast - truth).abs()
        size = (forecast.abs() + truth.abs()).clamp(min=SMALLEST_SIZE)
        return self.smape_weight * 2 * error / size + error / naive_errors

    def _undo(self, values: Tensor) -> Tensor:
        if self.transform == "log1p":
            return values.clamp(max=LARGEST_LOG).expm1()
        return values.clamp(min=0).square() if self.transform == "sqrt" else values


LOSSES: dict[str, type[nn.Module]] = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
    "quantile": PinballLoss,
}
FORECAST_LOSSES: dict[str, type[nn.Module]] = {
    **LOSSES,
    "gaussian": GaussianLoss,
    "student_t": StudentTLoss,
    "smape_mase": SmapeMaseLoss,
}


def central_quantile(quantiles: Sequence[float]) -> int:
    """The position of the quantile nearest to the median, the lower one of two that are as near."""
    return min(range(len(quantiles)), key=lambda i: (round(abs(quantiles[i] - 0.5), 12), i))


def is_loss_class(loss: Any) -> bool:
    """Whether `loss` is a class of torch modules that can give the loss of each element."""
    return inspect.isclass(loss) and issubclass(loss, nn.Module) and "reduction" in inspect.signature(loss).parameters
