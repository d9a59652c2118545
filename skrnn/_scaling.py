"""Standardisation of sequences and targets, and the scaling of each window by its own values.

Two steps. The base is standardised once, per channel, in float64. Then each window may be shifted and scaled by its
own last value, mean and standard deviation (`window_scaling`); targets that are the future of a channel are shifted and
scaled alike, and what is left of them is standardised. Everything is undone on the way out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skrnn._validation import Sequences

ROWS_AT_ONCE = 65536
MEASURED_WINDOWS = 4096  # windows from which the spread after window scaling is measured
SMALLEST_SHARE = 0.2  # of the typical size of a window: no window is divided by less
TINY = 1e-12
SHIFTS = ("last", "first")  # scalings by the window that divide by no deviation of its own


@dataclass(frozen=True)
class InputScaling:
    """Per-channel standardisation and the scaling of each window by its own values.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_channels,)
    window : str or None
        None, "last" (x - last), "first" (x - first), "standard" ((x - mean) / sd) or "last_standard"
        ((x - last) / sd), first, last, mean and sd being those of the window's valid steps.
    channels : ndarray of int64
        The channels that `window` applies to, ascending.
    spread : ndarray of float64, shape (n_channels,)
        What windows are divided by after "last" and "first", so that the net sees numbers of size 1.
    smallest : ndarray of float64, shape (n_channels,)
        The least standard deviation that a window is divided by. The first window of a series has one step and no
        deviation; without a bound its target alone would rule the scale of all.
    """

    mean: np.ndarray
    scale: np.ndarray
    window: str | None
    channels: np.ndarray
    spread: np.ndarray
    smallest: np.ndarray

    def standardize(self, sequences: Sequences, dtype: np.dtype, extra_rows: int = 0) -> np.ndarray:
        """The standardised base as a new array of `dtype` (of tokens their ids), with `extra_rows` zero rows behind."""
        base = sequences.base
        if sequences.tokens is not None:  # ids are no numbers
            return np.concatenate([base, np.zeros((extra_rows, base.shape[1]), base.dtype)])
        out = np.zeros((len(base) + extra_rows, base.shape[1]), dtype)
        for begin in range(0, len(base), ROWS_AT_ONCE):
            block = slice(begin, min(begin + ROWS_AT_ONCE, len(base)))
            x = (base[block] - self.mean) / self.scale  # float64 until it is stored
            # padding rows stay 0, as do others that are not finite and that no sequence reads
            np.copyto(out[block], x, where=np.isfinite(x), casting="same_kind")
        return out

    def window_values(self, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        """Centre and size of each window in standardised units, both (n_samples, n_scaled_channels), float64."""
        base, mean, scale = sequences.base, self.mean[self.channels], self.scale[self.channels]
        taken_off = sequences.first if self.window == "first" else sequences.last
        last = (base[taken_off[:, None], self.channels] - mean) / scale
        if self.window in SHIFTS:
            return last, np.ones_like(last)
        center, size = np.empty_like(last), np.empty_like(last)
        steps = np.arange(sequences.n_steps)
        at_once = max(1, ROWS_AT_ONCE // sequences.n_steps)
        for begin in range(0, len(sequences), at_once):
            block = slice(begin, begin + at_once)
            length = sequences.lengths[block, None]  # (block, 1)
            row = np.minimum(sequences.first[block, None] + steps, len(base) - 1)
            x = (base[row[..., None], self.channels] - mean) / scale  # (block, n_steps, n_scaled_channels)
            valid = (steps < length)[..., None]
            center[block] = np.where(valid, x, 0).sum(axis=1) / length
            variance = (np.where(valid, x - center[block][:, None], 0) ** 2).sum(axis=1) / length
            size[block] = np.maximum(np.sqrt(variance), self.smallest[self.channels])
        return (center if self.window == "standard" else last), size


def fit_input_scaling(
    sequences: Sequences,
    sample_weight: np.ndarray | None,
    *,
    standardize: bool,
    window: str | None,
    channels: np.ndarray,
) -> InputScaling:
    """Measure mean and scale of each channel over the valid steps, each step counted as often as it is read.

    Parameters
    ----------
    sequences : Sequences
    sample_weight : ndarray of shape (n_samples,) or None
    standardize : bool
        False leaves the values as they are (mean 0, scale 1).
    window : str or None
    channels : ndarray of int
    """
    mean, scale = np.zeros(sequences.n_channels), np.ones(sequences.n_channels)
    if standardize and sequences.tokens is None:
        counts = sequences.row_weights(sample_weight)
        mean, variance = _moments(sequences.base, counts)
        threshold = 10 * np.finfo(np.float64).eps * np.abs(mean)  # a constant channel, up to rounding
        scale = np.where(np.sqrt(variance) > np.maximum(threshold, TINY), np.sqrt(variance), 1.0)
    scaling = InputScaling(mean, scale, window, channels, np.ones_like(mean), np.zeros_like(mean))
    if window is None:
        return scaling
    spread, size = _window_sizes(scaling, sequences, sample_weight)
    if window in SHIFTS:
        return replace(scaling, spread=spread) if standardize else scaling
    return replace(scaling, smallest=SMALLEST_SHARE * size)


def _moments(base: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and variance of each channel in two passes over blocks of rows, in float64."""
    total = counts.sum()
    mean = np.zeros(base.shape[1])
    variance = np.zeros(base.shape[1])
    blocks = [slice(begin, begin + ROWS_AT_ONCE) for begin in range(0, len(base), ROWS_AT_ONCE)]
    for block in blocks:
        used = counts[block] > 0
        mean += counts[block][used] @ base[block][used].astype(np.float64)
    mean /= total
    for block in blocks:
        used = counts[block] > 0
        variance += counts[block][used] @ (base[block][used] - mean) ** 2
    return mean, variance / total


