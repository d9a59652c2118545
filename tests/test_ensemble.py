"""`n_nets`: several nets from one seed, their mean and their spread; what happens when one of them fails."""

import copy
import pickle
import signal

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "batch_size": 10, "random_state": 0}


def data(n_samples=30):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 7


def windows(n_rows=31):
    rows = np.random.RandomState(0).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), 5)


def of_each_net(model, X):
    """Predictions of one net after the other, as an estimator of that net alone gives them."""
    predictions = []
    for net in model.nets_:
        alone = copy.deepcopy(model)
        alone.nets_, alone.net_ = [net], net
        predictions.append(alone.predict(X))
    return np.array(predictions)


def weights_of(net):
    return torch.nn.utils.parameters_to_vector(net.module_.parameters()).detach().numpy()


def ctrl_c(loss):
    signal.raise_signal(signal.SIGINT)
    return loss


def nan(loss):
    return loss * torch.nan


# -- predictions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params, shape",
    [
        ({}, (30,)),
        ({}, (30, 1)),
        ({"loss": "absolute_error"}, (30, 3)),
        ({}, (30, 3, 2)),
        ({"loss": "quantile"}, (30, 2)),
        ({"return_sequences": True}, (30, 5)),
        ({"return_sequences": True, "loss": "quantile"}, (30, 5, 2)),
    ],
    ids=str,
)
def test_mean_and_spread_over_the_nets(params, shape):
    X, y = data()[0], np.random.RandomState(1).randn(*shape) * 5 + 100
    model = RNNRegressor(**SMALL | params, n_nets=3).fit(X, y)
    assert len(model.nets_) == 3
    assert model.net_ is model.nets_[0]
    each = of_each_net(model, X)
    assert each.shape == (3, *shape)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, each.std(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-12)
    assert mean.dtype == std.dtype == np.float64
    assert (std > 0).all()  # no two nets are alike
    if "loss" in params and params["loss"] == "quantile":
        quantiles = model.predict_quantiles(X)
        assert (np.diff(quantiles, axis=-1) >= 0).all()
        np.testing.assert_array_equal(quantiles[..., 1], model.predict(X))


def test_spread_of_windows_is_in_the_units_of_the_series():
    X = windows()
    model = RNNRegressor(**SMALL, n_nets=2, horizon=3).fit(X, X.base[:, 0])
    larger = Windows(1000 * X.base, X.ends, X.starts, X.series, 5)
    again = RNNRegressor(**SMALL, n_nets=2, horizon=3).fit(larger, larger.base[:, 0])
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (31, 3)
    np.testing.assert_allclose(again.predict(larger, return_std=True), 1000 * np.array([mean, std]), rtol=1e-3)
    assert model.score(X, X.base[:, 0]) < 1


def test_spread_of_ragged_sequences():
    X = [np.random.RandomState(0).randn(n_steps, 2) for n_steps in (3, 5, 2, 7)]
    y = [sequence.sum(axis=1) for sequence in X]
    model = RNNRegressor(**SMALL, n_nets=3, return_sequences=True).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    each = [of_each_net(model, [sequence])[:, 0] for sequence in X]
    for i in range(4):
        steps = np.stack(list(each[i]))
        assert mean[i].shape == std[i].shape == (len(X[i]),)
        np.testing.assert_allclose(mean[i], np.stack(steps).astype(float).mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(std[i], np.stack(steps).astype(float).std(axis=0), rtol=1e-7)


def test_through_a_pipeline():
    rows = windows().base
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(**SMALL, n_nets=2, horizon=1)).fit(rows, rows[:, 0])
    mean, std = pipe.predict(rows, return_std=True)
    np.testing.assert_array_equal(mean, pipe.predict(rows))
    assert std.shape == (31, 1)


