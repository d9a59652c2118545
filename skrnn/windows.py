"""Windows of time series: one sequence for each row, from arrays, tables and panels of series."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_array,
    check_is_fitted,
    validate_data,
)

from skrnn._calendar import Step
from skrnn._futures import future_inputs, future_targets
from skrnn._history import Border, History
from skrnn._layout import lay_out, padded_view
from skrnn._parameters import check_bool, check_int, check_option
from skrnn._past_targets import past_targets
from skrnn._timeline import Timeline, read_timeline, show

__all__ = ["SlidingWindowTransformer", "future_inputs", "future_targets", "past_targets", "sliding_windows"]


class SlidingWindowTransformer(TransformerMixin, BaseEstimator):
    """Turn time series into sequences: for every row, the window of rows that ends there.

    Rows in are rows out, so it stands in a Pipeline before an estimator, in cross-validation and grid search.
    The first windows of a series are short: they are padded in front with all-NaN steps, which the estimators
    of this package read as a mask. Windows are never built before they are used: an array gives a view of one
    padded copy of it, a DataFrame gives a lazy `Windows`.

    Parameters
    ----------
    window : int, default=20
        The number of rows of a window, its own row included.
    group : column name, column position or name of an index level, default=None
        Says which series a row belongs to, when X is a panel of series; values of any type. A column is taken
        out of the channels. None means one series. Windows never hold rows of two series, and a series that
        was not seen in `fit` is a new one.
    time : column name, column position or name of an index level, default=None
        The time label of a row; rows may then be in any order, also within a series. A column is taken out of
        the channels. None means the index of a DataFrame (of a MultiIndex the level that is not `group`), and
        the order of the rows for an array. Labels that are dates, durations, periods or numbers have a step;
        others, such as strings, have none, and an index of those is read as names of rows.
    context : {"auto", "require", "never"}, default="auto"
        Whether rows given to `transform` that continue a series of `fit` get its last ``window - 1`` rows as
        history. They continue it when their first label lies after its last one by at most the largest step
        seen in `fit` that was not a hole, or by one `freq` of the index. scikit-learn's splitters keep
        labels, so this works inside `cross_val_score`. "require" makes it an error when there is no history.
        Arrays have no labels, so no history. The rows of `fit` themselves never need any.
    holes : {"cut", "ignore"}, default="cut"
        Whether windows begin anew after a hole in a regular index. An index is regular when at least 99 % of
        its steps (of all series together) are equal; a larger step is a hole. An irregular index has none.
    flatten : bool, default=False
        Whether to give a table of shape (n_times, window * n_channels) instead, oldest step first, channels
        fastest, for estimators such as Ridge. This one is dense.
    pad : {"nan", "edge", None}, default=None
        What stands in front of the first row of a series: NaN, or that row repeated. None means "edge" with
        ``flatten=True``, else "nan".
    dtype : {numpy.float32, numpy.float64, None}, default=None
        The dtype of the windows. None keeps float32 and makes anything else float64.

    Attributes
    ----------
    n_features_in_ : int
        The number of columns seen in `fit`, those of group and time included.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of these columns, where all of them are strings.
    n_channels_ : int
        The number of channels: columns without those of group and time.
    context_ : History
        The last rows and labels of each series, and the step of its index.

    Raises
    ------
    ValueError
        If a parameter is out of range; if X has missing or infinite values or columns that are not numbers;
        if `group` or `time` is not found or has missing values; if a label occurs twice within a series; if
        the index of X does not increase and neither `group` nor `time` is given; or, with
        ``context="require"``, if there is no history.

    See Also
    --------
    future_targets : The target that belongs to these windows in a forecast.
    past_targets : The targets of all steps of these windows.
    future_inputs : Inputs that are known in advance.
    sliding_windows : Complete windows only, as a pure function.

    Notes
    -----
    A shuffled split of rows breaks series: use ``TimeSeriesSplit``, or split whole series by group. Windows
    of a DataFrame may share memory with it, so do not write to it while they are in use.

    `set_output` is always there, since ``Pipeline.set_output`` calls it on every step; it acts on flat output
    only. Steps in front must hand on the index, by ``set_output(transform="pandas")``, for labels to get
    here. ColumnTransformer renames a group column that it passes through; an index level keeps its name.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrnn import SlidingWindowTransformer
    >>> X = np.arange(8.0).reshape(4, 2)
    >>> windows = SlidingWindowTransformer(window=3).fit_transform(X)
    >>> windows.shape
    (4, 3, 2)
    >>> windows[0]
    array([[nan, nan],
           [nan, nan],
           [ 0.,  1.]])

    New rows whose index continues that of `fit` get its last rows as history:

    >>> X = pd.DataFrame({"load": [1.0, 2.0, 3.0, 4.0, 5.0]}, index=pd.date_range("2024", periods=5))
    >>> step = SlidingWindowTransformer(window=3).fit(X[:4])
    >>> np.asarray(step.transform(X[4:]))[0, :, 0]
    array([3., 4., 5.])

    A panel, its rows in any order:

    >>> panel = pd.DataFrame({"shop": ["a", "b", "a", "b"], "day": [2, 2, 1, 1], "sales": [12.0, 22, 11, 21]})
    >>> windows = SlidingWindowTransformer(window=2, group="shop", time="day").fit_transform(panel)
    >>> windows
    Windows(n_samples=4, window=2, n_channels=1, n_series=2, dtype=float64, channel_names=('sales',))
    >>> np.asarray(windows)[:, :, 0]
    array([[11., 12.],
           [21., 22.],
           [nan, 11.],
           [nan, 21.]])

    A table of lags for any regressor:

    >>> flat = SlidingWindowTransformer(window=2, flatten=True).set_output(transform="pandas")
    >>> flat.fit_transform(X[:3])
                load_lag1  load_lag0
    2024-01-01        1.0        1.0
    2024-01-02        1.0        2.0
    2024-01-03        2.0        3.0
    """

    def __init__(
        self,
        window: int = 20,
        *,
        group: Any = None,
        time: Any = None,
        context: str = "auto",
        holes: str = "cut",
        flatten: bool = False,
        pad: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.window = window
        self.group = group
        self.time = time
        self.context = context
        self.holes = holes
        self.flatten = flatten
        self.pad = pad
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> SlidingWindowTransformer:
        """Learn the step of the index and keep the last rows of each series.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels), or DataFrame
            The series, rows of floats; a DataFrame may hold many, told apart by `group`.
        y : None
            Ignored.

        Returns
        -------
        self : SlidingWindowTransformer
            The fitted transformer.

        Warns
        -----
        UserWarning
            If `window` is longer than the longest series, or if fewer than half of the windows are complete.
        """
        self._learn(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit, and return the windows of the same rows; no series has a history then.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels), or DataFrame
            The series, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        windows : ndarray or Windows of shape (n_times, window, n_channels)
            As `transform` returns them.
        """
        rows, timeline = self._learn(X)
        return self._windows(rows, timeline, np.full(len(timeline.first), -1))

    def transform(self, X: Any) -> Any:
        """Return the window that ends on each row, in the order of the rows.

        Parameters
        ----------
        X : array-like of shape (n_times, n_channels), or DataFrame
            The rows of `fit`, or rows that continue its series, or other series.

        Returns
        -------
        windows : ndarray or Windows of shape (n_times, window, n_channels)
            An ndarray view for an array that is one series, else `Windows`. With ``flatten=True`` a table of
            shape (n_times, window * n_channels), oldest step first, channels fastest.

        Raises
        ------
        ValueError
            If `context` is "require" and a series does not continue one of `fit`.

        Warns
        -----
        UserWarning
            If rows are missing between the rows of `fit` and these, or if these begin amid the rows of `fit`
            (their windows then begin anew), or if there are fewer than `window` rows and no labels that
            would say what they continue.
        """
        check_is_fitted(self)
        self._check_parameters()
        rows, timeline = self._read(X, reset=False)
        return self._windows(rows, timeline, self._find_tails(timeline))

    def set_output(self, *, transform: str | None = None) -> SlidingWindowTransformer:
        """Set the container of flat output; windows of three axes stay what they are.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            The container of the table that ``flatten=True`` gives. None leaves the setting as it is.

        Returns
        -------
        self : SlidingWindowTransformer
            The transformer.
        """
        if transform is not None:  # there with 3-D output too, since Pipeline.set_output calls every step
            config = getattr(self, "_sklearn_output_config", {})
            self._sklearn_output_config = {**config, "transform": transform}
        return self

    @available_if(lambda self: self.flatten)
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns, such as ``a_lag1, b_lag1, a_lag0, b_lag0``; flat output only.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the columns of X; None takes those seen in `fit`, else ``x0, x1, ...``.

        Returns
        -------
        names : ndarray of str objects of shape (window * n_channels,)
            Oldest step first, channels fastest.
        """
        check_is_fitted(self)
        names = np.delete(_check_feature_names_in(self, input_features), self._columns)
        return np.array([f"{name}_lag{k}" for k in reversed(range(self.window)) for name in names], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_parameters(self) -> None:
        check_int("window", self.window, low=1)
        check_option("context", self.context, ("auto", "require", "never"))
        check_option("holes", self.holes, ("cut", "ignore"))
        check_bool("flatten", self.flatten)
        check_option("pad", self.pad, ("nan", "edge", None))
        if self.dtype is not None and np.dtype(self.dtype) not in (np.float32, np.float64):
            raise ValueError(f"`dtype` must be float32, float64 or None, got {self.dtype!r}.")

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, Timeline]:
        """Return the checked channels (n_rows, n_channels), rows as in X, and the timeline of X."""
        dtype = [np.float64, np.float32] if self.dtype is None else self.dtype
        checks: dict[str, Any] = {"dtype": dtype, "ensure_all_finite": False}
        named = hasattr(X, "iloc")
        if not named and self.group is None and self.time is None:
            rows = validate_data(self, X, reset=reset, **checks)
            one_series = np.broadcast_to(np.intp(0), len(rows))
            timeline = Timeline(np.arange(len(rows)), one_series, None, None)
        else:
            if not named:
                X = check_array(X, dtype=None, ensure_all_finite=False)
            elif X.ndim != 2:
                raise ValueError(f"X must be a DataFrame or of shape (n_times, n_channels), got {type(X).__name__}.")
            timeline = read_timeline(X, self.group, self.time)
            validate_data(self, X, reset=reset, skip_check_array=True)
            rows = check_array(_channels(X, timeline.columns), input_name="X", estimator=self, **checks)
        _check_finite(rows, X, timeline.columns)
        return rows, timeline

    def _learn(self, X: Any) -> tuple[np.ndarray, Timeline]:
        self._check_parameters()
        rows, timeline = self._read(X, reset=True)
        step = Step.learn(timeline.labels, timeline.series, cut=self.holes == "cut")
        _warn_of_short_windows(timeline, step, self.window)
        self.context_ = History.keep(rows, timeline, step, self.window - 1)
        self.n_channels_ = rows.shape[1]
        self._columns = list(timeline.columns)
        self._n_rows = len(rows)
        return rows, timeline

    def _find_tails(self, timeline: Timeline) -> np.ndarray:
        """Return (n_series,) which series of the history each one continues, -1 for none; warn or raise."""
        if self.context == "never" or self.window == 1:
            return np.full(len(timeline.first), -1)
        borders = self.context_.borders(timeline)
        lacking = np.isin(borders.kinds, (Border.INSIDE, Border.GAP))
        if self.context == "require":
            lacking = ~np.isin(borders.kinds, (Border.CONTINUES, Border.BEGINS))
        elif not lacking.any() and timeline.sizes.max() < self.window and len(timeline.order) != self._n_rows:
            lacking = borders.kinds == Border.NO_STEP  # short enough to matter, and not the rows of fit again
        if lacking.any():
            message = self.context_.explain(timeline, borders, lacking)
            if self.context == "require":
                raise ValueError(f"`context`='require': {message}, or use context='auto'.")
            warnings.warn(f"{message}, or use context='never'.", UserWarning, stacklevel=4)
        return np.where(borders.kinds == Border.CONTINUES, borders.known, -1)

    def _windows(self, rows: np.ndarray, timeline: Timeline, tails: np.ndarray) -> Any:
        edge = (self.pad or ("edge" if self.flatten else "nan")) == "edge"
        windows: Any
        if timeline.is_plain:
            windows = padded_view(rows, self.window, edge=edge)
        else:
            names = getattr(self, "feature_names_in_", None)
            names = None if names is None else tuple(np.delete(names, self._columns))
            windows = lay_out(rows, timeline, self.context_, tails, self.window, edge=edge, channel_names=names)
        return np.asarray(windows).reshape(len(rows), -1) if self.flatten else windows


def sliding_windows(series: Any, window: int, horizon: int | None = 1, stride: int = 1) -> Any:
    """Cut a series into its complete windows, with the rows that follow each as target.

    The pure function for those who want no padding: rows in are not rows out here. 400 points, 20 inputs and
    1 target give 380 samples. For scikit-learn's tools use `SlidingWindowTransformer`: one window per row.

    Parameters
    ----------
    series : array-like of shape (n_times,) or (n_times, n_channels)
        The series, oldest row first. An index is not looked at.
    window : int
        The number of rows of a window.
    horizon : int or None, default=1
        The number of rows after the window that make its target. None or 0 gives windows only.
    stride : int, default=1
        The number of rows from the beginning of one window to that of the next.

    Returns
    -------
    X : ndarray of shape (n_samples, window, n_channels)
        The windows, a read-only view of `series`; a series of shape (n_times,) has one channel.
        ``n_samples = (n_times - window - horizon) // stride + 1``.
    y : ndarray
        The targets, a view too; not returned without horizon. Of shape (n_samples, horizon) for a series of
        shape (n_times,), else (n_samples, horizon, n_channels). With ``horizon=1`` there is no axis
        of the horizon: (n_samples,) or (n_samples, n_channels).

    Raises
    ------
    ValueError
        If `series` has not enough rows for one window and its target.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import sliding_windows
    >>> X, y = sliding_windows(np.arange(400.0), window=20)
    >>> X.shape, y.shape
    ((380, 20, 1), (380,))
    >>> float(X[0, -1, 0]), float(y[0])
    (19.0, 20.0)
    >>> X, y = sliding_windows(np.ones((400, 3)), window=20, horizon=5, stride=7)
    >>> X.shape, y.shape
    ((54, 20, 3), (54, 5, 3))
    """
    values = np.asarray(series)
    if values.ndim not in (1, 2):
        raise ValueError(f"`series` must have shape (n_times,) or (n_times, n_channels), got {values.shape}.")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"`series` must hold numbers, got dtype {values.dtype}.")
    check_int("window", window, low=1)
    check_int("stride", stride, low=1)
    steps = 0 if horizon is None else check_int("horizon", horizon, low=0)
    n_samples = len(values) - window - steps + 1
    if n_samples < 1:
        raise ValueError(
            f"`series` must have at least window + horizon = {window} + {steps} rows, got {len(values)}: "
            "take a shorter window or horizon."
        )
    columns = values if values.ndim == 2 else values[:, None]
    X = sliding_window_view(columns, window, axis=0).transpose(0, 2, 1)  # (n_windows, window, n_channels)
    X = X[:n_samples:stride]
    if steps == 0:
        return X
    y = np.moveaxis(sliding_window_view(values, steps, axis=0), -1, 1)  # (n_times - steps + 1, steps, ...)
    y = y[window::stride]
    return X, y[:, 0] if steps == 1 else y


def _warn_of_short_windows(timeline: Timeline, step: Step, window: int) -> None:
    """Warn when `window` is longer than every series, or when most windows of the rows of fit are padded."""
    n_rows, longest = len(timeline.order), int(timeline.sizes.max())
    heads = np.flatnonzero(step.pieces(timeline.labels, timeline.series))  # (n_pieces,)
    n_short = np.minimum(np.diff(heads, append=n_rows), window - 1)  # (n_pieces,) padded windows of each
    if window > longest:
        of = "the series" if timeline.names is None else f"the longest of {len(timeline.names)} series"
        message = (
            f"`window`={window} is longer than {of} ({longest} rows), so every window is padded: take a "
            "shorter window or more rows."
        )
    elif 2 * n_short.sum() > n_rows:
        after_hole = ~np.isin(heads, timeline.first)
        cause = f"the beginnings of series (the longest has {longest} rows): take a shorter window"
        if 2 * n_short[after_hole].sum() > n_short.sum():
            n_holes = after_hole.sum()
            cause = f"{n_holes} holes in the index (were rows dropped?): fill them, or use holes='ignore'"
        message = (
            f"Only {1 - n_short.sum() / n_rows:.1%} of the {n_rows} windows hold all of their {window} rows. "
            f"Commonest cause: {cause}."
        )
    else:
        return
    warnings.warn(message, UserWarning, stacklevel=4)


def _channels(X: Any, columns: tuple[int, ...]) -> Any:
    """Return X without the columns of group and time, all of them numbers."""
    kept = [k for k in range(X.shape[1]) if k not in columns]
    if not kept:
        raise ValueError(f"X must have a channel besides group and time, got {X.shape[1]} columns.")
    if not hasattr(X, "iloc"):
        return X[:, kept]
    strange = [k for k in kept if not pd.api.types.is_numeric_dtype(X.dtypes.iloc[k])]
    if strange:
        found = ", ".join(f"{X.columns[k]!r} ({X.dtypes.iloc[k]})" for k in strange)
        raise ValueError(
            f"The channels of X must be numbers, got the columns {found}: encode them, drop them, or name "
            "them as `group` or `time`."
        )
    return X.iloc[:, kept] if columns else X


def _check_finite(rows: np.ndarray, X: Any, columns: tuple[int, ...]) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(rows.sum()):  # no mask the size of X in the usual case
            return
    bad = ~np.isfinite(rows)
    if not bad.any():
        return
    row, channel = np.argwhere(bad)[0]
    column = np.delete(np.arange(rows.shape[1] + len(columns)), columns)[channel]
    where = f"row {row}, column {column}"
    if hasattr(X, "iloc"):
        where = f"row {row} (index {show(X.index[row])}), column {X.columns[column]!r}"
    found = "NaN" if np.isnan(rows[row, channel]) else "infinity (inf)"
    raise ValueError(
        f"X must be finite, got {found} first in {where}: impute it, for example with SimpleImputer, before "
        "the windows are made."
    )
