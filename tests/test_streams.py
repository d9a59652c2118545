"""Streams: `partial_fit` after an interrupt, with few rows at a time, with other parameters, of several nets."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from skrnn import RNNRegressor, Windows, future_targets, past_targets

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
X = np.random.RandomState(0).randn(30, 5, 2)
Y = X[:, -1, 0] + 7


def windows(n_rows=61):
    rows = np.random.RandomState(0).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), 5)


def weights_of(model, number=0):
    return nn.utils.parameters_to_vector(model.nets_[number].module_.parameters()).detach().numpy().copy()


def ctrl_c(loss):
    raise KeyboardInterrupt


@pytest.mark.parametrize("begun_by", ["fit", "partial_fit"])
def test_partial_fit_goes_on_after_an_interrupt(at_batch, monkeypatch, begun_by):
    model = RNNRegressor(**SMALL, batch_size=10).partial_fit(X, Y)
    at_batch(2, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        getattr(model, begun_by)(X, Y)
    monkeypatch.undo()
    model.partial_fit(X, Y)
    assert model.history_["train_loss"].notna().all()


@pytest.mark.parametrize("n_rows", [2, 3, 4])
@pytest.mark.parametrize("form", ["horizon", "targets"])
def test_streams_of_few_windows_at_a_time(form, n_rows):
    W = windows()
    y = W.base[:, 0] if form == "horizon" else future_targets(W.base[:, 0], 1)
    model = RNNRegressor(**SMALL, horizon=1 if form == "horizon" else None).partial_fit(W[:40], y[:40])
    model.partial_fit(W[40 : 40 + n_rows], y[40 : 40 + n_rows])
    assert model.target_channels_.tolist() == [0]


def test_streams_with_a_constant_stretch():
    W = windows()
    W.base[40:50, 0] = 1.0
    model = RNNRegressor(**SMALL, horizon=1).partial_fit(W[:40], W.base[:40, 0])
    model.partial_fit(W[40:50], W.base[40:50, 0])


def test_another_lr_acts_from_the_next_call_on():
    model = RNNRegressor(**SMALL).partial_fit(X, Y)
    before = weights_of(model)
    model.set_params(lr=1e-12).partial_fit(X, Y)
    np.testing.assert_allclose(weights_of(model), before, atol=1e-9)
    assert model.history_["lr"].iloc[-1] == 1e-12


@pytest.mark.parametrize(
    "params, change",
    [
        ({}, {"loss": "quantile"}),
        ({"loss": "quantile"}, {"quantiles": (0.2, 0.3, 0.4, 0.5)}),
        ({"loss": "quantile"}, {"loss": "squared_error"}),
        ({}, {"hidden_size": 5}),
        ({}, {"pooling": "mean"}),
        ({}, {"patch_size": 2}),
        ({}, {"n_nets": 3}),
    ],
    ids=str,
)
def test_another_net_is_refused(params, change):
    model = RNNRegressor(**SMALL | params).partial_fit(X, Y)
    before, former = weights_of(model), model.get_params()
    with pytest.raises(ValueError, match="fit"):
        model.set_params(**change).partial_fit(X, Y)
    np.testing.assert_array_equal(weights_of(model), before)
    model.set_params(**former).partial_fit(X, Y)


def test_partial_fit_of_an_ensemble():
    whole = RNNRegressor(**SMALL | {"max_epochs": 3}, n_nets=2, lr_schedule=None, early_stopping=False).fit(X, Y)
    model = RNNRegressor(**SMALL, n_nets=2)
    for _ in range(3):
        model = pickle.loads(pickle.dumps(model.partial_fit(X, Y)))
    for number in range(2):
        np.testing.assert_array_equal(weights_of(model, number), weights_of(whole, number))
    assert model.history_["net"].tolist() == [0] * 3 + [1] * 3


def test_divergence_of_an_ensemble_in_partial_fit(at_batch):
    model = RNNRegressor(**SMALL, batch_size=10, n_nets=2).partial_fit(X, Y)
    before = [weights_of(model, number) for number in range(2)]
    at_batch(2, lambda loss: loss * torch.nan)
    with pytest.warns(Warning, match="weights before this call were kept"):
        model.partial_fit(X, Y)
    for number in range(2):
        np.testing.assert_array_equal(weights_of(model, number), before[number])


def test_one_row_of_a_far_forecast():
    W = windows()
    y = past_targets(future_targets(W.base[:, 0], 2), 5)
    RNNRegressor(**SMALL, return_sequences=True).partial_fit(W[:40], y[:40]).partial_fit(W[40:42], y[40:42])


# -- nothing is lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("n_nets", [1, 2])
def test_a_call_that_fails_changes_nothing(at_batch, monkeypatch, error, n_nets):
    def fail(loss):
        raise error

    model = RNNRegressor(**SMALL, batch_size=10, n_nets=n_nets).fit(X, Y)
    twin = pickle.loads(pickle.dumps(model))
    at_batch(3 * n_nets, fail)  # in the last batch of the last net
    with pytest.raises(error):
        model.partial_fit(X, Y)
    monkeypatch.undo()
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))
    assert len(model.history_) == len(twin.history_)
    model.partial_fit(X, Y)
    assert model.history_["epoch"].tolist() == [1, 2, 3] * n_nets
    np.testing.assert_array_equal(model.predict(X), twin.partial_fit(X, Y).predict(X))


def test_groups_of_parameters_keep_rates_of_their_own():
    groups = [("encoder*", {"lr": 0.0})]
    model = RNNRegressor(**SMALL, net_params={"optimizer__param_groups": groups}).fit(X, Y)
    before = [p.detach().clone() for p in model.net_.module_.encoder.parameters()]
    model.set_params(lr=0.1).partial_fit(X, Y)
    assert all(torch.equal(p, q) for p, q in zip(model.net_.module_.encoder.parameters(), before, strict=True))
    assert [group["lr"] for group in model.net_.optimizer_.param_groups] == [0.0, 0.1]


def test_an_optimizer_with_a_state_for_each_parameter_goes_on():
    """As of a net that was trained on a GPU and unpickled without one."""
    model = RNNRegressor(**SMALL, optimizer=torch.optim.Adam).fit(X, Y)
    assert not model.net_.flat
    before = weights_of(model)
    model.partial_fit(X, Y)
    assert (weights_of(model) != before).any()


@pytest.mark.parametrize("changed", [{"optimizer__momentum": 0.0}, {"loss": "other"}, {"dtype": "float64"}], ids=str)
def test_other_settings_of_the_training_are_refused(changed):
    class A(nn.MSELoss):
        pass

    other = type("A", (nn.L1Loss,), {})
    changed = {"loss": other} if "loss" in changed else changed
    model = RNNRegressor(**SMALL, optimizer="sgd", loss=A, net_params={"optimizer__momentum": 0.9})
    model.partial_fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit goes on with the nets that it has"):
        model.set_params(**changed).partial_fit(X, Y)


@pytest.mark.parametrize("change", [{"return_sequences": True}, {"loss": "quantile"}, {"patch_size": 3}], ids=str)
def test_what_is_set_after_fit_acts_from_the_next_fit_on(change):
    model = RNNRegressor(**SMALL).fit(X, Y)
    before, states = model.predict(X), model.encode(X, return_sequences=True)
    model.set_params(**change)
    np.testing.assert_array_equal(model.predict(X), before)
    np.testing.assert_array_equal(model.encode(X, return_sequences=True), states)
    assert model.score(X, Y) < 1
    assert not hasattr(model, "predict_quantiles")
