"""Whole paths of a forecast: their marginals, what ties their steps together, seeds and shapes."""

import numpy as np
import pytest
import torch
from scipy import stats

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer
from skrnn._distributions import Distribution
from skrnn._paths import by_series, correlation_factor, draw_paths, side_by_side

HORIZON, HIDDEN = 5, 4
QUANTILES = (0.1, 0.3, 0.5, 0.8)

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell", "ignore:quantiles=")


def rows_of(n_rows=120, n_outputs=None, seed=0, correlation=0.0):
    """Independent sequences; errors of neighbouring steps are correlated."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3, 2))
    noise = rng.normal(size=(n_rows, HORIZON, n_outputs or 1))
    for k in range(1, HORIZON):
        noise[:, k] = correlation * noise[:, k - 1] + np.sqrt(1 - correlation**2) * noise[:, k]
    y = X[:, -1:, :1] + noise
    return X, y if n_outputs else y[..., 0]


def fitted(X, y, **params):
    model = Seq2SeqForecaster("rnn", hidden_size=HIDDEN, loss="gaussian", max_epochs=5, random_state=0)
    return model.set_params(**params).fit(X, y)


# -- the copula ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "student_t", "quantile"])
def test_draws_have_their_marginals_and_their_correlation(kind):
    correlation = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))  # 3 steps of 2 outputs
    rng = np.random.default_rng(0)
    parameters = {
        "gaussian": np.stack([rng.normal(size=6), rng.uniform(1, 2, 6)], axis=1),
        "student_t": np.stack([rng.normal(size=6), rng.uniform(1, 2, 6), np.full(6, 4.0)], axis=1),
        "quantile": rng.uniform(0.2, 1, size=(6, 4)).cumsum(axis=1),
    }[kind]
    distribution = Distribution(kind, QUANTILES if kind == "quantile" else ())
    n_paths = 20_000
    two_rows = np.stack([parameters, parameters + (kind == "quantile")])
    drawn = draw_paths(two_rows, distribution, np.linalg.cholesky(correlation), n_paths, np.random.default_rng(1))
    assert drawn.shape == (2, 6, n_paths)
    drawn = drawn[0].T
    levels = np.array([0.05, 0.3, 0.5, 0.9])
    for column, own in zip(drawn.T, parameters, strict=True):
        share = (column[:, None] <= distribution.quantiles(own, levels)).mean(axis=0)
        np.testing.assert_allclose(share, levels, atol=4 * np.sqrt(0.25 / n_paths))
    scores = distribution.scores(parameters, drawn)
    np.testing.assert_allclose(np.corrcoef(scores.T), correlation, atol=4 / np.sqrt(n_paths))


def test_factor_of_a_known_correlation():
    correlation = 0.8 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    scores = np.random.default_rng(0).normal(size=(5000, 4)) @ np.linalg.cholesky(correlation).T
    skewed = np.exp(scores)  # ranks stay, and they alone count
    for measured in (scores, skewed):
        measured = np.vstack([measured, np.full((3, 4), np.nan)])
        factor = correlation_factor(measured)
        np.testing.assert_allclose(factor @ factor.T, correlation, atol=0.04)
    np.testing.assert_array_equal(correlation_factor(np.full((5, 3), np.nan)), np.eye(3))


@pytest.mark.parametrize("behind", [(), (7,)])
def test_series_stand_apart_and_side_by_side_again(behind):
    columns = np.arange(2 * 5 * 3 * int(np.prod(behind))).reshape(2, 15, *behind)  # 5 steps of 3 series
    apart = by_series(columns, 3)
    assert apart.shape == (6, 5, *behind)
    np.testing.assert_array_equal(apart[4], columns[1, 1::3])  # row 1, series 1
    np.testing.assert_array_equal(side_by_side(apart, 3), columns)
    np.testing.assert_array_equal(by_series(columns, 1), columns)


# -- fitted --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["gaussian", "student_t", "quantile"])
@pytest.mark.parametrize("decoder", ["autoregressive", "direct", "parallel"])
def test_marginals_of_paths_are_the_quantiles_forecast(decoder, loss):
    X, y = rows_of(correlation=0.8)
    model = fitted(X, y, decoder=decoder, loss=loss, quantiles=QUANTILES)
    paths, quantiles = model.sample(X[:7], n_samples=4000, random_state=1), model.predict_quantiles(X[:7])
    assert paths.shape == (7, HORIZON, 4000)
    share = (paths[..., None, :] <= quantiles[..., None]).mean(axis=-1)
    np.testing.assert_allclose(share, np.broadcast_to(QUANTILES, share.shape), atol=4.5 * np.sqrt(0.25 / 4000))


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
@pytest.mark.parametrize("decoder", ["autoregressive", "direct", "parallel"])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_steps_of_a_path_vary_together_as_the_errors_did(decoder, loss, correlation):
    X, y = rows_of(400, correlation=correlation)
    model = fitted(X, y, decoder=decoder, loss=loss, quantiles=QUANTILES, max_epochs=20, lr=0.02)
    paths = model.sample(X[:3], 2000, random_state=0)
    steps = np.arange(HORIZON)
    expected = correlation ** np.abs(np.subtract.outer(steps, steps)) if correlation else np.eye(HORIZON)
    for row in paths:
        scores = stats.norm.ppf(stats.rankdata(row, axis=1) / (row.shape[1] + 1))  # whatever the marginals
        # of 400 rows, and a net's own errors
        np.testing.assert_allclose(np.corrcoef(scores), expected, atol=0.17 if loss == "gaussian" else 0.22)


def test_a_net_that_is_too_sure_of_itself_still_shows_how_steps_vary_together():
    """Scores far out, of some rows only, leave the correlation as it is."""
    X, y = rows_of(400, correlation=0.9)
    y[::20] *= 50
    paths = fitted(X, y, decoder="direct", max_epochs=20, lr=0.02).sample(X[:3], 2000, random_state=0)
    for row in paths:
        np.testing.assert_allclose(np.corrcoef(row)[0, 1:3], [0.9, 0.81], atol=0.1)


def test_outputs_of_a_step_vary_together():
    X, y = rows_of(400, n_outputs=1)
    y = np.concatenate([y, -y], axis=2) + 0.1 * np.random.default_rng(3).normal(size=(400, HORIZON, 2))
    for params in ({"decoder": "direct"}, {}, {"patch_size": 2}, {"patch_size": 3}):
        paths = fitted(X, y, **params, max_epochs=8).sample(X[:2], 500, random_state=0)
        assert paths.shape == (2, HORIZON, 2, 500)
        for row in paths:
            for step in row:
                assert np.corrcoef(step)[0, 1] < -0.8


def test_steps_of_a_segment_vary_together_though_the_horizon_is_shorter():
    """A segment of 3 steps, a horizon of 2: steps are drawn together all the same."""
    X, y = rows_of(400, correlation=0.9)
    paths = fitted(X, y[:, :2], patch_size=3, max_epochs=10).sample(X[:3], 1000, random_state=0)
    assert paths.shape == (3, 2, 1000)
    for row in paths:
        assert np.corrcoef(row)[0, 1] > 0.7


@pytest.mark.parametrize("params", [{}, {"teacher_forcing": "linear"}, {"decoder": "direct"}], ids=str)
def test_paths_of_a_random_walk_are_random_walks(params):
    """Spreads grow as the root of the step, those of `return_std` too, and increments are uncorrelated."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=1200).cumsum()
    X = SlidingWindowTransformer(4).fit_transform(series[:, None])
    model = fitted(X, series, horizon=8, hidden_size=6, max_epochs=40, lr=0.02, early_stopping=False, **params)
    paths = model.sample(X[-3:], n_samples=2000, random_state=0)  # (3, 8, 2000)
    right = np.sqrt(np.arange(1, 9))
    np.testing.assert_allclose(paths.std(axis=2).mean(axis=0), right, rtol=0.15)
    np.testing.assert_allclose(model.predict(X, return_std=True)[1].mean(axis=0), right, rtol=0.15)
    increments = np.diff(paths - series[-3:, None, None], axis=1, prepend=0.0)
    np.testing.assert_allclose(increments.std(axis=2), 1.0, atol=0.2)
    between = np.corrcoef(increments[0])[np.triu_indices(8, 1)]
    assert np.abs(between).mean() < 0.1
    levels = np.corrcoef(paths[0])
    assert levels[6, 7] > 0.8
    assert levels[0, 7] < levels[6, 7] - 0.2


