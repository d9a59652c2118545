"""Where the time of a batch goes in `fit`: compiled kernels, the loop around them, and what is done once a fit.

    python tests/benchmarks/loop_cost.py [--rounds N] [--epochs N]

Printed are medians over rounds, in microseconds a batch. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from unittest.mock import patch

from estimator import Estimator
from machine import describe
from workloads import WORKLOADS

from skrnn._net import RecurrentNet
from skrnn.nn import _direct


class Stopwatch:
    """Adds up the seconds that calls of a function take."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def watched(self) -> Callable[..., Any]:
        """The function, its calls being timed."""

        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return self.function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begin

        return call


def fit_times(fit: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of a fit: in the kernels, in the epochs around them, outside."""
    kernels, epochs = Stopwatch(_direct.share), Stopwatch(RecurrentNet.run_single_epoch)
    with (
        patch.object(_direct, "share", kernels.watched()),
        patch.object(RecurrentNet, "run_single_epoch", epochs.watched()),
    ):
        begin = time.perf_counter()
        fit()
        whole = time.perf_counter() - begin
    return kernels.seconds, epochs.seconds - kernels.seconds, whole - epochs.seconds


def main() -> None:
    """Print one line a net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    print(describe())
    print("| net | kernels, µs a batch | loop around them | once a fit, spread over its batches |")
    print("| --- | --- | --- | --- |")
    for workload in [each for each in WORKLOADS if each.n_rows < 1000]:
        fit = Estimator(workload).fitting(arguments.epochs)
        fit()  # reads the kernels
        rounds = [fit_times(fit) for _ in range(arguments.rounds)]
        n_batches = arguments.epochs * workload.n_batches
        cells = [f"{1e6 * median(column) / n_batches:.0f}" for column in zip(*rounds, strict=True)]
        print(f"| {' | '.join([str(workload), *cells])} |")


if __name__ == "__main__":
    main()
