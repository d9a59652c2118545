"""Targets: the future of a channel is found and never reaches beyond the rows given; any other y is used as it is."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows, future_targets
from skrnn._targets import UNKNOWN, check_y, copied_channel, explicit_targets, future_of_series
from skrnn._validation import check_sequences

NAN = np.nan


def walk(n_rows, n_channels=3, seed=0):
    return np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)


def view(rows, window=5):
    """Windows of one series as the transformer gives them for an array: a padded strided view."""
    return SlidingWindowTransformer(window).fit_transform(rows)


def panel(sizes=(13, 7, 11), holes=(), window=5, seed=0):
    """Windows of several series, the rows of which are cut into pieces at `holes` (base rows)."""
    base = walk(sum(sizes), seed=seed)
    borders = np.cumsum([0, *sizes])
    ends = np.arange(len(base))
    series = np.searchsorted(borders, ends, side="right") - 1
    pieces = np.array(sorted({*borders[:-1], *holes}))
    starts = pieces[np.searchsorted(pieces, ends, side="right") - 1]
    return Windows(base, ends, starts, series, window)


def futures_by_loop(y, windows, horizon):
    """Row t's next values where the same segment goes on and the row was given; three loops."""
    given_at = {int(end): i for i, end in enumerate(windows.ends)}
    targets = np.full((len(y), horizon), NAN)
    for i, step in itertools.product(range(len(y)), range(1, horizon + 1)):
        ahead = given_at.get(int(windows.ends[i]) + step)
        if ahead is not None and windows.starts[ahead] == windows.starts[i]:
            targets[i, step - 1] = y[ahead]
    return targets


# -- explicit targets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("channel", [0, 2])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_future_of_a_channel_is_found_by_equality(horizon, channel, dtype):
    rows = walk(17).astype(dtype)
    y = future_targets(rows[:, channel], horizon)
    targets = explicit_targets(y.astype(float), check_sequences(view(rows)), None)
    assert targets.channels.tolist() == [channel] * horizon
    assert targets.reach == horizon
    assert targets.shape == (horizon,)
    np.testing.assert_array_equal(targets.values, y)


def test_futures_of_several_channels():
    rows = walk(17)
    y = future_targets(rows[:, [2, 0]], 3)  # (17, 3, 2)
    targets = explicit_targets(y, check_sequences(view(rows)), None)
    assert targets.channels.tolist() == [2, 0] * 3
    assert targets.shape == (3, 2)
    assert targets.reach == 3


def test_a_single_column_some_steps_ahead():
    rows = walk(17)
    y = np.append(rows[7:, 1], [NAN] * 7)
    targets = explicit_targets(y, check_sequences(view(rows)), None)
    assert (targets.channels.tolist(), targets.reach, targets.shape) == ([1], 7, ())


@pytest.mark.parametrize("carrier", ["view", "Windows"])
@pytest.mark.parametrize("cut", [slice(0, 11), slice(3, 14), slice(5, None)])
def test_targets_beyond_the_last_row_of_the_call_are_masked(carrier, cut):
    """A fold of rows sees y from behind its border in its last targets; they are left out."""
    rows = walk(17)
    whole = view(rows)
    if carrier == "Windows":
        whole = Windows(rows, np.arange(17), np.zeros(17), np.zeros(17), 5)
    y = future_targets(rows[:, 1], 2)
    targets = explicit_targets(y[cut], check_sequences(whole[cut]), None)
    expected = y[cut].copy()
    expected[-1] = NAN
    expected[-2, 1] = NAN
    np.testing.assert_array_equal(targets.values, expected)
    assert targets.channels.tolist() == [1, 1]


def test_nothing_is_masked_where_the_future_lies_within_the_call():
    """KFold's training rows on both sides of a hole: only the last rows of the whole call look beyond it."""
    X = panel(sizes=(17,))
    y = future_targets(X.base[:, 0], 1)[:, 0]
    train = np.r_[0:5, 9:17]
    targets = explicit_targets(y[train], check_sequences(X[train]), None)
    np.testing.assert_array_equal(targets.values[:, 0], y[train])
    train = np.r_[0:5, 9:15]
    targets = explicit_targets(y[train], check_sequences(X[train]), None)
    assert np.flatnonzero(np.isnan(targets.values)).tolist() == [len(train) - 1]


def test_each_series_of_a_panel_has_its_own_end():
    X = panel(sizes=(13, 7, 11))
    y = future_targets(X.base[:, 2], 1, group=X.series)[:, 0]
    keep = np.r_[0:10, 13:20, 20:25]  # the first series ends early, so does the third
    targets = explicit_targets(y[keep], check_sequences(X[keep]), None)
    unknown = keep[np.isnan(targets.values[:, 0])]
    assert unknown.tolist() == [9, 19, 24]
    assert targets.channels.tolist() == [2]


