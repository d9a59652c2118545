"""`Windows`: a lazy array that indexes, pickles and travels through scikit-learn without becoming dense."""

import pickle
import tracemalloc

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing

from skrnn._sequences import Windows


def make_windows(sizes=(5, 2, 7), n_channels=3, window=4, seed=0, dtype=np.float64):
    n_rows = sum(sizes)
    series = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    base = np.random.default_rng(seed).normal(size=(n_rows, n_channels)).astype(dtype)
    return Windows(base, np.arange(n_rows), starts, series, window)


def dense_of(windows):
    """Build the dense block row by row."""
    block = np.full(windows.shape, np.nan, dtype=windows.dtype)
    for i, (end, start) in enumerate(zip(windows.ends, windows.starts, strict=True)):
        rows = windows.base[max(start, end - windows.window + 1) : end + 1]
        block[i, windows.window - len(rows) :] = rows
    return block


@pytest.fixture
def never_dense(monkeypatch):
    def refuse(self, dtype=None, copy=None):
        raise AssertionError("Windows became dense")

    monkeypatch.setattr(Windows, "__array__", refuse)


def test_shape_dtype_lengths_and_bytes():
    windows = make_windows(dtype=np.float32)
    assert windows.shape == (14, 4, 3)
    assert windows.ndim == 3
    assert len(windows) == 14
    assert windows.dtype == np.float32
    assert windows.lengths.tolist() == [1, 2, 3, 4, 4, 1, 2, 1, 2, 3, 4, 4, 4, 4]
    assert windows.nbytes == 14 * 3 * 4 + 3 * 14 * np.intp(0).nbytes


def test_dense_block_equals_the_loop():
    for window in (1, 2, 7, 11):
        windows = make_windows(window=window)
        np.testing.assert_array_equal(np.asarray(windows), dense_of(windows))


def test_dense_block_of_more_samples_than_one_chunk():
    windows = make_windows(sizes=(3000, 6001), n_channels=1, window=2)
    np.testing.assert_array_equal(np.asarray(windows), dense_of(windows))


