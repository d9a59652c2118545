"""Measure forecasts of many steps on real data, with the settings that choose_forecast_settings.py chose.

    SKRNN_DATA=FOLDER python tests/benchmarks/forecasting.py [--only WORD]

Prints a table for each task: references, the mean over three seeds (worst), and the seconds of a fit on one core. The
settings stand in forecast_settings.json. The last table is of conformal intervals.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from choose_forecast_settings import SETTINGS, searches
from forecast_tasks import MONTH, ETTh1, Result
from machine import describe

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer
from skrnn.metrics import coverage

SEEDS = (0, 1, 2)
COVERAGE = 0.9
CALIBRATED = 4 * MONTH  # rows in front of those that are judged
REFERENCES = ("ridge", "seasonal_naive", "persistence")


def show(results: list[Result]) -> str:
    """Show the mean (worst) of each error over the seeds."""
    shown = []
    for name in results[0].errors:
        values = [result.errors[name] for result in results]
        worst = f" (worst {max(values):.3f})" if len(values) > 1 else ""
        shown.append(f"{name} {np.mean(values):.3f}{worst}")
    return ", ".join(shown)


def accuracy(only: str) -> None:
    """Print the table of each task on its test rows."""
    chosen = json.loads(SETTINGS.read_text())
    for name, make in searches().items():
        if only not in name or name not in chosen:
            continue
        search = make()
        print(f"\n{name}, test rows\n\n| model | errors | seconds a fit |\n| --- | --- | --- |", flush=True)
        for reference in REFERENCES:
            if hasattr(search.task, reference):
                result = getattr(search.task, reference)("test")
                print(f"| {reference.replace('_', ' ')} | {show([result])} | |", flush=True)
        settings = chosen[name]["settings"]
        results = [search.task.net(settings, seed, "test") for seed in SEEDS]
        seconds = [result.seconds for result in results]
        print(f"| {settings['n_nets']} nets | {show(results)} | {min(seconds):.0f}-{max(seconds):.0f} |", flush=True)


def intervals(part_name: str = "test") -> None:
    """Print coverage and mean width of 90 % intervals, 24 hours of ETTh1, pooled over channels and steps.

    The four months before the judged ones calibrate (`calibration_fraction`), everything before them trains.
    """
    task = ETTh1(24)
    settings = dict(json.loads(SETTINGS.read_text())["ETTh1 24 h, any decoder"]["settings"]) | {"n_nets": 1}
    X = SlidingWindowTransformer(settings.pop("window")).fit_transform(task.values)
    judged = task.part(part_name).judged
    n_rows = int(judged[0]) + 1
    truth = task.targets[judged]
    print(f"\nETTh1 24 h, {COVERAGE:.0%} intervals, {part_name} rows, pooled over channels and steps\n")
    print("| model | coverage | by channel | mean width |\n| --- | --- | --- | --- |", flush=True)

    def row(name: str, interval: Callable[[], tuple[np.ndarray, np.ndarray]]) -> None:
        lower, upper = interval()
        inside = coverage(truth, lower, upper, multioutput="raw_values")  # (24, 7)
        by_channel = inside.mean(axis=0)
        shown = f"{inside.mean():.3f} | {by_channel.min():.3f}-{by_channel.max():.3f} | {(upper - lower).mean():.3f}"
        print(f"| {name} | {shown} |", flush=True)

    def seasonal() -> tuple[np.ndarray, np.ndarray]:
        past = np.arange(n_rows - CALIBRATED, n_rows - task.horizon)
        missed = np.sort(np.abs(task.seasonal_forecasts(past) - task.targets[past]), axis=0)
        reach = missed[int(np.ceil((len(past) + 1) * COVERAGE)) - 1]  # (24, 7), split conformal as for the nets
        forecasts = task.seasonal_forecasts(judged)
        return forecasts - reach, forecasts + reach

    row("seasonal naive", seasonal)
    for seed in SEEDS:
        for loss in ("absolute_error", "quantile"):
            kept: dict[str, Any] = settings | {"loss": loss}
            if loss == "quantile":
                kept["quantiles"] = (0.05, 0.5, 0.95)
            model = Seq2SeqForecaster(
                horizon=24, random_state=seed, calibration_fraction=CALIBRATED / n_rows, early_stopping=True, **kept
            )
            model.fit(X[:n_rows], task.values.to_numpy()[:n_rows])
            row(f"net, loss={loss!r}, seed {seed}", lambda model=model: model.predict_interval(X[judged], COVERAGE))


def main() -> None:
    """Print all tables, or those of tasks with a word in their name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only tasks with this word in their name")
    parser.add_argument(
        "--intervals", metavar="PART", help="only the table of intervals, of 'test' or 'validation' rows"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.intervals is None:
        accuracy(arguments.only)
    if arguments.intervals is not None or arguments.only in "intervals":
        intervals(arguments.intervals or "test")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
