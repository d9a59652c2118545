"""The nets and training sets whose speed is measured. Needs numpy only, so that every package can be given the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A net with one input channel and one output, and its training set.

    Attributes
    ----------
    cell : {"rnn", "lstm", "gru"}
    hidden_size, n_layers : int
    bidirectional : bool
        The head then reads the final state of both directions.
    window : int
        Steps of each sample.
    batch_size, n_rows : int
    n_rounds : int
        How often a benchmark measures it, unless told otherwise: the shorter the fit, the oftener.
    """

    cell: str
    hidden_size: int
    n_layers: int
    bidirectional: bool
    window: int
    batch_size: int
    n_rows: int
    n_rounds: int = 3

    @property
    def name(self) -> str:
        """Cell and size, such as "bilstm 32x2"."""
        layers = f"x{self.n_layers}" if self.n_layers > 1 else ""
        return f"{'bi' if self.bidirectional else ''}{self.cell} {self.hidden_size}{layers}"

    def __str__(self) -> str:
        return f"{self.name}, window {self.window}, batch {self.batch_size}, {self.n_rows:,} rows"

    @property
    def n_directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.n_rows // self.batch_size)

    def shortened(self) -> Workload:
        """The same with so few rows that a try takes no time: three batches, the last of them not full."""
        return replace(self, n_rows=min(self.n_rows, 2 * self.batch_size + self.batch_size // 2), n_rounds=2)


WORKLOADS = (
    Workload("rnn", 40, 2, False, window=20, batch_size=128, n_rows=980, n_rounds=15),
    Workload("lstm", 32, 2, True, window=20, batch_size=128, n_rows=980, n_rounds=15),
    Workload("gru", 32, 1, False, window=20, batch_size=32, n_rows=980, n_rounds=15),
    Workload("lstm", 32, 1, False, window=24, batch_size=64, n_rows=20_000),
    Workload("lstm", 64, 1, False, window=48, batch_size=128, n_rows=20_000),
    Workload("gru", 64, 1, False, window=48, batch_size=128, n_rows=20_000),
    Workload("rnn", 64, 1, False, window=48, batch_size=128, n_rows=20_000),
    Workload("lstm", 128, 2, False, window=96, batch_size=256, n_rows=1_024),
)


def series(n_times: int) -> np.ndarray:
    """A noisy sine, (n_times,) float32."""
    times = np.arange(n_times, dtype=np.float32)
    noise = np.random.RandomState(0).standard_normal(n_times).astype(np.float32)
    return np.sin(0.1 * times) + 0.1 * noise


def windows(n_rows: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Complete windows of `series` as a view (n_rows, window, 1), and the value after each (n_rows,)."""
    values = series(n_rows + window)
    X = np.lib.stride_tricks.sliding_window_view(values, window)[:n_rows, :, None]
    return X, values[window:].copy()
