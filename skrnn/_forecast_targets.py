"""Targets of a forecaster: the series itself, or each row's future given row by row."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from skrnn._row_map import UNKNOWN, RowMap, is_no_coincidence
from skrnn._targets import (
    Targets,
    check_some_known,
    copied_channel,
    explicit_targets,
    future_of_series,
    misread_series,
)
from skrnn._validation import Sequences


def forecast_targets(
    y: np.ndarray,
    sequences: Sequences,
    horizon: int | None,
    target_channels: np.ndarray | None,
) -> Targets:
    """Targets of each row; the outputs of a step stand side by side, and each has one channel for all steps.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), (n_samples, n_columns) or (n_samples, horizon, n_outputs)
    sequences : Sequences
    horizon : int or None
    target_channels : ndarray of int or None
        What the user named.

    Raises
    ------
    ValueError
        y has another width than the horizon.

    Warns
    -----
    UserWarning
        y is a channel of X at the same row, or in other units.
    """
    if horizon is not None and not is_row_by_row(y, sequences):
        targets = future_of_series(y, sequences, horizon, target_channels)
        warning = misread_series(y, sequences)
    else:
        width = 1 if y.ndim == 1 else y.shape[1]
        if horizon is not None and width != horizon:
            remedy = f"Pass the series itself as y, or future_targets(y, {horizon}), or leave horizon=None."
            if not sequences.are_windows:
                remedy = (
                    "X is not windows of a series (from SlidingWindowTransformer or numpy's sliding_window_view), so "
                    f"each row of y must hold its {horizon} targets, or leave horizon=None."
                )
            raise ValueError(f"y has {width} step(s) in each row, but horizon={horizon}. {remedy}")
        targets = explicit_targets(y, sequences, target_channels)
        if sequences.are_windows:
            targets = _none_beyond(targets, sequences)
        copied = copied_channel(y, sequences)
        warning = None
        if copied is not None:
            warning = (
                f"y equals channel {copied} of X at the last step of each window, so the net can copy its input and "
                "learns no forecast. Set horizon=h (y stays the series), or pass future_targets(y, h) as y."
            )
    if warning is not None:
        warnings.warn(warning, UserWarning, stacklevel=7)
    return replace(targets, channels=_one_channel_each(targets))


def is_row_by_row(y: np.ndarray, sequences: Sequences) -> bool:
    """Whether y, given together with a horizon, holds futures row by row and not the series itself.

    Three axes do, and so does whatever belongs to sequences that are no windows of a series. For windows the values
    tell: futures of neighbouring rows overlap, ``y[t, k + 1] == y[t + 1, k]``, all of them and not by chance.
    """
    if y.ndim == 3 or not sequences.are_windows:
        return True
    if y.ndim == 1 or y.shape[1] < 2:
        return False
    sample, there = RowMap(sequences).ahead(1)
    here, after = y[there, 1:], y[sample[there], :-1]  # (n_pairs, n_columns - 1)
    known = ~np.isnan(here) & ~np.isnan(after)
    if (here[known] != after[known]).any():
        return False
    return is_no_coincidence(here[known[:, 0], 0], 1)


def _none_beyond(targets: Targets, sequences: Sequences) -> Targets:
    """Targets that are no channel's future are still those of the next rows: none beyond the last row is known."""
    by_position = np.repeat(np.arange(1, targets.values.shape[1] // targets.n_outputs + 1), targets.n_outputs)
    not_seen = np.flatnonzero(targets.shifts == 0)
    rows, values = RowMap(sequences), np.array(targets.values)
    for j in not_seen:
        values[rows.is_beyond(by_position[j]), j] = np.nan
    check_some_known(values)
    return replace(targets, values=values, shifts=np.where(targets.shifts == 0, by_position, targets.shifts))


def _one_channel_each(targets: Targets) -> np.ndarray:
    """The channel of each output at every step, (n_columns,): far steps of a short fold may not show it."""
    by_step = targets.channels.reshape(-1, targets.n_outputs)  # (horizon, n_outputs)
    shown = np.where(by_step == UNKNOWN, by_step.max(axis=0, initial=UNKNOWN), by_step)
    agreed = (shown == shown[0]).all(axis=0)  # an output whose steps follow several channels has no own past
    return np.tile(np.where(agreed, shown[0], UNKNOWN), len(by_step))
