"""Losses by name, element by element; weights and unknown targets are applied by the net."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


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

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_outputs, n_quantiles) and (..., n_outputs) -> (..., n_outputs)"""
        error = y_true[..., None] - y_pred
        quantiles = self.quantiles.to(error.dtype)
        return torch.maximum(quantiles * error, (quantiles - 1) * error).mean(dim=-1)


LOSSES: dict[str, type[nn.Module]] = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
    "quantile": PinballLoss,
}


def central_quantile(quantiles: Sequence[float]) -> int:
    """The position of the quantile nearest to the median, the lower one of two that are as near."""
    return min(range(len(quantiles)), key=lambda i: (round(abs(quantiles[i] - 0.5), 12), i))


def is_loss_class(loss: Any) -> bool:
    """Whether `loss` is a class of torch modules that can give the loss of each element."""
    return inspect.isclass(loss) and issubclass(loss, nn.Module) and "reduction" in inspect.signature(loss).parameters
