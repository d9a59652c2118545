"""`past_targets`: at every step of a window the value of y at the row that the step shows."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn.windows import SlidingWindowTransformer, future_targets, past_targets


def loop(values, window):
    """The values of one series up to each row, row by row."""
    targets = np.full((len(values), window, *values.shape[1:]), np.nan)
    for t in range(len(values)):
        past = values[max(0, t - window + 1) : t + 1]
        targets[t, window - len(past) :] = past
    return targets


def shown(X, window, **options):
    """What the transformer shows of the first channel, shape (n_times, window)."""
    return np.asarray(SlidingWindowTransformer(window, **options).fit_transform(X))[:, :, 0]


@pytest.mark.filterwarnings("ignore:Only .* of the .* windows hold all of their")
@pytest.mark.parametrize("shape", [(11,), (11, 1), (11, 3)])
@pytest.mark.parametrize("window", [1, 2, 5, 11])
def test_targets_of_an_array(shape, window):
    y = np.random.default_rng(0).normal(size=shape)
    targets = past_targets(y, window)
    assert targets.shape == (11, window, *shape[1:])
    np.testing.assert_array_equal(targets, loop(y, window))
    windows = SlidingWindowTransformer(window).fit_transform(y.reshape(11, -1))
    np.testing.assert_array_equal(targets.reshape(windows.shape), windows)


def test_a_window_longer_than_the_series_is_padded():
    y = np.random.default_rng(0).normal(size=(3, 2))
    np.testing.assert_array_equal(past_targets(y, 7), loop(y, 7))
    np.testing.assert_array_equal(past_targets([5.0], 3), [[np.nan, np.nan, 5.0]])


def test_targets_of_a_series_keep_the_index():
    y = pd.Series(np.arange(7.0), index=pd.date_range("2024", periods=7, freq="MS"), name="load")
    targets = past_targets(y, 3)
    assert targets.index.equals(y.index)
    assert list(targets.columns) == ["load-2", "load-1", "load-0"]
    np.testing.assert_array_equal(targets, loop(y.to_numpy(), 3))
    np.testing.assert_array_equal(targets, shown(y.to_frame(), 3))
    assert list(past_targets(y.rename(None), 2).columns) == ["-1", "-0"]


def test_targets_of_a_frame():
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(7, 3)), columns=list("abc"))
    np.testing.assert_array_equal(past_targets(y, 2), loop(y.to_numpy(), 2))
    one = past_targets(y[["b"]], 2)
    assert list(one.columns) == ["b-1", "b-0"]
    np.testing.assert_array_equal(one, loop(y["b"].to_numpy(), 2))


@pytest.mark.parametrize(
    "dtype, want",
    [(np.float32, np.float32), (np.int64, np.float64), ("Int64", np.float64), (bool, np.float64)],
)
def test_targets_are_floats(dtype, want):
    y = pd.Series([1, 0, 1, 1], dtype=dtype)
    assert (past_targets(y, 3).dtypes == want).all()
    np.testing.assert_array_equal(past_targets(y, 3), loop(np.array([1.0, 0, 1, 1]), 3))
    assert past_targets(y.to_numpy(dtype=want), 3).dtype == want


def test_unknown_values_of_y_stay_unknown_at_their_steps():
    targets = past_targets([1.0, np.nan, 3.0], 2)
    np.testing.assert_array_equal(targets, [[np.nan, 1.0], [1.0, np.nan], [np.nan, 3.0]])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_targets_of_a_panel_in_any_order(data):
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    window = data.draw(st.integers(1, max(sizes)))
    shop, day = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(size) for size in sizes])
    y = np.random.default_rng(0).normal(size=len(day))
    want = np.concatenate([loop(y[shop == k], window) for k in range(len(sizes))])
    places = np.array(data.draw(st.permutations(range(len(day)))))
    shop, day, y, want = shop[places], day[places], y[places], want[places]
    names = np.array(["north", "south", "east", "west"])[shop]
    np.testing.assert_array_equal(past_targets(y, window, group=names, time=day), want)
    frame = pd.DataFrame({"y": y, "shop": names, "day": day})
    np.testing.assert_array_equal(past_targets(frame, window, group="shop", time="day"), want)
    levels = frame.set_index(["shop", "day"])["y"]
    targets = past_targets(levels, window, group="shop")
    np.testing.assert_array_equal(targets, want)
    assert targets.index.equals(levels.index)
    np.testing.assert_array_equal(past_targets(levels, window, group="shop", time="day"), want)


def test_targets_stand_where_the_windows_of_a_shuffled_panel_show_their_rows():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"y": rng.normal(size=24), "shop": np.repeat(list("cab"), [13, 4, 7])})
    frame["day"] = pd.Timestamp("2024") + pd.to_timedelta(frame.groupby("shop").cumcount(), unit="D")
    frame = frame.sample(frac=1, random_state=5)
    want = shown(frame, 5, group="shop", time="day")
    assert np.isnan(want).sum() == 3 * (4 + 3 + 2 + 1)  # padding of each of three shops
    np.testing.assert_array_equal(past_targets(frame, 5, group="shop", time="day"), want)
    levels = frame.set_index(["shop", "day"])
    np.testing.assert_array_equal(past_targets(levels, 5, group="shop"), shown(levels, 5, group="shop"))


@pytest.mark.parametrize("window", [2, 7])
def test_targets_begin_anew_after_a_hole_as_windows_do(window):
    y = pd.Series(np.arange(700.0), index=pd.date_range("2024", periods=700, freq="h"), name="y")
    y = y.drop(index=[y.index[100], y.index[101], y.index[400]])
    targets = past_targets(y, window)
    np.testing.assert_array_equal(targets, shown(y.to_frame(), window))
    assert np.isnan(targets.iloc[100, :-1]).all()
    assert targets.iloc[100, -1] == 102
    irregular = y.iloc[:120:3].iloc[[0, 1, 3, 4, 8, 9, 15]]
    np.testing.assert_array_equal(past_targets(irregular, 3), loop(irregular.to_numpy(), 3))


@pytest.mark.parametrize("horizon, window", [(1, 3), (2, 5), (3, 2)])
def test_past_of_the_future_is_sequence_to_sequence(horizon, window):
    y = np.random.default_rng(0).normal(size=11)
    targets = past_targets(future_targets(y, horizon), window)
    assert targets.shape == (11, window, horizon)
    for t in range(window - 1, 11):
        for s in range(window):
            row = t - window + 1 + s
            following = y[row + 1 : row + 1 + horizon]
            np.testing.assert_array_equal(targets[t, s, : len(following)], following)
            assert np.isnan(targets[t, s, len(following) :]).all()
    series = pd.Series(y, index=pd.date_range("2024", periods=11))
    np.testing.assert_array_equal(
        np.asarray(past_targets(future_targets(series, horizon), window)).ravel(), targets.ravel()
    )


def test_targets_are_values_of_their_own():
    y = np.arange(4.0)
    past_targets(y, 1)[:] = 9.0
    assert y.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.ones(4), 0), "`window` must be an int of at least 1, got 0."),
        ((np.ones(4), 2.0), "`window` must be an int of at least 1, got 2.0."),
        (
            (np.ones((4, 2, 3)), 2),
            "`y` must have shape (n_times,) or (n_times, n_outputs), got (4, 2, 3). Make one axis",
        ),
        ((["a", "b", "c"], 1), "`y` must hold numbers, got dtype <U1."),
        ((pd.Series(["a", "b", "c"], dtype=object), 1), "`y` must hold numbers, got dtypes ['object']."),
        ((pd.Series([1.0, 2, 3], index=[0, 2, 1]), 1), "The index of y must increase when neither"),
        ((pd.Series([1.0, 2, 3], index=[0, 1, 1]), 1), "A time label must occur once in a series of y, got 1 in rows"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        past_targets(*arguments)


def test_errors_of_group_and_time():
    with pytest.raises(ValueError, match="`group` must have one value for each of the 4 rows of y, got 3"):
        past_targets(np.ones(4), 2, group=[1, 1, 2])
    with pytest.raises(ValueError, match="A time label must occur once .* got 5 of series 'b' in rows 2 and 3"):
        past_targets(np.ones(4), 2, group=["a", "a", "b", "b"], time=[1, 2, 5, 5])
    with pytest.raises(ValueError, match="`y` must have an output besides group and time, got 1 columns"):
        past_targets(pd.DataFrame({"shop": [1, 1, 2]}), 2, group="shop")