def test_rows_in_any_order():
    X = panel()
    y = future_targets(X.base[:, 2], 2, group=X.series)
    order = np.random.RandomState(0).permutation(len(y))
    targets = explicit_targets(y[order], check_sequences(X[order]), None)
    np.testing.assert_array_equal(targets.values, y[order])
    assert targets.channels.tolist() == [2, 2]


@pytest.mark.parametrize("splitter", [TimeSeriesSplit(3), KFold(3), TimeSeriesSplit(3, max_train_size=7)])
@pytest.mark.parametrize("carrier", ["view", "Windows"])
def test_no_training_target_of_a_fold_lies_in_its_future(splitter, carrier):
    rows = walk(29)
    X = view(rows) if carrier == "view" else panel(sizes=(29,), seed=0)
    rows = rows if carrier == "view" else X.base
    y = future_targets(rows[:, 0], 3)
    for train, _ in splitter.split(X):
        block = slice(train[0], train[-1] + 1)
        contiguous = len(train) == block.stop - block.start
        part = X[block] if contiguous else X[train]  # a view stays one only when it is sliced
        sequences = check_sequences(part)
        if not sequences.are_windows:
            continue
        targets = explicit_targets(y[train], sequences, None).values
        step = np.arange(1, 4)
        beyond = train[:, None] + step > train[-1]
        assert np.isnan(targets[beyond]).all()
        np.testing.assert_array_equal(targets[~beyond], y[train][~beyond])


def test_y_that_is_no_channel_is_used_as_given():
    X, y = view(walk(17)), np.random.RandomState(1).randn(17, 2)
    targets = explicit_targets(y, check_sequences(X), None)
    np.testing.assert_array_equal(targets.values, y)
    assert targets.channels.tolist() == [UNKNOWN, UNKNOWN]
    assert targets.reach == 0


def test_one_wrong_value_and_the_column_is_no_future():
    rows = walk(17)
    y = np.append(rows[1:, 0], NAN)
    y[8] += 1e-9
    targets = explicit_targets(y, check_sequences(view(rows)), None)
    assert targets.channels.tolist() == [UNKNOWN]
    np.testing.assert_array_equal(targets.values[:, 0], y)


def test_past_of_a_channel_is_no_future():
    rows = walk(17)
    targets = explicit_targets(np.append(NAN, rows[:-1, 0]), check_sequences(view(rows)), None)
    assert targets.channels.tolist() == [UNKNOWN]


def test_constant_y_matches_nothing():
    rows = np.ones((17, 2))
    targets = explicit_targets(np.append(rows[1:, 0], NAN), check_sequences(view(rows)), None)
    assert targets.channels.tolist() == [UNKNOWN]


def test_named_target_channel_is_taken_where_equality_finds_none():
    rows = walk(17)
    y = rows[:, :2] * 2 + 1
    for named, expected in [([2], [2, 2]), ([2, 0], [2, 0])]:
        targets = explicit_targets(y, check_sequences(view(rows)), np.array(named))
        assert targets.channels.tolist() == expected
        np.testing.assert_array_equal(targets.values, y)


def test_sequences_that_are_no_windows_have_no_channel():
    X = walk(15).reshape(5, 3, 3)
    y = X[:, -1, 0]
    assert explicit_targets(y, check_sequences(X), None).channels.tolist() == [UNKNOWN]


def test_input_y_is_left_alone():
    rows = walk(17)
    y = future_targets(rows[:, 1], 2)[:9]
    before = y.copy()
    assert np.isnan(explicit_targets(y, check_sequences(view(rows)[:9]), None).values[-1]).all()
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("n_rows", [5, 6, 7, 8, 9])
def test_targets_are_masked_in_folds_as_short_as_the_horizon(n_rows):
    """The furthest columns have no row, or one only, whose target lies within the fold."""
    X = panel(sizes=(17,))
    y = future_targets(X.base[:, 0], 7)[:n_rows]
    targets = explicit_targets(y, check_sequences(X[:n_rows]), None)
    beyond = np.arange(n_rows)[:, None] + np.arange(1, 8) >= n_rows
    assert np.isnan(targets.values[beyond]).all()
    np.testing.assert_array_equal(targets.values[~beyond], y[~beyond])


# -- the future of a series ----------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(2, 9), min_size=1, max_size=4),
    horizon=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_future_of_series_equals_a_loop(sizes, horizon, seed):
    rng = np.random.RandomState(seed)
    n_rows = sum(sizes)
    X = panel(sizes, holes=rng.choice(n_rows, rng.randint(0, 3)).tolist(), window=3, seed=seed)
    X = X[rng.permutation(n_rows)[: rng.randint(1, n_rows + 1)]]  # some of the rows, in any order
    y = rng.randn(len(X))
    targets = future_of_series(y, check_sequences(X), horizon, None, may_be_unknown=True)
    np.testing.assert_array_equal(targets.values, futures_by_loop(y, X, horizon))
    assert (targets.shape, targets.reach) == ((horizon,), horizon)


