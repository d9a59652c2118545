"""Does a fitted estimator look ahead? Its input is changed after a cut, and no prediction before may move."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skrnn._moments import Moments
from skrnn._parameters import check_float, check_int, check_option
from skrnn._timeline import show


def check_causal(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    group: Any = None,
    time: Any = None,
    method: str = "predict",
    n_cuts: int = 5,
    rtol: float = 1e-5,
    atol: float = 0.0,
    on_fail: str | None = "warn",
    random_state: Any = 0,
) -> pd.DataFrame:
    """Report which predictions of a fitted estimator move when later rows of its input change.

    At several cuts in time the rows of X after the cut get other values, and `estimator` predicts again. A
    prediction at or before the cut that moves has read rows that come after it: from a centred window, say, or
    from a mean that a step takes over the whole table in `transform`. Such a pipeline scores better on past data
    than it can in use.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Fitted. Give the whole Pipeline, from the table on: a step before it can look ahead as well.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        The rows of `fit`, or rows that continue them, or others. It is not changed.
    y : object, default=None
        Ignored; it may stand there as in `fit`.
    group : column name, column position, name of an index level, or array-like of shape (n_rows,), default=None
        The series that each row belongs to, as for `SlidingWindowTransformer`. None means one series.
    time : column name, column position, name of an index level, or array-like of shape (n_rows,), default=None
        The time of each row. None means the index of a DataFrame, and the order of the rows where there are no
        labels. Columns of `group` and `time` keep their values. Where both are None, and a window step of the
        Pipeline names columns of X as its group and time, these are taken.
    method : str, default="predict"
        The method audited: "predict", "predict_proba", "decision_function", "transform" or another that takes X
        and returns one row for each row.
    n_cuts : int, default=5
        The number of cuts, one at random in each of so many equal parts of the distinct times, or all there are.
    rtol : float, default=1e-5
        The largest change that is taken for rounding, as a share of the range (largest less smallest) of the
        predictions in the same column.
    atol : float, default=0.0
        A change that is taken for rounding as well, in the unit of the predictions. Raise it for a net that
        returns float32 at a level far above its range.
    on_fail : {"warn", "raise", None}, default="warn"
        What to do, besides reporting, when a prediction moved.
    random_state : int, RandomState instance or None, default=0
        Draws the cuts and the values.

    Returns
    -------
    report : DataFrame of shape (n_cuts, 6)
        A row for each cut, earliest first. The estimator is causal, as far as was seen, when
        ``report["n_moved"].sum() == 0``. Columns:

        * ``cut_row``: the position in X of the last row that was left as it is (of a panel one of those);
        * ``cut_label``: its time label, or its position where there are none;
        * ``n_past``: how many predictions lie at or before the cut;
        * ``n_moved``: how many of these moved;
        * ``first_moved_row``: the position in X of the earliest one; missing (``<NA>``) when none moved;
        * ``largest_change``: the largest absolute change of a prediction at or before the cut, infinite where one
          became or ceased to be NaN or the number of columns changed; NaN for predictions that are not numbers.

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    ValueError
        If a parameter is out of range; if X is no table, has fewer than two distinct times or no column that
        varies; if the method gives another number of rows, or not the same twice; or as `SlidingWindowTransformer`
        does for `group` and `time`.
    AssertionError
        If a prediction moved and `on_fail` is "raise".

    Warns
    -----
    UserWarning
        If a prediction moved and `on_fail` is "warn".

    See Also
    --------
    SlidingWindowTransformer : Windows that end at their own row.
    WindowedTimeSeriesSplit : Keeps targets, rather than inputs, from reaching into the test rows.

    Notes
    -----
    A column of floats gets values of its other rows, plus noise as large as its standard deviation; a column
    without negative values keeps none, one without positive values likewise. Any other column (of ints, whole
    floats, bools, categories, strings, dates) gets other values of its own, so that an encoder knows them.
    Missing values stay, as do index, column names and dtypes.

    In a panel the cut is in time: the rows of all series after it change. Where a panel has no time labels, rows
    of the same number in their series count as simultaneous.

    It audits what the estimator does with new rows. What `fit` learned from later rows is for cross-validation to
    tell.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skrnn import SlidingWindowTransformer
    >>> from skrnn.model_selection import check_causal
    >>> X = np.sin(np.arange(90.0))[:, None]
    >>> windows = SlidingWindowTransformer(window=5, flatten=True)
    >>> pipe = make_pipeline(windows, Ridge()).fit(X, X[:, 0])
    >>> int(check_causal(pipe, X)["n_moved"].sum())
    0

    A step that subtracts the mean of whatever table it is given:

    >>> center = FunctionTransformer(lambda table: table - table.mean(axis=0))
    >>> leaky = make_pipeline(center, windows, Ridge()).fit(X, X[:, 0])
    >>> report = check_causal(leaky, X, n_cuts=2, on_fail=None)
    >>> bool((report["n_moved"] == report["n_past"]).all())
    True
    """
    check_is_fitted(estimator)
    check_int("n_cuts", n_cuts, low=1)
    check_float("rtol", rtol, low=0)
    check_float("atol", atol, low=0)
    check_option("on_fail", on_fail, ("warn", "raise", None))
    if not callable(getattr(estimator, method, None)):
        raise ValueError(f"`method` must name a method of {type(estimator).__name__}, got {method!r}.")
    table = _as_table(X)
    moments = Moments.read(table, *_named_by_windows(estimator, table, group, time))
    columns = _varying_columns(table, moments.timeline.columns)
    rng = check_random_state(random_state)
    cuts = _choose_cuts(len(moments.labels), n_cuts, rng)

    before = _outputs(estimator, method, table.copy())
    again = _outputs(estimator, method, table.copy())
    tolerance = _tolerance(before, rtol, atol)
    if _moved(before, again, tolerance)[0].any():
        raise ValueError(
            f"`{method}` of {type(estimator).__name__} must give the same for the same X, got other values the second "
            "time: fix its random state or switch its dropout off."
        )
    report = []
    for cut in cuts:
        later = np.flatnonzero(moments.of_rows > cut)
        changed = _changed(table, columns, later, rng)
        try:
            after = _outputs(estimator, method, changed)
        except Exception as error:
            error.add_note(
                f"check_causal had changed the rows of X after {show(moments.labels[cut])}. Columns that say which "
                "series a row belongs to, or when it is, must be named by `group` and `time`."
            )
            raise
        report.append(_compare(before, after, tolerance, moments, cut))
    frame = pd.DataFrame(report).astype({"first_moved_row": "Int64"})
    _tell(frame, f"`{method}` of {type(estimator).__name__}", on_fail)
    return frame


def _as_table(X: Any) -> Any:
    """Return X as a DataFrame or an array of shape (n_rows, n_columns)."""
    table = X
    if isinstance(X, list | tuple) and len({np.shape(row) for row in X}) == 1:
        table = np.asarray(X)
    if not isinstance(table, np.ndarray | pd.DataFrame) or table.ndim != 2:
        shape = getattr(table, "shape", None)
        remedy = "give its rows as such a table."
        if getattr(table, "ndim", None) == 3:
            remedy = (
                "windows hide whether the step that made them looks ahead. Give the table that they are made of, and "
                "the Pipeline from the table on, such as make_pipeline(windows, net) of the two fitted steps."
            )
        raise ValueError(
            f"X must be a pandas DataFrame or an array of shape (n_rows, n_columns), got {type(X).__name__}"
            f"{'' if shape is None else f' of shape {tuple(shape)}'}: {remedy}"
        )
    if len(table) < 2:
        raise ValueError(f"X must have at least 2 rows, one to change and one before it, got {len(table)}.")
    return table


def _varying_columns(table: Any, kept: tuple[int, ...]) -> list[int]:
    """Return the columns that can be changed: those but `kept` that do not hold one value only."""
    frame = pd.DataFrame(table)
    varying = [k for k in range(frame.shape[1]) if k not in kept and frame.iloc[:, k].nunique() > 1]
    if not varying:
        raise ValueError(
            f"X must have a column that varies, besides those of group and time, got none of {frame.shape[1]}: its "
            "later rows cannot be changed."
        )
    return varying


def _choose_cuts(n_moments: int, n_cuts: int, rng: np.random.RandomState) -> list[int]:
    """Return the last moment before each cut, ascending, spread over all but the last moment."""
    if n_moments < 2:
        raise ValueError("X must have at least 2 distinct times, got 1: give later rows, or name the column of `time`.")
    parts = np.array_split(np.arange(n_moments - 1), min(n_cuts, n_moments - 1))
    return [int(rng.choice(part)) for part in parts]


def _outputs(estimator: Any, method: str, table: Any) -> np.ndarray:
    """Return what the method gives, as an array of shape (n_rows, n_values)."""
    given = getattr(estimator, method)(table)
    if isinstance(given, list) and all(np.ndim(part) == 2 for part in given):  # one block of probabilities per output
        given = np.hstack(given)
    given = given.toarray() if hasattr(given, "toarray") else np.asarray(given)
    if given.ndim == 0 or len(given) != len(table):
        raise ValueError(
            f"`{method}` must give one row for each of the {len(table)} rows of X, got shape {given.shape}: without "
            "that no prediction belongs to a row."
        )
    return given.reshape(len(table), -1)


def _changed(table: Any, columns: list[int], later: np.ndarray, rng: np.random.RandomState) -> Any:
    """Return a copy of the table with other values in the rows `later` of `columns`."""
    changed = table.copy()
    for k in columns:
        if isinstance(table, pd.DataFrame):
            changed.isetitem(k, _changed_column(table.iloc[:, k], later, rng).array)
        else:
            changed[:, k] = _changed_column(pd.Series(table[:, k]), later, rng).to_numpy()
    return changed


def _changed_column(column: pd.Series, later: np.ndarray, rng: np.random.RandomState) -> pd.Series:
    """Return the column with another value in each of the rows `later` that has one."""
    codes, distinct = pd.factorize(column)  # -1 for missing values
    known = np.flatnonzero(codes >= 0)
    holder = known[np.unique(codes[known], return_index=True)[1]]  # (n_distinct,) a row that has the value
    later = later[codes[later] >= 0]
    source = np.arange(len(column))
    others = codes[later] + rng.randint(1, len(distinct), size=len(later))
    source[later] = holder[others % len(distinct)]
    changed = column.take(source)
    if not pd.api.types.is_float_dtype(column.dtype):
        return changed
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = values[np.isfinite(values)]
    if (finite == np.rint(finite)).all():
        return changed
    noisy = changed.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    noisy[later] += finite.std() * rng.normal(size=len(later))
    if finite.min() >= 0 or finite.max() <= 0:
        noisy[later] = np.copysign(noisy[later], finite.max() if finite.min() >= 0 else finite.min())
    return pd.Series(noisy).astype(column.dtype)


def _tolerance(before: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Return how far the predictions in each column may move, shape (n_values,)."""
    tolerance = np.full(before.shape[1], atol, dtype=np.float64)
    if before.dtype.kind in "biuf":
        for k, values in enumerate(before.T.astype(np.float64)):
            finite = values[np.isfinite(values)]
            if len(finite):  # a column of one value has no range, yet sums of it are rounded
                tolerance[k] += rtol * max(np.ptp(finite), 1e-6 * np.abs(finite).max())
    return tolerance


