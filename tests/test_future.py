"""`future_targets` and `future_inputs`: the rows that come after, inside each series."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn.windows import SlidingWindowTransformer, future_inputs, future_targets


def loop(values, horizon):
    """The next values of one series, row by row."""
    targets = np.full((len(values), horizon, *values.shape[1:]), np.nan)
    for t in range(len(values)):
        following = values[t + 1 : t + 1 + horizon]
        targets[t, : len(following)] = following
    return targets


# ------------------------------------------------------------------------------------------------ targets


@pytest.mark.parametrize("shape", [(11,), (11, 1), (11, 3)])
@pytest.mark.parametrize("horizon", [1, 2, 10])
def test_targets_of_an_array(shape, horizon):
    y = np.random.default_rng(0).normal(size=shape)
    targets = future_targets(y, horizon)
    assert targets.shape == (11, horizon, *shape[1:])
    np.testing.assert_array_equal(targets, loop(y, horizon))


def test_targets_of_a_series_keep_the_index():
    y = pd.Series(np.arange(7.0), index=pd.date_range("2024", periods=7, freq="MS"), name="load")
    targets = future_targets(y, 2)
    assert targets.index.equals(y.index)
    assert list(targets.columns) == ["load+1", "load+2"]
    np.testing.assert_array_equal(targets, loop(y.to_numpy(), 2))
    assert list(future_targets(y.rename(None), 2).columns) == ["+1", "+2"]


def test_targets_of_a_frame():
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(7, 3)), columns=list("abc"))
    np.testing.assert_array_equal(future_targets(y, 2), loop(y.to_numpy(), 2))
    one = future_targets(y[["b"]], 2)
    assert list(one.columns) == ["b+1", "b+2"]
    np.testing.assert_array_equal(one, loop(y["b"].to_numpy(), 2))


@pytest.mark.parametrize(
    "dtype, want",
    [(np.float32, np.float32), (np.int64, np.float64), ("Int64", np.float64), (bool, np.float64)],
)
def test_targets_are_floats(dtype, want):
    y = pd.Series([1, 0, 1, 1], dtype=dtype)
    assert (future_targets(y, 2).dtypes == want).all()
    np.testing.assert_array_equal(future_targets(y, 2), loop(np.array([1.0, 0, 1, 1]), 2))


def test_unknown_values_of_y_stay_unknown():
    np.testing.assert_array_equal(future_targets([1.0, np.nan, 3.0], 1)[:, 0], [np.nan, 3.0, np.nan])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_targets_of_a_panel_in_any_order(data):
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4).filter(lambda sizes: max(sizes) > 1))
    horizon = data.draw(st.integers(1, max(sizes) - 1))
    shop, day = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(size) for size in sizes])
    y = np.random.default_rng(0).normal(size=len(day))
    want = np.concatenate([loop(y[shop == k], horizon) for k in range(len(sizes))])
    places = np.array(data.draw(st.permutations(range(len(day)))))
    shop, day, y, want = shop[places], day[places], y[places], want[places]
    names = np.array(["north", "south", "east", "west"])[shop]
    np.testing.assert_array_equal(future_targets(y, horizon, group=names, time=day), want)
    frame = pd.DataFrame({"shop": names, "day": day, "y": y})
    np.testing.assert_array_equal(future_targets(frame, horizon, group="shop", time="day"), want)
    levels = frame.set_index(["shop", "day"])["y"]
    targets = future_targets(levels, horizon, group="shop", time="day")
    np.testing.assert_array_equal(targets, want)
    assert targets.index.equals(levels.index)
    np.testing.assert_array_equal(future_targets(levels, horizon, group="shop"), want)


def test_targets_do_not_cross_a_hole_as_windows_do_not():
    y = pd.Series(np.arange(300.0)).drop(index=[100])
    targets = future_targets(y, 1)["+1"]
    assert np.isnan(targets[99])
    assert targets[98] == 99
    assert targets[101] == 102
    windows = SlidingWindowTransformer(2).fit_transform(y.to_frame("y"))
    assert windows.starts[100] == 100


def test_targets_belong_to_the_windows_of_the_same_rows():
    frame = pd.DataFrame({"shop": [2, 1, 2, 1, 2], "day": [1, 0, 2, 1, 0], "y": [21.0, 10, 22, 11, 20]})
    windows = SlidingWindowTransformer(2, group="shop", time="day").fit_transform(frame)
    targets = future_targets(frame, 1, group="shop", time="day")["y+1"]
    assert np.asarray(windows)[:, -1, 0].tolist() == [21, 10, 22, 11, 20]
    np.testing.assert_array_equal(targets, [22, 11, np.nan, np.nan, 21])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.ones(4), 0), "`horizon` must be an int of at least 1, got 0."),
        ((np.ones(4), 1.0), "`horizon` must be an int of at least 1, got 1.0."),
        (
            (np.ones(4), 4),
            "`horizon` must be less than the rows of the longest series of y, got 4 and 4 rows",
        ),
        ((np.ones((4, 2, 2)), 1), "`y` must have shape (n_times,) or (n_times, n_outputs), got (4, 2, 2)."),
        ((["a", "b", "c"], 1), "`y` must hold numbers, got dtype <U1."),
        ((pd.Series(["a", "b", "c"], dtype=object), 1), "`y` must hold numbers, got dtypes ['object']."),
        ((pd.Series([1.0, 2, 3], index=[0, 2, 1]), 1), "The index of y must increase when neither"),
        (
            (pd.Series([1.0, 2, 3], index=[0, 1, 1]), 1),
            "A time label must occur once in a series of y, got 1 in rows",
        ),
    ],
)
def test_errors_of_targets(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        future_targets(*arguments)


def test_errors_of_group_and_time():
    with pytest.raises(ValueError, match="`group` must have one value for each of the 4 rows of y, got 3"):
        future_targets(np.ones(4), 1, group=[1, 1, 2])
    with pytest.raises(ValueError, match="longest series of y, got 2 and 2 rows"):
        future_targets(np.ones(4), 2, group=[1, 1, 2, 2])
    with pytest.raises(ValueError, match="`time` must be one of the columns of y, got 'day'"):
        future_targets(pd.Series(np.ones(4)), 1, time="day")
    with pytest.raises(ValueError, match="A time label must occur once .* got 5 of series 'b' in rows 2 and 3"):
        future_targets(np.ones(4), 1, group=["a", "a", "b", "b"], time=[1, 2, 5, 5])


# ------------------------------------------------------------------------------------------------- inputs


def calendar(n_rows, seed=0, **index):
    values = np.random.default_rng(seed).normal(size=(n_rows, 3))
    return pd.DataFrame(values, columns=["sales", "price", "promo"], index=index.get("index"))


@pytest.mark.parametrize("horizon", [1, 3, 7, 12])
@pytest.mark.parametrize("index", [pd.RangeIndex(24), pd.date_range("2024", periods=24, freq="MS")])
def test_inputs_come_from_horizon_rows_later(horizon, index):
    every = calendar(24, index=index)
    X = every[:-horizon]
    shifted = future_inputs(X, ["promo", "price"], horizon, future=every[-horizon:])
    assert list(shifted.columns) == list(X.columns)
    assert shifted.index.equals(X.index)
    pd.testing.assert_series_equal(shifted["sales"], X["sales"])
    np.testing.assert_array_equal(shifted[["price", "promo"]], every[["price", "promo"]][horizon:])
    np.testing.assert_array_equal(X, calendar(24)[:-horizon])  # X is as it was


def test_horizon_longer_than_the_series():
    every = calendar(12)
    shifted = future_inputs(every[:3], "price", 7, future=every[3:])
    np.testing.assert_array_equal(shifted["price"], every["price"][7:10])


def test_rows_of_future_that_lie_in_x_are_passed_over_and_others_may_follow():
    every = calendar(20)
    shifted = future_inputs(every[:10], "price", 2, future=every)
    np.testing.assert_array_equal(shifted["price"], every["price"][2:12])


def test_inputs_of_arrays():
    every = calendar(12).to_numpy()
    want = every[:9].copy()
    want[:, [2, 1]] = every[3:][:, [2, 1]]
    np.testing.assert_array_equal(future_inputs(every[:9], [2, 1], 3, future=every[9:]), want)
    np.testing.assert_array_equal(future_inputs(every[:9], [-1, 1], 3, future=every[9:, [2, 1]]), want)
    one = future_inputs(every[:9], 2, 3, future=every[9:, 2])
    np.testing.assert_array_equal(one[:, 2], every[3:, 2])
    np.testing.assert_array_equal(one[:, :2], every[:9, :2])


def test_inputs_keep_their_dtypes():
    X = calendar(6).assign(holiday=[True, False] * 3, kind=list("uvuvuv"), count=range(6))
    shifted = future_inputs(X[:4], ["holiday", "kind", "count"], 2, future=X[4:])
    assert shifted.dtypes.equals(X.dtypes)
    assert shifted["kind"].tolist() == list("uvuv")
    assert shifted["count"].tolist() == [2, 3, 4, 5]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_inputs_of_a_panel_in_any_order(data):
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    horizon = data.draw(st.integers(1, 4))
    parts = [
        calendar(size + horizon, seed=k).assign(shop="xyz"[k], day=np.arange(size + horizon))
        for k, size in enumerate(sizes)
    ]
    X = pd.concat([part[:size] for part, size in zip(parts, sizes, strict=True)], ignore_index=True)
    future = pd.concat([part[size:] for part, size in zip(parts, sizes, strict=True)], ignore_index=True)
    want = np.concatenate([part["price"].to_numpy()[horizon:] for part in parts])
    X, want = X.assign(want=want).sample(frac=1, random_state=data.draw(st.integers(0, 99))), want
    future = future.sample(frac=1, random_state=data.draw(st.integers(0, 99)))
    shifted = future_inputs(X, "price", horizon, future=future, group="shop", time="day")
    np.testing.assert_array_equal(shifted["price"], X["want"])
    assert shifted.index.equals(X.index)
    levels = ["shop", "day"]
    shifted = future_inputs(X.set_index(levels), ["price"], horizon, future=future.set_index(levels), group="shop")
    np.testing.assert_array_equal(shifted["price"], X["want"])


def test_last_steps_of_a_window_hold_the_values_to_come():
    every = pd.DataFrame({"y": np.arange(20.0), "price": np.arange(20.0)})
    X = future_inputs(every[:17], "price", 3, future=every[17:])
    window = np.asarray(SlidingWindowTransformer(5).fit_transform(X))[9]
    assert window[:, 0].tolist() == [5, 6, 7, 8, 9]
    assert window[-3:, 1].tolist() == [10, 11, 12]


DAYS = pd.date_range("2024", periods=12)


@pytest.mark.parametrize(
    "X, columns, options, message",
    [
        (
            calendar(9),
            "price",
            {},
            "`future` must hold the 3 rows that follow X, got None. To keep them",
        ),
        (
            calendar(9),
            "cost",
            {"future": calendar(9)},
            "must name columns of X, got 'cost': it has ['sales'",
        ),
        (
            np.ones((9, 2)),
            5,
            {"future": np.ones((3, 2))},
            "`columns` must name columns of X, got 5: it has [0, 1]",
        ),
        (
            calendar(12)[:9],
            "price",
            {"future": calendar(12)[10:]},
            "`horizon`=3 rows after the end (at 8) of every series of X, got 2 for the",
        ),
        (
            calendar(9),
            "price",
            {"future": calendar(9)},
            "rows after the end (at 8) of every series of X, got 0",
        ),
        (np.ones((9, 2)), 0, {"future": np.ones((2, 2))}, "rows after the end of every series of X, got 2"),
        (
            calendar(20)[:9],
            "price",
            {"future": calendar(20)[11:]},
            "`future` must continue X row by row, got 11 after 8 (the series), more than one step (1)",
        ),
        (
            calendar(12, index=DAYS)[:9],
            "price",
            {"future": calendar(3)},
            "The labels of `future` must be dates, as those of X, got numbers: give its rows the labels",
        ),
        (
            calendar(12)[:9],
            "price",
            {"future": calendar(12)[9:].assign(price=[1.0, np.nan, 2.0])},
            "`future` must have a value wherever X is continued, got a missing one in row 1, column 'price'",
        ),
        (
            calendar(12)[:9],
            "price",
            {"future": calendar(12)[9:][["promo"]]},
            "must have the columns ['price'], got no",
        ),
        (
            np.ones((9, 5)),
            0,
            {"future": np.ones((3, 2))},
            "must have the 5 columns of X or the 1 of `columns`, got 2",
        ),
        (np.ones(9), 0, {"future": np.ones(3)}, "X must have shape (n_times, n_columns), got (9,)."),
        (
            calendar(4).assign(shop=list("xxyy")),
            "shop",
            {"future": calendar(4).assign(shop=list("xxyy")), "group": "shop"},
            "`columns` must not name the column of the group or the time, got 'shop'.",
        ),
    ],
)
def test_errors_of_inputs(X, columns, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        future_inputs(X, columns, 3, **options)


def test_errors_of_inputs_of_panels():
    X = calendar(6).assign(shop=list("xxxyyy"), day=[0, 1, 2] * 2)
    future = calendar(3).assign(shop=list("xxy"), day=[3, 4, 3])
    with pytest.raises(ValueError, match=r"`horizon`=2 rows after the end \(at 2\) .* got 1 for series 'y'"):
        future_inputs(X, "price", 2, future=future, group="shop", time="day")
    with pytest.raises(ValueError, match="got 0 for series 'y'"):
        future_inputs(X, "price", 1, future=future[:2], group="shop", time="day")
    with pytest.raises(ValueError, match="`horizon` must be an int of at least 1, got 0"):
        future_inputs(X, "price", 0, future=future, group="shop", time="day")
    with pytest.raises(ValueError, match="`group` must be one of the columns of `future`, got 'shop'"):
        future_inputs(X, "price", 1, future=future[["price", "day"]], group="shop", time="day")
