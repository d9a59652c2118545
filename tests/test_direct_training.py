"""`fit` without the autograd engine: the numbers of torch's own layers, whatever a callback does or interrupts."""

import copy
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

pytest.importorskip("numba")

from skrnn import RNNRegressor
from skrnn._net import RecurrentNet
from skrnn.nn._compiled import kernels
from skrnn.nn._direct import DirectStep
from skrnn.nn._warm_memory import spare

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell", "ignore:The training loss")  # nets of few epochs

N_SAMPLES, N_STEPS, N_CHANNELS = 70, 5, 2
SMALL = {
    "cell": "gru",
    "hidden_size": 3,
    "max_epochs": 3,
    "batch_size": 16,
    "dtype": "float32",
    "early_stopping": False,
    "random_state": 0,
}
NO_TIMES = ["seconds"]


def data(n_outputs=1):
    random = np.random.RandomState(0)
    X = random.randn(N_SAMPLES, N_STEPS, N_CHANNELS)
    y = np.stack([X[:, -1, 0] + k * X[:, 0, 1] for k in range(n_outputs)], axis=1)
    return X, y[:, 0] if n_outputs == 1 else y


@pytest.fixture
def ways(monkeypatch):
    """How many batches went each way."""
    counts = {"direct": 0, "autograd": 0}
    by_autograd, directly = RecurrentNet.train_step, RecurrentNet._update_directly

    def counted(name, step):
        def patched(self, *args, **kwargs):
            counts[name] += 1
            return step(self, *args, **kwargs)

        return patched

    monkeypatch.setattr(RecurrentNet, "train_step", counted("autograd", by_autograd))
    monkeypatch.setattr(RecurrentNet, "_update_directly", counted("direct", directly))
    return counts


def took(ways):
    """What was counted since the last call."""
    seen = dict(ways)
    ways.update(direct=0, autograd=0)
    return seen


def fitted(X, y, *, fit_params=None, callbacks=(), **params):
    net_params = {"callbacks": list(callbacks), **params.pop("net_params", {})}
    return RNNRegressor(**SMALL | params, net_params=net_params).fit(X, y, **(fit_params or {}))


def assert_same_training(ours, theirs, tolerance=1e-5):
    """Weights and history agree, up to what few updates make of the last digits."""
    for our, their in zip(ours.net_.module_.parameters(), theirs.net_.module_.parameters(), strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=tolerance)
    numbers = ours.history_.columns.difference(NO_TIMES)
    assert "train_loss" in numbers
    assert "train_mae" in numbers
    assert list(ours.history_.columns) == list(theirs.history_.columns)
    np.testing.assert_allclose(ours.history_[numbers], theirs.history_[numbers], rtol=tolerance, atol=tolerance)


def listener(event):
    """A callback that counts one event."""

    def called(self, net, **kwargs):
        self.n_calls += 1

    return type("Listener", (Callback,), {event: called, "n_calls": 0})()


class AtEpoch(Callback):
    """Does something to the net at the end of the first epoch."""

    def __init__(self, what):
        self.what = what

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            self.what(net)


# -- the same training -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("layers", [{}, {"n_layers": 2, "bidirectional": True}], ids=["one", "two"])
def test_training_equals_that_of_torchs_layers(cell, layers, ways):
    X, y = data()
    ours = fitted(X, y, cell=cell, **layers)
    assert took(ways) == {"direct": 15, "autograd": 0}
    theirs = fitted(X, y, cell=cell, kernel="torch", **layers)
    assert took(ways) == {"direct": 0, "autograd": 15}
    assert_same_training(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-5)


def ragged():
    X, y = data()
    lengths = np.random.RandomState(1).randint(1, N_STEPS + 1, N_SAMPLES)
    return [rows[:length] for rows, length in zip(X, lengths, strict=True)], y


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "huber"},
        {"loss": "absolute_error"},
        {"optimizer": "sgd", "lr": 0.05},
        {"optimizer": "adamw", "weight_decay": 0.01},
        {"optimizer": "rmsprop"},
        {"gradient_clip": 0.05},
        {"gradient_clip": None},
        {"lr_schedule": None},
        {"lr_schedule": "onecycle"},
        {"shuffle": False},
        {"max_steps": 8},
        {"batch_size": 70},
        {"batch_size": 33, "max_epochs": 4},
        {"standardize": False},
        {"early_stopping": True},
        {"early_stopping": True, "validate_every": 2},
        {"n_nets": 2},
    ],
    ids=str,
)
def test_every_way_to_train(params, ways):
    X, y = data()
    ours = fitted(X, y, **params)
    assert took(ways)["autograd"] == 0
    theirs = fitted(X, y, kernel="torch", **params)
    assert took(ways)["direct"] == 0
    assert_same_training(ours, theirs)


