"""Rows of series cut into unbroken pieces: what follows a row, what it can look back on, and its window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from skrnn._calendar import Step
from skrnn._history import Border, Borders, History
from skrnn._sequences import Windows
from skrnn._series_table import SeriesRows
from skrnn._timeline import ranges


@dataclass(frozen=True)
class Pieces:
    """The rows of series in order of series and time.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_channels)
    series : ndarray of shape (n_rows,)
        The int code of the series of each row.
    begins : ndarray of bool, shape (n_rows,)
        The rows that begin a series, or its next piece after a hole.
    """

    values: np.ndarray
    series: np.ndarray
    begins: np.ndarray

    @classmethod
    def cut(cls, rows: SeriesRows, step: Step) -> Pieces:
        """Cut the rows of a table at holes."""
        series = rows.timeline.series
        return cls(rows.values, series, step.pieces(rows.labels, series))

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of the piece of each row, shape (n_rows,)."""
        return np.flatnonzero(self.begins)[np.cumsum(self.begins) - 1]

    @cached_property
    def places(self) -> np.ndarray:
        """How many rows of its series stand before each row, shape (n_rows,)."""
        first = np.flatnonzero(np.r_[True, self.series[1:] != self.series[:-1]])
        return np.arange(len(self.series)) - np.repeat(first, np.diff(first, append=len(self.series)))

    def later(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the row that comes `n_rows` after each row, and whether it is there, in the same piece."""
        rows = np.arange(len(self.series)) + n_rows
        there = rows < len(rows)
        rows[~there] = 0
        return rows, there & (self.starts[rows] == self.starts)

    def futures(self, channels: list[int], horizon: int) -> np.ndarray:
        """Return the values at the `horizon` rows after each row, (n_rows, horizon, n_outputs), NaN where unknown."""
        found = np.full((len(self.series), horizon, len(channels)), np.nan)
        for k in range(horizon):
            rows, there = self.later(k + 1)
            found[there, k] = self.values[rows[there]][:, channels]
        return found

    def ahead(self, channels: list[int], horizon: int) -> tuple[Pieces, np.ndarray]:
        """Replace channels by their value `horizon` rows later; also return whether each row has one (bool, n_rows).

        A row that has none gets its own value, which means nothing.
        """
        if not channels:
            return self, self.ready(channels, horizon)
        rows, there = self.later(horizon)
        values = self.values.copy()
        for channel in channels:
            values[there, channel] = self.values[rows[there], channel]
        return replace(self, values=values), there

    def ready(self, channels: list[int], horizon: int) -> np.ndarray:
        """Return whether each row has values of these channels `horizon` rows later, as `ahead` does (bool, n_rows)."""
        return self.later(horizon)[1] if channels else np.ones(len(self.series), dtype=bool)

    def windows(self, rows: np.ndarray, window: int, names: tuple[str, ...] | None) -> Windows:
        """Return the windows that end on `rows`."""
        return Windows(self.values, rows, self.starts[rows], self.series[rows], window, names)

    def lags(self, rows: np.ndarray, window: int) -> np.ndarray:
        """Return the windows that end on `rows` as a table (n, window * n_channels), oldest step first.

        In front of the first row of a piece that row is repeated.
        """
        steps = rows[:, None] + np.arange(1 - window, 1)
        steps = np.maximum(steps, self.starts[rows][:, None])  # (n, window)
        return self.values[steps].reshape(len(rows), -1)


def join(history: History, rows: SeriesRows, borders: Borders) -> tuple[Pieces, pd.Index | None, np.ndarray]:
    """Put the rows kept in front of those that continue them.

    Returns
    -------
    pieces : Pieces
        The rows of `history` and `rows`; the series of `history` come first, those that are new after them.
    names : Index or None
        The group of each series.
    n_kept : ndarray of shape (n_series,)
        How many rows of each series come from `history`.
    """
    codes, n_series = union_codes(history, borders)
    timeline = rows.timeline
    begins = history.step.pieces(rows.labels, timeline.series)
    begins[timeline.first] = borders.kinds != Border.CONTINUES
    n_kept = np.zeros(n_series, dtype=np.intp)
    n_kept[: len(history.sizes)] = history.sizes
    kept_begins = np.zeros(len(history.rows), dtype=bool)
    kept_begins[history.offsets[history.sizes > 0]] = True
    series = np.r_[np.repeat(np.arange(len(history.sizes)), history.sizes), codes[timeline.series]]
    order = np.argsort(series, kind="stable")
    values = np.concatenate([history.rows, rows.values])[order]
    pieces = Pieces(values, series[order], np.r_[kept_begins, begins][order])
    names = history.names
    if names is not None and timeline.names is not None:
        names = names.append(timeline.names[borders.known < 0])
    return pieces, names, n_kept


def union_codes(history: History, borders: Borders) -> tuple[np.ndarray, int]:
    """Return the code of each series of new rows among those of `history` and the new ones, and how many these are."""
    unseen = borders.known < 0
    codes = borders.known.copy()
    codes[unseen] = len(history.sizes) + np.arange(unseen.sum())
    return codes, len(history.sizes) + int(unseen.sum())


def remember(
    history: History, rows: SeriesRows, borders: Borders, pieces: Pieces, names: pd.Index | None, n_kept: int
) -> History:
    """Return the history after `rows`, which were joined to it as `pieces` and `names`: `n_kept` rows a series."""
    assert history.first is not None
    assert history.last is not None
    codes, n_series = union_codes(history, borders)
    last = np.flatnonzero(np.r_[pieces.series[1:] != pieces.series[:-1], True])  # (n_series,)
    sizes = np.minimum(last - pieces.starts[last] + 1, n_kept)
    place = np.arange(n_series)  # where the last label of each series stands in those of history and rows
    place[codes] = len(history.sizes) + np.arange(len(codes))
    first = history.first.append(rows.labels.take(rows.timeline.first[borders.known < 0]))
    last_labels = history.last.append(rows.labels.take(rows.timeline.last)).take(place)
    kept = pieces.values[ranges(last + 1 - sizes, sizes)]
    return replace(history, rows=kept, sizes=sizes, names=names, first=first, last=last_labels)
