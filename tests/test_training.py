"""Training: losses, optimizers, schedules, budgets, early stopping, weights, warm start, the warnings on the way."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skrnn import RNNRegressor, Windows

STILL_FALLS = pytest.mark.filterwarnings("ignore:The loss still fell")
SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 3, "random_state": 0}


def data(n_samples=20, seed=0):
    """Sequences whose target is near their last value."""
    rng = np.random.RandomState(seed)
    X = rng.randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 0.1 * rng.randn(n_samples)


def weights_of(model):
    return torch.nn.utils.parameters_to_vector(model.net_.module_.parameters()).detach().numpy()


# -- losses --------------------------------------------------------------------------------------------------------


@STILL_FALLS
@pytest.mark.parametrize(
    "loss, expected",
    [
        ("squared_error", lambda e: e**2),
        ("absolute_error", np.abs),
        ("huber", lambda e: np.where(np.abs(e) < 1, e**2 / 2, np.abs(e) - 0.5)),
    ],
)
def test_loss_of_the_history_is_the_named_one(loss, expected):
    X, y = data()
    model = RNNRegressor(**SMALL, loss=loss, standardize=False, lr=1e-12).fit(X, y)
    assert model.history_["train_loss"].iloc[-1] == pytest.approx(expected(model.predict(X) - y).mean())


def test_absolute_error_learns_the_median_and_squared_error_the_mean():
    X = np.zeros((21, 5, 2))
    y = np.r_[np.zeros(14), np.full(7, 9.0)]
    params = SMALL | {"max_epochs": 300, "lr": 0.05}
    assert RNNRegressor(**params).fit(X, y).predict(X[:1])[0] == pytest.approx(3, abs=0.1)
    assert RNNRegressor(**params, loss="absolute_error").fit(X, y).predict(X[:1])[0] == pytest.approx(0, abs=0.1)


# -- optimizers ----------------------------------------------------------------------------------------------------


class Halving(torch.optim.Optimizer):
    """A user's own optimizer: every weight is halved."""

    def __init__(self, params, lr=0.1, factor=0.5):
        super().__init__(params, {"lr": lr, "factor": factor})

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            with torch.enable_grad():
                closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(group["factor"])


@STILL_FALLS
@pytest.mark.parametrize(
    "optimizer",
    ["adam", "adamw", "sgd", "rmsprop", torch.optim.Adagrad, torch.optim.Adam, torch.optim.NAdam],
    ids=str,
)
@pytest.mark.parametrize("batch_size", [7, 20])
def test_optimizers_learn(optimizer, batch_size):
    X, y = data()
    lr = 0.3 if optimizer == "sgd" else 0.05
    model = RNNRegressor(**SMALL | {"max_epochs": 60}, optimizer=optimizer, lr=lr, batch_size=batch_size)
    assert model.fit(X, y).score(X, y) > 0.9


@STILL_FALLS
def test_an_optimizer_that_evaluates_the_loss_several_times():
    X, y = data()
    model = RNNRegressor(**SMALL | {"max_epochs": 20}, optimizer=torch.optim.LBFGS, lr=0.3, gradient_clip=None)
    assert model.fit(X, y).score(X, y) > 0.95


