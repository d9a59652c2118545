"""`TokenEmbedder`: documents in, sequences of word vectors out, one for each, whatever holds the documents."""

import inspect
import pickle
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import sklearn.utils.estimator_checks as checks
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import murmurhash3_32

from skrnn import EmbeddedTokens, TokenEmbedder
from skrnn._subwords import hashed_ngrams, ngrams

TEXTS = ["Call me, now!", "I CALL you", "win £5 now", "a banana", "me", "You win a banana now"]
SENTENCES = [["Dogs", "bark"], ["Cats", "and", "Dogs", "sit"], ["Sit"]]
TAGGED = [[("Dogs", "N"), ("bark", "V")], [("Cats", "N"), ("and", "C"), ("Dogs", "N"), ("sit", "V")], [("Sit", "V")]]


def tokens_of(texts, **parameters):
    embedder = TokenEmbedder(3, **parameters)
    return embedder.inverse_transform(embedder.fit_transform(texts))


def mean_of_steps(X):
    return np.nanmean(np.asarray(X), axis=1)


# Tokens


def test_tokens_of_texts():
    assert tokens_of(TEXTS)[:3] == [["call", "me", ",", "now", "!"], ["i", "call", "you"], ["win", "£", "5", "now"]]
    assert tokens_of(TEXTS, lowercase=False)[1] == ["I", "CALL", "you"]
    assert tokens_of(["ab c"], analyzer="char") == [["a", "b", " ", "c"]]
    assert tokens_of(["ab c"], analyzer="char_wb") == [[" ", "a", "b", " ", " ", "c", " "]]
    assert tokens_of(["AB c"], analyzer=lambda text: iter(text.split())) == [["AB", "c"]]
    assert tokens_of(["AB-c"], tokenizer=lambda text: text.split("-")) == [["ab", "c"]]
    assert tokens_of(["the end of it"], stop_words="english") == [["end"]]
    assert tokens_of(["the end of it"], stop_words=["end"]) == [["the", "of", "it"]]
    assert tokens_of(["ab cd"], token_pattern=r"\w(\w)") == [["b", "d"]]


class Encoding:
    def __init__(self, tokens):
        self.tokens = tokens


class OtherTokenizer:
    """The part of a `tokenizers.Tokenizer` that is used."""

    def encode(self, text):
        return Encoding(["[CLS]", *text.split()])


def test_tokenizer_with_encode():
    assert tokens_of(["A b"], tokenizer=OtherTokenizer()) == [["[CLS]", "a", "b"]]


@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
def test_tokens_are_those_of_scikit_learn(analyzer):
    settings_ = {"analyzer": analyzer, "token_pattern": r"\w+|[^\w\s]"}
    analyze = CountVectorizer(**settings_).build_analyzer()
    assert tokens_of(TEXTS, **settings_) == [analyze(text) for text in TEXTS]


def test_lists_of_tokens_bypass_analyzer_and_lowercase():
    embedder = TokenEmbedder(3, analyzer="char", random_state=0)
    with pytest.warns(UserWarning, match="analyzer='char' does nothing to lists of tokens") as caught:
        X = embedder.fit_transform(SENTENCES)
    assert caught[0].filename.endswith("_set_output.py") or caught[0].filename == __file__
    assert embedder.inverse_transform(X) == SENTENCES
    mixed = ["ab", ["Ab", "c"], ("d",), np.array(["e f", "g"])]
    assert tokens_of(mixed) == [["ab"], ["Ab", "c"], ["d"], ["e f", "g"]]


@pytest.mark.filterwarnings("error")
def test_lists_after_texts_and_texts_after_lists_are_told():
    texts, lists = ["ab cd", "ef"], [["ab", "cd"], ["ef"]]
    for fitted, other in ((texts, lists), (lists, texts)):
        embedder = TokenEmbedder(3, random_state=0).fit(fitted)
        embedder.transform(fitted)
        embedder.transform([*fitted, *other])  # some of each says nothing
        with pytest.warns(UserWarning, match="Pass documents in the form that `fit` had"):
            embedder.transform(other)


