"""When each row of a table is: its place among the distinct times of all series together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import kind_of
from skrnn._timeline import Timeline, read_timeline


@dataclass(frozen=True)
class Moments:
    """The rows of a table on one clock.

    Attributes
    ----------
    of_rows : ndarray of shape (n_rows,)
        The place of each row's time among the distinct times of the table, 0 for the earliest.
    labels : Index of shape (n_moments,)
        The distinct time labels, in order; positions where there are none.
    timeline : Timeline
        The series of the table and the order of their rows.
    shared : bool
        Whether places of different series can be compared: with several series only time labels can be; without
        them a place counts the rows of its own series.
    """

    of_rows: np.ndarray
    labels: pd.Index
    timeline: Timeline
    shared: bool

    @classmethod
    def read(cls, table: Any, group: Any, time: Any) -> Moments:
        """Read a table that has rows; `group` and `time` as `read_timeline` takes them.

        Labels of an index that have no distance, such as strings, are read as names of rows, unless `time` names
        them.
        """
        timeline = read_timeline(table, group, time)
        labels = timeline.labels
        places: np.ndarray
        distinct: pd.Index
        if labels is not None and (time is not None or kind_of(labels) is not None):
            places, distinct = pd.factorize(labels, sort=True)
            shared = True
        else:
            places = np.arange(len(timeline.order)) - np.repeat(timeline.first, timeline.sizes)
            distinct = pd.RangeIndex(timeline.sizes.max())
            shared = timeline.names is None
        of_rows = np.empty(len(places), dtype=np.intp)
        of_rows[timeline.order] = places
        return cls(of_rows, distinct, timeline, shared)

    def of_rows_ahead(self, n_rows: int) -> np.ndarray:
        """Return the place of the row that comes `n_rows` later in the same series, an int for each row.

        Beyond the end of a series it is taken to have one row at each further place.
        """
        order, series = self.timeline.order, self.timeline.series
        ahead = self.of_rows + n_rows
        inside = series[n_rows:] == series[:-n_rows]
        ahead[order[:-n_rows][inside]] = self.of_rows[order[n_rows:][inside]]
        return ahead
