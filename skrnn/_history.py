"""What a window step keeps of `fit`: the last rows of each series, and which new rows continue them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

from skrnn._calendar import Step, kind_of
from skrnn._timeline import Timeline, ranges, show


class Border(IntEnum):
    """How the rows of a series at `transform` lie to its rows at `fit`."""

    CONTINUES = 0  # they are its next rows
    BEGINS = 1  # they begin with its first row
    BEFORE = 2  # they begin before its first row
    INSIDE = 3  # they begin amid its rows
    GAP = 4  # rows are missing in between
    UNSEEN = 5  # it is a new series
    NO_STEP = 6  # there are no labels, or labels that have no distance


class Borders(NamedTuple):
    """How each series of new rows lies to those of `fit`: `Border` values, all of shape (n_series,)."""

    known: np.ndarray  # the place of the series in the history, -1 where it is unseen
    kinds: np.ndarray


@dataclass(frozen=True)
class History:
    """The last rows of every series seen in `fit`.

    Attributes
    ----------
    rows : ndarray of shape (n_kept, n_channels)
        The last rows of all series, one series after the other.
    sizes : ndarray of shape (n_series,)
        How many of `rows` belong to each series: up to the `n_kept` of `keep` (``window - 1`` for a window step,
        `window` for a SeriesForecaster), and none from before a hole.
    names : Index of shape (n_series,) or None
        The group of each series; None where there was no group.
    first, last : Index of shape (n_series,) or None
        The first and the last label of each series.
    step : Step
        The step of the labels.
    """

    rows: np.ndarray
    sizes: np.ndarray
    names: pd.Index | None
    first: pd.Index | None
    last: pd.Index | None
    step: Step

    @classmethod
    def keep(cls, rows: np.ndarray, timeline: Timeline, step: Step, n_kept: int) -> History:
        """Keep the last `n_kept` rows of each series, as far as no hole lies in between."""
        heads = np.flatnonzero(step.pieces(timeline.labels, timeline.series))  # (n_pieces,)
        first, last, labels = timeline.first, timeline.last, timeline.labels
        last_heads = heads[np.searchsorted(heads, last, side="right") - 1]  # (n_series,)
        sizes = np.minimum(last - last_heads + 1, n_kept)
        return cls(
            rows=rows[timeline.order[ranges(last + 1 - sizes, sizes)]],
            sizes=sizes,
            names=timeline.names,
            first=None if labels is None else labels.take(first),
            last=None if labels is None else labels.take(last),
            step=step,
        )

    @property
    def offsets(self) -> np.ndarray:
        """Where the rows of each series begin in `rows`, shape (n_series,)."""
        return np.cumsum(self.sizes) - self.sizes

    def borders(self, timeline: Timeline) -> Borders:
        """Say how each series of new rows lies to the rows kept."""
        n_series = len(timeline.first)
        if timeline.names is None or self.names is None:
            same = timeline.names is None and self.names is None
            known = np.full(n_series, 0 if same else -1, dtype=np.intp)
        else:
            known = self.names.get_indexer(timeline.names)
        kinds = np.where(known >= 0, Border.NO_STEP, Border.UNSEEN)
        seen = np.flatnonzero(known >= 0)
        if self.first is not None and self.last is not None and self.step.kind is not None:
            if kind_of(timeline.labels) == self.step.kind and timeline.labels is not None:
                new = timeline.labels.take(timeline.first[seen])
                begin, end = self.first.take(known[seen]), self.last.take(known[seen])
                kinds[seen] = np.select(
                    [new < begin, new == begin, new <= end, self.step.continues(end, new)],
                    [Border.BEFORE, Border.BEGINS, Border.INSIDE, Border.CONTINUES],
                    Border.GAP,
                )
        return Borders(known, kinds)

    def explain(self, timeline: Timeline, borders: Borders, lacking: np.ndarray) -> str:
        """Say how many series lack a history (bool, shape (n_series,)), and of the first of them why."""
        code = int(np.flatnonzero(lacking)[0])
        border, name = borders.kinds[code], timeline.name(code)
        begin = end = ""
        if timeline.labels is not None:
            begin = f"{name} begins at {show(timeline.labels[timeline.first[code]])}"
        if self.last is not None:
            end = show(self.last[borders.known[code]])
        why = {
            Border.UNSEEN: f"{name} was not in `fit`",
            Border.BEFORE: f"{begin}, before the rows of `fit`",
            Border.INSIDE: f"{begin}, amid the rows of `fit`, which end at {end}: pass all of its rows, or "
            "only those after",
            Border.GAP: f"{begin}, more than one step ({self.step}) after {end}, the last label of `fit`: "
            "pass the rows in between too",
            Border.NO_STEP: "they have no labels that say what they continue: pass DataFrames with an index "
            "of dates or numbers, of the same kind, to `fit` and `transform`",
        }[Border(border)]
        who = f"{int(lacking.sum())} of {len(lacking)} series" if len(lacking) > 1 else "The rows"
        return f"{who} get no history from `fit`: {why}"
