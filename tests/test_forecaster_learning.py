"""Seq2SeqForecaster learns: margins over the last value and the last season, with every kind of teacher forcing."""

import numpy as np
import pytest

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, future_targets

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

HORIZON, SEASON, N_TRAIN = 6, 12, 200


def seasonal(n_rows=270, seed=0):
    """A season of 12 rows and one of 7.3, which no multiple of rows repeats, with noise."""
    step = np.arange(n_rows)
    noise = 0.1 * np.random.RandomState(seed).randn(n_rows)
    return np.sin(2 * np.pi * step / SEASON) + 0.7 * np.sin(2 * np.pi * step / 7.3) + noise


def net(**params):
    settings = {"hidden_size": 10, "horizon": HORIZON, "lr": 0.03, "max_epochs": 15, "random_state": 0}
    return Seq2SeqForecaster("gru").set_params(**settings | params)


def errors(**params):
    """Mean absolute error on the rows after the training, and that of the last value and of the last season."""
    y = seasonal()
    X = SlidingWindowTransformer(18).fit_transform(y[:, None])
    model = net(**params).fit(X[:N_TRAIN], y[:N_TRAIN])
    truth = future_targets(y, HORIZON)[N_TRAIN:-HORIZON]
    rows = np.arange(N_TRAIN, len(y) - HORIZON)
    last = np.abs(y[rows, None] - truth).mean()
    of_season = np.abs(y[rows[:, None] + np.arange(1, HORIZON + 1) - SEASON] - truth).mean()
    return np.abs(model.predict(X)[rows] - truth).mean(), last, of_season


@pytest.mark.parametrize("teacher_forcing", [0.0, 0.5, 1.0, "linear", "exponential", "inverse_sigmoid"])
def test_teacher_forcing(teacher_forcing):
    error, last, of_season = errors(teacher_forcing=teacher_forcing)
    assert error < 0.45 * last
    assert error < 0.6 * of_season


@pytest.mark.parametrize(
    "params",
    [
        {"decoder": "direct"},
        {"decoder": "parallel"},
        {"decoder": "parallel", "patch_size": 3, "attention": "dot"},
        {"patch_size": 3},
        {"attention": "additive"},
        {"attention": "dot", "cell": "lstm"},
        {"linear_skip": True, "bidirectional": True},
        {"channels": "shared", "window_scaling": "last_standard", "layer_norm": True},
        {"loss": "student_t", "n_layers": 2},
        {"loss": "quantile", "window_scaling": "standard"},
        {"loss": "absolute_error", "conv_channels": 5, "n_nets": 2},
    ],
    ids=str,
)
def test_every_kind_learns(params):
    error, last, of_season = errors(**params)
    assert error < 0.45 * last
    assert error < 0.6 * of_season


def test_going_further_than_trained():
    """Twice as far, the season goes on."""
    y = np.sin(2 * np.pi * np.arange(270) / SEASON) + 0.03 * np.random.RandomState(0).randn(270)
    X = SlidingWindowTransformer(18).fit_transform(y[:, None])
    model = net(teacher_forcing=0.0).fit(X[:N_TRAIN], y[:N_TRAIN])
    rows = np.arange(N_TRAIN, len(y) - 2 * HORIZON)
    truth = future_targets(y, 2 * HORIZON)[rows, HORIZON:]
    error = np.abs(model.predict(X, horizon=2 * HORIZON)[rows, HORIZON:] - truth).mean()
    assert error < 0.75 * np.abs(y[rows, None] - truth).mean()
