"""Fit time with patches of four steps against single steps.

    python tests/benchmarks/patch_speed.py [--rounds N] [--epochs N]

They take turns in one process; printed is the median of the ratios of the rounds. Run it on a quiet
machine.
"""

from __future__ import annotations

import argparse
import time
import warnings
from statistics import median

import numpy as np
from machine import describe
from sklearn.exceptions import ConvergenceWarning

from skrnn import RNNRegressor, sliding_windows

WINDOW, HIDDEN_SIZE, N_ROWS, BATCH_SIZE = 96, 64, 8_000, 128
CELLS = ("lstm", "gru", "rnn")


def fit_seconds(cell: str, patch_size: int, X: np.ndarray, y: np.ndarray, epochs: int) -> float:
    """Seconds of one fit."""
    net = RNNRegressor(
        cell,
        hidden_size=HIDDEN_SIZE,
        patch_size=patch_size,
        batch_size=BATCH_SIZE,
        max_epochs=epochs,
        early_stopping=False,
        random_state=0,
    )
    begin = time.perf_counter()
    net.fit(X, y)
    return time.perf_counter() - begin


def main() -> None:
    """Print one line a cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    steps = np.arange(N_ROWS + WINDOW, dtype=np.float32)
    noise = np.random.RandomState(0).standard_normal(len(steps)).astype(np.float32)
    X, y = sliding_windows(np.sin(0.1 * steps) + 0.1 * noise, WINDOW, horizon=1)
    warnings.simplefilter("ignore", ConvergenceWarning)  # a few epochs are enough to measure
    print(f"Window {WINDOW}, hidden {HIDDEN_SIZE}, {len(X)} rows, batch {BATCH_SIZE}, {arguments.epochs} epochs.\n")
    print("| cell | patch_size=1, s | patch_size=4, s | ratio, median (range) |")
    print("| --- | --- | --- | --- |")
    for cell in CELLS:
        fit_seconds(cell, 4, X, y, 1)  # what torch sets up once
        rounds = [
            [fit_seconds(cell, patch, X, y, arguments.epochs) for patch in (1, 4)] for _ in range(arguments.rounds)
        ]
        single, patched = (median(times) for times in zip(*rounds, strict=True))
        ratios = [patched / single for single, patched in rounds]
        shown = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"| {cell} | {single:.2f} | {patched:.2f} | {shown} |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