def test_several_outputs(ways):
    X, y = data(3)
    ours, theirs = (fitted(X, y, kernel=kernel) for kernel in ("auto", "torch"))
    assert took(ways) == {"direct": 15, "autograd": 15}
    assert_same_training(ours, theirs)


def test_short_rows(ways):
    X, y = ragged()
    ours, theirs = (fitted(X, y, kernel=kernel, bidirectional=True) for kernel in ("auto", "torch"))
    assert took(ways) == {"direct": 15, "autograd": 15}
    assert_same_training(ours, theirs)


def test_sample_weights(ways):
    X, y = data(3)
    weights = {"sample_weight": np.random.RandomState(2).randint(0, 4, N_SAMPLES).astype(float)}
    ours, theirs = (fitted(X, y, kernel=kernel, fit_params=weights) for kernel in ("auto", "torch"))
    seen = took(ways)
    assert seen["direct"] == seen["autograd"] > 0
    assert_same_training(ours, theirs)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_unknown_targets(loss, ways):
    X, y = data(3)
    y[np.random.RandomState(2).rand(*y.shape) < 0.3] = np.nan
    ours, theirs = (fitted(X, y, kernel=kernel, loss=loss) for kernel in ("auto", "torch"))
    seen = took(ways)
    assert seen["direct"] == seen["autograd"] > 0
    assert_same_training(ours, theirs)


def test_futures_of_a_series(ways):
    series = np.sin(np.arange(90) / 5)[:, None]
    X = np.lib.stride_tricks.sliding_window_view(series[:, 0], N_STEPS)[..., None]  # (86, 5, 1)
    y = X[:, -1, 0]
    ours, theirs = (fitted(X, y, kernel=kernel, horizon=3) for kernel in ("auto", "torch"))
    seen = took(ways)
    assert seen["direct"] == seen["autograd"] > 0
    assert_same_training(ours, theirs)
    assert ours.predict(X).shape == (len(X), 3)


def test_partial_fit(ways):
    X, y = data()
    found = []
    for kernel in ("auto", "torch"):
        model = RNNRegressor(**SMALL, kernel=kernel)
        for rows in (slice(0, 40), slice(40, 70), slice(0, 33)):
            model.partial_fit(X[rows], y[rows])
        found.append(model)
    seen = took(ways)
    assert seen["direct"] == seen["autograd"] == 3 + 2 + 3
    assert_same_training(*found)


def test_warm_start(ways):
    X, y = data()
    found = []
    for kernel in ("auto", "torch"):
        model = RNNRegressor(**SMALL, kernel=kernel, warm_start=True).fit(X, y)
        found.append(model.set_params(max_epochs=2).fit(X, y))
    assert took(ways) == {"direct": 25, "autograd": 25}
    assert_same_training(*found)


def test_a_second_fit_gives_the_same_bits():
    X, y = data()
    model = RNNRegressor(**SMALL | {"cell": "lstm"})
    np.testing.assert_array_equal(model.fit(X, y).predict(X), model.fit(X, y).predict(X))


# -- callbacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["on_batch_begin", "on_batch_end", "on_grad_computed"])
def test_a_callback_that_listens_to_batches_is_called(event, ways):
    X, y = data()
    callback = listener(event)
    listened = fitted(X, y, callbacks=[callback])
    assert took(ways) == {"direct": 0, "autograd": 15}
    assert listened.net_.callbacks_[-1][1].n_calls == 15
    alone = fitted(X, y)
    assert took(ways) == {"direct": 15, "autograd": 0}
    assert_same_training(alone, listened)


def test_a_callback_on_epochs_changes_nothing(ways):
    X, y = data()
    seen = []
    with_callback = fitted(X, y, callbacks=[AtEpoch(lambda net: seen.append(net._direct))])
    assert took(ways) == {"direct": 15, "autograd": 0}
    assert isinstance(seen[0], DirectStep)
    assert_same_training(with_callback, fitted(X, y), tolerance=0)


def half_gradients(net):
    net.module_.head.linear.weight.register_hook(lambda gradient: gradient / 2)


