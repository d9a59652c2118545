"""`SlidingWindowTransformer` and `sliding_windows`: against a loop, holes, panels, memory, messages."""

import re
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skrnn._sequences import Windows
from skrnn.windows import SlidingWindowTransformer, sliding_windows

rng = np.random.default_rng(0)


def loop(rows, window):
    """Windows of one series, row by row."""
    block = np.full((len(rows), window, rows.shape[1]), np.nan)
    for t in range(len(rows)):
        seen = rows[max(0, t - window + 1) : t + 1]
        block[t, window - len(seen) :] = seen
    return block


def table(n_rows, n_channels=2, index=None, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_rows, n_channels))
    return pd.DataFrame(values, columns=list("abcdefg")[:n_channels], index=index)


def panel(sizes, seed=0):
    """A long table of series 0, 1, ... with columns shop, day, a, b, in order."""
    frame = table(sum(sizes), seed=seed)
    frame.insert(0, "shop", np.repeat(np.arange(len(sizes)), sizes))
    frame.insert(2, "day", np.concatenate([np.arange(size) for size in sizes]))
    return frame


# --------------------------------------------------------------------------------------------- scikit-learn


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("window", [1, 5])
def test_scikit_learn_checks(window, flatten):
    results = check_estimator(SlidingWindowTransformer(window, flatten=flatten), on_fail=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    # a window of several rows depends on the rows before it: on which there are, and on their order
    order = {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}
    assert failed == (order if window > 1 else set())
    assert len(results) > 40


def test_parameters_and_fitted_attributes():
    frame = panel([5, 3]).assign(shop="x")
    step = SlidingWindowTransformer(2, group="shop", time="day").fit(frame[:5])
    assert step.n_features_in_ == 4
    assert step.feature_names_in_.tolist() == ["shop", "a", "day", "b"]
    assert step.n_channels_ == 2
    assert step.transform(frame[:5]).channel_names == ("a", "b")


# -------------------------------------------------------------------------------------- arrays, one series


@pytest.mark.filterwarnings("ignore:Only .* of the 11 windows")
@pytest.mark.parametrize("window", [1, 3, 7, 11])
def test_array_gives_the_windows_of_the_loop(window):
    rows = rng.normal(size=(11, 2))
    np.testing.assert_array_equal(SlidingWindowTransformer(window).fit_transform(rows), loop(rows, window))


def test_array_gives_a_view_of_one_buffer():
    view = SlidingWindowTransformer(5).fit_transform(rng.normal(size=(20, 3)))
    assert isinstance(view, np.ndarray)
    assert view.shape == (20, 5, 3)
    assert view.strides == (24, 24, 8)
    buffer = view
    while buffer.base is not None:
        buffer = buffer.base
    assert buffer.nbytes == (20 + 4) * 3 * 8


def test_memory_is_that_of_the_rows():
    rows = rng.normal(size=(100_000, 3))
    for X, most in ((rows, 1.5), (pd.DataFrame(rows, columns=list("abc")), 2.5)):
        step = SlidingWindowTransformer(50)
        tracemalloc.start()
        windows = step.fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert windows.shape == (100_000, 50, 3)
        assert peak < most * rows.nbytes  # the dense block would be 50 times the rows


def test_memory_of_panels_in_any_order():
    frame = panel([700] * 100).sample(frac=1, random_state=0)
    tracemalloc.start()
    windows = SlidingWindowTransformer(48, group="shop", time="day").fit_transform(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = np.prod(windows.shape) * 8
    assert windows.nbytes < dense / 15
    assert peak < dense / 5


@pytest.mark.parametrize("kind", [np.asarray, lambda rows: pd.DataFrame(rows, columns=["a", "b"])])
def test_edge_padding_repeats_the_first_row(kind):
    rows = rng.normal(size=(7, 2))
    want = np.stack([rows[np.maximum(np.arange(t - 2, t + 1), 0)] for t in range(7)])
    np.testing.assert_array_equal(np.asarray(SlidingWindowTransformer(3, pad="edge").fit_transform(kind(rows))), want)


@pytest.mark.parametrize(
    "given_dtype, dtype, want",
    [
        (np.float32, None, np.float32),
        (np.float64, None, np.float64),
        (np.int64, None, np.float64),
        (bool, None, np.float64),
        (np.float64, np.float32, np.float32),
        (np.float32, "float64", np.float64),
    ],
)
def test_dtype(given_dtype, dtype, want):
    rows = rng.normal(size=(7, 2)).astype(given_dtype)
    for X in (rows, pd.DataFrame(rows, columns=["a", "b"])):
        windows = SlidingWindowTransformer(3, dtype=dtype).fit_transform(X)
        assert windows.dtype == want
        np.testing.assert_array_equal(np.asarray(windows)[2], rows[:3].astype(want))


def test_nullable_and_bool_columns():
    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2, 3], dtype="Int64"),
            "b": pd.array([1.5, 2, 3], dtype="Float64"),
            "c": [True, False, True],
        }
    )
    windows = np.asarray(SlidingWindowTransformer(2).fit_transform(frame))
    assert windows[2].tolist() == [[2.0, 2.0, 0.0], [3.0, 3.0, 1.0]]
    with pytest.raises(ValueError, match="got NaN first in row 1"):
        SlidingWindowTransformer(2).fit(frame.assign(a=pd.array([1, None, 3], dtype="Int64")))


