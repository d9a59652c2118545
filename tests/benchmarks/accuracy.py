"""Accuracy one step ahead, against last value and Ridge on the same lags.

    SKRNN_DATA=FOLDER python tests/benchmarks/accuracy.py [--only-defaults]

The settings of the last column stand in settings.json, which choose_settings.py wrote without the test
rows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from machine import describe
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from three_series import Task, load_tasks, mean_error, net_error

from skrnn import SlidingWindowTransformer, future_targets

SEEDS = (0, 1, 2)
SETTINGS = Path(__file__).with_name("settings.json")


def last_value_error(task: Task) -> float:
    """Error of the forecast that nothing changes."""
    return mean_error(task.values, task.test_start, task.values.to_numpy())


def ridge_error(task: Task) -> float:
    """Error of Ridge on the same lags, standardised, with the best of three penalties.

    It trains on the complete windows of the training rows.
    """
    X, start = task.values.to_frame(), task.test_start
    targets = future_targets(task.values, 1).to_numpy()
    lags = SlidingWindowTransformer(task.window, flatten=True).fit_transform(X)
    known = np.arange(task.window - 1, start - 1)  # the window is full and the next value is a training row
    forecasts = make_pipeline(StandardScaler(), RidgeCV()).fit(lags[known], targets[known]).predict(lags)
    return mean_error(task.values, start, forecasts.ravel())


def default_errors(task: Task) -> list[float]:
    """Errors of the defaults, one a seed."""
    return [net_error(task.values, task.test_start, task.window, seed) for seed in SEEDS]


def documented_errors(task: Task) -> list[float]:
    """Errors with the documented settings, one a seed; none where no settings were chosen."""
    if not SETTINGS.exists():
        return []
    chosen = json.loads(SETTINGS.read_text())[task.name]
    return [net_error(task.values, task.test_start, chosen["window"], seed, **chosen["settings"]) for seed in SEEDS]


def mean_and_worst(errors: list[float]) -> str:
    """Show the mean over the seeds and the worst seed."""
    return f"{np.mean(errors):.2f} (worst {max(errors):.2f})" if errors else "-"


def main() -> None:
    """Print one line a series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only-defaults", action="store_true", help="leave the documented settings out")
    only_defaults = parser.parse_args().only_defaults
    tasks = load_tasks()
    print(f"Mean absolute error one step ahead on the test rows; nets: mean over seeds {SEEDS}.\n")
    print("| series | last value | ridge, same lags | skrnn, defaults | skrnn, documented settings |")
    print("| --- | --- | --- | --- | --- |")
    for task in tasks:
        row = [f"{task.name}, window {task.window}, rows {task.test_start}-"]
        row += [f"{last_value_error(task):.2f}", f"{ridge_error(task):.2f}"]
        row += [mean_and_worst(default_errors(task))]
        row += [mean_and_worst([] if only_defaults else documented_errors(task))]
        print("| " + " | ".join(row) + " |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
