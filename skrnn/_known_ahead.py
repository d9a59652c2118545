"""Rows to come whose inputs are known: checked against the end of each series, and put behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skrnn._history import History
from skrnn._series_pieces import Pieces
from skrnn._series_table import SeriesRows
from skrnn._timeline import ranges, show


def rows_to_come(
    history: History, future: SeriesRows, known: list[int], horizon: int, channels: list[Any]
) -> tuple[np.ndarray, pd.Index]:
    """Return the `horizon` rows that follow the end of each series, and their labels; rows before are passed over.

    Parameters
    ----------
    history : History
        The last rows of the series.
    future : SeriesRows
        What the user gave; a row may be there that is not needed.
    known : list of int
        The channels that must be known.
    horizon : int
    channels : list
        The names of all channels.

    Returns
    -------
    values : ndarray of shape (n_series * horizon, n_channels)
        0 in the channels that are not known.
    labels : Index of shape (n_series * horizon,)

    Raises
    ------
    ValueError
        If rows or values are missing, or a series is not among those of `history`.
    """
    assert history.last is not None
    timeline, labels = future.timeline, future.labels
    codes = np.zeros(len(timeline.first), dtype=np.intp)
    if history.names is not None and timeline.names is not None:
        codes = history.names.get_indexer(timeline.names)
        if (codes < 0).any():
            name = timeline.name(int(np.flatnonzero(codes < 0)[0]))
            raise ValueError(f"X_future must be of series that are known, got {name}: give its rows to `update` first.")
    code = codes[timeline.series]
    after = np.flatnonzero(np.asarray(labels > history.last.take(code)))
    after = after[np.argsort(code[after], kind="stable")]
    n_series = len(history.sizes)
    counts = np.bincount(code[after], minlength=n_series)
    if counts.min() < horizon:
        short = int(np.argmin(counts))
        raise ValueError(
            f"X_future must hold `horizon`={horizon} rows after {show(history.last[short])}, the last known row of "
            f"{_name(history, short)}, got {counts[short]}: add the rows that follow."
        )
    rows = after[ranges(np.cumsum(counts) - counts, np.full(n_series, horizon))]
    chosen = labels.take(rows)
    begins = history.step.pieces(chosen, code[rows])
    begins[::horizon] = ~history.step.continues(history.last, chosen[::horizon])
    if begins.any():
        row = int(np.flatnonzero(begins)[0])
        before = history.last[row // horizon] if row % horizon == 0 else chosen[row - 1]
        raise ValueError(
            f"X_future must continue the known rows one by one, got {show(chosen[row])} after {show(before)} "
            f"({_name(history, row // horizon)}), more than one step ({history.step}): add the rows between."
        )
    values = future.values[rows]
    bad = ~np.isfinite(values[:, known])
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"X_future must be known where a forecast needs it, got {values[row, known[column]]} at "
            f"{show(chosen[row])} ({_name(history, row // horizon)}), column {channels[known[column]]!r}: fill it."
        )
    return np.where(np.isin(np.arange(values.shape[1]), known), values, 0.0), chosen


def with_rows_to_come(history: History, coming: np.ndarray | None, horizon: int) -> tuple[Pieces, np.ndarray]:
    """Return the kept rows of each series with its rows to come behind them, and where the last kept rows stand.

    Parameters
    ----------
    history : History
    coming : ndarray of shape (n_series * horizon, n_channels), or None
        None where nothing is known of them: the kept rows alone.
    horizon : int
    """
    n_series = len(history.sizes)
    series = np.repeat(np.arange(n_series), history.sizes)
    values, sizes = history.rows, history.sizes
    if coming is not None:
        order = np.argsort(np.r_[series, np.repeat(np.arange(n_series), horizon)], kind="stable")
        values, sizes = np.concatenate([values, coming])[order], sizes + horizon
        series = np.repeat(np.arange(n_series), sizes)
    first = np.cumsum(sizes) - sizes
    begins = np.zeros(len(series), dtype=bool)
    begins[first] = True
    return Pieces(values, series, begins), first + history.sizes - 1


def _name(history: History, code: int) -> str:
    return "the series" if history.names is None else f"series {show(history.names[code])}"
