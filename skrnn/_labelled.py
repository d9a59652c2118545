"""Sequences with their targets and weights, and how both are scaled for the net and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skrnn._row_map import UNKNOWN
from skrnn._scaling import (
    InputScaling,
    TargetScaling,
    aligned_target_scaling,
    fit_input_scaling,
    fit_target_scaling,
    target_rows,
)
from skrnn._step_targets import judged_steps
from skrnn._targets import Targets
from skrnn._validation import Sequences


@dataclass(frozen=True)
class Labelled:
    """Sequences with what they learn: one row of `targets.values` and one weight per sequence."""

    sequences: Sequences
    targets: Targets
    weight: np.ndarray | None

    def learning_rows(self) -> np.ndarray:
        """The rows that have a known target and a weight above zero, ascending."""
        known = ~np.isnan(self.targets.values)
        if self.targets.weights is not None:
            known &= self.targets.weights > 0
        learns = known.any(axis=tuple(range(1, known.ndim)))
        return np.flatnonzero(learns if self.weight is None else learns & (self.weight > 0))

    def take(self, rows: np.ndarray) -> Labelled:
        """The labelled sequences at `rows`."""
        return Labelled(
            self.sequences.take(rows), self.targets.take(rows), None if self.weight is None else self.weight[rows]
        )

    def weighted(self, weights: np.ndarray | None) -> Labelled:
        """With a weight for each target, in the shape of `targets.values`."""
        return replace(self, targets=replace(self.targets, weights=weights))

    def judged_once(self) -> Labelled:
        """With the targets that judge: see `judged_steps` where each step has one."""
        if self.targets.values.ndim == 2:
            return self
        values = judged_steps(self.targets.values, self.sequences)
        return replace(self, targets=replace(self.targets, values=values))


@dataclass(frozen=True)
class Scaling:
    """What a fit measured of its training rows, so that the net sees numbers of size 1.

    Attributes
    ----------
    inputs : InputScaling
    targets : TargetScaling
    channels : ndarray of int, shape (n_columns,)
        The channel of X whose future a target column is, -1 where it is none.
    baseline : ndarray of float64, shape (n_columns,)
        Mean of each target column.
    """

    inputs: InputScaling
    targets: TargetScaling
    channels: np.ndarray
    baseline: np.ndarray

    @classmethod
    def fit(
        cls, train: Labelled, *, window: str | None, standardize: bool, scale_targets: bool, align: bool = False
    ) -> Scaling:
        """Measure mean and scale of inputs and targets.

        Parameters
        ----------
        train : Labelled
        window : str or None
            See `window_scaling` of `RNNRegressor`.
        standardize : bool
        scale_targets : bool
            Whether targets are standardised where `standardize` is True.
        align : bool
            Whether a target is scaled as the channel that it is the future of (`aligned_target_scaling`).
        """
        channels, values = train.targets.channels, train.targets.values
        followed = np.unique(channels[channels != UNKNOWN])
        if window == "auto":
            # of a window of one step nothing would be left
            shifts = train.sequences.are_windows and len(followed) and train.sequences.n_steps > 1
            # with a target for each step, the last value would tell earlier steps what they are to forecast
            window = None if not shifts else "last" if values.ndim == 2 else "first"
        inputs = fit_input_scaling(
            train.sequences,
            train.weight,
            standardize=standardize,
            window=window,
            channels=followed if len(followed) else np.arange(train.sequences.n_channels),
        )
        scales = standardize and scale_targets
        if align:
            targets = aligned_target_scaling(
                values,
                train.weight,
                standardize=scales,
                inputs=inputs,
                channels=channels,
                n_outputs=train.targets.n_outputs,
            )
        else:
            rows = _rows(inputs, train.sequences, channels, values.ndim)
            targets = fit_target_scaling(values, train.weight, standardize=scales, rows=rows)
        known = ~np.isnan(values)
        samples = tuple(range(values.ndim - 1))
        total = np.where(known, values, 0.0).sum(axis=samples)
        return cls(inputs, targets, channels, total / np.maximum(known.sum(axis=samples), 1))

    def scaled_targets(self, data: Labelled) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """What the net learns, with which weight, and what 1 is in the user's units.

        Returns
        -------
        values : ndarray of shape (n_samples, [n_steps,] n_columns)
            0 where unknown.
        weights : ndarray of the same shape, or None
            0 where unknown; n_samples in all. None when every target is known and all weigh the same.
        units : ndarray that broadcasts to the same shape
        """
        rows = _rows(self.inputs, data.sequences, self.channels, data.targets.values.ndim)
        values = self.targets.scale_targets(data.targets.values, rows)
        known = ~np.isnan(values)
        weights = None
        of_targets = data.targets.weights
        if data.weight is not None or of_targets is not None or not known.all():
            per_sample = 1.0 if data.weight is None else data.weight.reshape(-1, *[1] * (values.ndim - 1))
            weights = known * per_sample * (1.0 if of_targets is None else of_targets)
            weights = weights * (len(weights) / weights.sum())
        units = np.abs(self.targets.scale).reshape(*[1] * (values.ndim - 1), -1)
        if rows is not None and (rows[1] != 1).any():
            units = units * rows[1]
        return np.where(known, values, 0.0), weights, units

    def restore(self, outputs: np.ndarray, sequences: Sequences, *, by_step: bool, quantiles: bool) -> np.ndarray:
        """Outputs of the net -> the user's units.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, [n_steps,] n_columns[, n_quantiles])
        sequences : Sequences
        by_step, quantiles : bool
            Which axes there are.
        """
        rows = _rows(self.inputs, sequences, self.channels, 3 if by_step else 2)
        if not quantiles:
            return self.targets.restore(outputs, rows)
        return np.moveaxis(self.targets.restore(np.moveaxis(outputs, -1, 0), rows), 0, -1)

    def offsets_and_units(self, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        """What 0 and 1 of a net's output are in the user's units, both (n_samples, n_columns)."""
        zeros = np.zeros((len(sequences), len(self.channels)))
        offsets = self.restore(zeros, sequences, by_step=False, quantiles=False)
        return offsets, self.restore(zeros + 1, sequences, by_step=False, quantiles=False) - offsets

    def for_columns(self, columns: np.ndarray) -> Scaling:
        """The scaling of other target columns: column j of the new ones is column ``columns[j]`` of these."""
        targets = TargetScaling(self.targets.mean[columns], self.targets.scale[columns])
        return replace(self, targets=targets, channels=self.channels[columns], baseline=self.baseline[columns])

    def naive_forecast(self, sequences: Sequences) -> np.ndarray:
        """The last value where a column is the future of a channel, else the training mean: (n_samples, n_columns)."""
        naive = np.tile(self.baseline, (len(sequences), 1))
        follows = self.channels != UNKNOWN
        if follows.any():
            naive[:, follows] = sequences.base[sequences.last][:, self.channels[follows]]
        return naive


def _rows(
    inputs: InputScaling, sequences: Sequences, channels: np.ndarray, n_axes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Offset and unit of each row's targets, with an axis of steps where targets have one.

    With "first" a step's target is shifted by the value at that step, which the net has read by then.
    """
    rows = target_rows(inputs, sequences, channels)
    if rows is None or n_axes == 2:
        return rows
    if inputs.window != "first":
        return rows[0][:, None], rows[1][:, None]
    row = np.minimum(sequences.first[:, None] + np.arange(sequences.n_steps), sequences.last[:, None])
    follows = np.isin(channels, inputs.channels)
    offset = np.where(follows, sequences.base[:, np.where(follows, channels, 0)][row], 0.0)  # (n, n_steps, n_columns)
    return offset, rows[1][:, None]