# ------------------------------------------------------------------------------------------------- flat


def test_flat_output_is_oldest_first_with_channels_fastest():
    frame = table(5, index=pd.date_range("2024", periods=5))
    step = SlidingWindowTransformer(2, flatten=True).set_output(transform="pandas")
    flat = step.fit_transform(frame)
    assert list(flat.columns) == ["a_lag1", "b_lag1", "a_lag0", "b_lag0"]
    assert flat.index.equals(frame.index)
    assert flat.iloc[3].tolist() == [*frame.iloc[2], *frame.iloc[3]]
    assert flat.iloc[0].tolist() == [*frame.iloc[0], *frame.iloc[0]]
    assert np.isnan(SlidingWindowTransformer(2, flatten=True, pad="nan").fit_transform(frame)[0, :2]).all()


def test_flat_names_leave_out_group_and_time():
    frame = panel([5, 3])
    step = SlidingWindowTransformer(2, group="shop", time="day", flatten=True).fit(frame)
    assert step.get_feature_names_out().tolist() == ["a_lag1", "b_lag1", "a_lag0", "b_lag0"]
    step = SlidingWindowTransformer(2, group=0, flatten=True).fit(frame.to_numpy())
    assert step.get_feature_names_out().tolist()[:3] == ["x1_lag1", "x2_lag1", "x3_lag1"]
    assert step.transform(frame.to_numpy()).shape == (8, 6)


def test_set_output_is_always_there_and_acts_on_flat_output_only():
    frame = table(7)
    pipeline = make_pipeline(SlidingWindowTransformer(3)).set_output(transform="pandas")
    assert isinstance(pipeline.fit_transform(frame), Windows)
    assert not hasattr(SlidingWindowTransformer(3), "get_feature_names_out")
    assert SlidingWindowTransformer(3).set_output().fit_transform(frame.to_numpy()).ndim == 3


def test_flat_windows_feed_ridge():
    wave = np.sin(np.arange(200) / 5)[:, None]
    X, y = wave[:-1], wave[1:, 0]
    pipeline = make_pipeline(SlidingWindowTransformer(3, flatten=True), Ridge(alpha=1e-6))
    assert cross_val_score(pipeline, X, y, cv=TimeSeriesSplit(3)).min() > 0.99


