"""Conformal intervals: the definition, and the coverage that it promises.

With n calibration rows that are exchangeable with a new one, an interval of coverage c holds it with probability
k / (n + 1), k being ceil((n + 1) c), when scores have no ties (Vovk et al. 2005; Lei et al. 2018, theorem 2).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer
from skrnn._conformal import Calibration, check_coverage
from skrnn._target_transform import TRANSFORMS

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # small nets of a few epochs


def rank_of(n, coverage):
    """ceil((n + 1) c) in whole numbers."""
    k = 0
    while k < (n + 1) * coverage - 1e-9:
        k += 1
    return k


def calibration_of(truth):
    return Calibration([np.zeros((*truth.shape, 1))], truth)


# -- the definition ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(n=st.integers(5, 60), coverage=st.sampled_from([0.1, 0.5, 0.8, 5 / 6, 0.3]), seed=st.integers(0, 10**6))
def test_the_widening_is_the_definition(n, coverage, seed):
    """Column by column, unknown truths left out."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 3))
    low = rng.normal(size=(n, 3)) - 1
    high = low + rng.uniform(0, 2, size=(n, 3))
    truth[rng.permutation(n)[: max(0, n - 6)], 1] = np.nan
    ours = calibration_of(truth).widening(low, high, coverage)
    for j in range(3):
        known = np.flatnonzero(~np.isnan(truth[:, j]))
        scores = sorted(max(low[i, j] - truth[i, j], truth[i, j] - high[i, j]) for i in known)
        assert ours[j] == scores[rank_of(len(known), coverage) - 1]


@pytest.mark.parametrize(
    "n, coverage, k", [(9, 0.9, 9), (99, 0.99, 99), (19, 0.95, 19), (10, 0.5, 6), (4, 0.2, 1), (24, 0.28, 7)]
)
def test_ranks_bear_numbers_that_are_no_binary_fractions(n, coverage, k):
    """25 * 0.28 are 7 rows, though floating point makes them 7.000000000000001."""
    truth = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))[:, None]
    assert calibration_of(truth).widening(np.zeros((n, 1)), np.zeros((n, 1)), coverage) == k


@pytest.mark.parametrize("coverage, needed", [(0.9, 9), (0.99, 99), (0.5, 1), (0.95, 19), (0.85, 6)])
def test_too_few_rows_say_how_many_are_needed(coverage, needed):
    for n, enough in [(needed, True), (needed - 1, False)]:
        truth = np.zeros((needed + 5, 2))
        truth[n:, 1] = np.nan  # the second column has fewer
        calibration, zeros = calibration_of(truth), np.zeros((needed + 5, 2))
        if enough:
            assert (calibration.widening(zeros, zeros, coverage) == 0).all()
        else:
            with pytest.raises(ValueError, match=rf"coverage={coverage} needs at least {needed} .* each step, got {n}"):
                calibration.widening(zeros, zeros, coverage)


@pytest.mark.parametrize("coverage", [0.05, 0.9, 0.999, np.float32(0.5)])
def test_coverages(coverage):
    assert check_coverage(coverage) == coverage


@pytest.mark.parametrize("coverage", [0, 1, 0.0, 1.0, -0.1, 1.5, 90, "0.9", None, np.nan, True, [0.9]])
def test_other_coverages_are_refused(coverage):
    with pytest.raises(ValueError, match=r"`coverage` must be a number between 0 and 1, such as 0.9, got"):
        check_coverage(coverage)


# -- what it promises ----------------------------------------------------------------------------------------------

N_TIMES = 4000


