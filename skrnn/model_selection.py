"""Splits of time series that leave out rows whose targets reach into the test rows, and an audit of causality."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import indexable

from skrnn._causality import check_causal
from skrnn._moments import Moments
from skrnn._parameters import check_int
from skrnn._sequences import Windows

__all__ = ["WindowedTimeSeriesSplit", "check_causal"]


class WindowedTimeSeriesSplit(BaseCrossValidator):
    """Split by time, leaving out training rows whose targets reach beyond the first test row.

    scikit-learn's `TimeSeriesSplit` for targets that look `horizon` rows ahead, and for panels of series: the
    distinct times are cut into blocks, each test block is predicted from the times before it, and a training row
    is left out (purged) when its target is not yet known at the first time of the test block.

    It is meant for estimators that cannot tell which targets are unknown, such as Ridge on the flat windows of
    ``SlidingWindowTransformer(flatten=True)``. The estimators of this package leave such targets out of the loss
    by themselves (with ``horizon=h``, or with y the future of a channel of X). Take ``TimeSeriesSplit``, or
    ``gap=0`` here, for those: between training and test rows a gap keeps the windows of the test rows from reading
    the training rows before them, which costs accuracy (measured on one series: a mean squared error of .406
    instead of .127).

    Parameters
    ----------
    n_splits : int, default=5
        The number of splits, at least 2.
    horizon : int, default=1
        How many rows ahead, in its own series, the target of a row looks. With 1 a single series loses no rows.
    gap : int, default=None
        The number of distinct times left out before each test block, of all series alike; `horizon` has no say
        then. None leaves out, series by series, the rows whose `horizon`-th next row lies after the first time of
        the test block. For one series, and for series with a row at every time, that is a gap of
        ``horizon - 1``; a weekly series among daily ones loses weeks, also with ``horizon=1``. A series that
        ends before is taken to have gone on with a row at each time.
    group : column name, column position, name of an index level, or array-like of shape (n_rows,), default=None
        The series that each row of X belongs to. None means one series.
    time : column name, column position, name of an index level, or array-like of shape (n_rows,), default=None
        The time of each row, rows being in any order. None means the index of a DataFrame (of a MultiIndex the
        level that is not `group`), and the order of the rows where there are no labels. With `group` all series
        share one clock, so labels are needed then.
    max_train_size : int, default=None
        The most distinct times of a training set, those just before the gap. None takes all.
    test_size : int, default=None
        The number of distinct times of a test block. None means ``n_times // (n_splits + 1)``.

    Raises
    ------
    ValueError
        If a parameter is out of range. On splitting: if X has too few distinct times; if a training set would be
        empty; if `group` or `time` is not found or has missing values; if a time occurs twice in a series; if the
        index does not increase and neither `group` nor `time` is given; or if `group` is given without times.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : The same for one series, by position, without `horizon`.
    SlidingWindowTransformer : Windows that read the training rows before a test row.

    Notes
    -----
    Blocks are counted in distinct times, not in rows: for one series that is the same. All rows of one time, of
    whatever series, are on the same side. Every time is tested at most once; the ``n_times % (n_splits + 1)``
    earliest ones lengthen the first training set.

    With the default gap every target of a training row is known at the first time of the test block, also that of
    another series.

    X is mostly the table in front of the Pipeline. Windows of one series are fine too, in the order of their last
    rows. Windows of several series no longer know their dates: split the table, or give `group` and `time` as
    arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.model_selection import WindowedTimeSeriesSplit
    >>> splitter = WindowedTimeSeriesSplit(n_splits=3, horizon=2)
    >>> for train, test in splitter.split(np.zeros((9, 1))):
    ...     print(train, test)
    [0 1] [3 4]
    [0 1 2 3] [5 6]
    [0 1 2 3 4 5] [7 8]

    A panel, its rows in any order: the days 1, 2, 3 are split, not the rows.

    >>> import pandas as pd
    >>> panel = pd.DataFrame({"shop": list("aaabbb"), "day": [3, 2, 1, 1, 2, 3], "sales": range(6)})
    >>> for train, test in WindowedTimeSeriesSplit(n_splits=2, group="shop", time="day").split(panel):
    ...     print(train, test)
    [2 3] [1 4]
    [1 2 3 4] [0 5]

    Ridge forecasts a walk three rows ahead. The last three rows have no target, so Ridge cannot have them:

    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import SlidingWindowTransformer, future_targets
    >>> walk = np.random.default_rng(0).normal(size=(200, 1)).cumsum(axis=0)
    >>> y = future_targets(walk[:, 0], 3)
    >>> pipe = make_pipeline(SlidingWindowTransformer(window=4, flatten=True), Ridge())
    >>> cross_val_score(pipe, walk[:-3], y[:-3], cv=WindowedTimeSeriesSplit(n_splits=2, horizon=3)).shape
    (2,)
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        horizon: int = 1,
        gap: int | None = None,
        group: Any = None,
        time: Any = None,
        max_train_size: int | None = None,
        test_size: int | None = None,
    ) -> None:
        self.n_splits = check_int("n_splits", n_splits, low=2)
        self.horizon = check_int("horizon", horizon, low=1)
        self.gap = None if gap is None else check_int("gap", gap, low=0)
        self.group = group
        self.time = time
        self.max_train_size = None if max_train_size is None else check_int("max_train_size", max_train_size, low=1)
        self.test_size = None if test_size is None else check_int("test_size", test_size, low=1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            As given.
        """
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the positions of the training and the test rows of each split, earliest test block first.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...), DataFrame or Windows
            The rows to split. Columns of `group` and `time` are read; nothing else is.
        y : array-like of shape (n_rows, ...), default=None
            Only its length is looked at.
        groups : object
            Ignored, with a warning: series are told apart by the parameter `group`.

        Yields
        ------
        train : ndarray of int
            Positions of the training rows, ascending.
        test : ndarray of int
            Positions of the test rows, ascending.
        """
        if groups is not None:
            warnings.warn(
                "The groups parameter is ignored by WindowedTimeSeriesSplit: name the series of a panel with "
                "WindowedTimeSeriesSplit(group=...).",
                UserWarning,
                stacklevel=2,
            )
        X, _ = indexable(X, y)
        moments = self._read(X)
        ahead = moments.of_rows + self.gap + 1 if self.gap is not None else moments.of_rows_ahead(self.horizon)
        starts = self._test_starts(len(moments.labels))
        return iter([self._split_at(moments, ahead, start, stop) for start, stop in pairwise(starts)])

    @property
    def _n_left_out(self) -> int:
        return self.horizon - 1 if self.gap is None else self.gap

    def _read(self, X: Any) -> Moments:
        """Return when each row of X is."""
        table, time = X, self.time
        if not hasattr(X, "iloc") and not (isinstance(X, np.ndarray) and X.ndim == 2):
            for role in ("group", "time"):
                self._check_is_array(role, getattr(self, role), X)
            table = np.empty((X.shape[0] if hasattr(X, "shape") else len(X), 0))
        if isinstance(X, Windows) and self.group is None and time is None:
            n_series = len(np.unique(X.series))
            if n_series > 1:
                raise ValueError(
                    f"X must be windows of one series, got Windows of {n_series}, which do not hold their dates: "
                    "split the table that they are made of (by a Pipeline in cross-validation), or give `group` "
                    "and `time` as arrays with one value for each window."
                )
            time = X.ends
        if not len(table):
            raise ValueError("X must have rows to split, got none.")
        moments = Moments.read(table, self.group, time)
        if not moments.shared:
            raise ValueError(
                f"`time` must say when each row is when `group` is given, got time={self.time!r} and X without "
                "time labels: name a column, or give an array with one value for each row."
            )
        return moments

    def _check_is_array(self, role: str, key: Any, X: Any) -> None:
        if key is not None and np.ndim(key) == 0:
            raise ValueError(
                f"`{role}` may name a column of X when X is a pandas DataFrame or a 2-D array, got {key!r} and X of "
                f"type {type(X).__name__}: split the table that it is made of, or give `{role}` as an array with one "
                "value for each row."
            )

    def _test_starts(self, n_moments: int) -> np.ndarray:
        """Return (n_splits + 1,) the places where the test blocks begin, and the end of the last one."""
        size = self.test_size or max(1, n_moments // (self.n_splits + 1))
        least = self.n_splits * size + self._n_left_out + 1
        if n_moments < least:
            raise ValueError(
                f"X must have at least {least} rows of different times, for n_splits={self.n_splits} test blocks of "
                f"{size}, {self._n_left_out} left out and 1 to train on, got {n_moments}: take fewer splits, a smaller "
                "`test_size`, or a shorter `horizon` or `gap`."
            )
        return n_moments - size * np.arange(self.n_splits, -1, -1)

    def _split_at(self, moments: Moments, ahead: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the training and test rows of the block of times from `start` to before `stop`.

        `ahead` (n_rows,) is the earliest place that a test block may begin at, for the row to be trained on.
        """
        when = moments.of_rows
        in_test = (when >= start) & (when < stop)
        in_train = ahead <= start
        if self.max_train_size is not None:
            in_train &= when >= start - self._n_left_out - self.max_train_size
        if not in_train.any():
            raise ValueError(
                f"Each split must have training rows, got none whose target {self.horizon} rows ahead lies at or "
                f"before {moments.labels[start]}, where a test block begins: take fewer splits, a shorter "
                "`horizon`, or a larger `max_train_size`."
            )
        return np.flatnonzero(in_train), np.flatnonzero(in_test)
