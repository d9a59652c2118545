"""Choose settings for each series of accuracy.py, and write them to settings.json.

    SKRNN_DATA=FOLDER python tests/benchmarks/choose_settings.py [--budget MINUTES] [--jobs N] [--dry-run]

The test rows are never looked at. Within the training rows two parts judge what came before them: a random
search with one seed for the larger part of the time, then the best candidates again with more seeds. The
defaults take part.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from machine import describe
from three_series import Task, load_tasks, net_error

SETTINGS = Path(__file__).with_name("settings.json")
FOLDS = ((0.6, 0.8), (0.8, 1.0))  # shares of the training rows: trained on up to the first, judged up to the second
EXPLORATION_SHARE = 0.65  # of the time of a series; the rest goes into seeds for the best
N_FINALISTS = 6
MAX_SEEDS = 8
WINDOW_FACTORS = (0.5, 1, 1, 1.5, 2)  # times the window that the series is usually judged with
SPACE = {
    "cell": ["gru", "lstm", "rnn"],
    "hidden_size": [8, 16, 32, 64],
    "n_layers": [1, 1, 2],
    "lr": [0.001, 0.003, 0.01, 0.03],
    "max_epochs": [10, 25, 50, 100],
    "weight_decay": [0.0, 1e-5, 1e-4, 1e-3],
    "loss": ["squared_error", "absolute_error", "huber"],
    "window_scaling": ["auto", "last", "last_standard", None],
    "batch_size": ["auto", 32, 128],
    "early_stopping": ["auto", False],
}
Candidate = tuple[int, dict[str, object]]  # the window, and what RNNRegressor gets


def candidates(task: Task, rng: np.random.RandomState) -> Iterator[Candidate]:
    """Yield the defaults, then random points of the space."""
    yield task.window, {}
    while True:
        window = int(task.window * WINDOW_FACTORS[rng.randint(len(WINDOW_FACTORS))])
        yield window, {name: values[rng.randint(len(values))] for name, values in SPACE.items()}


def judge(values: pd.Series, candidate: Candidate, seed: int) -> float:
    """Mean error over two parts of the training rows `values`; infinite where training fails."""
    window, settings = candidate
    n_rows = len(values)
    try:
        errors = [
            net_error(values.iloc[: int(end * n_rows)], int(start * n_rows), window, seed, **settings)
            for start, end in FOLDS
        ]
        return sum(errors) / len(errors)
    except ValueError as error:  # diverged in its first epoch
        print(f"  {settings}: {error}")
        return float("inf")


def explore(task: Task, minutes: float, jobs: int) -> dict[int, tuple[Candidate, list[float]]]:
    """Judge candidates with seed 0 until the time is over."""
    end = time.monotonic() + 60 * minutes
    values, drawn = task.training_part(), candidates(task, np.random.RandomState(0))
    found: dict[int, tuple[Candidate, list[float]]] = {}
    with Parallel(n_jobs=jobs) as parallel:
        while time.monotonic() < end:
            batch = [next(drawn) for _ in range(2 * jobs)]
            errors = parallel(delayed(judge)(values, candidate, 0) for candidate in batch)
            for candidate, error in zip(batch, errors, strict=True):
                found[len(found)] = (candidate, [error])
    return found


def rank(task: Task, found: dict, minutes: float, jobs: int) -> list[tuple[Candidate, list[float]]]:
    """Judge the best candidates and the defaults with more seeds while time lasts; return them best first."""
    end = time.monotonic() + 60 * minutes
    values = task.training_part()
    best = sorted(found, key=lambda number: found[number][1][0])[:N_FINALISTS]
    finalists = [found[number] for number in dict.fromkeys([*best, 0])]
    with Parallel(n_jobs=jobs) as parallel:
        for seed in range(1, MAX_SEEDS):
            if seed > 1 and time.monotonic() > end:
                break
            errors = parallel(delayed(judge)(values, candidate, seed) for candidate, _ in finalists)
            for (_, seen), error in zip(finalists, errors, strict=True):
                seen.append(error)
    return sorted(finalists, key=lambda finalist: np.mean(finalist[1][1:]))  # seed 0 chose them: it is biased


def choose(task: Task, minutes: float, jobs: int) -> dict[str, object]:
    """Search for one series, print the ranking, and return the winner."""
    found = explore(task, EXPLORATION_SHARE * minutes, jobs)
    ranking = rank(task, found, (1 - EXPLORATION_SHARE) * minutes, jobs)
    print(f"\n{task.name}: {len(found)} candidates tried; the best, by seeds that did not select them:")
    for (window, settings), errors in ranking:
        shown = settings or "the defaults"
        error = f"{np.mean(errors[1:]):8.4f} (worst {max(errors):.4f}, {len(errors)} seeds)"
        print(f"  {error}  window {window}, {shown}")
    (window, settings), errors = ranking[0]
    return {"window": window, "regressor": settings, "validation_mae": round(float(np.mean(errors[1:])), 4)}


def main() -> None:
    """Search series by series and write what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=10.0, metavar="MINUTES", help="for all series together")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="worker processes")
    parser.add_argument("--dry-run", action="store_true", help="print the ranking, write nothing")
    arguments = parser.parse_args()
    tasks = load_tasks()
    chosen = {task.name: choose(task, arguments.budget / len(tasks), arguments.jobs) for task in tasks}
    if not arguments.dry_run:
        SETTINGS.write_text(json.dumps(chosen, indent=2) + "\n")
        print(f"\nwritten: {SETTINGS.name}")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