def test_future_of_several_outputs():
    X = panel()
    y = X.base[:, [1, 0]]
    targets = future_of_series(y, check_sequences(X), 3, None)
    expected = np.stack([futures_by_loop(y[:, j], X, 3) for j in range(2)], axis=2)  # (n, horizon, outputs)
    np.testing.assert_array_equal(targets.values, expected.reshape(len(y), 6))
    assert targets.channels.tolist() == [1, 0] * 3
    assert targets.shape == (3, 2)


def test_series_that_is_no_channel():
    X = panel()
    sequences = check_sequences(X)
    y = np.sin(X.base[:, 0])
    assert future_of_series(y, sequences, 2, None).channels.tolist() == [UNKNOWN] * 2
    assert future_of_series(y, sequences, 2, np.array([1])).channels.tolist() == [1] * 2


def test_unknown_values_of_the_series_are_unknown_targets():
    X = panel(sizes=(13,))
    y = X.base[:, 0].copy()
    y[4] = NAN
    targets = future_of_series(y, check_sequences(X), 2, None)
    np.testing.assert_array_equal(targets.values, futures_by_loop(y, X, 2))
    assert np.isnan(targets.values[3, 0])
    assert np.isnan(targets.values[2, 1])
    assert targets.channels.tolist() == [0, 0]


def test_horizon_needs_windows_of_a_series():
    with pytest.raises(ValueError, match=r"horizon=2 builds each row's future.*windows of a series.*horizon=None"):
        future_of_series(np.ones(5), check_sequences(np.ones((5, 3, 2))), 2, None)


def test_horizon_takes_no_targets_of_three_axes():
    X = panel()
    with pytest.raises(ValueError, match=r"y must be the series itself.*got shape \(31, 2, 1\).*future_targets"):
        future_of_series(np.ones((31, 2, 1)), check_sequences(X), 2, None)


def test_horizon_longer_than_every_series():
    X = panel(sizes=(5, 7))
    with pytest.raises(ValueError, match="horizon=7 leaves no row with a known future: the longest.*7 rows"):
        future_of_series(X.base[:, 0], check_sequences(X), 7, None)
    targets = future_of_series(X.base[:, 0], check_sequences(X), 7, None, may_be_unknown=True)
    assert np.isnan(targets.values[:, 6]).all()


@pytest.mark.parametrize("n_named", [3, 5])
def test_as_many_target_channels_as_outputs(n_named):
    X = panel()
    with pytest.raises(ValueError, match=rf"one for each output of y, got {n_named} for y with \(2,\) values"):
        future_of_series(X.base[:, :2], check_sequences(X), 2, np.arange(n_named))


# -- y that stands in X --------------------------------------------------------------------------------------------


def test_copied_channel():
    X = panel()
    sequences = check_sequences(X)
    assert copied_channel(X.base[:, 2], sequences) == 2
    assert copied_channel(X.base[:, [2]], sequences) == 2
    assert copied_channel(future_targets(X.base[:, 2], 1, group=X.series)[:, 0], sequences) is None
    assert copied_channel(X.base[:, 2] + 1e-9, sequences) is None
    assert copied_channel(X.base[:31], check_sequences(np.ones((31, 3, 3)))) is None


# -- through the estimator -----------------------------------------------------------------------------------------

SMALL = {"hidden_size": 3, "max_epochs": 2, "random_state": 0}


