"""Choose settings for each series of accuracy.py, and write them to settings.json.

    SKRNN_DATA=FOLDER python tests/benchmarks/choose_settings.py [--budget MINUTES] [--only WORD] [--dry-run]

The test rows are never looked at. Within the training rows two parts judge what came before them: for the
larger part of the time one net for each of many candidates, first random ones, then neighbours of the best; in
the rest ensembles of the best candidates. The defaults take part.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from machine import describe
from three_series import Task, load_tasks, net_error

SETTINGS = Path(__file__).with_name("settings.json")
FOLDS = ((0.6, 0.8), (0.8, 1.0))  # shares of the training rows: trained on up to the first, judged up to the second
EXPLORATION_SHARE = 0.6  # of the time of a series; the rest goes into the best ones
N_FINALISTS = 10
N_REDRAWN = 3  # settings in which a neighbour of a candidate may differ from it
MAX_SEEDS = 8
N_NETS = 5  # of the documented ensembles; candidates are explored with one net each
WINDOW_FACTORS = (0.5, 1, 2, 4, 8)  # times the window that the series is usually judged with
MOST_STEPS = 90  # of a recurrent net: longer windows are read in patches
SPACE = {
    "cell": ["gru", "lstm", "rnn"],
    "hidden_size": [8, 16, 32, 64],
    "n_layers": [1, 1, 2],
    "patch_size": [1, 4, 8, 12, 24],
    "pooling": ["last", "last", "mean_max"],
    "input_dropout": [0.0, 0.0, 0.1, 0.2],
    "lr": [0.001, 0.003, 0.01],
    "max_epochs": [25, 50, 100],
    "weight_decay": [0.0, 1e-4, 1e-3],
    "loss": ["squared_error", "absolute_error", "huber"],
    "window_scaling": ["auto", "last_standard", None],
    "batch_size": ["auto", 32],
    "early_stopping": ["auto", False],
    "transform": [None, "sqrt"],  # of `TRANSFORMS`, where the series is not negative
}
Candidate = tuple[int, dict[str, object]]  # the window, and what `net_error` gets


def random_candidate(task: Task, rng: np.random.RandomState) -> Candidate:
    """Draw a point of the space that makes sense."""
    while True:
        window = int(task.window * WINDOW_FACTORS[rng.randint(len(WINDOW_FACTORS))])
        drawn = {name: values[rng.randint(len(values))] for name, values in SPACE.items()}
        if makes_sense(task, window, drawn):
            return window, drawn


def neighbour(task: Task, candidate: Candidate, rng: np.random.RandomState) -> Candidate:
    """Draw some of the settings of a candidate again."""
    window, settings = candidate
    settings = {name: settings.get(name, values[0]) for name, values in SPACE.items()}  # the defaults lack some
    while True:
        other, redrawn = random_candidate(task, rng)
        kept = {name: settings[name] for name in rng.permutation(list(SPACE))[N_REDRAWN:]}
        new = window if rng.randint(2) else other, {name: kept.get(name, redrawn[name]) for name in SPACE}
        if makes_sense(task, *new):
            return new


def makes_sense(task: Task, window: int, settings: dict) -> bool:
    """Whether a window has at least four patches, is quick enough, and the series has a square root."""
    n_steps = window // settings["patch_size"]
    return 4 <= n_steps <= MOST_STEPS and (settings["transform"] is None or task.values.min() >= 0)


def judge(values: pd.Series, candidate: Candidate, seed: int, n_nets: int) -> float:
    """Mean error over two parts of the training rows `values`; infinite where training fails."""
    window, settings = candidate
    n_rows = len(values)
    try:
        errors = [
            net_error(values.iloc[: int(end * n_rows)], int(start * n_rows), window, seed, n_nets=n_nets, **settings)
            for start, end in FOLDS
        ]
        return sum(errors) / len(errors)
    except ValueError as error:  # diverged in its first epoch
        print(f"  {settings}: {error}")
        return float("inf")


def explore(task: Task, minutes: float, jobs: int) -> dict[int, tuple[Candidate, list[float]]]:
    """Judge single nets until the time is over: the defaults, random candidates, then neighbours of the best."""
    begin = time.monotonic()
    values, rng = task.training_part(), np.random.RandomState(0)
    found: dict[int, tuple[Candidate, list[float]]] = {}
    with Parallel(n_jobs=jobs) as parallel:
        while (passed := (time.monotonic() - begin) / (60 * minutes)) < 1:
            batch = [(task.window, {})] if not found else []
            best = sorted(found.values(), key=lambda entry: entry[1][0])[:N_FINALISTS]
            seen = {repr(candidate) for candidate, _ in found.values()}
            while len(batch) < 2 * jobs:
                refines = passed > 0.5 and best
                new = neighbour(task, best[rng.randint(len(best))][0], rng) if refines else random_candidate(task, rng)
                if repr(new) not in seen:
                    seen.add(repr(new))
                    batch.append(new)
            errors = parallel(delayed(judge)(values, candidate, 0, 1) for candidate in batch)
            for candidate, error in zip(batch, errors, strict=True):
                found[len(found)] = (candidate, [error])
    return found


def rank(task: Task, found: dict, minutes: float, jobs: int) -> list[tuple[Candidate, list[float]]]:
    """Judge ensembles of the best candidates and of the defaults while time lasts; return them best first."""
    end = time.monotonic() + 60 * minutes
    values = task.training_part()
    best = sorted(found, key=lambda number: found[number][1][0])[:N_FINALISTS]
    finalists = [found[number] for number in dict.fromkeys([*best, 0])]
    with Parallel(n_jobs=jobs) as parallel:
        for seed in range(1, MAX_SEEDS):
            if seed > 1 and time.monotonic() > end:
                break
            errors = parallel(delayed(judge)(values, candidate, seed, N_NETS) for candidate, _ in finalists)
            for (_, seen), error in zip(finalists, errors, strict=True):
                seen.append(error)
    return sorted(finalists, key=lambda finalist: np.mean(finalist[1][1:]))  # the first error chose them


def choose(task: Task, minutes: float, jobs: int) -> dict[str, object]:
    """Search for one series, print the ranking, and return the winner."""
    found = explore(task, EXPLORATION_SHARE * minutes, jobs)
    ranking = rank(task, found, (1 - EXPLORATION_SHARE) * minutes, jobs)
    print(f"\n{task.name}: {len(found)} candidates tried; the best, as ensembles of {N_NETS} nets:")
    for (window, settings), errors in ranking:
        shown = settings or "the defaults"
        error = f"{np.mean(errors[1:]):8.4f} ({len(errors) - 1} ensembles; one net {errors[0]:.4f})"
        print(f"  {error}  window {window}, {shown}")
    (window, settings), errors = ranking[0]
    return {
        "window": window,
        "settings": {**settings, "n_nets": N_NETS},
        "validation_mae": round(float(np.mean(errors[1:])), 4),
    }


def main() -> None:
    """Search series by series and write what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=10.0, metavar="MINUTES", help="for these series together")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="worker processes")
    parser.add_argument("--dry-run", action="store_true", help="print the ranking, write nothing")
    parser.add_argument("--only", default="", metavar="WORD", help="only series with this word in their name")
    arguments = parser.parse_args()
    tasks = [task for task in load_tasks() if arguments.only in task.name]
    chosen = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
    chosen |= {task.name: choose(task, arguments.budget / len(tasks), arguments.jobs) for task in tasks}
    if not arguments.dry_run:
        SETTINGS.write_text(json.dumps(chosen, indent=2) + "\n")
        print(f"\nwritten: {SETTINGS.name}")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