@STILL_FALLS
@pytest.mark.parametrize("name, torch_class", [("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop)])
def test_a_class_trains_as_the_name_does(name, torch_class):
    """Names run on one flat vector, classes on separate parameters."""
    X, y = data()
    by_name = RNNRegressor(**SMALL, optimizer=name).fit(X, y).predict(X)
    by_class = RNNRegressor(**SMALL, optimizer=torch_class).fit(X, y).predict(X)
    np.testing.assert_allclose(by_class, by_name, rtol=1e-9)


@STILL_FALLS
def test_an_optimizer_of_the_users_own():
    X, y = data()
    untrained = RNNRegressor(**SMALL | {"max_epochs": 1}, lr=1e-12).fit(X, y)
    model = RNNRegressor(**SMALL, optimizer=Halving, early_stopping=False, lr_schedule=None).fit(X, y)
    np.testing.assert_allclose(weights_of(model), weights_of(untrained) / 8, atol=1e-9)
    model.set_params(optimizer__factor=1.0).fit(X, y)
    np.testing.assert_allclose(weights_of(model), weights_of(untrained), atol=1e-9)


@STILL_FALLS
def test_weight_decay_shrinks_the_weights():
    X, y = data()
    sizes = [
        np.abs(weights_of(RNNRegressor(**SMALL | {"max_epochs": 60}, weight_decay=decay).fit(X, y))).sum()
        for decay in (0.0, 1.0)
    ]
    assert sizes[1] < 0.7 * sizes[0]


@STILL_FALLS
def test_gradient_clip_bounds_the_step_of_sgd():
    X, y = data()
    params = SMALL | {"max_epochs": 1, "optimizer": "sgd", "lr": 1.0, "lr_schedule": None, "batch_size": 20}
    begin = weights_of(RNNRegressor(**params | {"lr": 1e-12}).fit(X, y))
    for clip in (0.01, 0.1):
        step = weights_of(RNNRegressor(**params, gradient_clip=clip).fit(X, y)) - begin
        assert np.linalg.norm(step) == pytest.approx(clip, rel=1e-3)
    step = weights_of(RNNRegressor(**params, gradient_clip=None).fit(X, y)) - begin
    assert np.linalg.norm(step) > 0.2


# -- schedules and budgets -----------------------------------------------------------------------------------------


@STILL_FALLS
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("lr_schedule", ["cosine", "onecycle", "plateau", None])
def test_schedules(lr_schedule, early_stopping):
    X, y = data(30)
    model = RNNRegressor(
        **SMALL | {"max_epochs": 7},
        lr=0.02,
        lr_schedule=lr_schedule,
        early_stopping=early_stopping,
        batch_size=7,
        n_iter_no_change=7,
    )
    if lr_schedule == "plateau" and not early_stopping:
        with pytest.warns(UserWarning, match="'plateau' has no validation loss.*early_stopping=True, or pass X_val"):
            model.fit(X, y)
    else:
        model.fit(X, y)
    lr = model.history_["lr"].to_numpy()
    assert len(lr) == 7
    if lr_schedule is None or lr_schedule == "plateau":
        np.testing.assert_allclose(lr, 0.02)
    elif lr_schedule == "cosine":
        assert (np.diff(lr) < 0).all()
    else:
        assert lr.argmax() in (1, 2)
        assert lr.max() <= 0.02
    if lr_schedule in ("cosine", "onecycle"):
        assert lr[-1] < 1e-4  # annealed over the whole budget


@STILL_FALLS
@pytest.mark.parametrize("max_steps, n_epochs", [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3), (100, 5)])
@pytest.mark.parametrize("lr_schedule", ["cosine", "onecycle", None])
def test_max_steps(max_steps, n_epochs, lr_schedule):
    X, y = data()
    model = RNNRegressor(**SMALL | {"max_epochs": 5}, max_steps=max_steps, batch_size=7, lr_schedule=lr_schedule).fit(
        X, y
    )
    assert model.net_.n_steps_ == min(max_steps, 15)
    assert model.n_iter_ == n_epochs
    if lr_schedule == "cosine":
        assert model.history_["lr"].iloc[-1] == pytest.approx(0, abs=1e-9)


# -- early stopping ------------------------------------------------------------------------------------------------


def noise(n_samples=40):
    """Nothing to learn: the validation loss only gets worse."""
    rng = np.random.RandomState(0)
    return rng.randn(n_samples, 5, 2), rng.randn(n_samples)


@pytest.mark.parametrize("lr_schedule", ["cosine", None])
def test_best_epoch_is_restored(lr_schedule):
    X, y = noise()
    X_val, y_val = np.random.RandomState(1).randn(20, 5, 2), np.random.RandomState(2).randn(20)
    params = {"hidden_size": 8, "lr": 0.05, "random_state": 0, "lr_schedule": lr_schedule, "cell": "gru"}
    model = RNNRegressor(**params, max_epochs=30, n_iter_no_change=30, early_stopping=True)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    history = model.history_
    best = history["valid_loss"].idxmin()
    assert best < 25
    assert len(history) == 30
    error = np.abs(model.predict(X_val) - y_val).mean()
    assert error == pytest.approx(history["valid_mae"][best], rel=1e-4)
    assert error != pytest.approx(history["valid_mae"].iloc[-1], rel=1e-2)


def test_patience_stops_without_an_annealing_schedule():
    X, y = noise()
    model = RNNRegressor(
        **SMALL | {"max_epochs": 100}, lr=0.05, lr_schedule=None, early_stopping=True, n_iter_no_change=5
    ).fit(X, y)
    best = int(model.history_["valid_loss"].idxmin())
    assert model.n_iter_ == best + 1 + 5 < 100
    model.set_params(lr_schedule="cosine").fit(X, y)
    assert model.n_iter_ == 100


@STILL_FALLS
def test_validation_set_without_early_stopping_is_only_watched():
    X, y = noise()
    params = SMALL | {"max_epochs": 10, "lr": 0.05, "lr_schedule": None}
    watched = RNNRegressor(**params, early_stopping=False).fit(X, y, X_val=X[:7], y_val=y[:7])
    alone = RNNRegressor(**params, early_stopping=False).fit(X, y)
    assert "valid_loss" in watched.history_
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))


