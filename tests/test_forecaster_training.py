"""Seq2SeqForecaster: losses, ensembles, rows set aside, weights, going on with a fit, seeds, copies, Ctrl-C."""

import copy
import pickle
import signal

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows, future_targets

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
DECODERS = ["autoregressive", "direct", "parallel"]


def windows(n_rows=41, window=5, n_channels=2, seed=0):
    rows = np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


def fitted(X, y, **params):
    return Seq2SeqForecaster(**SMALL | {"horizon": 3} | params).fit(X, y)


def weights_of(model, number=0):
    return torch.nn.utils.parameters_to_vector(model.nets_[number].module_.parameters()).detach().numpy().copy()


# -- losses --------------------------------------------------------------------------------------------------------


def test_a_torch_class_is_the_loss_of_that_name():
    X = windows()
    for name, given in (("absolute_error", torch.nn.L1Loss), ("huber", torch.nn.HuberLoss)):
        named, by_class = (fitted(X, X.base, loss=loss) for loss in (name, given))
        np.testing.assert_array_equal(named.predict(X), by_class.predict(X))
        assert not hasattr(by_class, "predict_quantiles")
    other = fitted(X, X.base, loss=torch.nn.HuberLoss, net_params={"criterion__delta": 0.05})
    assert not np.allclose(other.predict(X), by_class.predict(X))


LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "gaussian", "student_t", "smape_mase"]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_falls(loss, decoder):
    X = windows(70)
    model = fitted(X, np.abs(X.base) + 3, loss=loss, decoder=decoder, max_epochs=25, lr=0.03, target_channels=[0, 1])
    history = model.history_["train_loss"]
    assert np.isfinite(history).all()
    assert history.iloc[-1] < history.iloc[0]


def of_levels(levels=(2.0, 50.0, 40000.0), size=50):
    """A panel of series whose season has the size of their level."""
    step, rng = np.arange(size), np.random.RandomState(0)
    rows = [level * (1 + 0.5 * np.sin(step * np.pi / 3) + 0.05 * rng.randn(size)) for level in levels]
    n = len(levels)
    base = np.concatenate(rows)[:, None]
    starts = np.repeat(np.arange(n) * size, size)
    return Windows(base, np.arange(n * size), starts, np.repeat(np.arange(n), size), 12)


@pytest.mark.parametrize("decoder", DECODERS)
def test_smape_mase_serves_series_of_any_level(decoder):
    """In every series it forecasts better than the last value, the smallest included."""
    X = of_levels()
    y = X.base[:, 0]
    model = fitted(
        X,
        y,
        loss="smape_mase",
        target_transform="log1p",
        window_scaling="last",
        decoder=decoder,
        hidden_size=12,
        max_epochs=40,
        lr=0.03,
        net_params={"criterion__seasonality": 6},
    )
    predicted = model.predict(X)
    for number in range(3):
        rows = np.arange(50 * number + 12, 50 * number + 47)
        truth = np.stack([y[rows + step] for step in (1, 2, 3)], axis=1)
        error, naive = np.abs(predicted[rows] - truth).mean(), np.abs(y[rows, None] - truth).mean()
        assert error < 0.6 * naive


def test_smape_mase_has_no_unit():
    """Series of other sizes train the same net where windows are divided by their own deviation."""
    one, other = of_levels(), of_levels((2e3, 5e4, 4e7))
    first, second = (
        fitted(X, X.base[:, 0], loss="smape_mase", window_scaling="last_standard", max_epochs=3, standardize=False)
        for X in (one, other)
    )
    np.testing.assert_allclose(first.history_["train_loss"], second.history_["train_loss"], rtol=1e-3)


# -- ensembles -----------------------------------------------------------------------------------------------------


def of_each_net(model, method, *args, **kwargs):
    results = []
    for net in model.nets_:
        alone = copy.deepcopy(model)
        alone.nets_, alone.net_ = [net], net
        results.append(getattr(alone, method)(*args, **kwargs))
    return results


def test_an_ensemble_is_the_mean_of_its_nets():
    X = windows()
    model = fitted(X, X.base, n_nets=3)
    each = np.array(of_each_net(model, "predict", X))
    assert each.shape == (3, 41, 3, 2)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, each.std(axis=0), rtol=1e-6, atol=1e-9)
    assert (std > 0).all()
    assert model.history_["net"].tolist() == [0, 0, 1, 1, 2, 2]


