"""Errors of forecasts that say how sure they are: quantiles, intervals, draws."""

import numpy as np

from skrnn._known_targets import KnownTargets, floats, is_ragged


def pinball(y_true, y_quantiles, quantiles, *, sample_weight=None, multioutput="uniform_average"):
    """Mean pinball loss of predicted quantiles over the known targets.

    For the quantile q it is ``max(q e, (q - 1) e)`` with the error ``e = y - prediction`` [1]_, so that of 10
    targets 1 lies below the best prediction of the quantile 0.1. The quantiles are averaged, then the known rows
    of each column, then the columns. Columns with nothing known are left out. With the quantile 0.5 alone it is
    half of the mean absolute error.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_quantiles : array-like of the same shape and one axis more, the last, of n_quantiles
        The predictions, as `predict_quantiles` gives them. They may be NaN only where the target is.
    quantiles : sequence of n_quantiles floats
        The levels of that last axis, each between 0 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one error a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The loss, in the units of the target. A column with nothing known is NaN among the raw values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes do not fit, the prediction of a known target is not finite, or
        `quantiles` are not as many numbers between 0 and 1 as the last axis is long.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978, equation (1.1).

    Examples
    --------
    >>> from skrnn.metrics import pinball
    >>> pinball([4.0, float("nan")], [[2.0, 5.0], [2.0, 5.0]], quantiles=[0.25, 0.75])
    0.375
    """
    levels = np.asarray(quantiles, dtype=float)
    if levels.ndim != 1 or len(levels) == 0 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"`quantiles` must be a sequence of numbers between 0 and 1, got {quantiles!r}.")
    targets = KnownTargets.read(y_true, y_quantiles, sample_weight, name="y_quantiles", values="quantiles")
    error = targets.error  # (n_samples, n_columns, n_quantiles)
    if error.shape[-1] != len(levels):
        raise ValueError(
            f"The last axis of `y_quantiles` must have the {len(levels)} `quantiles`, got {error.shape[-1]} values for "
            "each target."
        )
    loss = np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return targets.combine(targets.mean(loss), multioutput)


def coverage(y_true, lower, upper, *, sample_weight=None, multioutput="uniform_average"):
    """Share of the known targets that lie inside their predicted intervals, the bounds included.

    Intervals that are to hold 90 % of the targets should reach about 0.9; narrower ones with the same coverage
    are better, which coverage alone does not tell: see `pinball`. Each column is averaged over its known rows,
    then the columns are averaged. Columns with nothing known are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    lower, upper : array-like of the same shape
        The bounds. They may be NaN only where the target is, and infinite where there is no bound.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one share a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The share, between 0 and 1. A column with nothing known is NaN among the raw values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes differ, a bound of a known target is NaN, or a lower bound lies above its
        upper one.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.metrics import coverage
    >>> y_true = np.array([1.0, 2.0, 3.0, np.nan])
    >>> round(coverage(y_true, lower=np.full(4, 1.5), upper=np.full(4, 3.0)), 3)
    0.667
    """
    bounds = _stacked(lower, upper)  # lower and upper in a last axis
    targets = KnownTargets.read(y_true, bounds, sample_weight, name="lower, upper", values="both bounds", finite=False)
    low, high = targets.y_pred[..., 0], targets.y_pred[..., 1]
    if (low > high).any():
        row, column = np.argwhere(low > high)[0]
        raise ValueError(
            f"`lower` must be at most `upper`, got {low[row, column]} and {high[row, column]} in row {row}. Sort them, "
            "as in np.minimum(a, b) and np.maximum(a, b)."
        )
    inside = (low <= targets.y_true) & (targets.y_true <= high)
    return targets.combine(targets.mean(inside), multioutput)


def crps(y_true, y_samples, *, sample_weight=None, multioutput="uniform_average"):
    r"""Continuous ranked probability score of drawn forecasts over the known targets.

    For each target ``E|X - y| - E|X - X'| / 2``, where X and X' are drawn independently from the predicted
    distribution [1]_, here that of the n draws :math:`x_{(1)} \le \dots \le x_{(n)}`, each as likely as the others:

    .. math:: \frac{1}{n} \sum_i |x_i - y| - \frac{1}{n^2} \sum_i (2 i - n - 1) \, x_{(i)}

    That is exact for the draws as a distribution of their own, and not the "fair" estimator [2]_, which divides the
    second sum by n (n - 1): few draws are judged as few draws, and one draw has its absolute error. Sorting makes it
    O(n log n). Each column is averaged over its known rows, then the columns are averaged. Columns with nothing
    known are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown.
    y_samples : array-like of the same shape and one axis more, the last, of n_draws
        Draws from the predicted distribution of each target, in any order. They may be NaN only where the target
        is.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.
    multioutput : {"uniform_average", "raw_values"} or array-like, default="uniform_average"
        How to bring the columns together: their mean, one score a column, or their mean with these weights,
        an array of shape (n_columns,) or (horizon, n_outputs).

    Returns
    -------
    float, or ndarray of shape (n_columns,) or (horizon, n_outputs) for ``multioutput="raw_values"``
        The score, in the units of the target; 0 is perfect. A column with nothing known is NaN among the raw
        values.

    Raises
    ------
    ValueError
        If nothing is known, the shapes do not fit, there are no draws, or a draw for a known target is not finite.

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation", Journal of
       the American Statistical Association 102(477), 2007, equation (21).
    .. [2] C. A. T. Ferro, "Fair scores for ensemble forecasts", Quarterly Journal of the Royal Meteorological
       Society 140(683), 2014.

    Examples
    --------
    >>> from skrnn.metrics import crps
    >>> crps([3.0, float("nan")], [[1.0, 5.0], [1.0, 5.0]])  # E|X - y| = 2, and E|X - X'| = 2
    1.0
    """
    targets = KnownTargets.read(y_true, y_samples, sample_weight, name="y_samples", values="draws")
    error = np.sort(targets.y_pred - targets.y_true[..., None], axis=-1)  # (n_samples, n_columns, n_draws)
    n_draws = error.shape[-1]
    if n_draws == 0:
        raise ValueError("The last axis of `y_samples` must hold at least one draw, got none.")
    rank = np.arange(1, n_draws + 1)
    spread = error @ (2 * rank - n_draws - 1) / n_draws**2  # half of the mean distance of two draws
    return targets.combine(targets.mean(np.abs(error).mean(axis=-1) - spread), multioutput)


def _stacked(lower, upper):
    """Return the bounds with one axis more, the last: lower, upper. Lists of sequences stay lists."""
    if is_ragged(lower) and is_ragged(upper) and len(lower) == len(upper):
        return [_stacked(low, high) for low, high in zip(lower, upper, strict=True)]
    lower, upper = floats(lower), floats(upper)
    if lower.shape != upper.shape:
        raise ValueError(f"`lower` and `upper` must have the same shape, got {lower.shape} and {upper.shape}.")
    return np.stack([lower, upper], axis=-1)