def test_one_net_has_no_spread():
    X, y = data()
    model = RNNRegressor(**SMALL).fit(X, y)
    with pytest.raises(
        ValueError, match=r"return_std=True needs .* several nets, but one was trained. Fit with n_nets=5"
    ):
        model.predict(X, return_std=True)
    assert model.nets_ == [model.net_]
    assert model.predict(X).shape == (30,)


def test_an_ensemble_is_better_than_its_nets_on_average():
    """The squared error of the mean is never above the mean of the squared errors (Krogh and Vedelsby 1995)."""
    X, y = data(90)
    y = y + np.random.RandomState(1).randn(90)
    model = RNNRegressor(**SMALL | {"max_epochs": 20, "hidden_size": 8}, n_nets=3).fit(X[:60], y[:60])
    errors = ((of_each_net(model, X[60:]) - y[60:]) ** 2).mean(axis=1)
    mean, std = model.predict(X[60:], return_std=True)
    error = ((mean - y[60:]) ** 2).mean()
    assert error < errors.mean()
    assert errors.mean() - error == pytest.approx((std**2).mean(), rel=1e-6)


# -- what fit records ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [True, False])
def test_history_has_the_rows_of_all_nets(early_stopping):
    X, y = data()
    model = RNNRegressor(**SMALL, n_nets=3, early_stopping=early_stopping).fit(X, y)
    history = model.history_
    assert history.columns[0] == "net"
    assert history["net"].tolist() == [0, 0, 1, 1, 2, 2]
    assert history["epoch"].tolist() == [1, 2] * 3
    assert history.index.tolist() == list(range(6))
    assert history["train_loss"].nunique() == 6
    assert history.notna().all(axis=None)
    assert ("valid_loss" in history) is early_stopping
    assert np.isfinite(model.skill_) is np.bool_(early_stopping)
    assert model.n_iter_ == 2
    assert "net" not in RNNRegressor(**SMALL).fit(X, y).history_


def test_n_iter_is_that_of_the_net_with_the_most_epochs():
    rng = np.random.RandomState(0)
    X, y = rng.randn(40, 5, 2), rng.randn(40)
    model = RNNRegressor(
        **SMALL | {"max_epochs": 40}, n_nets=3, lr=0.05, lr_schedule=None, early_stopping=True, n_iter_no_change=2
    ).fit(X, y)
    epochs = model.history_.groupby("net")["epoch"].max()
    assert epochs.nunique() > 1  # each stops by itself
    assert model.n_iter_ == epochs.max()


def test_all_nets_are_judged_by_the_same_rows_and_keep_their_best_epoch():
    X, y = data()
    model = RNNRegressor(**SMALL | {"max_epochs": 12}, n_nets=3, lr=0.3, early_stopping=True)
    model.fit(X[7:], y[7:], X_val=X[:7], y_val=y[:7])
    for number, prediction in enumerate(of_each_net(model, X[:7])):
        rows = model.history_[model.history_["net"] == number]
        best = rows["valid_loss"].idxmin()
        assert np.abs(prediction - y[:7]).mean() == pytest.approx(rows["valid_mae"][best], rel=1e-4)


def test_skill_is_that_of_the_ensemble():
    X, y = data()
    model = RNNRegressor(**SMALL, n_nets=3).fit(X[7:], y[7:], X_val=X[:7], y_val=y[:7])
    reference = np.abs(y[7:].mean() - y[:7]).mean()
    assert model.skill_ == pytest.approx(1 - np.abs(model.predict(X[:7]) - y[:7]).mean() / reference)


def test_the_first_net_is_that_of_one_net():
    X, y = data()
    one, three = RNNRegressor(**SMALL).fit(X, y), RNNRegressor(**SMALL, n_nets=3).fit(X, y)
    np.testing.assert_array_equal(weights_of(three.net_), weights_of(one.net_))
    two = RNNRegressor(**SMALL, n_nets=2).fit(X, y)
    np.testing.assert_array_equal(weights_of(three.nets_[1]), weights_of(two.nets_[1]))