# ------------------------------------------------------------------------------------------------ panels


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_panel_in_any_order_gives_the_windows_of_each_series(data):
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    window = data.draw(st.integers(1, 5))
    frame = panel(sizes)
    places = np.array(data.draw(st.permutations(range(len(frame)))))
    want = np.concatenate([loop(part[["a", "b"]].to_numpy(), window) for _, part in frame.groupby("shop")])
    step = SlidingWindowTransformer(window, group="shop", time="day", holes="ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        windows = step.fit_transform(frame.iloc[places])
    assert windows.shape == (len(frame), window, 2)  # rows in = rows out
    np.testing.assert_array_equal(np.asarray(windows), want[places])


@settings(max_examples=25, deadline=None)
@given(n_rows=st.integers(10, 20), window=st.integers(1, 5), row=st.integers(1, 9), framed=st.booleans())
def test_no_window_holds_a_later_row(n_rows, window, row, framed):
    before = table(n_rows)
    after = before.copy()
    after.iloc[row:] += 1.0
    step = SlidingWindowTransformer(window)
    first, second = (np.asarray(step.fit_transform(X if framed else X.values)) for X in (before, after))
    np.testing.assert_array_equal(first[:row], second[:row])
    assert (first[row:, -1] != second[row:, -1]).all()


GROUPS = {
    "ints": np.array([7, -1]),
    "floats": np.array([0.5, 0.25]),
    "strings": np.array(["y", "x"]),
    "dates": pd.to_datetime(["2024-01-02", "2024-01-01"]),
    "categories": pd.Categorical(["y", "x"], categories=["x", "unused", "y"]),
    "bools": np.array([True, False]),
}


@pytest.mark.parametrize("values", GROUPS.values(), ids=GROUPS)
def test_group_of_any_dtype(values):
    frame = panel([4, 3])
    frame["shop"] = pd.Series(values).take(frame["shop"]).set_axis(frame.index)
    mixed = frame.sample(frac=1, random_state=1)
    step = SlidingWindowTransformer(2, group="shop", time="day").fit(mixed)
    want = np.concatenate([loop(frame[["a", "b"]].to_numpy()[part], 2) for part in (slice(4), slice(4, 7))])
    np.testing.assert_array_equal(np.asarray(step.transform(mixed))[np.argsort(mixed.index)], want)
    later = frame.groupby("shop", observed=True, sort=False).tail(1).assign(day=[4, 3])
    history = np.asarray(step.transform(later))[:, 0]
    np.testing.assert_array_equal(history, frame[["a", "b"]].to_numpy()[[3, 6]])


def test_group_and_time_may_be_columns_levels_or_positions():
    frame = panel([5, 3])
    want = np.asarray(SlidingWindowTransformer(3, group="shop", time="day").fit_transform(frame))
    ways = {
        "positions": (0, 2, frame),
        "negative positions": (-4, -2, frame),
        "both levels": ("shop", "day", frame.set_index(["shop", "day"])),
        "the other level": ("shop", None, frame.set_index(["day", "shop"])),
        "level and column": ("shop", "day", frame.set_index("shop")),
        "column and index": ("shop", None, frame.set_index("day")),
        "an array": (0, 2, frame.to_numpy()),
    }
    for way, (group, time, X) in ways.items():
        windows = SlidingWindowTransformer(3, group=group, time=time).fit_transform(X)
        assert isinstance(windows, Windows), way
        np.testing.assert_array_equal(np.asarray(windows), want, err_msg=way)


def test_group_without_time_in_an_array_follows_the_rows():
    rows = np.column_stack([[3, 8, 3, 8, 3], np.arange(5)])
    windows = np.asarray(SlidingWindowTransformer(2, group=0).fit_transform(rows))
    np.testing.assert_array_equal(windows[:, :, 0], [[np.nan, 0], [np.nan, 1], [0, 2], [1, 3], [2, 4]])


def test_group_column_of_an_object_array():
    rows = np.array([["x", 1.0], ["y", 2.0], ["x", 3.0], ["x", 4.0]], dtype=object)
    windows = SlidingWindowTransformer(2, group=0).fit_transform(rows)
    np.testing.assert_array_equal(np.asarray(windows)[:, :, 0], [[np.nan, 1], [np.nan, 2], [1, 3], [3, 4]])


def test_time_without_group_sorts_one_series():
    frame = table(6).assign(day=[5, 0, 3, 1, 2, 4])
    windows = SlidingWindowTransformer(2, time="day").fit_transform(frame)
    np.testing.assert_array_equal(np.asarray(windows)[0], frame.sort_values("day")[["a", "b"]].to_numpy()[-2:])
    text = frame.assign(day=[f"2024-01-0{day}" for day in frame["day"]])
    np.testing.assert_array_equal(SlidingWindowTransformer(2, time="day").fit_transform(text), windows)


# ------------------------------------------------------------------------------------------------- holes


def test_windows_begin_anew_after_a_hole_in_a_regular_index():
    frame = table(300, index=pd.date_range("2024", periods=300))
    kept = frame.drop(frame.index[120:140])
    windows = SlidingWindowTransformer(5).fit_transform(kept)
    assert windows.starts[119] == 0
    assert windows.starts[120] == 120
    want = np.concatenate([loop(kept.to_numpy()[part], 5) for part in (slice(120), slice(120, None))])
    np.testing.assert_array_equal(np.asarray(windows), want)
    ignoring = SlidingWindowTransformer(5, holes="ignore").fit_transform(kept)
    np.testing.assert_array_equal(np.asarray(ignoring), loop(kept.to_numpy(), 5))


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(400) * 0.1),
        pd.period_range("2000", periods=400, freq="M"),
        pd.date_range("2024", periods=400, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024", periods=400, freq="D", tz="Europe/Berlin"),  # two days of 25 and 23 hours
        pd.timedelta_range("0s", periods=400, freq="5s"),
        pd.RangeIndex(0, 1200, 3),
    ],
    ids=["floats", "periods", "hours", "days", "durations", "every third"],
)
def test_holes_of_every_kind_of_index(index):
    frame = table(400, index=index).drop(index=index[[90, 200, 201]])
    windows = SlidingWindowTransformer(5).fit_transform(frame)
    assert np.unique(windows.starts).tolist() == [0, 90, 199]