def test_max_length_keeps_the_first_or_the_last_tokens():
    sentences = [list("abcde"), list("fg"), list("hij")]
    X = TokenEmbedder(2, max_length=3).fit_transform(sentences)
    assert X.truncated.tolist() == [True, False, False]
    assert X.shape == (3, 3, 2)
    assert tokens_of(sentences, max_length=3) == [list("abc"), list("fg"), list("hij")]
    assert tokens_of(sentences, max_length=2, truncate="start") == [list("de"), list("fg"), list("ij")]
    assert "e" not in TokenEmbedder(2, max_length=3).fit(sentences).vocabulary_


# Containers


@pytest.mark.parametrize(
    "wrap",
    [
        tuple,
        iter,
        pd.Series,
        pd.Index,
        lambda t: pd.Series(t, index=list("fedcba")),
        lambda t: pd.Series(t, dtype="string"),
        lambda t: pd.Series(t, dtype="category"),
        np.array,
        lambda t: np.array(t, dtype=object),
    ],
)
def test_texts_in_any_container_give_the_same(wrap):
    want = TokenEmbedder(5, random_state=0).fit_transform(TEXTS)
    X = TokenEmbedder(5, random_state=0).fit_transform(wrap(TEXTS))
    np.testing.assert_array_equal(X.ids, want.ids)
    np.testing.assert_array_equal(np.asarray(X), np.asarray(want))


def test_a_series_after_a_split_is_iterated_not_indexed():
    series = pd.Series(TEXTS)
    train, test = train_test_split(series, test_size=2, random_state=0)
    assert 0 not in test.index
    embedder = TokenEmbedder(5, random_state=0).fit(train)
    np.testing.assert_array_equal(embedder.transform(test).ids, embedder.transform(test.tolist()).ids)


def test_an_object_array_of_lists():
    X = np.empty(3, dtype=object)
    X[:] = SENTENCES
    assert tokens_of(X) == SENTENCES
    assert tokens_of(pd.Series(SENTENCES)) == SENTENCES


def test_fit_transform_is_fit_and_transform():
    for parameters in ({}, {"min_df": 2}, {"subword": None}, {"vectors": "svd"}):
        embedder = TokenEmbedder(5, random_state=0, **parameters)
        X = embedder.fit_transform(TEXTS)
        again = clone(embedder).fit(TEXTS).transform(TEXTS)
        np.testing.assert_array_equal(X.ids, again.ids)
        np.testing.assert_array_equal(np.asarray(X), np.asarray(again))
        assert X.fingerprint == again.fingerprint
        assert X.unseen == again.unseen


# Vocabulary


@pytest.mark.parametrize(
    "limits",
    [{}, {"min_df": 2}, {"min_df": 0.5}, {"min_df": 1 / 3}, {"max_features": 3}, {"min_df": 2, "max_features": 2}],
)
def test_vocabulary_is_that_of_scikit_learn(limits):
    texts = ["f f f f f f e d", "e e e d c", "d e c b", "d b a"]  # no two words at a limit occur equally often
    want = CountVectorizer(token_pattern=r"\w", **limits).fit(texts).get_feature_names_out().tolist()
    vocabulary = TokenEmbedder(2, subword=None, **limits).fit(texts).vocabulary_
    assert list(vocabulary) == ["<pad>", "<unk>", *want]
    assert list(vocabulary.values()) == list(range(2 + len(want)))


def test_rare_words_live_by_their_n_grams_or_are_unknown():
    texts = ["shared shared", "shared rarely", "shared seldom"]
    embedder = TokenEmbedder(3, min_df=2, random_state=0)
    X = embedder.fit_transform(texts)
    assert X.ids.tolist() == [[2, 2], [2, 3], [2, 4]]
    assert X.unseen == ("rarely", "seldom")
    assert embedder.table_.shape == (3, 3)
    assert embedder.inverse_transform(X) == [["shared", "shared"], ["shared", "rarely"], ["shared", "seldom"]]
    assert embedder.set_params(subword=None).fit_transform(texts).ids.tolist() == [[2, 2], [2, 1], [2, 1]]


