"""Bad input to Seq2SeqForecaster: what was expected, what came, what to do; before training, and nothing is lost."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows, future_inputs, future_targets
from skrnn._net import RecurrentNet

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0, "horizon": 3}
NAN = np.nan


def windows(n_rows=23, window=5, seed=0):
    rows = np.random.RandomState(seed).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


X = windows()
Y = X.base[:, 0].copy()
OTHER = np.random.RandomState(7).randn(23)  # no channel of X
BLOCK = np.random.RandomState(0).randn(11, 5, 2)


@pytest.fixture(autouse=True)
def trainings(monkeypatch):
    """How often a net was trained."""
    train, calls = RecurrentNet.train, []

    def counted(self, dataset, **options):
        calls.append(1)
        return train(self, dataset, **options)

    monkeypatch.setattr(RecurrentNet, "train", counted)
    return calls


def fit_refuses(params, message, bad_X, bad_y, trainings, **more):
    """A fitted estimator raises before it trains, and goes on forecasting what it forecast; arrays stay."""
    model = Seq2SeqForecaster(**SMALL, calibration_fraction=0.4, loss="gaussian").fit(X, Y)
    expected = model.predict(X), *model.predict_interval(X, 0.5), model.sample(X[:2], 3, random_state=0)
    attributes, usual = set(vars(model)), model.get_params(deep=False)
    arrays = [array for array in (bad_X, bad_y, *more.values()) if isinstance(array, np.ndarray)]
    arrays += [bad_X.base] if isinstance(bad_X, Windows) else []
    copies = [array.copy() for array in arrays]
    trainings.clear()
    model.set_params(**Seq2SeqForecaster(**SMALL | params).get_params(deep=False))
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(bad_X, bad_y, **more)
    assert not trainings
    for array, before in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, before)
    model.set_params(**usual)
    assert set(vars(model)) == attributes
    found = model.predict(X), *model.predict_interval(X, 0.5), model.sample(X[:2], 3, random_state=0)
    for array, before in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, before)


PARAMETERS = [
    ({"horizon": 0}, "`horizon` must be an int of at least 1, got 0"),
    ({"horizon": 2.0}, "`horizon` must be an int of at least 1, got 2.0"),
    ({"horizon": True}, "`horizon` must be an int of at least 1, got True"),
    ({"decoder": "transformer"}, "`decoder` must be one of 'autoregressive', 'direct', 'parallel', got 'transformer'"),
    ({"decoder": None}, "`decoder` must be one of .*, got None"),
    ({"attention": "self"}, "`attention` must be one of None, 'additive', 'dot', got 'self'"),
    ({"attention": True}, "`attention` must be one of .* got True"),
    ({"teacher_forcing": 1.5}, "`teacher_forcing` must be a number of at least 0 and at most 1, got 1.5"),
    ({"teacher_forcing": -0.1}, "`teacher_forcing` must be .* got -0.1"),
    ({"teacher_forcing": None}, "`teacher_forcing` must be .* got None"),
    ({"teacher_forcing": True}, "`teacher_forcing` must be .* got True"),
    ({"teacher_forcing": NAN}, "`teacher_forcing` must be .* got nan"),
    (
        {"teacher_forcing": "cosine"},
        "`teacher_forcing` must be a number from 0 to 1, or one of 'linear', 'exponential', 'inverse_sigmoid', "
        "got 'cosine'",
    ),
    ({"channels": "each"}, "`channels` must be one of 'joint', 'shared', got 'each'"),
    ({"linear_skip": 1}, "`linear_skip` must be True or False, got 1"),
    ({"target_transform": "log"}, "`target_transform` must be one of None, 'log1p', 'sqrt', got 'log'"),
    ({"target_transform": np.log}, "`target_transform` must be one of None, 'log1p', 'sqrt', got"),
    ({"calibration_fraction": 0}, "`calibration_fraction` must be a number greater than 0 and below 1, got 0"),
    ({"calibration_fraction": 1.0}, "`calibration_fraction` must be .* got 1.0"),
    ({"calibration_fraction": "auto"}, "`calibration_fraction` must be .* got 'auto'"),
    ({"loss": "mape"}, "`loss` must be one of 'squared_error', .*'smape_mase', or a torch loss class, got 'mape'"),
    ({"loss": None}, "`loss` must be one of .* got None"),
    ({"loss": torch.nn.Linear}, "`loss` must be a torch class with an argument `reduction`"),
    ({"loss": "quantile", "quantiles": (0.9, 0.1)}, "`quantiles` must be ascending numbers between 0 and 1"),
    ({"loss": "gaussian", "quantiles": 0.5}, "`quantiles` must be ascending numbers .* got 0.5"),
    ({"window_scaling": "first"}, "`window_scaling` must be one of 'auto', None, 'last', 'standard', 'last_standard'"),
    ({"future_channels": 5}, "`future_channels` names channel 5, but X has channels 0 to 1"),
    ({"future_channels": "price"}, "`future_channels` names 'price', which is no channel of X.*unnamed"),
    ({"future_channels": []}, "`future_channels` must name at least one channel, or be None"),
    ({"future_channels": 1.5}, "`future_channels` names 1.5, which is no channel of X"),
    ({"future_channels": 0}, r"Channel\(s\) \[0\] of X cannot be target and known in advance at once; take them out"),
    ({"target_channels": 2}, "`target_channels` names channel 2, but X has channels 0 to 1"),
    ({"target_channels": [0, 1]}, "`target_channels` must name one channel, or one for each output of y, got 2"),
    ({"patch_size": 0}, "`patch_size` must be an int of at least 1, got 0"),
    ({"patch_size": 7}, r"patch_size=7 is longer than the sequences of X, which have 5 step\(s\).*longer window"),
    ({"n_nets": 0}, "`n_nets` must be an int of at least 1, got 0"),
    (
        {"loss": "smape_mase", "net_params": {"criterion__seasonality": 0}},
        "`criterion__seasonality` must be an int of at least 1, got 0",
    ),
    ({"net_params": {"module__decoder": "direct"}}, r"net_params\['module__decoder'\] shadows the parameter `decoder`"),
    ({"net_params": {"teacher_forcing": 0.1}}, r"net_params\['teacher_forcing'\] shadows the parameter"),
    ({"net_params": {"criterion__transform": "log1p"}}, "shadows the parameter `target_transform`"),
]


@pytest.mark.parametrize("params, message", PARAMETERS, ids=lambda value: str(value)[:50])
def test_parameters(params, message, trainings):
    fit_refuses(params, message, X, Y, trainings)


@pytest.mark.parametrize(
    "params, bad_X, bad_y, message",
    [
        ({"horizon": 23}, X, Y, "horizon=23 leaves no row with a known future: .*has 23 rows.*horizon below that"),
        ({"horizon": 99}, X, OTHER, "horizon=99 leaves no row .* Give more rows"),
        ({"horizon": None}, X[9:10], future_targets(Y, 3)[9:10], "No target is known within the rows given"),
        ({"horizon": None}, X[:1], Y[:1], "No target is known within the rows given.*Give more rows, or a shorter"),
        ({}, X, future_targets(Y, 2), r"y has 2 step\(s\) in each row, but horizon=3. Pass the series itself as y"),
        ({}, X, future_targets(OTHER, 5), r"y has 5 step\(s\) in each row, but horizon=3.*future_targets\(y, 3\)"),
        ({}, X, future_targets(X.base, 2), r"y has 2 step\(s\) in each row, but horizon=3"),
        ({}, BLOCK, np.ones(11), r"y has 1 step\(s\) .*horizon=3. X is not windows of a series.*its 3 targets"),
        ({}, BLOCK, np.ones((11, 2)), r"y has 2 step\(s\) .*X is not windows of a series.*horizon=None"),
        ({}, X, Y[:7], "X has 23 rows and y has 7"),
        ({}, X, None, "requires y to be passed"),
        ({}, X, Y * NAN, "y holds no known value"),
        ({}, X, np.r_[Y[:-1], np.inf], "y contains infinity"),
        ({}, X, np.ones((23, 3, 2, 1)), "y must have 1, 2 or 3 axes"),
        ({"channels": "shared"}, X, OTHER, r"'shared' applies the net to the past of each output.*\[-1\].*'joint'"),
        ({"channels": "shared"}, X, np.c_[Y, Y], r"each needs a channel of X of its own.*\[0, 0\]"),
        ({"channels": "shared", "target_channels": 0}, X, X.base, r"of its own.*\[0, 0\]"),
        (
            {"future_channels": 1},
            windows(window=2),
            Y,
            "reads the last 3 steps of future_channels=1.*windows have 2. Take a window of at least 3",
        ),
        (
            {"horizon": None, "future_channels": [1]},
            BLOCK,
            np.ones((11, 7)) * np.arange(11.0)[:, None],
            r"reads the last 7 steps of future_channels=\[1\].*windows have 5. Take a window of at least 7",
        ),
        (
            {"calibration_fraction": 0.99},
            X[:5],
            Y[:5],
            "calibration_fraction=0.99 leaves 0 training and .*held-out rows.*calibration_fraction=None",
        ),
        (
            {"calibration_fraction": 0.5, "early_stopping": True, "validation": 0.9},
            X[:9],
            Y[:9],
            "validation=0.9 leaves 0 training.*early_stopping=False",
        ),
        ({"validation": "shuffle", "early_stopping": True}, X, Y, "'shuffle' would judge overlapping"),
        ({"target_transform": "log1p"}, X, Y - 50, "needs targets greater than -1, got .*shift the series"),
    ],
)
def test_combinations(params, bad_X, bad_y, message, trainings):
    fit_refuses(params, message, bad_X, bad_y, trainings)


def test_sample_weights_and_validation_sets(trainings):
    fit_refuses({}, "[Nn]egative", X, Y, trainings, sample_weight=np.r_[-1.0, np.ones(22)])
    fit_refuses({}, "zero", X, Y, trainings, sample_weight=np.zeros(23))
    fit_refuses({}, "X_val and y_val go together", X, Y, trainings, X_val=X)
    later = windows(seed=1)
    two = later.base
    fit_refuses({}, r"y_val has rows of shape \(3, 2\), but .* \(3,\)", X, Y, trainings, X_val=later, y_val=two)


def test_what_is_known_in_advance_must_be_known(trainings):
    table = pd.DataFrame({"sold": Y, "price": OTHER})
    known = future_inputs(table[:-3], "price", 3, future=table[-3:])
    pipe = make_pipeline(SlidingWindowTransformer(4), Seq2SeqForecaster(**SMALL, future_channels="price"))
    pipe.fit(known, table["sold"][:-3])
    expected = pipe.predict(known)
    known.iloc[-1, 1] = NAN
    with pytest.raises(ValueError, match="got NaN first in row 19 .*column 'price': impute it"):
        pipe.predict(known)
    with pytest.raises(ValueError, match="got NaN first in row 19 .*column 'price': impute it"):
        pipe.fit(known, table["sold"][:-3])
    known.iloc[-1, 1] = OTHER[-1]
    np.testing.assert_array_equal(pipe[-1].predict(SlidingWindowTransformer(4).fit_transform(known)), expected)


def test_a_panel_with_short_series():
    """A series shorter than the window trains on what it has; one without a future trains nothing."""
    sizes = (23, 3, 1, 11)
    rows = np.random.RandomState(0).rand(sum(sizes)).cumsum()[:, None]
    starts = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    panel = Windows(rows, np.arange(38), starts, np.repeat(np.arange(4), sizes), 5)
    model = Seq2SeqForecaster(**SMALL).fit(panel, rows[:, 0])
    assert np.isfinite(model.predict(panel)).all()


# -- warnings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params, message",
    [
        (
            {"attention": "dot", "decoder": "direct"},
            "attention='dot' does nothing, since decoder='direct' .*Set decoder=",
        ),
        ({"teacher_forcing": 0.2, "decoder": "parallel"}, "teacher_forcing=0.2 does nothing, since decoder='parallel'"),
        ({"teacher_forcing": "linear", "decoder": "direct"}, "teacher_forcing='linear' does nothing.*autoregressive"),
        ({"quantiles": (0.2, 0.8)}, "quantiles=.* does nothing, since loss is not 'quantile'"),
        ({"quantiles": (0.1, 0.2), "loss": "quantile"}, "has none near 0.5"),
        ({"dropout": 0.5}, "dropout=0.5 acts between layers"),
        ({"validation": "tail"}, "validation='tail' does nothing"),
        (
            {"patch_size": 3},
            r"patch_size=3 does not divide the window of 5 steps, .* begins with 1 step\(s\) of padding. A window of 6",
        ),
        (
            {"patch_size": 4},
            r"patch_size=4 does not divide the window of 5 steps, .* with 3 step\(s\) of padding. A window of 8",
        ),
    ],
    ids=str,
)
def test_parameters_that_do_nothing_are_named(params, message):
    model = Seq2SeqForecaster(**SMALL | params)
    with pytest.warns(UserWarning, match=message) as caught:
        model.fit(X, Y)
    caught = [one for one in caught if "The loss still fell" not in str(one.message)]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.predict(X).shape == (23, 3)


@pytest.mark.parametrize(
    "params", [{"patch_size": 5}, {"patch_size": 1}, {"loss": "gaussian", "quantiles": (0.2, 0.8)}]
)
def test_parameters_that_do_something_are_not(params):
    Seq2SeqForecaster(**SMALL | params).fit(X, Y)


def test_y_that_is_read_wrongly():
    X = windows(47)
    y = X.base[:, 0]
    with pytest.warns(UserWarning, match="y equals channel 0 of X .* the net can copy its input.*Set horizon=h"):
        Seq2SeqForecaster(**SMALL | {"horizon": None}).fit(X, y)
    with pytest.warns(UserWarning, match="y is channel 0 of X in other units"):
        Seq2SeqForecaster(**SMALL).fit(X, 3 * y + 1)
    with pytest.warns(UserWarning, match=r"channel 0 1 row\(s\) later already"):
        Seq2SeqForecaster(**SMALL | {"horizon": 1}).fit(X, future_targets(y, 1))


# -- after the fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, 90, NAN, "0.9", None, True, [0.5]])
def test_coverage(coverage):
    model = Seq2SeqForecaster(**SMALL, calibration_fraction=0.4).fit(X, Y)
    with pytest.raises(ValueError, match="`coverage` must be a number between 0 and 1, such as 0.9, got"):
        model.predict_interval(X, coverage)


def test_too_few_rows_to_calibrate():
    """22 rows have a future, 20 of three steps: a fourth of the labelled rows are 6, of which 4 know the last step."""
    model = Seq2SeqForecaster(**SMALL, calibration_fraction=0.25).fit(X, Y)
    low, high = model.predict_interval(X, 0.75)
    assert (low < high).all()
    message = r"coverage=0.9 needs at least 9 calibration rows for each step, got \d.*Give `fit` more rows, a larger"
    with pytest.raises(ValueError, match=message):
        model.predict_interval(X, 0.9)
    with pytest.raises(ValueError, match="coverage=0.99 needs at least 99 calibration rows"):
        model.predict_interval(X, 0.99)


def test_what_a_fit_cannot_give():
    point = Seq2SeqForecaster(**SMALL).fit(X, Y)
    with pytest.raises(
        ValueError, match="return_std=True needs a distribution or .*one net .*'squared_error'.*n_nets=5"
    ):
        point.predict(X, return_std=True)
    with pytest.raises(
        ValueError, match="coverage=0.9 needs rows that were set aside.*Call `fit` with calibration_fraction"
    ):
        point.predict_interval(X)
    for name in ("predict_quantiles", "sample"):
        with pytest.raises(AttributeError) as caught:
            getattr(point, name)
        assert "loss='quantile', 'gaussian' or 'student_t', got loss='squared_error'" in str(caught.value.__cause__)
    one = Seq2SeqForecaster(**SMALL | {"loss": "quantile", "quantiles": (0.5,)}).fit(X, Y)
    with pytest.raises(ValueError, match="Paths are drawn from a distribution.*two quantiles or more"):
        one.sample(X)
    with pytest.raises(ValueError, match="return_std=True needs a distribution"):
        one.predict(X, return_std=True)


@pytest.mark.parametrize("horizon", [0, -1, 2.0, "3", True])
def test_horizon_of_predict(horizon):
    model = Seq2SeqForecaster(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="`horizon` must be an int of at least 1, got"):
        model.predict(X, horizon=horizon)


@pytest.mark.parametrize(
    "params, message",
    [
        (
            {"decoder": "direct"},
            "horizon=5 goes beyond the 3 steps of `fit`, and decoder='direct' .*Fit with horizon=5",
        ),
        ({"decoder": "parallel"}, "horizon=5 goes beyond .*decoder='parallel'.*or with decoder='autoregressive'"),
        ({"linear_skip": True}, "horizon=5 goes beyond .*linear_skip=True has weights for these only"),
        ({"future_channels": 1}, r"horizon=5 goes beyond .*future channels.*future_inputs\(..., horizon=5\)"),
    ],
    ids=str,
)
def test_further_than_trained(params, message):
    model = Seq2SeqForecaster(**SMALL | params).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(X, horizon=5)
    assert model.predict(X, horizon=2).shape == (23, 2)


@pytest.mark.parametrize("n_samples", [0, 2.5, None])
def test_number_of_paths(n_samples):
    model = Seq2SeqForecaster(**SMALL, loss="gaussian").fit(X, Y)
    with pytest.raises(ValueError, match="`n_samples` must be an int of at least 1, got"):
        model.sample(X, n_samples)


def test_methods_of_an_unfitted_estimator():
    net = Seq2SeqForecaster(loss="gaussian", attention="dot")
    calls = [net.predict, net.predict_quantiles, net.predict_interval, net.sample, net.attention_weights, net.encode]
    for call in calls:
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        net.score(X, Y)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        net.summary()


def test_a_failed_first_fit_leaves_the_estimator_unfitted():
    for params in ({"horizon": 23}, {"channels": "shared", "target_channels": [0, 1]}, {"calibration_fraction": 2}):
        model = Seq2SeqForecaster(**SMALL | params)
        before = set(vars(model))
        with pytest.raises(ValueError, match="horizon=23|target_channels|calibration_fraction"):
            model.fit(X, Y)
        assert set(vars(model)) == before


@pytest.mark.parametrize(
    "bad_X, message",
    [
        (np.asarray(X)[5:, :, :1], "X has 1 channels, but 2 were expected"),
        (X.base, "fitted on sequences .*, but X is a 2-D table"),
        (np.where(np.arange(5)[None, :, None] == 2, NAN, np.asarray(X)[5:]), "contains NaN"),
    ],
)
def test_input_of_predict(bad_X, message):
    model = Seq2SeqForecaster(**SMALL, loss="gaussian", calibration_fraction=0.4).fit(X, Y)
    for call in (model.predict, model.predict_quantiles, model.predict_interval, model.sample, model.encode):
        with pytest.raises(ValueError, match=message):
            call(bad_X)


def test_y_of_score():
    model = Seq2SeqForecaster(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="23 rows and y has 7"):
        model.score(X, Y[:7])
    with pytest.raises(ValueError, match="same shape"):
        model.score(X, X.base)
    with pytest.raises(ValueError, match="at least one known target.*Score more rows than the horizon is long"):
        model.score(X[:1], Y[:1])
