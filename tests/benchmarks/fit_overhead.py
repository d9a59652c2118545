"""Fit time of RNNRegressor against a bare torch loop over the same net and the same batches.

    python tests/benchmarks/fit_overhead.py [--rounds N] [--epochs N]

They take turns in one process; printed is the median of the ratios of the rounds. The bare loop is
torch's own cell with a linear layer on its last output, Adam, float32, and as many threads as torch takes
by default; its time with one thread is shown too, since two threads on a busy machine may be slower than
one. It has the windows in one dense block, while RNNRegressor gathers each batch from the view,
standardises, clips gradients, follows a schedule and keeps a history, as it does for every user. Run it
on a quiet machine.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from machine import describe
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skrnn import RNNRegressor, sliding_windows

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class Case:
    """A net and its training set."""

    cell: str
    hidden_size: int
    n_layers: int
    window: int
    batch_size: int
    n_rows: int
    n_rounds: int

    def __str__(self) -> str:
        layers = f"x{self.n_layers}" if self.n_layers > 1 else ""
        return f"{self.cell} {self.hidden_size}{layers}, window {self.window}, batch {self.batch_size}"


CASES = (
    Case("rnn", 40, 2, 20, 128, 980, 7),
    Case("lstm", 32, 1, 24, 64, 20_000, 3),
    Case("gru", 64, 1, 48, 128, 20_000, 3),
)


class BareNet(nn.Module):
    """torch's own cell, and a linear layer on its last output."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.cell = CELLS[case.cell](1, case.hidden_size, case.n_layers, batch_first=True)
        self.head = nn.Linear(case.hidden_size, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.cell(x)  # (batch, steps, hidden)
        return self.head(outputs[:, -1])  # (batch, 1)


def windows(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return windows (n_rows, window, 1) of a noisy sine as a view, and the value after each (n_rows,)."""
    time_ = np.arange(case.n_rows + case.window, dtype=np.float32)
    noise = np.random.RandomState(0).standard_normal(len(time_)).astype(np.float32)
    series = np.sin(0.1 * time_) + 0.1 * noise
    X, y = sliding_windows(series, case.window, horizon=1)
    return X, y.flatten()  # a copy, since torch takes no view that it may not write to


def fit_bare(case: Case, X: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Train with nothing but torch."""
    inputs = torch.from_numpy(np.ascontiguousarray(X))
    targets = torch.from_numpy(np.ascontiguousarray(y))[:, None]
    net, loss = BareNet(case), nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(case.batch_size):
            optimizer.zero_grad()
            loss(net(inputs[rows]), targets[rows]).backward()
            optimizer.step()


def fit_skrnn(case: Case, X: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Train the same net as a scikit-learn estimator."""
    RNNRegressor(
        case.cell,
        hidden_size=case.hidden_size,
        n_layers=case.n_layers,
        batch_size=case.batch_size,
        max_epochs=epochs,
        early_stopping=False,
        dtype="float32",
        random_state=0,
    ).fit(X, y)


def seconds(fit: Callable, *arguments: object) -> float:
    """Wall time of one fit."""
    start = time.perf_counter()
    fit(*arguments)
    return time.perf_counter() - start


def time_round(case: Case, X: np.ndarray, y: np.ndarray, epochs: int) -> tuple[float, float, float]:
    """Seconds of the bare loop, of RNNRegressor, and of the bare loop on one thread."""
    bare = seconds(fit_bare, case, X, y, epochs)
    ours = seconds(fit_skrnn, case, X, y, epochs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    single = seconds(fit_bare, case, X, y, epochs)
    torch.set_num_threads(threads)
    return bare, ours, single


def compare(case: Case, epochs: int, n_rounds: int) -> str:
    """Return one line of the table."""
    X, y = windows(case)
    for fit in (fit_bare, fit_skrnn):
        fit(case, X, y, 1)  # what only the first fit pays for
    rounds = [time_round(case, X, y, epochs) for _ in range(n_rounds)]
    bare, ours, single = (median(column) for column in zip(*rounds, strict=True))
    ratios = sorted(ours / bare for bare, ours, _ in rounds)
    against_single = median(ours / single for _, ours, single in rounds)
    return (
        f"| {case}, {case.n_rows} rows | {bare:.2f} | {ours:.2f} | {median(ratios):.2f} "
        f"({ratios[0]:.2f}-{ratios[-1]:.2f}) | {single:.2f} | {against_single:.2f} | {n_rounds} |"
    )


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, metavar="N", help="fits of each kind for each case")
    parser.add_argument("--epochs", type=int, default=10, metavar="N")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    threads = torch.get_num_threads()
    print(f"Fit time of {arguments.epochs} epochs, no early stopping, float32. Target: a ratio of at most 1.15.")
    print(f"torch takes {threads} threads by default.\n")
    print("| net | bare torch, s | skrnn, s | ratio, median (range) | bare, 1 thread, s | ratio | rounds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        print(compare(case, arguments.epochs, arguments.rounds or case.n_rounds), flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
