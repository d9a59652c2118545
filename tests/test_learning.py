"""The nets learn: clearly better than persistence where there is something to learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.metrics import mean_absolute_error

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")


def sine(n_times=400, noise=0.1):
    """A wave of period 20 with noise, indexed by day; one step moves it by up to 0.31."""
    wave = np.sin(2 * np.pi * np.arange(n_times) / 20)
    values = wave + noise * np.random.RandomState(0).randn(n_times)
    return pd.Series(values, index=pd.date_range("2020-01-01", periods=n_times, name="day"), name="wave").to_frame()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_one_step_ahead(cell):
    """Persistence errs by .21, the noise alone is .08: at most .12 is asked for, with context at the border."""
    X = sine()
    pipe = make_pipeline(
        SlidingWindowTransformer(20),
        RNNRegressor(cell, hidden_size=8, max_epochs=40, horizon=1, random_state=0),
    )
    predicted = pipe.fit(X[:300], X["wave"][:300]).predict(X[300:])[:-1, 0]
    truth = X["wave"].to_numpy()[301:]
    last = X["wave"].to_numpy()[300:-1]
    assert np.abs(last - truth).mean() > 0.2
    assert np.abs(predicted - truth).mean() < 0.12


def test_seven_steps_ahead_of_two_series():
    """A panel of two waves at two levels, in rows of any order."""
    one, other = sine(200), sine(200) * 5 + 100
    frame = pd.concat([one.assign(store="a"), other.assign(store="b")])
    frame = frame.set_index("store", append=True).sample(frac=1, random_state=0)
    pipe = make_pipeline(
        SlidingWindowTransformer(20, group="store", time="day"),
        RNNRegressor("gru", hidden_size=8, max_epochs=60, horizon=7, window_scaling="standard", random_state=0),
    )
    pipe.fit(frame, frame["wave"])
    assert pipe[-1].target_channels_.tolist() == [0]
    truth = pipe[-1]._align_targets(pipe[:-1].transform(frame), frame["wave"])
    last = np.repeat(frame[["wave"]].to_numpy(), 7, axis=1)
    assert mean_absolute_error(truth, pipe.predict(frame)) < 0.4 * mean_absolute_error(truth, last)


def test_sequences_of_unequal_length_to_a_number():
    """The sum of a sequence, which needs every step and the right end."""
    rng = np.random.RandomState(0)
    X = [rng.randn(length, 1) for length in rng.randint(2, 8, size=300)]
    y = np.array([x.sum() for x in X])
    model = RNNRegressor("gru", hidden_size=16, max_epochs=30, random_state=0).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.9
