"""Errors and scorers that leave unknown targets out.

The targets of a forecast are unknown (NaN) where the future lies beyond the data. scikit-learn's metrics
refuse NaN; these skip it, take one axis more, and are equal to scikit-learn's where everything is known.

The scorers also put the two sides in line. An estimator with ``horizon=h`` is fitted with the series itself,
so its ``y`` holds the value *at* each row while its prediction holds the values *after* each row.
scikit-learn's scorers would compare the one with the other without a word.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

__all__ = ["mae_scorer", "mean_absolute_error", "mean_squared_error", "mse_scorer", "r2_score", "r2_scorer"]


def mean_absolute_error(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """Mean absolute error over the known targets.

    Each column (a step of the horizon, an output, or a pair of both) is averaged over its known rows, then
    the columns are averaged. Columns with nothing known are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_pred : array-like of the same shape
        The predictions. They may be NaN only where the target is.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one error a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The error, in the units of the target. A column with nothing known is NaN among the raw values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, or the prediction of a known target is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import mean_absolute_error
    >>> y_true = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, np.nan]])  # the last future is not there yet
    >>> mean_absolute_error(y_true, np.zeros((3, 2)))
    2.25
    >>> mean_absolute_error(y_true, np.zeros((3, 2)), multioutput="raw_values")
    array([2. , 2.5])
    """
    targets = _KnownTargets.read(y_true, y_pred, sample_weight)
    return targets.combine(targets.mean(np.abs(targets.error)), multioutput)


def mean_squared_error(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """Mean squared error over the known targets.

    Each column (a step of the horizon, an output, or a pair of both) is averaged over its known rows, then
    the columns are averaged. Columns with nothing known are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_pred : array-like of the same shape
        The predictions. They may be NaN only where the target is.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one error a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The error, in the squared units of the target. A column with nothing known is NaN among the raw
        values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, or the prediction of a known target is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import mean_squared_error
    >>> mean_squared_error([1.0, 2.0, np.nan], [2.0, 5.0, 7.0])
    5.0
    """
    targets = _KnownTargets.read(y_true, y_pred, sample_weight)
    return targets.combine(targets.mean(targets.error**2), multioutput)


def r2_score(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """Share of the targets' variance that the prediction explains, over the known targets.

    For each column ``1 - sum w (y - prediction)^2 / sum w (y - mean(y))^2`` over its known rows: 1 is
    perfect, 0 is as good as the mean of that column, and there is no lower bound. A constant column counts 1
    when it is met exactly and 0 otherwise, as in scikit-learn. The columns are then averaged.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_pred : array-like of the same shape
        The predictions. They may be NaN only where the target is.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "variance_weighted", "raw_values"} or array-like, \
