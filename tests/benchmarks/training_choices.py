"""Measure two choices of how nets are trained, on validation parts of the training rows only.

The choices: to judge a moving average of the weights instead of the weights, and to draw the input weights over all
gates at once instead of gate by gate. For each of the three series the net is fitted with defaults on the first 80 %
of the training rows and judged by the rest; test rows are not read.

Run: ``SKRNN_DATA=FOLDER python tests/benchmarks/training_choices.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from machine import describe
from three_series import load_tasks, net_error
from torch import nn

from skrnn._estimator import RecurrentNet
from skrnn.nn import _recurrent

SEEDS = (0, 1, 2)
TRAINING_SHARE = 0.8


@contextmanager
def without_average() -> Iterator[None]:
    """Judge and keep the weights themselves."""
    build = RecurrentNet.__init__

    def plain(net: RecurrentNet, *args: object, **params: object) -> None:
        build(net, *args, **params | {"average_weights": False})

    with mock.patch.object(RecurrentNet, "__init__", plain):
        yield


@contextmanager
def gate_by_gate() -> Iterator[None]:
    """Draw the input weights of each gate by itself, so that they are larger."""
    initialise = _recurrent.initialise

    @torch.no_grad()
    def larger(recurrence: nn.Module, cell: str, generator: torch.Generator) -> None:
        initialise(recurrence, cell, generator)
        for gate in recurrence.weight_ih_l0.chunk(_recurrent.N_GATES[cell]):
            nn.init.xavier_uniform_(gate, generator=generator)

    with mock.patch.object(_recurrent, "initialise", larger):
        yield


@contextmanager
def as_it_is() -> Iterator[None]:
    """Change nothing."""
    yield


def main() -> None:
    """Print a row for each variant: mean error, and the spread between the seeds."""
    tasks = load_tasks()
    print("MAE one step ahead on the last fifth of the training rows, mean of the seeds 0, 1, 2 (range).\n")
    print(f"| variant | {' | '.join(task.name for task in tasks)} |")
    print("| --- " * (len(tasks) + 1) + "|")
    for name, variant in (
        ("as built", as_it_is),
        ("weights not averaged", without_average),
        ("gate by gate", gate_by_gate),
    ):
        cells = []
        for task in tasks:
            values = task.training_part()
            with variant():
                start = int(TRAINING_SHARE * len(values))
                errors = [net_error(values, start, task.window, seed) for seed in SEEDS]
            cells.append(f"{np.mean(errors):.3f} ({np.ptp(errors):.3f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