def test_edge_padding_begins_anew_after_a_hole():
    kept = table(300, index=np.arange(300)).drop(index=[120])
    windows = SlidingWindowTransformer(3, pad="edge").fit_transform(kept)
    rows = kept.to_numpy()
    np.testing.assert_array_equal(np.asarray(windows)[120], rows[[120, 120, 120]])
    np.testing.assert_array_equal(np.asarray(windows)[121], rows[[120, 120, 121]])
    np.testing.assert_array_equal(np.asarray(windows)[0], rows[[0, 0, 0]])
    np.testing.assert_array_equal(np.asarray(windows)[50], rows[48:51])
    assert (windows.lengths == 3).all()


@pytest.mark.parametrize(
    "index",
    [
        pd.bdate_range("2024", periods=60),
        pd.date_range("2024", periods=60, freq="MS"),
        pd.Index(np.delete(np.arange(70), np.arange(0, 70, 7))),
        pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin"),
        pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin"),
        pd.Index(np.arange(60) * 0.1),
        pd.Index([f"row {k}" for k in range(60)]),
    ],
    ids=[
        "trading days",
        "months",
        "one in seven missing",
        "days and DST",
        "hours and DST",
        "floats",
        "strings",
    ],
)
def test_index_without_holes(index):
    frame = table(60, index=index)
    np.testing.assert_array_equal(np.asarray(SlidingWindowTransformer(4).fit_transform(frame)), loop(frame.values, 4))


