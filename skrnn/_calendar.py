"""The step of an index: labels as numbers, the commonest and the largest step, holes, continuation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_REGULAR = 0.99  # the share of equal steps from which on an index is regular, so that it can have holes
_TOLERANCE = 1e-6  # of a step: labels that are floats do not differ by exactly equal amounts


def kind_of(labels: pd.Index | None) -> str | None:
    """Say what the labels are: two labels have a distance when they are of the same kind, None has none."""
    if isinstance(labels, pd.DatetimeIndex):
        return "dates" if labels.tz is None else "dates with a time zone"
    if isinstance(labels, pd.TimedeltaIndex):
        return "durations"
    if isinstance(labels, pd.PeriodIndex):
        return f"periods of frequency {labels.freqstr}"
    if labels is not None and labels.dtype.kind in "iuf":
        return "numbers"
    return None


def numbers(labels: pd.Index, zone: Any = None) -> np.ndarray:
    """Return labels that have a kind as int64 or float64: microseconds, ordinals of periods, or themselves.

    `zone` turns dates that have a time zone into what the clocks there show.
    """
    if isinstance(labels, pd.DatetimeIndex):
        if zone is not None:
            labels = labels.tz_convert(zone).tz_localize(None)
        return labels.as_unit("us").asi8
    if isinstance(labels, pd.TimedeltaIndex):
        return labels.as_unit("us").asi8
    if isinstance(labels, pd.PeriodIndex):
        return labels.asi8
    return labels.to_numpy(dtype=np.float64 if labels.dtype.kind == "f" else np.int64)


@dataclass(frozen=True)
class Step:
    """What the labels seen in `fit` say about the distance of neighbouring rows.

    Attributes
    ----------
    kind : str or None
        What the labels were (`kind_of`).
    largest : number or None
        The largest step that is not a hole, in the unit of `numbers`; None when no step is known.
    regular : bool
        Whether a larger step is a hole.
    zone : tzinfo or None
        The time zone whose clocks the steps are measured on: days of 23 and 25 hours are days.
    freq : offset or None
        The frequency that the index carried.
    """

    kind: str | None = None
    largest: float | None = None
    regular: bool = False
    zone: Any = None
    freq: Any = None

    @classmethod
    def learn(cls, labels: pd.Index | None, series: np.ndarray, *, cut: bool) -> Step:
        """Learn from labels in order of series and time; `series` (n_rows,) holds the codes of the series.

        The steps of all series count together. With `cut` false no step is a hole.
        """
        kind = kind_of(labels)
        if labels is None or kind is None:
            return cls()
        same_series = series[1:] == series[:-1]
        zone, steps, commonest, share = None, np.empty(0), 0.0, -1.0
        for candidate in (None, getattr(labels, "tz", None)):  # the clock that shows the more equal steps
            found = np.diff(numbers(labels, candidate))[same_series]
            step, equal = _commonest(found)
            if equal > share:
                zone, steps, commonest, share = candidate, found, step, equal
        freq = getattr(labels, "freq", None) if kind != "numbers" else None
        if len(steps) == 0:
            nominal = 1 if isinstance(labels, pd.PeriodIndex) else getattr(labels, "step", None)
            return cls(kind, nominal, False, zone, freq)
        regular = cut and share >= _REGULAR
        return cls(kind, commonest if regular else steps.max(), regular, zone, freq)

    def pieces(self, labels: pd.Index | None, series: np.ndarray) -> np.ndarray:
        """Return (n_rows,) bool: the rows (in order) that begin a series, or its next piece after a hole."""
        begins = np.ones(len(series), dtype=bool)
        begins[1:] = series[1:] != series[:-1]
        if labels is not None and self.regular and kind_of(labels) == self.kind:
            begins[1:] |= ~self._within(np.diff(numbers(labels, self.zone)))
        return begins

    def continues(self, last: pd.Index, first: pd.Index) -> np.ndarray:
        """Return bool, shape as `last`: whether each label of `first` is the next after the one in `last`.

        It must lie after that one, and both must be of the kind of this step.
        """
        gap = numbers(first, self.zone) - numbers(last, self.zone)
        follows = self._within(gap)
        if self.freq is not None and not isinstance(last, pd.PeriodIndex):
            follows = follows | (first <= last + self.freq)  # a month may be longer than those seen
        return follows

    def _within(self, gap: np.ndarray) -> np.ndarray:
        if self.largest is None:
            return np.zeros(len(gap), dtype=bool)
        return gap <= self.largest * (1 + _TOLERANCE if gap.dtype.kind == "f" else 1)

    def __str__(self) -> str:
        if self.largest is None:
            return "unknown"
        if self.kind is not None and self.kind.startswith(("dates", "durations")):
            return str(pd.Timedelta(int(self.largest), unit="us"))
        return f"{self.largest:g}"


def _commonest(steps: np.ndarray) -> tuple[float, float]:
    """Return the commonest of the steps and the share of them that equal it."""
    if len(steps) == 0:
        return 0.0, 0.0
    equal = steps
    if steps.dtype.kind == "f":
        equal = np.rint(steps / (np.median(steps) * _TOLERANCE))
    values, counts = np.unique(equal, return_counts=True)
    most = np.argmax(counts)
    return steps[np.argmax(equal == values[most])], counts[most] / len(steps)