def test_the_deviation_is_that_of_the_distribution_and_of_the_nets():
    X = windows()
    model = fitted(X, X.base, n_nets=3, loss="gaussian", window_scaling="last_standard")
    each = of_each_net(model, "predict", X, return_std=True)
    points, within = np.array([point for point, _ in each]), np.array([std for _, std in each])
    std = model.predict(X, return_std=True)[1]
    np.testing.assert_allclose(std**2, (within**2).mean(axis=0) + points.var(axis=0), rtol=1e-6)
    quantiles = of_each_net(model, "predict_quantiles", X)
    np.testing.assert_allclose(model.predict_quantiles(X), np.mean(quantiles, axis=0), rtol=1e-6)
    alone = copy.deepcopy(model)
    alone.nets_ = model.nets_[:1]
    high, low = alone.predict_quantiles(X)[..., 2], alone.predict_quantiles(X)[..., 0]
    np.testing.assert_allclose((high - low) / 2 / 1.2815515655, within[0], rtol=1e-5)
    assert model.sample(X[:2], 7, random_state=0).shape == (2, 3, 2, 7)


# -- rows set aside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_set_aside_do_not_train(early_stopping):
    """They are the last ones of those with a known future, and `horizon - 1` before them train no more."""
    X = windows()  # 40 rows have a known step
    y = np.random.RandomState(3).randn(41)
    model = fitted(X, y, calibration_fraction=0.25, early_stopping=early_stopping)
    expected = model.predict(X)
    aside = 30  # of rows 0 ... 39
    changed = y.copy()
    changed[aside + 1 :] += 1000.0  # first seen from row 30
    again = fitted(X, changed, calibration_fraction=0.25, early_stopping=early_stopping)
    np.testing.assert_array_equal(again.predict(X), expected)
    assert again.skill_ == model.skill_ or not early_stopping  # nor judge the epochs
    assert (again.predict_interval(X, 0.5)[1] - model.predict_interval(X, 0.5)[1] > 100).all()
    changed = y.copy()
    changed[aside - 3] += 1000.0  # before those whose futures lie among them: it trains or judges
    other = fitted(X, changed, calibration_fraction=0.25, early_stopping=early_stopping)
    assert not np.allclose(other.predict(X), expected) or early_stopping
    assert other.skill_ != model.skill_


def test_the_fit_is_that_of_the_rows_before():
    """Without rows set aside, the rows that are left (the horizon - 1 before them purged) give the same net."""
    X, futures = windows(), future_targets(np.random.RandomState(3).randn(41), 3)
    model = fitted(X, futures, calibration_fraction=0.25)
    left = futures.copy()
    left[28:] = np.nan  # rows 30 to 39 are set aside, 28 and 29 look into them
    np.testing.assert_array_equal(model.predict(X), fitted(X, left).predict(X))


def test_a_refit_without_rows_set_aside_forgets_them():
    X = windows()
    model = fitted(X, X.base, calibration_fraction=0.25)
    low, high = model.predict_interval(X, 0.7)
    assert (low < high).all()
    message = r"coverage=0.7 needs rows .*calibration_fraction=None now.*Call `fit` with calibration_fraction=0.1"
    with pytest.raises(ValueError, match=message):
        model.set_params(calibration_fraction=None).fit(X, X.base).predict_interval(X, 0.7)
    model.set_params(calibration_fraction=0.25).fit(X, X.base).partial_fit(X, X.base)
    with pytest.raises(ValueError, match="partial_fit` sets none aside"):
        model.predict_interval(X, 0.7)


def test_intervals_of_a_panel_and_of_single_sequences():
    X = of_levels()
    low, high = fitted(X, X.base[:, 0], calibration_fraction=0.3).predict_interval(X, 0.9)
    assert (low < high).all()
    block, y = np.random.RandomState(0).randn(40, 5, 2), np.random.RandomState(1).randn(40, 3)
    one, two = (fitted(block, y, calibration_fraction=0.3, random_state=seed) for seed in (0, 0))
    np.testing.assert_array_equal(one.predict_interval(block), two.predict_interval(block))


# -- weights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", ["joint", "shared"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_weights_are_repetitions(decoder, channels):
    """Where one batch holds all rows; a row of weight 0 serves as history."""
    rng = np.random.RandomState(0)
    X, y = rng.randn(7, 5, 2), rng.randn(7, 3, 2)
    counts = np.array([1, 3, 0, 2, 1, 5, 2])
    how = {"decoder": decoder, "channels": channels, "target_channels": [0, 1], "shuffle": False, "max_epochs": 5}
    by_weight = Seq2SeqForecaster(**SMALL | how).fit(X, y, counts)
    rows = np.repeat(np.arange(7), counts)
    np.testing.assert_allclose(
        by_weight.predict(X), Seq2SeqForecaster(**SMALL | how).fit(X[rows], y[rows]).predict(X), rtol=1e-6
    )
    assert not np.allclose(by_weight.predict(X), Seq2SeqForecaster(**SMALL | how).fit(X, y).predict(X), rtol=1e-3)


