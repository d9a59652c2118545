"""RNNRegressor: shapes in and out, what fit records, unlabelled rows, scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_regressor
from sklearn.metrics import r2_score as sklearn_r2
from sklearn.model_selection import TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch import NeuralNet

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows, future_targets

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
N_SAMPLES, N_STEPS, N_CHANNELS = 7, 5, 2


def block(n_samples=N_SAMPLES, seed=0):
    return np.random.RandomState(seed).randn(n_samples, N_STEPS, N_CHANNELS)


def series(n_rows=31, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)


def windows(n_rows=31, window=5):
    rows = series(n_rows)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


# -- shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 3), (7, 3, 1), (7, 2, 3)], ids=str)
def test_predictions_have_the_shape_of_y(shape):
    X, y = block(), np.random.RandomState(1).randn(*shape)
    model = RNNRegressor(**SMALL).fit(X, y)
    assert model.predict(X).shape == shape
    assert model.predict(X[:2]).shape == (2, *shape[1:])
    assert model.predict(X).dtype == np.float64
    assert isinstance(model.score(X, y), float)
    np.testing.assert_allclose(model.predict(X[:2]), model.predict(X)[:2], rtol=1e-9)


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("n_outputs", [None, 1, 2])
def test_predictions_with_horizon(horizon, n_outputs):
    X = windows()
    y = X.base[:, 0] if n_outputs is None else np.sin(X.base[:, :n_outputs])
    model = RNNRegressor(**SMALL, horizon=horizon).fit(X, y)
    expected = (31, horizon) if n_outputs is None else (31, horizon, n_outputs)
    assert model.predict(X).shape == expected
    assert isinstance(model.score(X, y), float)


def test_outputs_keep_their_place():
    """Each output learns its own column; a reshape in another order would mix them up."""
    X = block(60)
    last = X[:, -1]
    y = np.stack([last[:, 0] + 100, last[:, 1] * 5, -last[:, 0], -last[:, 1], last.sum(axis=1), last[:, 0]], axis=1)
    y = y.reshape(60, 3, 2)
    model = RNNRegressor(**SMALL | {"hidden_size": 8, "max_epochs": 100}, lr=0.03).fit(X, y)
    predicted = model.predict(X)
    for i in range(3):
        for j in range(2):
            assert np.corrcoef(predicted[:, i, j], y[:, i, j])[0, 1] > 0.9
            assert abs(predicted[:, i, j].mean() - y[:, i, j].mean()) < 0.5


@pytest.mark.parametrize("n_channels, n_steps", [(None, 6), (1, 6), (2, 3), (3, 2), (6, 1)])
def test_a_table_is_the_block_that_it_lays_out(n_channels, n_steps):
    X = np.random.RandomState(0).randn(7, 6)
    y = X @ np.arange(6.0)
    of_table = RNNRegressor(**SMALL, n_channels=n_channels).fit(X, y)
    of_block = RNNRegressor(**SMALL).fit(X.reshape(7, n_steps, -1), y)
    np.testing.assert_array_equal(of_table.predict(X), of_block.predict(X.reshape(7, n_steps, -1)))
    assert of_table.n_features_in_ == 6
    assert of_table.n_channels_ == of_block.n_channels_ == of_block.n_features_in_ == (n_channels or 1)


# -- fitted attributes ---------------------------------------------------------------------------------------------


def test_fitted_attributes():
    X = block(40)
    model = RNNRegressor(**SMALL, early_stopping=True).fit(X, X[:, -1, 0])
    assert isinstance(model.net_, NeuralNet)
    assert len(model.net_.history) == 2
    assert isinstance(model.history_, pd.DataFrame)
    columns = {"epoch", "train_loss", "train_mae", "seconds", "lr", "valid_loss", "valid_mae"}
    assert set(model.history_.columns) == columns
    assert len(model.history_) == model.n_iter_ == 2
    assert model.history_["epoch"].tolist() == [1, 2]
    assert model.history_.notna().all(axis=None)
    assert (model.history_["seconds"] > 0).all()
    assert model.n_channels_ == model.n_features_in_ == N_CHANNELS
    assert model.target_channels_ is None
    assert model.device_ == "cpu"
    assert model.dtype_ == np.float32
    assert model.skill_ < 1
    assert not hasattr(model, "feature_names_in_")
    assert is_regressor(model)


def test_history_without_validation():
    X = block()
    model = RNNRegressor(**SMALL).fit(X, X[:, -1, 0])
    assert set(model.history_.columns) == {"epoch", "train_loss", "train_mae", "seconds", "lr"}
    assert np.isnan(model.skill_)


@pytest.mark.parametrize("window_scaling", [None, "last", "standard"])
def test_mae_of_the_history_is_in_the_units_of_the_target(window_scaling):
    """With lr so small that the net stays what it is, it is the error of the predictions."""
    X = windows(40)
    y = 50 * future_targets(X.base[:, 0], 1)[:, 0] if window_scaling is None else future_targets(X.base[:, 0], 1)[:, 0]
    model = RNNRegressor(
        **SMALL, lr=1e-12, window_scaling=window_scaling, early_stopping=True, validation=0.25, batch_size=40
    ).fit(X, y)
    error = np.abs(model.predict(X) - y)
    assert model.history_["valid_mae"].iloc[-1] == pytest.approx(error[29:39].mean(), rel=1e-4)
    assert model.history_["train_mae"].iloc[-1] == pytest.approx(error[:29].mean(), rel=1e-4)


def test_skill_is_measured_against_persistence_or_the_mean():
    X = windows(60)
    for y, follows in [(X.base[:, 0], True), (np.random.RandomState(3).randn(60), False)]:
        model = RNNRegressor(**SMALL, horizon=1, early_stopping=True, validation=0.25).fit(X, y)
        valid = np.arange(44, 59)  # a quarter of the 59 rows with a future
        truth = y[valid + 1]
        error = np.abs(model.predict(X)[valid, 0] - truth).mean()
        guess = y[valid] if follows else y[1:45].mean()
        reference = np.abs(guess - truth).mean()
        assert model.skill_ == pytest.approx(1 - error / reference, rel=1e-6)


@pytest.mark.parametrize(
    "n_rows, batch_size, dtype, expected",
    [
        (32, "auto", "auto", "f8"),
        (33, "auto", "auto", "f4"),
        (33, 40, "auto", "f8"),
        (20, 5, "auto", "f4"),
        (20, "auto", "float32", "f4"),
        (40, "auto", np.float64, "f8"),
    ],
)
def test_precision(n_rows, batch_size, dtype, expected):
    X = block(n_rows)
    model = RNNRegressor(**SMALL, batch_size=batch_size, dtype=dtype).fit(X, X[:, -1, 0])
    assert model.dtype_ == expected
    assert {parameter.dtype.itemsize for parameter in model.net_.module_.parameters()} == {int(expected[1])}


@pytest.mark.parametrize(
    "n_rows, batch_size, expected",
    [(32, "auto", 32), (33, "auto", 16), (500, "auto", 31), (4000, "auto", 128), (20, 7, 7)],
)
def test_batch_size(n_rows, batch_size, expected):
    X = np.ones((n_rows, 1, 1)) * np.arange(n_rows)[:, None, None]
    model = RNNRegressor(**SMALL | {"max_epochs": 1}, batch_size=batch_size, early_stopping=False)
    assert model.fit(X, np.arange(n_rows) * 1.0).net_.batch_size == expected


# -- names of channels ---------------------------------------------------------------------------------------------


def test_names_of_the_channels_come_from_the_windows():
    frame = pd.DataFrame(series(), columns=["a", "b"])
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(**SMALL, horizon=1)).fit(frame, frame["a"])
    assert pipe[-1].feature_names_in_.tolist() == ["a", "b"]
    assert pipe[-1].target_channels_.tolist() == [0]
    assert pipe.predict(frame).shape == (31, 1)
    pipe.fit(frame.to_numpy(), frame["a"])  # without names they are forgotten
    assert not hasattr(pipe[-1], "feature_names_in_")


def test_lagged_table_keeps_scikit_learns_names():
    X = pd.DataFrame(np.random.RandomState(0).randn(7, 4), columns=["a_lag1", "b_lag1", "a_lag0", "b_lag0"])
    model = RNNRegressor(**SMALL, n_channels=2).fit(X, X["a_lag0"])
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert model.predict(X).shape == (7,)


def test_columns_that_are_no_lags_warn():
    X = pd.DataFrame(np.random.RandomState(0).randn(7, 2), columns=["price", "demand"])
    with pytest.warns(UserWarning, match=r"read as time steps.*'price'.*SlidingWindowTransformer"):
        RNNRegressor(**SMALL).fit(X, X["price"])


def test_lags_of_more_channels_than_n_channels_warn():
    X = pd.DataFrame(np.random.RandomState(0).randn(7, 4), columns=["a_lag1", "b_lag1", "a_lag0", "b_lag0"])
    with pytest.warns(UserWarning, match=r"lags of 2 channels, but n_channels=None.*Set n_channels=2"):
        RNNRegressor(**SMALL).fit(X, X["a_lag0"])


# -- unlabelled rows and scores ------------------------------------------------------------------------------------


def test_rows_without_a_target_do_not_train():
    X, y = block(20), np.random.RandomState(1).randn(20)
    y[[3, 7, 11]] = np.nan
    known = ~np.isnan(y)
    model = RNNRegressor(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), RNNRegressor(**SMALL).fit(X[known], y[known]).predict(X))
    assert model.score(X, y) == pytest.approx(sklearn_r2(y[known], model.predict(X[known])))


def test_partly_known_rows_train_on_what_is_known():
    """An unknown output has no gradient, and no part in the mean and scale of its column."""
    X = block(20)
    y = X[:, -1].copy()
    y[5:15, 1] = np.nan
    params = SMALL | {"max_epochs": 100, "hidden_size": 8, "lr": 0.03}
    predicted = RNNRegressor(**params).fit(X, y).predict(X)
    assert np.isfinite(predicted).all()
    known = ~np.isnan(y[:, 1])
    assert np.corrcoef(predicted[:, 0], y[:, 0])[0, 1] > 0.9
    assert np.corrcoef(predicted[known, 1], y[known, 1])[0, 1] > 0.9
    slope = np.polyfit(X[~known, -1, 1], predicted[~known, 1], 1)[0]
    assert slope > 0.6  # learned as 0, they would be flat
    other = y.copy()
    other[:, 1] = np.where(known, y[:, 1] * 2 + 3, np.nan)
    again = RNNRegressor(**params).fit(X, other).predict(X)
    np.testing.assert_allclose(again[:, 0], predicted[:, 0], rtol=1e-6)
    np.testing.assert_allclose(again[:, 1], predicted[:, 1] * 2 + 3, rtol=1e-6)


def test_score_is_r2_of_the_known_targets():
    X, y = block(20), np.random.RandomState(1).randn(20, 3)
    model = RNNRegressor(**SMALL).fit(X, y)
    weight = np.arange(20.0)
    assert model.score(X, y) == pytest.approx(sklearn_r2(y, model.predict(X)))
    assert model.score(X, y, weight) == pytest.approx(sklearn_r2(y, model.predict(X), sample_weight=weight))


def test_score_with_horizon_compares_with_the_future():
    X = windows()
    y = X.base[:, 0]
    model = RNNRegressor(**SMALL, horizon=2).fit(X, y)
    predicted = model.predict(X)
    expected = np.mean([sklearn_r2(y[1:], predicted[:-1, 0]), sklearn_r2(y[2:], predicted[:-2, 1])])
    assert model.score(X, y) == pytest.approx(expected)


def test_time_series_cross_validation():
    frame = pd.DataFrame(series(40), columns=["a", "b"])
    pipe = make_pipeline(SlidingWindowTransformer(3), RNNRegressor(**SMALL, horizon=1))
    scores = cross_val_score(pipe, frame, frame["a"], cv=TimeSeriesSplit(3))
    assert np.isfinite(scores).all()
    pipe.set_params(rnnregressor__horizon=None, slidingwindowtransformer__context="never")
    y = future_targets(frame["a"], 1)["a+1"].ffill()  # finite, as cross_val_predict wants it
    assert cross_val_predict(pipe, frame, y, cv=5).shape == (40,)


def test_inputs_are_left_as_they_were():
    X, y, weight = block(20), np.random.RandomState(1).randn(20), np.ones(20)
    y[3] = X[4, :2] = np.nan
    copies = X.copy(), y.copy(), weight.copy()
    model = RNNRegressor(**SMALL).fit(X, y, weight)
    model.predict(X)
    model.score(X, y)
    for array, before in zip((X, y, weight), copies, strict=True):
        np.testing.assert_array_equal(array, before)


def test_read_only_inputs():
    X, y = block(20), np.random.RandomState(1).randn(20)
    X.flags.writeable = y.flags.writeable = False
    assert RNNRegressor(**SMALL).fit(X, y).predict(X).shape == (20,)


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_a_list_of_sequences_stays_one_where_lengths_are_equal():
    rng = np.random.RandomState(0)
    X = [rng.randn(n) for n in (3, 5, 7, 5, 3)]
    model = RNNRegressor("gru", hidden_size=3, max_epochs=2, random_state=0).fit(X, np.arange(5.0))
    every = model.predict(X)
    np.testing.assert_allclose(model.predict([X[2]]), every[[2]], rtol=1e-6)
    np.testing.assert_allclose(model.predict([X[0], X[4]]), every[[0, 4]], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_a_net_of_a_gpu_predicts_where_there_is_none():
    X = np.random.RandomState(0).randn(20, 5, 2)
    model = RNNRegressor("gru", hidden_size=3, max_epochs=2, random_state=0).fit(X, X[:, 0, 0])
    expected = model.predict(X)
    model.device_ = "cuda"  # as pickled on a machine with a GPU; net_ was put on the CPU when it was read
    np.testing.assert_array_equal(model.predict(X), expected)