def test_few_complete_windows_warn_with_the_commonest_cause():
    frame = panel([120, 121])
    keep = np.ones(len(frame), dtype=bool)
    keep[100::20] = False
    with pytest.warns(UserWarning, match=r"Only 40.0% of the 30 windows hold all of their 19 rows.*beginnings"):
        SlidingWindowTransformer(19).fit(table(30))
    dropped = table(1000, index=np.arange(1000)).drop(index=np.arange(99, 1000, 110))
    with pytest.warns(UserWarning, match=r"windows hold all of their 80 rows. Commonest cause: 9 holes in the index"):
        SlidingWindowTransformer(80).fit(dropped)
    SlidingWindowTransformer(80, holes="ignore").fit(dropped)


def test_window_longer_than_the_series_warns_in_fit_only():
    for X in (np.ones((3, 2)), table(3)):
        step = SlidingWindowTransformer(5)
        with pytest.warns(UserWarning, match=r"`window`=5 is longer than the series \(3 rows\), so every window"):
            step.fit(X)
        assert step.transform(X).shape == (3, 5, 2)
    with pytest.warns(UserWarning, match=r"longer than the longest of 2 series \(4 rows\)"):
        SlidingWindowTransformer(5, group="shop", time="day").fit(panel([4, 2]))


# --------------------------------------------------------------------------------------- sliding_windows


@pytest.mark.parametrize(
    "shape, window, horizon, stride, X_shape, y_shape",
    [
        ((400,), 20, 1, 1, (380, 20, 1), (380,)),
        ((400,), 20, 3, 1, (378, 20, 1), (378, 3)),
        ((50, 2), 5, 1, 3, (15, 5, 2), (15, 2)),
        ((50, 2), 5, 7, 3, (13, 5, 2), (13, 7, 2)),
        ((12, 3), 5, 7, 1, (1, 5, 3), (1, 7, 3)),
    ],
)
def test_sliding_windows(shape, window, horizon, stride, X_shape, y_shape):
    series = rng.normal(size=shape)
    X, y = sliding_windows(series, window, horizon, stride)
    assert (X.shape, y.shape) == (X_shape, y_shape)
    assert np.shares_memory(X, series)
    assert np.shares_memory(y, series)
    for i in range(len(X)):
        end = i * stride + window
        np.testing.assert_array_equal(X[i], series.reshape(len(series), -1)[end - window : end])
        want = series[end : end + horizon]
        np.testing.assert_array_equal(y[i], want[0] if horizon == 1 else want)


@pytest.mark.parametrize("horizon", [None, 0])
def test_sliding_windows_without_target(horizon):
    X = sliding_windows(pd.Series(np.arange(10.0)), 3, horizon, stride=2)
    np.testing.assert_array_equal(X[:, :, 0], [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8]])


# ---------------------------------------------------------------------------------------------- messages


def frame_with(**columns):
    return table(4).assign(**columns)


