"""What nets give beside points: losses, distributions, scales of errors, transforms, all against a second opinion."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows
from skrnn._distributions import LARGEST_SCORE, Distribution
from skrnn._labelled import Labelled
from skrnn._naive_errors import naive_errors
from skrnn._target_transform import TRANSFORMS, transformed_targets, untransformed
from skrnn._targets import Targets
from skrnn._teacher_forcing import DECAYS, check_teacher_forcing, forcing_ratio
from skrnn._validation import check_sequences
from skrnn.nn._distributions import Emission
from skrnn.nn._losses import GaussianLoss, PinballLoss, SmapeMaseLoss, StudentTLoss

LEVELS = (0.05, 0.3, 0.5, 0.9)
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of 2 epochs


def drawn(kind, shape=(3, 5), seed=0):
    """Parameters (*shape, n_parameters) in float64."""
    rng = np.random.default_rng(seed)
    location, scale = rng.normal(size=shape), rng.uniform(0.1, 3.0, size=shape)
    if kind == "gaussian":
        return np.stack([location, scale], axis=-1)
    if kind == "student_t":
        return np.stack([location, scale, rng.uniform(2.1, 30.0, size=shape)], axis=-1)
    return location[..., None] + rng.normal(size=(*shape, len(LEVELS))).cumsum(axis=-1).__abs__().cumsum(axis=-1)


def theirs(kind, parameters):
    """scipy's distribution."""
    if kind == "gaussian":
        return stats.norm(parameters[..., 0], parameters[..., 1])
    return stats.t(parameters[..., 2], parameters[..., 0], parameters[..., 1])


# -- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
def test_likelihoods_equal_torchs(kind, shape):
    parameters = torch.from_numpy(drawn(kind, shape))
    y = torch.from_numpy(5 * np.random.default_rng(1).normal(size=shape))
    location, scale, *df = parameters.unbind(-1)
    distribution = (
        torch.distributions.StudentT(*df, location, scale) if df else torch.distributions.Normal(location, scale)
    )
    loss = (StudentTLoss if df else GaussianLoss)(reduction="none")
    ours = loss(parameters, y)
    assert ours.shape == shape
    torch.testing.assert_close(ours, -distribution.log_prob(y), rtol=1e-12, atol=1e-12)
    assert torch.equal(loss.point(parameters), location)


@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
def test_gradients_of_likelihoods(kind):
    """Through the constraints, from any numbers."""
    emission = Emission(kind, {"gaussian": 2, "student_t": 3}[kind])
    loss, y = {"gaussian": GaussianLoss, "student_t": StudentTLoss}[kind](), torch.tensor([0.5, -2.0, 3.0]).double()
    raw = torch.randn(3, emission.n_parameters, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda raw: loss(emission.constrain(raw), y), raw.requires_grad_(), fast_mode=True)


