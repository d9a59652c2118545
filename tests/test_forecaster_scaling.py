"""Seq2SeqForecaster: one net for all channels or for each alike, scaling of windows, transforms of the target."""

import numpy as np
import pandas as pd
import pytest

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
DECODERS = ["autoregressive", "direct", "parallel"]


def series(n_rows=41, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)


def windows(n_rows=41, window=5, n_channels=2, seed=0):
    rows = series(n_rows, n_channels, seed)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


def fitted(X, y, **params):
    return Seq2SeqForecaster(**SMALL | params).fit(X, y)


# -- channels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", DECODERS)
def test_shared_nets_treat_channels_alike(decoder):
    """The same series in two channels has the same forecast, and one channel says nothing of another."""
    one, two = series(41, 2).T
    X = SlidingWindowTransformer(5).fit_transform(np.c_[one, two, one])
    y = np.c_[one, two, one]
    how = {"decoder": decoder, "horizon": 3, "attention": None if decoder == "direct" else "additive"}
    model = fitted(X, y, channels="shared", target_channels=[0, 1, 2], **how)
    predicted = model.predict(X)
    np.testing.assert_allclose(predicted[..., 0], predicted[..., 2], rtol=1e-9)
    changed = SlidingWindowTransformer(5).fit_transform(np.c_[one, two + 7 * np.arange(41), one])
    np.testing.assert_allclose(model.predict(changed)[..., 0], predicted[..., 0], rtol=1e-9)
    assert (np.abs(model.predict(changed)[5:, :, 1] - predicted[5:, :, 1]) > 1).all()
    joint = fitted(X, y, target_channels=[0, 1, 2], **how)
    assert not np.allclose(joint.predict(changed)[..., 0], joint.predict(X)[..., 0])
    n_weights = [model.summary()["n_parameters"].iloc[-1] for model in (model, joint)]
    assert n_weights[0] < n_weights[1]


# -- scaling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("window_scaling", ["auto", None, "last", "standard", "last_standard"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_window_scaling(decoder, window_scaling, standardize):
    """What is taken off a window stands in its forecast again: levels (and with a deviation, units) pass through."""
    X = windows()
    y = X.base
    model = fitted(X, y, horizon=3, window_scaling=window_scaling, decoder=decoder, standardize=standardize)
    predicted = model.predict(X)
    moved = Windows(X.base + [500.0, -70.0], X.ends, X.starts, X.series, 5)
    if window_scaling is None:
        assert not np.allclose(model.predict(moved), predicted + [500.0, -70.0], rtol=1e-3)
        return
    np.testing.assert_allclose(model.predict(moved), predicted + [500.0, -70.0], rtol=1e-6)
    blown_up = model.predict(Windows(X.base * 1000.0, X.ends, X.starts, X.series, 5))
    size = np.array([X[i : i + 1].base[i - 4 : i + 1].std(axis=0) for i in range(4, 41)])
    rows = 4 + np.flatnonzero((size > 0.3 * np.median(size, axis=0)).all(axis=1))  # not too even to be divided by it
    assert len(rows) > 20
    same_in_units = np.allclose(blown_up[rows], predicted[rows] * 1000, rtol=1e-5, atol=1e-2)
    assert same_in_units == (window_scaling in ("standard", "last_standard"))


