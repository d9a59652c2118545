"""Errors in units of what the naive forecast missed by on the training series, so that series can be compared."""

from dataclasses import dataclass

import numpy as np

from skrnn._known_targets import KnownTargets, floats, is_ragged, steps_as_rows
from skrnn._parameters import check_int


def mase(y_true, y_pred, y_train, seasonality=1, *, sample_weight=None, multioutput="uniform_average"):
    """Mean absolute scaled error over the known targets.

    The absolute error divided by the mean absolute error of the seasonal naive forecast on the training
    series [1]_, ``mean |y[t] - y[t - seasonality]|``: below 1 is better than that forecast was one season
    ahead. Each column is averaged over its known rows, then the columns are averaged. Columns with nothing
    known are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_pred : array-like of the same shape
        The predictions. They may be NaN only where the target is.
    y_train : array-like of shape (n_train,) or (n_train, n_outputs), or list of n_samples arrays (n_train_i,)
        The series that the scale is measured on, in the order of time: one for all targets, one for each
        output (the last axis of `y_true`), or, in a list, one for each row of `y_true`: a panel, where a row
        is the future of one series. Pairs with a NaN are skipped.
    seasonality : int, default=1
        Rows in a season, 24 for the days of an hourly series. 1 compares with the value before.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one error a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The error, without a unit. A column with nothing known is NaN among the raw values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, or the prediction of a known target is not finite; if a series
        of `y_train` has no two known values a season apart, repeats itself exactly (its scale is 0) or is
        infinite; or if there are not as many of them as outputs or rows.

    See Also
    --------
    mase_scorer : A scorer of it.

    References
    ----------
    .. [1] R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy", International
       Journal of Forecasting 22(4), 2006, section 3; with seasons as in the M4 competition.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import mase
    >>> y_train = [1.0, 3.0, 2.0, 4.0, 3.0, 5.0]  # misses by 1 from one season of 2 rows to the next
    >>> mase([4.0, 6.0, np.nan], [3.0, 5.5, 5.0], y_train, seasonality=2)
    0.75

    A panel, the futures of two series and the two series before them:

    >>> pasts = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0, 40.0])]
    >>> mase([[4.0, 5.0], [50.0, 60.0]], [[3.0, 3.0], [40.0, 40.0]], pasts)
    1.5
    """
    if not is_panel(y_train):
        return ScaledError.on(y_train, seasonality)(
            y_true, y_pred, sample_weight=sample_weight, multioutput=multioutput
        )
    if len(y_train) != len(y_true):
        raise ValueError(
            f"`y_train` must hold one series for each of the {len(y_true)} rows of `y_true` where it is a list, got "
            f"{len(y_train)} series. One series for all rows is an array of shape (n_train,)."
        )
    scale = np.array([_naive_error(floats(y), seasonality, f"series {i} of `y_train`") for i, y in enumerate(y_train)])
    if is_ragged(y_true) or is_ragged(y_pred):
        scale = steps_as_rows(y_true, y_pred, scale)[2]  # each step has the scale of its series
    targets = KnownTargets.read(y_true, y_pred, sample_weight)
    return targets.combine(targets.mean(np.abs(targets.error) / scale[:, None]), multioutput)


@dataclass(frozen=True)
class ScaledError:
    """The mean absolute error in units of `scale`, one number for all targets or one for each output."""

    scale: tuple[float, ...]

    __name__ = "mase"  # scorers show the name of their metric

    @classmethod
    def on(cls, y_train, seasonality):
        """Measure the scale on a series (n_train,) or on one for each output (n_train, n_outputs)."""
        past = floats(y_train)
        if past.ndim == 1:
            return cls((_naive_error(past, seasonality, "`y_train`"),))
        if past.ndim != 2:
            raise ValueError(
                "`y_train` must have shape (n_train,) or (n_train, n_outputs), or be a list of series (n_train_i,), "
                f"got {past.shape}."
            )
        names = getattr(y_train, "columns", range(past.shape[1]))
        each = zip(names, past.T, strict=True)
        return cls(tuple(_naive_error(y, seasonality, f"column {name!r} of `y_train`") for name, y in each))

    def __call__(self, y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
        targets = KnownTargets.read(y_true, y_pred, sample_weight)
        if len(self.scale) not in (1, targets.columns[-1]):
            raise ValueError(
                f"`y_train` must hold one series, or one for each of the {targets.columns[-1]} outputs (the last axis "
                f"of `y_true`), got {len(self.scale)} columns. One series for each row of `y_true` is a list of arrays."
            )
        scale = np.broadcast_to(self.scale, targets.columns).ravel()  # (n_columns,)
        return targets.combine(targets.mean(np.abs(targets.error)) / scale, multioutput)


def is_panel(y_train):
    """Whether there is one series for each row: a list of arrays, or an array of arrays."""
    if isinstance(y_train, np.ndarray):
        return is_ragged(y_train)
    return isinstance(y_train, list | tuple) and len(y_train) > 0 and all(np.ndim(past) > 0 for past in y_train)


def _naive_error(past, seasonality, name):
    """Return the mean absolute difference of values a season apart, which is the scale of a series (n_train,)."""
    check_int("seasonality", seasonality, low=1)
    if past.ndim != 1:
        raise ValueError(f"{name} must have shape (n_train_i,), got {past.shape}.")
    if np.isinf(past).any():
        raise ValueError(f"{name} must be finite, got {past[np.isinf(past)][0]}. Mark unknown values by NaN.")
    steps = np.abs(past[seasonality:] - past[:-seasonality])
    steps = steps[~np.isnan(steps)]
    if len(steps) == 0:
        raise ValueError(
            f"{name} must hold two known values that lie `seasonality` = {seasonality} rows apart, got {len(past)} "
            f"rows with {np.count_nonzero(~np.isnan(past))} known values. Give a longer series or a shorter season."
        )
    if not steps.any():
        raise ValueError(
            f"{name} must differ from one season of {seasonality} rows to the next, got values that repeat, so that "
            "the scale is 0. Leave it out, or take another error."
        )
    return float(steps.mean())
