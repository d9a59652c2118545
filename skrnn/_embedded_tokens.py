"""Tokens and their vectors as a lazy array: ids, tables and n-gram buckets instead of (n_samples, n_steps, dim)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from skrnn._lazy_array import LazyArray

PADDING, UNKNOWN = 0, 1  # the first two rows of every table
_CHUNK = 2048  # documents, or words, gathered at once: bounds the memory beside the dense block


class TokenIds(np.ndarray):
    """Ids of tokens, an int array that says what it is."""


class EmbeddedTokens(LazyArray):
    """Documents as sequences of word vectors: a lazy array of shape (n_samples, n_steps, dim).

    A token is a row of ids, one for each of its fields. The vector of the first field is its row of ``tables[0]`` plus
    the sum of the vectors of its n-gram buckets over the root of their number; that of any other field is its row of
    that field's table; the fields stand side by side. Slices and index arrays cut the per-sample arrays and share ids
    and tables. ``np.asarray`` gives the dense block, in which a document shorter than `n_steps` ends in all-NaN steps.

    `TokenEmbedder` makes these. The estimators of this package train a copy of the tables; any other consumer sees an
    array.

    Parameters
    ----------
    flat_ids : array-like of shape (n_tokens, n_fields)
        The tokens of all documents, one document after the other. Id 0 is for padding and does not occur, id 1 is the
        unknown token. Ids of the first field that are past ``tables[0]`` are words with buckets only.
    firsts : array-like of shape (n_samples,)
        The row of `flat_ids` where each document begins.
    lengths : array-like of shape (n_samples,)
        The number of tokens of each document, at least 1: an empty document is one unknown token.
    tables : sequence of n_fields arrays of shape (n_vocab, dim)
        The vectors of each field's vocabulary, row 0 for padding (zeros), row 1 for unknown tokens.
    empty : array-like of shape (n_samples,), default=None
        Which documents had no token. None means none of them.
    truncated : array-like of shape (n_samples,), default=None
        Which documents were cut to a greatest length. None means none of them.
    bucket_table : array of shape (n_buckets, dim of the first field), default=None
        The vectors of the n-gram buckets. None means that there are none.
    bucket_starts, buckets : array-like of shape (n_ids + 1,) and (n_occurrences,), default=None
        The rows of `bucket_table` of id ``i`` of the first field: ``buckets[bucket_starts[i]:bucket_starts[i + 1]]``.
        None means that no id has any.
        ``n_ids`` is the size of the vocabulary plus the number of words past it.
    unseen : sequence of str, default=()
        The words past the vocabulary, in the order of their ids.
    n_steps : int, default=None
        The number of steps of the dense form. None means the longest document's.
    trainable : bool, default=True
        Whether an estimator may train its copy of the tables.
    fingerprint : str, default=""
        Names the vocabularies and the numbering of buckets: ids of different fingerprints mean different things. Empty
        means that of the tables.

    Attributes
    ----------
    shape : tuple
        ``(n_samples, n_steps, dim)``, the dims of all fields summed.
    dtype : dtype
        float32.
    n_fields : int
        The number of fields of a token.
    ids : ndarray of shape (n_samples, n_steps) or (n_samples, n_steps, n_fields)
        The ids with 0 as padding; the last axis is there with more than one field. They are there to be read: an array
        of a class of its own (`TokenIds`), which the estimators of this package refuse, since ids are no values.
    nbytes : int
        The bytes held: ids, tables and buckets, not the dense block.

    Raises
    ------
    ValueError
        If shapes do not fit, a document lies outside of `flat_ids`, or an id has neither a row nor buckets.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import EmbeddedTokens
    >>> table = np.array([[0.0, 0.0], [9.0, 9.0], [1.0, 2.0], [3.0, 4.0]])
    >>> X = EmbeddedTokens([[2], [3], [2], [3]], firsts=[0, 1], lengths=[1, 3], tables=[table])
    >>> X
    EmbeddedTokens(n_samples=2, n_steps=3, dim=2, n_vocab=4)
    >>> X.ids
    TokenIds([[2, 0, 0],
              [3, 2, 3]], dtype=int32)
    >>> np.asarray(X)[0]
    array([[ 1.,  2.],
           [nan, nan],
           [nan, nan]], dtype=float32)
    """

    def __init__(
        self,
        flat_ids: Any,
        firsts: Any,
        lengths: Any,
        tables: Sequence[Any],
        *,
        empty: Any = None,
        truncated: Any = None,
        bucket_table: Any = None,
        bucket_starts: Any = None,
        buckets: Any = None,
        unseen: Sequence[str] = (),
        n_steps: int | None = None,
        trainable: bool = True,
        fingerprint: str = "",
    ) -> None:
        self.flat_ids = np.asarray(flat_ids, dtype=np.int32)
        self.firsts = np.asarray(firsts, dtype=np.intp)
        self.lengths = np.asarray(lengths, dtype=np.intp)
        none = np.zeros(len(self.firsts), dtype=bool)
        self.empty = none if empty is None else np.asarray(empty, dtype=bool)
        self.truncated = none if truncated is None else np.asarray(truncated, dtype=bool)
        self.tables = tuple(np.asarray(table, dtype=np.float32) for table in tables)
        self.bucket_table = None if bucket_table is None else np.asarray(bucket_table, dtype=np.float32)
        self.unseen = tuple(unseen)
        n_ids = len(self.tables[0]) + len(self.unseen) if self.tables else 0
        self.bucket_starts = np.asarray(np.zeros(n_ids + 1) if bucket_starts is None else bucket_starts, dtype=np.intp)
        self.buckets = np.asarray(() if buckets is None else buckets, dtype=np.int32)
        self.n_steps = int(self.lengths.max(initial=1)) if n_steps is None else int(n_steps)
        self.trainable = bool(trainable)
        self.fingerprint = fingerprint or _fingerprint_of(self.tables)
        self._check()

    def _check(self) -> None:
        n_samples = len(self.firsts)
        if self.flat_ids.ndim != 2 or self.flat_ids.shape[1] != len(self.tables) or not self.tables:
            raise ValueError(
                f"`flat_ids` must have shape (n_tokens, {len(self.tables)}), one column for each table, got shape "
                f"{self.flat_ids.shape}."
            )
        for name in ("firsts", "lengths", "empty", "truncated"):
            found = getattr(self, name).shape
            if found != (n_samples,):
                raise ValueError(f"`{name}` must have shape ({n_samples},), as `firsts`, got shape {found}.")
        for table in self.tables:
            if table.ndim != 2 or len(table) < 2:
                raise ValueError(f"A table must have shape (n_vocab of at least 2, dim), got shape {table.shape}.")
        last = self.firsts + self.lengths
        if n_samples and not (self.firsts.min() >= 0 and 1 <= self.lengths.min() and last.max() <= len(self.flat_ids)):
            raise ValueError(
                f"Documents must have at least 1 token and lie within the {len(self.flat_ids)} rows of `flat_ids`, got "
                f"`lengths` from {self.lengths.min()} and ends up to {last.max()}."
            )
        if n_samples and self.lengths.max() > self.n_steps:
            raise ValueError(f"`n_steps` must be at least {self.lengths.max()}, the longest, got {self.n_steps}.")
        self._check_buckets()
        sizes = [len(table) for table in self.tables]
        sizes[0] += len(self.unseen)
        if self.flat_ids.size and (self.flat_ids.min() <= PADDING or (self.flat_ids >= sizes).any()):
            raise ValueError(
                f"Ids must be at least 1 and below {sizes}, the sizes of the vocabularies, got ids from "
                f"{self.flat_ids.min()} to {self.flat_ids.max(axis=0).tolist()}."
            )

    def _check_buckets(self) -> None:
        if self.bucket_table is None:
            if len(self.buckets) or self.unseen:
                raise ValueError("`buckets` and `unseen` need a `bucket_table`, got None.")
            return
        n_ids, dim = len(self.tables[0]) + len(self.unseen), self.tables[0].shape[1]
        if self.bucket_table.ndim != 2 or self.bucket_table.shape[1] != dim:
            raise ValueError(f"`bucket_table` must have {dim} columns, got shape {self.bucket_table.shape}.")
        if self.bucket_starts.shape != (n_ids + 1,) or self.buckets.shape != (self.bucket_starts[-1],):
            raise ValueError(
                f"`bucket_starts` must have shape ({n_ids + 1},), one more than there are ids, and end at the size of "
                f"`buckets`, got shapes {self.bucket_starts.shape} and {self.buckets.shape}."
            )
        if self.buckets.size and not 0 <= self.buckets.min() <= self.buckets.max() < len(self.bucket_table):
            raise ValueError(
                f"`buckets` must be rows of `bucket_table`, from 0 to {len(self.bucket_table) - 1}, got "
                f"{self.buckets.min()} to {self.buckets.max()}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.firsts), self.n_steps, sum(table.shape[1] for table in self.tables)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    @property
    def n_fields(self) -> int:
        return len(self.tables)

    @property
    def nbytes(self) -> int:
        parts: list[np.ndarray] = [self.flat_ids, self.firsts, self.lengths, self.empty, self.truncated, *self.tables]
        parts += [self.bucket_starts, self.buckets]
        parts += [] if self.bucket_table is None else [self.bucket_table]
        return sum(part.nbytes for part in parts)

    @property
    def ids(self) -> np.ndarray:
        ids = np.full((len(self), self.n_steps, self.n_fields), PADDING, dtype=np.int32)
        ids[self._is_token(slice(None))] = self.flat_ids[self._token_rows()]
        return (ids if self.n_fields > 1 else ids[:, :, 0]).view(TokenIds)

    def __repr__(self) -> str:
        sizes = [len(table) for table in self.tables]
        buckets = "" if self.bucket_table is None else f", n_buckets={len(self.bucket_table)}"
        n_vocab = sizes[0] if len(sizes) == 1 else sizes
        return (
            f"EmbeddedTokens(n_samples={len(self)}, n_steps={self.n_steps}, dim={self.shape[2]}, "
            f"n_vocab={n_vocab}{buckets})"
        )

    def _take(self, key: Any) -> EmbeddedTokens:
        taken = object.__new__(EmbeddedTokens)  # every check has been made
        taken.__dict__.update(self.__dict__)
        for name in ("firsts", "lengths", "empty", "truncated"):
            setattr(taken, name, getattr(self, name)[key])
        return taken

    def _is_token(self, part: slice) -> np.ndarray:
        """Return (n_samples of the part, n_steps) which steps are no padding."""
        return np.arange(self.n_steps) < self.lengths[part, None]

    def _token_rows(self) -> np.ndarray:
        """Return the rows of `flat_ids` of all documents, one document after the other."""
        return _ranges(self.firsts, self.lengths)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("EmbeddedTokens cannot become a dense array without a copy: leave `copy` at None.")
        dense = np.full(self.shape, np.nan, dtype=np.float32 if dtype is None else dtype)
        begin = 0
        for field, table in enumerate(self.tables):
            end = begin + table.shape[1]
            used, codes = np.unique(self.flat_ids[self._token_rows(), field], return_inverse=True)
            vectors = self._vectors(used, field)  # (n_used, dim of the field)
            done = 0
            for first in range(0, len(self), _CHUNK):
                part = slice(first, first + _CHUNK)
                n_tokens = int(self.lengths[part].sum())
                dense[part, :, begin:end][self._is_token(part)] = vectors[codes[done : done + n_tokens]]
                done += n_tokens
            begin = end
        return dense

    def _vectors(self, ids: np.ndarray, field: int) -> np.ndarray:
        """Return (n_ids, dim) the vectors of ids of one field."""
        table = self.tables[field]
        known = ids < len(table)
        vectors = np.zeros((len(ids), table.shape[1]), dtype=np.float32)
        vectors[known] = table[ids[known]]
        if field == 0 and self.bucket_table is not None:
            for first in range(0, len(ids), _CHUNK):
                part = slice(first, first + _CHUNK)
                vectors[part] += scaled_sum_of_buckets(self.bucket_table, *self._rows_of_buckets(ids[part]))
        return vectors

    def _rows_of_buckets(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the CSR pair (starts, buckets) of some ids of the first field."""
        begins, sizes = self.bucket_starts[ids], self.bucket_starts[ids + 1] - self.bucket_starts[ids]
        return np.concatenate([[0], np.cumsum(sizes)]), self.buckets[_ranges(begins, sizes)]

    def __reduce__(self) -> tuple:
        return _restore, self._trimmed()

    def _trimmed(self) -> tuple:
        """The state, with the tokens of these documents only, and the words past the vocabulary that occur in them."""
        firsts, document = np.unique(self.firsts, return_inverse=True)
        lengths = np.zeros(len(firsts), dtype=np.intp)
        lengths[document] = self.lengths
        state = {**self.__dict__, "flat_ids": self.flat_ids[_ranges(firsts, lengths)]}
        state["firsts"] = (np.cumsum(lengths) - lengths)[document]
        if self.unseen:
            n_vocab, ids = len(self.tables[0]), state["flat_ids"][:, 0]
            past = np.unique(ids[ids >= n_vocab])
            renumbered = np.arange(n_vocab + len(self.unseen), dtype=np.int32)
            renumbered[past] = n_vocab + np.arange(len(past))
            state["flat_ids"][:, 0] = renumbered[ids]
            state["unseen"] = tuple(self.unseen[i - n_vocab] for i in past)
            kept = np.concatenate([np.arange(n_vocab), past])
            state["bucket_starts"], state["buckets"] = self._rows_of_buckets(kept)
        return (state,)


def _fingerprint_of(tables: Sequence[np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        digest.update(repr(table.shape).encode() + np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()


def scaled_sum_of_buckets(table: np.ndarray, starts: np.ndarray, buckets: np.ndarray) -> np.ndarray:
    """Return (n_words, dim) the sum of each word's bucket vectors over the root of their number, zeros without any.

    Unrelated vectors then add up to the same length whatever their number; a mean would leave long words shorter.

    The buckets of word ``i`` are ``buckets[starts[i]:starts[i + 1]]``, rows of `table`.
    """
    sizes = np.diff(starts)
    filled = sizes > 0
    sums = np.zeros((len(sizes), table.shape[1]), dtype=table.dtype)
    if filled.any():
        sums[filled] = np.add.reduceat(table[buckets], starts[:-1][filled], axis=0)
        sums[filled] /= np.sqrt(sizes[filled, None]).astype(table.dtype)
    return sums


def _ranges(begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return ``begin, begin + 1, ..., begin + size - 1`` of all pairs, one after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(sizes.sum(), dtype=np.intp) + np.repeat(begins - before, sizes)


def _restore(state: dict[str, Any]) -> EmbeddedTokens:
    restored = object.__new__(EmbeddedTokens)
    restored.__dict__.update(state)
    return restored