@pytest.mark.filterwarnings("ignore:The loss still fell")
class TestThroughFit:
    @pytest.mark.parametrize("n_axes", [1, 2])
    def test_copied_channel_warns_and_names_the_remedies(self, n_axes):
        rows = walk(17)
        y = rows[:, 1] if n_axes == 1 else rows[:, [1]]
        with pytest.warns(UserWarning, match=r"y equals channel 1 .* horizon=1 .* future_targets\(y, 1\)") as caught:
            RNNRegressor(**SMALL).fit(view(rows), y)
        assert {warning.filename for warning in caught} == {__file__}

    def test_target_channels_are_recorded(self):
        rows = walk(17)
        X = view(rows)
        model = RNNRegressor(**SMALL)
        assert model.fit(X, future_targets(rows[:, 2], 3)).target_channels_.tolist() == [2, 2, 2]
        assert model.fit(X, future_targets(rows[:, [2, 0]], 3)).target_channels_.tolist() == [2, 0]
        assert model.fit(X, np.random.RandomState(1).randn(17)).target_channels_ is None
        model.set_params(horizon=2)
        assert model.fit(X, rows[:, 1]).target_channels_.tolist() == [1]
        assert model.fit(X, np.sin(rows[:, 1])).target_channels_ is None

    def test_target_channels_by_name(self):
        frame = pd.DataFrame(walk(17), columns=["a", "b", "c"])
        X = SlidingWindowTransformer(5).fit_transform(frame)
        y = np.sin(frame["b"])
        model = RNNRegressor(**SMALL, horizon=2)
        assert model.set_params(target_channels="c").fit(X, y).target_channels_.tolist() == [2]
        assert model.set_params(target_channels=["c"]).fit(X, y).target_channels_.tolist() == [2]
        assert model.set_params(target_channels=0).fit(X, y).target_channels_.tolist() == [0]

    def test_explicit_targets_and_horizon_train_the_same_net(self):
        rows = walk(29)
        X = view(rows)
        by_horizon = RNNRegressor(**SMALL, horizon=3).fit(X, rows[:, 0])
        by_targets = RNNRegressor(**SMALL).fit(X, future_targets(rows[:, 0], 3))
        np.testing.assert_array_equal(by_horizon.predict(X), by_targets.predict(X))

    def test_masked_targets_do_not_train(self):
        """The same fold with the values behind its border made absurd predicts the same."""
        rows = walk(29)
        y = future_targets(rows[:, 0], 3)
        X = Windows(rows, np.arange(29), np.zeros(29), np.zeros(29), 5)[:20]
        expected = RNNRegressor(**SMALL).fit(X, y[:20]).predict(X)
        unknown = y[:20].copy()
        for step in range(1, 4):
            unknown[20 - step :, step - 1] = NAN
        np.testing.assert_array_equal(RNNRegressor(**SMALL).fit(X, unknown).predict(X), expected)


# -- check_y -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [[1, 2, 3], np.ones((3, 2), dtype="f4"), pd.Series([1.0, NAN, 2.0], index=[5, 6, 7])])
def test_y_becomes_float64(y):
    checked = check_y(y, 3, "RNNRegressor")
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, np.asarray(y))


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "RNNRegressor requires y to be passed"),
        (np.ones(4), r"X has 5 rows and y has 4.*NaN where the target is unknown"),
        (np.full(5, NAN), "y holds no known value: all 5 are NaN.*At least one"),
        (np.array([1, 2, np.inf, 4, 5]), "y contains infinity"),
        (np.ones((5, 2, 3, 1)), r"y must have 1, 2 or 3 axes, got shape \(5, 2, 3, 1\)"),
        (["a", "b", "c", "d", "e"], "could not convert string|convert"),
    ],
)
def test_bad_y(y, message):
    with pytest.raises(ValueError, match=message):
        check_y(y, 5, "RNNRegressor")


# -- what is no future ---------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), n_values=st.integers(2, 5), n_rows=st.sampled_from([20, 70, 300]))
def test_labels_that_repeat_are_not_taken_for_a_future(seed, n_values, n_rows):
    """A few equal rows at a far shift prove nothing."""
    rng = np.random.RandomState(seed)
    base = rng.randint(0, n_values, size=(n_rows, 3)).astype(float)
    X = Windows(base, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), 5)
    y = rng.randint(0, n_values, size=(n_rows, 2)).astype(float)
    targets = explicit_targets(y, check_sequences(X), None)
    assert (targets.channels == -1).all()
    np.testing.assert_array_equal(targets.values, y)


@pytest.mark.parametrize("n_values", [2, 3, 7])
def test_futures_of_a_channel_with_few_values_are_found(n_values):
    base = np.random.RandomState(0).randint(0, n_values, size=(70, 3)).astype(float)
    X = Windows(base, np.arange(70), np.zeros(70), np.zeros(70), 5)
    targets = explicit_targets(future_targets(base[:, 2], 3)[:50], check_sequences(X[:50]), None)
    assert targets.channels.tolist() == [2, 2, 2]
    assert np.isnan(targets.values).sum() == 1 + 2 + 3


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_y_in_other_units_than_its_channel_is_warned_of():
    rng = np.random.RandomState(0)
    base = rng.randn(70, 2).cumsum(axis=0)
    X = Windows(base, np.arange(70), np.zeros(70), np.zeros(70), 5)
    net = RNNRegressor("rnn", hidden_size=3, max_epochs=2, horizon=2, random_state=0)
    with pytest.warns(UserWarning, match="y is channel 1 of X in other units.*Leave the scaler out"):
        net.fit(X, 3 * base[:, 1] + 7)
    with pytest.warns(UserWarning, match=r"y is the value of channel 0 1 row\(s\) later already"):
        net.fit(X, np.append(base[1:, 0], np.nan))
    net.fit(X, base[:, 1])  # no warning, which would be an error
    net.fit(X, rng.randn(70))
