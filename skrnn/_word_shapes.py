"""A word in any spelling is one word, and how it is spelled a field of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

TOKEN_PATTERN = r"\w+|[^\w\s]"
LONGEST_RUN = 2  # of one kind of character in a shape
LONGEST_SHAPE = 8
_DIGIT = re.compile(r"\d")


def words_with_shapes(
    X: Iterable[Any], *, fold_digits: bool = True, token_pattern: str = TOKEN_PATTERN
) -> list[list[tuple[str, ...]]]:
    """Split each word of texts or sentences into two fields: the word in lower case, and its shape.

    "Paris", "paris" and "PARIS" share what is learned of the word, and names, abbreviations and numbers are still told
    apart by their shapes, which unseen words have too (Collobert et al. 2011, section 4.1.2). Of a capital letter the
    shape is X, of another letter x, of a digit d, of any other character itself; more than two of a kind in a row count
    as two. For `TokenEmbedder`, whose `dim` then has one int for each field, as a step of its own in front of it.

    Parameters
    ----------
    X : iterable of str, of lists of str, or of lists of tuples of str
        Texts, which are cut into words first, or sentences. Of tuples the first field is the word; the others follow
        the shape.
    fold_digits : bool, default=True
        Write every digit of a word as 0: prices, dates and telephone numbers are seldom seen twice, but their lengths
        and places are.
    token_pattern : str, default=r"\\w+|[^\\w\\s]"
        What is a word of a text.

    Returns
    -------
    list of lists of tuples of str
        ``(word, shape, ...)`` for each word; what is neither text nor list stays as it is, so that `TokenEmbedder` can
        name it.

    Raises
    ------
    ValueError
        X is one text.

    References
    ----------
    Collobert et al., Natural Language Processing (Almost) from Scratch, JMLR 12, 2011.

    Examples
    --------
    >>> from skrnn import words_with_shapes
    >>> words_with_shapes(["Win 500 now!", "See you in PARIS"])[0]
    [('win', 'Xxx'), ('000', 'dd'), ('now', 'xx'), ('!', '!')]

    In a pipeline:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skrnn import TokenEmbedder
    >>> embed = make_pipeline(FunctionTransformer(words_with_shapes), TokenEmbedder(dim=(64, 16), random_state=0))
    >>> embed.fit_transform(["Win 500 now!", "See you in PARIS"]).shape
    (2, 4, 80)
    """
    if isinstance(X, str):
        raise ValueError(f"X must be a list of texts or sentences, got one text: {X!r:.60}. Pass [text].")
    cut = re.compile(token_pattern).findall

    def split(document: Any) -> Any:
        words = cut(document) if isinstance(document, str) else document
        if not isinstance(words, (list, tuple)):
            return document
        return [_split_word(word, fold_digits) for word in words]

    return [split(document) for document in X]


def _split_word(word: Any, fold_digits: bool) -> Any:
    others: tuple[Any, ...] = ()
    if isinstance(word, tuple) and word:
        word, *rest = word
        others = tuple(rest)
    if not isinstance(word, str):
        return (word, *others) if others else word
    lower = word.lower()
    return (_DIGIT.sub("0", lower) if fold_digits else lower, word_shape(word), *others)


def word_shape(word: str) -> str:
    """The kinds of the characters of a word: see `words_with_shapes`."""
    shape = ""
    for character in word:
        kind = "d" if character.isdigit() else "X" if character.isupper() else "x" if character.isalpha() else character
        if shape[-LONGEST_RUN:] != kind * LONGEST_RUN:
            shape += kind
    return shape[:LONGEST_SHAPE]
