"""Standardisation counts each value as often as it is read; scaling by the window is undone exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrnn import RNNRegressor, Windows
from skrnn._batches import SequenceDataset, standardized_base
from skrnn._scaling import fit_input_scaling, fit_target_scaling, target_rows
from skrnn._validation import check_sequences

WINDOW, N_CHANNELS = 5, 3
SCALINGS = ["last", "standard", "last_standard"]
EVERY = np.arange(N_CHANNELS)


def panel(n_rows=17, level=0.0, dtype=float, seed=0):
    """Windows of two series of `n_rows` // 2 rows and the rest."""
    base = (np.random.RandomState(seed).randn(n_rows, N_CHANNELS).cumsum(axis=0) + level).astype(dtype)
    ends, half = np.arange(n_rows), n_rows // 2
    return Windows(base, ends, np.where(ends < half, 0, half), (ends >= half).astype(int), WINDOW)


def input_scaling(X, sample_weight=None, *, standardize=True, window=None, channels=EVERY):
    return fit_input_scaling(
        check_sequences(X), sample_weight, standardize=standardize, window=window, channels=channels
    )


def weighted_moments(block, weight):
    """Mean and deviation of every channel over the steps that are not NaN, (n_channels,) each."""
    values = block.reshape(-1, block.shape[2]).astype(float)
    weight = np.repeat(weight, block.shape[1])
    known = ~np.isnan(values).all(axis=1)
    mean = np.average(values[known], axis=0, weights=weight[known])
    return mean, np.sqrt(np.average((values[known] - mean) ** 2, axis=0, weights=weight[known]))


# -- inputs --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), weighted=st.booleans())
def test_moments_are_those_of_the_materialised_block(seed, weighted):
    rng = np.random.RandomState(seed)
    X = panel(seed=seed)
    X = X[np.sort(rng.permutation(17)[: rng.randint(2, 18)])]
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], size=len(X)) if weighted else np.ones(len(X))
    weight[0] = 1.0
    mean, deviation = weighted_moments(np.asarray(X), weight)
    if (deviation < 1e-9).any():
        return  # one step read: see the constant channels below
    scaling = input_scaling(X, weight if weighted else None)
    np.testing.assert_allclose(scaling.mean, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaling.scale, deviation, rtol=1e-9)


def test_standardised_base_is_what_the_moments_say():
    X = panel(level=7.0)
    scaling = input_scaling(X)
    sequences = check_sequences(X)
    out = scaling.standardize(sequences, np.dtype("f4"), extra_rows=2)
    assert out.dtype == np.float32
    assert out.shape == (17 + 2, N_CHANNELS)
    assert (out[17:] == 0).all()
    np.testing.assert_allclose(out[:17], (X.base - scaling.mean) / scaling.scale, rtol=1e-6, atol=1e-6)


def test_many_rows_in_blocks(monkeypatch):
    X = panel(level=3.0)
    whole = input_scaling(X, window="standard")
    expected = [whole.mean, whole.scale, whole.standardize(check_sequences(X), np.dtype(float))]
    expected += whole.window_values(check_sequences(X))
    monkeypatch.setattr("skrnn._scaling.ROWS_AT_ONCE", 7)
    blocks = input_scaling(X, window="standard")
    got = [blocks.mean, blocks.scale, blocks.standardize(check_sequences(X), np.dtype(float))]
    got += blocks.window_values(check_sequences(X))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_padding_does_not_count():
    block = np.random.RandomState(0).randn(5, 7, N_CHANNELS)
    block[1, :4] = block[3, 5:] = np.nan
    mean, deviation = weighted_moments(block, np.ones(5))
    scaling = input_scaling(block)
    np.testing.assert_allclose(scaling.mean, mean)
    np.testing.assert_allclose(scaling.scale, deviation)


def test_standardize_off_leaves_values_as_they_are():
    X = panel(level=7.0)
    scaling = input_scaling(X, standardize=False)
    np.testing.assert_array_equal(scaling.standardize(check_sequences(X), np.dtype(float)), X.base)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8 + 0.1, -3e-20])
def test_constant_channel_becomes_zero(dtype, constant):
    X = panel(n_rows=1001, dtype=dtype)
    X.base[:, 1] = constant
    scaling = input_scaling(X)
    out = scaling.standardize(check_sequences(X), np.dtype(float))
    np.testing.assert_allclose(out[:, 1], 0, atol=1e-6)
    np.testing.assert_allclose(out[:, [0, 2]].std(axis=0), 1, atol=0.02)


