"""Errors of one forecast for each target: absolute, squared, relative, and the share of variance explained."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skrnn._known_targets import KnownTargets, is_option


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
    targets = KnownTargets.read(y_true, y_pred, sample_weight)
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
    targets = KnownTargets.read(y_true, y_pred, sample_weight)
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
    targets = KnownTargets.read(y_true, y_pred, sample_weight)
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
    if is_option(multioutput, "variance_weighted"):
        spread[np.isnan(scores)] = 0
        multioutput = spread.reshape(targets.columns) if spread.any() else "uniform_average"
    return targets.combine(scores, multioutput)


def smape(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """Symmetric mean absolute percentage error over the known targets, in percent.

    For each column the mean over its known rows of ``200 |y - prediction| / (|y| + |prediction|)``, which is
    0 where both are 0: the form of the M4 competition [1]_. It lies between 0 and 200, has no unit, and is 200
    wherever the two have different signs or one of them alone is 0, so it is for targets that stay well above
    0. The columns are then averaged. Columns with nothing known are left out.

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
        The error, in percent. A column with nothing known is NaN among the raw values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, or the prediction of a known target is not finite.

    See Also
    --------
    mase : An error without a unit for targets of any size and sign.

    References
    ----------
    .. [1] S. Makridakis, E. Spiliotis and V. Assimakopoulos, "The M4 Competition: 100,000 time series and 61
       forecasting methods", International Journal of Forecasting 36(1), 2020, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import smape
    >>> smape([100.0, 0.0, np.nan], [300.0, 0.0, 7.0])
    50.0
    """
    targets = KnownTargets.read(y_true, y_pred, sample_weight)
    size = np.abs(targets.y_true) + np.abs(targets.y_pred)
    share = np.divide(np.abs(targets.error), size, out=np.zeros_like(size), where=size != 0)
    return targets.combine(targets.mean(200 * share), multioutput)
