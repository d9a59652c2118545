"""Which rows form which series, and in what order: group, time and index of a table become a `Timeline`."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import kind_of, numbers

DATE_AS_TEXT = re.compile(r"\d{1,2}[/.-]\d")  # "8/26/2016", whose text does not sort by time


@dataclass(frozen=True)
class Timeline:
    """The rows of a table in order of series and time.

    Attributes
    ----------
    order : ndarray of shape (n_rows,)
        The row of the table at each place.
    series : ndarray of shape (n_rows,)
        The int code of the series at each place; codes count series as they first appear in the table.
    names : Index of shape (n_series,) or None
        The value of the group of each code; None where the table is one series.
    labels : Index of shape (n_rows,) or None
        The time label at each place; None where there are none.
    columns : tuple of int
        The positions of the columns that hold group or time, and so no channel.
    """

    order: np.ndarray
    series: np.ndarray
    names: pd.Index | None
    labels: pd.Index | None
    columns: tuple[int, ...] = ()

    @property
    def in_order(self) -> bool:
        return bool((self.order[1:] > self.order[:-1]).all())

    @property
    def is_plain(self) -> bool:
        """Whether the table is one series without labels: an array, its rows in order."""
        return self.names is None and self.labels is None

    @property
    def first(self) -> np.ndarray:
        """The place of the first row of each series, shape (n_series,)."""
        return np.flatnonzero(np.r_[True, self.series[1:] != self.series[:-1]])

    @property
    def last(self) -> np.ndarray:
        """The place of the last row of each series, shape (n_series,)."""
        return np.flatnonzero(np.r_[self.series[1:] != self.series[:-1], True])

    @property
    def sizes(self) -> np.ndarray:
        """How many rows each series has, shape (n_series,)."""
        return self.last - self.first + 1

    def name(self, code: int) -> str:
        """Return how to speak of a series in a message."""
        return "the series" if self.names is None else f"series {show(self.names[code])}"


def read_timeline(table: Any, group: Any, time: Any, *, what: str = "X") -> Timeline:
    """Find the series of a table and the order of its rows.

    Parameters
    ----------
    table : DataFrame, Series or ndarray
        Its index is the time unless `time` says otherwise; an ndarray has none.
    group, time : column name, column position, name of an index level, array-like of shape (n_rows,), or None
        `group` says which series a row belongs to.
    what : str
        What messages call the table.

    Raises
    ------
    ValueError
        If group or time is not found or has missing values, if a label occurs twice in a series, or if the
        index is not in order and neither `group` nor `time` is given.
    """
    n_rows = len(table)
    index = getattr(table, "index", None) if hasattr(table, "iloc") else None
    columns: list[int] = []
    groups, group_level = None, None
    labels: pd.Index | None
    if group is not None:
        groups, column, group_level = _find(table, group, "group", what)
        columns += [column] if column is not None else []
    if time is not None:
        labels, column, _ = _find(table, time, "time", what)
        columns += [column] if column is not None else []
    else:
        labels = _default_labels(index, group, group_level, what)

    names, codes = None, np.zeros(n_rows, dtype=np.intp)
    if groups is not None:
        if groups.hasnans:
            row = int(np.flatnonzero(groups.isna())[0])
            raise ValueError(
                f"`group` must say of every row of {what} which series it belongs to, got a missing value "
                f"in row {row}: fill it or drop the row."
            )
        codes, names = pd.factorize(groups)
    if labels is not None and labels.hasnans:
        row = int(np.flatnonzero(labels.isna())[0])
        raise ValueError(
            f"Every row of {what} must have a time label, got a missing one in row {row}: fill it or drop the row."
        )

    if time is not None and labels is not None and DATE_AS_TEXT.match(str(labels[0])) and isinstance(labels[0], str):
        raise ValueError(
            f"The time labels of {what} are dates written as text, such as {show(labels[0])}, which would be put in "
            "the order of their letters: convert them with pd.to_datetime first."
        )
    rank = _rank(labels, explicit=time is not None)
    if groups is None and (rank is None or (rank[1:] > rank[:-1]).all()):
        order = np.arange(n_rows)
    elif rank is None:
        order = np.argsort(codes, kind="stable")
    else:
        order = np.lexsort((rank, codes))
        _check_order(order, codes, rank, labels, names, what, sorts=group is not None or time is not None)
    if labels is not None and not (order[1:] > order[:-1]).all():
        labels = labels.take(order)
    return Timeline(order, codes[order], names, labels, tuple(columns))


def _find(table: Any, key: Any, role: str, what: str) -> tuple[pd.Index, int | None, int | None]:
    """Return the values of a role, and the position of the column or of the index level that holds them."""
    named = hasattr(table, "iloc")
    headers = table.columns if named and table.ndim == 2 else pd.RangeIndex(0)
    levels = list(table.index.names) if named else []
    n_columns = table.shape[1] if table.ndim == 2 else 0
    if isinstance(key, Hashable):
        if key in headers:
            position = headers.get_loc(key)
            if not isinstance(position, int):
                raise ValueError(f"`{role}` must name one column of {what}, got several named {key!r}.")
            return _plain(table.iloc[:, position]), position, None
        if key in levels:
            return _plain(table.index.get_level_values(key)), None, levels.index(key)
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and -n_columns <= key < n_columns:
            position = int(key) % n_columns
            values = table.iloc[:, position] if named else table[:, position]
            return _plain(values), position, None
        place = f"{list(headers)} and index levels {levels}" if named else f"0 to {n_columns - 1}"
        raise ValueError(f"`{role}` must be one of the columns of {what}, got {key!r} and columns {place}.")
    values = _plain(key)
    if len(values) != len(table):
        raise ValueError(
            f"`{role}` must have one value for each of the {len(table)} rows of {what}, got {len(values)}."
        )
    return values, None, None


def _plain(values: Any) -> pd.Index:
    """Return the values as an Index: of categories the values, of date objects the dates."""
    index = pd.Index(values, tupleize_cols=False)
    if isinstance(index, pd.CategoricalIndex) and not index.hasnans:
        index = pd.Index(index.astype(index.categories.dtype))
    if index.dtype == object and pd.api.types.infer_dtype(index) == "date":
        index = pd.DatetimeIndex(index)
    return index


def _default_labels(index: Any, group: Any, group_level: int | None, what: str) -> pd.Index | None:
    if index is None:
        return None
    if not isinstance(index, pd.MultiIndex):
        return _plain(index) if group_level is None else None
    if group_level is not None and index.nlevels == 2:
        return _plain(index.get_level_values(1 - group_level))
    raise ValueError(
        f"`time` must name the index level of {what} that windows follow, and `group` the one that tells "
        f"series apart, got group={group!r}, time=None and index levels {list(index.names)}."
    )


def _rank(labels: pd.Index | None, *, explicit: bool) -> np.ndarray | None:
    """Return numbers that sort as the labels do; None where labels are names that say nothing about time."""
    if labels is None:
        return None
    if kind_of(labels) is not None:
        return labels.asi8 if hasattr(labels, "asi8") else numbers(labels)  # of dates every digit counts
    return pd.factorize(labels, sort=True)[0] if explicit else None


def _check_order(
    order: np.ndarray, codes: np.ndarray, rank: np.ndarray, labels: Any, names: Any, what: str, *, sorts: bool
) -> None:
    sorted_codes, sorted_rank = codes[order], rank[order]
    twice = (sorted_codes[1:] == sorted_codes[:-1]) & (sorted_rank[1:] == sorted_rank[:-1])
    if twice.any():
        place = int(np.flatnonzero(twice)[0])
        row, again = order[place], order[place + 1]
        of = "" if names is None else f" of series {show(names[codes[row]])}"
        remedy = "aggregate such rows" if sorts else "name the column of the series with `group=`"
        raise ValueError(
            f"A time label must occur once in a series of {what}, got {show(labels[row])}{of} in rows {row} "
            f"and {again}: {remedy}."
        )
    if not sorts and (order[1:] < order[:-1]).any():
        row = int(np.flatnonzero(rank[1:] < rank[:-1])[0]) + 1
        raise ValueError(
            f"The index of {what} must increase when neither `group` nor `time` is given, got "
            f"{show(labels[row])} in row {row} after {show(labels[row - 1])}: use sort_index(), or name the "
            "column of the time with `time=`."
        )


def show(value: Any) -> str:
    """Return a label or a group for a message: strings in quotes, dates and numbers bare."""
    return repr(value) if isinstance(value, str) else str(value)


def ranges(first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return first[0], first[0] + 1, ... (sizes[0] of them), then those from first[1], and so on."""
    return np.arange(sizes.sum()) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
