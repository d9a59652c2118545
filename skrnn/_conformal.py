"""Conformal intervals: as wide as the errors on rows that were set aside say they must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skrnn._parameters import is_number


@dataclass(frozen=True)
class Calibration:
    """Forecasts and truths of the rows that were set aside, in the units of the net.

    Attributes
    ----------
    parameters : list of ndarray, each of shape (n_rows, n_columns, n_parameters)
        What each net of the ensemble forecast.
    truth : ndarray of shape (n_rows, n_columns)
        NaN where unknown.
    """

    parameters: list[np.ndarray]
    truth: np.ndarray

    def widening(self, low: np.ndarray, high: np.ndarray, coverage: float) -> np.ndarray:
        """How far the interval of each column must be moved outwards, shape (n_columns,).

        Of the n scores ``max(low - y, y - high)`` of a column it is the ``ceil((n + 1) * coverage)``-th smallest
        (Romano et al. 2019, conformalized quantile regression; with ``low = high`` the split conformal interval of Lei
        et al. 2018). A row that is exchangeable with the calibration rows lies inside with that probability or more.

        Parameters
        ----------
        low, high : ndarray of shape (n_rows, n_columns)
            The interval that the net itself gives for the calibration rows.
        coverage : float

        Raises
        ------
        ValueError
            A column has too few rows.
        """
        scores = np.maximum(low - self.truth, self.truth - high)
        scores = np.sort(scores, axis=0)  # NaN last
        n_known = (~np.isnan(scores)).sum(axis=0)  # (n_columns,)
        rank = np.ceil((n_known + 1) * coverage - 1e-9).astype(int)
        if (rank > n_known).any():
            needed = int(np.ceil(coverage / (1 - coverage) - 1e-9))
            raise ValueError(
                f"coverage={coverage:g} needs at least {needed} calibration rows for each step, got "
                f"{int(n_known.min())} (each series lacks the last steps of its last rows). Give `fit` more rows, "
                "a larger calibration_fraction, or ask for less coverage."
            )
        return scores[rank - 1, np.arange(scores.shape[1])]


def check_coverage(coverage: float) -> float:
    """Return `coverage` when it lies between 0 and 1, both excluded, else raise ValueError."""
    if not is_number(coverage) or not 0 < coverage < 1:
        raise ValueError(f"`coverage` must be a number between 0 and 1, such as 0.9, got {coverage!r}.")
    return float(coverage)
