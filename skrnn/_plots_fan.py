"""The picture of one forecast and how sure it is, after the history it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import kind_of
from skrnn._parameters import check_int, is_number
from skrnn._plot_axes import axes_to_draw_on
from skrnn._plot_labels import check_same_kind, drawable, index_of, numbered, read_series, rows_after, time_label


def plot_fan(
    history: Any,
    forecast: Any,
    *,
    intervals: Mapping[float, Any] | None = None,
    samples: Any = None,
    truth: Any = None,
    n_history: int | None = None,
    ax: Any = None,
) -> Any:
    """Draw a forecast after the history it was made from, with a fan of intervals, drawn paths, or both.

    Parameters
    ----------
    history : Series or array-like of shape (n_times,)
        The series up to the row at which the forecast was made. Where it is NaN the line has a gap.
    forecast : Series or array-like of shape (horizon,)
        The forecast of the rows after it. A Series stands at the labels of its index, which is of the same kind as
        that of `history`; an array stands right after the last row, by the frequency of the index, else by its
        median step. Where labels are names, rows are counted.
    intervals : dict of float to pair of array-likes of shape (horizon,), default=None
        The lower and the upper bounds of intervals, by the share of values that they are to hold (0.9 for 90 %). The
        narrower of them, which hold less, are drawn darker.
    samples : array-like of shape (horizon, n_samples), default=None
        Drawn paths, each a thin line.
    truth : Series, or array-like of shape (horizon,), default=None
        What came. A Series stands at the labels of its index, an array at those of the forecast.
    n_history : int, default=None
        How many of the last rows of `history` are drawn. None draws all.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        Time, from the index (durations in seconds) or else the number of the row, against the value.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If shapes do not fit, labels are of different kinds or have several levels, the forecast begins before the end
        of the history, or `intervals` is no dict of shares between 0 and 1 with bounds in order.

    See Also
    --------
    plot_forecast : Predictions of all rows along time, or the forecast made at one of them.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.plotting import plot_fan
    >>> load = pd.Series([3.0, 5.0, 4.0, 6.0], index=pd.date_range("2024-01-01", periods=4), name="load")
    >>> ax = plot_fan(load, [5.0, 7.0], intervals={0.5: ([4, 6], [6, 8]), 0.9: ([3, 4], [7, 9])})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['history', '90 %', '50 %', 'forecast']
    >>> ax.lines[1].get_xdata().astype("datetime64[D]")
    array(['2024-01-05', '2024-01-06'], dtype='datetime64[D]')
    """
    past, name, index = read_series(history, "history")
    ahead, _, _ = read_series(forecast, "forecast")
    rows = _labels_ahead(forecast, len(ahead), index)
    came, came_at = (None, rows) if truth is None else _what_came(truth, rows, index)
    bands = _check_intervals({} if intervals is None else intervals, len(ahead))
    paths = None if samples is None else _check_samples(samples, len(ahead))
    first = 0 if n_history is None else -check_int("n_history", n_history, low=1)

    (ax,) = axes_to_draw_on(ax, 1)
    x, marker = drawable(rows), "." if len(rows) == 1 else None
    ax.plot(drawable(numbered(index))[first:], past[first:], color="0.4", label="history")
    for k, (share, lower, upper) in enumerate(bands):
        opacity, label = 0.2 + 0.3 * k / len(bands), f"{100 * share:g} %"
        ax.fill_between(x, lower, upper, color="C0", alpha=opacity, linewidth=0, label=label)
    if paths is not None:
        lines = ax.plot(x, paths, color="C0", linewidth=0.5, alpha=0.4, marker=marker)
        lines[0].set_label("samples")
    ax.plot(x, ahead, color="C0", marker=marker, label="forecast")
    if came is not None:
        ax.plot(drawable(came_at), came, color="black", linestyle="--", marker=marker, label="truth")
    ax.set_xlabel(time_label(numbered(index)))
    ax.set_ylabel("value" if name is None else str(name))
    ax.legend()
    return ax


def _labels_ahead(forecast: Any, horizon: int, index: pd.Index) -> pd.Index:
    """Return the labels (horizon,) of a forecast: its own, or those that follow the history's."""
    own = index_of(forecast, "forecast")
    if own is not None:
        check_same_kind(own, index, "The index of `forecast`", "`history`")
    if own is None or kind_of(index) is None:
        history = numbered(index)
        return rows_after(history, history[-1], horizon, "history")
    if own.min() <= index.max():
        raise ValueError(
            f"`forecast` must lie after the last row of `history`, {index.max()}, got a first label of {own.min()}. An "
            "array, as of forecast.to_numpy(), stands right after it."
        )
    return own


def _what_came(truth: Any, rows: pd.Index, index: pd.Index) -> tuple[np.ndarray, pd.Index]:
    """Return the values and the labels of the truth: its own, or those of the forecast."""
    values, _, own = read_series(truth, "truth")
    if index_of(truth, "truth") is not None and kind_of(index) is not None:
        check_same_kind(own, index, "The index of `truth`", "`history`")
        return values, own
    if len(values) != len(rows):
        raise ValueError(
            f"`truth` must have the {len(rows)} steps of `forecast` or labels of its own, got {len(values)} values."
        )
    return values, rows


def _check_intervals(intervals: Any, horizon: int) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return the share and both bounds (horizon,) of each interval, the widest first."""
    if not isinstance(intervals, Mapping) or not all(is_number(share) and 0 < share < 1 for share in intervals):
        got = list(intervals) if isinstance(intervals, Mapping) else type(intervals).__name__
        raise ValueError(
            "`intervals` must be a dict of shares between 0 and 1 to pairs of bounds, as {0.9: (lower, upper)}, got "
            f"{got}."
        )
    bands = []
    for share in sorted(intervals, reverse=True):
        shapes = [np.shape(bound) for bound in intervals[share]]
        if shapes != [(horizon,)] * 2:
            raise ValueError(
                f"`intervals[{share}]` must be the lower and the upper bounds, each of shape ({horizon},) as the "
                f"forecast, got shapes {shapes}."
            )
        lower, upper = (np.asarray(bound, dtype=float) for bound in intervals[share])
        if (lower > upper).any():
            step = np.argmax(lower > upper)
            raise ValueError(
                f"`intervals[{share}]` must be lower, upper: got {lower[step]} above {upper[step]} at step {step + 1}."
            )
        bands.append((share, lower, upper))
    return bands


def _check_samples(samples: Any, horizon: int) -> np.ndarray:
    paths = np.asarray(samples, dtype=float)
    if paths.ndim != 2 or len(paths) != horizon or paths.shape[1] == 0:
        raise ValueError(
            f"`samples` must have shape (horizon, n_samples) with the {horizon} steps of `forecast`, got "
            f"{paths.shape}. Transpose it where a path is a row."
        )
    return paths
