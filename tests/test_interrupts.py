"""Ctrl-C and a loss that is no number: what was learned is kept, and whoever called hears of it."""

import signal
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from skrnn import RNNRegressor
from skrnn._net import RecurrentNet

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 5, "batch_size": 10, "random_state": 0, "lr_schedule": None}
ADVICE = r"Try a lower lr than 0\.01, or a gradient_clip below 1"


def data(n_samples=30):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


def ctrl_c(loss):
    signal.raise_signal(signal.SIGINT)  # what the terminal sends: Python raises in the main thread
    return loss


def nan(loss):
    return loss * torch.nan


def infinity(loss):
    return loss * torch.inf


def of_epochs(n_epochs, X, **params):
    return RNNRegressor(**SMALL | {"max_epochs": n_epochs} | params).fit(*data()).predict(X)


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("batch, n_epochs", [(7, 2), (9, 2), (10, 3)])
def test_interrupt_sets_the_fitted_attributes_and_is_raised_again(at_batch, batch, n_epochs, early_stopping):
    X, y = data()
    validation = {"X_val": X[:7], "y_val": y[:7]} if early_stopping else {}
    model = RNNRegressor(**SMALL, early_stopping=early_stopping)
    before = signal.getsignal(signal.SIGINT)
    at_batch(batch, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, **validation)
    assert signal.getsignal(signal.SIGINT) is before
    assert model.n_iter_ == len(model.history_) == n_epochs
    assert np.isfinite(model.predict(X)).all()
    assert model.history_.notna().all(axis=None)
    assert np.isfinite(model.skill_) is np.bool_(early_stopping)
    assert isinstance(model.score(X, y), float)


def test_interrupt_keeps_the_last_whole_epoch(at_batch):
    X, y = data()
    expected = of_epochs(2, X)
    at_batch(8, ctrl_c)
    model = RNNRegressor(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_interrupt_in_the_first_epoch(at_batch):
    X, y = data()
    at_batch(2, ctrl_c)
    model = RNNRegressor(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 0
    assert np.isfinite(model.predict(X)).all()


def test_interrupt_in_the_validation(at_batch, monkeypatch):
    X, y = data()
    monkeypatch.setattr(RecurrentNet, "validation_step", lambda self, batch: ctrl_c(None))
    model = RNNRegressor(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X[:7], y_val=y[:7])
    assert model.n_iter_ == len(model.history_)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.history_["train_loss"]).all()


def test_interrupt_ends_a_search(at_batch):
    """skorch swallows it, and the search would go on with the next candidate."""
    at_batch(5, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(RNNRegressor(**SMALL), {"hidden_size": [2, 3]}, cv=2).fit(*data())


def test_interrupted_fit_can_go_on(at_batch, monkeypatch):
    X, y = data()
    model = RNNRegressor(**SMALL, warm_start=True)
    at_batch(8, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    monkeypatch.undo()
    former = model.history_["train_loss"].iloc[-1]
    assert model.fit(X, y).history_["train_loss"].iloc[-1] < former


def test_interrupt_before_training_keeps_the_former_fit(monkeypatch):
    X, y = data()
    model = RNNRegressor(**SMALL).fit(X, y)
    expected, history = model.predict(X), model.history_
    monkeypatch.setattr("skrnn._labelled.fit_input_scaling", lambda *args, **kwargs: ctrl_c(None))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :, :1], y)
    assert model.history_ is history
    np.testing.assert_array_equal(model.predict(X), expected)


def test_interrupt_while_the_kernels_compile(monkeypatch):
    pytest.importorskip("numba")
    X, y = data()
    params = SMALL | {"dtype": "float32"}
    monkeypatch.setattr("skrnn._net.ready", lambda: ctrl_c(None))
    model = RNNRegressor(**params)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    monkeypatch.undo()
    np.testing.assert_array_equal(model.fit(X, y).predict(X), RNNRegressor(**params).fit(X, y).predict(X))


# -- a loss that is no number --------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [nan, infinity])
@pytest.mark.parametrize("batch, n_good", [(4, 1), (5, 1), (6, 1), (7, 2), (9, 2)])
def test_last_good_weights_are_restored(at_batch, what, batch, n_good):
    X, y = data()
    expected = of_epochs(n_good, X)
    at_batch(batch, what)
    model = RNNRegressor(**SMALL)
    message = rf"in epoch {n_good + 1}; the weights of epoch {n_good} were restored.*{ADVICE}"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(X, y)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.predict(X), expected)


def test_gradients_that_are_no_number(at_batch):
    """The loss is finite, the weights after the update are not: the loss shows it in the next epoch only."""
    X, y = data()
    expected = of_epochs(2, X)

    def root_of_zero(loss):
        return loss.detach() + (loss - loss).sqrt()  # the slope of the root is infinite there, and 0 * inf is NaN

    at_batch(9, root_of_zero)  # the last batch of epoch 3
    with pytest.warns(ConvergenceWarning, match=ADVICE):
        model = RNNRegressor(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_divergence_with_validation_restores_the_best_epoch(at_batch):
    X, y = data()
    params = SMALL | {"early_stopping": True, "lr": 0.05}
    at_batch(13, nan)
    with pytest.warns(ConvergenceWarning, match="NaN or infinite"):
        model = RNNRegressor(**params).fit(X, y, X_val=X[:7], y_val=y[:7])
    best = model.history_["valid_loss"].idxmin()
    error = np.abs(model.predict(X[:7]) - y[:7]).mean()
    assert error == pytest.approx(model.history_["valid_mae"][best], rel=1e-4)
    assert np.isfinite(model.skill_)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_no_good_epoch_is_an_error(at_batch, batch, early_stopping):
    X, y = data()
    at_batch(batch, nan)
    model = RNNRegressor(**SMALL, early_stopping=early_stopping)
    with pytest.raises(ValueError, match=f"no good epoch.*{ADVICE}"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_no_good_epoch_keeps_the_former_fit(at_batch):
    X, y = data()
    model = RNNRegressor(**SMALL).fit(X, y)
    expected = model.predict(X)
    at_batch(1, nan)
    with pytest.raises(ValueError, match="no good epoch"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("batch_size", [10, 30])
@pytest.mark.parametrize("lr", [1e10, 1e18, 1e30])
def test_an_absurd_lr(lr, batch_size):
    """Whatever happens: predictions are finite and a warning was given, or fit says why not."""
    X, y = data()
    params = {"optimizer": "sgd", "lr": lr, "gradient_clip": None, "dtype": "float32"}
    model = RNNRegressor(**SMALL | {"batch_size": batch_size, "max_epochs": 20} | params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
        except ValueError as error:
            said = str(error)
        else:
            said = " ".join(str(warning.message) for warning in caught)
            assert np.isfinite(model.predict(X)).all()
    assert "gradient_clip=1.0" in said or model.n_iter_ == 20


def test_one_diverging_candidate_does_not_kill_a_search():
    X, y = data()
    params = SMALL | {"optimizer": "sgd", "gradient_clip": None, "dtype": "float32"}
    with pytest.warns(
        Warning, match="Estimator fit failed|no good epoch|fits failed|NaN or infinite|non-finite"
    ) as caught:
        search = GridSearchCV(RNNRegressor(**params), {"lr": [1e30, 0.1]}, cv=2).fit(X, y)
    assert search.best_params_ == {"lr": 0.1}
    assert caught
