"""A target for each step of each sequence: y as users pass it <-> steps in the order in which the net reads them.

In X and y a short sequence may have padding in front; the net reads each sequence from its first valid step on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from skrnn._row_map import RowMap
from skrnn._targets import Targets, check_some_known, followed_channels
from skrnn._validation import Sequences


def check_step_targets(y: Any, sequences: Sequences) -> np.ndarray:
    """Return y as float64, (n_samples, n_steps) or (n_samples, n_steps, n_outputs), first valid step first.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_steps[, n_outputs]), or list of arrays of shape (n_steps_i[, n_outputs])
        Step by step as X, a list for ragged X; NaN where unknown.
    sequences : Sequences

    Returns
    -------
    ndarray
        NaN where unknown and behind the last valid step of a row.

    Raises
    ------
    ValueError
        y does not have the rows and steps of X, is infinite or not numeric, or holds no known value.
    """
    n_samples, n_steps = len(sequences), sequences.n_steps
    if y is None or isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise ValueError(f"return_sequences=True needs a target for each step as y, got {y!r}.")
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_samples} rows and y has {len(y)}. "
            "Every sequence of X needs one row of y; give NaN where a target is unknown."
        )
    if sequences.passed_steps is not None:
        steps = _joined(y, sequences.passed_steps)  # (n_rows,) or (n_rows, n_outputs)
        begin = np.cumsum(sequences.passed_steps) - sequences.passed_steps + sequences.leading
    else:
        try:
            y = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"X has {n_steps} steps in each row, so y must be one block of numbers of shape ({n_samples}, "
                f"{n_steps}) or ({n_samples}, {n_steps}, n_outputs), NaN where unknown: {error}."
            ) from error
        block = check_array(y, ensure_2d=False, allow_nd=True, ensure_all_finite="allow-nan", input_name="y")
        if block.ndim not in (2, 3) or block.shape[1] != n_steps:
            raise ValueError(
                f"return_sequences=True needs a target for each step: y of shape ({n_samples}, {n_steps}) or "
                f"({n_samples}, {n_steps}, n_outputs), got {block.shape}. Build it from a series with "
                f"past_targets(y, window={n_steps}), or set return_sequences=False."
            )
        steps = block.reshape(n_samples * n_steps, *block.shape[2:])
        begin = np.arange(n_samples) * n_steps + sequences.leading
    row, valid = _rows_of_steps(begin, sequences.lengths, n_steps)
    values = np.where(valid.reshape(*valid.shape, *[1] * (steps.ndim - 1)), steps[row], np.nan)
    if np.isnan(values).all():
        raise ValueError("y holds no known value at a step that is no padding of X. At least one step needs a target.")
    return values


def step_targets(values: np.ndarray, sequences: Sequences, target_channels: np.ndarray | None) -> Targets:
    """Targets of each step; for windows of a series those beyond the last row of the fit call are unknown.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_steps) or (n_samples, n_steps, n_outputs)
        From `check_step_targets`.
    sequences : Sequences
    target_channels : ndarray of int or None
    """
    shape = values.shape[2:]
    values = values.reshape(*values.shape[:2], -1)  # (n_samples, n_steps, n_columns)
    n_columns = values.shape[2]
    step, end = np.arange(sequences.n_steps), sequences.lengths - 1
    known = ~np.isnan(values).all(axis=2)  # (n_samples, n_steps)
    back = int((end[:, None] - step)[known].min())  # the last step with a known target, counted from the end
    at_step = np.full((len(values), n_columns), np.nan)
    reaches = end >= back
    at_step[reaches] = values[reaches, end[reaches] - back]
    channels, shifts = followed_channels(at_step, shape, sequences, target_channels)
    shifts = np.where(shifts > 0, shifts + back, 0)
    if shifts.any():
        rows = RowMap(sequences)
        for j in np.flatnonzero(shifts):
            few = np.flatnonzero(rows.is_beyond(shifts[j]))  # windows that end near the end of their series
            ahead = shifts[j] - (end[few, None] - step)  # rows from the window's last one to each target
            beyond = sequences.last[few, None] + ahead > rows.newest[rows.series[few], None]
            values[few, :, j] = np.where(beyond, np.nan, values[few, :, j])
    check_some_known(values)
    return Targets(values, shape, channels, shifts)


def last_steps(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """What stands at the last valid step of each sequence: (n_samples, n_steps, ...) -> (n_samples, ...)"""
    return values[np.arange(len(values)), sequences.lengths - 1]


def judged_steps(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Targets (n_samples, n_steps, ...) that judge a net: of windows of a series those at each last valid step.

    The earlier ones, NaN here, are those of earlier windows, which training may have seen. All judge where none is
    known at a last step, and where sequences have nothing to do with each other.
    """
    if not sequences.are_windows:
        return values
    kept = np.full_like(values, np.nan)
    kept[np.arange(len(values)), sequences.lengths - 1] = last_steps(values, sequences)
    return values if np.isnan(kept).all() else kept


def as_passed(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Values of each step in the form of X: (n_samples, n_steps, ...) with NaN at padding; of ragged X a ragged array.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_steps, ...)
        First valid step first.
    sequences : Sequences

    Returns
    -------
    ndarray
        For ragged X an object array of shape (n_samples,) that holds arrays of shape (n_steps_i, ...).
    """
    n_steps = sequences.n_steps
    source, valid = _rows_of_steps(-sequences.leading, sequences.leading + sequences.lengths, n_steps)
    valid &= source >= 0
    index = np.maximum(source, 0).reshape(*source.shape, *[1] * (values.ndim - 2))
    mask = valid.reshape(index.shape)
    placed = np.where(mask, np.take_along_axis(values, index, axis=1), np.nan)
    if sequences.passed_steps is None:
        return placed
    ragged = np.empty(len(placed), dtype=object)
    for i, steps in enumerate(sequences.passed_steps):
        ragged[i] = placed[i, :steps]
    return ragged


def _rows_of_steps(begin: np.ndarray, lengths: np.ndarray, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The row of each step of sequences that begin at `begin`, and whether there is one: both (n_samples, n_steps)."""
    step = np.arange(n_steps)
    valid = step < lengths[:, None]
    return np.where(valid, begin[:, None] + step, 0), valid


def _joined(y: Any, lengths: np.ndarray) -> np.ndarray:
    """Ragged targets one after the other, (n_rows,) or (n_rows, n_outputs)."""
    arrays = []
    for i, (targets, length) in enumerate(zip(y, lengths, strict=True)):
        array = np.asarray(targets)
        if array.ndim not in (1, 2) or len(array) != length:
            raise ValueError(
                f"return_sequences=True needs a target for each step: sequence {i} of X has {length} steps, but its "
                f"row of y has shape {array.shape}. Expected ({length},) or ({length}, n_outputs), NaN where unknown."
            )
        arrays.append(array)
    if len({array.shape[1:] for array in arrays}) > 1:
        raise ValueError(
            "The rows of y must all have the same outputs, got shapes such as "
            f"{sorted({array.shape for array in arrays}, key=len)[:3]}."
        )
    try:
        joined = np.concatenate(arrays).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The rows of y must hold numbers only: {error}.") from error
    if np.isinf(joined).any():
        raise ValueError("Input y contains infinity. Give finite targets, NaN where unknown.")
    return joined