default="uniform_average"
        How to bring the columns together: their mean, their mean weighted by each column's variance, one
        score a column, or their mean with these weights, an array of shape (n_columns,) or
        (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The score. A column with fewer than two known rows has none: it is NaN among the raw values and left
        out of the mean.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, or the prediction of a known target is not finite.

    Warns
    -----
    UndefinedMetricWarning
        If no column has two known rows; the score is then NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import r2_score
    >>> r2_score([1.0, 2.0, 3.0, np.nan], [1.0, 2.0, 2.0, 9.0])
    0.5
    """
    targets = _KnownTargets.read(y_true, y_pred, sample_weight)
    spread = targets.sum((targets.y_true - targets.mean(targets.y_true)) ** 2)
    missed = targets.sum(targets.error**2)
    scores = np.where(missed == 0, 1.0, 0.0)  # what a constant column gets
    np.divide(missed, spread, out=scores, where=spread != 0)
    scores[spread != 0] = 1 - scores[spread != 0]
    scores[targets.known.sum(axis=0) < 2] = np.nan
    if np.isnan(scores).all():
        warnings.warn(
            "R^2 is not defined with fewer than two known targets in every column.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    if _is(multioutput, "variance_weighted"):
        spread[np.isnan(scores)] = 0
        multioutput = spread.reshape(targets.columns) if spread.any() else "uniform_average"
    return targets.combine(scores, multioutput)


@dataclass(frozen=True)
class _KnownTargets:
    """Targets and errors with the columns in one axis, and what is known of them."""

    y_true: np.ndarray  # (n_samples, n_columns), 0 where unknown
    error: np.ndarray  # (n_samples, n_columns), 0 where unknown
    known: np.ndarray  # (n_samples, n_columns), bool
    weight: np.ndarray  # (n_samples, n_columns), 0 where unknown
    columns: tuple[int, ...]  # the shape of a row

    @classmethod
    def read(cls, y_true, y_pred, sample_weight):
        if _is_ragged(y_true) or _is_ragged(y_pred):
            y_true, y_pred, sample_weight = steps_as_rows(y_true, y_pred, sample_weight)
        y_true, y_pred = _floats(y_true), _floats(y_pred)
        if y_true.ndim not in (1, 2, 3):
            raise ValueError(
                "`y_true` must have shape (n_samples,), (n_samples, n_columns) or "
                f"(n_samples, horizon, n_outputs), got {y_true.shape}."
            )
        if _trimmed(y_true.shape) != _trimmed(y_pred.shape):
            raise ValueError(
                f"`y_true` and `y_pred` must have the same shape, got {y_true.shape} and {y_pred.shape}. "
                "If `y_true` is the series itself and `y_pred` its forecasts, take "
                "`skrnn.future_targets(y_true, horizon)` or a scorer of skrnn.metrics."
            )
        columns = y_true.shape[1:] or (1,)
        y_true, y_pred = (values.reshape(len(values), prod(columns)) for values in (y_true, y_pred))
        weight = _row_weights(sample_weight, len(y_true))
        known = ~np.isnan(y_true)
        _refuse(known & ~np.isfinite(y_true), "y_true", y_true, "Mark unknown targets by NaN.")
        _refuse(known & ~np.isfinite(y_pred), "y_pred", y_pred, "Only unknown targets are skipped.")
        known &= weight[:, None] != 0
        if not known.any():
            raise ValueError(
                "`y_true` must hold at least one known target (with a weight other than 0), got "
                f"{y_true.size} entries, all NaN or of weight 0. Score more rows than the horizon is long."
            )
        error = np.where(known, y_true - np.where(known, y_pred, 0.0), 0.0)
        return cls(np.where(known, y_true, 0.0), error, known, np.where(known, weight[:, None], 0.0), columns)

    def sum(self, values):
        """Weighted sum of each column over its known rows, shape (n_columns,)."""
        return (self.weight * values).sum(axis=0)

    def mean(self, values):
        """Weighted mean of each column over its known rows, shape (n_columns,); NaN with none known."""
        total = self.weight.sum(axis=0)
        means = np.full(total.shape, np.nan)
        return np.divide(self.sum(values), total, out=means, where=total != 0)

    def combine(self, values, multioutput):
        """Bring the columns' values, shape (n_columns,), together as `multioutput` says."""
        if _is(multioutput, "raw_values"):
            return values.reshape(self.columns)
        if _is(multioutput, "uniform_average"):
            weight = np.ones(len(values))
        else:
            weight = self._column_weights(multioutput)
        there = ~np.isnan(values)
        if not there.any():
            return float("nan")
        if weight[there].sum() == 0:
            raise ValueError(
                "`multioutput` must give a weight other than 0 to a column with known targets, got "
                f"{weight.reshape(self.columns).tolist()}."
            )
        return float(np.average(values[there], weights=weight[there]))

    def _column_weights(self, multioutput):
        weight = None if isinstance(multioutput, str) else np.asarray(multioutput, dtype=float)
        if weight is None or weight.shape != self.columns:
            raise ValueError(
                "`multioutput` must be 'uniform_average', 'raw_values' (for R^2 also 'variance_weighted') "
                f"or weights of shape {self.columns}, got {multioutput!r}."
            )
        return weight.ravel()


def _floats(values):
    """Return an array-like as a float array; the missing values of pandas become NaN."""
    if isinstance(values, pd.Series | pd.DataFrame):
        return values.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values, dtype=float)


