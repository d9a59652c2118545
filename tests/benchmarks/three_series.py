"""The three series that accuracy is measured on, one step ahead, and how an error is measured."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.datasets import make_daily_series

TRANSFORMS: dict[str | None, tuple[Callable, Callable]] = {
    None: (lambda x: x, lambda z: z),
    # for counts, whose noise grows with their level (Anscombe 1948)
    "sqrt": (lambda x: np.sqrt(x + 3 / 8), lambda z: z**2 - 3 / 8),
}


@dataclass(frozen=True)
class Task:
    """A series, the window it is judged with, and the row at which its test rows begin."""

    name: str
    values: pd.Series  # index 0, 1, 2, ...: two days that Melbourne's calendar leaves out are no hole here
    window: int
    test_start: int

    def training_part(self) -> pd.Series:
        """The rows that training and the choice of settings may see."""
        return self.values.iloc[: self.test_start]


def load_tasks() -> list[Task]:
    """Load the three series, two of them from the folder that `SKRNN_DATA` names."""
    folder = data_folder()
    daily = make_daily_series().reset_index(drop=True)
    sunspots = pd.read_csv(folder / "sunspots.csv").iloc[:, 2]
    melbourne = pd.read_csv(folder / "melbourne_min_temperatures.csv").iloc[:, 1]
    return [
        Task("synthetic daily series", daily, 20, 1000),
        Task("monthly sunspots", sunspots, 30, 3000),
        Task("Melbourne minimum temperatures", melbourne, 64, 2500),
    ]


def data_folder() -> Path:
    """Return the folder of the series, or leave with a message that says how to name it."""
    given = os.environ.get("SKRNN_DATA")
    wanted = "a folder with series/sunspots.csv and series/melbourne_min_temperatures.csv"
    if not given:
        sys.exit(f"Set the environment variable SKRNN_DATA to {wanted}.")
    folder = Path(given) / "series"
    if not folder.is_dir():
        sys.exit(f"SKRNN_DATA must name {wanted}, got {given!r}, which has no folder 'series'.")
    return folder


def net_pipeline(window: int, seed: int, **settings: object) -> Pipeline:
    """Build the pipeline that a user would write; without settings everything is left at its default."""
    return make_pipeline(SlidingWindowTransformer(window), RNNRegressor(horizon=1, random_state=seed, **settings))


def net_error(
    values: pd.Series, start: int, window: int, seed: int, transform: str | None = None, **settings: object
) -> float:
    """Train on the rows before `start`, and return the mean absolute error one step ahead from `start` on.

    With `transform` the net sees the series through `TRANSFORMS`, as input and as target, and its forecasts are
    brought back before they are compared.
    """
    forward, back = TRANSFORMS[transform]
    seen = forward(values)
    X = seen.to_frame()
    pipeline = net_pipeline(window, seed, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the error will tell
        pipeline.fit(X.iloc[:start], seen.iloc[:start])
    return mean_error(values, start, back(pipeline.predict(X)[:, 0]))


def mean_error(values: pd.Series, start: int, forecasts: np.ndarray) -> float:
    """Mean absolute error of the forecasts (n_times,), each made at its row for the next one."""
    truth = values.to_numpy()[start:]
    return float(np.abs(truth - forecasts[start - 1 : -1]).mean())