# -- going on ------------------------------------------------------------------------------------------------------


def test_warm_start_begins_with_the_former_weights():
    X = windows()
    model = fitted(X, X.base, warm_start=True, calibration_fraction=0.25)
    before, predicted = weights_of(model), model.predict(X)
    model.set_params(lr=1e-12).fit(X, X.base)
    np.testing.assert_allclose(weights_of(model), before, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), predicted, atol=1e-5)
    assert not np.allclose(weights_of(model.set_params(warm_start=False).fit(X, X.base)), before)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"decoder": "parallel"},
        {"n_nets": 2},
        {"loss": "gaussian", "teacher_forcing": 0.0},
        {"teacher_forcing": 0.3},
    ],
    ids=str,
)
def test_partial_fit_goes_on(params):
    X = windows()
    whole = fitted(X, X.base, max_epochs=3, lr_schedule=None, early_stopping=False, **params)
    model = Seq2SeqForecaster(**SMALL | {"horizon": 3} | params)
    for _ in range(3):
        assert model.partial_fit(X, X.base) is model
        model = pickle.loads(pickle.dumps(model))  # coins and order go on as well
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))
    assert model.n_iter_ == 3


def test_partial_fit_of_other_rows():
    """Rows of one step ahead only, and futures row by row."""
    X, later = windows(), windows(11, seed=1)
    model = Seq2SeqForecaster(**SMALL, horizon=3).partial_fit(X, X.base)
    before = model.predict(X)
    model.partial_fit(later, future_targets(later.base, 3))
    assert not np.array_equal(model.predict(X), before)
    assert model.predict(later).shape == (11, 3, 2)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"decoder": "direct"}, "decoder has changed from 'autoregressive' to 'direct'"),
        ({"attention": "dot"}, "attention has changed from None to 'dot'"),
        ({"teacher_forcing": "linear"}, "teacher_forcing has changed from 0.5 to 'linear'"),
        ({"target_transform": "sqrt"}, "target_transform has changed from 'log1p' to 'sqrt'"),
        ({"channels": "shared"}, "shared has changed from False to True"),
        ({"linear_skip": True}, "linear_skip has changed from False to True"),
        ({"horizon": 2}, r"y has rows of shape \(2, 2\), but those of y in `fit` have \(3, 2\)"),
        ({"loss": "absolute_error"}, "loss has changed"),
    ],
    ids=str,
)
def test_partial_fit_refuses_another_net(changed, message):
    X = windows()
    X = Windows(np.abs(X.base), X.ends, X.starts, X.series, 5)
    model = Seq2SeqForecaster(**SMALL, horizon=3, target_transform="log1p").partial_fit(X, X.base)
    expected, weights = model.predict(X), weights_of(model)
    with pytest.raises(ValueError, match=message):
        model.set_params(**changed).partial_fit(X, X.base)
    np.testing.assert_array_equal(model.predict(X), expected)  # also with the parameters of the failed call
    np.testing.assert_array_equal(weights_of(model), weights)


def test_warm_start_refuses_another_transform():
    X = windows()
    X = Windows(np.abs(X.base), X.ends, X.starts, X.series, 5)
    model = fitted(X, X.base, warm_start=True, target_transform="log1p")
    expected = model.predict(X)
    with pytest.raises(ValueError, match="target_transform has changed from 'log1p' to None.*warm_start=False"):
        model.set_params(target_transform=None).fit(X, X.base)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_an_error_in_partial_fit_leaves_the_nets(at_batch):
    X = windows()
    model = fitted(X, X.base, loss="gaussian", calibration_fraction=0.25)
    expected = model.predict(X), model.predict_interval(X, 0.5), model.sample(X[:1], 3, random_state=0)

    def fail(loss):
        raise RuntimeError("power cut")

    at_batch(2, fail)
    with pytest.raises(RuntimeError, match="power cut"):
        model.partial_fit(X, X.base)
    found = model.predict(X), model.predict_interval(X, 0.5), model.sample(X[:1], 3, random_state=0)
    for array, before in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("decoder", DECODERS)
