"""`partial_fit`: each call goes on where the last one ended; what does not fit is refused and nothing is lost."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skrnn import RNNRegressor, Windows, future_targets, past_targets

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
NAN = np.nan


def data(n_samples=30, seed=0):
    X = np.random.RandomState(seed).randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 7


def windows(n_rows=61, window=5):
    rows = np.random.RandomState(0).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


def weights_of(model, number=0):
    return torch.nn.utils.parameters_to_vector(model.nets_[number].module_.parameters()).detach().numpy().copy()


# -- what a call does ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batch_size": 7},
        {"batch_size": 7, "optimizer": "sgd", "net_params": {"optimizer__momentum": 0.9}},
        {"batch_size": 7, "optimizer": "adamw", "weight_decay": 0.1, "gradient_clip": None},
        {"batch_size": 7, "optimizer": torch.optim.Adagrad},
        {"n_layers": 2, "dropout": 0.3, "input_dropout": 0.2, "cell": "lstm"},
        {"loss": "quantile", "pooling": "attention", "conv_channels": 3},
    ],
    ids=str,
)
def test_calls_on_the_same_rows_are_epochs_of_one_fit(params, shuffle, pickled):
    """Bit for bit: weights, moments of the optimizer, order of the rows and dropout masks go on."""
    X, y = data()
    params = SMALL | params | {"shuffle": shuffle}
    whole = RNNRegressor(**params | {"max_epochs": 3}, lr_schedule=None, early_stopping=False).fit(X, y)
    model = RNNRegressor(**params)
    for _ in range(3):
        assert model.partial_fit(X, y) is model
        model = pickle.loads(pickle.dumps(model)) if pickled else model
    for number in range(model.n_nets):
        np.testing.assert_array_equal(weights_of(model, number), weights_of(whole, number))
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))
    columns = ["epoch", "train_loss", "train_mae", "lr"]
    order = ["net", "epoch"] if "net" in whole.history_ else ["epoch"]
    ours, theirs = (m.history_.sort_values(order)[columns].to_numpy() for m in (model, whole))
    np.testing.assert_array_equal(ours, theirs)
    assert model.n_iter_ == 3


def test_the_state_of_the_optimizer_is_kept():
    X, y = data()
    model = RNNRegressor(**SMALL, batch_size=10).partial_fit(X, y).partial_fit(X, y)
    state = model.net_.optimizer_.state_dict()["state"][0]
    assert float(state["step"]) == 6
    forgotten = RNNRegressor(**SMALL, batch_size=10).partial_fit(X, y)
    forgotten.net_.initialize_optimizer()
    forgotten.net_.release_parameters()
    assert not np.allclose(weights_of(forgotten.partial_fit(X, y)), weights_of(model), rtol=1e-4)


@pytest.mark.parametrize("lr_schedule", ["cosine", "onecycle", "warmup_cosine", None])
def test_after_fit_it_goes_on_with_the_whole_rate(lr_schedule):
    X, y = data()
    model = RNNRegressor(**SMALL, lr_schedule=lr_schedule, lr=0.02, early_stopping=True).fit(X, y)
    before, n_channels = weights_of(model), model.n_channels_
    model.partial_fit(X, y)
    assert model.history_["lr"].iloc[-1] == pytest.approx(0.02)
    step = np.abs(weights_of(model) - before).max()
    assert 1e-3 < step < 0.05
    assert model.history_["epoch"].tolist() == [1, 2, 3]
    assert model.n_iter_ == 3
    assert np.isnan(model.history_["valid_loss"].iloc[-1])  # nothing is validated
    assert model.n_channels_ == n_channels


@pytest.mark.parametrize(
    "params",
    [
        {"max_steps": 1},
        {"max_epochs": 50},
        {"lr_schedule": "onecycle"},
        {"lr_schedule": "plateau"},
        {"early_stopping": True},
        {"validate_every": 2},
        {"warm_start": True},
        {"validation": "tail"},
    ],
    ids=str,
)
def test_what_does_not_apply(params):
    X, y = data()
    expected = RNNRegressor(**SMALL, batch_size=7).partial_fit(X, y).partial_fit(X, y)
    model = RNNRegressor(**SMALL | params, batch_size=7).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(weights_of(model), weights_of(expected))
    assert model.net_.n_steps_ == 5  # all the batches
    assert model.history_["epoch"].tolist() == [1, 2]
    assert np.isnan(model.skill_)


def test_standardisation_is_that_of_the_first_call():
    X, y = data()
    model = RNNRegressor(**SMALL, lr=1e-12).partial_fit(X, y)
    expected = model.predict(X)
    model.partial_fit(X * 100 + 5, y * 100 + 5)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-6)
    assert model.predict(X).mean() == pytest.approx(y.mean(), abs=3)


def test_the_first_call_fixes_the_precision():
    X, y = data(40)
    model = RNNRegressor(**SMALL).partial_fit(X[:20], y[:20])
    assert model.dtype_ == np.float64
    assert model.partial_fit(X, y).dtype_ == np.float64
    assert model.net_.batch_size == 16  # "auto" goes by the rows of each call
    assert RNNRegressor(**SMALL).partial_fit(X, y).dtype_ == np.float32


def test_fit_begins_anew():
    X, y = data()
    expected = RNNRegressor(**SMALL).fit(X, y)
    model = RNNRegressor(**SMALL).partial_fit(X * 9, np.ones((30, 2))).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert len(model.history_) == 2
    assert not hasattr(clone(model), "net_")


def test_another_seed_and_a_shared_generator():
    X, y = data()
    first, second = (RNNRegressor(**SMALL | {"random_state": seed}).partial_fit(X, y) for seed in (0, 1))
    assert not np.allclose(weights_of(first), weights_of(second))
    nets = []
    for _ in range(2):
        model = RNNRegressor(**SMALL | {"random_state": np.random.RandomState(3)})
        nets.append(weights_of(model.partial_fit(X, y).partial_fit(X[::-1], y[::-1])))
    np.testing.assert_array_equal(*nets)


# -- rows ----------------------------------------------------------------------------------------------------------


def test_sample_weights():
    X, y = data(11)
    weight = np.arange(11) % 3
    repeated = np.repeat(np.arange(11), weight)
    of_weights, of_repeats = (RNNRegressor(**SMALL, shuffle=False) for _ in range(2))
    for _ in range(3):
        of_weights.partial_fit(X, y, weight)
        of_repeats.partial_fit(X[repeated], y[repeated])
    np.testing.assert_allclose(of_weights.predict(X), of_repeats.predict(X), rtol=1e-7)
    with pytest.raises(ValueError, match="zero"):
        of_weights.partial_fit(X, y, np.zeros(11))
    with pytest.raises(ValueError, match="[Nn]egative"):
        of_weights.partial_fit(X, y, -np.ones(11))


def test_unknown_targets():
    X, y = data()
    y[[2, 3, 5]] = NAN
    known = ~np.isnan(y)
    model = RNNRegressor(**SMALL).partial_fit(X, y).partial_fit(X, y)
    expected = RNNRegressor(**SMALL).partial_fit(X[known], y[known]).partial_fit(X[known], y[known])
    np.testing.assert_array_equal(weights_of(model), weights_of(expected))


def test_ragged_sequences_of_any_length():
    rng = np.random.RandomState(0)
    model = RNNRegressor(**SMALL, return_sequences=True)
    for longest in (3, 7, 2):
        X = [rng.randn(n_steps, 2) for n_steps in rng.randint(1, longest + 1, 11)]
        model.partial_fit(X, [sequence.sum(axis=1) for sequence in X])
    assert [len(steps) for steps in model.predict(X)] == [len(sequence) for sequence in X]
    assert len(model.history_) == 3


@pytest.mark.parametrize("n_outputs", [None, 2])
@pytest.mark.parametrize("form", ["horizon", "targets", "steps"])
def test_windows_of_a_series(form, n_outputs):
    X = windows()
    series = X.base[:, 0] if n_outputs is None else X.base
    y = {"horizon": series, "targets": future_targets(series, 2)}.get(form)
    if form == "steps":
        y = past_targets(future_targets(X.base[:, 0], 2), 5)
    model = RNNRegressor(**SMALL, horizon=2 if form == "horizon" else None, return_sequences=form == "steps")
    for rows in (slice(0, 30), slice(30, 45), slice(45, 61)):
        model.partial_fit(X[rows], y[rows])
    assert model.target_channels_.tolist()[0] == 0
    assert np.isfinite(model.predict(X)[-1]).all()
    assert isinstance(model.score(X, y), float)


def test_rows_behind_the_last_one_of_a_call_do_not_train():
    X = windows()
    y = future_targets(X.base[:, 0], 3)
    model = RNNRegressor(**SMALL).partial_fit(X[:30], y[:30])
    twin = pickle.loads(pickle.dumps(model))
    later = y[30:45].copy()
    for step in range(3):
        later[14 - step :, step] = NAN
    np.testing.assert_array_equal(
        weights_of(model.partial_fit(X[30:45], y[30:45])), weights_of(twin.partial_fit(X[30:45], later))
    )


def test_learning_on_a_stream():
    rng = np.random.RandomState(0)
    X = rng.randn(700, 4, 2)
    y = X[:, -1, 0] - X[:, -2, 1]
    model = RNNRegressor("gru", hidden_size=6, lr=0.03, batch_size=5, random_state=0)
    for rows in np.split(np.arange(500), 20):
        model.partial_fit(X[rows], y[rows])
    assert model.score(X[500:], y[500:]) > 0.7
    assert len(model.history_) == 20
    assert model.history_["train_loss"].iloc[-5:].mean() < 0.3 * model.history_["train_loss"].iloc[:5].mean()
    assert (
        RNNRegressor("gru", hidden_size=6, lr=0.03, batch_size=5, random_state=0)
        .partial_fit(X[:25], y[:25])
        .score(X[500:], y[500:])
        < 0.4
    )


def test_inputs_are_left_as_they_were():
    X, y, weight = *data(), np.arange(30.0)
    copies = X.copy(), y.copy(), weight.copy()
    RNNRegressor(**SMALL).partial_fit(X, y, weight).partial_fit(X, y, weight)
    for array, before in zip((X, y, weight), copies, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("batch_size", ["auto", 7])
def test_pickles_do_not_grow(batch_size):
    X, y = data()
    model = RNNRegressor(**SMALL, batch_size=batch_size).partial_fit(X, y)
    size = len(pickle.dumps(model))
    for _ in range(5):
        model.partial_fit(X, y)
    assert len(pickle.dumps(model)) < size + 3000  # rows of the history


# -- refusals ------------------------------------------------------------------------------------------------------

X, Y = data()
STEPS = np.random.RandomState(1).randn(30, 5)


@pytest.mark.parametrize(
    "params, y, bad_X, bad_y, message",
    [
        ({}, Y, X[:, :, :1], Y, "X has 1 channels, but 2 were expected as in `fit`.*third axis"),
        ({}, Y, X.reshape(30, 10), Y, "fitted on sequences .*, but X is a 2-D table"),
        ({}, Y, X, Y[:, None], r"y has rows of shape \(1,\), but those of y in `fit` have \(\)"),
        ({}, Y[:, None], X, Y, r"y has rows of shape \(\), but those of y in `fit` have \(1,\)"),
        ({}, STEPS, X, STEPS[:, :3], r"y has rows of shape \(3,\), but those of y in `fit` have \(5,\)"),
        ({}, Y, X, Y[:7], "X has 30 rows and y has 7"),
        ({}, Y, X, np.full(30, NAN), "y holds no known value"),
        ({}, Y, np.where(np.arange(5)[:, None] == 2, NAN, X), Y, "contains NaN: sequence 0 has it at step 2"),
        ({"return_sequences": True}, STEPS, X, Y, "needs a target for each step.*past_targets"),
        ({"return_sequences": True}, STEPS, X, np.dstack([STEPS, STEPS]), r"y has rows of shape \(2,\).*have \(\)"),
    ],
)
def test_what_does_not_fit_is_refused(params, y, bad_X, bad_y, message):
    model = RNNRegressor(**SMALL | params).partial_fit(X, y)
    expected, history, before = model.predict(X), model.history_, set(vars(model))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(bad_X, bad_y)
    assert set(vars(model)) == before
    assert model.history_ is history
    np.testing.assert_array_equal(model.predict(X), expected)
    model.partial_fit(X, y)  # and it goes on


def test_a_first_call_that_fails_leaves_it_unfitted():
    model = RNNRegressor(**SMALL)
    with pytest.raises(ValueError, match="no known value"):
        model.partial_fit(X, np.full(30, NAN))
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    model.set_params(hidden_size=0)
    with pytest.raises(ValueError, match="`hidden_size` must be an int of at least 1, got 0"):
        model.partial_fit(X, Y)


@pytest.mark.parametrize("params", [{"standardize": False}, {"window_scaling": "last"}], ids=str)
def test_another_scaling_is_refused(params):
    model = RNNRegressor(**SMALL).partial_fit(X, Y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="The scaling of the former fit is kept.*Begin anew with `fit`"):
        model.set_params(**params).partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), expected)


# -- a loss that is no number, and Ctrl-C --------------------------------------------------------------------------


@pytest.mark.parametrize("what", [torch.nan, torch.inf])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_divergence_keeps_the_former_weights(at_batch, monkeypatch, what, batch):
    model = RNNRegressor(**SMALL, batch_size=10).partial_fit(X, Y)
    expected, before = model.predict(X), weights_of(model)
    at_batch(batch, lambda loss: loss * what)
    with pytest.warns(
        ConvergenceWarning, match=r"weights before this call were kept. Try a lower lr than 0\.01"
    ) as caught:
        model.partial_fit(X, Y)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(weights_of(model), before)
    monkeypatch.undo()
    model.partial_fit(X, Y)  # a clean one goes on
    assert np.isfinite(model.predict(X)).all()
    assert not np.array_equal(model.predict(X), expected)
    assert np.isfinite(pickle.loads(pickle.dumps(model)).predict(X)).all()


def test_divergence_of_the_first_call_leaves_the_initial_weights(at_batch):
    at_batch(1, lambda loss: loss * torch.nan)
    model = RNNRegressor(**SMALL)
    with pytest.warns(ConvergenceWarning, match="weights before this call were kept"):
        model.partial_fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_interrupt_leaves_a_net_that_predicts(at_batch):
    model = RNNRegressor(**SMALL, batch_size=10).partial_fit(X, Y)

    def ctrl_c(loss):
        raise KeyboardInterrupt

    at_batch(2, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    assert len(model.history_) == 1
    assert np.isfinite(pickle.loads(pickle.dumps(model)).predict(X)).all()


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_bar(verbose, capsys):
    RNNRegressor(**SMALL, verbose=verbose).partial_fit(X, Y).partial_fit(X, Y)
    assert (capsys.readouterr().err.count("1/1") >= 2) is bool(verbose)
