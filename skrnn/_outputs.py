"""What users give as y, the values of a series: its numbers, and the values that stand some rows away from each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import Step
from skrnn._timeline import Timeline, read_timeline


@dataclass(frozen=True)
class Outputs:
    """The outputs of a series or a panel, one row for each row of y.

    Attributes
    ----------
    values : ndarray of shape (n_times,) or (n_times, n_outputs)
        The numbers, float32 or float64, rows as in y.
    timeline : Timeline
        The series and the order of the rows.
    index : Index or None
        The index of y, where y is a Series or a DataFrame of one output.
    name : object
        The name of that output, None where it has none.
    """

    values: np.ndarray
    timeline: Timeline
    index: pd.Index | None
    name: Any

    def at(self, shifts: Sequence[int]) -> np.ndarray:
        """Return the values that stand `shifts` rows after each row (before it where negative).

        The array has shape (n_times, n_shifts) or (n_times, n_shifts, n_outputs). It is NaN where there is no such
        row in the same series, or a hole of a regular index lies in between.
        """
        order = self.timeline.order
        step = Step.learn(self.timeline.labels, self.timeline.series, cut=True)
        piece = np.cumsum(step.pieces(self.timeline.labels, self.timeline.series))  # (n_times,) counts series and holes
        ordered, n_times = self.values[order], len(order)
        found = np.full((n_times, len(shifts), *self.values.shape[1:]), np.nan, dtype=self.values.dtype)
        for k, shift in enumerate(shifts):
            if abs(shift) >= n_times:
                continue
            here = slice(max(0, -shift), n_times - max(0, shift))
            there = slice(max(0, shift), n_times - max(0, -shift))
            inside = piece[here] == piece[there]  # (n_times - |shift|,)
            found[order[here][inside], k] = ordered[there][inside]
        return found

    def as_given(self, found: np.ndarray, suffixes: Iterable[str]) -> Any:
        """Return values from `at` as a DataFrame with the index of y where y has one output, else as they are."""
        if self.index is None:
            return found
        name = "" if self.name is None else self.name
        columns = [f"{name}{suffix}" for suffix in suffixes]
        return pd.DataFrame(found.reshape(len(found), len(columns)), index=self.index, columns=columns)


def read_outputs(y: Any, group: Any, time: Any) -> Outputs:
    """Read y, an array-like of shape (n_times,) or (n_times, n_outputs), without its columns of group and time.

    Raises
    ------
    ValueError
        If y has another shape or does not hold numbers, or for what `read_timeline` refuses.
    """
    table: Any = y if hasattr(y, "iloc") else np.asarray(y)
    if table.ndim not in (1, 2):
        raise ValueError(
            f"`y` must have shape (n_times,) or (n_times, n_outputs), got {table.shape}. Make one axis of all "
            "outputs first: y.reshape(len(y), -1)."
        )
    timeline = read_timeline(table, group, time, what="y")
    outputs = table
    if table.ndim == 2:
        kept = np.delete(np.arange(table.shape[1]), timeline.columns)
        if len(kept) == 0:
            raise ValueError(f"`y` must have an output besides group and time, got {table.shape[1]} columns.")
        outputs = table.iloc[:, kept] if hasattr(table, "iloc") else table[:, kept]
    values = _numbers_of(outputs)
    if not hasattr(outputs, "iloc") or (outputs.ndim == 2 and outputs.shape[1] != 1):
        return Outputs(values, timeline, None, None)
    return Outputs(values, timeline, outputs.index, outputs.name if outputs.ndim == 1 else outputs.columns[0])


def _numbers_of(outputs: Any) -> np.ndarray:
    """Return y as float32 or float64."""
    if hasattr(outputs, "iloc"):
        dtypes = [outputs.dtype] if outputs.ndim == 1 else list(outputs.dtypes)
        if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in dtypes):
            raise ValueError(f"`y` must hold numbers, got dtypes {[str(dtype) for dtype in dtypes]}.")
        single = all(dtype == np.float32 for dtype in dtypes)
        return outputs.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)
    if outputs.dtype.kind not in "biuf":
        raise ValueError(f"`y` must hold numbers, got dtype {outputs.dtype}.")
    return outputs.astype(np.float32 if outputs.dtype == np.float32 else np.float64, copy=False)
