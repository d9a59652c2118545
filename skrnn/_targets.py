"""What users pass as y -> one float64 matrix of target columns, with NaN where a target is unknown.

For windows of a series a target may be the future of a channel. Where that can be seen, each column knows its channel
and its step, and no target may lie beyond the last row that the fit call was given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from skrnn._row_map import MATCH_ROWS, UNKNOWN, RowMap
from skrnn._validation import Sequences

SAME_UP_TO_UNITS = 1e-9  # what 1 - |correlation| may be


@dataclass(frozen=True)
class Targets:
    """Targets as columns: `values[:, j]` is what output j of the net learns.

    Attributes
    ----------
    values : ndarray of float64, shape (n_samples, n_columns) or (n_samples, n_steps, n_columns)
        NaN where unknown. Three axes where each step has a target; the first valid step of a sequence stands first.
    shape : tuple of int
        The shape of one row (or step) as the user sees it: () for 1-D y, (n_outputs,), (horizon,) or
        (horizon, n_outputs).
    channels : ndarray of int, shape (n_columns,)
        The channel of X whose future a column is, -1 where it is none.
    shifts : ndarray of int, shape (n_columns,)
        How many rows ahead a column looks (0 when not known).
    weights : ndarray of float64, or None
        What each target weighs beside the weight of its row, in the shape of `values` (class weights); None is 1.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    channels: np.ndarray
    shifts: np.ndarray
    weights: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Outputs of a step: (horizon, n_outputs) has so many, every other shape one."""
        return self.shape[-1] if len(self.shape) == 2 else 1

    @property
    def reach(self) -> int:
        """How many rows ahead the furthest column looks."""
        return int(self.shifts.max(initial=0))

    def take(self, rows: np.ndarray) -> Targets:
        """The targets at `rows`."""
        return replace(self, values=self.values[rows], weights=None if self.weights is None else self.weights[rows])


def check_y(y: Any, n_samples: int, estimator_name: str) -> np.ndarray:
    """Return y as float64 of 1 to 3 axes; NaN is allowed (an unlabelled row), infinity is not.

    Raises
    ------
    ValueError
        y missing, of the wrong length, infinite, not numeric, or all NaN.
    """
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    y = check_array(y, ensure_2d=False, allow_nd=True, dtype=np.float64, ensure_all_finite="allow-nan", input_name="y")
    if not 1 <= y.ndim <= 3:
        raise ValueError(f"y must have 1, 2 or 3 axes, got shape {y.shape}.")
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_samples} rows and y has {len(y)}. "
            "Every row of X needs one row of y; give NaN where the target is unknown."
        )
    if np.isnan(y).all():
        raise ValueError(f"y holds no known value: all {y.size} are NaN. At least one row needs a target.")
    return y


def explicit_targets(y: np.ndarray, sequences: Sequences, target_channels: np.ndarray | None) -> Targets:
    """Targets given row by row; the future of a channel is found by equality and masked beyond the call's last row.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
    sequences : Sequences
    target_channels : ndarray of int or None
        The channels named by the user: one for all columns, one per output, or one per column. None: find them.
    """
    values = y.reshape(len(y), -1)
    shape = y.shape[1:]
    channels, shifts = followed_channels(values, shape, sequences, target_channels)
    if shifts.any():
        rows = RowMap(sequences)
        values = np.array(values)  # y stays as it is
        for j in np.flatnonzero(shifts):
            values[rows.is_beyond(shifts[j]), j] = np.nan
    check_some_known(values)
    return Targets(values, shape, channels, shifts)


def check_some_known(values: np.ndarray) -> None:
    """Raise ValueError when the targets that lie beyond the rows given were all that was known."""
    if np.isnan(values).all():
        raise ValueError(
            "No target is known within the rows given: every value of y lies beyond the last row of its series. "
            "Give more rows, or a shorter horizon."
        )


def followed_channels(
    values: np.ndarray, shape: tuple[int, ...], sequences: Sequences, target_channels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The channel of X that each target column is the future of, and how many rows ahead; -1 and 0 where it is none.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
    shape : tuple of int
        Of one row of y.
    sequences : Sequences
    target_channels : ndarray of int or None
        What the user named; it is taken as it is.
    """
    n_columns = values.shape[1]
    channels, shifts = np.full(n_columns, UNKNOWN), np.zeros(n_columns, dtype=np.int64)
    hints = channels.copy() if target_channels is None else spread_over_columns(target_channels, shape)
    if sequences.are_windows:
        rows = RowMap(sequences)
        n_outputs = shape[-1] if len(shape) == 2 else 1
        matches: list[tuple[int, int] | None] = []
        for j in range(n_columns):
            step_before = matches[j - n_outputs] if j >= n_outputs else None
            guess = None if step_before is None else (step_before[0], step_before[1] + 1)
            match = rows.find(values[:, j], int(hints[j]), guess)
            matches.append(match)
            if match is not None:
                channels[j], shifts[j] = match
    return np.where(hints == UNKNOWN, channels, hints), shifts


