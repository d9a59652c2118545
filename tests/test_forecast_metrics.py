"""Errors made for forecasts equal plain loops and scikit-learn, skip unknown targets, and serve as scorers."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn.metrics import (
    coverage,
    crps,
    mae_scorer,
    mase,
    mase_scorer,
    mean_absolute_error,
    pinball,
    smape,
    smape_scorer,
)
from skrnn.regressor import RNNRegressor
from skrnn.windows import SlidingWindowTransformer, future_targets

NAN = np.nan
SHAPES = [(), (1,), (3,), (2, 5)]  # of a row
LEVELS = [0.1, 0.5, 0.75]
PAST = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0])


def interval_coverage(y_true, bounds, **kwargs):
    """`coverage` with its bounds in a last axis, as `pinball` and `crps` have their values."""
    if isinstance(bounds, list):
        return coverage(y_true, [b.min(axis=-1) for b in bounds], [b.max(axis=-1) for b in bounds], **kwargs)
    bounds = np.asarray(bounds)
    return coverage(y_true, bounds.min(axis=-1), bounds.max(axis=-1), **kwargs)


def three_quantiles(y_true, y_quantiles, **kwargs):
    return pinball(y_true, y_quantiles, LEVELS, **kwargs)


def against_past(y_true, y_pred, **kwargs):
    return mase(y_true, y_pred, PAST, 2, **kwargs)


# What each metric says of one target, in plain Python.


def smape_of(y, f):
    return 0.0 if abs(y) + abs(f) == 0 else 200 * abs(y - f) / (abs(y) + abs(f))


def mase_of(y, f):
    return abs(y - f) / np.mean([abs(PAST[t] - PAST[t - 2]) for t in range(2, len(PAST))])


def pinball_of(y, values):
    return np.mean([q * (y - f) if y > f else (1 - q) * (f - y) for q, f in zip(LEVELS, values, strict=True)])


def coverage_of(y, values):
    return float(min(values) <= y <= max(values))


def crps_of(y, draws):
    pairs = [abs(a - b) for a in draws for b in draws]
    return np.mean([abs(a - y) for a in draws]) - np.mean(pairs) / 2


METRICS = {  # metric, the same of one target, how many predictions a target has (None: no axis of them)
    "smape": (smape, smape_of, None),
    "mase": (against_past, mase_of, None),
    "pinball": (three_quantiles, pinball_of, 3),
    "coverage": (interval_coverage, coverage_of, 2),
    "crps": (crps, crps_of, 4),
}
each_metric = pytest.mark.parametrize("metric, of_one, n_values", METRICS.values(), ids=METRICS)


@st.composite
def cases(draw, n_values):
    """Targets, some unknown, predictions and weights."""
    shape = (draw(st.integers(1, 6)), *draw(st.sampled_from(SHAPES)))
    numbers = st.integers(-9, 9).map(float)
    y_true = draw(arrays(float, shape, elements=st.just(NAN) | numbers))
    y_pred = draw(arrays(float, shape if n_values is None else (*shape, n_values), elements=numbers))
    return y_true, y_pred, draw(st.none() | arrays(float, shape[0], elements=st.integers(1, 4).map(float)))


def looped(of_one, y_true, y_pred, weight):
    """One error a column, by a loop over its known rows."""
    weight = np.ones(len(y_true)) if weight is None else weight
    values = np.full(y_true.shape[1:], NAN)
    for column in np.ndindex(y_true.shape[1:]):
        rows = [row for row in range(len(y_true)) if not np.isnan(y_true[(row, *column)])]
        if rows:
            each = [of_one(y_true[(row, *column)], y_pred[(row, *column)]) for row in rows]
            values[column] = np.average(each, weights=weight[rows])
    return values


@each_metric
@given(data=st.data())
@settings(deadline=None)
def test_equal_to_a_loop_over_the_known_targets(metric, of_one, n_values, data):
    y_true, y_pred, weight = data.draw(cases(n_values))
    expected = looped(of_one, y_true, y_pred, weight)
    if np.isnan(expected).all():
        with pytest.raises(ValueError, match="at least one known target"):
            metric(y_true, y_pred, sample_weight=weight)
        return
    raw = metric(y_true, y_pred, sample_weight=weight, multioutput="raw_values")
    assert raw.shape == (y_true.shape[1:] or (1,))
    assert_allclose(raw, expected.reshape(raw.shape), atol=1e-12)
    assert_allclose(metric(y_true, y_pred, sample_weight=weight), np.nanmean(expected), atol=1e-12)
    column_weights = np.arange(1.0, raw.size + 1).reshape(raw.shape)
    known = ~np.isnan(raw)
    got = metric(y_true, y_pred, sample_weight=weight, multioutput=column_weights)
    assert_allclose(got, np.average(raw[known], weights=column_weights[known]), atol=1e-12)


@each_metric
def test_what_is_predicted_for_unknown_targets_does_not_matter(metric, of_one, n_values):
    rng = np.random.default_rng(0)
    y_true = np.array([[1.0, NAN, 3.0], [NAN, NAN, 2.0]])
    y_pred = rng.normal(size=y_true.shape if n_values is None else (*y_true.shape, n_values))
    expected = metric(y_true, y_pred)
    assert type(expected) is float
    y_pred[np.isnan(y_true)] = NAN
    assert metric(y_true, y_pred) == expected
    y_pred[0, 2] = NAN
    with pytest.raises(ValueError, match="must be finite, got nan in row 0. Only unknown targets are skipped"):
        metric(y_true, y_pred)


@each_metric
def test_sequences_of_unequal_lengths_count_each_step_alike(metric, of_one, n_values):
    rng = np.random.default_rng(1)
    y_true = [np.array([1.0, NAN]), np.array([2.0, 3.0, 5.0])]
    y_pred = [rng.normal(size=y.shape if n_values is None else (*y.shape, n_values)) for y in y_true]
    weight = [2.0, 1.0]
    got = metric(y_true, y_pred, sample_weight=weight)
    expected = metric(np.concatenate(y_true), np.concatenate(y_pred), sample_weight=[2, 2, 1, 1, 1])
    assert got == pytest.approx(expected)
    with pytest.raises(ValueError, match="must have the same sequences and steps|must have the same shape"):
        metric(y_true[::-1], y_pred)


@each_metric
def test_pandas_and_an_axis_of_one_are_read(metric, of_one, n_values):
    index = pd.date_range("2024-01-01", periods=3)
    y_true = pd.Series(pd.array([3, None, 5], dtype="Int64"), index=index)
    y_pred = np.array([2.0, 7.0, 5.0]) if n_values is None else np.arange(3.0 * n_values).reshape(3, n_values)
    expected = metric(np.array([3.0, NAN, 5.0]), y_pred)
    given = pd.Series(y_pred, index=index) if n_values is None else pd.DataFrame(y_pred, index=index)
    assert metric(y_true, given) == expected
    assert metric(y_true.to_frame(), y_pred.reshape(3, 1, *y_pred.shape[1:])) == expected
    assert metric(y_true, y_pred.reshape(3, 1, *y_pred.shape[1:])) == expected


@pytest.mark.parametrize("shapes", [((5,), (5,)), ((5, 3), (5, 2, 4)), ((5, 3), (5, 3)), ((4,), (5, 4))])
@pytest.mark.parametrize("metric, name", [(crps, "y_samples"), (lambda y, f: pinball(y, f, LEVELS), "y_quantiles")])
def test_shapes_that_do_not_fit_are_refused(metric, name, shapes):
    with pytest.raises(ValueError, match=f"`y_true` and `{name}` must have the same shape, and the second one axis"):
        metric(np.zeros(shapes[0]), np.zeros(shapes[1]))


# ------------------------------------------------------------------------------------------------------ smape


@given(y=st.floats(-1e6, 1e6), f=st.floats(-1e6, 1e6), factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_smape_is_symmetric_bounded_and_has_no_unit(y, f, factor):
    error = smape([y], [f])
    assert 0 <= error <= 200
    assert smape([f], [y]) == error
    if min(abs(y), abs(f)) > 1e-100:
        assert smape([factor * y], [factor * f]) == pytest.approx(error)


def test_smape_of_two_zeros_is_zero():
    assert smape([0.0, 0.0, 0.0], [0.0, -0.0, 5.0], multioutput="raw_values").tolist() == [pytest.approx(200 / 3)]


# ------------------------------------------------------------------------------------------------------- mase


def test_the_naive_forecast_of_the_training_series_has_an_error_of_one():
    past = np.random.default_rng(2).normal(size=50).cumsum()
    for seasonality in (1, 7):
        naive = past[:-seasonality]
        assert mase(past[seasonality:], naive, past, seasonality) == pytest.approx(1)
        assert mase(past[seasonality:], naive, past * 4, seasonality) == pytest.approx(1 / 4)


def test_each_output_has_the_scale_of_its_own_series():
    rng = np.random.default_rng(3)
    past = pd.DataFrame(rng.normal(size=(20, 2)) * [1.0, 100.0], columns=["load", "price"])
    y_true, y_pred = rng.normal(size=(7, 3, 2)), rng.normal(size=(7, 3, 2))
    raw = mase(y_true, y_pred, past, 5, multioutput="raw_values")
    assert raw.shape == (3, 2)
    for output, name in enumerate(past):
        alone = mase(y_true[..., output], y_pred[..., output], past[name], 5, multioutput="raw_values")
        assert_allclose(raw[:, output], alone)
    flat = mase(y_true[:, 0], y_pred[:, 0], past.to_numpy(), 5, multioutput="raw_values")
    assert_allclose(flat, raw[0])
    assert mase(y_true, y_pred, past[["load"]], 5) == mase(y_true, y_pred, past["load"], 5)


def test_each_row_of_a_panel_has_the_scale_of_its_own_series():
    rng = np.random.default_rng(4)
    pasts = [size * rng.normal(size=n) for n, size in ((9, 1.0), (6, 10.0), (12, 100.0))]
    y_true, y_pred = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    y_true[1, 2:] = NAN
    weight = np.array([1.0, 2.0, 5.0])
    alone = np.array([
        [NAN if np.isnan(y) else mase([y], [f], past, 2) for y, f in zip(*row, strict=True)]
        for past, *row in zip(pasts, y_true, y_pred, strict=True)
    ])  # fmt: skip
    columns = [np.average(c[~np.isnan(c)], weights=weight[~np.isnan(c)]) for c in alone.T]
    raw = mase(y_true, y_pred, pasts, 2, sample_weight=weight, multioutput="raw_values")
    assert_allclose(raw, columns)
    as_objects = np.empty(3, dtype=object)
    as_objects[:] = pasts
    for same in (tuple(pasts), as_objects, [pd.Series(past) for past in pasts]):
        assert_allclose(mase(y_true, y_pred, same, 2, sample_weight=weight), np.mean(columns))
    padded = np.full((3, 14), NAN)
    for row, past in enumerate(pasts):
        padded[row, : len(past)] = past
    assert_allclose(mase(y_true, y_pred, list(padded), 2, sample_weight=weight), np.mean(columns))


def test_a_panel_may_have_futures_of_unequal_lengths():
    y_true, y_pred = [np.array([1.0, 3.0]), np.array([5.0])], [np.array([2.0, 3.0]), np.array([1.0])]
    pasts = [np.array([0.0, 2.0]), np.array([0.0, 8.0, 0.0])]  # scales 2 and 8
    assert mase(y_true, y_pred, pasts) == pytest.approx((1 / 2 + 0 + 4 / 8) / 3)


def test_unknown_values_of_the_training_series_are_skipped_in_pairs():
    past = [1.0, 3.0, NAN, 10.0, 16.0, NAN, NAN]  # known pairs: 2 and 6
    assert mase([1.0], [5.0], past) == 4 / 4
    assert mase([1.0], [5.0], pd.Series(pd.array(past, dtype="Float64"))) == 4 / 4


@pytest.mark.parametrize(
    "y_train, seasonality, message",
    [
        (
            [1.0, 2.0],
            2,
            "`y_train` must hold two known values that lie `seasonality` = 2 rows apart, got 2 rows with 2",
        ),
        ([1.0, NAN, 2.0], 1, "= 1 rows apart, got 3 rows with 2 known values. Give a longer series"),
        ([], 1, "`y_train` must hold two known values"),
        (
            [1.0, 2.0, 1.0, 2.0],
            2,
            "`y_train` must differ from one season of 2 rows to the next, got values that repeat",
        ),
        ([1.0, np.inf], 1, "`y_train` must be finite, got inf. Mark unknown values by NaN."),
        (np.ones((2, 3, 5)), 1, "`y_train` must have shape (n_train,) or (n_train, n_outputs), or be a list"),
        (np.eye(5), 1, "one for each of the 3 outputs (the last axis of `y_true`), got 5 columns"),
        (np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 2.0]]), 1, "column 1 of `y_train` must differ"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 3.0]}), 1, "column 'b' of `y_train` must differ"),
        ([PAST, np.ones(4)], 1, "series 1 of `y_train` must differ"),
        ([PAST, PAST[:3]], 3, "series 1 of `y_train` must hold two known values"),
        ([PAST, np.ones((4, 2))], 1, "series 1 of `y_train` must have shape (n_train_i,), got (4, 2)."),
        ([PAST], 1, "one series for each of the 2 rows of `y_true` where it is a list, got 1 series"),
        (PAST, 0, "`seasonality` must be an int of at least 1, got 0."),
        (PAST, 1.0, "`seasonality` must be an int of at least 1, got 1.0."),
    ],
)
def test_training_series_without_a_scale_are_refused(y_train, seasonality, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mase(np.zeros((2, 3)), np.ones((2, 3)), y_train, seasonality)


# ---------------------------------------------------------------------------------------------------- pinball


@given(data=st.data(), level=st.floats(0.01, 0.99))
@settings(deadline=None)
def test_pinball_is_equal_to_scikit_learn(data, level):
    n_samples, n_columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    numbers = st.floats(-100, 100)
    y_true = data.draw(arrays(float, (n_samples, n_columns), elements=numbers))
    y_pred = data.draw(arrays(float, (n_samples, n_columns), elements=numbers))
    expected = sklearn.metrics.mean_pinball_loss(y_true, y_pred, alpha=level, multioutput="raw_values")
    got = pinball(y_true, y_pred[..., None], [level], multioutput="raw_values")
    assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_pinball_averages_over_quantiles():
    rng = np.random.default_rng(5)
    y_true, y_pred, levels = rng.normal(size=(7, 2)), rng.normal(size=(7, 2, 3)), [0.9, 0.2, 0.5]
    each = [sklearn.metrics.mean_pinball_loss(y_true, y_pred[..., k], alpha=level) for k, level in enumerate(levels)]
    assert pinball(y_true, y_pred, levels) == pytest.approx(np.mean(each))
    half = mean_absolute_error(y_true, y_pred[..., 0]) / 2
    assert pinball(y_true, y_pred[..., :1], [0.5]) == pytest.approx(half)


@pytest.mark.parametrize("quantiles", [[0.0, 0.5], [0.5, 1.0], [], 0.5, [[0.5]], [0.5, NAN]])
def test_levels_that_are_no_quantiles_are_refused(quantiles):
    with pytest.raises(ValueError, match="`quantiles` must be a sequence of numbers between 0 and 1, got"):
        pinball(np.zeros(3), np.zeros((3, 2)), quantiles)


def test_pinball_needs_a_level_for_each_quantile():
    message = "The last axis of `y_quantiles` must have the 3 `quantiles`, got 2 values for each target."
    with pytest.raises(ValueError, match=re.escape(message)):
        pinball(np.zeros(5), np.zeros((5, 2)), LEVELS)


# --------------------------------------------------------------------------------------------------- coverage


def test_the_bounds_are_inside_and_may_be_infinite():
    y_true = np.array([1.0, 2.0, 3.0, 4.0, NAN])
    assert coverage(y_true, np.full(5, 2.0), np.full(5, 3.0)) == 0.5
    assert coverage(y_true, np.full(5, -np.inf), np.full(5, 3.0)) == 0.75
    assert coverage(y_true, np.full(5, 3.5), np.full(5, np.inf)) == 0.25


def test_coverage_of_quantiles_is_the_distance_of_their_levels():
    y = np.random.default_rng(6).normal(size=(20_000, 2))
    lower, upper = (np.full(y.shape, np.quantile(y, level)) for level in (0.05, 0.85))
    assert coverage(y, lower, upper) == pytest.approx(0.8, abs=1e-4)


def test_bounds_that_are_none_are_refused():
    zeros = np.zeros((3, 2))
    with pytest.raises(ValueError, match=re.escape("`lower` must be at most `upper`, got 1.0 and 0.0 in row 0.")):
        coverage(zeros, zeros + 1, zeros)
    with pytest.raises(
        ValueError, match=re.escape("`lower` and `upper` must have the same shape, got (3,) and (3, 2)")
    ):
        coverage(zeros, zeros[:, 0], zeros)
    with pytest.raises(ValueError, match="`y_true` and `lower, upper` must have the same shape"):
        coverage(zeros[:, 0], zeros, zeros)
    unknown = np.where(np.arange(6).reshape(3, 2) == 3, NAN, 0.0)
    assert coverage(unknown, zeros + np.isnan(unknown), zeros) == 1  # crossed where nothing is known


# ------------------------------------------------------------------------------------------------------- crps


def test_one_draw_has_its_absolute_error():
    y_true, y_pred = np.array([1.0, 5.0, NAN]), np.array([3.0, 4.0, 0.0])
    assert crps(y_true, y_pred[:, None]) == mean_absolute_error(y_true, y_pred)


@given(data=st.data(), shift=st.integers(-5, 5))
@settings(deadline=None)
def test_crps_is_the_area_between_the_distributions(data, shift):
    """The integral over x of (share of draws <= x  -  [y <= x])^2, with steps at whole numbers."""
    draws = data.draw(arrays(float, data.draw(st.integers(1, 7)), elements=st.integers(-9, 9).map(float)))
    y = float(data.draw(st.integers(-9, 9)))
    area = sum((np.mean(draws <= x) - (y <= x)) ** 2 for x in range(-10, 10))
    assert crps([y], draws[None]) == pytest.approx(area, abs=1e-12)
    assert crps([y + shift], draws[None] + shift) == pytest.approx(area, abs=1e-12)
    assert crps([3 * y], 3 * draws[None]) == pytest.approx(3 * area, abs=1e-12)


def test_crps_of_many_normal_draws_is_that_of_the_normal_distribution():
    draws = np.random.default_rng(7).normal(size=(1, 100_000))
    assert crps([0.0], draws) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=0.005)


def test_crps_keeps_its_digits_at_a_high_level():
    draws = np.random.default_rng(8).normal(size=(1, 1000))
    assert crps([1e9], draws + 1e9) == pytest.approx(crps([0.0], draws), rel=1e-6)


def test_crps_needs_a_draw():
    with pytest.raises(ValueError, match="must hold at least one draw, got none"):
        crps(np.zeros(3), np.zeros((3, 0)))


# ---------------------------------------------------------------------------------------------------- scorers


def wave(n_times):
    t = np.arange(n_times)
    return pd.Series(10 + np.sin(t / 3) + 0.1 * np.cos(t), index=pd.date_range("2024-01-01", periods=n_times), name="y")


SCORERS = {"smape": smape_scorer, "mase": mase_scorer(wave(40), 7), "mase_1": mase_scorer(wave(40))}


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_scorers_pickle(scorer):
    again = pickle.loads(pickle.dumps(scorer))
    X = np.arange(5.0)[:, None]
    model = LinearRegression().fit(X, [1.0, 2.0, 2.0, 5.0, 3.0])
    assert again == scorer
    assert again(model, X, [2.0, NAN, 2.0, 2.0, 7.0]) == scorer(model, X, [2.0, NAN, 2.0, 2.0, 7.0]) < 0


def test_scorers_with_other_scales_differ():
    assert SCORERS["mase"] != SCORERS["mase_1"]


def test_scorers_say_what_they_are():
    assert repr(smape_scorer) == "<smape_scorer: -smape of predict, unknown targets left out>"
    assert repr(SCORERS["mase"]) == "<mase_scorer: -mase of predict, unknown targets left out>"


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_scorers_compare_a_nets_forecasts_with_its_futures_in_cross_validation():
    y = wave(60)
    pipe = make_pipeline(
        SlidingWindowTransformer(5), RNNRegressor(horizon=3, hidden_size=2, max_epochs=2, random_state=0)
    )
    split = TimeSeriesSplit(2, test_size=15)
    found = {
        name: cross_val_score(pipe, y.to_frame(), y, cv=split, scoring=scorer)
        for name, scorer in {**SCORERS, "mae": mae_scorer}.items()
    }
    for fold, (train, test) in enumerate(split.split(y)):
        forecasts = pipe.fit(y.to_frame().iloc[train], y.iloc[train]).predict(y.to_frame().iloc[test])
        truth = future_targets(y.iloc[test], 3)
        assert np.isnan(truth.to_numpy()).any()
        assert found["smape"][fold] == -smape(truth, forecasts)
        assert found["mase"][fold] == pytest.approx(-mase(truth, forecasts, wave(40), 7))
    scale = np.abs(np.diff(wave(40))).mean()
    assert_allclose(found["mase_1"], found["mae"] / scale)


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_the_scorer_scales_each_output_of_a_net():
    both = pd.DataFrame({"a": wave(40), "b": 100 * wave(40)[::-1].to_numpy()})
    pipe = make_pipeline(
        SlidingWindowTransformer(5), RNNRegressor(horizon=3, hidden_size=2, max_epochs=2, random_state=0)
    )
    pipe.fit(both, both)
    score = mase_scorer(both, 7)(pipe, both, both)
    forecasts = pipe.predict(both)
    assert forecasts.shape == (40, 3, 2)
    each = [mase(future_targets(both[name], 3), forecasts[..., k], both[name], 7) for k, name in enumerate(both)]
    assert score == pytest.approx(-np.mean(each))


def test_a_scorer_of_a_panel_is_refused():
    with pytest.raises(ValueError, match=re.escape("got a list of 2 series, of which a scorer cannot tell the rows")):
        mase_scorer([PAST, PAST])
    assert mase_scorer(PAST.tolist()) == mase_scorer(PAST)
    with pytest.raises(ValueError, match="`y_train` must differ"):
        mase_scorer(np.ones(5))