def test_tokens_that_read_as_padding_or_unknown_are_unknown():
    sentences = [["<pad>", "a"], ["<unk>", "b", "<pad>"]]
    for subword in (None, (3, 5), (1, 2)):
        embedder = TokenEmbedder(3, subword=subword)
        X = embedder.fit_transform(sentences)
        assert X.ids.tolist() == [[1, 2, 0], [1, 3, 1]]
        assert embedder.vocabulary_ == {"<pad>": 0, "<unk>": 1, "a": 2, "b": 3}
        assert embedder.inverse_transform(X) == [["<unk>", "a"], ["<unk>", "b", "<unk>"]]
        np.testing.assert_array_equal(np.asarray(X)[0, 0], embedder.table_[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=4), max_size=5), min_size=1, max_size=5), st.booleans())
def test_any_tokens_come_back(sentences, whole):
    special = {"<pad>", "<unk>"}
    if not any(word not in special for sentence in sentences for word in sentence):
        return
    embedder = TokenEmbedder(2, subword=(1, 3) if whole else None)
    X = embedder.fit_transform(sentences)
    want = [["<unk>" if word in special else word for word in sentence] for sentence in sentences]
    assert embedder.inverse_transform(X) == want
    assert X.lengths.tolist() == [max(len(sentence), 1) for sentence in sentences]
    assert X.empty.tolist() == [not sentence for sentence in sentences]


# Vectors


def test_ngrams_are_those_of_the_bracketed_word():
    for word in ("", "a", "ab", "banana", "über"):
        bracketed = "<" + word + ">"
        for low, high in ((1, 1), (2, 3), (3, 5), (4, 99)):
            want = []
            for n in range(low, high + 1):
                for i in range(len(bracketed)):
                    if i + n <= len(bracketed) and n != len(bracketed):
                        want.append(bracketed[i : i + n])
            assert ngrams(word, low, high) == want


def test_buckets_of_each_id_equal_the_loop():
    n_buckets = 97  # few, so that n-grams share buckets
    embedder = TokenEmbedder(3, subword=(2, 4), n_buckets=n_buckets, min_df=2, random_state=0)
    embedder.fit(TEXTS)
    used = set()
    for word in {word for sentence in tokens_of(TEXTS) for word in sentence}:
        used |= {murmurhash3_32(gram.encode(), positive=True) % n_buckets for gram in ngrams(word, 2, 4)}
    rows = {bucket: row for row, bucket in enumerate(sorted(used))}
    assert embedder.bucket_table_.shape == (len(used), 3)
    X = embedder.transform(["now bananas calling xyzzy me"])
    words = [*embedder.vocabulary_, *X.unseen]
    assert {"bananas", "calling"} <= set(X.unseen)
    assert len(X.bucket_starts) == len(words) + 1
    for i, word in enumerate(words):
        grams = [] if i < 2 else ngrams(word, 2, 4)
        hashes = [murmurhash3_32(gram.encode(), positive=True) % n_buckets for gram in grams]
        want = [rows[bucket] for bucket in hashes if bucket in rows]
        assert X.buckets[X.bucket_starts[i] : X.bucket_starts[i + 1]].tolist() == want
    me = X[0][4]
    part = embedder.bucket_table_[
        [rows[murmurhash3_32(g.encode(), positive=True) % n_buckets] for g in ngrams("me", 2, 4)]
    ]
    np.testing.assert_allclose(
        me, embedder.table_[embedder.vocabulary_["me"]] + part.sum(axis=0) / np.sqrt(len(part)), rtol=1e-5
    )


def test_hashes_are_the_same_in_every_process():
    code = "from skrnn._subwords import hashed_ngrams; print(*hashed_ngrams(['wörd', 'a'], (3, 5), 1000)[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(text) for text in done.stdout.split()] == hashed_ngrams(["wörd", "a"], (3, 5), 1000)[1].tolist()


