"""`RNNRegressor` as a user has it, but for early stopping, so that it trains on all rows for all epochs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from workloads import Workload, windows

from skrnn import RNNRegressor


class Estimator:
    """Is given the windows as a view; standardises, clips gradients, follows a schedule and keeps a history."""

    def __init__(self, workload: Workload, **params: Any) -> None:
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.workload, self.params = workload, params
        self.X, self.y = windows(workload.n_rows, workload.window)

    def regressor(self, epochs: int) -> RNNRegressor:
        """The estimator of this workload."""
        return RNNRegressor(
            self.workload.cell,
            hidden_size=self.workload.hidden_size,
            n_layers=self.workload.n_layers,
            bidirectional=self.workload.bidirectional,
            batch_size=self.workload.batch_size,
            max_epochs=epochs,
            early_stopping=False,
            dtype="float32",
            random_state=0,
            **self.params,
        )

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        return lambda: self.regressor(epochs).fit(self.X, self.y)

    def predicting(self) -> Callable[[], np.ndarray]:
        """What is timed of prediction: all rows in one call."""
        n_fitted = 2 * self.workload.batch_size
        fitted = self.regressor(1).fit(self.X[:n_fitted], self.y[:n_fitted])
        return lambda: fitted.predict(self.X)

    def describe(self) -> dict[str, object]:
        """Threads that torch has outside a fit."""
        return {"threads": torch.get_num_threads()}
