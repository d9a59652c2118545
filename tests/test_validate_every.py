"""`validate_every`: a validation after so many batches instead of after each epoch; the training stays the same."""

import numpy as np
import pytest
import torch

from skrnn import RNNRegressor, Windows
from skrnn._net import RecurrentNet

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 3, "batch_size": 5, "random_state": 0}
VALIDATED = SMALL | {"early_stopping": True, "validation": 0.25}  # of 40 rows 30 train, in 6 batches


def data(n_samples=40):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


def noise(n_samples=40):
    """Nothing to learn: the validation loss only gets worse."""
    rng = np.random.RandomState(0)
    return rng.randn(n_samples, 5, 2), rng.randn(n_samples)


def weights_of(model):
    return torch.nn.utils.parameters_to_vector(model.net_.module_.parameters()).detach().numpy()


@pytest.mark.parametrize("validate_every", [1, 2, 5, 6, 7, 18, 100])
def test_a_row_of_history_for_each_validation(validate_every):
    model = RNNRegressor(**VALIDATED, validate_every=validate_every).fit(*data())
    history = model.history_
    assert model.net_.n_steps_ == 18  # as many batches as without it
    assert len(history) == -(-18 // validate_every)
    ends = np.minimum(np.arange(1, len(history) + 1) * validate_every, 18)
    np.testing.assert_allclose(history["epoch"], ends / 6)
    assert model.n_iter_ == 3
    assert history.notna().all(axis=None)
    assert {"train_loss", "train_mae", "valid_loss", "valid_mae", "seconds", "lr"} <= set(history.columns)
    assert not {"share", "batches"} & set(history.columns)


@pytest.mark.parametrize("validate_every", [1, 4, 7])
def test_the_batches_are_those_of_whole_epochs(validate_every, monkeypatch):
    """The same rows in the same order, each once an epoch, with the same learning rates."""
    trained = []
    step = RecurrentNet.train_step

    def noted(self, batch, **fit_params):
        trained.append((batch[1].numpy().copy(), self.optimizer_.param_groups[0]["lr"]))
        return step(self, batch, **fit_params)

    monkeypatch.setattr(RecurrentNet, "train_step", noted)
    runs = []
    for every in (None, validate_every):
        RNNRegressor(**VALIDATED, kernel="torch", validate_every=every).fit(*data())
        runs.append(list(trained))
        trained.clear()
    assert len(runs[0]) == len(runs[1]) == 18
    for (values, lr), (expected, expected_lr) in zip(runs[1], runs[0], strict=True):
        np.testing.assert_array_equal(values, expected)
        assert lr == expected_lr
    for epoch in range(3):
        seen = np.concatenate([values[:, 0] for values, _ in runs[1][6 * epoch : 6 * epoch + 6]])
        assert len(np.unique(seen)) == 30


@pytest.mark.parametrize("validate_every", [2, 4])
def test_a_watched_training_gives_the_same_weights(validate_every):
    """Without early stopping validations change nothing."""
    X, y = data()
    params = SMALL | {"early_stopping": False}
    alone = RNNRegressor(**params).fit(X, y)
    watched = RNNRegressor(**params, validate_every=validate_every).fit(X, y, X_val=X[:7], y_val=y[:7])
    np.testing.assert_array_equal(weights_of(watched), weights_of(alone))
    assert len(watched.history_) == 24 // validate_every


def test_once_an_epoch_is_what_none_does():
    X, y = data()
    none, six = (RNNRegressor(**VALIDATED, validate_every=every).fit(X, y) for every in (None, 6))
    np.testing.assert_array_equal(weights_of(six), weights_of(none))
    columns = ["epoch", "train_loss", "train_mae", "valid_loss", "valid_mae", "lr"]
    np.testing.assert_allclose(six.history_[columns], none.history_[columns], rtol=1e-12)


def test_best_weights_are_kept_within_an_epoch():
    X, y = noise()
    X_val, y_val = np.random.RandomState(1).randn(20, 5, 2), np.random.RandomState(2).randn(20)
    model = RNNRegressor(
        **SMALL | {"hidden_size": 8, "max_epochs": 10},
        lr=0.05,
        lr_schedule=None,
        n_iter_no_change=100,
        early_stopping=True,
        validate_every=3,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    history = model.history_
    assert len(history) == 27  # of 80 batches
    best = history["valid_loss"].idxmin()
    assert history["epoch"][best] % 1 > 0
    error = np.abs(model.predict(X_val) - y_val).mean()
    assert error == pytest.approx(history["valid_mae"][best], rel=1e-4)
    assert error != pytest.approx(history["valid_mae"].iloc[-1], rel=1e-2)


def test_patience_counts_validations():
    X, y = noise()
    model = RNNRegressor(
        **VALIDATED | {"max_epochs": 100}, lr=0.05, lr_schedule=None, n_iter_no_change=5, validate_every=2
    ).fit(X, y)
    best = int(model.history_["valid_loss"].idxmin())
    assert len(model.history_) == best + 1 + 5
    assert model.net_.n_steps_ == 2 * len(model.history_)
    assert model.n_iter_ == np.ceil(len(model.history_) * 2 / 6) < 100


@pytest.mark.parametrize(
    "max_steps, rows, epochs", [(1, 1, 1), (4, 1, 1), (5, 2, 1), (7, 2, 2), (12, 3, 2), (99, 5, 3)]
)
def test_max_steps(max_steps, rows, epochs):
    model = RNNRegressor(**VALIDATED, max_steps=max_steps, validate_every=4).fit(*data())
    assert model.net_.n_steps_ == min(max_steps, 18)
    assert len(model.history_) == rows
    assert model.n_iter_ == epochs
    assert model.history_["epoch"].iloc[-1] == pytest.approx(min(max_steps, 18) / 6)
    assert model.history_["lr"].iloc[-1] == pytest.approx(0, abs=1e-9)  # annealed over the budget


def test_losses_are_those_of_the_batches_in_between():
    """With one batch a part, the losses of an epoch are those of its batches."""
    X, y = data()
    params = VALIDATED | {"lr": 1e-12, "shuffle": False}
    whole = RNNRegressor(**params).fit(X, y).history_
    parts = RNNRegressor(**params, validate_every=1).fit(X, y).history_
    assert parts["train_loss"].nunique() >= 6
    np.testing.assert_allclose(
        parts["train_loss"].to_numpy().reshape(3, 6).mean(axis=1), whole["train_loss"], rtol=1e-4
    )
    np.testing.assert_allclose(parts["valid_loss"], whole["valid_loss"].iloc[0], rtol=1e-4)


def test_plateau_counts_validations():
    X, y = noise()
    model = RNNRegressor(
        **VALIDATED | {"max_epochs": 6}, lr=0.05, lr_schedule="plateau", n_iter_no_change=100, validate_every=1
    ).fit(X, y)
    assert model.history_["lr"].iloc[-1] < 0.05


@pytest.mark.parametrize("params", [{"n_nets": 2}, {"return_sequences": True}, {"horizon": 2}], ids=str)
def test_with_other_options(params):
    rows = np.random.RandomState(0).randn(42, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(42), np.zeros(42), np.zeros(42), 5)
    y = np.random.RandomState(1).randn(42, 5) if "return_sequences" in params else np.sin(rows[:, 1])
    model = RNNRegressor(**VALIDATED | params, validate_every=4).fit(X, y)
    history = model.history_
    per_net = history.groupby("net") if "net" in history else [(0, history)]
    for _, of_net in per_net:
        assert (np.diff(of_net["epoch"]) > 0).all()
        assert of_net["epoch"].iloc[-1] == pytest.approx(3)
    assert np.isfinite(model.skill_)
    assert model.predict(X).shape[0] == 42


def test_progress_bar_counts_validations(capsys):
    RNNRegressor(**VALIDATED, validate_every=4, verbose=1).fit(*data())
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "validation" in shown


def test_without_validation_it_warns():
    X, y = data()
    with pytest.warns(
        UserWarning, match="validate_every=2 has no rows to validate on. Set early_stopping=True"
    ) as caught:
        RNNRegressor(**SMALL, validate_every=2).fit(X, y)
    assert caught[0].filename == __file__