def test_unseen_words_differ_from_each_other():
    embedder = TokenEmbedder(5, random_state=0).fit(TEXTS)
    X = embedder.transform(["bananas calls", "recall", "qqqq zzzz"])
    dense = np.asarray(X)
    assert X.unseen == ("bananas", "calls", "recall")
    assert not np.allclose(dense[0, 0], dense[0, 1])
    assert not np.allclose(dense[0, 1], dense[1, 0])
    assert X.ids[2].tolist() == [1, 1]  # nothing shared with any word of fit
    np.testing.assert_array_equal(dense[2, 0], embedder.table_[1])
    assert embedder.inverse_transform(X) == [["bananas", "calls"], ["recall"], ["<unk>", "<unk>"]]
    plain = TokenEmbedder(5, subword=None).fit(TEXTS).transform(["bananas calls"])
    assert plain.ids.tolist() == [[1, 1]]


def test_single_characters_have_no_n_grams_of_three():
    embedder = TokenEmbedder(5, analyzer="char").fit(TEXTS)
    assert embedder.bucket_table_ is None
    assert embedder.transform(["ü"]).ids.tolist() == [[1]]


def test_first_vectors_are_random_of_one_typical_size():
    embedder = TokenEmbedder(7, random_state=0)
    embedder.fit([[f"word{i}" for i in range(3000)]])
    assert (embedder.table_[0] == 0).all()
    for table in (embedder.table_[1:], embedder.bucket_table_):
        assert table.dtype == np.float32
        assert np.mean(table.astype(float) ** 2) * 7 == pytest.approx(1, rel=0.05)


def test_random_state_decides_and_leaves_the_global_generator_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tables = [TokenEmbedder(3, random_state=seed).fit(TEXTS).table_ for seed in (0, 0, 1, None, None)]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(tables[0], tables[1])
    assert len({table.tobytes() for table in tables}) == 4
    embedder = TokenEmbedder(3, random_state=0).fit(TEXTS[::-1])
    np.testing.assert_array_equal(embedder.table_, tables[0])  # whatever the order of documents


def test_trainable_and_fingerprint_are_passed_on():
    embedder = TokenEmbedder(3, random_state=0, trainable=False).fit(TEXTS)
    X = embedder.transform(TEXTS[:2])
    assert not X.trainable
    assert X.tables[0] is embedder.table_
    assert X.fingerprint == embedder.transform(TEXTS).fingerprint
    assert X.fingerprint == clone(embedder).set_params(random_state=1).fit(TEXTS).transform(TEXTS).fingerprint
    others = [{"dim": 2}, {"subword": (3, 4)}, {"subword": None}, {"n_buckets": 50}, {"max_features": 3}]
    fingerprints = [clone(embedder).set_params(**other).fit_transform(TEXTS).fingerprint for other in others]
    assert len({X.fingerprint, *fingerprints}) == 6
    rare = [TokenEmbedder(3, min_df=2).fit_transform(["now", "now", word]) for word in ("seldom", "rarely")]
    assert rare[0].fingerprint != rare[1].fingerprint  # the same vocabulary, other n-grams
    assert len(X.fingerprint) == 32


# Fields


def test_tuples_have_a_vocabulary_and_a_table_for_each_field():
    embedder = TokenEmbedder((5, 2), random_state=0)
    X = embedder.fit_transform(TAGGED)
    assert X.shape == (3, 4, 7)
    assert [list(vocabulary)[2:] for vocabulary in embedder.vocabulary_] == [
        ["Cats", "Dogs", "Sit", "and", "bark", "sit"],
        ["C", "N", "V"],
    ]
    assert [table.shape for table in embedder.table_] == [(8, 5), (5, 2)]
    assert X.ids[0].tolist() == [[3, 3], [6, 4], [0, 0], [0, 0]]
    np.testing.assert_array_equal(np.asarray(X)[0, 1, 5:], embedder.table_[1][4])
    assert embedder.inverse_transform(X) == TAGGED
    assert embedder.inverse_transform(X.ids) == TAGGED
    new = embedder.transform([[("Dogged", "X")], []])
    assert embedder.inverse_transform(new) == [[("Dogged", "<unk>")], []]
    assert new.flat_ids.tolist() == [[8, 1], [1, 1]]