CHANGES = {
    "frozen": lambda net: net.module_.head.linear.weight.requires_grad_(False),
    "hook of a module": lambda net: net.module_.head.linear.register_forward_hook(lambda part, x, out: out / 2),
    "hook of a weight": half_gradients,
    "dropout": lambda net: setattr(net.module_.encoder.input_dropout, "p", 0.5),
    "loss": lambda net: setattr(net, "criterion_", nn.MSELoss(reduction="none")),
    "size from which the loss is linear": lambda net: setattr(net.criterion_, "delta", 0.05),
    "clipping": lambda net: setattr(net, "gradient_clip", 0.01),
    "optimizer": lambda net: net.initialize_optimizer(),
    "lr": lambda net: net.set_lr(0.003),
    "weights": lambda net: nn.init.ones_(net.module_.head.linear.weight.data),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["on_train_begin", "on_epoch_end"])
def test_what_a_callback_changes_counts_from_then_on(change, when):
    X, y = data()

    def what(net):
        if when == "on_train_begin" or len(net.history) == 1:
            CHANGES[change](net)

    callback = type("Change", (Callback,), {when: lambda self, net, **kwargs: what(net)})
    params = {"lr_schedule": None, "loss": "huber"}
    ours, theirs = (fitted(X, y, kernel=kernel, callbacks=[callback()], **params) for kernel in ("auto", "torch"))
    assert_same_training(ours, theirs)
    changed = any(
        not torch.equal(one, other)
        for one, other in zip(
            ours.net_.module_.parameters(), fitted(X, y, **params).net_.module_.parameters(), strict=True
        )
    )
    assert changed or (change, when) == ("optimizer", "on_train_begin")


def test_a_whole_number_compiles_nothing_anew():
    X, y = data()
    fitted(X, y, gradient_clip=0.5)
    n_before = len(kernels().step.gather_gradients.signatures)
    fitted(X, y, gradient_clip=2)
    assert len(kernels().step.gather_gradients.signatures) == n_before


# -- copies, pickles, interrupts ---------------------------------------------------------------------------------------


class Copies(Callback):
    """Copies the net at the end of the first epoch."""

    def __init__(self, made_by):
        self.made_by = made_by

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            made.append(self.made_by(net))


made = []


def by_pickle(net):
    return pickle.loads(pickle.dumps(net))


@pytest.mark.parametrize("made_by", [copy.deepcopy, by_pickle])
def test_a_net_is_copied_while_it_trains(made_by, ways):
    X, y = data()
    made.clear()
    model = fitted(X, y, lr_schedule=None, callbacks=[Copies(made_by)])
    assert took(ways) == {"direct": 15, "autograd": 0}
    assert_same_training(model, fitted(X, y, lr_schedule=None), tolerance=0)  # it trained on, untouched
    (copied,) = made
    assert copied._direct is None
    of_one_epoch = fitted(X, y, lr_schedule=None, max_steps=5).net_.module_
    for ours, theirs in zip(copied.module_.parameters(), of_one_epoch.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_fitted_estimator_pickles_and_goes_on(ways):
    X, y = data()
    model = RNNRegressor(**SMALL).partial_fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert twin.net_._direct is None
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    took(ways)
    np.testing.assert_array_equal(twin.partial_fit(X, y).predict(X), model.partial_fit(X, y).predict(X))
    assert took(ways) == {"direct": 10, "autograd": 0}


@pytest.mark.parametrize("listening", [False, True])
def test_training_leaves_no_memory_behind(listening):
    X, y = data()
    in_use = []
    callbacks = [AtEpoch(lambda net: in_use.append(len(spare))), *[listener("on_batch_end")] * listening]
    model = fitted(X, y, hidden_size=37, batch_size=70, callbacks=callbacks)
    assert (in_use[0] > 0) is listening  # blocks between batches; a direct step has its own
    assert model.net_._direct is None
    assert not spare


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_leaves_no_memory_behind(error, monkeypatch):
    X, y = data()
    step, calls = DirectStep.__call__, []

    def interrupted(self, *args):
        calls.append(self)
        if len(calls) == 7:
            raise error("on purpose")
        return step(self, *args)

    monkeypatch.setattr(DirectStep, "__call__", interrupted)
    nets = []
    model = RNNRegressor(**SMALL, net_params={"callbacks": [AtEpoch(nets.append)]})
    with pytest.raises(error):
        model.fit(X, y)
    assert len(calls) == 7
    assert nets[0]._direct is None
    assert nets[0]._flat_parameters is None
    assert not spare
    if error is KeyboardInterrupt:
        assert model.net_ is nets[0]
        assert model.n_iter_ == 1
        assert np.isfinite(model.predict(X)).all()


def test_former_weights_are_kept_when_a_partial_fit_is_interrupted(monkeypatch):
    X, y = data()
    model = RNNRegressor(**SMALL).partial_fit(X, y)
    expected, step, calls = model.predict(X), DirectStep.__call__, []

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(self, *args)

    monkeypatch.setattr(DirectStep, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)
