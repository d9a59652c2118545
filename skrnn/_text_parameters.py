"""What the parameters of a `TokenEmbedder` must be."""

from __future__ import annotations

import math
import numbers
import os
import re
import reprlib
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from sklearn.utils import check_random_state

from skrnn._parameters import check_bool, check_int, check_option, is_number


def check_text_parameters(given: Any) -> None:
    """Raise ValueError where an attribute of `given`, named as a parameter, is out of range; warn of unused ones."""
    for size in given.dim if isinstance(given.dim, (tuple, list)) and len(given.dim) else [given.dim]:
        check_int("dim", size, low=1)
    _check_analysis(given)
    check_bool("lowercase", given.lowercase)
    _check_pattern(given.token_pattern)
    _check_stop_words(given.stop_words)
    _check_min_df(given.min_df)
    for name in ("max_features", "max_length"):
        if getattr(given, name) is not None:
            check_int(name, getattr(given, name), low=1)
    check_option("truncate", given.truncate, ("end", "start"))
    _check_subword(given.subword)
    check_int("n_buckets", given.n_buckets, low=1)
    _check_vectors(given.vectors)
    check_bool("trainable", given.trainable)
    check_random_state(given.random_state)


def check_dims(dim: Any, n_fields: int | None) -> list[int]:
    """Return the size of the vectors of each field: `n_fields` is None for tokens that are str."""
    sizes = list(dim) if isinstance(dim, (tuple, list)) else None
    if n_fields is None:
        if sizes is not None:
            raise ValueError(f"`dim` must be an int where tokens are str, got {dim!r}.")
        return [int(dim)]
    if sizes is None or len(sizes) != n_fields:
        raise ValueError(
            f"`dim` must be a tuple of {n_fields} ints, one for each field, where tokens are tuples of {n_fields} "
            f"strings, got {dim!r}."
        )
    return [int(size) for size in sizes]


def _check_analysis(given: Any) -> None:
    if not callable(given.analyzer):
        check_option("analyzer", given.analyzer, ("word", "char", "char_wb"), also=" or a callable")
    tokenizer = given.tokenizer
    if not (tokenizer is None or callable(tokenizer) or hasattr(tokenizer, "encode")) or isinstance(tokenizer, str):
        raise ValueError(
            "`tokenizer` must be None, a callable that cuts a text into tokens, or have an `encode` whose result has "
            f"`tokens`, got {reprlib.repr(tokenizer)}."
        )
    for name in ("tokenizer", "stop_words"):
        if getattr(given, name) is not None and given.analyzer != "word":
            warnings.warn(f"`{name}` is not used: `analyzer` is not 'word'.", UserWarning, stacklevel=5)


def _check_pattern(pattern: Any) -> None:
    if pattern is None:  # what one writes beside a tokenizer
        return
    try:
        n_groups = re.compile(pattern).groups
    except (TypeError, re.error) as error:
        raise ValueError(f"`token_pattern` must be a regular expression, got {pattern!r}: {error}.") from error
    if n_groups > 1:
        raise ValueError(
            f"`token_pattern` must have at most one capturing group, got {n_groups} in {pattern!r}: write (?:...) for "
            "a group that does not capture."
        )


def _check_stop_words(stop_words: Any) -> None:
    if stop_words is None or (isinstance(stop_words, str) and stop_words == "english"):
        return
    listed = isinstance(stop_words, Iterable) and not isinstance(stop_words, str)
    if not (listed and all(isinstance(word, str) for word in stop_words)):
        raise ValueError(f"`stop_words` must be None, 'english' or a list of str, got {reprlib.repr(stop_words)}.")


def _check_min_df(min_df: Any) -> None:
    low, high = (1, math.inf) if isinstance(min_df, numbers.Integral) else (0.0, 1.0)
    if not (is_number(min_df) and low <= min_df <= high):
        raise ValueError(f"`min_df` must be an int of at least 1, or a float from 0 to 1, got {min_df!r}.")


def _check_subword(subword: Any) -> None:
    if subword is None:
        return
    good = isinstance(subword, (tuple, list)) and len(subword) == 2
    good = good and all(isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in subword)
    if not (good and 1 <= subword[0] <= subword[1]):
        raise ValueError(
            "`subword` must be None or two ints, the length of the shortest and of the longest n-grams, at least 1 and "
            f"in order, got {subword!r}."
        )


def _check_vectors(vectors: Any) -> None:
    if vectors is None or isinstance(vectors, (str, os.PathLike)) or hasattr(vectors, "iloc"):
        return
    named = hasattr(vectors, "__contains__") and hasattr(vectors, "__getitem__")
    if not named or isinstance(vectors, Sequence) or hasattr(vectors, "shape"):
        raise ValueError(
            "`vectors` must be None, 'svd', a path, a DataFrame with the tokens as its index, a dict, or have "
            f"`__contains__` and `__getitem__` of tokens, got {type(vectors).__name__}."
        )