def test_tuples_of_one_string():
    embedder = TokenEmbedder((5,))
    sentences = [[("a",), ("b",)], [("b",)]]
    assert embedder.inverse_transform(embedder.fit_transform(sentences)) == sentences
    assert embedder.inverse_transform(embedder.transform(sentences).ids) == sentences


def test_a_tokenizer_may_give_tuples():
    embedder = TokenEmbedder((3, 2), tokenizer=lambda text: [(word, word[0]) for word in text.split()])
    assert embedder.inverse_transform(embedder.fit_transform(["ab c"])) == [[("ab", "a"), ("c", "c")]]


# Empty documents


def test_an_empty_document_is_one_unknown_token():
    embedder = TokenEmbedder(3, random_state=0).fit(TEXTS)
    X = embedder.transform(["", "me", " \n", []])
    assert X.empty.tolist() == [True, False, True, True]
    assert X.lengths.tolist() == [1, 1, 1, 1]
    assert X.ids[[0, 2, 3]].tolist() == [[1]] * 3
    assert embedder.inverse_transform(X) == [[], ["me"], [], []]
    assert embedder.inverse_transform(X.ids) == [["<unk>"], ["me"], ["<unk>"], ["<unk>"]]
    assert embedder.transform([""]).ids.tolist() == [[1]]
    assert embedder.transform([]).shape == (0, 1, 3)
    assert TokenEmbedder((2, 3)).fit(TAGGED).transform([[], []]).ids.tolist() == [[[1, 1]]] * 2


# With scikit-learn