def steps_as_rows(y_true, y_pred, sample_weight=None):
    """Turn targets and predictions of each step into rows, so that all steps of all sequences count alike.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_steps[, n_outputs]), or list of arrays (n_steps_i[, n_outputs])
        Steps without a prediction (NaN in `y_pred`) are padding and left out.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    y_true, y_pred : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    sample_weight : ndarray of shape (n_rows,), or None
    """
    y_true, y_pred = ([_floats(steps) for steps in values] for values in (y_true, y_pred))
    n_steps = [len(steps) for steps in y_pred]
    if [steps.shape for steps in y_true] != [steps.shape for steps in y_pred]:
        raise ValueError(
            "`y_true` and `y_pred` must have the same sequences and steps, got lengths such as "
            f"{[len(steps) for steps in y_true[:3]]} and {n_steps[:3]}, in {len(y_true)} and {len(y_pred)} sequences."
        )
    if sample_weight is not None:
        sample_weight = np.repeat(_row_weights(sample_weight, len(y_pred)), n_steps)
    y_true, y_pred = np.concatenate(y_true), np.concatenate(y_pred)
    there = ~np.isnan(y_pred.reshape(len(y_pred), -1)).any(axis=1)
    return y_true[there], y_pred[there], None if sample_weight is None else sample_weight[there]


def _is_ragged(values):
    """Whether there is one array for each sequence, of unequal lengths or in an object array."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and values.ndim == 1 and len(values) > 0 and np.ndim(values[0]) > 0
    if not isinstance(values, (list, tuple)) or not values:
        return False
    return all(np.ndim(steps) > 0 for steps in values) and len({len(steps) for steps in values}) > 1


def _is(multioutput, name):
    return isinstance(multioutput, str) and multioutput == name


def _trimmed(shape):
    """Return `shape` without axes of length 1 at its end: (n,), (n, 1) and (n, 1, 1) mean the same."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _row_weights(sample_weight, n_samples):
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n_samples,) or not np.isfinite(weight).all():
        raise ValueError(
            f"`sample_weight` must hold {n_samples} finite numbers, one for each row of `y_true`, "
            f"got {sample_weight!r}."
        )
    return weight


def _refuse(wrong, name, values, remedy):
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"`{name}` must be finite, got {values[row, column]} in row {row}. {remedy}")


@dataclass(frozen=True, repr=False)
class _AlignedScorer:
    """A scorer ``scorer(estimator, X, y, sample_weight=None)``; larger is better.

    Estimators of skrnn carry ``_align_targets(X, y)``. With ``horizon=h`` it turns the series that they were
    fitted with into targets of the prediction's shape, NaN where the future is not within the rows given. It is
    looked for inside Pipelines, fitted searches and TransformedTargetRegressor; an estimator without it is
    scored against `y` as it is.
    """

    name: str
    metric: Callable[..., float]
    sign: int
    weight_request: bool | str | None = None

    def __call__(self, estimator, X, y, sample_weight=None):
        y_true, y_pred, by_step = _targets_and_prediction(estimator, X, y)
        if by_step:
            y_true, y_pred, sample_weight = steps_as_rows(y_true, y_pred, sample_weight)
        return self.sign * self.metric(y_true, y_pred, sample_weight=sample_weight)

    def __repr__(self):
        sign = "-" if self.sign < 0 else ""
        return f"<{self.name}: {sign}{self.metric.__name__} of predict, unknown targets left out>"

    def set_score_request(self, *, sample_weight):
        """Return a scorer that asks for `sample_weight` when metadata routing is enabled."""
        return replace(self, weight_request=sample_weight)

    def get_metadata_routing(self):
        """Return what the scorer asks for when metadata routing is enabled."""
        request = MetadataRequest(owner=self.name)
        request.score.add_request(param="sample_weight", alias=self.weight_request)
        return request


def _targets_and_prediction(estimator, X, y):
    estimator, X = _innermost(estimator, X)
    y_pred = estimator.predict(X)
    # `regressor_` is what TransformedTargetRegressor fitted: only it can align, only the whole can predict.
    forecaster, X = _innermost(getattr(estimator, "regressor_", estimator), X)
    align = getattr(forecaster, "_align_targets", None)
    by_step = getattr(forecaster, "_by_step", False)
    return (y if align is None else align(X, y)), y_pred, by_step


def _innermost(estimator, X):
    """Return the estimator inside fitted searches and Pipelines, and X as that estimator sees it."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            return estimator, X


mae_scorer = _AlignedScorer("mae_scorer", mean_absolute_error, sign=-1)
mse_scorer = _AlignedScorer("mse_scorer", mean_squared_error, sign=-1)
r2_scorer = _AlignedScorer("r2_scorer", r2_score, sign=1)
