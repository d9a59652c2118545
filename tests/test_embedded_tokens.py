"""`EmbeddedTokens`: ids and tables that index, pickle and travel through scikit-learn without becoming dense."""

import pickle
import tracemalloc

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, train_test_split
from sklearn.utils import _safe_indexing

from skrnn import EmbeddedTokens
from skrnn._embedded_tokens import scaled_sum_of_buckets


def make_tokens(lengths=(5, 1, 7, 2, 3), seed=0, dims=(3, 2), n_vocab=11, n_unseen=4, **more):
    """Documents with two fields, n-gram buckets and words past the vocabulary."""
    rng = np.random.default_rng(seed)
    n_ids = n_vocab + n_unseen
    ids = [rng.integers(1, n_ids if field == 0 else n_vocab, sum(lengths)) for field in range(len(dims))]
    sizes = rng.integers(0, 4, n_ids)
    sizes[:2] = 0
    sizes[n_vocab:] = rng.integers(1, 4, n_unseen)
    tables = [rng.normal(size=(n_vocab, dim)) for dim in dims]
    for table in tables:
        table[0] = 0
    return EmbeddedTokens(
        np.stack(ids, axis=1),
        np.cumsum(lengths) - lengths,
        lengths,
        tables,
        bucket_table=rng.normal(size=(6, dims[0])),
        bucket_starts=np.concatenate([[0], np.cumsum(sizes)]),
        buckets=rng.integers(0, 6, sizes.sum()),
        unseen=[f"new{i}" for i in range(n_unseen)],
        empty=np.arange(len(lengths)) == 1,
        truncated=np.arange(len(lengths)) == 2,
        **more,
    )


def dense_of(tokens):
    """Build the dense block token by token."""
    block = np.full(tokens.shape, np.nan)
    for i, (first, length) in enumerate(zip(tokens.firsts, tokens.lengths, strict=True)):
        for step in range(length):
            ids = tokens.flat_ids[first + step]
            vectors = [t[k] if k < len(t) else np.zeros(t.shape[1]) for t, k in zip(tokens.tables, ids, strict=True)]
            rows = tokens.buckets[tokens.bucket_starts[ids[0]] : tokens.bucket_starts[ids[0] + 1]]
            if len(rows):
                vectors[0] = vectors[0] + tokens.bucket_table[rows].sum(axis=0) / np.sqrt(len(rows))
            block[i, step] = np.concatenate(vectors)
    return block


@pytest.fixture
def never_dense(monkeypatch):
    def refuse(self, dtype=None, copy=None):
        raise AssertionError("EmbeddedTokens became dense")

    monkeypatch.setattr(EmbeddedTokens, "__array__", refuse)


def test_shape_dtype_and_repr():
    tokens = make_tokens()
    assert tokens.shape == (5, 7, 5)
    assert (tokens.ndim, len(tokens), tokens.n_fields, tokens.dtype) == (3, 5, 2, np.float32)
    assert repr(tokens) == "EmbeddedTokens(n_samples=5, n_steps=7, dim=5, n_vocab=[11, 11], n_buckets=6)"
    one = EmbeddedTokens([[1], [2]], [0], [2], [np.zeros((3, 2))])
    assert repr(one) == "EmbeddedTokens(n_samples=1, n_steps=2, dim=2, n_vocab=3)"
    held = 18 * 2 * 4 + 5 * (8 + 8 + 1 + 1) + 11 * 5 * 4 + 6 * 3 * 4 + 16 * 8 + len(tokens.buckets) * 4
    assert tokens.nbytes == held


def test_dense_block_equals_the_loop():
    tokens = make_tokens()
    np.testing.assert_allclose(np.asarray(tokens), dense_of(tokens), rtol=1e-6, atol=1e-6)
    assert np.isnan(np.asarray(tokens)[0, 5:]).all()
    assert not np.isnan(np.asarray(tokens)[0, :5]).any()


def test_dense_block_of_more_documents_and_words_than_one_chunk():
    lengths = np.tile([1, 3, 2], 1500)
    tokens = make_tokens(lengths, dims=(2,), n_vocab=4000, n_unseen=1000)
    np.testing.assert_allclose(np.asarray(tokens), dense_of(tokens), rtol=1e-6, atol=1e-6)


def test_array_takes_a_dtype_and_refuses_a_view():
    tokens = make_tokens()
    assert np.asarray(tokens).dtype == np.float32
    assert np.asarray(tokens, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.asarray(tokens, dtype=np.float64), np.asarray(tokens))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(tokens, copy=False)


