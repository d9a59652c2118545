"""Which rows of a fit judge it: the validation part."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrnn._parameters import is_number
from skrnn._validation import Sequences

AUTO_FROM = 500  # known training rows from which early_stopping="auto" holds some out
FRACTION = 0.1


def check_validation(validation: Any) -> None:
    """Raise ValueError unless `validation` is a name, a fraction or a splitter."""
    if isinstance(validation, str) and validation in ("auto", "tail", "shuffle"):
        return
    if is_number(validation) and 0 < validation < 1:
        return
    if hasattr(validation, "split") and not isinstance(validation, str):
        return
    raise ValueError(
        "`validation` must be 'auto', 'tail', 'shuffle', a fraction between 0 and 1, or a splitter with a `split` "
        f"method, got {validation!r}."
    )


def hold_out(
    sequences: Sequences,
    known: np.ndarray,
    y: np.ndarray,
    validation: Any,
    reach: int,
    rng: np.random.RandomState,
    *,
    purpose: str = "validation",
    classes: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split the labelled rows into those that train and those that judge.

    Parameters
    ----------
    sequences : Sequences
    known : ndarray of int
        Rows with a target.
    y : ndarray of shape (n_samples, n_columns)
        Given to a splitter.
    validation : str, float or splitter
        See `RNNRegressor`.
    reach : int
        How many rows ahead a target looks; so many less one are left out before the validation part, since their
        targets lie inside it.
    rng : RandomState
    purpose : str
        The parameter to name where the split leaves nothing.
    classes : ndarray of shape (n_samples,), or None
        Random rows are held out in the shares of the classes, and a splitter is given them for y.

    Returns
    -------
    train, valid : ndarray of int
        Rows, ascending; disjoint.
    """
    fraction = float(validation) if is_number(validation) else FRACTION
    if not isinstance(validation, str) and not is_number(validation):
        # scikit-learn's splitters of groups need the series; the others warn when they get it
        by_series = "Group" in type(validation).__name__
        groups = sequences.series[known] if by_series and sequences.series is not None else None
        labels = y[known] if classes is None else classes[known]
        train, valid = next(iter(validation.split(np.zeros((len(known), 1)), labels, groups)))
        train, valid = known[np.sort(train)], known[np.sort(valid)]
        if sequences.are_windows:
            train = _purged(sequences, train, valid, reach)
    elif sequences.are_windows:
        if validation == "shuffle":
            raise ValueError(
                "validation='shuffle' would judge overlapping windows of a series by their own neighbours: labels "
                "unrelated to X then score well. Use validation='tail' (or 'auto'), a splitter such as "
                "TimeSeriesSplit, or pass X_val and y_val to fit."
            )
        train, valid = _tails(sequences, known, fraction, reach, rng)
    elif validation == "tail":
        n_valid = max(1, round(fraction * len(known)))
        train, valid = known[:-n_valid], known[-n_valid:]
    else:
        n_valid = max(1, round(fraction * len(known)))
        shuffled = rng.permutation(len(known))
        if classes is not None:
            shuffled = shuffled[_spread_evenly(classes[known][shuffled])]
        train, valid = np.sort(known[shuffled[n_valid:]]), np.sort(known[shuffled[:n_valid]])
    if not len(train) or not len(valid):
        judges = purpose == "validation"
        kind, without = ("validation", "early_stopping=False") if judges else ("held-out", f"{purpose}=None")
        raise ValueError(
            f"{purpose}={validation!r} leaves {len(train)} training and {len(valid)} {kind} rows of {len(known)} "
            f"labelled ones; both need at least one. Give more rows, another fraction, or {without}."
        )
    return train, valid


def _spread_evenly(classes: np.ndarray) -> np.ndarray:
    """An order in which every beginning holds each class in about its share of all rows."""
    by_class = np.argsort(classes, kind="stable")
    _, begin, count = np.unique(classes[by_class], return_index=True, return_counts=True)
    place = np.arange(len(classes)) - np.repeat(begin, count)  # within the class
    return by_class[np.argsort((place + 0.5) / np.repeat(count, count), kind="stable")]


def _tails(
    sequences: Sequences, known: np.ndarray, fraction: float, reach: int, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """The last part of each series judges; rows whose targets reach into it train no more."""
    assert sequences.series is not None
    order = known[np.lexsort((sequences.last[known], sequences.series[known]))]  # by series, then by time
    series, begin, count = np.unique(sequences.series[order], return_index=True, return_counts=True)
    n_valid = np.round(fraction * count).astype(int)  # per series
    n_valid = np.minimum(n_valid, count - 1)
    if not n_valid.any() and len(series) == 1:
        n_valid[:] = count > 1
    elif not n_valid.any():  # many short series: some of them judge as a whole
        whole = rng.permutation(len(series))[: max(1, round(fraction * len(series)))]
        n_valid[whole] = count[whole]
    place = np.arange(len(order)) - np.repeat(begin, count)  # position within the series
    judges = place >= np.repeat(count - n_valid, count)
    train, valid = np.sort(order[~judges]), np.sort(order[judges])
    return _purged(sequences, train, valid, reach), valid


def _purged(sequences: Sequences, train: np.ndarray, valid: np.ndarray, reach: int) -> np.ndarray:
    """The training rows without those whose targets reach into a validation part that comes later in their series."""
    assert sequences.series is not None
    place = sequences.series * (len(sequences.base) + reach) + sequences.last  # far apart for different series
    judges = np.append(np.sort(place[valid]), np.iinfo(np.int64).max)
    following = judges[np.searchsorted(judges, place[train])]  # the next row that judges
    return train[following - place[train] >= reach]