def test_float32_at_a_high_level_keeps_its_distinct_values():
    """Sums in float32 at level 1e8 would lose all of the variation."""
    X = panel(n_rows=1001, level=1e8, dtype="f4")
    X.base[:] = 1e8 + 8 * np.random.RandomState(0).randint(0, 100, size=X.base.shape)
    scaling = input_scaling(X)
    mean, deviation = weighted_moments(np.asarray(X), np.ones(len(X)))
    np.testing.assert_allclose(scaling.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, deviation, rtol=1e-9)
    out = scaling.standardize(check_sequences(X), np.dtype("f4"))
    assert len(np.unique(out[:, 0])) == len(np.unique(X.base[:, 0])) > 90


# -- windows -------------------------------------------------------------------------------------------------------


def scaled_by_loop(part, kind, scaling):
    """One window without padding, (length, n_channels), scaled by its own values."""
    last, mean = part[-1], part.mean(axis=0)
    size = np.maximum(np.maximum(part.std(axis=0), scaling.smallest), 1e-300)
    return {
        "last": (part - last) / scaling.spread,
        "standard": (part - mean) / size,
        "last_standard": (part - last) / size,
    }[kind]


@pytest.mark.parametrize("kind", SCALINGS)
@pytest.mark.parametrize("channels", [EVERY, np.array([1]), np.array([0, 2])], ids=str)
def test_net_sees_windows_scaled_by_their_valid_steps(kind, channels):
    X = panel()
    sequences = check_sequences(X)
    scaling = input_scaling(X, window=kind, channels=channels)
    base = standardized_base(sequences, scaling, np.dtype(float), "cpu")
    dataset = SequenceDataset(base, sequences, scaling)
    for i, block in enumerate(X):
        part = (block[~np.isnan(block).all(axis=1)] - scaling.mean) / scaling.scale
        expected = part.copy()
        expected[:, channels] = scaled_by_loop(part, kind, scaling)[:, channels]
        got = dataset.sequences(dataset.first.new_tensor([i]))["x"][0].numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", SCALINGS)
def test_a_batch_of_unequal_windows_is_scaled_as_each_alone(kind):
    X = panel()
    sequences = check_sequences(X)
    scaling = input_scaling(X, window=kind)
    dataset = SequenceDataset(standardized_base(sequences, scaling, np.dtype(float), "cpu"), sequences, scaling)
    rows = dataset.first.new_tensor([2, 11, 0, 7])  # lengths 3, 4, 1, 5
    batch = dataset.sequences(rows)
    assert batch["lengths"].tolist() == [3, 4, 1, 5]
    for x, i, length in zip(batch["x"].numpy(), rows, batch["lengths"], strict=True):
        alone = dataset.sequences(i[None])["x"][0].numpy()
        np.testing.assert_allclose(x[:length], alone, rtol=1e-9, atol=1e-12)
        assert (x[length:] == 0).all()


def test_windows_less_their_last_value_have_spread_one():
    X = panel(n_rows=101)
    sequences = check_sequences(X)
    weight = np.random.RandomState(1).choice([0.0, 1.0, 2.0], size=101)
    scaling = input_scaling(X, weight, window="last", channels=np.array([0, 2]))
    power, total = np.zeros(N_CHANNELS), 0.0
    for i, w in enumerate(weight):
        part = (X.base[sequences.first[i] : i + 1] - X.base[i]) / scaling.scale
        power += w * (part**2).sum(axis=0)
        total += w * len(part)
    expected = np.sqrt(power / total)
    expected[1] = 1.0  # not scaled by its windows
    np.testing.assert_allclose(scaling.spread, expected, rtol=1e-9)


