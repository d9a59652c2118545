"""`WindowedTimeSeriesSplit`: against scikit-learn's splitter, panels by time, what is left out, messages."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, check_cv, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn._sequences import Windows
from skrnn.model_selection import WindowedTimeSeriesSplit
from skrnn.windows import SlidingWindowTransformer, future_targets


def lists(folds):
    return [(train.tolist(), test.tolist()) for train, test in folds]


def panel(days_of, seed=None):
    """A long table with columns shop, day, sales; its rows in random order when there is a seed."""
    frame = pd.concat(
        [pd.DataFrame({"shop": shop, "day": days, "sales": 1.0}) for shop, days in days_of.items()], ignore_index=True
    )
    return frame if seed is None else frame.sample(frac=1, random_state=seed, ignore_index=True)


@st.composite
def panels(draw):
    """Series of different sampling, in random order."""
    n_shops = draw(st.integers(1, 4))
    days_of = {}
    for shop in range(n_shops):
        first, step, n_rows = draw(st.integers(0, 9)), draw(st.integers(1, 4)), draw(st.integers(1, 25))
        days_of[f"shop {shop}"] = first + step * np.arange(n_rows)
    return panel(days_of, seed=draw(st.integers(0, 99)))


# ------------------------------------------------------------------------------------------- one series


@settings(deadline=None)
@given(
    st.integers(2, 40),
    st.integers(2, 6),
    st.integers(1, 5),
    st.none() | st.integers(1, 6),
    st.none() | st.integers(1, 9),
)
def test_one_series_is_split_as_scikit_learn_does(n_rows, n_splits, horizon, test_size, max_train_size):
    sizes = {"test_size": test_size, "max_train_size": max_train_size}
    theirs = TimeSeriesSplit(n_splits, gap=horizon - 1, **sizes)
    X = np.zeros((n_rows, 3))
    try:
        expected = lists(theirs.split(X))
    except ValueError:
        expected = None
    for ours in (
        WindowedTimeSeriesSplit(n_splits, horizon=horizon, **sizes),
        WindowedTimeSeriesSplit(n_splits, gap=horizon - 1, **sizes),
        WindowedTimeSeriesSplit(n_splits, gap=horizon - 1, horizon=17, **sizes),
    ):
        if expected is None:
            with pytest.raises(ValueError, match="different times"):
                ours.split(X)
        else:
            assert lists(ours.split(X)) == expected
            assert len(expected) == ours.get_n_splits(X)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((13, 2)),
        np.zeros((13, 5, 2)),
        [[0.0]] * 13,
        [np.zeros((k + 1, 3)) for k in range(13)],
        pd.DataFrame({"a": range(13)}, index=pd.date_range("2024", periods=13)),
        pd.DataFrame({"a": range(13)}, index=pd.period_range("2024", periods=13, freq="M")),
        pd.DataFrame({"a": range(13)}, index=list("zyxwvutsrqpon")),
        pd.DataFrame({"a": range(13)}, index=np.arange(13) ** 2 / 2),
        pd.Series(range(13)),
    ],
    ids=["table", "windows", "list", "ragged", "dates", "periods", "names", "floats", "series"],
)
def test_everything_of_13_rows_is_split_alike(X):
    splitter = WindowedTimeSeriesSplit(3, horizon=3)
    assert lists(splitter.split(X)) == lists(TimeSeriesSplit(3, gap=2).split(np.zeros(13)))


def test_rows_in_any_order_with_time():
    X = pd.DataFrame({"day": [5, 3, 4, 1, 2, 0], "a": 0.0})
    folds = [([4, 5, 3], [1]), ([1, 3, 4, 5], [2]), ([1, 2, 3, 4, 5], [0])]
    expected = [(sorted(train), test) for train, test in folds]
    for time, table in [("day", X), (0, X.to_numpy()), ("day", X.set_index("day")), (X["day"].to_list(), X[["a"]])]:
        assert lists(WindowedTimeSeriesSplit(3, time=time, test_size=1).split(table)) == expected


def test_positions_are_ints_and_ascend():
    X = panel({"a": range(9), "b": range(3, 12)}, seed=1)
    for train, test in WindowedTimeSeriesSplit(2, group="shop", time="day").split(X, X["sales"]):
        for rows in (train, test):
            assert rows.dtype == np.intp
            assert (np.diff(rows) > 0).all()


# ---------------------------------------------------------------------------------------------- panels


@settings(deadline=None)
@given(panels(), st.integers(2, 4), st.integers(1, 5), st.none() | st.integers(1, 7), st.booleans())
def test_of_a_panel_every_training_target_is_known_at_the_first_test_time(
    table, n_splits, horizon, max_train_size, explicit
):
    gap = horizon - 1 if explicit else None
    splitter = WindowedTimeSeriesSplit(
        n_splits, horizon=horizon, gap=gap, group="shop", time="day", max_train_size=max_train_size
    )
    times = np.sort(table["day"].unique())
    try:
        folds = list(splitter.split(table))
    except ValueError as error:
        assert re.search("at least|must have training rows", str(error))  # noqa: PT017
        return
    day = table["day"].to_numpy()
    tested = []
    for train, test in folds:
        first = day[test].min()
        block = times[(times >= first) & (times <= day[test].max())]
        assert set(np.flatnonzero(np.isin(day, block))) == set(test)  # whole times
        assert len(block) == len(times) // (n_splits + 1)
        before = times[times < first]
        before = before[: len(before) - (horizon - 1)][-(max_train_size or 99) :]
        allowed = np.isin(day, before)
        if gap is None:
            for shop in table["shop"].unique():
                rows = np.flatnonzero(table["shop"] == shop)
                rows = rows[np.argsort(day[rows])]
                for row, target in zip(rows[:-horizon], rows[horizon:], strict=True):
                    allowed[row] &= day[target] <= first
        assert set(np.flatnonzero(allowed)) == set(train)  # nothing else is left out
        tested.append(block)
    tested = np.concatenate(tested)
    np.testing.assert_array_equal(tested, times[-len(tested) :])  # each once, in order, to the end


def test_a_sparse_series_loses_as_many_of_its_own_rows():
    table = panel({"daily": np.arange(30), "weekly": np.arange(0, 30, 7)})
    (train, test), *_ = WindowedTimeSeriesSplit(2, horizon=2, group="shop", time="day", test_size=5).split(table)
    assert sorted(table["day"][test].unique()) == list(range(20, 25))
    last = table.iloc[train].groupby("shop")["day"].max()
    assert last["daily"] == 18  # its target is at 20
    assert last["weekly"] == 0  # the next of 7 but one is at 21
    (train, _), *_ = WindowedTimeSeriesSplit(2, gap=1, group="shop", time="day", test_size=5).split(table)
    assert table.iloc[train].groupby("shop")["day"].max().to_dict() == {"daily": 18, "weekly": 14}


def test_a_series_that_ended_keeps_its_rows():
    table = panel({"open": np.arange(30), "closed": np.arange(11)})
    (train, _), *_ = WindowedTimeSeriesSplit(2, horizon=4, group="shop", time="day", test_size=5).split(table)
    assert table.iloc[train].groupby("shop")["day"].max().to_dict() == {"open": 16, "closed": 10}


def test_group_may_be_a_column_a_level_or_an_array():
    table = panel({"a": range(7), "b": range(2, 9)}, seed=0)
    expected = lists(WindowedTimeSeriesSplit(3, group="shop", time="day").split(table))
    arrays = WindowedTimeSeriesSplit(3, group=table["shop"].to_numpy(), time=table["day"].to_numpy())
    for X in (table[["sales"]], table[["sales"]].to_numpy(), np.zeros((14, 4, 2)), [[0.0]] * 14):
        assert lists(arrays.split(X)) == expected
    levels = table.set_index(["shop", "day"])
    assert lists(WindowedTimeSeriesSplit(3, group="shop").split(levels)) == expected
    assert lists(WindowedTimeSeriesSplit(3, group=0, time=1).split(table.to_numpy())) == expected


def test_the_index_is_the_time_of_a_panel():
    table = panel({"a": range(7), "b": range(2, 9)}, seed=0)
    expected = lists(WindowedTimeSeriesSplit(3, group="shop", time="day").split(table))
    table.index = pd.Timestamp("2024-03-30", tz="Europe/Berlin") + pd.to_timedelta(table.pop("day"), unit="D")
    assert lists(WindowedTimeSeriesSplit(3, group="shop").split(table)) == expected


# --------------------------------------------------------------------------------------------- windows


def test_windows_of_one_series():
    days = [4, 0, 3, 1, 2, 6, 5]
    table = pd.DataFrame({"day": days, "a": 1.0})
    windows = SlidingWindowTransformer(3, time="day").fit_transform(table)
    assert isinstance(windows, Windows)
    splitter = WindowedTimeSeriesSplit(2, horizon=2)
    expected = lists(WindowedTimeSeriesSplit(2, horizon=2, time="day").split(table))
    assert lists(splitter.split(windows)) == expected
    assert lists(splitter.split(windows[2:])) == lists(
        WindowedTimeSeriesSplit(2, horizon=2, time="day").split(table[2:])
    )


def test_windows_of_many_series_need_arrays():
    table = panel({"a": range(7), "b": range(2, 9)}, seed=0)
    windows = SlidingWindowTransformer(2, group="shop", time="day").fit_transform(table)
    with pytest.raises(ValueError, match="X must be windows of one series, got Windows of 2.*split the table"):
        WindowedTimeSeriesSplit(2).split(windows)
    with pytest.raises(ValueError, match=r"`group` may name a column.*got 'shop' and X of type Windows"):
        WindowedTimeSeriesSplit(2, group="shop", time="day").split(windows)
    arrays = WindowedTimeSeriesSplit(2, group=table["shop"], time=table["day"])
    assert lists(arrays.split(windows)) == lists(WindowedTimeSeriesSplit(2, group="shop", time="day").split(table))


# --------------------------------------------------------------------------------------- with scikit-learn


def test_in_cross_validation_and_search():
    walk = np.random.default_rng(0).normal(size=(90, 1)).cumsum(axis=0)
    X, y = walk[:-3], future_targets(walk[:, 0], 3)[:-3]
    pipe = make_pipeline(SlidingWindowTransformer(5, flatten=True), Ridge())
    splitter = WindowedTimeSeriesSplit(3, horizon=3)
    scores = cross_val_score(pipe, X, y, cv=splitter)
    np.testing.assert_array_equal(scores, cross_val_score(pipe, X, y, cv=TimeSeriesSplit(3, gap=2)))
    search = GridSearchCV(pipe, {"ridge__alpha": [0.1, 10.0]}, cv=splitter).fit(X, y)
    assert search.n_splits_ == 3
    assert check_cv(splitter) is splitter


def test_no_gap_keeps_the_windows_that_a_gap_would_cut():
    X = pd.DataFrame({"a": np.arange(60.0)}, index=pd.date_range("2024", periods=60))
    for gap, n_known in [(0, 5), (4, 1)]:
        train, test = next(WindowedTimeSeriesSplit(2, horizon=5, gap=gap).split(X))
        step = SlidingWindowTransformer(5).fit(X.iloc[train])
        if gap:
            with pytest.warns(UserWarning, match="get no history"):
                windows = step.transform(X.iloc[test])
        else:
            windows = step.transform(X.iloc[test])
        assert windows.lengths[0] == n_known


def test_repr_and_routing():
    splitter = WindowedTimeSeriesSplit(4, horizon=7, group="shop")
    assert repr(splitter) == (
        "WindowedTimeSeriesSplit(gap=None, group='shop', horizon=7,\n"
        "            max_train_size=None, n_splits=4, test_size=None, time=None)"
    )
    assert str(splitter.get_metadata_routing()) == str(TimeSeriesSplit().get_metadata_routing())
    assert splitter.get_n_splits() == 4


def test_groups_are_ignored_with_a_warning():
    with pytest.warns(UserWarning, match=r"groups parameter is ignored.*group="):
        folds = WindowedTimeSeriesSplit(2).split(np.zeros((7, 2)), groups=np.zeros(7))
    assert len(list(folds)) == 2


# -------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_splits": 1}, "`n_splits` must be an int of at least 2, got 1."),
        ({"n_splits": 2.5}, "`n_splits` must be an int of at least 2, got 2.5."),
        ({"horizon": 0}, "`horizon` must be an int of at least 1, got 0."),
        ({"gap": -1}, "`gap` must be an int of at least 0, got -1."),
        ({"test_size": 0}, "`test_size` must be an int of at least 1, got 0."),
        ({"max_train_size": 0}, "`max_train_size` must be an int of at least 1, got 0."),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        WindowedTimeSeriesSplit(**parameters)


@pytest.mark.parametrize(
    "parameters, days, message",
    [
        (
            {},
            range(5),
            "at least 6 rows of different times, for n_splits=5 test blocks of 1, 0 left out and 1 to train on, got 5",
        ),
        (
            {"horizon": 4},
            range(8),
            "at least 9 rows of different times, for n_splits=5 test blocks of 1, 3 left out.*got 8",
        ),
        (
            {"n_splits": 2, "gap": 9, "test_size": 4},
            range(17),
            "at least 18 .*n_splits=2 test blocks of 4, 9 left.* 17",
        ),
        ({}, [], "X must have rows to split, got none"),
        ({"n_splits": 2}, [0, 1, 2, 2, 3], "label must occur once in a series of X, got 2 in rows 2 and 3"),
        ({"n_splits": 2}, [0, 1, 3, 2, 4], "index of X must increase"),
    ],
)
def test_rows_that_cannot_be_split(parameters, days, message):
    X = pd.DataFrame({"a": 0.0}, index=pd.Index(list(days), dtype=int))
    with pytest.raises(ValueError, match=message):
        WindowedTimeSeriesSplit(**parameters).split(X)


def test_times_count_not_rows():
    table = panel({"a": range(5), "b": range(5), "c": range(5)})
    with pytest.raises(ValueError, match=r"at least 6 rows of different times.*got 5"):
        WindowedTimeSeriesSplit(5, group="shop", time="day").split(table)


def test_a_panel_needs_times():
    table = panel({"a": range(5), "b": range(5)})
    with pytest.raises(ValueError, match=r"`time` must say when each row is.*got time=None"):
        WindowedTimeSeriesSplit(2, group=0).split(table.to_numpy())
    names = table.set_index(pd.Index(list("qwertzuiop")))
    with pytest.raises(ValueError, match="`time` must say when each row is"):
        WindowedTimeSeriesSplit(2, group="shop").split(names)
    with pytest.raises(ValueError, match=r"label must occur once.*1 of series 'a'"):
        WindowedTimeSeriesSplit(2, group="shop", time="day").split(table.replace({"day": {2: 1}}))


def test_training_sets_that_sparse_series_leave_empty():
    table = panel({"even": np.arange(0, 40, 2), "odd": np.arange(1, 40, 2)})
    with pytest.raises(ValueError, match=r"must have training rows, got none whose target 6 rows ahead.* before 10,"):
        WindowedTimeSeriesSplit(3, horizon=6, group="shop", time="day").split(table)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        WindowedTimeSeriesSplit(2).split(np.zeros((7, 2)), np.zeros(6))
    with pytest.raises(ValueError, match=r"`group` must have one value for each of the 7 rows of X, got 6"):
        WindowedTimeSeriesSplit(2, group=np.zeros(6), time=np.arange(7)).split(np.zeros((7, 2)))
