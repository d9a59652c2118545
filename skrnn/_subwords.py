"""Character n-grams of words, hashed into buckets: what an unseen word shares with known ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils import murmurhash3_32


def ngrams(word: str, shortest: int, longest: int) -> list[str]:
    """Return the character n-grams of a word in its brackets, the whole of it left out.

    Bojanowski et al. (2017), Enriching word vectors with subword information, section 3.2. An n-gram that occurs twice
    is there twice.

    >>> ngrams("where", 3, 4)
    ['<wh', 'whe', 'her', 'ere', 're>', '<whe', 'wher', 'here', 'ere>']
    >>> ngrams("a", 3, 5)
    []
    """
    bracketed = f"<{word}>"
    size = len(bracketed)
    longest = min(longest, size - 1)
    return [bracketed[i : i + n] for n in range(shortest, longest + 1) for i in range(size - n + 1)]


def hashed_ngrams(words: Sequence[str], subword: tuple[int, int], n_buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of each word's n-grams as a CSR pair.

    The hash of an n-gram is MurmurHash3 of its utf-8 bytes, modulo `n_buckets`: the same in every process.

    Parameters
    ----------
    words : sequence of n_words str
        The words.
    subword : tuple of two ints
        The length of the shortest and of the longest n-grams.
    n_buckets : int
        The number of hashes.

    Returns
    -------
    starts : ndarray of shape (n_words + 1,)
        Where the hashes of each word begin.
    hashes : ndarray of shape (n_occurrences,)
        The hashes, from 0 to ``n_buckets - 1``.
    """
    known: dict[str, int] = {}
    hashes: list[int] = []
    starts = np.zeros(len(words) + 1, dtype=np.intp)
    for i, word in enumerate(words):
        for ngram in ngrams(word, *subword):
            bucket = known.get(ngram)
            if bucket is None:
                key = ngram.encode("utf-8", "surrogatepass")
                bucket = known[ngram] = murmurhash3_32(key, positive=True) % n_buckets
            hashes.append(bucket)
        starts[i + 1] = len(hashes)
    return starts, np.array(hashes, dtype=np.int64)


class Subwords:
    """The buckets that the n-grams of some words fall into, numbered; other n-grams have none.

    Parameters
    ----------
    subword : tuple of two ints
        The length of the shortest and of the longest n-grams.
    n_buckets : int
        The number of hashes.
    words : sequence of n_ids str
        The words of a vocabulary, in the order of their ids. The first `n_special` stand for no word.
    others : sequence of str
        Words without an id whose buckets are numbered too.
    n_special : int
        How many ids have no n-grams.

    Attributes
    ----------
    used : ndarray of shape (n_used_buckets,)
        The hashes that occur, sorted: a bucket's number is its place here.
    starts, buckets : ndarrays of shape (n_ids + 1,) and (n_occurrences,)
        The numbers of the buckets of each id, a CSR pair.
    """

    def __init__(
        self, subword: tuple[int, int], n_buckets: int, words: Sequence[str], others: Sequence[str], n_special: int
    ) -> None:
        self.subword = subword
        self.n_buckets = n_buckets
        known = words[n_special:]
        self.used = np.unique(hashed_ngrams([*known, *others], subword, n_buckets)[1])
        starts, self.buckets = self._buckets_of(known)
        self.starts = np.concatenate([np.zeros(n_special, dtype=np.intp), starts])

    def _buckets_of(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the buckets of each word, a CSR pair, n-grams without one left out."""
        starts, hashes = hashed_ngrams(words, self.subword, self.n_buckets)
        rows = np.searchsorted(self.used, hashes)
        found = np.zeros(len(hashes), dtype=bool)
        inside = rows < len(self.used)
        found[inside] = self.used[rows[inside]] == hashes[inside]
        kept_before = np.concatenate([[0], np.cumsum(found)])  # (n_occurrences + 1,)
        return kept_before[starts], rows[found].astype(np.int32)

    def with_unseen(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (n_words,) which words have a bucket, and the CSR pair with these words behind the vocabulary."""
        starts, buckets = self._buckets_of(words)
        has_one = np.diff(starts) > 0
        joined = np.concatenate([self.starts, self.starts[-1] + starts[1:][has_one]])
        return has_one, joined, np.concatenate([self.buckets, buckets])