# -- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, *SCALINGS])
@pytest.mark.parametrize("level", [0.0, 1e4])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("channels", [[1, 1], [-1, 2], [2, 0], [-1, -1]], ids=str)
def test_scaled_targets_are_restored(kind, level, standardize, channels):
    X = panel(level=level)
    channels = np.array(channels)
    followed = np.unique(channels[channels >= 0])
    y = np.random.RandomState(1).randn(17, 2) + level
    inputs = input_scaling(X, window=kind, standardize=standardize, channels=followed if len(followed) else EVERY)
    rows = target_rows(inputs, check_sequences(X), channels)
    assert (rows is None) == (kind is None or not len(followed))
    targets = fit_target_scaling(y, None, standardize=standardize, rows=rows)
    scaled = targets.scale_targets(y, rows)
    np.testing.assert_allclose(targets.restore(scaled, rows), y, rtol=1e-12, atol=1e-12 * max(level, 1))
    if standardize:
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", SCALINGS)
def test_targets_are_scaled_by_the_values_of_their_own_window(kind):
    X = panel(level=5.0)
    sequences = check_sequences(X)
    inputs = input_scaling(X, window=kind, channels=np.array([0, 2]))
    offset, unit = target_rows(inputs, sequences, np.array([2, -1, 0]))
    for i, block in enumerate(X):
        part = block[~np.isnan(block).all(axis=1)]
        center = part.mean(axis=0) if kind == "standard" else part[-1]
        smallest = inputs.smallest * inputs.scale
        size = np.ones(N_CHANNELS) if kind == "last" else np.maximum(part.std(axis=0), smallest)
        np.testing.assert_allclose(offset[i], [center[2], 0, center[0]], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(unit[i], [size[2], 1, size[0]], rtol=1e-9)


def test_target_moments_skip_what_is_unknown_and_count_weights():
    y = np.random.RandomState(0).randn(7, 2) * 5 + 3
    y[[1, 4], 0] = y[2, 1] = np.nan
    weight = np.array([1.0, 2.0, 0.0, 3.0, 1.0, 0.5, 1.0])
    scaling = fit_target_scaling(y, weight, standardize=True, rows=None)
    for j in range(2):
        known = ~np.isnan(y[:, j])
        mean = np.average(y[known, j], weights=weight[known])
        assert scaling.mean[j] == pytest.approx(mean, rel=1e-12)
        variance = np.average((y[known, j] - mean) ** 2, weights=weight[known])
        assert scaling.scale[j] == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert (np.isnan(scaling.scale_targets(y, None)) == np.isnan(y)).all()


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8 + 0.1])
def test_constant_target_stays_finite(constant):
    y = np.full((1001, 1), constant)
    scaling = fit_target_scaling(y, None, standardize=True, rows=None)
    np.testing.assert_allclose(scaling.scale_targets(y, None), 0, atol=1e-6)


# -- through the estimator -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("window_scaling", [None, *SCALINGS])
def test_level_and_unit_of_the_data_do_not_matter(window_scaling):
    X = panel(n_rows=31)
    model = RNNRegressor("gru", hidden_size=3, max_epochs=5, horizon=2, window_scaling=window_scaling, random_state=0)
    y = X.base[:, 1]
    expected = model.fit(X, y).predict(X)
    moved = Windows(X.base * 128 + 4096, X.ends, X.starts, X.series, X.window)
    got = model.fit(moved, moved.base[:, 1]).predict(moved)
    np.testing.assert_allclose(got, expected * 128 + 4096, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_auto_is_last_for_the_future_of_a_channel_and_none_for_other_targets():
    X = panel(n_rows=31)
    params = {"hidden_size": 3, "max_epochs": 2, "random_state": 0, "horizon": 1}
    for y, same_as in [(X.base[:, 1], "last"), (np.sin(X.base[:, 1]), None)]:
        auto = RNNRegressor(**params).fit(X, y).predict(X)
        by_name = RNNRegressor(**params, window_scaling=same_as).fit(X, y).predict(X)
        np.testing.assert_array_equal(auto, by_name)
        other = RNNRegressor(**params, window_scaling="standard").fit(X, y).predict(X)
        assert not np.array_equal(auto, other)


@pytest.mark.parametrize("kind", ["standard", "last_standard"])
def test_short_windows_do_not_rule_the_scale(kind):
    """The first window of a series has one step and no deviation of its own."""
    X = panel(n_rows=301)
    sequences = check_sequences(X)
    inputs = input_scaling(X, window=kind, channels=np.array([1]))
    targets = np.append(X.base[1:, [1]], [[np.nan]], axis=0)
    rows = target_rows(inputs, sequences, np.array([1]))
    scaling = fit_target_scaling(targets, None, standardize=True, rows=rows)
    without = fit_target_scaling(targets[7:], None, standardize=True, rows=(rows[0][7:], rows[1][7:]))
    assert 0.5 < scaling.scale[0] / without.scale[0] < 2