@STILL_FALLS
def test_validation_set_in_another_form():
    X, y = noise()
    model = RNNRegressor(**SMALL).fit(list(X), y, X_val=[X[0, :2], X[1]], y_val=y[:2])
    both = np.concatenate([model.predict(X[:1, :2]), model.predict(X[1:2])])
    best = model.history_["valid_loss"].idxmin()
    assert model.history_["valid_mae"][best] == pytest.approx(np.abs(both - y[:2]).mean(), rel=1e-4)


# -- sample weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [16, "auto"])
def test_a_heavily_weighted_half_wins(batch_size):
    """Two halves that contradict each other; in mini-batches weights act statistically."""
    X = np.random.RandomState(0).randn(100, 5, 2)
    X = np.concatenate([X, X])
    y = X[:, -1, 0] * np.repeat([1.0, -1.0], 100)
    params = SMALL | {"hidden_size": 8, "max_epochs": 40, "batch_size": batch_size}
    for heavy in (0, 1):
        weight = np.where(np.repeat([0, 1], 100) == heavy, 50.0, 1.0)
        slope = np.polyfit(X[:100, -1, 0], RNNRegressor(**params).fit(X, y, weight).predict(X[:100]), 1)[0]
        assert slope == pytest.approx([0.96, -0.96][heavy], abs=0.15)
    slope = np.polyfit(X[:100, -1, 0], RNNRegressor(**params).fit(X, y).predict(X[:100]), 1)[0]
    assert abs(slope) < 0.3


@STILL_FALLS
def test_weights_repeat_rows_exactly_in_one_batch():
    X, y = data(11)
    weight = np.arange(11) % 4
    repeated = np.repeat(np.arange(11), weight)
    params = SMALL | {"max_epochs": 20, "shuffle": False}
    of_weights = RNNRegressor(**params).fit(X, y, weight).predict(X)
    of_repeats = RNNRegressor(**params).fit(X[repeated], y[repeated]).predict(X)
    np.testing.assert_allclose(of_weights, of_repeats, rtol=1e-7)


