"""Targets of every step of a window: the rows of y up to each row."""

from __future__ import annotations

from typing import Any

from skrnn._outputs import read_outputs
from skrnn._parameters import check_int


def past_targets(y: Any, window: int, *, group: Any = None, time: Any = None) -> Any:
    """Return for each row the values of y at the `window` rows up to and including it: a target for every step.

    It is the many-to-many companion of `future_targets`, for a net that gives an output at each step of its
    window (``return_sequences=True``). In row t stands at place s the value of y at the row that step s of the
    window shows which ``SlidingWindowTransformer(window)`` ends at row t. No row is dropped: where there is no
    such row, in front of the first row of a series and of the first row after a hole in a regular index, the
    target is NaN, which the estimators of this package leave out of the loss. It is where the window is padded.

    Parameters
    ----------
    y : array-like of shape (n_times,) or (n_times, n_outputs)
        What is to be said of each row. A Series or DataFrame has its index as time. NaN is an unknown target.
    window : int
        The number of rows of a window, its own row included: at least 1, as for `SlidingWindowTransformer`.
    group : column name, name of an index level, or array-like of shape (n_times,), default=None
        The series that each row belongs to; None means one series. A column is no output then.
    time : column name, name of an index level, or array-like of shape (n_times,), default=None
        The time of each row, rows being in any order. A column is no output then. None means the index, or
        the order of the rows where there is none.

    Returns
    -------
    targets : ndarray of shape (n_times, window) or (n_times, window, n_outputs), or DataFrame
        Rows as in `y`, oldest step first. Two axes for 1-D y, three for 2-D y. A Series, or a DataFrame of one
        output, gives a DataFrame with the same index and columns ``y-(window-1), ..., y-1, y-0`` (``y`` the
        name, if there is one); a DataFrame of more outputs gives an ndarray. float32 stays, other numbers become
        float64.

    Raises
    ------
    ValueError
        If `window` is no int of at least 1, if labels occur twice in a series or are out of order, or if y has
        three axes or does not hold numbers.

    See Also
    --------
    future_targets : The rows that come after, the target of a forecast.
    SlidingWindowTransformer : The windows that these are the targets of.

    Notes
    -----
    Each value of y occurs `window` times in the result, which is built in memory.

    The rows given are all that is looked at. Where the transformer puts rows of `fit` in front of new rows as
    their history, or joins what lies on both sides of a hole (``holes="ignore"``), the targets of these steps
    are unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.windows import future_targets, past_targets
    >>> y = pd.Series([1.0, 2.0, 3.0, 4.0], index=pd.period_range("2024-01", periods=4, freq="M"), name="y")
    >>> past_targets(y, 3)
             y-2  y-1  y-0
    2024-01  NaN  NaN  1.0
    2024-02  NaN  1.0  2.0
    2024-03  1.0  2.0  3.0
    2024-04  2.0  3.0  4.0
    >>> past_targets([1.0, 2.0, 10.0, 20.0], 2, group=["a", "a", "b", "b"])
    array([[nan,  1.],
           [ 1.,  2.],
           [nan, 10.],
           [10., 20.]])

    Sequence to sequence: each step learns the values that follow it. The columns of `future_targets` are the
    outputs (reshape its three axes of a 2-D y to two first):

    >>> targets = past_targets(future_targets(y, 2), 3)  # (n_times, window, horizon)
    >>> targets.shape
    (4, 3, 2)
    >>> targets[2]
    array([[ 2.,  3.],
           [ 3.,  4.],
           [ 4., nan]])

    Of a panel `future_targets` keeps the index and no columns, so give group and time again as levels of a
    MultiIndex or as arrays:

    >>> panel = pd.DataFrame({"shop": ["a", "b", "a", "b"], "day": [2, 2, 1, 1], "sales": [12.0, 22, 11, 21]})
    >>> following = future_targets(panel, 1, group="shop", time="day")
    >>> past_targets(following, 2, group=panel["shop"], time=panel["day"])
       sales+1-1  sales+1-0
    0       12.0        NaN
    1       22.0        NaN
    2        NaN       12.0
    3        NaN       22.0
    """
    check_int("window", window, low=1)
    outputs = read_outputs(y, group, time)
    shifts = range(1 - window, 1)
    return outputs.as_given(outputs.at(shifts), [f"-{-shift}" for shift in shifts])
