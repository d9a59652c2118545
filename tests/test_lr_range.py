"""`lr_range_test` trains a copy with ever higher learning rates; the estimator stays as it is."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows
from skrnn._net import RecurrentNet

pytestmark = pytest.mark.filterwarnings(
    "ignore:The loss still fell",  # nets of few epochs
    "ignore:The loss was lowest",  # and of few learning rates
)

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}


def data(n_samples=30):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 7


def smoothed(losses, past=0.9):
    average, values = 0.0, []
    for n, loss in enumerate(losses, start=1):
        average = past * average + (1 - past) * loss
        values.append(average / (1 - past**n))
    return values


class Rates(Callback):
    """Notes every learning rate and loss that a batch is trained with."""

    seen: list = []  # noqa: RUF012

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        Rates.seen.append((net.optimizer_.param_groups[0]["lr"], kwargs["loss"].item()))


@pytest.fixture
def rates():
    Rates.seen = []
    return Rates.seen


# -- the rates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", ["batch", "epoch"])
@pytest.mark.parametrize("n_lrs", [2, 7, 20])
def test_rates_are_geometric_and_are_what_the_net_trains_with(every, n_lrs, rates):
    X, y = data()
    model = RNNRegressor(**SMALL, batch_size=7, net_params={"callbacks": [Rates()]})
    results, suggested = model.lr_range_test(X, y, 1e-5, 1e-2, n_lrs=n_lrs, every=every)
    assert isinstance(results, pd.DataFrame)
    assert results.columns.tolist() == ["lr", "loss", "smoothed_loss"]
    assert len(results) == n_lrs
    lr = results["lr"].to_numpy()
    assert lr[0] == pytest.approx(1e-5)
    assert lr[-1] == pytest.approx(1e-2)
    np.testing.assert_allclose(lr[1:] / lr[:-1], 1000 ** (1 / (n_lrs - 1)))
    used, losses = np.array(rates).T
    if every == "batch":
        np.testing.assert_allclose(used, lr, rtol=1e-12)
        np.testing.assert_allclose(results["loss"], losses)
        np.testing.assert_allclose(results["smoothed_loss"], smoothed(losses))
    else:
        np.testing.assert_allclose(used.reshape(n_lrs, 5), np.repeat(lr[:, None], 5, axis=1), rtol=1e-12)
        of_epochs = (losses.reshape(n_lrs, 5) * [7, 7, 7, 7, 2]).sum(axis=1) / 30
        np.testing.assert_allclose(results["loss"], of_epochs, rtol=1e-6)
        np.testing.assert_allclose(results["smoothed_loss"], of_epochs, rtol=1e-6)
    assert results.attrs["suggested_lr"] == suggested
    lowest = lr[results["smoothed_loss"].argmin()]
    assert suggested == pytest.approx(max(lowest / 10, 1e-5))


def test_the_schedule_of_a_decade_in_twenty_epochs():
    X, y = data(10)
    results, suggested = RNNRegressor(**SMALL).lr_range_test(X, y, low=1e-8, high=1e-3, n_lrs=101, every="epoch")
    np.testing.assert_allclose(results["lr"], 1e-8 * 10 ** (np.arange(101) / 20), rtol=1e-9)
    assert 1e-8 <= suggested <= 1e-3


def test_defaults():
    X, y = data()
    results, suggested = RNNRegressor(**SMALL).lr_range_test(X, y)
    assert results["lr"].iloc[0] == pytest.approx(1e-6)
    assert len(results) <= 100
    assert 1e-6 <= suggested <= 1.0
    assert isinstance(suggested, float)


@pytest.mark.parametrize("every", ["batch", "epoch"])
def test_it_ends_early_where_the_loss_explodes(every):
    X, y = data()
    model = RNNRegressor(**SMALL, gradient_clip=None, optimizer="sgd")
    results, suggested = model.lr_range_test(X, y, 1e-3, 1e6, n_lrs=50, every=every)
    assert len(results) < 40
    assert np.isfinite(results).all(axis=None)
    smallest = results["smoothed_loss"].cummin()
    assert (results["smoothed_loss"][:-1] <= 4 * smallest[:-1]).all()
    assert suggested < results["lr"].iloc[-1] / 10


def test_a_loss_that_is_no_number_ends_it(monkeypatch):
    get_loss, seen = RecurrentNet.get_loss, []

    def patched(self, *args, **kwargs):
        seen.append(1)
        return get_loss(self, *args, **kwargs) * (torch.nan if len(seen) > n_good else 1)

    X, y = data()
    monkeypatch.setattr(RecurrentNet, "get_loss", patched)
    n_good = 5
    assert len(RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=20)[0]) == 5
    seen.clear()
    n_good = 0
    with pytest.raises(ValueError, match="NaN or infinite with the first learning rate already; lower low=1e-06"):
        RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=20)


def test_the_suggested_rate_trains():
    X, y = data(200)
    model = RNNRegressor("gru", hidden_size=6, max_epochs=30, early_stopping=False, random_state=0)
    _, suggested = model.lr_range_test(X[:150], y[:150], 1e-5, 10.0)
    assert 1e-3 < suggested < 0.5
    assert model.set_params(lr=suggested).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.8


# -- the estimator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted", [False, True])
def test_the_estimator_stays_as_it_was(fitted):
    X, y = data()
    seed, callbacks = np.random.RandomState(3), [("rates", Rates())]
    net_params = {"callbacks": callbacks, "optimizer__eps": 1e-7}
    model = RNNRegressor(**SMALL | {"random_state": seed}, net_params=net_params)
    if fitted:
        model.fit(X, y)
    state, before, expected = seed.get_state()[1].copy(), dict(vars(model)), model.predict(X) if fitted else None
    copies = X.copy(), y.copy()
    model.lr_range_test(X, y, n_lrs=5)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    assert model.net_params == {"callbacks": callbacks, "optimizer__eps": 1e-7}
    assert callbacks == net_params["callbacks"]
    assert len(callbacks) == 1
    np.testing.assert_array_equal(seed.get_state()[1], state)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(y, copies[1])
    if fitted:
        np.testing.assert_array_equal(model.predict(X), expected)


def test_it_does_not_depend_on_a_former_fit_and_gives_the_same_again():
    X, y = data()
    results, suggested = RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=9)
    fitted = RNNRegressor(**SMALL, warm_start=True).fit(X[:5], y[:5])
    for model in (fitted, clone(fitted)):
        again, lr = model.lr_range_test(X, y, n_lrs=9)
        pd.testing.assert_frame_equal(again, results)
        assert lr == suggested


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True},
        {"early_stopping": True, "validate_every": 2},
        {"early_stopping": True, "validation": 0.3},
        {"validation": "tail", "early_stopping": True},
        {"lr_schedule": "onecycle"},
        {"lr_schedule": "plateau"},
        {"lr_schedule": None},
        {"max_steps": 1},
        {"max_epochs": 1},
        {"lr": 100.0},
        {"n_nets": 3},
        {"warm_start": True},
        {"n_iter_no_change": 1},
    ],
    ids=str,
)
def test_what_does_not_apply(params):
    X, y = data()
    expected, _ = RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=9)
    pd.testing.assert_frame_equal(RNNRegressor(**SMALL | params).lr_range_test(X, y, n_lrs=9)[0], expected)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "quantile"},
        {"optimizer": torch.optim.Adagrad},
        {"optimizer": torch.optim.LBFGS, "gradient_clip": None},
        {"n_layers": 2, "dropout": 0.2, "bidirectional": True},
        {"pooling": "attention", "layer_norm": True, "conv_channels": 3, "patch_size": 2, "input_dropout": 0.1},
        {"batch_size": 7},
        {"dtype": "float32"},
        {"net_params": {"callbacks": None}},
    ],
    ids=str,
)
@pytest.mark.parametrize("every", ["batch", "epoch"])
def test_with_other_options(params, every):
    X, y = data()
    results, suggested = RNNRegressor(**SMALL | params).lr_range_test(X, y, 1e-4, 1e-1, n_lrs=5, every=every)
    assert len(results) == 5
    assert 1e-4 <= suggested <= 1e-2
    assert results["loss"].nunique() == 5


@pytest.mark.parametrize("verbose", [0, 1])
def test_it_is_silent(verbose, capsys):
    RNNRegressor(**SMALL, verbose=verbose).lr_range_test(*data(), n_lrs=3)
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


def test_sample_weights_and_unknown_targets():
    X, y = data(20)
    weight = np.ones(20)
    weight[:7] = 0
    expected, _ = RNNRegressor(**SMALL).lr_range_test(X[7:], y[7:], n_lrs=5)
    results, _ = RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=5, sample_weight=weight)
    np.testing.assert_allclose(results, expected, rtol=1e-9)
    y[:7] = np.nan
    pd.testing.assert_frame_equal(RNNRegressor(**SMALL).lr_range_test(X, y, n_lrs=5)[0], expected)


def test_sequences_of_every_kind():
    rng = np.random.RandomState(0)
    ragged = [rng.randn(n_steps, 2) for n_steps in (3, 5, 2, 7)]
    model = RNNRegressor(**SMALL, return_sequences=True)
    assert len(model.lr_range_test(ragged, [sequence.sum(axis=1) for sequence in ragged], n_lrs=5)[0]) == 5
    rows = rng.randn(31, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(31), np.zeros(31), np.zeros(31), 5)
    assert len(RNNRegressor(**SMALL, horizon=3).lr_range_test(X, rows[:, 0], n_lrs=5)[0]) == 5
    table = rng.randn(11, 6)
    assert len(RNNRegressor(**SMALL, n_channels=2).lr_range_test(table, table[:, 0], n_lrs=5)[0]) == 5


def test_as_the_last_step_of_a_pipeline():
    rows = np.random.RandomState(0).randn(61, 2).cumsum(axis=0)
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(**SMALL, horizon=2))
    X = pipe[:-1].fit_transform(rows)
    results, suggested = pipe[-1].lr_range_test(X, rows[:, 0], 1e-4, 1.0, n_lrs=20)
    assert len(results) == 20
    pipe.set_params(rnnregressor__lr=suggested).fit(rows, rows[:, 0])
    assert pipe[-1].lr == suggested
    assert pipe.predict(rows).shape == (61, 2)


def test_users_callbacks_run_on_a_copy(rates):
    X, y = data()
    model = RNNRegressor(**SMALL, net_params={"callbacks": [("rates", Rates())]})
    model.lr_range_test(X, y, n_lrs=5)
    assert len(rates) == 5
    model.fit(X, y)
    assert len(rates) == 7
    assert "lr_range" not in dict(model.net_.callbacks_)


def test_a_callback_that_stops():
    class Stop(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 4:
                raise KeyboardInterrupt  # how skorch's callbacks ask for it

    X, y = data()
    results, _ = RNNRegressor(**SMALL, net_params={"callbacks": [Stop()]}).lr_range_test(X, y, n_lrs=20)
    assert len(results) == 3


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"low": 1.0, "high": 1.0}, "`low` must be below `high`, got low=1.0 and high=1.0"),
        ({"low": 0.1, "high": 0.01}, "`low` must be below `high`, got low=0.1 and high=0.01"),
        ({"low": 0}, "`low` must be a number greater than 0, got 0"),
        ({"low": -1e-3}, "`low` must be a number greater than 0, got -0.001"),
        ({"high": np.inf}, "`high` must be a number greater than 0, got inf"),
        ({"high": "1"}, "`high` must be a number greater than 0, got '1'"),
        ({"n_lrs": 1}, "`n_lrs` must be an int of at least 2, got 1"),
        ({"n_lrs": 5.0}, "`n_lrs` must be an int of at least 2, got 5.0"),
        ({"every": "step"}, "`every` must be one of 'batch', 'epoch', got 'step'"),
        ({"sample_weight": np.zeros(30)}, "zero"),
    ],
)
def test_bad_arguments(arguments, message):
    X, y = data()
    model = RNNRegressor(**SMALL).fit(X, y)
    before, expected = dict(vars(model)), model.predict(X)
    with pytest.raises(ValueError, match=message):
        model.lr_range_test(X, y, **arguments)
    assert all(vars(model)[name] is value for name, value in before.items())
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    "params, bad_y, message",
    [
        ({}, np.ones(7), "X has 30 rows and y has 7"),
        ({}, np.full(30, np.nan), "y holds no known value"),
        ({"hidden_size": 0}, None, "`hidden_size` must be an int of at least 1, got 0"),
        ({"return_sequences": True}, None, "needs a target for each step"),
        ({"horizon": 2}, None, "windows of a series"),
    ],
)
def test_what_fit_does_not_take(params, bad_y, message):
    X, y = data()
    model = RNNRegressor(**SMALL | params)
    with pytest.raises(ValueError, match=message):
        model.lr_range_test(X, y if bad_y is None else bad_y)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


@pytest.mark.parametrize("low, high, end", [(1e-9, 1e-7, "high"), (3.0, 30.0, "low")])
def test_a_loss_that_is_lowest_at_an_end_warns(low, high, end):
    X, y = data()
    with pytest.warns(UserWarning, match=f"The loss was lowest with .*Set another `{end}`"):
        RNNRegressor(**SMALL).lr_range_test(X, y, low, high, n_lrs=12, every="epoch")
