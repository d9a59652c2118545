"""`predict` of one row, the inner loop of tools that forecast step by step: a net beside scikit-learn's MLP."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from estimator import Estimator
from sklearn.neural_network import MLPRegressor
from workloads import Workload, windows


class OneRow(Estimator):
    """The net of the workload."""

    def predicting(self) -> Callable[[], np.ndarray]:
        """What is timed."""
        fitted = self.regressor(1).fit(self.X, self.y)
        row = np.array(self.X[:1])  # (1, window, 1)
        return lambda: fitted.predict(row)


class MLP:
    """`MLPRegressor` with its default of 100 hidden values, on the window's steps as columns."""

    def __init__(self, workload: Workload) -> None:
        X, self.y = windows(workload.n_rows, workload.window)
        self.X = np.ascontiguousarray(X[:, :, 0])

    def predicting(self) -> Callable[[], np.ndarray]:
        """What is timed."""
        fitted = MLPRegressor(max_iter=10, random_state=0).fit(self.X, self.y)
        row = self.X[:1]  # (1, window)
        return lambda: fitted.predict(row)

    def describe(self) -> dict[str, object]:
        """Nothing to tell."""
        return {}