@pytest.mark.parametrize("params", [{}, {"decoder": "direct"}, {"n_nets": 2, "loss": "quantile"}], ids=str)
def test_paths_are_seeded_and_leave_the_global_generators_alone(params):
    X, y = rows_of()
    model = fitted(X, y, **params)
    before, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    paths = model.sample(X[:5], 7, random_state=3)
    np.testing.assert_array_equal(model.sample(X[:5], 7, random_state=3), paths)
    assert not np.array_equal(model.sample(X[:5], 7, random_state=4), paths)
    assert not np.array_equal(model.sample(X[:5], 7), model.sample(X[:5], 7))
    state = np.random.RandomState(3)
    first = model.sample(X[:5], 7, random_state=state)
    assert not np.array_equal(model.sample(X[:5], 7, random_state=state), first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torchs)
    assert len(np.unique(paths[0, 0])) == 7


@pytest.mark.parametrize("params", [{}, {"decoder": "parallel", "patch_size": 2}, {"channels": "shared"}], ids=str)
@pytest.mark.parametrize("n_samples", [1, 7])
def test_shapes(params, n_samples):
    series = np.random.default_rng(0).normal(size=(60, 2)).cumsum(axis=0)
    X = SlidingWindowTransformer(4).fit_transform(series)
    model = fitted(X, series, horizon=3, **params)
    assert model.sample(X, n_samples).shape == (60, 3, 2, n_samples)
    assert model.sample(X, n_samples, horizon=2).shape == (60, 2, 2, n_samples)
    one = fitted(X, series[:, 0], horizon=3, **params)
    assert one.sample(X, n_samples).shape == (60, 3, n_samples)
    if params.get("decoder") is None:
        with pytest.raises(ValueError, match=r"3 steps of `fit`, so no longer paths .* got horizon=11.*horizon=11"):
            one.sample(X, n_samples, horizon=11)
    flat = fitted(X, np.roll(series[:, 0], 3), horizon=None)
    assert flat.sample(X, n_samples).shape == (60, n_samples)


