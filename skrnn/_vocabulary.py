"""The words that get a row of a table: counted, pruned and numbered as scikit-learn's vectorizers do."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence

import numpy as np

PAD, UNK = "<pad>", "<unk>"  # rows 0 and 1 of every table; a token of the data that reads so is unknown
_SPECIAL = (PAD, UNK)


def learn_vocabulary(
    words: Sequence[str],
    codes: np.ndarray,
    lengths: np.ndarray,
    *,
    min_df: float,
    max_features: int | None,
) -> dict[str, int]:
    """Return word -> id, padding and unknown first, then the words kept, sorted.

    A word is kept when at least `min_df` documents have it (an int: that many, a float: that share of the documents);
    of those, the `max_features` that occur most often, of equally frequent ones the first in the alphabet.

    Parameters
    ----------
    words : sequence of n_words str
        The distinct words.
    codes : ndarray of shape (n_tokens,)
        The place in `words` of each token, one document after the other.
    lengths : ndarray of shape (n_documents,)
        The number of tokens of each document.
    min_df : int or float
        The least number, or share, of documents.
    max_features : int or None
        The most words. None means no limit.

    Returns
    -------
    vocabulary : dict of str to int
        The ids, from 0 without a hole.
    """
    documents = np.repeat(np.arange(len(lengths)), lengths)  # (n_tokens,)
    once = np.unique(documents * len(words) + codes)  # each word of each document once
    n_documents_with = np.bincount(once % len(words), minlength=len(words))  # (n_words,)
    counts = np.bincount(codes, minlength=len(words))  # (n_words,)
    least = min_df if isinstance(min_df, numbers.Integral) else min_df * len(lengths)
    order = sorted(range(len(words)), key=words.__getitem__)
    kept = [i for i in order if n_documents_with[i] >= least and words[i] not in _SPECIAL]
    if max_features is not None and len(kept) > max_features:
        most = np.argsort(-counts[kept], kind="stable")[:max_features]
        kept = [kept[i] for i in np.sort(most)]
    return {word: i for i, word in enumerate([*_SPECIAL, *(str(words[i]) for i in kept)])}


def look_up(vocabulary: Mapping[str, int], words: Sequence[str]) -> np.ndarray:
    """Return (n_words,) the id of each word, that of unknown words where the vocabulary has none."""
    unknown = vocabulary[UNK]
    ids = [unknown if word == PAD else vocabulary.get(word, unknown) for word in words]
    return np.array(ids, dtype=np.int32)


def not_in(vocabulary: Mapping[str, int], words: Sequence[str]) -> np.ndarray:
    """Return the places of the words that the vocabulary has no id for."""
    return np.array([i for i, word in enumerate(words) if word not in vocabulary], dtype=np.intp)
