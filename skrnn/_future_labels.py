"""How the labels of an index go on: the next dates, periods, durations or numbers, and the rows in a season."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from skrnn._calendar import kind_of, numbers

_BLOCK = 10  # labels looked at together where an index has gaps: two weeks, so that a weekend shows
_VOTE = 0.25  # the share of such blocks that must agree on a frequency
_SHARE = 0.5  # the share of equal steps from which on their length is the step of the index
_SEASONS = {"h": 24, "D": 7, "B": 5, "C": 5, "W": 52, "M": 12, "ME": 12, "MS": 12, "BME": 12, "BMS": 12} | {
    "Q": 4,
    "QE": 4,
    "QS": 4,
    "BQE": 4,
    "BQS": 4,
}
_DAY, _MINUTE = pd.Timedelta("1D"), pd.Timedelta("1min")


@dataclass(frozen=True)
class Cadence:
    """The distance of the next label from the last one.

    Attributes
    ----------
    kind : str
        What the labels are (`skrnn._calendar.kind_of`).
    step : offset, int or float
        An offset for dates, periods and durations, a number for numbers.
    """

    kind: str
    step: Any

    @classmethod
    def learn(cls, labels: pd.Index, series: np.ndarray) -> Cadence:
        """Find the step of labels (n_rows,) that stand in order of series (their codes) and time.

        It is the `freq` of the index where it has one, else what `pandas.infer_freq` finds, in the longest series or
        between its gaps, else the length that at least half of the steps have.

        Raises
        ------
        ValueError
            If the labels have no distance (strings), or no step that at least half of them share.
        """
        kind = kind_of(labels)
        if kind is None:
            raise ValueError(
                "The index of X must have a step, so that forecasts can be labelled: dates, periods, durations or "
                f"numbers, got {labels.dtype} labels such as {labels[0]!r}. Convert them with pd.to_datetime, name the "
                "labels with `time=`, or number the rows with reset_index(drop=True)."
            )
        freq: Any = getattr(labels, "freq", None)
        if isinstance(labels, pd.DatetimeIndex):
            freq = freq if freq is not None else _inferred(labels, series)
            if freq is not None:
                return cls(kind, freq)
        length = _commonest(numbers(labels), series)
        if length is None and isinstance(labels, pd.PeriodIndex | pd.RangeIndex):
            length = getattr(freq, "n", None) or getattr(labels, "step", 1)  # a single row
        if length is None:
            raise ValueError(
                f"The index of X must have a step, so that forecasts can be labelled, got {kind} of which fewer than "
                f"half are equally far apart, the last one {labels[-1]}. Give the index a frequency (asfreq, resample, "
                "or index.freq = ...), or number the rows with reset_index(drop=True)."
            )
        if isinstance(labels, pd.PeriodIndex):
            return cls(kind, int(length) * freq.base)  # labels count in units of one
        if kind == "numbers":
            return cls(kind, length.item() if isinstance(length, np.generic) else length)
        return cls(kind, to_offset(pd.Timedelta(int(length), unit="us")))

    def after(self, last: pd.Index, n_labels: int) -> pd.Index:
        """Return the `n_labels` labels that follow each label of `last`, those of the first one first."""
        if len(last) == 1:
            return self._after(last)(last[0], n_labels)
        distinct = last.unique()  # most series of a panel end together
        following = [self._after(last)(label, n_labels) for label in distinct]
        places = distinct.get_indexer(last)
        return following[0].append(following[1:]).take((places[:, None] * n_labels + np.arange(n_labels)).ravel())

    def warn_of_leaps(self, labels: pd.Index, series: np.ndarray, begins: np.ndarray) -> None:
        """Warn where rows of a piece (`begins` marks its first row) are read as neighbours though they are apart."""
        leaps = self.leaps(labels, series) & ~begins
        if not leaps.any():
            return
        row, step = int(np.flatnonzero(leaps)[0]), getattr(self.step, "freqstr", self.step)
        warnings.warn(
            f"{int(leaps.sum())} of {len(labels)} rows do not come one step ({step}) after the one before, the first "
            f"one {labels[row]} after {labels[row - 1]}. They are read as neighbours, while forecasts are labelled "
            "step by step. Fill missing rows (asfreq, then ffill). Where there are none (closed days), number the rows "
            "by reset_index(drop=True), or bring labels by X_future with known_ahead.",
            UserWarning,
            stacklevel=4,
        )

    def leaps(self, labels: pd.Index, series: np.ndarray) -> np.ndarray:
        """Return (n_rows,) bool: the rows (in order of series and time) that do not come one step after the one before.

        Holidays do not count where the step is a business day, nor do first rows of a series.
        """
        leaps = np.zeros(len(labels), dtype=bool)
        if isinstance(self.step, pd.offsets.BusinessDay):
            return leaps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)  # months are added one by one
            expected = labels[:-1] + self.step
        off = expected != labels[1:]
        if self.kind == "numbers":
            off &= ~np.isclose(np.asarray(expected, dtype=float), np.asarray(labels[1:], dtype=float))
        leaps[1:] = np.asarray(off) & (series[1:] == series[:-1])
        return leaps

    def _after(self, last: pd.Index) -> Any:
        if isinstance(last, pd.DatetimeIndex):
            return lambda label, n: self._dates(label, n).as_unit(last.unit)
        if isinstance(last, pd.TimedeltaIndex):
            return lambda label, n: pd.timedelta_range(label, periods=n + 1, freq=self.step)[1:].as_unit(last.unit)
        if isinstance(last, pd.PeriodIndex):
            return lambda label, n: pd.PeriodIndex([label + self.step * k for k in range(1, n + 1)])
        if isinstance(self.step, int):
            return lambda label, n: pd.RangeIndex(label + self.step, label + self.step * (n + 1), self.step)
        return lambda label, n: pd.Index(label + self.step * np.arange(1, n + 1))

    def _dates(self, last: pd.Timestamp, n_labels: int) -> pd.DatetimeIndex:
        on_offset = self.step.is_on_offset(last)
        dates = pd.date_range(last, periods=n_labels + on_offset, freq=self.step)
        return dates[1:] if on_offset else dates

    @property
    def seasonality(self) -> int:
        """How many rows a season has: a day of hours, a week of days, a year of weeks, months or quarters; else 1."""
        if self.kind == "numbers":
            return 1
        name, n = self.step.rule_code.split("-")[0], self.step.n
        if isinstance(self.step, pd.offsets.Tick):
            length = pd.Timedelta(self.step)
            if length < _DAY:
                return int(_DAY / length) if length >= _MINUTE and _DAY % length == pd.Timedelta(0) else 1
            name, n = "D", length / _DAY
        if name == "D" and n == 7:
            name, n = "W", 1
        rows = _SEASONS.get(name, 1) / n
        return int(rows) if rows == int(rows) and rows >= 1 else 1


def _inferred(labels: pd.DatetimeIndex, series: np.ndarray) -> Any:
    """Return the frequency that pandas finds in the longest series, or else in most of its blocks; None for none."""
    codes, sizes = np.unique(series, return_counts=True)
    dates = labels[series == codes[np.argmax(sizes)]]
    if len(dates) < 3:
        return None
    freq = _infer(dates)
    if freq is None and len(dates) >= 2 * _BLOCK:
        blocks = [dates[i : i + _BLOCK] for i in range(0, len(dates) - _BLOCK + 1, _BLOCK)]
        names, votes = np.unique([_infer(block) or "" for block in blocks], return_counts=True)
        votes[names == ""] = 0
        if votes.max() >= _VOTE * len(blocks):
            freq = str(names[np.argmax(votes)])
    return None if freq is None else to_offset(freq)


def _infer(dates: pd.DatetimeIndex) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pandas 3.1: an offset is to come, which is as good
        freq: Any = pd.infer_freq(dates)
    return getattr(freq, "freqstr", freq)


def _commonest(values: np.ndarray, series: np.ndarray) -> Any:
    """Return the step that at least `_SHARE` of the neighbours in a series share, None where there is none."""
    steps = np.diff(values)[series[1:] == series[:-1]]
    if len(steps) == 0:
        return None
    equal = np.round(steps / np.median(steps), 6) if steps.dtype.kind == "f" else steps
    found, counts = np.unique(equal, return_counts=True)
    most = np.argmax(counts)
    return steps[np.argmax(equal == found[most])] if counts[most] >= _SHARE * len(steps) else None
