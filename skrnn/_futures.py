"""The rows that come after: targets of a forecast, and inputs known in advance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import Step, kind_of
from skrnn._outputs import read_outputs
from skrnn._parameters import check_int
from skrnn._timeline import Timeline, ranges, read_timeline, show


def future_targets(y: Any, horizon: int, *, group: Any = None, time: Any = None) -> Any:
    """Return for each row the `horizon` values that follow it: the target of a forecast.

    A window includes its own row, so the target of a forecast made there is what comes next. No row is
    dropped: where the future is unknown, at the end of a series and before a hole in a regular index, it is
    NaN, which the estimators of this package leave out of the loss.

    Parameters
    ----------
    y : array-like of shape (n_times,) or (n_times, n_outputs)
        The series to forecast. A Series or DataFrame has its index as time.
    horizon : int
        The number of rows to look ahead: at least 1, fewer than the longest series has.
    group : column name, name of an index level, or array-like of shape (n_times,), default=None
        The series that each row belongs to; None means one series. A column is no output then.
    time : column name, name of an index level, or array-like of shape (n_times,), default=None
        The time of each row, rows being in any order. A column is no output then. None means the index, or
        the order of the rows where there is none.

    Returns
    -------
    targets : ndarray of shape (n_times, horizon) or (n_times, horizon, n_outputs), or DataFrame
        Rows as in `y`. Two axes for 1-D y, three for 2-D y. A Series, or a DataFrame of one output, gives a
        DataFrame with the same index and columns ``y+1, ..., y+horizon`` (``y`` the name, if there is one); a
        DataFrame of more outputs gives an ndarray.

    Raises
    ------
    ValueError
        If `horizon` is no int of at least 1 or not less than the longest series, if labels occur twice in a
        series or are out of order, or if y does not hold numbers.

    See Also
    --------
    past_targets : The values up to each row, the targets of all steps of a window.
    SlidingWindowTransformer : The windows that these are the targets of.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn import future_targets
    >>> y = pd.Series([1.0, 2.0, 3.0, 4.0], index=pd.period_range("2024-01", periods=4, freq="M"), name="y")
    >>> future_targets(y, 2)
             y+1  y+2
    2024-01  2.0  3.0
    2024-02  3.0  4.0
    2024-03  4.0  NaN
    2024-04  NaN  NaN
    >>> future_targets([1.0, 2.0, 10.0, 20.0], 1, group=["a", "a", "b", "b"])
    array([[ 2.],
           [nan],
           [20.],
           [nan]])
    """
    check_int("horizon", horizon, low=1)
    outputs = read_outputs(y, group, time)
    longest = outputs.timeline.sizes.max()
    if horizon >= longest:
        raise ValueError(
            f"`horizon` must be less than the rows of the longest series of y, got {horizon} and "
            f"{longest} rows: take a shorter horizon."
        )
    shifts = range(1, horizon + 1)
    return outputs.as_given(outputs.at(shifts), [f"+{shift}" for shift in shifts])


def future_inputs(
    X: Any, columns: Any, horizon: int, *, future: Any = None, group: Any = None, time: Any = None
) -> Any:
    """Replace columns that are known in advance by their value `horizon` rows later.

    Row t then carries what is known at t about t + `horizon` (a holiday, a price), so windows need no look
    ahead: they stay causal, finite and one per row. The last `horizon` steps of a window hold the values at
    t + 1, ..., t + `horizon`, which is what a decoder reads, so `window` must be at least `horizon`.

    Parameters
    ----------
    X : array-like of shape (n_times, n_columns), or DataFrame
        The table that goes to `SlidingWindowTransformer`.
    columns : column name or position, or list of these
        The columns that are known in advance.
    horizon : int
        How many rows later: at least 1.
    future : array-like or DataFrame, default=None
        The rows that follow those of X, at least `horizon` of each series. A DataFrame has the columns named,
        those of group and time, and an index that continues the one of X; rows that lie in X already are
        passed over. An array has the columns of X, or only `columns` in their order.
    group, time : column name, column position or name of an index level, default=None
        As for `SlidingWindowTransformer`.

    Returns
    -------
    shifted : ndarray or DataFrame
        X with those columns replaced: same rows, same columns, same index. X itself is not changed.

    Raises
    ------
    ValueError
        If `future` is missing, has too few rows for a series, does not follow its end, or has missing values.

    See Also
    --------
    SlidingWindowTransformer : Makes the windows.

    Examples
    --------
    Of five days the last one is kept as the future, since its holiday is known but its sales are not:

    >>> import pandas as pd
    >>> from skrnn import future_inputs
    >>> days = pd.date_range("2024-12-22", periods=5, name="day")
    >>> X = pd.DataFrame({"sales": [5.0, 6.0, 9.0, 2.0, 4.0], "holiday": [0, 0, 0, 1, 1]}, index=days)
    >>> future_inputs(X[:-1], "holiday", 1, future=X[-1:])
                sales  holiday
    day
    2024-12-22    5.0        0
    2024-12-23    6.0        0
    2024-12-24    9.0        1
    2024-12-25    2.0        1
    """
    check_int("horizon", horizon, low=1)
    table = X if hasattr(X, "iloc") else np.asarray(X)
    if table.ndim != 2:
        raise ValueError(f"X must have shape (n_times, n_columns), got {table.shape}.")
    timeline = read_timeline(table, group, time)
    positions = _positions(table, columns, timeline)
    frame = pd.DataFrame(table)
    if future is None:
        raise ValueError(
            f"`future` must hold the {horizon} rows that follow X, got None. To keep them from X itself: "
            f"future_inputs(X[:-{horizon}], ..., future=X[-{horizon}:])."
        )
    later, coming = _read_future(table, positions, future, group, time)
    following = _following_rows(timeline, coming, horizon)  # (n_series, horizon) rows of `future`
    missing = later.iloc[following.ravel()].isna().to_numpy()
    if missing.any():
        place, column = np.argwhere(missing)[0]
        raise ValueError(
            f"`future` must have a value wherever X is continued, got a missing one in row "
            f"{following.ravel()[place]}, column {later.columns[column]!r}: fill it."
        )

    rank = np.arange(len(frame)) - np.repeat(timeline.first, timeline.sizes) + horizon
    beyond = rank - np.repeat(timeline.sizes, timeline.sizes)  # from 0 on: a row of `future`
    source = np.roll(timeline.order, -horizon)
    past_end = beyond >= 0
    source[past_end] = len(frame) + following[timeline.series[past_end], beyond[past_end]]
    rows = np.empty_like(source)
    rows[timeline.order] = source  # (n_times,) rows of X with `future` below it

    shifted = {k: frame.iloc[:, k] for k in range(frame.shape[1])}
    for k, position in enumerate(positions):
        both = pd.concat([frame.iloc[:, position], later.iloc[:, k]], ignore_index=True)
        shifted[position] = both.take(rows).set_axis(frame.index)
    result = pd.DataFrame(shifted, index=frame.index)
    return result.set_axis(frame.columns, axis=1) if hasattr(X, "iloc") else result.to_numpy()


def _positions(table: Any, columns: Any, timeline: Timeline) -> list[int]:
    """Return the positions of the columns named, in the order named."""
    headers = list(table.columns) if hasattr(table, "iloc") else []
    named = columns if isinstance(columns, (list, np.ndarray, pd.Index)) else [columns]
    positions = []
    for name in named:
        if name in headers:
            position = headers.index(name)
        elif isinstance(name, (int, np.integer)) and -table.shape[1] <= name < table.shape[1]:
            position = int(name) % table.shape[1]
        else:
            raise ValueError(
                f"`columns` must name columns of X, got {name!r}: it has {headers or list(range(table.shape[1]))}."
            )
        if position in timeline.columns:
            raise ValueError(f"`columns` must not name the column of the group or the time, got {name!r}.")
        positions.append(position)
    return positions


def _read_future(table: Any, positions: list[int], future: Any, group: Any, time: Any) -> tuple[pd.DataFrame, Timeline]:
    """Return the columns at `positions` of the rows to come, and their timeline."""
    if not hasattr(future, "iloc"):
        future = np.asarray(future)
        future = future[:, None] if future.ndim == 1 else future
    elif future.ndim == 1:
        future = future.to_frame()
    timeline = read_timeline(future, group, time, what="`future`")
    if hasattr(table, "iloc") and hasattr(future, "iloc"):
        names = [table.columns[position] for position in positions]
        lost = [name for name in names if name not in future.columns]
        if lost:
            raise ValueError(f"`future` must have the columns {names}, got no {lost}.")
        return future[names], timeline
    frame = pd.DataFrame(future)
    if frame.shape[1] == table.shape[1]:
        return frame.iloc[:, positions], timeline
    if frame.shape[1] != len(positions):
        raise ValueError(
            f"`future` must have the {table.shape[1]} columns of X or the {len(positions)} of `columns`, got "
            f"{frame.shape[1]}."
        )
    return frame, timeline


def _following_rows(timeline: Timeline, coming: Timeline, horizon: int) -> np.ndarray:
    """Return (n_series, horizon) the rows of `future` that come after the end of each series of X."""
    n_series = len(timeline.first)
    codes = np.zeros(1, dtype=np.intp)
    if timeline.names is not None and coming.names is not None:
        codes = timeline.names.get_indexer(coming.names)  # the code in X of each series of `future`
    code = codes[coming.series]
    after = code >= 0
    step = Step.learn(timeline.labels, timeline.series, cut=True)
    if timeline.labels is not None and coming.labels is not None and step.kind is not None:
        if kind_of(coming.labels) != step.kind:
            raise ValueError(
                f"The labels of `future` must be {step.kind}, as those of X, got "
                f"{kind_of(coming.labels) or 'others'}: give its rows the labels that follow."
            )
        ends = timeline.labels.take(timeline.last)
        after &= np.asarray(coming.labels > ends.take(code))
    places = np.flatnonzero(after)
    places = places[np.argsort(code[places], kind="stable")]
    counts = np.bincount(code[places], minlength=n_series)
    if counts.min() < horizon:
        short = int(np.argmin(counts))
        end = "" if timeline.labels is None else f" (at {show(timeline.labels[timeline.last[short]])})"
        raise ValueError(
            f"`future` must hold at least `horizon`={horizon} rows after the end{end} of every series of X, "
            f"got {counts[short]} for {timeline.name(short)}: add rows, or cut as many off the end of X."
        )
    places = places[ranges(np.cumsum(counts) - counts, np.full(n_series, horizon))]
    if coming.labels is not None and timeline.labels is not None and step.kind is not None:
        _check_unbroken(timeline, coming.labels.take(places), step, horizon)
    return coming.order[places].reshape(n_series, horizon)


def _check_unbroken(timeline: Timeline, labels: pd.Index, step: Step, horizon: int) -> None:
    """Refuse labels (n_series * horizon,) that leave rows out after the end of a series of X."""
    if step.largest is None and step.freq is None:
        return
    ends = timeline.labels.take(timeline.last) if timeline.labels is not None else labels
    broken = ~step.continues(ends, labels[::horizon])
    if broken.any():
        code = int(np.flatnonzero(broken)[0])
        raise ValueError(
            f"`future` must continue X row by row, got {show(labels[code * horizon])} after "
            f"{show(ends[code])} ({timeline.name(code)}), more than one step ({step}): add the rows between."
        )