def _window_sizes(
    scaling: InputScaling, sequences: Sequences, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """How large evenly spread windows are, per channel, in standardised units; 1 for channels that are not scaled.

    Returns
    -------
    spread : ndarray of shape (n_channels,)
        Root mean square after each window's last value (for "first" its first) is taken off.
    size : ndarray of shape (n_channels,)
        Median of the windows' standard deviations.
    """
    some = np.unique(np.linspace(0, len(sequences) - 1, MEASURED_WINDOWS).astype(int))
    steps = np.arange(sequences.n_steps)
    row = np.minimum(sequences.first[some, None] + steps, len(sequences.base) - 1)
    length = sequences.lengths[some, None]
    valid = steps < length  # (n_some, n_steps)
    weight = valid * (1.0 if sample_weight is None else sample_weight[some, None])
    spread, size = np.ones(sequences.n_channels), np.ones(sequences.n_channels)
    taken_off = sequences.first if scaling.window == "first" else sequences.last
    for channel in scaling.channels:
        x = np.nan_to_num(sequences.base[:, channel][row].astype(np.float64))
        x = (x - sequences.base[taken_off[some], channel, None]) / scaling.scale[channel]
        power = (weight * x**2).sum() / weight.sum()
        mean = (x * valid).sum(axis=1, keepdims=True) / length
        deviation = np.sqrt((valid * (x - mean) ** 2).sum(axis=1) / length[:, 0])
        spread[channel] = np.sqrt(power) if np.sqrt(power) > TINY else 1.0
        size[channel] = np.median(deviation) if np.median(deviation) > TINY else 1.0
    return spread, size


def target_rows(
    inputs: InputScaling, sequences: Sequences, channels: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Offset and unit of each row's targets in the user's units, both (n_samples, n_columns); None means 0 and 1.

    Parameters
    ----------
    inputs : InputScaling
    sequences : Sequences
    channels : ndarray of int, shape (n_columns,)
        The channel whose future each column is, -1 where it is none (offset 0, unit 1).
    """
    if inputs.window is None:
        return None
    position = np.minimum(np.searchsorted(inputs.channels, channels), len(inputs.channels) - 1)
    follows = inputs.channels[position] == channels
    if not follows.any():
        return None
    center, size = inputs.window_values(sequences)  # (n_samples, n_scaled_channels)
    mean, scale = inputs.mean[inputs.channels], inputs.scale[inputs.channels]
    offset = np.where(follows, (center * scale + mean)[:, position], 0.0)
    unit = np.where(follows, (size * (1.0 if inputs.window in SHIFTS else scale))[:, position], 1.0)
    return offset, unit


@dataclass(frozen=True)
class TargetScaling:
    """Standardisation of target columns, after those that are the future of a channel were scaled by its window.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_columns,)
        Of what is left after the scaling by the window.
    """

    mean: np.ndarray
    scale: np.ndarray

    def scale_targets(self, values: np.ndarray, rows: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """Targets in the user's units -> what the net learns, shape (n_samples, [n_steps,] n_columns)."""
        if rows is not None:
            values = (values - rows[0]) / rows[1]
        return (values - self.mean) / self.scale

    def restore(self, outputs: np.ndarray, rows: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """Outputs of the net -> the user's units."""
        values = outputs * self.scale + self.mean
        return values if rows is None else values * rows[1] + rows[0]


def fit_target_scaling(
    values: np.ndarray,
    sample_weight: np.ndarray | None,
    *,
    standardize: bool,
    rows: tuple[np.ndarray, np.ndarray] | None,
) -> TargetScaling:
    """Measure mean and scale of each target column over its known rows (and steps), after the scaling by the window."""
    n_columns = values.shape[-1]
    if not standardize:
        return TargetScaling(np.zeros(n_columns), np.ones(n_columns))
    if rows is not None:
        values = (values - rows[0]) / rows[1]
    known = ~np.isnan(values)
    weight = known * (1.0 if sample_weight is None else sample_weight.reshape(-1, *[1] * (values.ndim - 1)))
    samples = tuple(range(values.ndim - 1))
    total = np.maximum(weight.sum(axis=samples), TINY)
    mean = (weight * np.where(known, values, 0)).sum(axis=samples) / total
    variance = (weight * np.where(known, values - mean, 0) ** 2).sum(axis=samples) / total
    scale = np.where(np.sqrt(variance) > TINY * (1 + np.abs(mean)), np.sqrt(variance), 1.0)
    return TargetScaling(mean, scale)


def aligned_target_scaling(
    values: np.ndarray,
    sample_weight: np.ndarray | None,
    *,
    standardize: bool,
    inputs: InputScaling,
    channels: np.ndarray,
    n_outputs: int,
) -> TargetScaling:
    """Scale targets exactly as the channels that they are the future of, alike at every step of the horizon.

    A decoder that is fed its own forecasts then reads the same units as the encoder, at any step. Outputs that follow
    no channel are standardised over all steps together.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        The outputs of a step side by side.
    sample_weight : ndarray of shape (n_samples,) or None
    standardize : bool
    inputs : InputScaling
    channels : ndarray of int, shape (n_columns,)
    n_outputs : int
    """
    n_columns = values.shape[1]
    by_output = values.reshape(-1, n_outputs)  # (n_samples * horizon, n_outputs)
    weight = None if sample_weight is None else np.repeat(sample_weight, n_columns // n_outputs)
    pooled = fit_target_scaling(by_output, weight, standardize=standardize, rows=None)
    mean, scale = np.tile(pooled.mean, n_columns // n_outputs), np.tile(pooled.scale, n_columns // n_outputs)
    for j in np.flatnonzero(channels >= 0):
        channel = channels[j]
        if inputs.window is None:
            mean[j], scale[j] = inputs.mean[channel], inputs.scale[channel]
        else:  # the window's own values are taken off before (`target_rows`)
            shifts = inputs.window in SHIFTS
            mean[j], scale[j] = 0.0, inputs.scale[channel] * inputs.spread[channel] if shifts else 1.0
    return TargetScaling(mean, scale)
