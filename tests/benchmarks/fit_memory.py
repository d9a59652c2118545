"""Rise of the peak memory during fit: a million rows, window 96, of which 6,400 are labelled.

    python tests/benchmarks/fit_memory.py

A process of its own fits a small series first, so that imports and first-time buffers do not count. The
rise is the highest memory during the second fit less the memory in use before it. Dense windows would be
96 times the series. In the pipeline the padded copy of the series that the windows look into counts too.
"""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
from machine import describe
from memory import MEGABYTE, memory_in_use, peak_memory
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer

N_ROWS, N_CHANNELS, N_LABELLED = 1_000_000, 8, 6_400
WINDOW, HIDDEN_SIZE, BATCH_SIZE = 96, 8, 128
TARGET = 4


def series(n_rows: int, n_labelled: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise (n_rows, n_channels), and targets (n_rows,) that are known on random rows only."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_CHANNELS), dtype=np.float32)
    y = np.full(n_rows, np.nan, dtype=np.float32)
    labelled = rng.choice(n_rows, n_labelled, replace=False)
    y[labelled] = X[labelled].sum(axis=1)
    return X, y


def pipeline() -> Pipeline:
    """Build the estimator whose memory is measured."""
    net = RNNRegressor(hidden_size=HIDDEN_SIZE, batch_size=BATCH_SIZE, max_epochs=1, random_state=0)
    return make_pipeline(SlidingWindowTransformer(WINDOW), net)


def measure(what: str) -> None:
    """Print the size of the series and the rise of the peak, in bytes; runs in a process of its own."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    pipeline().fit(*series(10_000, 2_000))
    X, y = series(N_ROWS, N_LABELLED)
    size, estimator = X.nbytes, pipeline()
    if what == "net":
        X, estimator = estimator[0].fit_transform(X), estimator[-1]
    before = memory_in_use()
    estimator.fit(X, y)
    print(size, peak_memory() - before)


def measure_in_new_process(what: str) -> str:
    """Return one line of the table."""
    child = subprocess.run([sys.executable, __file__, what], capture_output=True, text=True)
    if child.returncode:
        sys.exit(child.stderr)
    size, rise = map(float, child.stdout.split())
    return f"{size / MEGABYTE:.0f} | {rise / MEGABYTE:.0f} | {rise / size:.2f} |"


def main() -> None:
    """Measure in fresh processes and print the ratios."""
    print(
        f"One epoch on {N_ROWS:,} x {N_CHANNELS} float32, window {WINDOW}, hidden {HIDDEN_SIZE}, "
        f"batch {BATCH_SIZE}, {N_LABELLED:,} rows labelled. Target: a rise below {TARGET} x the series.\n"
    )
    print("| fit of | the series, MB | rise of the peak, MB | times the series |")
    print("| --- | --- | --- | --- |")
    print(f"| the net, windows given | {measure_in_new_process('net')}")
    print(f"| windows and net, a pipeline | {measure_in_new_process('pipeline')}")
    print(f"\n{describe()}")


if __name__ == "__main__":
    measure(sys.argv[1]) if sys.argv[1:] else main()
