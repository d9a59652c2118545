"""Sentences of a small artificial language, whose tags follow from endings and the order of words."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skrnn._parameters import check_float, check_int

_SYLLABLES = [consonant + vowel for vowel in "aeiou" for consonant in "bdfgklmnprstvz"]
_ENDINGS = {"noun": "on", "modifier": "ik", "verb": "as"}
_ARTICLES = ("la", "un", "tis")
_PASSIVE = "ke"  # the last word of a sentence in which those before the verb suffer
_N_COMMON = 20  # stems that all kinds of words share


def make_tagged_sentences(
    n_samples: int = 1000, *, new_words: float = 0.3, random_state: Any = 42
) -> tuple[list[list[str]], list[list[str]]]:
    """Make sentences of an artificial language and the tags of their words: who acts, and who suffers it.

    A sentence is one or two noun phrases, a verb (``-as``), and one or two noun phrases. A noun phrase is an article
    (``la``, ``un``, ``tis``) or none, up to two modifiers (``-ik``) and a noun (``-on``); it is a span of the type
    AGENT before the verb and PATIENT behind it. Where the sentence ends with the word ``ke``, it is the other way
    round. One modifier may also stand alone, before the verb or behind the last noun phrase, outside of all spans.

    So the tags follow from the words without an error, but not word by word:

    * the ending tells the kind of a word, also of one that was never seen;
    * a noun phrase begins behind a noun, so the word before tells B from I;
    * a modifier belongs to a noun phrase if a noun follows, so the words behind it tell I from O;
    * the verb, before or behind, and the last word tell AGENT from PATIENT.

    What looks at the ending of each word alone gets .46 of the tags right; what looks at all words up to the present
    one .61.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of sentences, at least 1.
    new_words : float, default=0.3
        Share of the nouns, modifiers and verbs whose stem is made up, one of 343,000; the others have one of 20 common
        stems. The language is the same in every call, so that sentences of other seeds test what was learned.
    random_state : int, RandomState instance or None, default=42
        Seed of all that is drawn. An int gives the same sentences in every call.

    Returns
    -------
    sentences : list of n_samples lists of str
        The words.
    tags : list of n_samples lists of str
        ``"B-AGENT"``, ``"I-AGENT"``, ``"B-PATIENT"``, ``"I-PATIENT"`` or ``"O"`` for each word.

    Raises
    ------
    ValueError
        If `n_samples` is not an int of at least 1, or `new_words` is not between 0 and 1.

    See Also
    --------
    read_conll : Sentences and tags from a file.

    Examples
    --------
    >>> from skrnn.datasets import make_tagged_sentences
    >>> sentences, tags = make_tagged_sentences(100)
    >>> for word, tag in zip(sentences[12], tags[12]):
    ...     print(word, tag)
    vokeon B-PATIENT
    kepazeik O
    duleas O
    la B-AGENT
    serosoon I-AGENT
    ke O
    """
    check_int("n_samples", n_samples, low=1)
    check_float("new_words", new_words, low=0, high=1)
    rng = check_random_state(random_state)
    drawn = [_sentence(rng, new_words) for _ in range(n_samples)]
    return [words for words, _ in drawn], [tags for _, tags in drawn]


def _sentence(rng: np.random.RandomState, new_words: float) -> tuple[list[str], list[str]]:
    passive = rng.uniform() < 0.5
    roles = ("PATIENT", "AGENT") if passive else ("AGENT", "PATIENT")
    pairs = _noun_phrases(rng, roles[0], new_words)
    pairs += _alone(rng, new_words)
    pairs.append((_word(rng, "verb", new_words), "O"))
    pairs += _noun_phrases(rng, roles[1], new_words)
    pairs += _alone(rng, new_words)
    if passive:
        pairs.append((_PASSIVE, "O"))
    words, tags = zip(*pairs, strict=True)
    return list(words), list(tags)


def _noun_phrases(rng: np.random.RandomState, role: str, new_words: float) -> list[tuple[str, str]]:
    pairs = []
    for _ in range(rng.randint(1, 3)):
        words = [_ARTICLES[rng.randint(len(_ARTICLES))]] if rng.uniform() < 0.5 else []
        words += [_word(rng, "modifier", new_words) for _ in range(rng.randint(3))]
        words.append(_word(rng, "noun", new_words))
        pairs += [(word, f"{'I' if i else 'B'}-{role}") for i, word in enumerate(words)]
    return pairs


def _alone(rng: np.random.RandomState, new_words: float) -> list[tuple[str, str]]:
    """A modifier outside of noun phrases, or nothing."""
    return [(_word(rng, "modifier", new_words), "O")] if rng.uniform() < 0.5 else []


def _word(rng: np.random.RandomState, kind: str, new_words: float) -> str:
    if rng.uniform() < new_words:
        stem = "".join(_SYLLABLES[i] for i in rng.randint(len(_SYLLABLES), size=3))
    else:
        number = rng.randint(_N_COMMON)
        stem = _SYLLABLES[3 * number] + _SYLLABLES[number]
    return stem + _ENDINGS[kind]