def test_array_takes_a_dtype_and_refuses_a_view():
    windows = make_windows(dtype=np.float32)
    assert np.asarray(windows, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        np.array(windows, copy=False)


KEYS = [
    slice(2, 9),
    slice(None, None, -1),
    [3, 0, 3],
    np.array([13, -1, -14]),
    np.arange(14) % 3 == 0,
    [True] * 7 + [False] * 7,
    [],
    Ellipsis,
    (np.array([4, 2]), Ellipsis),
    (slice(1, 5), Ellipsis),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_selecting_samples_stays_lazy_and_equals_numpy(key):
    windows = make_windows()
    selected = windows[key]
    assert isinstance(selected, Windows)
    assert selected.base is windows.base
    np.testing.assert_array_equal(np.asarray(selected), np.asarray(windows)[key])


DENSE_KEYS = [
    5,
    -1,
    np.int64(3),
    np.array(2),
    (6, Ellipsis),
    (slice(None), -1),
    (slice(2, 7), slice(None), 1),
    (4, -1, 2),
    (4, slice(None), [0, 2]),
    (Ellipsis, 0),
    ([1, 2], [3, 3], [0, 1]),
]


@pytest.mark.parametrize("key", DENSE_KEYS, ids=str)
def test_other_keys_give_what_the_dense_block_gives(key):
    windows = make_windows()
    np.testing.assert_array_equal(windows[key], np.asarray(windows)[key])
    assert isinstance(windows[key], (np.ndarray, np.floating))


@pytest.mark.parametrize("key", [None, np.zeros((2, 2), dtype=int), 1.5, ["a"], True], ids=str)
def test_keys_that_make_no_sense_are_refused(key):
    with pytest.raises(IndexError, match="Windows take an int, a slice, or a 1-D array"):
        make_windows()[key]


def test_index_out_of_range():
    with pytest.raises(IndexError):
        make_windows()[14]
    with pytest.raises(IndexError):
        make_windows()[np.ones(13, dtype=bool)]


def test_iteration_gives_dense_windows():
    windows = make_windows()
    np.testing.assert_array_equal(np.stack(list(windows)), np.asarray(windows))


def test_repr():
    windows = make_windows()
    assert repr(windows) == "Windows(n_samples=14, window=4, n_channels=3, n_series=3, dtype=float64)"
    named = Windows(np.ones((2, 1)), [0, 1], [0, 0], [0, 0], 5, ["load"])
    assert repr(named).endswith("channel_names=('load',))")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_slicing_and_pickling_commute_with_making_dense(data):
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    windows = make_windows(sizes, n_channels=2, window=data.draw(st.integers(1, 8)))
    key = data.draw(st.lists(st.integers(0, sum(sizes) - 1), max_size=9))
    selected = windows[np.array(key, dtype=int)]
    want = np.asarray(windows)[np.array(key, dtype=int)]
    np.testing.assert_array_equal(np.asarray(selected), want)
    back = pickle.loads(pickle.dumps(selected))
    np.testing.assert_array_equal(np.asarray(back), want)
    np.testing.assert_array_equal(back.lengths, selected.lengths)
    np.testing.assert_array_equal(back.series, selected.series)
    same = selected.starts[:, None] == selected.starts  # of one segment: their distance in time must survive
    np.testing.assert_array_equal(back.starts[:, None] == back.starts, same)
    distance, kept = selected.ends[:, None] - selected.ends, back.ends[:, None] - back.ends
    np.testing.assert_array_equal(kept[same], distance[same])


def test_pickle_ships_the_base_and_the_indices_only():
    windows = make_windows(sizes=(700, 300), n_channels=2, window=50)
    assert len(pickle.dumps(windows)) < windows.nbytes + 1000
    assert len(pickle.dumps(windows[400:410])) < 59 * 2 * 8 + 10 * 24 + 1000
    by_series = windows[windows.series == 1]
    assert pickle.loads(pickle.dumps(by_series)).base.shape == (300, 2)


def test_selection_costs_indices_only():
    windows = make_windows(sizes=(50_000,), n_channels=3, window=100)
    rows = np.random.default_rng(0).permutation(50_000)[:25_000]
    tracemalloc.start()
    windows[rows]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * rows.nbytes + 10_000  # the dense selection would have 60 MB


class KnowsWindows(RegressorMixin, BaseEstimator):
    """Refuses anything but Windows, in whatever process it runs."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def fit(self, X, y):
        assert isinstance(X, Windows), type(X)
        self.mean_ = np.mean(y) + self.offset
        return self

    def predict(self, X):
        assert isinstance(X, Windows), type(X)
        return np.full(len(X), self.mean_)


@pytest.mark.usefixtures("never_dense")
def test_scikit_learn_splits_never_make_it_dense(tmp_path):
    windows, y = make_windows(sizes=(20, 30)), np.arange(50.0)
    first, second = train_test_split(windows, random_state=0)
    assert (len(first), len(second)) == (37, 13)
    assert isinstance(_safe_indexing(windows, np.arange(50) < 9), Windows)
    assert isinstance(_safe_indexing(windows, slice(3, 5)), Windows)
    assert cross_val_predict(KnowsWindows(), windows, y, cv=KFold(3)).shape == (50,)
    pipeline = make_pipeline("passthrough", KnowsWindows(), memory=str(tmp_path))
    search = GridSearchCV(pipeline, {"knowswindows__offset": [0.0, 2.0]}, cv=GroupKFold(2), error_score="raise")
    search.fit(windows, y, groups=windows.series)


def test_grid_search_in_processes():
    windows, y = make_windows(sizes=(20, 30)), np.arange(50.0)
    search = GridSearchCV(KnowsWindows(), {"offset": [0.0, 2.0]}, cv=3, n_jobs=2, error_score="raise")
    assert search.fit(windows, y).predict(windows).shape == (50,)


@pytest.mark.usefixtures("never_dense")
def test_joblib_hash_tells_windows_apart():
    windows = make_windows()
    assert joblib.hash(windows) == joblib.hash(make_windows())
    assert joblib.hash(windows) != joblib.hash(windows[::-1])
    assert joblib.hash(windows) != joblib.hash(make_windows(seed=1))
    assert joblib.hash(windows) != joblib.hash(make_windows(window=5))


@pytest.mark.parametrize(
    "changed, error, message",
    [
        (
            {"base": np.ones(4)},
            ValueError,
            r"`base` must have shape \(n_rows, n_channels\), got shape \(4,\)",
        ),
        ({"base": np.ones((4, 2), dtype=int)}, TypeError, "`base` must have a float dtype, got int64"),
        ({"window": 0}, ValueError, "`window` must be an int of at least 1, got 0"),
        ({"window": 2.0}, ValueError, "`window` must be an int of at least 1, got 2.0"),
        ({"starts": [0]}, ValueError, r"`starts` must have shape \(3,\), as `ends`, got shape \(1,\)"),
        ({"series": [[0, 0, 0]]}, ValueError, r"`series` must have shape \(3,\)"),
        (
            {"ends": [0, 1, 4]},
            ValueError,
            "0 <= `starts` <= `ends` < 4 .* got starts from 0 and ends from 0 to 4",
        ),
        ({"starts": [0, 2, 0]}, ValueError, "0 <= `starts` <= `ends` < 4"),
        ({"starts": [-1, 0, 0]}, ValueError, "got starts from -1"),
        ({"channel_names": ["a"]}, ValueError, "`channel_names` must hold 2 names, .* got 1"),
    ],
)
def test_errors(changed, error, message):
    good = {"base": np.ones((4, 2)), "ends": [0, 1, 2], "starts": [0, 0, 0], "series": [0, 0, 0], "window": 2}
    with pytest.raises(error, match=message):
        Windows(**{**good, **changed})