class TakesTokens(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        assert isinstance(X, EmbeddedTokens)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        assert isinstance(X, EmbeddedTokens)
        return np.full(len(X), self.classes_[0])


def test_in_a_pipeline_with_cross_validation_and_search():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 2
    words = np.array(["good fine nice", "bad sour grim"])
    texts = pd.Series([" ".join(rng.permutation([*words[label].split(), "the", "film"])[:4]) for label in y])
    pipeline = make_pipeline(TokenEmbedder(7, random_state=0), FunctionTransformer(mean_of_steps), LogisticRegression())
    assert (cross_val_predict(pipeline, texts, y) == y).mean() > 0.95
    grid = {"tokenembedder__analyzer": ["word", "char"], "tokenembedder__subword": [None, (3, 5)]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise", n_jobs=2).fit(texts, y)
    assert search.score(texts, y) > 0.95
    lazy = make_pipeline(TokenEmbedder(7), TakesTokens())
    assert cross_val_predict(lazy, texts, y).shape == (90,)


def test_set_output_is_there_and_does_nothing():
    pipeline = make_pipeline(TokenEmbedder(3), "passthrough").set_output(transform="pandas")
    assert isinstance(pipeline.fit_transform(TEXTS), EmbeddedTokens)
    assert not hasattr(TokenEmbedder(), "get_feature_names_out")
    assert not hasattr(TokenEmbedder().fit(TEXTS), "n_features_in_")


def test_clone_pickle_and_tags():
    embedder = TokenEmbedder(3, vectors={"me": [1.0, 2.0, 3.0]}, stop_words=["you"], random_state=0)
    assert clone(embedder).get_params().keys() == embedder.get_params().keys()
    embedder.fit(TEXTS)
    back = pickle.loads(pickle.dumps(embedder))
    new = ["me and the unseen bananas"]
    np.testing.assert_array_equal(np.asarray(back.transform(new)), np.asarray(embedder.transform(new)))
    assert back.transform(new).fingerprint == embedder.transform(new).fingerprint
    tags = embedder.__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array


@pytest.mark.filterwarnings("ignore:Can't test estimator TokenEmbedder which requires input")
def test_scikit_learn_checks():
    failed = [r for r in checks.check_estimator(TokenEmbedder(), on_fail=None) if r["status"] == "failed"]
    assert failed == []
    for check in (  # those that give no data: check_estimator leaves them out where X is not a table
        checks.check_parameters_default_constructible,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_no_attributes_set_in_init,
        checks.check_estimator_repr,
        checks.check_mixin_order,
        checks.check_valid_tag_types,
        checks.check_estimator_tags_renamed,
    ):
        check("TokenEmbedder", TokenEmbedder())


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_before_fit(method):
    with pytest.raises(NotFittedError, match="not fitted"):
        getattr(TokenEmbedder(), method)(TEXTS)


# Errors


def frame(*names):
    return pd.DataFrame(dict.fromkeys(names, TEXTS))


def series_with(value):
    return pd.Series(["a", value, "b"], index=["x", "y", "z"], dtype=object)


BAD_X = [
    ("one text", "X must be a list, Series or 1-D array .* got the bare str 'one text': pass .text."),
    (b"one text", "got the bare bytes"),
    (frame("sms"), r'got a DataFrame with the columns \[\'sms\'\]: pass df\["sms"\]'),
    (frame("a", "b"), r"got a DataFrame with the columns \['a', 'b'\]: pass the column that holds the texts"),
    (np.array([["a"], ["b"]]), r"got ndarray of shape \(2, 1\): pass X\[:, 0\] for one column of texts"),
    (np.array(SENTENCES[:1] * 2, dtype=object), r"or X.tolist\(\) where each row is a list of tokens"),
    (np.ones((2, 3), dtype=int), r"ndarray of shape \(2, 3\): ids of tokens are not taken, pass the tokens themselves"),
    (np.array("one text"), r"got ndarray of shape \(\): pass \[text\]"),
    ({"a": "b"}, r"got dict: pass list\(...\) in the order of y"),
    ({"a", "b"}, "got set: pass list"),
    (5, "got int: pass list"),
    (["a", None], r"missing documents, got None as document 1: use fillna\(\"\"\) or dropna\(\)"),
    (["a", np.nan], "missing documents, got nan as document 1: use fillna"),
    (["a", pd.NA], "missing documents, got <NA> as document 1"),
    (series_with(None), r"got None as document 1 \(index 'y'\): use fillna"),
    (series_with(3), r"text \(str\) or a list of tokens, got 3 of type int as document 1 \(index 'y'\)"),
    (["a", b"c"], r"got b'c' of type bytes as document 1; use document.decode\(\) for text"),
    (["a", {"b": 1}], "got {'b': 1} of type dict as document 1"),
    ([["a"], ["b", 5]], "A token must be a str, or .* got 5 of type int at position 1 of document 1"),
    ([[3, "b"]], "A token must be a str, or .* got 3 of type int at position 0 of document 0"),
    ([["a"], ["b", ["c"]]], r"A token must be a str, .* got \['c'\] of type list at position 1 of document 1"),
    (
        [["a"], ["b", ("c", "d")]],
        r"A token must be a str, .* got \('c', 'd'\) of type tuple at position 1 of document 1",
    ),
    (["", "  ", []], "X must have a token in some document, got none in all 3 of them"),
    ([], "X must have a token in some document, got none in all 0 of them"),
]


@pytest.mark.parametrize("X, message", BAD_X, ids=range(len(BAD_X)))
def test_bad_documents(X, message):
    fitted = TokenEmbedder(3).fit(TEXTS)
    before = dict(vars(fitted))
    for call in (fitted.fit, fitted.fit_transform):
        with pytest.raises(ValueError, match=message):
            call(X)
        assert vars(fitted) == before
    if "in some document" not in message:
        with pytest.raises(ValueError, match=message):
            fitted.transform(X)


@pytest.mark.parametrize(
    "X, message",
    [
        ([[("a", "b"), "c"]], "A token must be a tuple of 2 str, .* got 'c' of type str at position 1 of document 0"),
        ([[("a", "b"), ("c",)]], r"A token must be a tuple of 2 str, .* got \('c',\)"),
        ([[("a", "b")], [("c", 1)]], r"A token must be a tuple of 2 str, .* got \('c', 1\) .* 0 of document 1"),
        ([[("a", ["b"])]], r"A token must be a tuple of 2 str, .* got \('a', \['b'\]\)"),
        ([[()]], r"A token must be a tuple of 1 str, .* got \(\)"),
        ([[("a", "b")], "a text"], "got 'a' of type str at position 0 of document 1, as the analyzer or tokenizer"),
    ],
)
def test_bad_tuples(X, message):
    with pytest.raises(ValueError, match=message):
        TokenEmbedder((3, 2)).fit(X)


def test_dim_says_a_size_for_each_field():
    with pytest.raises(ValueError, match=r"`dim` must be a tuple of 2 ints, .* tuples of 2 strings, got 64"):
        TokenEmbedder().fit(TAGGED)
    with pytest.raises(ValueError, match=r"`dim` must be a tuple of 2 ints, .* got \(3, 4, 5\)"):
        TokenEmbedder((3, 4, 5)).fit(TAGGED)
    with pytest.raises(ValueError, match=r"`dim` must be an int where tokens are str, got \(3, 4\)"):
        TokenEmbedder((3, 4)).fit(TEXTS)
    with pytest.raises(ValueError, match=r"Tokens must be tuples of 2 str, as in `fit`, got str"):
        TokenEmbedder((3, 4)).fit(TAGGED).transform(SENTENCES)
    with pytest.raises(ValueError, match=r"Tokens must be str, as in `fit`, got tuples of 2 str"):
        TokenEmbedder(3).fit(SENTENCES).transform(TAGGED)


@pytest.mark.parametrize("tokens, message", [(5, "got int"), ("ab", "got str"), (None, "got NoneType")])
def test_an_analyzer_must_give_tokens(tokens, message):
    with pytest.raises(ValueError, match=f"analyzer or tokenizer must give a list of tokens, {message}"):
        TokenEmbedder(analyzer=lambda text: tokens).fit(TEXTS)
    with pytest.raises(ValueError, match="got 1 of type int at position 0 of document 0, as the analyzer or tokenizer"):
        TokenEmbedder(tokenizer=lambda text: [1]).fit(TEXTS)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"dim": 0}, "`dim` must be an int of at least 1, got 0"),
        ({"dim": 2.0}, "`dim` must be an int of at least 1, got 2.0"),
        ({"dim": ()}, r"`dim` must be an int of at least 1, got \(\)"),
        ({"dim": (3, 0)}, "`dim` must be an int of at least 1, got 0"),
        ({"analyzer": "words"}, "`analyzer` must be one of 'word', 'char', 'char_wb' or a callable, got 'words'"),
        ({"tokenizer": "bert"}, "`tokenizer` must be None, a callable .* got 'bert'"),
        ({"tokenizer": 5}, "`tokenizer` must be None, a callable .* got 5"),
        ({"lowercase": 1}, "`lowercase` must be True or False, got 1"),
        ({"token_pattern": "("}, r"`token_pattern` must be a regular expression, got '\(':"),
        ({"token_pattern": 3}, "`token_pattern` must be a regular expression, got 3"),
        ({"token_pattern": "(a)(b)"}, "`token_pattern` must have at most one capturing group, got 2"),
        ({"stop_words": "german"}, "`stop_words` must be None, 'english' or a list of str, got 'german'"),
        ({"stop_words": [1]}, "`stop_words` must be None, 'english' or a list of str"),
        ({"stop_words": 1}, "`stop_words` must be None, 'english' or a list of str"),
        ({"min_df": 0}, "`min_df` must be an int of at least 1, or a float from 0 to 1, got 0"),
        ({"min_df": 1.5}, "`min_df` must be an int of at least 1, or a float from 0 to 1, got 1.5"),
        ({"min_df": True}, "`min_df` must be an int of at least 1, or a float from 0 to 1, got True"),
        ({"min_df": "2"}, "`min_df` must be an int of at least 1, or a float from 0 to 1, got '2'"),
        ({"min_df": 7}, "No token is left: none occurs in at least `min_df`=7 of the 6 documents"),
        ({"max_features": 0}, "`max_features` must be an int of at least 1, got 0"),
        ({"max_length": 0}, "`max_length` must be an int of at least 1, got 0"),
        ({"truncate": "middle"}, "`truncate` must be one of 'end', 'start', got 'middle'"),
        ({"subword": 3}, "`subword` must be None or two ints, .* got 3"),
        ({"subword": (3, 2)}, r"`subword` must be None or two ints, .* got \(3, 2\)"),
        ({"subword": (0, 2)}, r"`subword` must be None or two ints, .* got \(0, 2\)"),
        ({"subword": (3, 4, 5)}, "`subword` must be None or two ints"),
        ({"subword": (3.0, 5)}, "`subword` must be None or two ints"),
        ({"n_buckets": 0}, "`n_buckets` must be an int of at least 1, got 0"),
        ({"trainable": None}, "`trainable` must be True or False, got None"),
        ({"random_state": "a"}, "'a' cannot be used to seed"),
    ],
)
def test_bad_parameters(parameters, message):
    embedder = TokenEmbedder(**parameters)
    with pytest.raises(ValueError, match=message):
        embedder.fit(TEXTS)
    assert not [name for name in vars(embedder) if name.endswith("_")]


