"""words_with_shapes: a word in lower case, and its spelling as a field of its own."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrnn import RNNClassifier, TokenEmbedder, words_with_shapes
from skrnn._word_shapes import word_shape


@pytest.mark.parametrize(
    "word, shape",
    [
        ("paris", "xx"),
        ("Paris", "Xxx"),
        ("PARIS", "XX"),
        ("McDonald", "XxXxx"),
        ("0123456", "dd"),
        ("£5", "£d"),
        ("3.50", "d.dd"),
        ("....", ".."),
        ("a1b2c3d4e5", "xdxdxdxd"),
        ("é", "x"),
        ("日本語", "xx"),
        ("", ""),
    ],
)
def test_shapes(word, shape):
    assert word_shape(word) == shape


def test_texts_are_cut_and_digits_are_one():
    assert words_with_shapes(["Call 0900, OK?"]) == [
        [("call", "Xxx"), ("0000", "dd"), (",", ","), ("ok", "XX"), ("?", "?")]
    ]
    assert words_with_shapes(["Call 0900"], fold_digits=False)[0][1] == ("0900", "dd")
    assert words_with_shapes(["ab-cd"], token_pattern=r"\S+") == [[("ab-cd", "xx-xx")]]


def test_sentences_keep_their_other_fields():
    sentences = [["The", "dog"], [("Runs", "VERB", "VBZ")], []]
    assert words_with_shapes(sentences) == [[("the", "Xxx"), ("dog", "xx")], [("runs", "Xxx", "VERB", "VBZ")], []]


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series, lambda x: pd.Series(x, index=[5, 3])])
def test_forms_of_texts(form):
    assert words_with_shapes(form(["A b", "c"])) == [[("a", "X"), ("b", "x")], [("c", "x")]]


def test_one_text_is_refused_and_the_embedder_names_what_is_none():
    with pytest.raises(ValueError, match=r"Pass \[text\]"):
        words_with_shapes("one text")
    pipeline = make_pipeline(FunctionTransformer(words_with_shapes), TokenEmbedder(dim=(3, 2)))
    with pytest.raises(ValueError, match="1"):
        pipeline.fit(["fine", None, "good"])
    with pytest.raises(ValueError, match="str"):
        pipeline.fit([["fine", 3]])


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_prices_never_seen_are_prices():
    """Which number it is differs in every text; that there is one decides."""
    rng = np.random.RandomState(0)
    numbers = rng.randint(100, 999, 120)
    texts = [f"only {n} now" if i % 2 else "only you now" for i, n in enumerate(numbers)]
    y = np.arange(120) % 2
    net = RNNClassifier("gru", hidden_size=5, max_epochs=8, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(words_with_shapes), TokenEmbedder((5, 3), random_state=0), net)
    assert pipeline.fit(texts[:60], y[:60]).score(texts[60:], y[60:]) == 1
    assert pickle.loads(pickle.dumps(pipeline)).score(texts[60:], y[60:]) == 1