@pytest.mark.parametrize("n, coverage", [(9, 0.9), (20, 0.8), (37, 0.5), (19, 0.95)])
@pytest.mark.parametrize("own", ["none", "narrow", "wide"])
def test_coverage_is_exact_whatever_the_forecast(n, coverage, own):
    """Thousands of calibration sets, skewed errors, each with one new row; intervals of the net's own too."""
    rng = np.random.default_rng(0)
    truth = rng.exponential(size=(N_TIMES, n + 1, 2)) ** 1.5
    width = {"none": 0.0, "narrow": 0.1, "wide": 5.0}[own] * rng.uniform(0.5, 1.5, size=(N_TIMES, n + 1, 2))
    inside = np.zeros(2)
    for y, w in zip(truth, width, strict=True):
        widening = calibration_of(y[:-1]).widening(0.5 - w[:-1], 0.5 + w[:-1], coverage)
        inside += (0.5 - w[-1] - widening <= y[-1]) & (y[-1] <= 0.5 + w[-1] + widening)
    expected = rank_of(n, coverage) / (n + 1)
    error = np.sqrt(expected * (1 - expected) / N_TIMES)
    np.testing.assert_allclose(inside / N_TIMES, expected, atol=4 * error)


def independent(n_rows, seed):
    """Sequences that have nothing to do with each other; the second step is noisier, its noise skewed."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3, 2))
    noise = np.stack([rng.normal(size=n_rows), 3 * rng.exponential(size=n_rows)], axis=1)
    return X, X[:, -1] + noise * (0.3 + np.abs(X[:, :1, 0]))


NETS = {
    "points": {},
    "gaussian": {"loss": "gaussian"},
    "quantiles, two nets": {"loss": "quantile", "quantiles": (0.3, 0.5, 0.9), "n_nets": 2},
    "student_t, autoregressive": {"loss": "student_t", "decoder": "autoregressive"},
}


@pytest.mark.parametrize("coverage", [0.8, 0.5])
@pytest.mark.parametrize("name", NETS)
def test_intervals_of_a_fitted_net_hold_what_they_promise(name, coverage):
    """On the average over calibration sets, for each step by itself."""
    inside, n_fits, n_calibration = [], 12, 59
    X_new, y_new = independent(2000, seed=10**6)
    model = Seq2SeqForecaster("rnn", hidden_size=3, decoder="direct", max_epochs=4, lr=0.03)
    model.set_params(**NETS[name], calibration_fraction=n_calibration / 100)
    for seed in range(n_fits):
        lower, upper = (
            model.set_params(random_state=seed).fit(*independent(100, seed)).predict_interval(X_new, coverage)
        )
        assert lower.shape == upper.shape == (2000, 2)
        assert (lower <= upper).all()
        inside.append(((lower <= y_new) & (y_new <= upper)).mean(axis=0))
    expected = rank_of(n_calibration, coverage) / (n_calibration + 1)
    of_one = np.sqrt(expected * (1 - expected) / (n_calibration + 2))  # a fit's coverage has a beta distribution
    np.testing.assert_allclose(np.mean(inside, axis=0), expected, atol=4 * of_one / np.sqrt(n_fits) + 0.01)
    assert np.std(inside) > 0.2 * of_one


def test_wider_for_the_step_that_errs_more_and_for_more_coverage():
    X, y = independent(300, 0)
    model = Seq2SeqForecaster("rnn", hidden_size=3, max_epochs=5, calibration_fraction=0.3, random_state=0).fit(X, y)
    widths = [np.subtract(*model.predict_interval(X, coverage)[::-1]) for coverage in (0.5, 0.8, 0.95)]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()
    assert (widths[1][:, 0] < widths[1][:, 1]).all()
    np.testing.assert_allclose(widths[0], widths[0][:1].repeat(300, axis=0))  # points: alike for all rows


def test_a_net_that_learns_the_noise_has_intervals_of_different_width():
    X, y = independent(600, 0)
    model = Seq2SeqForecaster("gru", hidden_size=8, loss="gaussian", decoder="direct", calibration_fraction=0.2)
    lower, upper = model.set_params(max_epochs=30, random_state=0).fit(X, y).predict_interval(X, 0.8)
    noisy = np.abs(X[:, 0, 0])
    width = (upper - lower)[:, 1]
    assert width[noisy > 1.5].mean() > 1.5 * width[noisy < 0.3].mean()


@pytest.mark.parametrize("name", [None, "log1p", "sqrt"])
def test_intervals_stand_in_the_users_units(name):
    """Those of the transformed target, undone; a point forecast lies inside."""
    X, y = independent(200, 0)
    y = np.exp(y / 3)
    model = Seq2SeqForecaster("rnn", hidden_size=3, max_epochs=4, calibration_fraction=0.3, dtype="float64")
    model.set_params(target_transform=name, random_state=0).fit(X, y)
    lower, upper = model.predict_interval(X, 0.8)
    assert ((lower <= model.predict(X)) & (model.predict(X) <= upper)).all()
    z = y if name is None else TRANSFORMS[name].forward(y)
    theirs = model.set_params(target_transform=None).fit(X, z).predict_interval(X, 0.8)
    undo = (lambda z: z) if name is None else TRANSFORMS[name].inverse
    np.testing.assert_allclose([lower, upper], [undo(end) for end in theirs], rtol=1e-9)


def test_the_widening_of_a_fit_is_measured_on_the_rows_that_it_set_aside():
    """The last part of a series: what the net forecast there, how far off it was, column by column."""
    series = np.random.default_rng(0).normal(size=101).cumsum()
    X = SlidingWindowTransformer(5).fit_transform(series[:, None])
    model = Seq2SeqForecaster("gru", hidden_size=3, horizon=3, max_epochs=3, calibration_fraction=0.2, dtype="float64")
    model.set_params(random_state=0).fit(X, series)
    truth = np.stack([np.append(series[k:], np.full(k, np.nan)) for k in (1, 2, 3)], axis=1)
    forecast, (lower, upper) = model.predict(X), model.predict_interval(X, 0.7)
    np.testing.assert_allclose((lower + upper) / 2, forecast)
    aside = np.arange(80, 100)  # a fifth of the 100 rows with a future
    for k in range(3):
        errors = np.sort(np.abs(truth - forecast)[aside, k])
        n = (~np.isnan(errors)).sum()
        assert n == 20 - k
        np.testing.assert_allclose((upper - lower)[:, k] / 2, errors[rank_of(n, 0.7) - 1])


def test_rows_set_aside_do_not_train():
    series = np.random.default_rng(0).normal(size=101).cumsum()
    X = SlidingWindowTransformer(5).fit_transform(series[:, None])
    model = Seq2SeqForecaster("gru", hidden_size=3, horizon=2, max_epochs=3, calibration_fraction=0.2, random_state=0)
    whole = model.fit(X, series).predict(X[:50])
    changed = series.copy()
    changed[85:] *= 3  # behind the border and what reaches over it
    Z = SlidingWindowTransformer(5).fit_transform(changed[:, None])
    np.testing.assert_array_equal(model.fit(Z, changed).predict(X[:50]), whole)
    assert not np.array_equal(model.set_params(calibration_fraction=None).fit(X, series).predict(X[:50]), whole)


# -- errors --------------------------------------------------------------------------------------------------------


def test_without_rows_set_aside_there_is_no_interval():
    X, y = independent(60, 0)
    model = Seq2SeqForecaster("rnn", hidden_size=3, max_epochs=2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"coverage=0.9 needs rows .* calibration_fraction=None now"):
        model.predict_interval(X)
    model.set_params(calibration_fraction=0.1)
    with pytest.raises(ValueError, match="needs rows that were set aside"):
        model.predict_interval(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match="coverage=0.9 needs at least 9 calibration rows for each step, got 6"):
        model.predict_interval(X)
    lower, upper = model.predict_interval(X, 0.8)
    assert np.isfinite([lower, upper]).all()
    for coverage in (0, 1, 80):
        with pytest.raises(ValueError, match="`coverage` must be a number between 0 and 1"):
            model.predict_interval(X, coverage)
    model.set_params(calibration_fraction=None).fit(X, y)  # a new fit forgets the rows of the former one
    with pytest.raises(ValueError, match="needs rows that were set aside"):
        model.predict_interval(X, 0.8)


def test_rows_of_weight_zero_and_unknown_targets_calibrate_nothing():
    X, y = independent(120, 0)
    y[::2, 1] = np.nan
    weight = np.ones(120)
    weight[:80] = 0.0
    y[:80] += 1e3
    model = Seq2SeqForecaster("rnn", hidden_size=3, max_epochs=3, calibration_fraction=0.5, random_state=0)
    lower, upper = model.fit(X, y, sample_weight=weight).predict_interval(X, 0.5)
    assert (upper - lower).max() < 100