def test_ctrl_c_keeps_what_was_learned(at_batch, decoder):
    """Intervals and paths are those of the nets that are left, not of a former fit."""
    X = windows()
    model = fitted(X, X.base, loss="gaussian", calibration_fraction=0.25, decoder=decoder)
    former = model.predict_interval(X, 0.5)

    def ctrl_c(loss):
        signal.raise_signal(signal.SIGINT)
        return loss

    at_batch(4, ctrl_c)
    for one in (model, clone(model)):
        with pytest.raises(KeyboardInterrupt):
            one.set_params(max_epochs=9, random_state=1).fit(X, X.base)
        low, high = one.predict_interval(X, 0.5)
        assert (low < high).all()
        assert not np.allclose(low, former[0])
        assert one.sample(X[:2], 5, random_state=0).shape == (2, 3, 2, 5)
        assert one._rows_set_aside is None
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, X.base)


# -- seeds and copies ----------------------------------------------------------------------------------------------

EVERYTHING = {
    "cell": "lstm",
    "n_layers": 2,
    "bidirectional": True,
    "dropout": 0.3,
    "input_dropout": 0.2,
    "attention": "additive",
    "teacher_forcing": "linear",
    "loss": "student_t",
    "linear_skip": True,
    "n_nets": 2,
    "calibration_fraction": 0.25,
    "early_stopping": True,
}


@pytest.mark.parametrize("params", [{}, EVERYTHING, EVERYTHING | {"decoder": "parallel", "teacher_forcing": 0.5}])
def test_a_seed_decides_everything(params):
    X = windows()
    of_numpy = np.random.get_state()[1].copy()  # noqa: NPY002
    of_torch = torch.get_rng_state().clone()
    one, two = fitted(X, X.base, **params), fitted(X, X.base, **params)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    if params:
        np.testing.assert_array_equal(one.predict_interval(X, 0.5), two.predict_interval(X, 0.5))
        paths = one.sample(X[:3], 4, random_state=7)
        np.testing.assert_array_equal(paths, two.sample(X[:3], 4, random_state=7))
        assert not np.array_equal(paths, one.sample(X[:3], 4, random_state=8))
    assert (np.random.get_state()[1] == of_numpy).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), of_torch)
    assert not np.array_equal(fitted(X, X.base, **params | {"random_state": 1}).predict(X), one.predict(X))


def test_workers_train_the_same_nets():
    X = windows()
    here = fitted(X, X.base, **EVERYTHING)
    for model in joblib.Parallel(2)(joblib.delayed(fitted)(X, X.base, **EVERYTHING) for _ in range(2)):
        np.testing.assert_array_equal(model.predict(X), here.predict(X))
        np.testing.assert_array_equal(model.predict_interval(X, 0.5), here.predict_interval(X, 0.5))


@pytest.mark.parametrize("params", [{}, EVERYTHING], ids=["plain", "everything"])
def test_copies(params):
    X = windows()
    model = fitted(X, X.base, **params)
    expected = model.predict(X)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict(X), expected)
        if params:
            np.testing.assert_array_equal(copied.predict_interval(X, 0.5), model.predict_interval(X, 0.5))
            np.testing.assert_array_equal(
                copied.sample(X[:2], 3, random_state=0), model.sample(X[:2], 3, random_state=0)
            )
        copied.partial_fit(X, X.base)  # which trains a net of its own
        np.testing.assert_array_equal(model.predict(X), expected)
    bare = clone(model)
    assert bare.get_params() == model.get_params()
    assert not hasattr(bare, "nets_")
    np.testing.assert_array_equal(bare.fit(X, X.base).predict(X), expected)
    assert len(pickle.dumps(model)) < 300_000 * model.n_nets


def test_a_pipeline_in_a_pickle():
    rows = windows().base
    pipe = make_pipeline(SlidingWindowTransformer(5), Seq2SeqForecaster(**SMALL, horizon=3)).fit(rows, rows)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipe)).predict(rows), pipe.predict(rows))


# -- looking inside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("channels", ["joint", "shared"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_encode(decoder, channels, cell):
    X = windows()
    model = fitted(X, X.base, decoder=decoder, channels=channels, cell=cell, bidirectional=True)
    states = model.encode(X)
    shape = (41, 6) if channels == "joint" else (41, 2, 6)
    if cell == "lstm":
        states, carry = states
        assert carry.shape == shape
    assert states.shape == shape
    steps = model.encode(X, return_sequences=True)
    assert steps.shape == (41, 5, *shape[1:])
    np.testing.assert_allclose(steps[:, -1, ..., :3], states[..., :3], rtol=1e-5)
    assert np.isnan(steps[2, :2]).all()
    assert not np.isnan(steps[2, 2:]).any()