def test_ids_are_padded_with_0():
    tokens = make_tokens()
    assert tokens.ids.shape == (5, 7, 2)
    np.testing.assert_array_equal(tokens.ids[0, :5], tokens.flat_ids[:5])
    assert (tokens.ids[0, 5:] == 0).all()
    one = EmbeddedTokens([[1], [2], [2]], [1, 0], [2, 1], [np.zeros((3, 2))])
    assert one.ids.tolist() == [[2, 2], [1, 0]]


KEYS = [
    slice(1, 4),
    slice(None, None, -1),
    [3, 0, 3],
    np.array([4, -1, -5]),
    np.arange(5) % 2 == 0,
    [True] * 3 + [False] * 2,
    [],
    Ellipsis,
    (np.array([4, 2]), Ellipsis),
    (slice(1, 3), Ellipsis),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_selecting_documents_stays_lazy_and_equals_numpy(key):
    tokens = make_tokens()
    selected = tokens[key]
    assert isinstance(selected, EmbeddedTokens)
    assert selected.flat_ids is tokens.flat_ids
    assert selected.tables[0] is tokens.tables[0]
    np.testing.assert_array_equal(np.asarray(selected), np.asarray(tokens)[key])
    rows = np.arange(5)[:, None][key].ravel()
    for name in ("lengths", "empty", "truncated"):
        np.testing.assert_array_equal(getattr(selected, name), getattr(tokens, name)[rows])


@pytest.mark.parametrize(
    "key", [2, -1, np.int64(3), (1, Ellipsis), (slice(None), -1), (2, -1, 2), (Ellipsis, 0)], ids=str
)
def test_other_keys_give_what_the_dense_block_gives(key):
    tokens = make_tokens()
    np.testing.assert_array_equal(tokens[key], np.asarray(tokens)[key])
    assert isinstance(tokens[key], (np.ndarray, np.floating))


@pytest.mark.parametrize("key", [None, np.zeros((2, 2), dtype=int), 1.5, ["a"]], ids=str)
def test_keys_that_make_no_sense_are_refused(key):
    with pytest.raises(IndexError, match="EmbeddedTokens take an int, a slice, or a 1-D array"):
        make_tokens()[key]


def test_iteration_gives_dense_documents_and_ends():
    tokens = make_tokens()
    np.testing.assert_array_equal(np.stack(list(tokens)), np.asarray(tokens))
    with pytest.raises(IndexError):
        tokens[5]


def test_scaled_sum_of_buckets_equals_the_loop():
    rng = np.random.default_rng(0)
    table, sizes = rng.normal(size=(7, 3)), np.array([0, 2, 0, 0, 5, 1, 0])
    starts, buckets = np.concatenate([[0], np.cumsum(sizes)]), rng.integers(0, 7, 8)
    parts = [buckets[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    want = [table[part].sum(axis=0) / np.sqrt(len(part)) if len(part) else np.zeros(3) for part in parts]
    np.testing.assert_allclose(scaled_sum_of_buckets(table, starts, buckets), want)
    assert scaled_sum_of_buckets(table, np.zeros(3, dtype=int), buckets[:0]).tolist() == [[0, 0, 0]] * 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_slicing_and_pickling_commute_with_making_dense(data):
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    tokens = make_tokens(lengths, seed=data.draw(st.integers(0, 9)))
    key = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8)), dtype=int)
    selected = tokens[key]
    want = np.asarray(tokens)[key]
    np.testing.assert_array_equal(np.asarray(selected), want)
    back = pickle.loads(pickle.dumps(selected))
    back._check()
    np.testing.assert_array_equal(np.asarray(back), want)
    n_vocab = len(tokens.tables[0])
    words = [[x.unseen[k - n_vocab] if k >= n_vocab else k for k in x.ids[:, :, 0].ravel()] for x in (selected, back)]
    assert words[0] == words[1]
    assert set(back.unseen) == {word for word in words[0] if isinstance(word, str)}  # no other travels
    for name in ("empty", "truncated", "lengths"):
        np.testing.assert_array_equal(getattr(back, name), getattr(selected, name))


def test_pickle_ships_ids_and_tables_only():
    lengths = np.full(4000, 5)
    tokens = make_tokens(lengths, n_vocab=20, n_unseen=3000, trainable=False, fingerprint="f")
    assert len(pickle.dumps(tokens)) < tokens.nbytes + 3000 * 12 + 2000
    few = pickle.dumps(tokens[:10])
    assert len(few) < 10 * (5 * 2 * 4 + 18) + 20 * 5 * 4 + 50 * (12 + 3 * 4 + 8) + 3000
    back = pickle.loads(few)
    assert (back.trainable, back.fingerprint, back.n_steps) == (False, "f", 5)


