"""Scorers that compare the forecasts of an estimator with the right rows, unknown targets left out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from skrnn._known_targets import steps_as_rows
from skrnn._point_errors import mean_absolute_error, mean_squared_error, r2_score, smape
from skrnn._scaled_errors import ScaledError, is_panel
from skrnn._tagging_scores import span_f1, token_accuracy


@dataclass(frozen=True, repr=False)
class AlignedScorer:
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


mae_scorer = AlignedScorer("mae_scorer", mean_absolute_error, sign=-1)
mse_scorer = AlignedScorer("mse_scorer", mean_squared_error, sign=-1)
r2_scorer = AlignedScorer("r2_scorer", r2_score, sign=1)
smape_scorer = AlignedScorer("smape_scorer", smape, sign=-1)
token_accuracy_scorer = AlignedScorer("token_accuracy_scorer", token_accuracy, sign=1)
span_f1_scorer = AlignedScorer("span_f1_scorer", span_f1, sign=1)


def mase_scorer(y_train, seasonality=1):
    """Make a scorer of minus the mean absolute scaled error.

    Like `mae_scorer` it leaves unknown targets out and puts forecasts in line with the series that an estimator
    with ``horizon=h`` was fitted with. The scale is measured once, here, so all folds of a cross-validation have
    the same.

    Parameters
    ----------
    y_train : array-like of shape (n_train,) or (n_train, n_outputs)
        The series that the scale is measured on, in the order of time, or one for each output. Pairs with a NaN
        are skipped.
    seasonality : int, default=1
        Rows in a season, 24 for the days of an hourly series.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y, sample_weight=None)``
        Larger is better, and 0 is perfect.

    Raises
    ------
    ValueError
        If `y_train` has no two known values a season apart, repeats itself exactly (its scale is 0), is infinite
        or a list of series.

    See Also
    --------
    mase : The error, for panels too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import TimeSeriesSplit, cross_val_score
    >>> from skrnn.metrics import mase_scorer
    >>> X = np.arange(24.0)[:, None]
    >>> y = 2 * X.ravel() + np.tile([0.0, 1.0], 12)  # up by 3, by 1, by 3, ...
    >>> scorer = mase_scorer(y)
    >>> cross_val_score(LinearRegression(), X, y, cv=TimeSeriesSplit(2), scoring=scorer).round(2)
    array([-0.24, -0.24])
    """
    if is_panel(y_train):
        raise ValueError(
            "`y_train` must be one series (n_train,) or one for each output (n_train, n_outputs), got a list of "
            f"{len(y_train)} series, of which a scorer cannot tell the rows. Take `mase` on predictions."
        )
    return AlignedScorer("mase_scorer", ScaledError.on(y_train, seasonality), sign=-1)
