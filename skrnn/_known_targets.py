"""What is known of the targets: one reading of targets, predictions and weights for every metric."""

from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class KnownTargets:
    """Targets and predictions with the columns in one axis, and what is known of them."""

    y_true: np.ndarray  # (n_samples, n_columns), 0 where unknown
    y_pred: np.ndarray  # (n_samples, n_columns), or (n_samples, n_columns, n_values) of each target; 0 where unknown
    known: np.ndarray  # (n_samples, n_columns), bool
    weight: np.ndarray  # (n_samples, n_columns), 0 where unknown
    columns: tuple[int, ...]  # the shape of a row

    @classmethod
    def read(cls, y_true, y_pred, sample_weight, *, name="y_pred", values=None, finite=True):
        """Check what a metric was given and bring it into one form.

        `name` is what a message calls the predictions. `values` says what their last axis holds where they have
        one more than the targets: quantiles or draws, of which each target has several. With ``finite=False``
        they may be infinite.
        """
        if is_ragged(y_true) or is_ragged(y_pred):
            y_true, y_pred, sample_weight = steps_as_rows(y_true, y_pred, sample_weight, name=name, values=values)
        y_true, y_pred = floats(y_true), floats(y_pred)
        if y_true.ndim not in (1, 2, 3):
            raise ValueError(
                "`y_true` must have shape (n_samples,), (n_samples, n_columns) or "
                f"(n_samples, horizon, n_outputs), got {y_true.shape}."
            )
        _check_same_shape(y_true, y_pred, name, values)
        columns = y_true.shape[1:] or (1,)
        rows = (len(y_true), prod(columns))
        y_true = y_true.reshape(rows)
        y_pred = y_pred.reshape(rows if values is None else (*rows, y_pred.shape[-1]))
        weight = row_weights(sample_weight, len(y_true))
        known = ~np.isnan(y_true)
        _refuse(known & ~np.isfinite(y_true), "y_true", y_true, "Mark unknown targets by NaN.")
        wrong = ~np.isfinite(y_pred) if finite else np.isnan(y_pred)
        _refuse(_over(known, y_pred) & wrong, name, y_pred, "Only unknown targets are skipped.")
        known &= weight[:, None] != 0
        if not known.any():
            raise ValueError(
                "`y_true` must hold at least one known target (with a weight other than 0), got "
                f"{y_true.size} entries, all NaN or of weight 0. Score more rows than the horizon is long."
            )
        y_true, y_pred = np.where(known, y_true, 0.0), np.where(_over(known, y_pred), y_pred, 0.0)
        return cls(y_true, y_pred, known, np.where(known, weight[:, None], 0.0), columns)

    @property
    def error(self):
        """Target less prediction, in the shape of the predictions; 0 where unknown."""
        return _over(self.y_true, self.y_pred) - self.y_pred

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
        if is_option(multioutput, "raw_values"):
            return values.reshape(self.columns)
        if is_option(multioutput, "uniform_average"):
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


def floats(values):
    """Return an array-like as a float array; the missing values of pandas become NaN."""
    if isinstance(values, pd.Series | pd.DataFrame):
        return values.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values, dtype=float)


def steps_as_rows(y_true, y_pred, sample_weight=None, *, name="y_pred", values=None):
    """Turn targets and predictions of each step into rows, so that all steps of all sequences count alike.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_steps[, n_outputs]), or list of arrays (n_steps_i[, n_outputs])
        Steps without a prediction (NaN in `y_pred`) are padding and left out.
    sample_weight : array-like of shape (n_samples,), default=None
    name : str, default="y_pred"
        What a message calls the predictions.
    values : str, default=None
        What the last axis of `y_pred` holds where it has one more than `y_true`.

    Returns
    -------
    y_true, y_pred : ndarray of shape (n_rows,) or (n_rows, n_outputs), `y_pred` with the axis of `values` behind
    sample_weight : ndarray of shape (n_rows,), or None
    """
    y_true, y_pred = ([floats(steps) for steps in sequences] for sequences in (y_true, y_pred))
    n_steps = [len(steps) for steps in y_pred]
    lead = None if values is None else -1  # the axes of a prediction that are those of its target
    if [steps.shape for steps in y_true] != [steps.shape[:lead] for steps in y_pred]:
        raise ValueError(
            f"`y_true` and `{name}` must have the same sequences and steps{_and_one_axis(values)}, got lengths such as "
            f"{[len(steps) for steps in y_true[:3]]} and {n_steps[:3]}, in {len(y_true)} and {len(y_pred)} sequences."
        )
    if sample_weight is not None:
        sample_weight = np.repeat(row_weights(sample_weight, len(y_pred)), n_steps)
    y_true, y_pred = np.concatenate(y_true), np.concatenate(y_pred)
    there = ~np.isnan(y_pred.reshape(len(y_pred), -1)).any(axis=1)
    return y_true[there], y_pred[there], None if sample_weight is None else sample_weight[there]


def is_ragged(values):
    """Whether there is one array for each sequence, of unequal lengths or in an object array."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and values.ndim == 1 and len(values) > 0 and np.ndim(values[0]) > 0
    if not isinstance(values, (list, tuple)) or not values:
        return False
    return all(np.ndim(steps) > 0 for steps in values) and len({len(steps) for steps in values}) > 1


def is_option(multioutput, name):
    """Whether `multioutput` is the option of this name; arrays are not compared with strings."""
    return isinstance(multioutput, str) and multioutput == name


def row_weights(sample_weight, n_samples):
    """Return the weights of the rows, shape (n_samples,), 1 where there are none."""
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n_samples,) or not np.isfinite(weight).all():
        raise ValueError(
            f"`sample_weight` must hold {n_samples} finite numbers, one for each row of `y_true`, "
            f"got {sample_weight!r}."
        )
    return weight


def _check_same_shape(y_true, y_pred, name, values):
    lead = y_pred.shape if values is None else y_pred.shape[:-1]
    if _trimmed(y_true.shape) == _trimmed(lead):
        return
    raise ValueError(
        f"`y_true` and `{name}` must have the same shape{_and_one_axis(values)}, got {y_true.shape} and "
        f"{y_pred.shape}. If `y_true` is the series itself and `{name}` its forecasts, take "
        "`skrnn.future_targets(y_true, horizon)` or a scorer of skrnn.metrics."
    )


def _and_one_axis(values):
    return "" if values is None else f", and the second one axis more, the last, of {values}"


def _trimmed(shape):
    """Return `shape` without axes of length 1 at its end: (n,), (n, 1) and (n, 1, 1) mean the same."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _over(of_targets, of_predictions):
    """Return (n_samples, n_columns) so that it broadcasts over predictions with an axis of values."""
    return of_targets if of_predictions.ndim == 2 else of_targets[..., None]


def _refuse(wrong, name, values, remedy):
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(f"`{name}` must be finite, got {values[place]} in row {place[0]}. {remedy}")
