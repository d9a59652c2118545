"""Tables of series, from pandas and back: which columns are channels, targets, group and time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import kind_of
from skrnn._timeline import Timeline, read_timeline, show


@dataclass(frozen=True)
class SeriesRows:
    """The rows of a table in order of series and time.

    Attributes
    ----------
    values : ndarray of float64, shape (n_rows, n_channels)
    timeline : Timeline
        Its `order` is 0, 1, ...: the rows are in order.
    given : ndarray of int, shape (n_rows,)
        Where each row stands in the table that was given.
    """

    values: np.ndarray
    timeline: Timeline
    given: np.ndarray

    @property
    def labels(self) -> pd.Index:
        assert self.timeline.labels is not None
        return self.timeline.labels


@dataclass(frozen=True)
class TableForm:
    """What `fit` learned about the form of its table; reads later tables and writes forecasts in the same form.

    Attributes
    ----------
    channels : list
        The labels of the columns that are neither group nor time.
    targets, known : list of int
        The positions among `channels` of the targets, and of the inputs that are known ahead.
    group, time : object
        The label of a column or the name of an index level, None for none.
    levels : list
        Of group and time those that are in the index, in its order; None stands for a time without a name.
    columns : list
        Of group and time those that are columns, in their order.
    kind : str or None
        What the time labels are.
    """

    channels: list[Any]
    targets: list[int]
    known: list[int]
    group: Any
    time: Any
    levels: list[Any]
    columns: list[Any]
    kind: str | None

    @classmethod
    def learn(
        cls, X: Any, target: Any, known_ahead: Any, group: Any, time: Any, *, what: str = "X"
    ) -> tuple[TableForm, SeriesRows]:
        """Read the table of `fit`.

        Raises
        ------
        ValueError
            If X is no Series or DataFrame of finite numbers, if a column is not found or named twice, or for what
            `read_timeline` refuses.
        """
        frame = _as_frame(X, "y", what)
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(f"The columns of {what} must have different names, got {twice!r} twice: rename one.")
        group, time = (_label(frame, key, role) for key, role in ((group, "group"), (time, "time")))
        timeline = read_timeline(frame, group, time, what=what)
        channels = [name for k, name in enumerate(frame.columns) if k not in timeline.columns]
        known = _positions("known_ahead", known_ahead, channels)
        if target is None:
            targets = [k for k in range(len(channels)) if k not in known]
        else:
            targets = _positions("target", target, channels)
        both = [channels[k] for k in targets if k in known]
        if both:
            raise ValueError(f"A target is not known ahead, got {both} in `target` and in `known_ahead`: name it once.")
        if not targets:
            raise ValueError(f"{what} must have a column to forecast, got {channels} besides group and time.")
        if timeline.labels is None:
            raise ValueError(
                f"The rows of {what} must have time labels, got an index of groups {group!r} only: name the column of "
                "the time with `time=`."
            )
        levels = [name for name in frame.index.names if name not in frame.columns]
        levels = [name for name in levels if time in (None, name) or (group is not None and name == group)]
        form = cls(
            channels=channels,
            targets=targets,
            known=known,
            group=group,
            time=time,
            levels=levels,
            columns=[frame.columns[k] for k in sorted(timeline.columns)],
            kind=kind_of(timeline.labels),
        )
        return form, form._rows(frame, timeline, what)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The channels as the windows name them: strings, None where two would be the same."""
        names = tuple(str(channel) for channel in self.channels)
        return names if len(set(names)) == len(names) else None

    def read(self, X: Any) -> SeriesRows:
        """Read a later table, which has the columns of the one of `fit` in any order.

        Raises
        ------
        ValueError
            If columns are missing or new, if the labels are of another kind, or for what `learn` refuses.
        """
        frame = _as_frame(X, self.channels[0] if len(self.channels) == 1 else None, "X")
        wanted = self.channels + self.columns
        lost, new = ([c for c in a if c not in b] for a, b in ((wanted, frame.columns), (frame.columns, wanted)))
        if lost or new:
            raise ValueError(f"X must have the columns {wanted} of `fit`, got no {lost} and the unknown ones {new}.")
        timeline = read_timeline(frame, self.group, self.time)
        self._check_kind(timeline, "X")
        return self._rows(frame, timeline, "X")

    def read_future(self, X: Any) -> SeriesRows:
        """Read rows to come, of which only the columns known ahead are looked at; the other channels are NaN.

        Missing values stay NaN.
        """
        known = [self.channels[k] for k in self.known]
        frame = _as_frame(X, known[0] if len(known) == 1 else None, "X_future")
        lost = [name for name in known + self.columns if name not in frame.columns]
        if lost:
            raise ValueError(
                f"X_future must have the columns {known + self.columns}, got no {lost}: it has {list(frame.columns)}."
            )
        timeline = read_timeline(frame, self.group, self.time, what="X_future")
        self._check_kind(timeline, "X_future")
        values = np.full((len(frame), len(self.channels)), np.nan)
        values[:, self.known] = _numbers(frame[known], "X_future")
        return SeriesRows(values[timeline.order], _in_order(timeline), timeline.order)

    def write(self, names: pd.Index | None, labels: pd.Index, columns: dict[Any, np.ndarray]) -> pd.DataFrame:
        """Return a table with the group (`names`, n_rows) and the time (`labels`, n_rows) where `fit` had them."""
        time_is_column = self.time is not None and self.time in self.columns
        if names is None and not time_is_column:
            return pd.DataFrame(columns, index=labels.rename(self.levels[0] if self.levels else None))
        parts = {role: labels if role != self.group or names is None else names for role in self.columns}
        frame = pd.DataFrame({**parts, **columns})
        levels = [names if names is not None and level == self.group else labels for level in self.levels]
        if len(levels) == 1:
            return frame.set_axis(levels[0].rename(self.levels[0]), axis=0)
        if levels:
            return frame.set_axis(pd.MultiIndex.from_arrays(levels, names=self.levels), axis=0)
        return frame

    def _rows(self, frame: pd.DataFrame, timeline: Timeline, what: str) -> SeriesRows:
        values = _numbers(frame[self.channels], what)
        bad = ~np.isfinite(values)
        if bad.any():
            row, channel = np.argwhere(bad)[0]
            role = "targets" if channel in self.targets else "inputs"
            raise ValueError(
                f"The {role} in {what} must be finite, got {values[row, channel]} in row {row} (index "
                f"{show(frame.index[row])}), column {self.channels[channel]!r}: impute it first, for example with "
                "interpolate() or ffill()."
            )
        return SeriesRows(values[timeline.order], _in_order(timeline), timeline.order)

    def _check_kind(self, timeline: Timeline, what: str) -> None:
        found = kind_of(timeline.labels)
        if found != self.kind:
            raise ValueError(f"The labels of {what} must be {self.kind}, as in `fit`, got {found or 'others'}.")