SHOPS = ["x", "x", "y", "y"]
FIT_ERRORS = [
    ({"window": 0}, table(4), "`window` must be an int of at least 1, got 0."),
    ({"window": 2.0}, table(4), "`window` must be an int of at least 1, got 2.0."),
    ({"window": True}, table(4), "`window` must be an int of at least 1, got True."),
    ({"context": "yes"}, table(4), "`context` must be one of 'auto', 'require', 'never', got 'yes'."),
    ({"holes": True}, table(4), "`holes` must be one of 'cut', 'ignore', got True."),
    ({"pad": "zero"}, table(4), "`pad` must be one of 'nan', 'edge', None, got 'zero'."),
    ({"flatten": 1}, table(4), "`flatten` must be True or False, got 1."),
    ({"dtype": int}, table(4), "`dtype` must be float32, float64 or None, got <class 'int'>."),
    ({}, table(0), "Found array with 0 sample(s)"),
    ({}, np.empty((0, 2)), "Found array with 0 sample(s)"),
    ({}, table(4)["a"], "X must be a DataFrame or of shape (n_times, n_channels), got Series"),
    ({}, frame_with(city=list("uvwx"), day=pd.Timestamp(0)), "must be numbers, got the columns 'city' ("),
    (
        {},
        frame_with(b=[1, np.nan, 2, np.inf]),
        "X must be finite, got NaN first in row 1 (index 1), column 'b'",
    ),
    (
        {},
        frame_with(a=[1, 2, 3, -np.inf]),
        "got infinity (inf) first in row 3 (index 3), column 'a': impute it",
    ),
    ({}, np.array([[1, 2], [np.nan, 4]]), "X must be finite, got NaN first in row 1, column 0: impute it"),
    ({"group": 0}, np.array([[1, 2], [1, np.nan]]), "got NaN first in row 1, column 1"),
    (
        {},
        table(3, index=[0, 2, 1]),
        "The index of X must increase when neither `group` nor `time` is given, got 1",
    ),
    (
        {},
        table(3, index=[0, 1, 1]),
        "A time label must occur once in a series of X, got 1 in rows 1 and 2: name",
    ),
    (
        {"group": "shop", "time": "day"},
        frame_with(shop=SHOPS, day=[1, 2, 7, 7]),
        "must occur once in a series of X, got 7 of series 'y' in rows 2 and 3: aggregate such rows",
    ),
    (
        {"time": "day"},
        frame_with(day=list("bcab")),
        "must occur once in a series of X, got 'b' in rows 0 and 3",
    ),
    (
        {"group": "store"},
        table(4),
        "`group` must be one of the columns of X, got 'store' and columns ['a', 'b']",
    ),
    ({"group": 5}, np.ones((4, 3)), "`group` must be one of the columns of X, got 5 and columns 0 to 2"),
    ({"time": "day"}, table(4), "`time` must be one of the columns of X, got 'day'"),
    (
        {"group": "shop"},
        frame_with(shop=["x", None, "y", "y"]),
        "got a missing value in row 1: fill it or drop",
    ),
    (
        {"group": 0},
        np.array([[np.nan, 2], [1, 3]]),
        "`group` must say of every row of X which series it belongs",
    ),
    (
        {"time": "day"},
        frame_with(day=pd.to_datetime(["2024", None, "2025", "2026"])),
        "a missing one in row 1",
    ),
    (
        {},
        table(4, index=pd.MultiIndex.from_product([[1, 2], [3, 4]], names=["shop", "day"])),
        "`time` must name the index level of X that windows follow, and `group` the one that tells series",
    ),
    ({"group": "a"}, table(4)[["a"]], "X must have a channel besides group and time, got 1 columns."),
]


@pytest.mark.parametrize("parameters, X, message", FIT_ERRORS, ids=[case[2][:60] for case in FIT_ERRORS])
def test_errors_of_fit(parameters, X, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SlidingWindowTransformer(**{"window": 2, **parameters}).fit(X)


def test_errors_of_transform():
    frame = frame_with(shop=SHOPS)
    step = SlidingWindowTransformer(2, group="shop").fit(frame)
    with pytest.raises(ValueError, match=r"columns of X, got 'shop' and columns \['a', 'b'\]"):
        step.transform(frame[["a", "b"]])
    with pytest.raises(ValueError, match="feature names should match"):
        step.transform(frame.assign(c=1.0))
    with pytest.raises(ValueError, match="X has 5 features, but SlidingWindowTransformer is expecting 3 features"):
        SlidingWindowTransformer(2).fit(np.ones((4, 3))).transform(np.ones((4, 5)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.ones(9), 0), "`window` must be an int of at least 1, got 0."),
        ((np.ones(9), 3, -1), "`horizon` must be an int of at least 0, got -1."),
        ((np.ones(9), 3, 1, 0), "`stride` must be an int of at least 1, got 0."),
        ((np.ones(9), 5, 5), "`series` must have at least window + horizon = 5 + 5 rows, got 9"),
        (
            (np.ones((2, 2, 2)), 1),
            "`series` must have shape (n_times,) or (n_times, n_channels), got (2, 2, 2).",
        ),
        ((["a", "b"], 1), "`series` must hold numbers, got dtype <U1."),
    ],
)
def test_errors_of_sliding_windows(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        sliding_windows(*arguments)