@pytest.mark.parametrize("parameters", [{"tokenizer": str.split}, {"stop_words": ["me"]}])
def test_parameters_that_are_not_used_warn(parameters):
    (name,) = parameters
    with pytest.warns(UserWarning, match=f"`{name}` is not used: `analyzer` is not 'word'") as caught:
        TokenEmbedder(3, analyzer="char", **parameters).fit(TEXTS)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "X, message",
    [
        (np.ones((2, 3)), r"X must be EmbeddedTokens or an int array .* got shape \(2, 3\) and dtype float64"),
        (np.ones((2, 3, 2), dtype=int), r"\(n_documents, n_steps\), got shape \(2, 3, 2\)"),
        ([[1, 99]], r"Ids must be from 0 to \[\d+\], got ids from 1 to 99: words past the vocabulary"),
        ([[-1, 2]], "got ids from -1 to 2"),
    ],
)
def test_ids_that_name_no_token(X, message):
    with pytest.raises(ValueError, match=message):
        TokenEmbedder(3).fit(TEXTS).inverse_transform(X)


def test_tokens_of_another_embedder_are_not_turned_back():
    X = TokenEmbedder(3).fit_transform(SENTENCES)
    with pytest.raises(ValueError, match="X must be made by this embedder, as fitted now"):
        TokenEmbedder(3).fit(TEXTS).inverse_transform(X)


# What the docstring says, and what it costs


def test_parameters_and_attributes_are_documented():
    text = inspect.getdoc(TokenEmbedder)
    documented = re.findall(r"^(\w+) : .*?(?:, default=(.+))?$", text.split("See Also")[0], re.M)
    parameters = inspect.signature(TokenEmbedder).parameters
    n = len(parameters)
    assert [name for name, _ in documented[:n]] == list(parameters)
    for name, default in documented[:n]:
        assert default.removeprefix("r").strip('"') == str(parameters[name].default), name
    fitted = {name for name in vars(TokenEmbedder(3).fit(TEXTS)) if name.endswith("_")}
    assert {name for name, _ in documented[n:]} == fitted


def test_thousands_of_texts_take_less_than_a_second():
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("abcdefgh"), 7)) for _ in range(9000)])
    texts = [" ".join(words[(rng.pareto(0.7, 16) * 5).astype(int) % 9000]) for _ in range(5574)]
    start = time.process_time()
    TokenEmbedder().fit(texts).transform(texts)
    assert time.process_time() - start < 2  # 0.25 s where it was measured
