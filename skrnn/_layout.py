"""Rows become windows: padding, histories and edge rows put in front of each piece of a series."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skrnn._history import History
from skrnn._sequences import Windows
from skrnn._timeline import Timeline, ranges


def padded_view(rows: np.ndarray, window: int, *, edge: bool) -> np.ndarray:
    """Return the windows (n_rows, window, n_channels) of one series as a view of one padded copy of it."""
    n_rows, n_channels = rows.shape
    padded = np.empty((n_rows + window - 1, n_channels), dtype=rows.dtype)
    padded[window - 1 :] = rows
    padded[: window - 1] = rows[0] if edge else np.nan
    return sliding_window_view(padded, window, axis=0).transpose(0, 2, 1)  # its base is float, never written


def lay_out(
    rows: np.ndarray,
    timeline: Timeline,
    history: History,
    tails: np.ndarray,
    window: int,
    *,
    edge: bool,
    channel_names: tuple[str, ...] | None,
) -> Windows:
    """Return the windows of all series over one base that holds `rows` in order of series and time.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_channels)
        The rows of the table.
    timeline : Timeline
        Their series and order.
    history : History
        What `fit` kept.
    tails : ndarray of shape (n_series,)
        The series of `history` whose rows go in front of each series, -1 for none.
    edge : bool
        Whether the first row of each piece is repeated in front of it until its window is full.
    """
    n_rows = len(rows)
    begins = history.step.pieces(timeline.labels, timeline.series)
    heads = np.flatnonzero(begins)  # (n_pieces,) the place of the first row of each piece
    followed = tails[tails >= 0]
    n_tail = np.zeros(len(heads), dtype=np.intp)  # (n_pieces,) rows of history in front of each
    n_tail[np.searchsorted(heads, timeline.first[tails >= 0])] = history.sizes[followed]
    n_edge = window - 1 - n_tail if edge else np.zeros_like(n_tail)  # (n_pieces,)

    shift = np.cumsum(n_tail + n_edge)  # (n_pieces,) how far the rows of each piece move back
    oldest = heads + shift - n_tail  # (n_pieces,) the first row of each that is not an edge row
    n_of = np.diff(heads, append=n_rows)  # (n_pieces,) rows of each
    ends = np.arange(n_rows)
    ends += np.repeat(shift, n_of)
    starts, series = np.repeat(oldest - n_edge, n_of), timeline.series
    in_order = timeline.in_order
    if not in_order:
        starts, ends, series = (_in_rows(values, timeline.order) for values in (starts, ends, series))

    base = rows
    if shift[-1] > 0 or not in_order:
        base = np.empty((n_rows + shift[-1], rows.shape[1]), dtype=rows.dtype)
        base[ends] = rows
        base[ranges(oldest, n_tail)] = history.rows[ranges(history.offsets[followed], history.sizes[followed])]
        base[ranges(oldest - n_edge, n_edge)] = base[np.repeat(oldest, n_edge)]
    return Windows(base, ends, starts, series, window, channel_names)


def _in_rows(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return values that stand in order of series and time in the order of the rows of the table."""
    of_rows = np.empty_like(values)
    of_rows[order] = values
    return of_rows
