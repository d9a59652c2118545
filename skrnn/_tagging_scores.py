"""Scores of a label for each token: the share of right tokens, and the F1 of the labelled spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skrnn._known_targets import row_weights
from skrnn._parameters import check_option

_SCHEMES = {"IOB2": "BIO", "IOBES": "BIOES"}  # scheme: what its labels begin with


def token_accuracy(y_true, y_pred, *, sample_weight=None):
    """Share of the tokens whose label is right, over all sentences together.

    Parameters
    ----------
    y_true : sequence of n_samples sequences of labels
        The labels of each sentence; None or NaN where one is unknown, which is left out.
    y_pred : sequence of n_samples sequences of labels
        One label for each of those tokens.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sentence, which all of its tokens have.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If nothing is known, a sentence is not a sequence of labels, or it has more or fewer labels in `y_pred` than
        in `y_true`.

    See Also
    --------
    span_f1 : For labels that mark spans of tokens.

    Examples
    --------
    >>> from skrnn.metrics import token_accuracy
    >>> token_accuracy([["DET", "NOUN"], ["VERB", None]], [["DET", "VERB"], ["VERB", "NOUN"]])
    0.6666666666666666
    """
    right = known = 0.0
    for truth, prediction, weight in _sentences(y_true, y_pred, sample_weight):
        of_known = [t == p for t, p in zip(truth, prediction, strict=True) if not _is_unknown(t)]
        right += weight * sum(map(bool, of_known))
        known += weight * len(of_known)
    if known == 0:
        raise ValueError(
            "`y_true` must hold at least one known label (in a sentence with a weight other than 0), "
            f"got {len(y_true)} sentences without one."
        )
    return right / known


def span_f1(y_true, y_pred, *, scheme="IOBES", sample_weight=None):
    """F1 of labelled spans: the harmonic mean of precision and recall over the spans of all types together.

    A span is right when its first token, its last token and its type are right. It is the FB1 of the CoNLL-2000 shared
    task's script, as a share instead of percent.

    Parameters
    ----------
    y_true : sequence of n_samples sequences of str
        The labels of each sentence, all known: ``"B-NP"`` at the first token of a span of the type NP, ``"I-NP"``
        at the others, ``"O"`` outside of all spans. The type is what follows the first dash and may have dashes of
        its own.
    y_pred : sequence of n_samples sequences of str
        One label for each of those tokens.
    scheme : {"IOBES", "IOB2"}, default="IOBES"
        What labels may begin with. "IOBES" has ``"E-"`` at the last token of a span and ``"S-"`` at a single one.
        Labels of IOB2 are labels of IOBES too and count the same either way, so the default reads both; "IOB2"
        refuses E and S.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sentence, which all of its spans have.

    Returns
    -------
    float
        Between 0 and 1; 0 where there is no span at all, as the script has it.

    Raises
    ------
    ValueError
        If a sentence is not a sequence of labels, has more or fewer labels in `y_pred` than in `y_true`, or holds a
        label that is unknown or not of the scheme.

    See Also
    --------
    span_scores : Precision, recall and F1 of each type.
    token_accuracy : For labels that stand for themselves.

    Notes
    -----
    Labels in an order that no scheme allows are read as the script [1]_ reads them: a span begins at ``"I-X"`` (or
    ``"E-X"``) where the token before is outside or of another type, and ends where the next one is.
    The script knows no ``"S"``, and no ``"B"`` behind an ``"E"``; here a span ends after each E and S, and one
    begins at each S, as all extensions of it have it.

    References
    ----------
    .. [1] E. F. Tjong Kim Sang and S. Buchholz, "Introduction to the CoNLL-2000 shared task: chunking", CoNLL 2000,
       and the script conlleval, version of 2004.

    Examples
    --------
    >>> from skrnn.metrics import span_f1
    >>> truth = [["B-NP", "I-NP", "B-VP", "O"]]
    >>> span_f1(truth, [["B-NP", "I-NP", "O", "O"]])
    0.6666666666666666
    >>> span_f1(truth, [["B-NP", "B-NP", "B-VP", "O"]])  # of three spans found one is right
    0.4
    """
    return _count_spans(y_true, y_pred, scheme, sample_weight).total().scores()["f1"]


def span_scores(y_true, y_pred, *, scheme="IOBES", sample_weight=None):
    """Precision, recall and F1 of labelled spans, for each type and over all.

    A span is right when its first token, its last token and its type are right. The figures are those of the
    CoNLL-2000 shared task's script, as shares instead of percent; see `span_f1` for what counts as a span.

    Parameters
    ----------
    y_true : sequence of n_samples sequences of str
        The labels of each sentence, all known.
    y_pred : sequence of n_samples sequences of str
        One label for each of those tokens.
    scheme : {"IOBES", "IOB2"}, default="IOBES"
        What labels may begin with. The default reads IOB2 too, of which "IOB2" makes sure.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sentence, which all of its spans have.

    Returns
    -------
    pandas.DataFrame of shape (n_types + 1, 4), float64
        ``precision`` (share of the spans found that are right), ``recall`` (share of the true spans that are
        found), ``f1`` and ``support`` (true spans, weighted). One row for each type that is true or found
        anywhere, in the order of their names, then ``"overall"``. Shares of nothing are 0.

    Raises
    ------
    ValueError
        If a sentence is not a sequence of labels, has more or fewer labels in `y_pred` than in `y_true`, or holds a
        label that is unknown or not of the scheme.

    Examples
    --------
    >>> from skrnn.metrics import span_scores
    >>> truth = [["B-NP", "I-NP", "B-VP"], ["B-NP", "O"]]
    >>> found = [["B-NP", "I-NP", "B-PP"], ["B-NP", "B-NP"]]
    >>> span_scores(truth, found).round(2)
             precision  recall    f1  support
    type
    NP            0.67    1.00  0.80      2.0
    PP            0.00    0.00  0.00      0.0
    VP            0.00    0.00  0.00      1.0
    overall       0.50    0.67  0.57      3.0
    """
    counts = _count_spans(y_true, y_pred, scheme, sample_weight)
    rows = {kind: counts.of(kind).scores() for kind in sorted({*counts.true, *counts.found})}
    rows["overall"] = counts.total().scores()
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=float)
    return table.rename_axis("type")


@dataclass(frozen=True)
class _Counts:
    """How many spans are there, how many were found, and how many of those are right."""

    true: float
    found: float
    right: float

    def scores(self) -> dict[str, float]:
        precision, recall = _share(self.right, self.found), _share(self.right, self.true)
        f1 = _share(2 * precision * recall, precision + recall)
        return {"precision": precision, "recall": recall, "f1": f1, "support": self.true}


@dataclass(frozen=True)
class _CountsByType:
    true: defaultdict[str, float]
    found: defaultdict[str, float]
    right: defaultdict[str, float]

    def of(self, kind: str) -> _Counts:
        return _Counts(self.true[kind], self.found[kind], self.right[kind])

    def total(self) -> _Counts:
        return _Counts(sum(self.true.values()), sum(self.found.values()), sum(self.right.values()))


def _count_spans(y_true: Any, y_pred: Any, scheme: Any, sample_weight: Any) -> _CountsByType:
    prefixes = _SCHEMES[check_option("scheme", scheme, list(_SCHEMES))]
    counts = _CountsByType(defaultdict(float), defaultdict(float), defaultdict(float))
    for row, (truth, prediction, weight) in enumerate(_sentences(y_true, y_pred, sample_weight)):
        true, found = (
            set(_spans(_parts(labels, prefixes, f"{name}[{row}]", scheme)))
            for name, labels in (("y_true", truth), ("y_pred", prediction))
        )
        for counter, spans in ((counts.true, true), (counts.found, found), (counts.right, true & found)):
            for _, _, kind in spans:
                counter[kind] += weight
    return counts


def _spans(parts: list[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """The spans of a sentence: first token, token behind the last, type."""
    start = None
    before, kind_before = "O", ""
    for i, (prefix, kind) in enumerate([*parts, ("O", "")]):
        breaks = prefix in "BOS" or before in "OES" or kind != kind_before
        if start is not None and breaks:
            yield start, i, kind_before
            start = None
        if prefix != "O" and breaks:
            start = i
        before, kind_before = prefix, kind


def _parts(labels: list[Any], prefixes: str, where: str, scheme: str) -> list[tuple[str, str]]:
    """What stands before and behind the first dash of each label."""
    parts = []
    for i, label in enumerate(labels):
        prefix, _, kind = label.partition("-") if isinstance(label, str) else ("", "", "")
        if len(prefix) != 1 or prefix not in prefixes:
            allowed = ", ".join(f"'{one}-'" for one in prefixes if one != "O")
            raise ValueError(
                f"A label of the scheme {scheme!r} is 'O' or begins with one of {allowed}; got {label!r} in "
                f"{where}[{i}]. {_remedy(label, scheme)}"
            )
        parts.append((prefix, kind))
    return parts


def _remedy(label: Any, scheme: str) -> str:
    if _is_unknown(label):
        return "Leave out sentences whose labels are not all known, or take `token_accuracy`."
    if scheme == "IOB2" and isinstance(label, str) and label[:1] in ("E", "S"):
        return "Take scheme='IOBES', or `token_accuracy` for labels that mark no spans."
    return "Take `token_accuracy` for labels that mark no spans."


def _sentences(y_true: Any, y_pred: Any, sample_weight: Any) -> Iterator[tuple[list[Any], list[Any], float]]:
    """Yield the labels of each sentence, the true and the predicted, and its weight."""
    true, predicted = _lists("y_true", y_true), _lists("y_pred", y_pred)
    if len(true) != len(predicted):
        raise ValueError(
            f"`y_true` and `y_pred` must have the same number of sentences, got {len(true)} and {len(predicted)}."
        )
    for row, (truth, prediction) in enumerate(zip(true, predicted, strict=True)):
        if len(truth) != len(prediction):
            raise ValueError(
                f"`y_true` and `y_pred` must have a label for each token: y_true[{row}] has {len(truth)} labels and "
                f"y_pred[{row}] has {len(prediction)}."
            )
    yield from zip(true, predicted, row_weights(sample_weight, len(true)).tolist(), strict=True)


def _lists(name: str, sentences: Any) -> list[list[Any]]:
    if isinstance(sentences, (str, bytes, dict)) or not np.iterable(sentences):
        raise ValueError(f"`{name}` must hold a list of labels for each sentence, got {sentences!r}.")
    lists = []
    for row, labels in enumerate(sentences):
        if isinstance(labels, (str, bytes, dict)) or not np.iterable(labels):
            raise ValueError(
                f"`{name}` must hold a list of labels for each sentence, got {labels!r} in {name}[{row}]. "
                "Of a single sentence pass a list with one list."
            )
        lists.append(list(labels))
    return lists


def _is_unknown(label: Any) -> bool:
    return label is None or label is pd.NA or bool(label != label)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
