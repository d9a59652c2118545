"""Losses and errors of the batches of an epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TINY = 1e-300  # for an epoch in which nothing is known


class EpochSums:
    """Adds up what batches give; numbers may be tensors on any device, which are read once, in the end."""

    def __init__(self) -> None:
        self._batches: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, n_rows: int, loss: Any, error: Any, weight: Any) -> None:
        """Note a batch: its rows, its mean loss, and its errors and their weights, summed."""
        self._batches.append((n_rows, loss, error, weight))

    def means(self) -> tuple[float, float]:
        """Loss for each row, and error for each weight."""
        n_rows, losses, errors, weights = (_vector(column) for column in zip(*self._batches, strict=True))
        n_rows = n_rows.to(losses)
        return float((losses * n_rows).sum() / n_rows.sum()), float(errors.sum() / max(float(weights.sum()), TINY))


def _vector(numbers: tuple[Any, ...]) -> Tensor:
    return torch.stack(numbers) if isinstance(numbers[0], Tensor) else torch.tensor(numbers, dtype=torch.float64)
