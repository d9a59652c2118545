"""Transforms of a target and of its own past: a series whose spread grows with its level becomes an even one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skrnn._labelled import Labelled
from skrnn._parameters import check_option
from skrnn._row_map import UNKNOWN
from skrnn._validation import Sequences

LARGEST_LOG = 700.0  # beyond it expm1 overflows


@dataclass(frozen=True)
class Transform:
    """A function, its inverse, and the values that it is defined for."""

    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    above: str
    low: float
    closed: bool

    def refuses(self, values: np.ndarray) -> np.ndarray:
        """Which values it is not defined for; NaN is an unknown one, not a wrong one."""
        return values < self.low if self.closed else values <= self.low


TRANSFORMS = {
    "log1p": Transform(np.log1p, lambda z: np.expm1(np.minimum(z, LARGEST_LOG)), "greater than -1", -1.0, False),
    "sqrt": Transform(np.sqrt, lambda z: np.maximum(z, 0.0) ** 2, "of at least 0", 0.0, True),
}


def check_transform(name: Any) -> None:
    """Raise ValueError unless `name` is None or the name of a transform."""
    check_option("target_transform", name, (None, *TRANSFORMS))


def transformed_targets(data: Labelled, name: str | None) -> Labelled:
    """Targets, and the channels that hold their past, through the transform."""
    if name is None:
        return data
    transform, values = TRANSFORMS[name], data.targets.values
    wrong = transform.refuses(values)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise ValueError(
            f"target_transform={name!r} needs targets {transform.above}, got {values[wrong][0]:g} among those of "
            f"row {row}. Set target_transform=None, or shift the series."
        )
    targets = replace(data.targets, values=transform.forward(values))
    sequences = transformed_past(data.sequences, data.targets.channels, name)
    return replace(data, sequences=sequences, targets=targets)


def transformed_past(sequences: Sequences, channels: np.ndarray, name: str | None) -> Sequences:
    """Sequences whose target channels went through the transform; the former base stays as it is."""
    past = np.unique(channels[channels != UNKNOWN])
    if name is None or not len(past):
        return sequences
    transform = TRANSFORMS[name]
    oldest, newest = int(sequences.first.min()), int(sequences.last.max())
    read = sequences.base[oldest : newest + 1, past]
    wrong = transform.refuses(read)
    if wrong.any():
        used = sequences.row_weights()[oldest : newest + 1] > 0
        wrong &= used[:, None]
        if wrong.any():
            raise ValueError(
                f"target_transform={name!r} needs values {transform.above}, got {read[wrong][0]:g} in a target's own "
                "past in X. Set target_transform=None, or shift the series."
            )
    base = np.array(sequences.base)
    with np.errstate(invalid="ignore", divide="ignore"):  # rows that no sequence reads
        base[oldest : newest + 1, past] = transform.forward(read)
    return replace(sequences, base=base)


def untransformed(values: np.ndarray, name: str | None) -> np.ndarray:
    """Values in the transform's units -> the user's units."""
    return values if name is None else TRANSFORMS[name].inverse(values)
