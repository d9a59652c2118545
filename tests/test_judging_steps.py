"""With a target for each step: what is judged of windows, what steps may see, and series that drift."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows, future_targets, past_targets
from skrnn.metrics import mae_scorer, r2_scorer

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 8, "random_state": 0}


def windows_of(rows, window=12):
    n_rows = len(rows)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


def test_score_of_windows_does_not_reward_remembered_targets():
    rng = np.random.RandomState(0)
    rows, labels = rng.randn(240, 2), rng.randn(240)  # labels that have nothing to do with X
    W, Y = windows_of(rows, 24), past_targets(labels, 24)
    model = RNNRegressor(**SMALL | {"hidden_size": 24}, return_sequences=True, max_epochs=60).fit(W[:220], Y[:220])
    assert model.score(W[:220], Y[:220]) > 0.1  # it has learned them by heart
    assert model.score(W[220:], Y[220:]) < 0
    assert r2_scorer(model, W[220:], Y[220:]) == model.score(W[220:], Y[220:])
    last = np.abs(model.predict(W[220:])[:, -1] - labels[220:]).mean()
    assert mae_scorer(model, W[220:], Y[220:]) == pytest.approx(-last)


def test_skill_of_windows_given_for_validation_is_that_of_their_last_steps():
    walk = np.random.RandomState(0).randn(300).cumsum()
    W, Y = windows_of(walk[:, None]), past_targets(future_targets(walk, 1), 12)
    model = RNNRegressor(**SMALL, return_sequences=True, max_epochs=5)
    model.fit(W[:200], Y[:200], X_val=W[212:], y_val=Y[212:])
    error = np.abs(model.predict(W[212:299])[:, -1, 0] - walk[213:]).mean()
    assert model.skill_ == pytest.approx(1 - error / np.abs(np.diff(walk[212:])).mean())


@pytest.mark.parametrize(
    "params", [{"bidirectional": True}, {"window_scaling": "last"}, {"window_scaling": "standard"}]
)
def test_steps_that_see_their_own_targets_are_warned_of(params):
    walk = np.random.RandomState(0).randn(60).cumsum()
    W, Y = windows_of(walk[:, None]), past_targets(future_targets(walk, 1), 12)
    with pytest.warns(UserWarning, match=f"{next(iter(params))}=.*see its own target"):
        RNNRegressor(**SMALL, return_sequences=True, max_epochs=2, **params).fit(W, Y)
    RNNRegressor(**SMALL, return_sequences=True, max_epochs=2, **params).fit(W, past_targets(walk**2, 12))


def test_sequence_to_sequence_follows_a_trend_beyond_what_it_has_seen():
    series = 0.1 * np.arange(500) + np.sin(0.3 * np.arange(500))
    W, Y = windows_of(series[:, None]), past_targets(future_targets(series, 1), 12)
    model = RNNRegressor(**SMALL, return_sequences=True, max_epochs=30).fit(W[:400], Y[:400])
    error = np.abs(model.predict(W[400:499])[:, -1, 0] - series[401:]).mean()
    assert error < 0.3 * np.abs(np.diff(series[400:])).mean()


def test_first_tells_no_step_of_the_later_ones():
    series = np.random.RandomState(0).randn(120).cumsum()
    W, Y = windows_of(series[:, None], 7), past_targets(future_targets(series, 1), 7)
    model = RNNRegressor(**SMALL, return_sequences=True, max_epochs=3).fit(W, Y)
    X = np.asarray(W)[50:55]
    changed = X.copy()
    changed[:, 4:] += 3.0
    before, after = model.predict(X), model.predict(changed)
    np.testing.assert_allclose(after[:, :4], before[:, :4], rtol=1e-6)
    assert (np.abs(after[:, 4:] - before[:, 4:]) > 1).all()


@pytest.mark.parametrize("n_channels", [1, 2])
def test_one_to_many_is_no_worse_than_ridge(n_channels):
    """A window of one step, from which "auto" must not take its only value off."""
    rng = np.random.RandomState(0)
    angle = 2 * np.pi * np.arange(400) / 24
    X = np.column_stack([np.sin(angle), np.cos(angle)])[:, :n_channels] + 0.02 * rng.randn(400, n_channels)
    y = X[:, 0]
    pipe = make_pipeline(SlidingWindowTransformer(1), RNNRegressor(**SMALL, horizon=5, max_epochs=60))
    assert pipe.fit(X[:300], y[:300]).predict(X).shape == (400, 5)
    future = future_targets(y, 5)
    ridge = Ridge().fit(X[:295], future[:295])
    assert pipe.score(X[300:], y[300:]) > ridge.score(X[300:395], future[300:395]) - 0.02
    assert pipe.score(X[300:], y[300:]) > 0.3
