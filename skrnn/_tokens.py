"""Texts, or lists of tokens, as codes of distinct tokens: every message about documents is here."""

from __future__ import annotations

import reprlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np


class Tokens(NamedTuple):
    """The tokens of documents, one document after the other.

    `distinct` holds each distinct token once, in the order of first appearance, `codes` (n_tokens,) the place of each
    token in it. `lengths` (n_documents,) counts the tokens of each document, 0 included; `truncated` (n_documents,)
    says which were cut. `n_fields` is None for tokens that are str, else the size of their tuples; a document without
    tokens says nothing, so it is also None where there is no token at all. `n_texts` counts the documents that were
    texts.
    """

    distinct: list[Any]
    codes: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray
    n_fields: int | None
    n_texts: int

    @property
    def of_texts(self) -> bool | None:
        """Whether all documents were texts (True) or none (False); None where some were."""
        return {0: False, len(self.lengths): True}.get(self.n_texts)

    def fields(self) -> list[tuple[list[str], np.ndarray]]:
        """Return for each field its distinct words, and for each token (n_tokens,) the place of its word in them."""
        if self.n_fields is None:
            return [(self.distinct, self.codes)]
        split = []
        for field in range(self.n_fields):
            places = _places()
            of_distinct = np.array([places[token[field]] for token in self.distinct], dtype=np.intp)
            split.append((list(places), of_distinct[self.codes]))
        return split


def read_tokens(X: Any, analyze: Callable[[str], Iterable[Any]], max_length: int | None, *, keep_end: bool) -> Tokens:
    """Return the tokens of documents: those of `analyze` for a text, a list or tuple of tokens as it is.

    Where a document has more than `max_length` tokens, the first of them are kept, or with `keep_end` the last.
    """
    _check_container(X)
    places = _places()
    codes: list[np.ndarray] = []
    truncated: list[bool] = []
    n_fields: int | None = None
    n_texts = 0
    for i, document in enumerate(X):
        tokens = _tokens_of(document, analyze, i, X)
        n_texts += isinstance(document, str)
        truncated.append(max_length is not None and len(tokens) > max_length)
        if truncated[-1]:
            tokens = tokens[-max_length:] if keep_end else tokens[:max_length]  # type: ignore[operator]
        n_before = len(places)
        if n_before == 0 and tokens and isinstance(tokens[0], tuple):
            n_fields = len(tokens[0])
        try:
            codes.append(np.fromiter(map(places.__getitem__, tokens), dtype=np.intp, count=len(tokens)))
        except TypeError:  # a token that has no hash, so neither a str nor a tuple of them
            _check_tokens(tokens, n_fields, i, document)
            raise
        if len(places) > n_before:  # a token that occurred before was checked there
            _check_tokens(tokens, n_fields, i, document)
    lengths = np.array([len(part) for part in codes], dtype=np.intp)
    joined = np.concatenate(codes) if codes else np.empty(0, dtype=np.intp)
    return Tokens(list(places), joined, lengths, np.array(truncated, dtype=bool), n_fields, n_texts)


def _places() -> defaultdict[Any, int]:
    """A dict that gives each new key the next int."""
    places: defaultdict[Any, int] = defaultdict()
    places.default_factory = places.__len__
    return places


def _check_container(X: Any) -> None:
    """Raise where X is no iterable of documents."""
    expected = "X must be a list, Series or 1-D array of texts or of lists of tokens"
    if isinstance(X, (str, bytes)):
        raise ValueError(f"{expected}, got the bare {type(X).__name__} {reprlib.repr(X)}: pass [text].")
    shape = getattr(X, "shape", None)
    if hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
        remedy = f'pass df["{names[0]}"]' if len(names) == 1 else 'pass the column that holds the texts, df["..."]'
        raise ValueError(f"{expected}, got a {type(X).__name__} with the columns {names}: {remedy}.")
    if isinstance(shape, tuple) and len(shape) != 1:
        found = f"{type(X).__name__} of shape {shape}"
        remedy = "pass X[:, 0] for one column of texts, or X.tolist() where each row is a list of tokens"
        if getattr(getattr(X, "dtype", None), "kind", "O") in "iu":
            remedy = "ids of tokens are not taken, pass the tokens themselves as lists of str"
        elif not shape:
            remedy = "pass [text]"
        raise ValueError(f"{expected}, got {found}: {remedy}.")
    if isinstance(X, (Mapping, Set)) or not isinstance(X, Iterable):
        raise ValueError(f"{expected}, got {type(X).__name__}: pass list(...) in the order of y.")


def _tokens_of(document: Any, analyze: Callable[[str], Iterable[Any]], i: int, X: Any) -> Any:
    """Return the sequence of tokens of document `i` of X, or raise."""
    if isinstance(document, str):
        tokens = analyze(document)
        if isinstance(tokens, (list, tuple)):
            return tokens
        if isinstance(tokens, (str, bytes, Mapping)) or not isinstance(tokens, Iterable):
            raise ValueError(f"The analyzer or tokenizer must give a list of tokens, got {type(tokens).__name__}.")
        return list(tokens)
    if isinstance(document, (list, tuple)):
        return document
    if isinstance(document, np.ndarray) and document.ndim == 1 and document.dtype.kind in "OUT":
        return document.tolist()
    where = f"document {i}"
    if hasattr(X, "iloc"):
        where += f" (index {reprlib.repr(X.index[i])})"
    if _is_missing(document):
        raise ValueError(f'X must not have missing documents, got {document!r} as {where}: use fillna("") or dropna().')
    remedy = "; use document.decode() for text" if isinstance(document, bytes) else ""
    raise ValueError(
        f"A document must be a text (str) or a list of tokens, got {reprlib.repr(document)} of type "
        f"{type(document).__name__} as {where}{remedy}."
    )


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas need not be there to know its own
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _check_tokens(tokens: Any, n_fields: int | None, i: int, document: Any) -> None:
    """Raise where a token of document `i` is not a str, or no tuple of `n_fields` of them."""
    wanted = "a str, or in all documents alike a tuple of them"
    if n_fields is not None:
        wanted = f"a tuple of {max(n_fields, 1)} str, as the first of all is"
    source = f"{i}, as the analyzer or tokenizer gives it" if isinstance(document, str) else f"{i}"
    for position, token in enumerate(tokens):
        if n_fields is None:
            good = isinstance(token, str)
        else:
            good = isinstance(token, tuple) and len(token) == n_fields > 0
            good = good and all(isinstance(word, str) for word in token)
        if not good:
            raise ValueError(
                f"A token must be {wanted}, got {reprlib.repr(token)} of type {type(token).__name__} at position "
                f"{position} of document {source}."
            )
