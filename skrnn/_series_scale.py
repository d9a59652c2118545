"""Level and spread of each series, so that one net serves series of any size, and what a naive forecast missed by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from skrnn._series_pieces import Pieces

_CONSTANT = 1e-12  # of the level: a smaller spread is rounding


@dataclass(frozen=True)
class SeriesScales:
    """What was measured of the targets of each series.

    Attributes
    ----------
    names : Index of shape (n_series,) or None
        The group of each series; with None there is one series, which is not scaled.
    centred : bool
        Whether the mean is taken off. Without that, values that are positive stay so.
    mean, spread : ndarray of shape (n_series, n_outputs)
        Mean (0 where not `centred`) and standard deviation, 0 and 1 for a single series; a constant one has the
        spread 1.
    naive : ndarray of shape (n_series, n_outputs)
        Mean absolute difference of neighbouring rows, not across holes; 1 where they are all equal.
    n_rows : ndarray of shape (n_series,)
        From how many rows.
    """

    names: pd.Index | None
    centred: bool
    mean: np.ndarray
    spread: np.ndarray
    naive: np.ndarray
    n_rows: np.ndarray

    @classmethod
    def measure(
        cls, pieces: Pieces, targets: list[int], names: pd.Index | None, *, centred: bool, most: int | None = None
    ) -> SeriesScales:
        """Measure all series of `pieces`, each by its first `most` rows."""
        n_series = 1 if names is None else len(names)
        rows = np.arange(len(pieces.series)) if most is None else np.flatnonzero(pieces.places < most)
        y, codes = pieces.values[rows][:, targets], pieces.series[rows]
        n_rows = np.bincount(codes, minlength=n_series)
        follows = np.flatnonzero(~pieces.begins[rows][1:])  # the row before is a step away

        def mean_of(values: np.ndarray, of: np.ndarray) -> np.ndarray:
            totals = np.stack([np.bincount(of, column, minlength=n_series) for column in values.T], axis=1)
            return totals / np.maximum(np.bincount(of, minlength=n_series), 1)[:, None]

        mean = mean_of(y, codes)
        spread = np.sqrt(mean_of((y - mean[codes]) ** 2, codes))
        spread[spread <= _CONSTANT * np.abs(mean)] = 1.0
        naive = mean_of(np.abs(np.diff(y, axis=0))[follows], codes[1:][follows])
        naive[naive == 0] = 1.0
        if names is None:
            spread[:] = 1.0
        if names is None or not centred:
            mean = np.zeros_like(mean)
        return cls(names, centred, mean, spread, naive, n_rows)

    def extended(
        self, pieces: Pieces, targets: list[int], names: pd.Index | None, most: int, *, renew: bool
    ) -> tuple[SeriesScales, np.ndarray]:
        """Return the scales of the series `names` (those of `pieces`), and which are new ones (bool, n_series).

        New series are measured by their first `most` rows; with `renew` so are those that were measured by fewer.
        """
        fresh = SeriesScales.measure(pieces, targets, names, centred=self.centred, most=most)
        if names is None or self.names is None:
            known = np.zeros(len(fresh.n_rows), dtype=np.intp)
        else:
            known = self.names.get_indexer(names)
        keeps = known >= 0
        unseen = ~keeps
        if renew and names is not None:
            keeps &= ~((self.n_rows[known] < most) & (fresh.n_rows > self.n_rows[known]))
        fields = {}
        for field in ("mean", "spread", "naive", "n_rows"):
            measured = getattr(fresh, field).copy()
            measured[keeps] = getattr(self, field)[known[keeps]]
            fields[field] = measured
        return replace(fresh, **fields), unseen

    def scaled(self, pieces: Pieces, targets: list[int]) -> Pieces:
        """Return `pieces` with targets that have spread 1 (and, where `centred`, mean 0) in each series."""
        if self.names is None:
            return pieces
        values = pieces.values.copy()
        values[:, targets] = (values[:, targets] - self.mean[pieces.series]) / self.spread[pieces.series]
        return replace(pieces, values=values)

    def restored(self, forecasts: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Return forecasts (n, horizon, n_outputs) of the series with these codes (n,) in their own units."""
        return forecasts * self.spread[series][:, None] + self.mean[series][:, None]
