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
    ({"window_scaling": "level"}, "`window_scaling` must be one of 'auto', None, 'last', 'first'.*got 'level'"),
    (
        {"loss": "hinge"},
        "`loss` must be one of .*'huber', 'quantile', or a torch loss class, got 'hinge'",
    ),
    ({"layer_norm": True, "hidden_size": 1}, "layer_norm=True makes a single feature 0.*at least 2, got 1"),
    (
        {"conv_channels": 3, "net_params": {"module__conv_kernel_size": 0}},
        "`module__conv_kernel_size` must be an int of at least 1, got 0",
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
    ({"device": "mps"}, "`device` must be 'cpu', 'cuda' or 'auto', got 'mps', which skrnn does not support"),
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
    ({"n_nets": 0}, "`n_nets` must be an int of at least 1, got 0"),
    ({"n_nets": 2.0}, "`n_nets` must be an int of at least 1, got 2.0"),
    ({"conv_channels": 0}, "`conv_channels` must be an int of at least 1 or None, got 0"),
    ({"patch_size": 0}, "`patch_size` must be an int of at least 1, got 0"),
    ({"patch_size": None}, "`patch_size` must be an int of at least 1, got None"),
    (
        {"patch_size": 7},
        r"patch_size=7 is longer than the sequences of X, which have 5 step\(s\)\. Take .* longer window",
    ),
    ({"validate_every": 0}, "`validate_every` must be an int of at least 1 or None, got 0"),
    ({"validate_every": 0.5}, "`validate_every` must be an int of at least 1 or None, got 0.5"),
    ({"pooling": "sum"}, "`pooling` must be one of 'last', 'mean', 'max', 'mean_max', 'attention', got 'sum'"),
    ({"pooling": None}, "`pooling` must be one of 'last', .* got None"),
    ({"layer_norm": "yes"}, "`layer_norm` must be True or False, got 'yes'"),
    ({"return_sequences": 1}, "`return_sequences` must be True or False, got 1"),
    ({"input_dropout": 1.0}, "`input_dropout` must be a number of at least 0 and below 1, got 1.0"),
    (
        {"return_sequences": True},
        r"needs a target for each step: y of shape \(11, 5\) or \(11, 5, n_outputs\), got \(11,\). .*past_targets",
    ),
    ({"return_sequences": True, "patch_size": 2}, "but patch_size=2 makes one step of 2. Set patch_size=1, or return"),
    (
        {"return_sequences": True, "horizon": 3},
        r"horizon=3 forecasts once .*Set horizon=None and pass past_targets\(future_targets\(y, 3\), window\)",
    ),
    ({"net_params": {"module__pooling": "max"}}, r"net_params\['module__pooling'\] shadows the parameter `pooling`"),
    ({"net_params": {"criterion__quantiles": (0.5,)}}, r"\['criterion__quantiles'\] shadows the parameter `quantiles`"),
    ({"net_params": {"criterion__delta": 1}}, r"\['criterion__delta'\] names nothing: MSELoss has no argument 'delta'"),
    (
        {"conv_channels": 3, "net_params": {"module__kernel_width": 2}},
        "names nothing: SequenceModel has no argument 'kernel_width'",
    ),
]
QUANTILES = [
    (),
    (0.1, 0.5, 1.0),
    (0, 0.5),
    (-0.1, 0.5),
    (0.9, 0.5, 0.1),
    (0.5, 0.5),
    (0.1, NAN),
    ("a", "b"),
    (True,),
    0.5,
    None,
    "median",
    {0.1, 0.9},
    np.array([[0.1, 0.9]]),
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

    def counted(self, dataset, **options):
        calls.append(1)
        return train(self, dataset, **options)

    monkeypatch.setattr(RecurrentNet, "train", counted)
    yield
    assert len(calls) <= 1  # the good fit


@pytest.mark.parametrize("params, message", PARAMETERS, ids=lambda value: str(value)[:40])
def test_parameters(params, message):
    fit_refuses(RNNRegressor(**SMALL | params), message, X, Y)


@pytest.mark.parametrize("bad_X, bad_y, message", INPUTS, ids=[message[:30] for *_, message in INPUTS])
def test_input_of_fit(bad_X, bad_y, message):
    fit_refuses(RNNRegressor(**SMALL), message, bad_X, bad_y)


@pytest.mark.parametrize("quantiles", QUANTILES, ids=str)
def test_quantiles(quantiles):
    message = r"`quantiles` must be ascending numbers between 0 and 1, such as \(0.1, 0.5, 0.9\), got"
    fit_refuses(RNNRegressor(**SMALL, loss="quantile", quantiles=quantiles), message, X, Y)


STEPS = np.arange(55.0).reshape(11, 5)
RAGGED = [X[i, : 1 + i % 5] for i in range(11)]
RAGGED_STEPS = [sequence[:, 0] for sequence in RAGGED]


def changed(steps, where, value):
    return [value if i == where else part for i, part in enumerate(steps)]


@pytest.mark.parametrize(
    "bad_X, bad_y, message",
    [
        (X, STEPS[:, :3], r"y of shape \(11, 5\) or \(11, 5, n_outputs\), got \(11, 3\)"),
        (X, np.ones((11, 5, 2, 3)), r"got \(11, 5, 2, 3\). Build it .*past_targets\(y, window=5\), or set return_seq"),
        (X, STEPS[:7], "X has 11 rows and y has 7. Every sequence of X needs one row of y; give NaN"),
        (X, None, "needs a target for each step as y, got None"),
        (X, 5, "needs a target for each step as y, got 5"),
        (X, "words", "needs a target for each step as y, got 'words'"),
        (X, np.full((11, 5), NAN), "y holds no known value at a step that is no padding"),
        (X, with_value(STEPS, (2, 3), np.inf), "y contains infinity"),
        (X, RAGGED_STEPS, "inhomogeneous|sequence"),
        (with_value(X, (slice(None), 0), NAN), with_value(STEPS, (slice(None), slice(1, 5)), NAN), "no padding of X"),
        (TABLE, STEPS, r"y of shape \(11, 10\) or \(11, 10, n_outputs\), got \(11, 5\)"),
        (SERIES, STEPS, r"y of shape \(11, 3\) .*past_targets\(y, window=3\)"),
        (
            RAGGED,
            Y,
            r"sequence 0 of X has 1 steps, but its row of y has shape \(\). Expected \(1,\) or \(1, n_outputs\)",
        ),
        (RAGGED, STEPS, r"sequence 0 of X has 1 steps, but its row of y has shape \(5,\)"),
        (RAGGED, changed(RAGGED_STEPS, 7, np.ones(2)), r"sequence 7 of X has 3 steps, but .* shape \(2,\).*NaN where"),
        (
            RAGGED,
            changed(RAGGED_STEPS, 7, np.ones((3, 2))),
            "rows of y must all have the same outputs, got shapes such",
        ),
        (RAGGED, changed(RAGGED_STEPS, 7, ["a", "b", "c"]), "rows of y must hold numbers only"),
        (RAGGED, changed(RAGGED_STEPS, 7, [1, np.inf, 3]), "y contains infinity. Give finite targets, NaN where"),
        (RAGGED, RAGGED_STEPS[:7], "X has 11 rows and y has 7"),
        (RAGGED, [steps * NAN for steps in RAGGED_STEPS], "y holds no known value"),
    ],
)
def test_targets_of_each_step(bad_X, bad_y, message):
    fit_refuses(RNNRegressor(**SMALL, return_sequences=True), message, bad_X, bad_y)


@pytest.mark.parametrize(
    "params, bad_X, bad_y, message",
    [
        ({}, RAGGED, RAGGED_STEPS, "inhomogeneous|sequence"),  # a target for each step without return_sequences
        ({"patch_size": 6}, RAGGED, Y, r"patch_size=6 is longer than the sequences of X, which have 5 step\(s\)"),
        ({"patch_size": 4}, SERIES, Y, r"patch_size=4 is longer than the sequences of X, which have 3 step\(s\)"),
        ({"patch_size": 6, "n_channels": 2}, TABLE, Y, r"which have 5 step\(s\) \(n_features=10\)"),
    ],
)
def test_more_combinations(params, bad_X, bad_y, message):
    fit_refuses(RNNRegressor(**SMALL | params), message, bad_X, bad_y)


@pytest.mark.parametrize(
    "y_val, message",
    [
        (np.ones((11, 5, 2)), r"y_val has rows of shape \(2,\), but those of y in `fit` have \(\)"),
        (np.ones(11), "needs a target for each step"),
    ],
)
def test_validation_sets_with_a_target_for_each_step(y_val, message):
    fit_refuses(RNNRegressor(**SMALL, return_sequences=True), message, X, STEPS, X_val=X, y_val=y_val)


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


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize(
    "params, y, message",
    [
        (
            {"validate_every": 2},
            Y,
            "validate_every=2 has no rows to validate on. Set early_stopping=True, or pass X_val",
        ),
        (
            {"pooling": "mean", "return_sequences": True},
            STEPS,
            "pooling='mean' does nothing, since return_sequences=True",
        ),
        ({"n_nets": 1, "dropout": 0.2, "layer_norm": True}, Y, "dropout=0.2 acts between layers"),
        ({"quantiles": (0.2, 0.8)}, Y, r"quantiles=\(0.2, 0.8\) does nothing, since loss is not 'quantile'"),
        (
            {"loss": "quantile", "quantiles": (0.05, 0.95)},
            Y,
            "has none near 0.5, so `predict` gives the 0.05 quantile. Add 0.5",
        ),
    ],
    ids=["validate_every", "pooling", "dropout", "quantiles", "no median"],
)
def test_idle_parameters_are_warned_of(params, y, message):
    with pytest.warns(UserWarning, match=message) as caught:
        RNNRegressor(**SMALL | params).fit(X, y)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("params", [params for params, _ in PARAMETERS if "random_state" not in params], ids=str)
def test_partial_fit_refuses_what_fit_does(params):
    model = RNNRegressor(**SMALL | params)
    with pytest.raises((ValueError, TypeError)) as refused:
        model.partial_fit(X, Y)
    with pytest.raises((ValueError, TypeError)) as of_fit:
        model.fit(X, Y)
    assert str(refused.value) == str(of_fit.value)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_refused_data_stay_as_they_were():
    copies = [array.copy() for array in (X, Y, STEPS, *RAGGED, *RAGGED_STEPS)]
    for params, bad_X, bad_y in [
        ({"return_sequences": True}, X, Y),
        ({"return_sequences": True}, RAGGED, changed(RAGGED_STEPS, 7, np.ones(2))),
        ({"loss": "quantile", "quantiles": ()}, X, Y),
        ({"patch_size": 7}, X, Y),
    ]:
        with pytest.raises(ValueError, match="each step|quantiles|patch_size"):
            RNNRegressor(**SMALL | params).fit(bad_X, bad_y)
    for array, before in zip((X, Y, STEPS, *RAGGED, *RAGGED_STEPS), copies, strict=True):
        np.testing.assert_array_equal(array, before)