def test_copies():
    X, y = data()
    model = RNNRegressor(**SMALL, n_nets=3).fit(X, y)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert twin.net_ is twin.nets_[0]
        np.testing.assert_array_equal(twin.predict(X, return_std=True), model.predict(X, return_std=True))


def test_grid_search_over_their_number():
    X, y = data()
    search = GridSearchCV(RNNRegressor(**SMALL), {"n_nets": [1, 2, 3]}, cv=2, error_score="raise").fit(X, y)
    assert len(np.unique(search.cv_results_["mean_test_score"])) == 3


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_bars_say_which_net(verbose, capsys):
    X, y = data()
    RNNRegressor(**SMALL, verbose=verbose, n_nets=2).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("net 1 of 2" in shown.err and "net 2 of 2" in shown.err) is bool(verbose)


@pytest.mark.parametrize("n_former, n_nets", [(3, 3), (1, 3), (3, 2)])
def test_warm_start_goes_on_from_each_net(n_former, n_nets):
    X, y = data()
    model = RNNRegressor(**SMALL, warm_start=True, n_nets=n_former).fit(X, y)
    former = [weights_of(net).copy() for net in model.nets_]
    model.set_params(lr=1e-12, n_nets=n_nets).fit(X, y)
    assert len(model.nets_) == n_nets
    for number, net in enumerate(model.nets_[:n_former]):
        np.testing.assert_allclose(weights_of(net), former[number], rtol=1e-5, atol=1e-7)


# -- trouble -------------------------------------------------------------------------------------------------------


def test_interrupt_in_the_second_net_keeps_the_nets_so_far(at_batch):
    """Two epochs of three batches a net: the twelfth batch is the last one of the second net."""
    X, y = data()
    expected = RNNRegressor(**SMALL, n_nets=1).fit(X, y)
    at_batch(12, ctrl_c)
    model = RNNRegressor(**SMALL, n_nets=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert len(model.nets_) == 2
    assert model.history_["net"].tolist() == [0, 0, 1]
    assert model.n_iter_ == 2
    np.testing.assert_array_equal(weights_of(model.net_), weights_of(expected.net_))
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, of_each_net(model, X).mean(axis=0), rtol=1e-12)
    assert (std > 0).all()


def test_interrupt_in_the_first_net(at_batch):
    X, y = data()
    at_batch(5, ctrl_c)
    model = RNNRegressor(**SMALL, n_nets=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert len(model.nets_) == 1
    assert np.isfinite(model.predict(X)).all()
    assert model.n_iter_ == 1


def test_divergence_of_the_second_net_warns(at_batch):
    X, y = data()
    at_batch(10, nan)  # the second epoch of the second net; with one net less to come
    with pytest.warns(ConvergenceWarning, match="in epoch 2; the weights of epoch 1 were restored"):
        model = RNNRegressor(**SMALL, n_nets=2).fit(X, y)
    assert len(model.nets_) == 2
    assert np.isfinite(model.predict(X)).all()
    assert np.isnan(model.history_["train_loss"]).tolist() == [False, False, False, True]


def test_a_net_without_a_good_epoch_is_an_error_and_the_former_fit_stays(at_batch):
    X, y = data()
    model = RNNRegressor(**SMALL, n_nets=2).fit(X, y)
    expected, history = model.predict(X), model.history_
    at_batch(7, nan)
    with pytest.raises(ValueError, match="no good epoch.*Try a lower lr"):
        model.fit(X, y)
    assert model.history_ is history
    np.testing.assert_array_equal(model.predict(X), expected)


# 3 batches an epoch, 2 epochs a net: batch 8 lies in the first epoch of the second net
def test_an_untrained_net_is_no_part_of_an_interrupted_ensemble(at_batch):
    X, Y = data()
    expected = RNNRegressor(**SMALL).fit(X, Y).predict(X)
    at_batch(8, ctrl_c)
    model = RNNRegressor(**SMALL, n_nets=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert len(model.nets_) == 1
    np.testing.assert_array_equal(model.predict(X), expected)
