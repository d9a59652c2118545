"""Vectors of words that exist already, or that the texts themselves give: mappings, tables, files, PMI."""

from __future__ import annotations

import gzip
import os
import reprlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD

_SPAN = 5  # words on either side that count as the context of a word
_SMOOTHING = 0.75  # exponent of context counts: rare contexts weigh less (Levy, Goldberg, Dagan 2015)


def find_vectors(vectors: Any, words: Sequence[str], dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of words, and which words have one.

    A word that is not there is looked up in lower case.

    Parameters
    ----------
    vectors : DataFrame, path, or anything with ``__contains__`` and ``__getitem__``
        The vectors: a table with words as its index, a file that `read_vectors` reads, or a mapping.
    words : sequence of n_words str
        The words.
    dim : int
        The size that each vector must have.

    Returns
    -------
    rows : ndarray of shape (n_words, dim), float32
        The vectors, zeros where there is none.
    found : ndarray of shape (n_words,), bool
        Which words have a vector.

    Raises
    ------
    ValueError
        If a vector has another size, is not made of numbers, or is not finite.
    """
    if isinstance(vectors, (str, os.PathLike)):
        wanted = {form for word in words for form in (word, word.lower())}
        vectors = read_vectors(vectors, wanted, dim)
    elif hasattr(vectors, "iloc"):
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise ValueError(f"`vectors` must have {dim} columns, as `dim` says, got shape {vectors.shape}.")
        table = vectors[~vectors.index.duplicated()]
        vectors = dict(zip(table.index, table.to_numpy(), strict=True))
    rows = np.zeros((len(words), dim), dtype=np.float32)
    found = np.zeros(len(words), dtype=bool)
    for i, word in enumerate(words):
        form = word if word in vectors else word.lower()
        if form in vectors:
            rows[i], found[i] = _vector(vectors[form], form, dim), True
    return rows, found


def _vector(value: Any, word: str, dim: int) -> np.ndarray:
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`vectors` must hold numbers, got {reprlib.repr(value)} for {word!r}.") from error
    if vector.shape != (dim,):
        raise ValueError(
            f"`vectors` must hold vectors of `dim` = {dim} numbers, got shape {vector.shape} for {word!r}: set `dim` "
            "to the size of the vectors."
        )
    if not np.isfinite(vector).all():
        raise ValueError(f"`vectors` must be finite, got {vector[~np.isfinite(vector)][0]} for {word!r}.")
    return vector


def read_vectors(path: str | os.PathLike[str], wanted: set[str], dim: int) -> dict[str, np.ndarray]:
    """Read the vectors of some words from a text file: a word and its `dim` numbers in each line.

    This is the form of word2vec (with a first line of the number of words and of the size) and of GloVe (without).
    The file, also one compressed by gzip, is read line by line; only wanted words are kept, of a word that is there
    twice the first.

    Parameters
    ----------
    path : str or path
        The file, utf-8.
    wanted : set of str
        The words.
    dim : int
        The size of the vectors.

    Returns
    -------
    vectors : dict of str to ndarray of shape (dim,)
        The vectors found.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line has another number of values, or something else than finite numbers; names the line.
    """
    keys = {word.encode("utf-8", "surrogatepass"): word for word in wanted}
    vectors: dict[str, np.ndarray] = {}
    with _open(path) as file:
        for number, word, values in _lines(file, dim, path):
            if word in keys and keys[word] not in vectors:
                vectors[keys[word]] = _numbers(values, word, path, number)
    return vectors


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`vectors` must be 'svd', the path of a file, or hold vectors itself, got {os.fspath(path)!r}, and there "
            "is no such file."
        ) from error
    return cast(IO[bytes], gzip.open(path, "rb") if compressed else open(path, "rb"))


def _lines(file: IO[bytes], dim: int, path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, word and values of each line, each line's number of values checked."""
    for number, line in enumerate(file, start=1):
        line = line.removeprefix(BOM_UTF8 if number == 1 else b"").rstrip()
        if number == 1 and _is_header(line):
            _check_count(int(line.split()[1]), dim, path, number)
        elif line and line.count(b" ") == dim:  # the usual line: nothing is split that is not wanted
            word, _, values = line.partition(b" ")
            yield number, word, values
        elif line:
            parts = line.split()
            n_values = len(parts) - 1
            while n_values > dim and not _is_number(parts[len(parts) - n_values]):  # a word with spaces
                n_values -= 1
            _check_count(n_values, dim, path, number)
            yield number, b" ".join(parts[:-dim]), b" ".join(parts[-dim:])


def _is_header(line: bytes) -> bool:
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _is_number(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True


def _check_count(n_values: int, dim: int, path: str | os.PathLike[str], number: int) -> None:
    if n_values != dim:
        raise ValueError(
            f"{os.fspath(path)}, line {number}: expected `dim` = {dim} values for each word, got {n_values}: set `dim` "
            "to the size of the vectors, or mend the line."
        )


def _numbers(values: bytes, word: bytes, path: str | os.PathLike[str], number: int) -> np.ndarray:
    try:
        vector = np.array(values.split(), dtype=np.float32)
    except ValueError:
        vector = np.array([np.nan])
    if not np.isfinite(vector).all():
        shown = word.decode("utf-8", "replace")
        raise ValueError(
            f"{os.fspath(path)}, line {number}: expected finite numbers after {shown!r}, got "
            f"{reprlib.repr(values.decode('utf-8', 'replace'))}."
        )
    return vector


def svd_vectors(
    ids: np.ndarray, lengths: np.ndarray, n_vocab: int, dim: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of words that stand for the company they keep: positive PMI and a truncated SVD.

    ``PPMI = max(0, log(P(word, context) / (P(word) P_.75(context))))`` over pairs of words of a document that are at
    most 5 tokens apart; the vectors are ``U sqrt(S)`` of its largest singular values. Levy and Goldberg (2014),
    Neural word embedding as implicit matrix factorization; the exponents are those of Levy, Goldberg and Dagan (2015),
    Improving distributional similarity with lessons learned from word embeddings, section 3.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,)
        The words, one document after the other. Ids below 2 or past the vocabulary are no words, but keep their place.
    lengths : ndarray of shape (n_documents,)
        The number of tokens of each document.
    n_vocab : int
        The number of ids, padding and unknown included.
    dim : int
        The size of the vectors. Columns past the number of words are zeros.
    seed : int
        Starts the randomised SVD.

    Returns
    -------
    rows : ndarray of shape (n_vocab, dim), float32
        The vectors, with a mean square of 1 over the numbers of the words found.
    found : ndarray of shape (n_vocab,), bool
        Which words have a vector: those with company.
    """
    ppmi = _positive_pmi(_pairs(ids, lengths, n_vocab))
    rows = np.zeros((n_vocab, dim), dtype=np.float32)
    n_components = min(dim, n_vocab)
    if ppmi.nnz:
        svd = TruncatedSVD(n_components, random_state=seed)
        scores = svd.fit_transform(ppmi)  # (n_vocab, n_components), U S
        roots = np.sqrt(svd.singular_values_)
        rows[:, :n_components] = scores / np.where(roots > 1e-6 * roots[0], roots, np.inf)
    found = (rows != 0).any(axis=1)
    if found.any():
        rows /= np.sqrt(np.mean(rows[found] ** 2))
    return rows, found


def _pairs(ids: np.ndarray, lengths: np.ndarray, n_vocab: int) -> csr_array:
    """Return (n_vocab, n_vocab) how often two words stand at most `_SPAN` tokens apart in a document; symmetric."""
    documents = np.repeat(np.arange(len(lengths)), lengths)  # (n_tokens,)
    is_word = (ids > 1) & (ids < n_vocab)
    counts = csr_array((n_vocab, n_vocab), dtype=np.float64)
    for distance in range(1, _SPAN + 1):
        near = documents[:-distance] == documents[distance:]
        near &= is_word[:-distance] & is_word[distance:]
        left, right = ids[:-distance][near], ids[distance:][near]
        counts += csr_array((np.ones(len(left)), (left, right)), shape=counts.shape)
    return csr_array(counts + counts.T)


def _positive_pmi(counts: csr_array) -> csr_array:
    """Return the positive pointwise mutual information of counts of words (rows) and contexts (columns)."""
    pairs = counts.tocoo()
    of_words = np.bincount(pairs.row, pairs.data, minlength=counts.shape[0])
    of_contexts = np.bincount(pairs.col, pairs.data, minlength=counts.shape[1]) ** _SMOOTHING
    pmi = np.log(pairs.data * of_contexts.sum() / (of_words[pairs.row] * of_contexts[pairs.col]))
    positive = pmi > 0
    return csr_array((pmi[positive], (pairs.row[positive], pairs.col[positive])), shape=counts.shape)
