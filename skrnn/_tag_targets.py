"""A label for each step, as users pass it <-> blocks of class numbers, and labels back in lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrnn._validation import Sequences


def tag_counts(sequences: Sequences) -> np.ndarray:
    """How many tags each sequence has: its steps without padding, 0 for a sentence without tokens, (n_samples,)."""
    tokens = sequences.tokens
    return sequences.lengths if tokens is None else np.where(tokens.empty, 0, sequences.lengths)


def check_whole(sequences: Sequences) -> None:
    """Raise ValueError where a sentence was cut, so that some of its tokens would have no tag."""
    tokens = sequences.tokens
    if tokens is not None and tokens.truncated.any():
        sentence = int(np.argmax(tokens.truncated))
        raise ValueError(
            f"Sentence {sentence} of X was cut to {sequences.lengths[sentence]} tokens by max_length, and a tagger "
            "must see every token that has a tag. Set TokenEmbedder(max_length=None), or split long sentences."
        )


def joined_tags(y: Any, sequences: Sequences, name: str, estimator_name: str) -> np.ndarray:
    """All tags one after the other, (n_tags,) object; None where unknown.

    Parameters
    ----------
    y : sequence of n_samples sequences of labels
        For a 3-D X with padding a row may also have a label for each step of X; those at padding are left out.
    sequences : Sequences
    name, estimator_name : str
        For messages.

    Raises
    ------
    ValueError
        y is missing or no list of lists, or a sentence has more or fewer tags than tokens (the first one is named).
    """
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise ValueError(f"{name} must be a list that holds a list of tags for each sentence of X, got {y!r}.")
    if hasattr(y, "columns"):
        y = y.to_numpy()  # a frame is iterated by its columns
    if len(y) != len(sequences):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {len(sequences)} sentences and {name} "
            f"has {len(y)} lists of tags. Every sentence needs one."
        )
    counts, leading = tag_counts(sequences), sequences.leading
    passed = [sequences.n_steps] * len(sequences) if sequences.passed_steps is None else sequences.passed_steps
    tags: list[Any] = []
    for i, row in enumerate(y):
        if not _is_flat(row):
            raise ValueError(
                f"Sentence {i} of {name} must be a list of tags, one for each token, got {row!r}. For one label for "
                "a whole sequence take RNNClassifier."
            )
        count = int(counts[i])
        if len(row) == count:
            tags.extend(row)
        elif sequences.tokens is None and len(row) == passed[i]:  # a label at padding, too
            tags.extend(list(row)[leading[i] : leading[i] + count])
        else:
            raise ValueError(
                f"Sentence {i} has {count} token(s) in X and {len(row)} tag(s) in {name}: every token needs one (None "
                "where it is unknown)."
            )
    joined = np.empty(len(tags), dtype=object)
    joined[:] = tags
    return joined


def _is_flat(row: Any) -> bool:
    """Whether one row of y holds tags, and neither is one nor holds lists of them."""
    if isinstance(row, (str, bytes)) or not hasattr(row, "__len__"):
        return False
    return not any(isinstance(tag, (list, tuple, np.ndarray)) for tag in row)


def tag_block(codes: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Class numbers one after the other -> (n_samples, n_steps, 1), NaN at padding."""
    block = np.full((len(sequences), sequences.n_steps), np.nan)
    block[np.arange(sequences.n_steps) < tag_counts(sequences)[:, None]] = codes
    return block[..., None]


def in_lists(rows: list[Any]) -> np.ndarray:
    """An object array of shape (n_samples,) that holds the rows, also where all are of one length."""
    ragged = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        ragged[i] = row
    return ragged