def _as_frame(X: Any, name: Any, what: str) -> pd.DataFrame:
    """Return a Series (called `name` where it has no name) or DataFrame as a DataFrame."""
    if isinstance(X, pd.Series):
        X = X.to_frame(name if X.name is None and name is not None else X.name)
    if not isinstance(X, pd.DataFrame):
        raise ValueError(
            f"{what} must be a pandas Series or DataFrame, whose index labels the forecasts, got "
            f"{type(X).__name__}: wrap it, for example in pd.Series(values)."
        )
    if len(X) == 0:
        raise ValueError(f"{what} must have rows, got none.")
    return X


def _label(frame: pd.DataFrame, key: Any, role: str) -> Any:
    """Return the label of a column given by its position; other keys as they are."""
    if not isinstance(key, Hashable) or isinstance(key, bool):
        raise ValueError(f"`{role}` must name a column or an index level of X, got {type(key).__name__}.")
    if not isinstance(key, int | np.integer) or key in frame.columns or key in frame.index.names:
        return key
    return frame.columns[int(key)] if -frame.shape[1] <= key < frame.shape[1] else key


def _positions(parameter: str, given: Any, channels: list[Any]) -> list[int]:
    several = not isinstance(given, Hashable) or (isinstance(given, tuple) and given not in channels)
    names = list(given) if several else [given]
    for k, name in enumerate(names):
        if name not in channels:
            raise ValueError(
                f"`{parameter}` must name columns of X (neither group nor time), got {name!r}: it has {channels}."
            )
        if name in names[:k]:
            raise ValueError(f"`{parameter}` must name each column once, got {name!r} twice.")
    return [channels.index(name) for name in names]


def _numbers(frame: pd.DataFrame, what: str) -> np.ndarray:
    strange = [c for c, dtype in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if strange:
        raise ValueError(
            f"The columns of {what} must hold numbers, got {strange} of dtype {frame[strange[0]].dtype}: encode them, "
            "drop them, or name them as `group` or `time`."
        )
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _in_order(timeline: Timeline) -> Timeline:
    return replace(timeline, order=np.arange(len(timeline.order)), columns=())