def test_more_rows_than_are_drawn_at_once():
    """Rows keep their order and their own distributions in whatever batches they are drawn."""
    X, y = rows_of(700)
    y = 100 * X[:, -1:, 0] + y  # rows are far apart
    model = fitted(X, y, decoder="direct", max_epochs=30, lr=0.03)
    paths = model.sample(X, 3, random_state=0)
    np.testing.assert_allclose(
        paths.mean(axis=2), model.predict(X), atol=6 * model.predict(X, return_std=True)[1].max()
    )
    assert np.corrcoef(paths.mean(axis=2)[:, 0], X[:, -1, 0])[0, 1] > 0.98


@pytest.mark.parametrize("n_samples, shares", [(7, (4, 3)), (1, (1, 0))])
def test_an_ensemble_draws_from_each_net(n_samples, shares, monkeypatch):
    X, y = rows_of()
    model = fitted(X, y, n_nets=2, decoder="direct")
    with torch.no_grad():
        for net, level in zip(model.nets_, (1e3, -1e3), strict=True):
            net.module_.decoder.head.linear_head.linear.bias[::2] = level
    paths = model.sample(X[:5], n_samples, random_state=0)
    assert (paths > 0).sum(axis=2).tolist() == [[shares[0]] * HORIZON] * 5
    assert (paths < 0).sum(axis=2).tolist() == [[shares[1]] * HORIZON] * 5


def test_rows_with_unknown_targets_say_nothing_of_how_steps_vary_together():
    X, y = rows_of(400, correlation=0.9)
    y[::2, 3] = np.nan
    paths = fitted(X, y, decoder="direct", max_epochs=10).sample(X[:3], 1000, random_state=0)
    assert all(np.corrcoef(row)[0, 1] > 0.7 for row in paths)
    y[:, 3] = np.nan  # no row is known as a whole
    paths = fitted(X, y, decoder="direct", max_epochs=3).sample(X[:3], 1000, random_state=0)
    assert np.isfinite(paths).all()


@pytest.mark.parametrize("name", ["log1p", "sqrt"])
def test_paths_stand_in_the_users_units(name):
    X, y = rows_of()
    y = np.exp(y)
    model = fitted(X, y, decoder="direct", target_transform=name)
    paths, quantiles = model.sample(X[:3], 2000, random_state=0), model.predict_quantiles(X[:3])
    assert (paths > -1).all()
    np.testing.assert_allclose(np.median(paths, axis=2), quantiles[..., 1], rtol=0.2)


def test_points_have_no_paths():
    X, y = rows_of()
    model = Seq2SeqForecaster("rnn", hidden_size=2, max_epochs=2, random_state=0).fit(X, y)
    assert not hasattr(model, "sample")
    single = fitted(X, y, loss="quantile", quantiles=(0.5,))
    with pytest.raises(ValueError, match=r"two quantiles or more"):
        single.sample(X)
    for n_samples in (0, -1, 2.5, "7"):
        with pytest.raises((ValueError, TypeError), match="n_samples"):
            fitted(X, y).sample(X, n_samples)