def _moved(before: np.ndarray, after: np.ndarray, tolerance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which rows moved, bool of shape (n_rows,), and the largest change."""
    if before.shape != after.shape:
        return np.full(len(before), True), np.inf
    same = (before == after) | (pd.isna(before) & pd.isna(after))
    if before.dtype.kind not in "biuf" or after.dtype.kind not in "biuf":
        return np.any(~same, axis=1), np.nan
    change = np.zeros(before.shape)
    change[~same] = np.abs(after[~same].astype(np.float64) - before[~same].astype(np.float64))
    change[np.isnan(change)] = np.inf
    return np.any(change > tolerance, axis=1), float(change.max(initial=0.0))


def _compare(
    before: np.ndarray, after: np.ndarray, tolerance: np.ndarray, moments: Moments, cut: int
) -> dict[str, Any]:
    """Return the line of the report about one cut."""
    when = moments.of_rows
    past = np.flatnonzero(when <= cut)
    past = past[np.argsort(when[past], kind="stable")]
    moved, largest = _moved(before[past], after[past], tolerance)
    return {
        "cut_row": past[-1],
        "cut_label": moments.labels[cut],
        "n_past": len(past),
        "n_moved": int(moved.sum()),
        "first_moved_row": past[np.argmax(moved)] if moved.any() else pd.NA,
        "largest_change": largest,
    }


def _named_by_windows(estimator: Any, table: Any, group: Any, time: Any) -> tuple[Any, Any]:
    """`group` and `time`; where both are None the columns of X that a window step of a Pipeline names."""
    if group is not None or time is not None:
        return group, time
    columns = list(getattr(table, "columns", []))
    for _, step in getattr(estimator, "steps", []):
        named = [getattr(step, role, None) for role in ("group", "time")]
        if hasattr(step, "window"):
            found = (name if isinstance(name, str) and name in columns else None for name in named)
            return tuple(found)  # type: ignore[return-value]
    return None, None


def _tell(report: pd.DataFrame, what: str, on_fail: str | None) -> None:
    worst = report.astype(object).iloc[int(report["n_moved"].to_numpy().argmax())]  # ints stay ints
    if worst["n_moved"] == 0 or on_fail is None:
        return
    message = (
        f"{what} looks ahead: {worst['n_moved']} of {worst['n_past']} rows up to {show(worst['cut_label'])} (row "
        f"{worst['cut_row']} of X) moved, the earliest of them row {worst['first_moved_row']}, when later rows of X "
        "changed. Look for centred windows, and for steps that take a statistic of the whole table in `transform`."
    )
    if on_fail == "raise":
        raise AssertionError(message)
    warnings.warn(message, UserWarning, stacklevel=3)
