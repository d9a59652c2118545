"""Bad input gets a message with what was expected, what came and what to do; a former fit survives it."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows
from skrnn._net import RecurrentNet

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
NAN = np.nan


def data(n_samples=11):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 1


def with_value(array, where, value):
    array = array.astype(float).copy()
    array[where] = value
    return array


X, Y = data()
TABLE = X.reshape(11, 10)
SERIES = Windows(np.arange(22.0).reshape(11, 2), np.arange(11), np.zeros(11), np.zeros(11), 3)

PARAMETERS = [
    ({"cell": "transformer"}, "`cell` must be one of 'rnn', 'rnn_relu', 'lstm', 'gru', got 'transformer'"),
    ({"cell": None}, "`cell` must be one of .*, got None"),
    ({"hidden_size": 0}, "`hidden_size` must be an int of at least 1, got 0"),
    ({"hidden_size": 3.0}, "`hidden_size` must be an int of at least 1, got 3.0"),
    ({"hidden_size": True}, "`hidden_size` must be an int of at least 1, got True"),
    ({"n_layers": 0}, "`n_layers` must be an int of at least 1, got 0"),
    ({"max_epochs": 0}, "`max_epochs` must be an int of at least 1, got 0"),
    ({"n_iter_no_change": 0}, "`n_iter_no_change` must be an int of at least 1, got 0"),
    ({"max_steps": 0}, "`max_steps` must be an int of at least 1.*got 0"),
    ({"horizon": 0}, "`horizon` must be an int of at least 1.*got 0"),
    ({"n_channels": 0}, "`n_channels` must be an int of at least 1.*got 0"),
    ({"bidirectional": "yes"}, "`bidirectional` must be True or False, got 'yes'"),
    ({"standardize": 1}, "`standardize` must be True or False, got 1"),
    ({"shuffle": None}, "`shuffle` must be True or False, got None"),
    ({"warm_start": 0}, "`warm_start` must be True or False, got 0"),
    ({"dropout": 1.0}, "`dropout` must be a number of at least 0 and below 1, got 1.0"),
    ({"dropout": -0.1}, "`dropout` must be a number of at least 0 and below 1, got -0.1"),
    ({"lr": 0}, "`lr` must be a number greater than 0, got 0"),
    ({"lr": "fast"}, "`lr` must be a number greater than 0, got 'fast'"),
    ({"lr": NAN}, "`lr` must be a number greater than 0, got nan"),
    ({"weight_decay": -1}, "`weight_decay` must be a number of at least 0, got -1"),
    ({"gradient_clip": 0}, "`gradient_clip` must be a number greater than 0.*got 0"),
    ({"batch_size": 0}, "`batch_size` must be .*int of at least 1.*got 0"),
    ({"batch_size": "large"}, "`batch_size` must be .*int of at least 1.*got 'large'"),
    ({"window_scaling": "first"}, "`window_scaling` must be one of 'auto', None, 'last'.*got 'first'"),
    (
        {"loss": "hinge"},
        "`loss` must be one of .*'huber', 'quantile', or a torch loss class, got 'hinge'",
    ),
    ({"optimizer": "lion"}, "`optimizer` must be one of 'adam', .*a torch optimizer class, got 'lion'"),
    ({"optimizer": torch.nn.Linear}, "`optimizer` must be one of 'adam', .*a torch optimizer class, got"),
    (
        {"lr_schedule": "linear"},
        "`lr_schedule` must be one of 'cosine', 'onecycle', 'warmup_cosine', 'plateau', None, got 'linear'",
    ),
    ({"early_stopping": "yes"}, "`early_stopping` must be one of 'auto', True, False, got 'yes'"),
    ({"validation": "head"}, "`validation` must be 'auto', 'tail', 'shuffle', a fraction.*got 'head'"),
    ({"validation": 1.5}, "`validation` must be 'auto', 'tail', 'shuffle', a fraction.*got 1.5"),
    ({"device": "tpu"}, "`device` must be .*got 'tpu'"),
    ({"device": "cuda:77"}, r"`device` must be one that this machine has, got 'cuda:77'.*device='cpu'"),
    ({"device": "meta"}, "`device` must be .*got 'meta'"),
    ({"dtype": "float16"}, "`dtype` must be 'auto', 'float32' or 'float64', got 'float16'"),
    ({"dtype": None}, "`dtype` must be 'auto', 'float32' or 'float64', got None"),
    ({"dtype": "word"}, "`dtype` must be 'auto', 'float32' or 'float64', got 'word'"),
    ({"verbose": "loud"}, "`verbose` must be .*got 'loud'"),
    ({"verbose": -1}, "`verbose` must be an int of at least 0, got -1"),
    ({"random_state": "seed"}, "'seed' cannot be used to seed"),
    ({"net_params": {"lr": 1}}, r"net_params\['lr'\] shadows the parameter `lr`; set lr=... instead"),
    ({"net_params": {"optimizer__rho": 1}}, r"net_params\['optimizer__rho'\] names nothing: Adam has no argument"),
    ({"target_channels": 2}, "`target_channels` names channel 2, but X has channels 0 to 1"),
    ({"target_channels": "price"}, "`target_channels` names 'price', which is no channel of X.*unnamed"),
    ({"target_channels": [0, 1, 1]}, "`target_channels` must name one channel, or one for each output of y, got 3"),
    ({"n_channels": 3}, "X has 2 channels, but n_channels=3 was set"),
]

INPUTS = [
    (with_value(X, (3, 2, 1), NAN), Y, "contains NaN: sequence 3 has it at step 2.*impute"),
    (with_value(X, (3, 2, 1), np.inf), Y, "contains infinity: sequence 3 has it at step 2"),
    (with_value(X, 4, NAN), Y, r"Sequence 4 of X holds padding \(all-NaN steps\) only.*Drop it"),
    (with_value(TABLE, (3, 2), NAN), Y, "contains NaN"),
    (with_value(TABLE, (3, 2), np.inf), Y, "contains infinity"),
    (X[:0], Y[:0], r"0 sample\(s\)"),
    (TABLE[:, :0], Y, r"0 feature\(s\)"),
    ([], [], r"[Ff]ound array with|Expected 2D array|0 sample"),
    (Y, Y, "Expected 2D array, got 1D array"),
    (X[..., None], Y, r"X must be 3-D .* or a 2-D table, got shape \(11, 5, 2, 1\)"),
    ([np.ones(2), np.array(["a"])], [1.0, 2.0], "numbers only"),
    ([X[0], np.empty((0, 2)), X[2]], Y[:3], "Sequence 1 of X must be an array.*at least one step"),
    ([X[0], X[1, :3, :1]], Y[:2], "sequence 0 has 2 and sequence 1 has 1"),
    (np.full((11, 3), "word", dtype=object), Y, "convert|numbers|numeric"),
    (X, Y[:7], "X has 11 rows and y has 7.*NaN where the target is unknown"),
    (X, np.full(11, NAN), "y holds no known value: all 11 are NaN.*At least one"),
    (X, with_value(Y, 3, np.inf), "y contains infinity"),
    (X, ["a"] * 11, "convert|numeric"),
    (X, None, "requires y to be passed, but the target y is None"),
    (X, np.ones((11, 2, 3, 1)), "y must have 1, 2 or 3 axes, got shape"),
]


def fit_refuses(model, message, *data, **more):
    """A fitted estimator raises, and goes on predicting what it predicted."""
    model_params, fitted_X = model.get_params(deep=False), X
    usual = RNNRegressor(**SMALL).get_params(deep=False)
    fitted = model.set_params(**usual).fit(fitted_X, Y)
    expected, attributes = fitted.predict(fitted_X), set(vars(fitted))
    fitted.set_params(**model_params)
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.fit(*data, **more)
    assert set(vars(fitted)) == attributes
    np.testing.assert_array_equal(fitted.set_params(**usual).predict(fitted_X), expected)


@pytest.fixture(autouse=True)
def no_training_on_bad_input(monkeypatch):
    """Errors come before the first batch."""
    train, calls = RecurrentNet.train, []

    def counted(self, dataset):
        calls.append(1)
        return train(self, dataset)

    monkeypatch.setattr(RecurrentNet, "train", counted)
    yield
    assert len(calls) <= 1  # the good fit


@pytest.mark.parametrize("params, message", PARAMETERS, ids=lambda value: str(value)[:40])
def test_parameters(params, message):
    fit_refuses(RNNRegressor(**SMALL | params), message, X, Y)


@pytest.mark.parametrize("bad_X, bad_y, message", INPUTS, ids=[message[:30] for *_, message in INPUTS])
def test_input_of_fit(bad_X, bad_y, message):
    fit_refuses(RNNRegressor(**SMALL), message, bad_X, bad_y)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.zeros(11), "eight.*non-zero|zero"),
        (np.r_[-1.0, np.ones(10)], "[Nn]egative"),
        (np.ones(7), "inconsistent|sample_weight"),
        (with_value(np.ones(11), 2, NAN), "NaN"),
    ],
)
def test_sample_weights(weight, message):
    fit_refuses(RNNRegressor(**SMALL), message, X, Y, weight)


def test_known_rows_of_weight_zero_only():
    y = with_value(Y, slice(3, None), NAN)
    fit_refuses(RNNRegressor(**SMALL), "sample weight zero", X, y, np.r_[0, 0, 0, np.ones(8)])


@pytest.mark.parametrize(
    "given, message",
    [
        ({"X_val": X}, "X_val and y_val go together.*transform_input"),
        ({"y_val": Y}, "X_val and y_val go together"),
        ({"X_val": X, "y_val": Y[:7]}, "11 rows and y has 7"),
        ({"X_val": X[:, :, :1], "y_val": Y}, "X has 1 channels, but 2 were expected"),
        ({"X_val": TABLE, "y_val": Y}, "X_val must be sequences.*2-D table.*enable_metadata_routing"),
        ({"X_val": X, "y_val": np.ones((11, 2))}, r"y_val has rows of shape \(2,\), but those of y in `fit` have \(\)"),
        ({"X_val": X, "y_val": np.full(11, NAN)}, "no known value"),
        ({"X_val": with_value(X, (0, 2, 0), NAN), "y_val": Y}, "contains NaN"),
    ],
)
def test_validation_sets(given, message):
    fit_refuses(RNNRegressor(**SMALL), message, X, Y, **given)


@pytest.mark.parametrize(
    "params, bad_X, bad_y, message",
    [
        ({"horizon": 2}, X, Y, "horizon=2 builds each row's future.*windows of a series.*horizon=None"),
        ({"horizon": 2}, TABLE, Y, "horizon=2 builds each row's future.*windows of a series"),
        ({"horizon": 2}, SERIES, np.ones((11, 2, 1)), "y must be the series itself.*future_targets"),
        ({"horizon": 11}, SERIES, SERIES.base[:, 0], "horizon=11 leaves.*has 11 rows.*horizon below"),
        (
            {"horizon": 2, "validation": "shuffle", "early_stopping": True},
            SERIES,
            Y,
            "'shuffle' would judge overlapping",
        ),
        ({"horizon": 10, "early_stopping": True}, SERIES, Y, "leaves 0 training.*early_stopping=False"),
        ({"n_channels": 3}, TABLE, Y, "X has 10 columns, which is no multiple of n_channels=3"),
    ],
)
def test_combinations(params, bad_X, bad_y, message):
    fit_refuses(RNNRegressor(**SMALL | params), message, bad_X, bad_y)


@pytest.mark.parametrize(
    "params",
    [{"device": "tpu"}, {"net_params": {"lr": 1}}, {"random_state": "seed"}, {"validation": "head"}],
    ids=str,
)
def test_a_failed_first_fit_leaves_the_estimator_unfitted(params):
    model = RNNRegressor(**SMALL | params)
    with pytest.raises(ValueError, match=next(iter(params)) + "|seed"):
        model.fit(X, Y)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_methods_of_an_unfitted_estimator():
    for call in (lambda m: m.predict(X), lambda m: m.score(X, Y)):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(RNNRegressor())


@pytest.mark.parametrize(
    "bad_X, message",
    [
        (X[:, :, :1], "X has 1 channels, but 2 were expected as in `fit`.*third axis"),
        ([X[0], X[1][:, :1]], "same number of channels"),
        (TABLE, "fitted on sequences .*, but X is a 2-D table.*form that `fit` had"),
        (with_value(X, (1, 2, 0), NAN), "contains NaN: sequence 1 has it at step 2"),
        (X[:0], r"0 sample\(s\)"),
    ],
)
def test_input_of_predict(bad_X, message):
    model = RNNRegressor(**SMALL).fit(X, Y)
    for call in (model.predict, lambda bad_X: model.score(bad_X, Y[: len(bad_X)])):
        with pytest.raises(ValueError, match=message):
            call(bad_X)
    assert model.predict(X).shape == (11,)


def test_table_at_predict():
    model = RNNRegressor(**SMALL).fit(TABLE, Y)
    with pytest.raises(ValueError, match="X has 9 features, but RNNRegressor is expecting 10 features"):
        model.predict(TABLE[:, 1:])
    with pytest.raises(ValueError, match="fitted on a 2-D table, but X is sequences"):
        model.predict(X)


def test_y_of_score():
    model = RNNRegressor(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="11 rows and y has 7"):
        model.score(X, Y[:7])
    with pytest.raises(ValueError, match="same shape"):
        model.score(X, np.ones((11, 3)))


def test_other_names_at_predict():
    frame = pd.DataFrame(SERIES.base, columns=["a", "b"])
    pipe = make_pipeline(SlidingWindowTransformer(3), RNNRegressor(**SMALL, horizon=1)).fit(frame, frame["a"])
    renamed = SlidingWindowTransformer(3).fit_transform(frame.rename(columns={"b": "c"}))
    with pytest.raises(ValueError, match=r"expected \['a', 'b'\], got \['a', 'c'\]"):
        pipe[-1].predict(renamed)
    swapped = SlidingWindowTransformer(3).fit_transform(frame[["b", "a"]])
    with pytest.raises(ValueError, match="in the same order"):
        pipe[-1].predict(swapped)


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_warm_start_refuses_another_scaling():
    rows = np.random.RandomState(0).randn(40, 2).cumsum(axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(rows, 5, axis=0).transpose(0, 2, 1)
    model = RNNRegressor("rnn", hidden_size=3, max_epochs=2, horizon=1, warm_start=True, random_state=0)
    model.fit(windows, rows[4:, 0])
    expected = model.predict(windows)
    with pytest.raises(ValueError, match="The scaling of the former fit is kept.*warm_start=False"):
        model.fit(windows, rows[4:, 1])  # the future of another channel
    with pytest.raises(ValueError, match="The scaling of the former fit is kept"):
        model.set_params(standardize=False).fit(windows, rows[4:, 0])
    np.testing.assert_array_equal(model.predict(windows), expected)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"optimizer": torch.optim.LBFGS, "weight_decay": 0.1}, "LBFGS has no weight_decay; set weight_decay=0"),
        ({"target_channels": []}, "`target_channels` must name at least one channel"),
        ({"net_params": {"callbacks__best_weights": None}}, "a callback of skrnn's own"),
        ({"net_params": {"module__n_outputs": 3}}, "the shape of y decides it"),
    ],
)
def test_more_refusals(params, message):
    with pytest.raises(ValueError, match=message):
        RNNRegressor(**params).fit(np.zeros((5, 3, 2)), np.arange(5.0))


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_idle_validation_is_warned_of():
    with pytest.warns(UserWarning, match="validation=0.3 does nothing, since no rows are held out"):
        RNNRegressor("rnn", hidden_size=3, max_epochs=2, validation=0.3).fit(np.ones((5, 3, 2)), np.arange(5.0))