@pytest.mark.parametrize("transform", ["log1p", "sqrt"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_target_transform(decoder, transform):
    """A fit on the transformed series is the same fit; forecasts are positive, and the user's rows stay."""
    forward, inverse = {"log1p": (np.log1p, np.expm1), "sqrt": (np.sqrt, np.square)}[transform]
    rows = np.random.RandomState(0).gamma(1.0, size=(40, 2)) * [50, 1]
    before = rows.copy()
    X = Windows(rows, np.arange(40), np.zeros(40), np.zeros(40), 5)
    model = fitted(X, rows[:, 0], horizon=3, target_transform=transform, decoder=decoder)
    predicted = model.predict(X)
    assert (predicted >= (0 if transform == "sqrt" else -1)).all()
    np.testing.assert_array_equal(rows, before)
    by_hand = Windows(np.c_[forward(rows[:, 0]), rows[:, 1]], X.ends, X.starts, X.series, 5)
    plain = fitted(by_hand, forward(rows[:, 0]), horizon=3, decoder=decoder)
    expected = plain.predict(by_hand)
    expected = np.maximum(expected, 0) if transform == "sqrt" else expected
    np.testing.assert_allclose(predicted, inverse(expected), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(model.history_["train_loss"], plain.history_["train_loss"])
    model.set_params(target_transform=None)  # counts from the next fit on
    np.testing.assert_array_equal(model.predict(X), predicted)


def test_target_transform_of_quantiles():
    rows = np.random.RandomState(0).gamma(1.0, size=(40, 2)) * 50
    X = Windows(rows, np.arange(40), np.zeros(40), np.zeros(40), 5)
    for loss in ("gaussian", "quantile"):
        model = fitted(
            X, rows, horizon=3, target_transform="sqrt", loss=loss, calibration_fraction=0.4, decoder="parallel"
        )
        of_quantiles = model.predict_quantiles(X)
        assert (of_quantiles >= 0).all()
        assert (np.diff(of_quantiles, axis=-1) >= 0).all()
        np.testing.assert_allclose(of_quantiles[..., 1], model.predict(X), rtol=1e-6)
        low, high = model.predict_interval(X, 0.5)
        assert (low >= 0).all()
        assert (low <= high).all()
        paths = model.sample(X[30:31], 9000, random_state=0)
        std = model.predict(X[30:31], return_std=True)[1]
        np.testing.assert_allclose(paths.std(axis=-1), std, rtol=0.1)


@pytest.mark.parametrize("value", [-3.0, -1.0])
@pytest.mark.parametrize("transform", ["log1p", "sqrt"])
def test_values_that_have_no_transform(transform, value):
    rows = np.abs(series()) + 1
    rows[17, 0] = value
    X = Windows(rows, np.arange(41), np.zeros(41), np.zeros(41), 5)
    wants = "greater than -1" if transform == "log1p" else "of at least 0"
    with pytest.raises(ValueError, match=f"'{transform}' needs targets {wants}, got {value:g} .*row 16.*shift"):
        fitted(X, rows[:, 0], horizon=1, target_transform=transform)
    other = fitted(X, rows[:, 1], horizon=1, target_transform=transform)  # a channel that is no target may have any
    rows[17, 1] = value
    with pytest.raises(ValueError, match=f"'{transform}' needs values {wants}, got {value:g} in a target's own past"):
        other.predict(X)


def test_outputs_without_a_past_have_errors_of_their_own():
    """smape_mase divides each by its own mean absolute deviation."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4, 2)), rng.normal(size=(60, 3, 2)) * [1.0, 1000.0] + [5.0, 5000.0]
    model = Seq2SeqForecaster("rnn", hidden_size=3, loss="smape_mase", max_epochs=2, lr=1e-3, random_state=0)
    model.fit(X, y)
    given = model._for_loss(model._labelled(X, y, None, reset=False))
    expected = np.abs(y - y.mean(axis=(0, 1))).mean(axis=(0, 1))
    np.testing.assert_allclose(given["naive_errors"], np.tile(expected, (60, 1)), rtol=1e-9)
    np.testing.assert_allclose(given["units"], np.tile(y.std(axis=(0, 1)), (60, 1)), rtol=1e-9)


def test_small_series_on_a_panel_with_a_large_one_keep_their_unit():
    """A spread of a millionth of the standardised level is one all the same."""
    time = np.arange(300)
    series = np.sin(time * 0.5)[:, None] + np.array([0.0, 1e7])
    panel = pd.DataFrame({"s": np.repeat([0, 1], 300), "t": np.tile(time, 2), "y": series.T.ravel()})
    X = SlidingWindowTransformer(12, group="s", time="t").fit_transform(panel)
    model = Seq2SeqForecaster("gru", hidden_size=5, horizon=2, max_epochs=1, early_stopping=False, random_state=0)
    model.fit(X, panel["y"])
    inputs = model._scaling.inputs
    assert 0.3 < inputs.spread[0] * inputs.scale[0] < 3
