"""Metrics skip unknown targets and equal scikit-learn's where all are known; scorers align forecasts."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skrnn.metrics import (
    mae_scorer,
    mean_absolute_error,
    mean_squared_error,
    mse_scorer,
    r2_score,
    r2_scorer,
)

METRICS = [mean_absolute_error, mean_squared_error, r2_score]
SCORERS = [mae_scorer, mse_scorer, r2_scorer]
NAN = np.nan


@st.composite
def targets_predictions_weights(draw):
    """Small whole numbers: sums are exact, so a constant column is constant for both implementations."""
    shape = (draw(st.integers(2, 7)), *draw(st.sampled_from([(), (1,), (3,), (2, 5)])))
    numbers = st.integers(-9, 9).map(float)
    y_true, y_pred = (
        draw(arrays(float, shape, elements=numbers)),
        draw(arrays(float, shape, elements=numbers)),
    )
    weight = st.none() | arrays(float, shape[0], elements=st.integers(1, 4).map(float))
    return y_true, y_pred, draw(weight)


def flat(values):
    return values.reshape(len(values), -1)


@pytest.mark.parametrize("metric", METRICS)
@given(case=targets_predictions_weights(), multioutput=st.sampled_from(["uniform_average", "raw_values"]))
@settings(deadline=None)
def test_equal_to_scikit_learn_where_everything_is_known(metric, case, multioutput):
    y_true, y_pred, weight = case
    reference = getattr(sklearn.metrics, metric.__name__)
    expected = reference(flat(y_true), flat(y_pred), sample_weight=weight, multioutput=multioutput)
    got = metric(y_true, y_pred, sample_weight=weight, multioutput=multioutput)
    assert_allclose(np.ravel(got), np.ravel(expected), rtol=1e-12, atol=1e-12)


@given(case=targets_predictions_weights())
@settings(deadline=None)
def test_variance_weighted_r2_is_equal_to_scikit_learn(case):
    y_true, y_pred, weight = case
    kwargs = {"sample_weight": weight, "multioutput": "variance_weighted"}
    expected = sklearn.metrics.r2_score(flat(y_true), flat(y_pred), **kwargs)
    assert_allclose(r2_score(y_true, y_pred, **kwargs), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@given(case=targets_predictions_weights(), data=st.data())
@settings(deadline=None)
def test_unknown_entries_are_as_if_they_were_not_there(metric, case, data):
    """Each column alone, cut down to its known rows, through scikit-learn."""
    y_true, y_pred, weight = case
    y_true[data.draw(arrays(bool, y_true.shape))] = NAN
    weight = np.ones(len(y_true)) if weight is None else weight
    reference = getattr(sklearn.metrics, metric.__name__)
    enough = 2 if metric is r2_score else 1
    expected = np.full(flat(y_true).shape[1], NAN)
    for column, (true, pred) in enumerate(zip(flat(y_true).T, flat(y_pred).T, strict=True)):
        known = ~np.isnan(true)
        if known.sum() >= enough:
            expected[column] = reference(true[known], pred[known], sample_weight=weight[known])
    if np.isnan(expected).all():
        return  # the two tests of undefined scores
    got = metric(y_true, y_pred, sample_weight=weight, multioutput="raw_values")
    assert got.shape == (y_true.shape[1:] or (1,))
    assert_allclose(got.ravel(), expected, rtol=1e-12, atol=1e-12)
    assert_allclose(metric(y_true, y_pred, sample_weight=weight), np.nanmean(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_result_is_a_plain_float(metric):
    assert type(metric([1.0, 2.0, NAN], [1.0, 3.0, 5.0])) is float


@pytest.mark.parametrize("metric", METRICS)
def test_column_weights(metric):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(7, 2, 3)), rng.normal(size=(7, 2, 3))
    y_true[:, 1, 2] = NAN  # this column's weight drops out of the mean
    weight = np.array([[1.0, 0.0, 2.0], [3.0, 1.0, 5.0]])
    raw = metric(y_true, y_pred, multioutput="raw_values")
    known = ~np.isnan(raw)
    expected = np.average(raw[known], weights=weight[known])
    assert metric(y_true, y_pred, multioutput=weight) == pytest.approx(expected)


def test_pandas_and_missing_values_of_pandas_are_read():
    y_true = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Float64"), "b": [2.0, 2.0, NAN]})
    assert mean_absolute_error(y_true, np.zeros((3, 2))) == 2.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(5, 1), (5, 1, 1)])
def test_axes_of_length_one_at_the_end_do_not_matter(metric, shape):
    y_true, y_pred = np.arange(5.0), np.array([0.0, 2.0, 2.0, 4.0, 4.0])
    expected = metric(y_true, y_pred)
    assert metric(y_true, y_pred.reshape(shape)) == expected
    assert metric(y_true.reshape(shape), y_pred) == expected


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "shapes", [((5,), (5, 3)), ((5, 3), (5, 2)), ((5, 6), (5, 2, 3)), ((4,), (5,)), ((5, 1, 3), (5, 3))]
)
def test_different_shapes_are_refused(metric, shapes):
    with pytest.raises(ValueError, match="must have the same shape.*future_targets"):
        metric(np.zeros(shapes[0]), np.zeros(shapes[1]))


@pytest.mark.parametrize("metric", METRICS)
def test_bad_input_is_refused(metric):
    zeros = np.zeros((5, 2))
    with pytest.raises(ValueError, match="`y_true` must have shape"):
        metric(np.zeros((2, 3, 5, 7)), np.zeros((2, 3, 5, 7)))
    with pytest.raises(ValueError, match="at least one known target"):
        metric(np.full((5, 2), NAN), zeros)
    with pytest.raises(ValueError, match="at least one known target"):
        metric(zeros[:0], zeros[:0])
    with pytest.raises(ValueError, match="at least one known target"):
        metric(zeros, zeros, sample_weight=np.zeros(5))
    with pytest.raises(ValueError, match="`y_true` must be finite, got inf in row 3"):
        metric(np.where(np.arange(10).reshape(5, 2) == 7, np.inf, 0.0), zeros)
    with pytest.raises(ValueError, match="`sample_weight` must hold 5 finite numbers"):
        metric(zeros, zeros, sample_weight=np.ones(4))
    with pytest.raises(ValueError, match="`multioutput` must be"):
        metric(zeros, zeros, multioutput="mean")
    with pytest.raises(ValueError, match=r"weights of shape \(2,\)"):
        metric(zeros, zeros, multioutput=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="`multioutput` must give a weight other than 0"):
        metric(zeros, zeros, multioutput=[0.0, 0.0])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [NAN, np.inf])
def test_a_prediction_may_be_missing_only_where_the_target_is(metric, value):
    y_true = np.array([1.0, 2.0, NAN, 4.0])
    assert np.isfinite(metric(y_true, [1.0, 2.0, value, 4.0]))
    with pytest.raises(ValueError, match="`y_pred` must be finite, got .* in row 1"):
        metric(y_true, [1.0, value, 3.0, 4.0])


def test_r2_of_too_few_targets_is_undefined():
    y_true = np.array([[1.0, NAN, 1.0], [2.0, NAN, NAN], [4.0, NAN, NAN]])
    raw = r2_score(y_true, np.zeros((3, 3)), multioutput="raw_values")
    assert np.isnan(raw).tolist() == [False, True, True]
    assert r2_score(y_true, np.zeros((3, 3))) == raw[0]
    assert r2_score(y_true, np.zeros((3, 3)), multioutput="variance_weighted") == raw[0]
    constant = np.array([[7.0, NAN], [7.0, NAN]])  # no variance to weight with: as in scikit-learn, uniform
    assert r2_score(constant, np.full((2, 2), 7.0), multioutput="variance_weighted") == 1.0
    for multioutput in ["uniform_average", "variance_weighted", "raw_values"]:
        with pytest.warns(UndefinedMetricWarning, match="fewer than two known targets"):
            score = r2_score([1.0, NAN], [1.0, 1.0], multioutput=multioutput)
        assert np.isnan(score).all()


class Drift(RegressorMixin, BaseEstimator):
    """A stand-in for a skrnn forecaster: step k of the forecast is the first channel plus ``k * slope``."""

    def __init__(self, slope=1.0, horizon=3):
        self.slope = slope
        self.horizon = horizon

    def fit(self, X, y, sample_weight=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, :1] + self.slope * np.arange(1, self.horizon + 1)

    def _align_targets(self, X, y):
        later = np.concatenate([np.asarray(y, dtype=float), np.full(self.horizon, NAN)])
        return np.stack([later[k : k + len(X)] for k in range(1, self.horizon + 1)], axis=1)


def double(X):
    return 2.0 * X


def halve(X):
    return X / 2.0


def series(n_times=40, slope=2.0):
    y = slope * np.arange(n_times, dtype=float)
    return y[:, None].copy(), y


def test_scorers_compare_forecasts_with_the_futures_within_the_rows():
    X, y = series(slope=2.0)
    drift = Drift(slope=1.0).fit(X, y)  # step k of the forecast misses by k
    assert mae_scorer(drift, X, y) == pytest.approx(-(1 + 2 + 3) / 3)
    assert mse_scorer(drift, X, y) == pytest.approx(-(1 + 4 + 9) / 3)
    assert r2_scorer(drift.set_params(slope=2.0), X, y) == 1.0


def test_scorers_use_each_rows_weight():
    X, y = series(n_times=5)
    y[3] += 10.0  # row 2 forecasts it one step ahead
    drift = Drift(slope=2.0, horizon=1).fit(X, y)
    assert mae_scorer(drift, X, y) == pytest.approx(-10 / 4)  # X has not seen the jump: only one row misses
    assert mae_scorer(drift, X, y, sample_weight=[1, 1, 6, 1, 1]) == pytest.approx(-60 / 9)
    assert mae_scorer(drift, X, y, np.array([1, 1, 0, 1, 1])) == 0.0


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_look_inside_pipelines_searches_and_target_transforms(scorer):
    X, y = series(slope=2.0)
    expected = scorer(Drift(slope=1.5).fit(X, y), X, y)
    halved, doubling = halve(X), FunctionTransformer(double)
    pipe = make_pipeline(doubling, Drift(slope=1.5))
    nested = make_pipeline(make_pipeline(doubling), pipe[-1:])
    search = GridSearchCV(pipe, {"drift__slope": [1.5]}, cv=TimeSeriesSplit(3), scoring=scorer)
    inner = make_pipeline(doubling, Drift(slope=0.75))  # learns y / 2
    target = TransformedTargetRegressor(inner, func=halve, inverse_func=double)
    for estimator in [pipe, nested, search, make_pipeline("passthrough", search)]:
        assert scorer(estimator.fit(halved, y), halved, y) == pytest.approx(expected)
    quarter = X / 4  # forecasts from X / 2, doubled on the way out
    assert scorer(target.fit(quarter, y), quarter, y) == pytest.approx(expected)


@pytest.mark.parametrize("scorer", SCORERS)
def test_other_estimators_are_scored_against_y(scorer):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    y = X @ [1.0, -2.0] + rng.normal(size=30)
    pipe = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
    reference = {
        "mae_scorer": "neg_mean_absolute_error",
        "mse_scorer": "neg_mean_squared_error",
        "r2_scorer": "r2",
    }[scorer.name]
    expected = sklearn.metrics.get_scorer(reference)(pipe, X, y)
    assert scorer(pipe, X, y) == pytest.approx(expected)
    with_unknown = y.copy()
    with_unknown[::4] = NAN
    known = ~np.isnan(with_unknown)
    assert scorer(pipe, X, with_unknown) == pytest.approx(scorer(pipe, X[known], y[known]))


def test_scorers_work_in_cross_validation_and_search():
    X, y = series(slope=2.0)
    scores = cross_val_score(Drift(slope=1.0), X, y, cv=TimeSeriesSplit(3), scoring=mae_scorer)
    assert_allclose(scores, [-2.0] * 3)
    both = {"mae": mae_scorer, "mse": mse_scorer}
    result = cross_validate(Drift(slope=1.0), X, y, cv=TimeSeriesSplit(3), scoring=both)
    assert_allclose(result["test_mae"], [-2.0] * 3)
    assert_allclose(result["test_mse"], [-14 / 3] * 3)
    grid = {"slope": [1.0, 2.0, 5.0]}
    search = GridSearchCV(Drift(), grid, cv=TimeSeriesSplit(3), scoring=mse_scorer, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"slope": 2.0}
    assert search.score(X, y) == 0.0
    assert clone(search).scoring == mse_scorer


def test_scorers_work_in_permutation_importance():
    X, y = series(slope=2.0)
    X = np.column_stack([X, np.zeros(len(X))])  # the second channel is not used
    weight = np.linspace(1.0, 2.0, len(y))
    drift = Drift(slope=2.0).fit(X, y)
    result = permutation_importance(drift, X, y, scoring=mae_scorer, n_repeats=2, sample_weight=weight, random_state=0)
    assert result.importances_mean[0] > 1
    assert result.importances_mean[1] == 0


def test_scorers_pass_weights_on_when_metadata_routing_asks_for_them():
    X, y = series(n_times=40)
    y[30:] += 10.0
    weight = np.where(np.arange(40) < 29, 1.0, 0.0)  # what the jump touches weighs nothing
    weighted = mae_scorer.set_score_request(sample_weight=True)
    drift = Drift(slope=2.0, horizon=1)
    with sklearn.config_context(enable_metadata_routing=True):
        drift.set_fit_request(sample_weight=False)
        kwargs = {"cv": TimeSeriesSplit(2, test_size=15), "params": {"sample_weight": weight}}
        assert cross_val_score(drift, X, y, scoring=weighted, **kwargs).tolist() == [0.0, 0.0]
    assert cross_val_score(drift, X, y, scoring=mae_scorer, cv=kwargs["cv"])[1] < 0
    assert mae_scorer.weight_request is None  # the scorer of the module is not changed


@pytest.mark.parametrize("scorer", [*SCORERS, mae_scorer.set_score_request(sample_weight=True)])
def test_scorers_pickle(scorer):
    again = pickle.loads(pickle.dumps(scorer))
    X, y = series()
    drift = Drift().fit(X, y)
    assert again == scorer
    assert again(drift, X, y) == scorer(drift, X, y)


def test_scorers_say_what_they_are():
    assert repr(mae_scorer) == "<mae_scorer: -mean_absolute_error of predict, unknown targets left out>"
    assert repr(r2_scorer) == "<r2_scorer: r2_score of predict, unknown targets left out>"
