"""Tags as users pass them <-> blocks of numbers: lengths, padding, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from skrnn import SlidingWindowTransformer, TokenEmbedder
from skrnn._tag_targets import check_whole, in_lists, joined_tags, tag_block, tag_counts
from skrnn._validation import check_sequences, table_sequences

SENTENCES = [["a", "b", "c"], [], ["b"], ["c", "a"], ["<unk>"], []]
TAGS = [["X", "Y", None], [], ["Z"], ["X", "X"], ["Y"], []]
FLAT = ["X", "Y", None, "Z", "X", "X", "Y"]


def tokens(**params):
    return check_sequences(TokenEmbedder(dim=2, **params).fit_transform(SENTENCES))


def joined(y, sequences, name="y"):
    return joined_tags(y, sequences, name, "SequenceTagger")


def object_array(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


# -- how many ----------------------------------------------------------------------------------------------------------


def test_a_sentence_without_tokens_has_no_tag():
    """Though it is one unknown token to the net, as a sentence of one unknown word is."""
    sequences = tokens()
    assert sequences.lengths.tolist() == [3, 1, 1, 2, 1, 1]
    assert tag_counts(sequences).tolist() == [3, 0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    "rows", [[5, 4, 0], [1], [4], [3, 3, 1, 5, 1], np.array([True, True, False, False, True, False])]
)
def test_some_of_the_sentences(rows):
    sequences = tokens()
    np.testing.assert_array_equal(tag_counts(sequences.take(rows)), tag_counts(sequences)[rows])


def test_sentences_of_a_slice():
    X = TokenEmbedder(dim=2).fit_transform(SENTENCES)
    for rows in (slice(1, 5), slice(4, None), [5, 1, 3]):
        assert tag_counts(check_sequences(X[rows])).tolist() == np.array([3, 0, 1, 2, 1, 0])[rows].tolist()


# -- all in one array --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        object_array,
        lambda rows: pd.Series(rows, index=range(9, 15)),
        lambda rows: [tuple(row) for row in rows],
        lambda rows: [object_array(row) for row in rows],
        lambda rows: [pd.Series(row, dtype=object) for row in rows],
    ],
    ids=["list", "tuple", "object array", "Series", "tuples", "arrays", "list of Series"],
)
def test_any_container(form):
    found = joined(form(TAGS), tokens())
    assert found.dtype == object
    assert found.shape == (7,)
    assert found.tolist() == FLAT


def test_rows_of_one_length_stay_labels():
    X = check_sequences(TokenEmbedder(dim=2).fit_transform([["a", "b"], ["b", "a"]]))
    for y in ([["X", "Y"], ["Y", "X"]], np.array([["X", "Y"], ["Y", "X"]]), [np.array(["X", "Y"]), ["Y", "X"]]):
        found = joined(y, X)
        assert found.shape == (4,)
        assert found.tolist() == ["X", "Y", "Y", "X"]


@pytest.mark.parametrize("left", [True, False])
def test_labels_at_padding_are_left_out(left):
    X, lengths = np.full((3, 4, 2), np.nan), [4, 2, 1]
    y = [["pad"] * 4 for _ in lengths]
    for i, length in enumerate(lengths):
        steps = slice(4 - length, 4) if left else slice(length)
        X[i, steps] = i
        y[i][steps] = [f"{i}{step}" for step in range(length)]
    expected = ["00", "01", "02", "03", "10", "11", "20"]
    sequences = check_sequences(X)
    assert joined(y, sequences).tolist() == expected
    assert joined(np.array(y), sequences).tolist() == expected
    assert joined([y[0], ["10", "11"], y[2]], sequences).tolist() == expected  # a row with, a row without


def test_labels_of_windows():
    X = SlidingWindowTransformer(3).fit_transform(np.arange(10.0).reshape(5, 2))
    y = np.arange(15).reshape(5, 3)
    assert joined(y, check_sequences(X)).tolist() == [2, 4, 5, *range(6, 15)]


def test_labels_of_a_table():
    y = np.arange(12).reshape(4, 3)
    assert joined(y, table_sequences(np.zeros((4, 6)), 2)).tolist() == list(range(12))


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "SequenceTagger requires y to be passed, but the target y is None"),
        ("words", "tags must be a list that holds a list of tags for each sentence of X, got 'words'"),
        (3, "tags must be a list .*got 3"),
        (iter(TAGS), "tags must be a list"),
        (TAGS[:4], "X has 6 sentences and tags has 4 lists of tags. Every sentence needs one"),
        ([], "X has 6 sentences and tags has 0 lists"),
        ([*TAGS[:3], "XX", *TAGS[4:]], "Sentence 3 of tags must be a list of tags.*got 'XX'.*take RNNClassifier"),
        (["X"] * 6, "Sentence 0 of tags must be a list of tags"),
        (np.arange(6), "Sentence 0 of tags must be a list of tags.*one label for a whole sequence take RNNClassifier"),
        ([*TAGS[:3], None, *TAGS[4:]], "Sentence 3 of tags must be a list of tags.*got None"),
        ([*TAGS[:3], [["X"], ["Y"]], *TAGS[4:]], "Sentence 3 of tags must be a list of tags"),
        ([*TAGS[:3], [["X"], ["Y", "Z"]], *TAGS[4:]], "Sentence 3 of tags must be a list of tags"),
        ([*TAGS[:3], [("X", 1), ("Y", 2)], *TAGS[4:]], "Sentence 3 of tags must be a list of tags"),
        ([*TAGS[:3], np.ones((2, 1)), *TAGS[4:]], "Sentence 3 of tags must be a list of tags"),
        (
            [*TAGS[:3], ["X"], ["Y", "Y"], []],
            r"Sentence 3 has 2 token\(s\) in X and 1 tag\(s\) in tags: every token nee",
        ),
        ([*TAGS[:3], ["X", "X", "X"], *TAGS[4:]], r"Sentence 3 has 2 token\(s\) in X and 3 tag\(s\) in tags"),
        ([TAGS[0], ["X"], *TAGS[2:]], r"Sentence 1 has 0 token\(s\) in X and 1 tag\(s\) in tags.*None where it is unk"),
    ],
)
def test_refusals(y, message):
    with pytest.raises(ValueError, match=message):
        joined(y, tokens(), name="tags")


def test_ragged_rows_have_their_own_length_only():
    """The longest row is no padded form of the others."""
    sequences = check_sequences([np.zeros((3, 2)), np.zeros((1, 2))])
    with pytest.raises(ValueError, match=r"Sentence 1 has 1 token\(s\) in X and 3 tag\(s\) in y"):
        joined([[0, 0, 0], [1, 0, 0]], sequences)


def test_sentences_that_were_cut():
    check_whole(tokens())
    check_whole(check_sequences(np.zeros((2, 3, 1))))
    X = TokenEmbedder(dim=2, max_length=2).fit_transform([["a", "b"], ["a"], ["c", "b", "a"], ["a", "b", "c"]])
    check_whole(check_sequences(X[:2]))
    with pytest.raises(ValueError, match=r"Sentence 2 of X was cut to 2 tokens by max_length.*\(max_length=None\)"):
        check_whole(check_sequences(X))


# -- blocks and back ---------------------------------------------------------------------------------------------------


def test_a_block_has_nan_at_padding():
    codes = np.array([0, 1, np.nan, 2, 0, 0, 1])
    block = tag_block(codes, tokens())
    nan = np.nan
    expected = [[0, 1, nan], [nan] * 3, [2, nan, nan], [0, 0, nan], [1, nan, nan], [nan] * 3]
    np.testing.assert_array_equal(block, np.array(expected)[..., None])


def test_lists_of_one_length_make_no_table():
    for rows in ([["a", "b"], ["c", "d"]], [["a"], []], [[]], [np.zeros((2, 3)), np.zeros((2, 3))], []):
        found = in_lists(rows)
        assert found.shape == (len(rows),)
        assert found.dtype == object
        assert all(a is b for a, b in zip(found, rows, strict=True))


def test_counts_of_some_of_the_documents():
    X = TokenEmbedder(2).fit_transform([["a", "b"], [], ["a", "b", "a", "b"]])
    sequences = check_sequences(X)
    assert tag_counts(sequences).tolist() == [2, 0, 4]
    assert tag_counts(sequences.take(np.array([2, 1]))).tolist() == [4, 0]
