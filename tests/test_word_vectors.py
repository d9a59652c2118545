"""Vectors for words: mappings, tables, files of word2vec and GloVe, and PMI of the texts themselves."""

import gzip
import pickle
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from skrnn import TokenEmbedder
from skrnn._word_vectors import find_vectors, read_vectors, svd_vectors

VECTORS = {"the": [1.0, 2.0, 3.0], "cat": [4.0, 5.0, 6.0], "Paris": [0.5, 0.25, -1.0], "paris": [7.0, 8.0, 9.0]}
VECTORS["tree"] = [-1.0, -2.0, -3.0]
TEXTS = [["the", "cat", "Cat"], ["Paris", "unheard", "TREE"]]


def write(path, lines, compress=False):
    data = "\n".join(lines).encode() + b"\n"
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


def lines_of(vectors):
    return [" ".join([word, *map(str, values)]) for word, values in vectors.items()]


class Keyed:
    """What other libraries offer: `in` and square brackets, nothing else."""

    def __contains__(self, word):
        return word in VECTORS

    def __getitem__(self, word):
        return np.array(VECTORS[word])


@pytest.fixture(params=["dict", "DataFrame", "keyed", "word2vec", "glove", "gzip", "str", "tabs", "crlf", "trailing"])
def source(request, tmp_path):
    path, header = tmp_path / "vectors.txt", ["5 3"]
    return {
        "dict": lambda: VECTORS,
        "DataFrame": lambda: pd.DataFrame.from_dict(VECTORS, orient="index"),
        "keyed": Keyed,
        "word2vec": lambda: write(path, header + lines_of(VECTORS)),
        "glove": lambda: write(path, lines_of(VECTORS)),
        "gzip": lambda: write(path, lines_of(VECTORS), compress=True),
        "str": lambda: str(write(path, lines_of(VECTORS))),
        "tabs": lambda: write(path, ["\ufeff5\t3", *(line.replace(" ", "\t") for line in lines_of(VECTORS))]),
        "crlf": lambda: write(path, [line + "\r" for line in header + lines_of(VECTORS)]),
        "trailing": lambda: write(path, [line + " " for line in lines_of(VECTORS)] + [""]),
    }[request.param]()


@pytest.mark.parametrize("subword", [None, (3, 5)])
def test_rows_are_the_given_vectors(source, subword):
    embedder = TokenEmbedder(3, vectors=source, subword=subword, random_state=0)
    X = embedder.fit_transform(TEXTS)
    row = {word: embedder.table_[i] for word, i in embedder.vocabulary_.items()}
    np.testing.assert_array_equal(row["Paris"], VECTORS["Paris"])  # not the one in lower case
    np.testing.assert_array_equal(row["Cat"], VECTORS["cat"])
    np.testing.assert_array_equal(row["TREE"], VECTORS["tree"])
    assert embedder.n_vectors_found_ == 5
    assert (row["unheard"] != 0).all()
    assert (row["<unk>"] != 0).all()
    assert (row["<pad>"] == 0).all()
    np.testing.assert_array_equal(np.asarray(X)[0], [VECTORS["the"], VECTORS["cat"], VECTORS["cat"]])


def test_files_are_read_alike_by_all_processes_and_pickled_as_tables(tmp_path):
    path = write(tmp_path / "vectors.txt", lines_of(VECTORS))
    embedder = TokenEmbedder(3, vectors=path).fit(TEXTS)
    path.unlink()
    back = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(np.asarray(back.transform(TEXTS)), np.asarray(embedder.transform(TEXTS)))


def test_only_wanted_words_are_kept_the_first_of_each(tmp_path):
    path = write(tmp_path / "v.txt", ["a 1 2", ". . 3 4", "b 5 6", "a 7 8", "é 9 10"])
    found = read_vectors(path, {"a", ". .", "é", "absent"}, 2)
    assert {word: vector.tolist() for word, vector in found.items()} == {"a": [1, 2], ". .": [3, 4], "é": [9, 10]}