def test_pinball_of_forecasts_equals_scikit_learns():
    predicted, y = drawn("quantile"), np.random.default_rng(1).normal(size=(3, 5))
    loss = PinballLoss(LEVELS)(torch.from_numpy(predicted), torch.from_numpy(y))
    expected = np.mean([mean_pinball_loss(y.ravel(), predicted[..., k].ravel(), alpha=q) for k, q in enumerate(LEVELS)])
    assert float(loss.mean()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("transform", [None, "log1p", "sqrt"])
def test_smape_mase_is_measured_in_the_users_units(transform):
    rng = np.random.default_rng(0)
    forecast, truth, units, offsets = rng.uniform(0.2, 2.0, size=(4, 3, 5))
    naive = rng.uniform(0.5, 3.0, size=(3, 5))
    undo = {None: lambda z: z, "log1p": np.expm1, "sqrt": np.square}[transform]
    f, y = undo(forecast * units + offsets), undo(truth * units + offsets)
    expected = 7 * 2 * np.abs(y - f) / (np.abs(y) + np.abs(f)) + np.abs(y - f) / naive
    args = [torch.from_numpy(part) for part in (forecast, truth, units, offsets, naive)]
    ours = SmapeMaseLoss(transform, smape_weight=7.0, reduction="none")(*args)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("transform", [None, "log1p", "sqrt"])
def test_smape_mase_and_its_gradient_stay_finite(transform):
    forecast = torch.tensor([[0.0, -3.0, 1e5, 1e-12, -1e5]], requires_grad=True)
    others = [torch.tensor([[0.0, 1.0, 3.0, 0.0, 2.0]]), torch.ones(1, 5), torch.zeros(1, 5), torch.ones(1, 5)]
    loss = SmapeMaseLoss(transform)(forecast, *others)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert forecast.grad.isfinite().all()
    assert loss[0, 0] == 0


# -- what a net's numbers become -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    raw=st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3),
    kind=st.sampled_from(["gaussian", "student_t", "quantile"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_any_numbers_become_parameters(raw, kind, dtype):
    """Ascending quantiles; a scale above 0; degrees of freedom for which there is a variance, in float32 too."""
    emission = Emission(kind, n_parameters := 2 if kind == "gaussian" else 3)
    parameters = emission.constrain(torch.tensor(raw[:n_parameters], dtype=dtype))
    assert parameters.dtype == dtype
    if kind == "quantile":
        assert parameters.tolist() == sorted(torch.tensor(raw, dtype=dtype).tolist())
        return
    assert parameters[0] == raw[0]
    assert (parameters[1:] > 0).all()
    deviation = Distribution(kind).deviation(parameters.double().numpy())
    assert np.isfinite(deviation)
    assert deviation > 0
    assert deviation < 20 * float(parameters[1])


@pytest.mark.parametrize("kind", ["point", "quantile", "gaussian", "student_t"])
def test_a_shift_moves_the_location_or_every_quantile(kind):
    n_parameters = {"point": 1, "quantile": 3, "gaussian": 2, "student_t": 3}[kind]
    emission = Emission(kind, n_parameters, central=1 if kind == "quantile" else 0)
    parameters, offset = torch.rand(2, 5, n_parameters), torch.rand(2, 5)
    shifted = emission.shift(parameters, offset)
    moved = {"point": [0], "quantile": [0, 1, 2]}.get(kind, [0])
    for k in range(n_parameters):
        torch.testing.assert_close(shifted[..., k], parameters[..., k] + offset * (k in moved))
    assert torch.equal(emission.point(shifted), shifted[..., emission.central])


# -- distributions in numpy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "student_t"])
def test_quantiles_deviations_and_scores_equal_scipys(kind):
    parameters, distribution = drawn(kind), Distribution(kind)
    levels = np.array([1e-9, 0.01, 0.3, 0.5, 0.77, 0.999])
    ours = distribution.quantiles(parameters, levels)
    assert ours.shape == (3, 5, 6)
    np.testing.assert_allclose(ours, theirs(kind, parameters[..., None, :]).ppf(levels), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(distribution.deviation(parameters), theirs(kind, parameters).std(), rtol=1e-10)
    y = theirs(kind, parameters).ppf(np.random.default_rng(2).uniform(1e-6, 1 - 1e-6, size=(3, 5)))
    expected = stats.norm.ppf(theirs(kind, parameters).cdf(y))
    np.testing.assert_allclose(distribution.scores(parameters, y), expected, rtol=1e-8, atol=1e-10)
    assert distribution.has_spread


def cdf_of_quantiles(values, y):
    """Normal scores of y: between two quantiles, and beyond the outermost, a straight line."""
    knots = stats.norm.ppf(LEVELS)
    k = 0
    while k < len(knots) - 2 and y >= values[k + 1]:
        k += 1
    return knots[k] + (y - values[k]) / (values[k + 1] - values[k]) * (knots[k + 1] - knots[k])


def test_between_two_quantiles_and_beyond_the_last_the_distribution_is_normal():
    parameters, distribution = drawn("quantile"), Distribution("quantile", LEVELS)
    levels = np.array([0.001, 0.05, 0.1, 0.3, 0.4, 0.7, 0.9, 0.99])
    knots, scores = stats.norm.ppf(LEVELS), stats.norm.ppf(levels)
    ours = distribution.quantiles(parameters, levels)
    for row, quantiles in zip(parameters.reshape(-1, 4), ours.reshape(-1, 8), strict=True):
        expected = np.interp(scores, knots, row)
        low, high = np.diff(row)[[0, -1]] / np.diff(knots)[[0, -1]]
        expected[0] = row[0] + (scores[0] - knots[0]) * low
        expected[-1] = row[-1] + (scores[-1] - knots[-1]) * high
        np.testing.assert_allclose(quantiles, expected, rtol=1e-10, atol=1e-10)
        of_rows = [cdf_of_quantiles(row, y) for y in quantiles]
        np.testing.assert_allclose(of_rows, scores, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(distribution.quantiles(parameters, np.array(LEVELS)), parameters)


def test_quantiles_of_a_normal_distribution_are_that_distribution():
    distribution = Distribution("quantile", LEVELS)
    parameters = 3.0 + 2.0 * stats.norm.ppf(LEVELS)
    levels = np.array([1e-6, 0.2, 0.6, 0.99])
    np.testing.assert_allclose(distribution.quantiles(parameters, levels), stats.norm(3, 2).ppf(levels), rtol=1e-10)
    assert distribution.deviation(parameters) == pytest.approx(2.0, rel=1e-10)


def test_the_deviation_of_quantiles_is_an_integral():
    parameters, distribution = drawn("quantile", (3,)), Distribution("quantile", LEVELS)
    for row, ours in zip(parameters, distribution.deviation(parameters), strict=True):

        def value(z, row=row):
            return distribution.from_scores(row, np.array(z)) * stats.norm.pdf(z)

        def square(z, row=row):
            return distribution.from_scores(row, np.array(z)) ** 2 * stats.norm.pdf(z)

        breaks = stats.norm.ppf(LEVELS)
        mean, second = (integrate.quad(f, -12, 12, points=breaks, limit=200)[0] for f in (value, square))
        assert ours == pytest.approx(np.sqrt(second - mean**2), rel=0.01)  # 64 nodes, lines with corners


kinds = st.sampled_from(["gaussian", "student_t", "quantile"])


@settings(deadline=None, max_examples=80)
@given(kind=kinds, seed=st.integers(0, 10**6), levels=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=9))
def test_quantiles_ascend_and_scores_undo_them(kind, seed, levels):
    distribution = Distribution(kind, LEVELS if kind == "quantile" else ())
    parameters = drawn(kind, (2, 3), seed)
    levels = np.sort(levels)
    quantiles = distribution.quantiles(parameters, levels)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    scores = distribution.scores(parameters[..., None, :], quantiles)
    np.testing.assert_allclose(scores, np.broadcast_to(stats.norm.ppf(levels), scores.shape), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(distribution.from_scores(parameters[..., None, :], scores), quantiles, atol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "student_t", "quantile"])
def test_scores_are_bounded_and_unknown_where_the_value_is(kind):
    distribution = Distribution(kind, LEVELS if kind == "quantile" else ())
    parameters = drawn(kind, (3,))
    scores = distribution.scores(parameters, np.array([1e12, -1e12, np.nan]))
    bound = LARGEST_SCORE if kind != "student_t" else 7.0  # its tails are heavy
    assert bound <= scores[0] <= LARGEST_SCORE
    assert -LARGEST_SCORE <= scores[1] <= -bound
    assert np.isnan(scores[2])


def test_quantiles_that_are_equal():
    """A sorted net may give the same number twice."""
    distribution = Distribution("quantile", LEVELS)
    parameters = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    quantiles = distribution.quantiles(parameters, np.array([0.01, 0.4, 0.99]))
    np.testing.assert_array_equal(quantiles[0], 1.0)
    assert quantiles[1, 1] == 1.0
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert distribution.deviation(parameters)[0] == pytest.approx(0, abs=1e-6)
    for values in (0.0, 1.0, 1.5, 2.0):
        assert np.isfinite(distribution.scores(parameters, np.full(3, values))).all()


@pytest.mark.parametrize("distribution", [Distribution("point"), Distribution("quantile", (0.4,))], ids=str)
def test_one_number_has_no_spread(distribution):
    assert not distribution.has_spread
    parameters = np.array([[1.0], [2.0], [3.0]])
    quantiles = distribution.quantiles(parameters, np.array([0.1, 0.9]))
    np.testing.assert_array_equal(quantiles, [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])


@pytest.mark.parametrize("kind, name", [("gaussian", "log1p"), ("quantile", "log1p"), ("gaussian", "sqrt")])
def test_the_deviation_behind_a_transform_is_an_integral(kind, name):
    """`predict(return_std=True)` is in the user's units."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3, 2)), rng.uniform(1, 9, size=(60, 2))
    model = Seq2SeqForecaster("rnn", hidden_size=3, decoder="direct", loss=kind, target_transform=name, max_epochs=20)
    model.set_params(random_state=0, quantiles=(0.1, 0.5, 0.9)).fit(X, y)
    paths = model.sample(X[:3], n_samples=40_000, random_state=0)
    deviation = model.predict(X[:3], return_std=True)[1]
    np.testing.assert_allclose(deviation, paths.std(axis=-1), rtol=0.05)


@pytest.mark.parametrize("name", ["log1p", "sqrt"])
def test_students_t_behind_a_transform_has_no_deviation(name):
    """Its exponential has none, its square only from 4 degrees of freedom on."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3, 2)), rng.uniform(1, 9, size=(60, 2))
    model = Seq2SeqForecaster("rnn", hidden_size=3, loss="student_t", target_transform=name, max_epochs=2)
    model.set_params(random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=rf"target_transform='{name}' .* Take predict_quantiles"):
        model.predict(X, return_std=True)
    assert np.isfinite(model.predict_quantiles(X)).all()
    assert np.isfinite(model.sample(X, n_samples=5)).all()


# -- scales of errors ----------------------------------------------------------------------------------------------


def naive_by_loop(series, seasonality):
    """Mean |y_t - y_(t - m)| over a list of pieces without holes."""
    errors = [abs(p[t] - p[t - seasonality]) for p in series for t in range(seasonality, len(p))]
    return np.mean(errors) if errors else 0.0


@pytest.mark.parametrize("seasonality", [1, 3])
def test_naive_errors_of_a_panel_with_holes(seasonality):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(40, 2)) * np.repeat([1.0, 10.0, 100.0], [17, 12, 11])[:, None]
    start = np.repeat([0, 9, 17, 29], [9, 8, 12, 11])  # the first series has a hole before row 9
    series = np.repeat([0, 1, 2], [17, 12, 11])
    sequences = check_sequences(Windows(base, np.arange(40), start, series, 5))
    pieces = {0: [base[:9, 1], base[9:17, 1]], 1: [base[17:29, 1]], 2: [base[29:, 1]]}
    expected = np.array([naive_by_loop(pieces[code], seasonality) for code in series])
    np.testing.assert_allclose(naive_errors(base[:, 1], sequences, seasonality), expected, rtol=1e-12)
    some = np.array([3, 4, 20, 35, 36, 39])  # windows read rows 0-4, 16-20 (from 17 on), 31-39
    pieces = {0: [base[:5, 1]], 1: [base[17:21, 1]], 2: [base[31:, 1]]}
    expected = np.array([naive_by_loop(pieces[code], seasonality) for code in series[some]])
    np.testing.assert_allclose(naive_errors(base[:, 1], sequences.take(some), seasonality), expected, rtol=1e-12)


@pytest.mark.parametrize("seasonality", [1, 2])
def test_naive_errors_of_sequences_of_their_own(seasonality):
    rng = np.random.default_rng(0)
    rows = [scale * rng.normal(size=(length, 2)) for length, scale in [(5, 1.0), (7, 10.0), (1, 1.0), (3, 100.0)]]
    sequences = check_sequences(rows)
    found = [naive_by_loop([row[:, 1]], seasonality) for row in rows]
    found[2] = np.median([found[0], found[1], found[3]])  # one step has no difference
    np.testing.assert_allclose(naive_errors(sequences.base[:, 1], sequences, seasonality), found, rtol=1e-12)


def test_series_that_never_change_get_the_median_of_the_others():
    base = np.concatenate([np.full(6, 2.0), [0, 1, 0, 1, 0, 1], [0, 3, 0, 3, 0, 3.0]])[:, None]
    starts, series = np.repeat([0, 6, 12], 6), np.repeat([0, 1, 2], 6)
    sequences = check_sequences(Windows(base, np.arange(18), starts, series, 3))
    np.testing.assert_allclose(naive_errors(base[:, 0], sequences, 1), np.repeat([2.0, 1.0, 3.0], 6))
    np.testing.assert_allclose(naive_errors(np.zeros(18), sequences, 1), 1.0)


def test_smape_mase_is_minimised_in_the_users_units():
    """The training loss of a net that does not learn is what the formula gives for its forecasts."""
    rng = np.random.default_rng(0)
    series = 20 + rng.normal(size=43).cumsum()
    X = SlidingWindowTransformer(5).fit_transform(series[:, None])
    model = Seq2SeqForecaster("gru", hidden_size=3, horizon=2, loss="smape_mase", lr=1e-12, max_epochs=1)
    model.set_params(dtype="float64", batch_size=100, teacher_forcing=0.0, target_transform="log1p", random_state=0)
    model.set_params(net_params={"criterion__seasonality": 3, "criterion__smape_weight": 4.0}).fit(X, series)
    y = np.full((43, 2), np.nan)
    y[:-1, 0], y[:-2, 1] = series[1:], series[2:]
    f, known = model.predict(X), ~np.isnan(y)
    naive = np.abs(series[3:-1] - series[:-4]).mean()  # the last row has no future and is not trained on
    error = np.abs(f - y)
    expected = (4 * 2 * error / (np.abs(f) + np.abs(y)) + error / naive)[known].mean()
    assert model.history_["train_loss"].iloc[0] == pytest.approx(expected, rel=1e-6)


# -- transforms ----------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(TRANSFORMS)), st.floats(0, 1e12))
def test_transforms_are_undone(name, value):
    value = np.array([value])
    np.testing.assert_allclose(untransformed(TRANSFORMS[name].forward(value), name), value, rtol=1e-9, atol=1e-12)


@given(st.sampled_from(sorted(TRANSFORMS)), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5).map(np.sort))
def test_what_is_undone_keeps_its_order_and_stays_finite(name, values):
    """So that quantiles may be taken before; a net may give any number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restored = untransformed(values, name)
    assert np.isfinite(restored).all()
    assert (np.diff(restored) >= 0).all()
    assert not TRANSFORMS[name].refuses(restored[restored > -1]).any()


@pytest.mark.parametrize(
    "name, wrong, message",
    [
        ("log1p", -1.0, "greater than -1, got -1"),
        ("log1p", -7.5, "got -7.5"),
        ("sqrt", -1e-3, "at least 0, got -0.001"),
    ],
)
def test_values_that_have_no_transform_are_refused(name, wrong, message):
    series = np.random.default_rng(0).uniform(1, 2, size=(20, 2))
    X = SlidingWindowTransformer(3).fit_transform(series)
    model = Seq2SeqForecaster("rnn", hidden_size=2, target_transform=name, max_epochs=1, random_state=0)
    y = np.stack([np.append(series[1:, 1], np.nan), np.append(series[2:, 1], [np.nan, np.nan])], axis=1)
    model.fit(X, y)  # NaN is unknown, not wrong
    y[4, 1] = wrong
    with pytest.raises(ValueError, match=f"{name}.*needs targets .*{message} among those of row 4"):
        model.fit(X, y)
    y[4, 1] = 1.0
    series[7, 1] = wrong
    with pytest.raises(ValueError, match=f"{name}.*needs values .*{message} in a target's own past in X"):
        model.predict(SlidingWindowTransformer(3).fit_transform(series))
    series[7] = 1.0, 1.0
    series[7, 0] = -50.0  # another channel may be anything
    assert np.isfinite(model.predict(SlidingWindowTransformer(3).fit_transform(series))).all()


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_transforms_go_over_targets_and_their_own_past_only(name):
    base = np.random.default_rng(0).uniform(0, 5, size=(11, 3))
    before = base.copy()
    sequences = check_sequences(SlidingWindowTransformer(3).fit_transform(base))
    values = np.stack([base[:, 1], base[:, 1] + 1], axis=1)
    targets = Targets(values, (2,), channels=np.array([1, 1]), shifts=np.array([0, 0]))
    done = transformed_targets(Labelled(sequences, targets, None), name)
    forward = TRANSFORMS[name].forward
    np.testing.assert_allclose(done.targets.values, forward(targets.values))
    rows = slice(done.sequences.first.min(), done.sequences.last.max() + 1)
    np.testing.assert_allclose(done.sequences.base[rows][:, 1], forward(before[:, 1]))
    np.testing.assert_array_equal(done.sequences.base[rows][:, [0, 2]], before[:, [0, 2]])
    np.testing.assert_array_equal(base, before)


@pytest.mark.parametrize("name, grows", [("log1p", 1.0), ("sqrt", 0.5)])
def test_a_transform_evens_out_a_series_whose_spread_grows(name, grows):
    """Forecasts are those of a net that was given the transformed series, undone."""
    level = 50 * np.exp(np.random.default_rng(0).normal(size=41).cumsum() / 5)
    X = SlidingWindowTransformer(5).fit_transform(level[:, None])
    model = Seq2SeqForecaster("gru", hidden_size=4, horizon=3, max_epochs=3, random_state=0, dtype="float64")
    ours = model.set_params(target_transform=name).fit(X, level).predict(X)
    z = TRANSFORMS[name].forward(level)
    Z = SlidingWindowTransformer(5).fit_transform(z[:, None])
    theirs = model.set_params(target_transform=None).fit(Z, z).predict(Z)
    np.testing.assert_allclose(ours, TRANSFORMS[name].inverse(theirs), rtol=1e-8)


# -- how often the truth is fed ------------------------------------------------------------------------------------


@given(st.sampled_from(DECAYS), st.floats(0, 1), st.floats(0, 1))
def test_ratios_fall_from_1_to_0(name, a, b):
    low, high = sorted([a, b])
    assert 1 >= forcing_ratio(name, low) >= forcing_ratio(name, high) >= 0


@pytest.mark.parametrize(
    "name, begin, middle, end",
    [("linear", 1, 0.5, 0), ("exponential", 1, 0.1, 0.01), ("inverse_sigmoid", 0.9933, 0.5, 0.0067)],
)
def test_ratios_by_hand(name, begin, middle, end):
    assert [forcing_ratio(name, share) for share in (0, 0.5, 1)] == pytest.approx([begin, middle, end], abs=1e-4)


@pytest.mark.parametrize("ratio", [0, 0.3, 1])
def test_a_number_stays(ratio):
    check_teacher_forcing(ratio)
    assert {forcing_ratio(ratio, share) for share in (0, 0.5, 1)} == {float(ratio)}


@pytest.mark.parametrize("wrong", [-0.1, 1.1, "cosine", None, True, np.nan])
def test_other_ratios_are_refused(wrong):
    with pytest.raises((ValueError, TypeError), match="teacher_forcing"):
        check_teacher_forcing(wrong)