@pytest.mark.parametrize("decoder", DECODERS)
def test_summary_counts_every_weight(decoder):
    X = windows(n_channels=3)
    how = {"attention": None if decoder == "direct" else "additive", "patch_size": 2, "linear_skip": True}
    with pytest.warns(UserWarning, match="does not divide"):
        model = fitted(X, X.base[:, :2], decoder=decoder, future_channels=2, bidirectional=True, **how)
    table = model.summary()
    n_weights = sum(parameter.numel() for parameter in model.net_.module_.parameters())
    assert table["n_parameters"].iloc[-1] == table["n_parameters"].iloc[:-1].sum() == n_weights
    assert table["part"].is_unique


@pytest.mark.filterwarnings("ignore:The loss was lowest with")
def test_lr_range_test_trains_a_copy():
    X = windows()
    for params in ({}, {"calibration_fraction": 0.25, "teacher_forcing": "exponential", "loss": "gaussian"}):
        model = fitted(X, X.base, **params)
        expected = model.predict(X)
        results, suggested = model.lr_range_test(X, X.base, 1e-5, 10.0, n_lrs=20)
        assert results.columns.tolist() == ["lr", "loss", "smoothed_loss"]
        assert 1e-5 <= suggested < 10
        np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("decoder", ["autoregressive", "parallel"])
def test_attention_weights(decoder, attention):
    """Windows: the last step stands at the end, early rows have padding in front."""
    X = windows()
    model = fitted(X, X.base, decoder=decoder, attention=attention, max_epochs=10)
    weights = model.attention_weights(X)
    assert weights.shape == (41, 3, 5)
    np.testing.assert_allclose(np.nansum(weights, axis=2), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(weights[:, 0]), np.isnan(np.asarray(X)[..., 0]))
    np.testing.assert_allclose(model.attention_weights(X[[3, 20]]), weights[[3, 20]], rtol=1e-5)
    block = np.random.RandomState(0).randn(9, 5, 2)
    block[2, :3] = block[4, 4:] = np.nan
    of_block = fitted(block, np.ones((9, 3)) * np.arange(9.0)[:, None], decoder=decoder, attention=attention)
    weights = of_block.attention_weights(block)
    np.testing.assert_array_equal(np.isnan(weights[:, 1]), np.isnan(block[..., 0]))
    ragged = [block[0], block[2, 3:], block[4, :4]]
    of_ragged = fitted(ragged, np.arange(9.0).reshape(3, 3), decoder=decoder, attention=attention)
    weights = of_ragged.attention_weights(ragged)
    assert weights.shape == (3, 3, 5)
    np.testing.assert_array_equal((~np.isnan(weights[:, 0])).sum(axis=1), [5, 2, 4])
    assert not np.isnan(weights[1, :, :2]).any()


@pytest.mark.filterwarnings("ignore:patch_size=2 does not divide")
def test_attention_over_patches_and_shared_nets():
    X = windows()
    model = fitted(X, X.base, horizon=5, attention="dot", patch_size=2, channels="shared")
    weights = model.attention_weights(X)
    assert weights.shape == (41, 2 * 3, 3)  # three segments of each channel, three patches
    np.testing.assert_allclose(np.nansum(weights, axis=2), 1, rtol=1e-5)
    assert np.isnan(weights[:2, :, :2]).all()
    assert not np.isnan(weights[4:]).any()
    same = SlidingWindowTransformer(5).fit_transform(X.base[:, [0, 0]])
    model.set_params(target_channels=[0, 1]).fit(same, X.base[:, [0, 0]])
    halves = np.split(model.attention_weights(same), 2, axis=1)  # of equal channels
    np.testing.assert_allclose(halves[0], halves[1], rtol=1e-5)


def test_attention_weights_without_attention():
    X = windows()
    assert not hasattr(fitted(X, X.base), "attention_weights")
    with pytest.warns(UserWarning, match="attention='dot' does nothing, since decoder='direct'"):
        model = fitted(X, X.base, attention="dot", decoder="direct")
    assert not hasattr(model, "attention_weights")
    model = fitted(X, X.base, attention="dot").set_params(attention=None)
    assert model.attention_weights(X).shape == (41, 3, 5)  # of the last fit


def test_predict_draws_no_coins():
    X = windows()
    one, other = (fitted(X, X.base, teacher_forcing=ratio) for ratio in (1.0, 0.0))
    first = one.predict(X)
    assert not np.allclose(first, other.predict(X))  # in training it matters
    np.testing.assert_array_equal(one.predict(X), first)
    other.net_.module_.load_state_dict(one.net_.module_.state_dict())
    np.testing.assert_array_equal(other.predict(X), first)  # the same weights, the same forecast