def test_a_first_line_of_two_numbers_is_a_header_only_as_such(tmp_path):
    path = write(tmp_path / "v.txt", ["2 1", "7 5", "a 6"])
    assert read_vectors(path, {"2", "7", "a"}, 1) == {"7": [5], "a": [6]}


@pytest.mark.parametrize(
    "lines, message",
    [
        (["the 1 2 3", "cat 1 2"], r"v\.txt, line 2: expected `dim` = 3 values for each word, got 2"),
        (["the 1 2 3", "cat 1 2 3", "dog 1 2 3 4 5"], r"v\.txt, line 3: expected `dim` = 3 .* got 5"),
        (["2 300", "the 1 2 3"], r"v\.txt, line 1: expected `dim` = 3 .* got 300"),
        (["2 3", "", "dog"], r"v\.txt, line 3: expected `dim` = 3 .* got 0"),
        (["dog 1 2 3", "cat 1 x 3"], r"v\.txt, line 2: expected finite numbers after 'cat', got '1 x 3'"),
        (["dog 1 2 3", "cat 1 nan 3"], r"v\.txt, line 2: expected finite numbers after 'cat', got '1 nan 3'"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_a_bad_line_is_named(tmp_path, lines, message, compress):
    path = write(tmp_path / "v.txt", lines, compress)
    embedder = TokenEmbedder(3).fit([["cat"]])
    before = embedder.table_
    with pytest.raises(ValueError, match=message):
        embedder.set_params(vectors=path).fit([["cat", "dog"]])
    assert embedder.table_ is before


@pytest.mark.parametrize(
    "vectors, error, message",
    [
        ("no_such_file.txt", FileNotFoundError, "'svd', the path of a file, .* got 'no_such_file.txt'"),
        ({"cat": [1.0, 2.0]}, ValueError, r"vectors of `dim` = 3 numbers, got shape \(2,\) for 'cat': set `dim`"),
        ({"cat": "abc"}, ValueError, "`vectors` must hold numbers, got 'abc' for 'cat'"),
        ({"cat": [1.0, np.inf, 2.0]}, ValueError, "`vectors` must be finite, got inf for 'cat'"),
        (pd.DataFrame([[1.0, 2.0]], index=["cat"]), ValueError, r"must have 3 columns, .* got shape \(1, 2\)"),
        (np.ones((2, 3)), ValueError, "`vectors` must be None, 'svd', a path, .* got ndarray"),
        (["cat"], ValueError, "`vectors` must be None, 'svd', a path, .* got list"),
        (3, ValueError, "`vectors` must be None, 'svd', a path, .* got int"),
    ],
)
def test_errors(vectors, error, message):
    with pytest.raises(error, match=message):
        TokenEmbedder(3, vectors=vectors).fit([["cat", "dog"]])


def test_of_a_table_with_a_word_twice_the_first_counts():
    table = pd.DataFrame([[1.0], [2.0]], index=["cat", "cat"])
    rows, found = find_vectors(table, ["cat", "dog"], 1)
    assert (rows.tolist(), found.tolist()) == ([[1.0], [0.0]], [True, False])


def test_a_vector_of_the_unknown_token_is_taken():
    embedder = TokenEmbedder(2, vectors={"<unk>": [1, 2], "<pad>": [5, 6], "a": [3, 4]}).fit([["a"]])
    assert embedder.table_.tolist() == [[0, 0], [1, 2], [3, 4]]
    assert embedder.n_vectors_found_ == 1


def test_no_vector_at_all_warns_and_stays_random():
    with pytest.warns(UserWarning, match="a vector for none of the 2 tokens of the vocabulary, such as 'cat'"):
        embedder = TokenEmbedder(3, vectors={"chat": [1, 2, 3]}).fit([["cat", "dog"]])
    assert embedder.n_vectors_found_ == 0
    assert (embedder.table_[1:] != 0).all()


def test_vectors_are_of_the_first_field():
    tokens = [[("cat", "the"), ("the", "cat")]]
    embedder = TokenEmbedder((3, 2), vectors=VECTORS, subword=None).fit(tokens)
    first, second = embedder.table_
    np.testing.assert_array_equal(first[2:], [VECTORS["cat"], VECTORS["the"]])
    assert second.shape == (4, 2)


def reference_ppmi(documents):
    """Levy, Goldberg and Dagan (2015), pair by pair: windows of 5, contexts smoothed by 3/4."""
    pairs = Counter()
    for document in documents:
        for i, j in combinations(range(len(document)), 2):
            if j - i <= 5 and document[i] > 1 and document[j] > 1:
                pairs[document[i], document[j]] += 1
                pairs[document[j], document[i]] += 1
    words = Counter()
    for (word, _), count in pairs.items():
        words[word] += count
    smoothed = {word: count**0.75 for word, count in words.items()}
    total, n_pairs = sum(smoothed.values()), sum(words.values())
    matrix = np.zeros((7, 7))
    for (word, context), count in pairs.items():
        ratio = (count / n_pairs) / (words[word] / n_pairs * smoothed[context] / total)
        matrix[word, context] = max(0.0, np.log(ratio))
    return matrix


def test_svd_vectors_reproduce_the_positive_pmi():
    rng = np.random.default_rng(0)
    documents = [list(rng.integers(1, 7, size)) for size in (9, 1, 13, 7)]
    lengths = np.array([len(document) for document in documents])
    rows, found = svd_vectors(np.concatenate(documents).astype(np.int32), lengths, 7, 7, seed=0)
    u, s, _ = np.linalg.svd(reference_ppmi(documents))
    want = u * np.sqrt(s)  # of some sign each
    want /= np.sqrt(np.mean(want[2:] ** 2))
    np.testing.assert_allclose(rows @ rows.T, want @ want.T, atol=1e-4)
    assert found.tolist() == [False] * 2 + [True] * 5
    assert np.mean(rows[2:] ** 2) == pytest.approx(1, rel=1e-5)


def test_svd_is_reproducible_and_puts_words_of_like_company_together():
    rng = np.random.default_rng(0)
    places = [["at", name, "station", "we", "met"] for name in rng.choice(["rome", "oslo", "lima"], 60)]
    sums = [["add", name, "apples", "now", "please"] for name in rng.choice(["two", "six", "ten"], 60)]
    embedder = TokenEmbedder(5, vectors="svd", random_state=3).fit(places + sums)
    again = TokenEmbedder(5, vectors="svd", random_state=3).fit(places + sums)
    np.testing.assert_array_equal(embedder.table_, again.table_)
    unit = embedder.table_ / np.maximum(np.linalg.norm(embedder.table_, axis=1, keepdims=True), 1e-9)
    rome, oslo, six = (unit[embedder.vocabulary_[word]] for word in ("rome", "oslo", "six"))
    assert rome @ oslo > 0.9
    assert abs(rome @ six) < 0.5
    assert embedder.n_vectors_found_ == 14
    assert np.mean(np.linalg.norm(embedder.table_[2:], axis=1) ** 2) == pytest.approx(1.0, rel=1e-4)


def test_svd_of_fewer_words_than_dim():
    embedder = TokenEmbedder(11, vectors="svd", random_state=0).fit([["a", "b", "c", "a", "b"], ["solo"]])
    assert embedder.table_.shape == (6, 11)
    assert np.isfinite(embedder.table_).all()
    assert embedder.n_vectors_found_ == 3
    assert (embedder.table_[embedder.vocabulary_["solo"]] != 0).all()  # no company: random


def test_svd_without_any_pair_warns():
    with pytest.warns(UserWarning, match="no document has two tokens of the vocabulary near each other"):
        TokenEmbedder(3, vectors="svd").fit([["a"], ["b"]])