def future_of_series(
    y: np.ndarray,
    sequences: Sequences,
    horizon: int,
    target_channels: np.ndarray | None,
    *,
    may_be_unknown: bool = False,
) -> Targets:
    """Targets built from the series itself: row t learns y[t + 1] ... y[t + horizon], inside its segment.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The series, one value per row of X.
    horizon : int
    target_channels : ndarray of int or None
    may_be_unknown : bool
        Whether it is no error that no row has a future.

    Raises
    ------
    ValueError
        X is not windows of a series, y is 3-D, or no row has a future.
    """
    if not sequences.are_windows:
        raise ValueError(
            f"horizon={horizon} builds each row's future from the series y, so X must be windows of a series "
            "(from SlidingWindowTransformer or numpy's sliding_window_view). For other sequences pass the targets "
            "themselves as y and leave horizon=None."
        )
    if y.ndim > 2:
        raise ValueError(
            f"With horizon={horizon} y must be the series itself, of shape (n_samples,) or (n_samples, n_outputs); "
            f"got shape {y.shape}. For targets built by future_targets set horizon=None."
        )
    rows = RowMap(sequences)
    series = y[:, None] if y.ndim == 1 else y  # (n_samples, n_outputs)
    n_samples, n_outputs = series.shape
    values = np.full((n_samples, horizon, n_outputs), np.nan)
    for step in range(1, horizon + 1):
        sample, known = rows.ahead(step)
        values[known, step - 1] = series[sample[known]]
    if not may_be_unknown and np.isnan(values).all(axis=(0, 2)).any():
        raise ValueError(
            f"horizon={horizon} leaves no row with a known future: the longest of the series given has "
            f"{rows.longest_segment()} rows. Give more rows, or a horizon below that."
        )
    if target_channels is None:
        found = [rows.find(series[:, j], UNKNOWN, None, shifts=range(1)) for j in range(n_outputs)]
        outputs = np.array([UNKNOWN if match is None else match[0] for match in found])
    else:
        outputs = spread_over_columns(target_channels, y.shape[1:])
    shape = (horizon,) if y.ndim == 1 else (horizon, n_outputs)
    steps = np.repeat(np.arange(1, horizon + 1), n_outputs)
    return Targets(values.reshape(n_samples, -1), shape, np.tile(outputs, horizon), steps)


def copied_channel(y: np.ndarray, sequences: Sequences) -> int | None:
    """The channel whose value at the window's last step is y itself, so that a net could copy its input; or None."""
    if not sequences.are_windows or y.ndim > 2:
        return None
    rows = RowMap(sequences)
    for column in y.reshape(len(y), -1).T:
        match = rows.find(column, UNKNOWN, None, shifts=range(1))
        if match is not None:
            return match[0]
    return None


def misread_series(y: np.ndarray, sequences: Sequences) -> str | None:
    """What is wrong with a y that is no channel of X at the same row, where it can be seen; else None.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        What was given as the series, together with `horizon`.
    sequences : Sequences
        Windows of a series.
    """
    rows = RowMap(sequences)
    now = sequences.base[sequences.last].astype(np.float64)  # (n_samples, n_channels)
    for column in y.reshape(len(y), -1).T:
        if rows.find(column, UNKNOWN, None, shifts=range(1)) is not None:
            continue
        known = ~np.isnan(column)
        if known.sum() < MATCH_ROWS or column[known].std() == 0:
            continue
        for channel in np.flatnonzero(now[known].std(axis=0) > 0):
            if 1 - abs(np.corrcoef(now[known, channel], column[known])[0, 1]) < SAME_UP_TO_UNITS:
                return (
                    f"y is channel {channel} of X in other units, perhaps because of a scaler before the windows, so "
                    "that no forecast can start from the last value. Leave the scaler out (this estimator "
                    "standardises by itself), or transform X and y alike."
                )
        future = rows.find(column, UNKNOWN, None)
        if future is not None:
            return (
                f"y is the value of channel {future[0]} {future[1]} row(s) later already, and horizon adds its own "
                "steps to that. Pass the series itself with horizon, or leave horizon=None for targets built by "
                "future_targets or shift."
            )
    return None


def spread_over_columns(target_channels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One channel per column from one channel for all, one per output, or one per column."""
    n_columns = int(np.prod(shape, dtype=np.int64))
    n_given = len(target_channels)
    if n_columns % n_given or n_given not in (1, n_columns, shape[-1] if shape else 1):
        raise ValueError(
            f"`target_channels` must name one channel, or one for each output of y, got {n_given} for y with "
            f"{shape or (1,)} values per row."
        )
    return np.tile(target_channels, n_columns // n_given)
