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

    Returns
    -------
    train, valid : ndarray of int
        Rows, ascending; disjoint.
    """
    fraction = float(validation) if is_number(validation) else FRACTION
    if not isinstance(validation, str) and not is_number(validation):
        train, valid = next(iter(validation.split(np.zeros((len(known), 1)), y[known])))
        train, valid = known[np.sort(train)], known[np.sort(valid)]
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
        shuffled = known[rng.permutation(len(known))]
        train, valid = np.sort(shuffled[n_valid:]), np.sort(shuffled[:n_valid])
    if not len(train) or not len(valid):
        raise ValueError(
            f"validation={validation!r} leaves {len(train)} training and {len(valid)} validation rows of "
            f"{len(known)} labelled ones; both need at least one. Give more rows, another fraction, or "
            "early_stopping=False."
        )
    return train, valid


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
    last = sequences.last[order]
    border = np.full(len(series), np.iinfo(np.int64).max)  # base row on which each validation part begins
    np.minimum.at(border, np.repeat(np.arange(len(series)), count)[judges], last[judges])
    trains = last + max(reach, 1) - 1 < np.repeat(border, count)
    return np.sort(order[~judges & trains]), np.sort(order[judges])