def test_selection_costs_the_arrays_of_documents_only():
    tokens = make_tokens(np.full(50_000, 20))
    rows = np.random.default_rng(0).permutation(50_000)[:25_000]
    tracemalloc.start()
    tokens[rows]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * rows.nbytes + 10_000  # the dense selection would have 10 MB


class KnowsTokens(RegressorMixin, BaseEstimator):
    """Refuses anything but EmbeddedTokens, in whatever process it runs."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def fit(self, X, y):
        assert isinstance(X, EmbeddedTokens), type(X)
        self.mean_ = np.mean(y) + self.offset
        return self

    def predict(self, X):
        assert isinstance(X, EmbeddedTokens), type(X)
        return np.full(len(X), self.mean_)


@pytest.mark.usefixtures("never_dense")
def test_scikit_learn_splits_never_make_it_dense():
    tokens, y = make_tokens(np.tile([1, 3], 25)), np.arange(50.0)
    first, second = train_test_split(tokens, random_state=0)
    assert (len(first), len(second)) == (37, 13)
    assert isinstance(_safe_indexing(tokens, np.arange(50) < 9), EmbeddedTokens)
    assert isinstance(_safe_indexing(tokens, slice(3, 5)), EmbeddedTokens)
    assert cross_val_predict(KnowsTokens(), tokens, y, cv=KFold(3)).shape == (50,)


def test_grid_search_in_processes():
    tokens, y = make_tokens(np.tile([1, 3], 25)), np.arange(50.0)
    search = GridSearchCV(KnowsTokens(), {"offset": [0.0, 2.0]}, cv=3, n_jobs=2, error_score="raise")
    assert search.fit(tokens, y).predict(tokens).shape == (50,)


@pytest.mark.usefixtures("never_dense")
def test_joblib_hash_tells_tokens_apart():
    tokens = make_tokens()
    assert joblib.hash(tokens) == joblib.hash(make_tokens())
    assert joblib.hash(tokens) != joblib.hash(tokens[::-1])
    assert joblib.hash(tokens) != joblib.hash(make_tokens(seed=1))
    assert joblib.hash(tokens) != joblib.hash(make_tokens(trainable=False))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"flat_ids": [1, 2, 3]}, r"`flat_ids` must have shape \(n_tokens, 1\), .* got shape \(3,\)"),
        ({"tables": []}, r"`flat_ids` must have shape \(n_tokens, 0\)"),
        ({"lengths": [1]}, r"`lengths` must have shape \(2,\), as `firsts`, got shape \(1,\)"),
        ({"empty": [True]}, r"`empty` must have shape \(2,\)"),
        ({"lengths": [1, 0]}, "at least 1 token and lie within the 3 rows .* `lengths` from 0 and ends up to 1"),
        ({"lengths": [1, 3]}, "ends up to 4"),
        ({"firsts": [-1, 1]}, "Documents must have at least 1 token and lie within"),
        ({"n_steps": 1}, "`n_steps` must be at least 2, the longest, got 1"),
        ({"flat_ids": [[1], [0], [2]]}, "Ids must be at least 1 and below .* got ids from 0"),
        ({"flat_ids": [[1], [2], [3]]}, r"Ids must be at least 1 and below \[3\], .* to \[3\]"),
        ({"tables": [np.zeros((1, 2))]}, r"A table must have shape .* got shape \(1, 2\)"),
        ({"unseen": ["a"]}, "`buckets` and `unseen` need a `bucket_table`"),
        ({"bucket_table": np.ones((2, 3))}, r"`bucket_table` must have 2 columns, got shape \(2, 3\)"),
        ({"bucket_table": np.ones((2, 2)), "bucket_starts": [0]}, r"`bucket_starts` must have shape \(4,\)"),
        ({"bucket_table": np.ones((2, 2)), "buckets": [1]}, "`bucket_starts` .* end at the size of `buckets`"),
        (
            {"bucket_table": np.ones((2, 2)), "bucket_starts": [0, 0, 0, 1], "buckets": [2]},
            "`buckets` must be rows of `bucket_table`, from 0 to 1, got 2 to 2",
        ),
    ],
)
def test_errors(changed, message):
    good = {"flat_ids": [[1], [2], [2]], "firsts": [0, 1], "lengths": [1, 2], "tables": [np.zeros((3, 2))]}
    EmbeddedTokens(**good)
    with pytest.raises(ValueError, match=message):
        EmbeddedTokens(**{**good, **changed})