@STILL_FALLS
def test_equal_weights_are_no_weights():
    X, y = data(40)
    expected = RNNRegressor(**SMALL, batch_size=7).fit(X, y).predict(X)
    weighted = RNNRegressor(**SMALL, batch_size=7).fit(X, y, np.full(40, 5.0)).predict(X)
    np.testing.assert_allclose(weighted, expected, rtol=1e-4)


@STILL_FALLS
def test_rows_of_weight_zero_are_history_still():
    rows = np.random.RandomState(0).randn(31, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(31), np.zeros(31), np.zeros(31), 5)
    weight = np.ones(31)
    weight[10:15] = 0.0
    y = rows[:, 0]
    model = RNNRegressor(**SMALL, horizon=1).fit(X, y, weight)
    unlabelled = np.append(y[1:], np.nan)
    unlabelled[10:15] = np.nan
    expected = RNNRegressor(**SMALL).fit(X, unlabelled[:, None]).predict(X)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)


# -- warm start ----------------------------------------------------------------------------------------------------


@STILL_FALLS
@pytest.mark.parametrize("batch_size", [7, 20])
def test_warm_start_goes_on_from_the_weights(batch_size):
    X, y = data()
    params = SMALL | {"lr_schedule": None, "batch_size": batch_size}
    model = RNNRegressor(**params, warm_start=True).fit(X, y)
    before, former = weights_of(model).copy(), model.history_["train_loss"].to_numpy()
    model.set_params(lr=1e-12).fit(X, y)
    np.testing.assert_allclose(weights_of(model), before, rtol=1e-6, atol=1e-9)
    model.set_params(lr=0.01).fit(X, y)
    assert model.history_["train_loss"].iloc[0] < former[0]
    assert model.n_iter_ == 3


@STILL_FALLS
def test_without_warm_start_every_fit_begins_anew():
    X, y = data()
    model = RNNRegressor(**SMALL).fit(X, y)
    expected = model.predict(X)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)


@STILL_FALLS
@pytest.mark.parametrize("change", [{"hidden_size": 5}, {"cell": "lstm"}, {"n_layers": 2}, {"bidirectional": True}])
def test_warm_start_needs_the_same_net(change):
    X, y = data()
    model = RNNRegressor(**SMALL, warm_start=True).fit(X, y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="must keep its shape.*Set warm_start=False"):
        model.set_params(**change).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


# -- warnings and progress -----------------------------------------------------------------------------------------


def test_loss_that_still_falls_warns():
    X, y = data()
    with pytest.warns(ConvergenceWarning, match=r"still fell when max_epochs=5.*Raise max_epochs, or lr") as caught:
        RNNRegressor(**SMALL | {"max_epochs": 5}, lr_schedule=None).fit(X, y)
    assert caught[0].filename == __file__


def test_converged_training_is_silent():
    X, y = data()
    RNNRegressor(**SMALL | {"max_epochs": 200}, lr=0.03).fit(X, y)


@STILL_FALLS
def test_dropout_with_one_layer_warns():
    X, y = data()
    with pytest.warns(UserWarning, match="dropout=0.5 acts between layers.*n_layers=2 or more, or dropout=0") as caught:
        RNNRegressor(**SMALL, dropout=0.5).fit(X, y)
    assert caught[0].filename == __file__
    RNNRegressor(**SMALL, dropout=0.5, n_layers=2).fit(X, y)


@STILL_FALLS
def test_dropout_acts_in_training_only():
    X, y = data()
    params = SMALL | {"n_layers": 2}
    model = RNNRegressor(**params, dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict(X))
    assert not np.allclose(model.predict(X), RNNRegressor(**params).fit(X, y).predict(X))
    again = RNNRegressor(**params, dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@STILL_FALLS
@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_bar(verbose, capsys):
    X, y = data()
    RNNRegressor(**SMALL, verbose=verbose, early_stopping=True).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("3/3" in shown.err and "loss" in shown.err and "valid" in shown.err) is bool(verbose)
    assert bool(shown.err) is bool(verbose)
