"""Whole paths of a forecast: how its steps vary together, and draws that vary alike.

Each target has a distribution of its own. What ties the steps (and outputs) of a path together is the correlation of
their normal scores, measured on training rows: a Gaussian copula (Song 2000; for forecasts Salinas et al. 2019).
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from sklearn.covariance import ledoit_wolf

from skrnn._distributions import Distribution

SMALLEST_VARIANCE = 1e-12
ROWS_AT_ONCE = 256


def correlation_factor(scores: np.ndarray) -> np.ndarray:
    """A factor L of the correlation L L' of normal scores (n_samples, n_columns), shape (n_columns, n_columns).

    Of their ranks (Boudt et al. 2012): few scores far out, where a net is too sure of itself, then decide nothing. Rows
    with NaN are left out; with fewer than two others columns are taken as independent.
    """
    known = scores[~np.isnan(scores).any(axis=1)]
    size = scores.shape[1]
    if len(known) < 2:
        return np.eye(size)
    even = stats.norm.ppf(stats.rankdata(known, axis=0) / (len(known) + 1))
    covariance = ledoit_wolf(even, assume_centered=True)[0]
    deviation = np.sqrt(np.maximum(np.diag(covariance), SMALLEST_VARIANCE))
    return np.linalg.cholesky(covariance / np.outer(deviation, deviation) + 1e-9 * np.eye(size))


def draw_paths(
    parameters: np.ndarray, distribution: Distribution, factor: np.ndarray, n_paths: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw so many paths for each row.

    Parameters
    ----------
    parameters : ndarray of shape (n_rows, n_columns, n_parameters)
    distribution : Distribution
    factor : ndarray of shape (n_columns, n_columns)
        From `correlation_factor`.
    n_paths : int
    rng : Generator

    Returns
    -------
    ndarray of shape (n_rows, n_columns, n_paths)
    """
    paths = np.empty((*parameters.shape[:2], n_paths))
    for begin in range(0, len(paths), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        scores = factor @ rng.standard_normal(paths[rows].shape)
        paths[rows] = distribution.from_scores(parameters[rows, :, None], scores)
    return paths


def by_series(columns: np.ndarray, n_series: int) -> np.ndarray:
    """(n_rows, horizon * n_series, ...) -> (n_rows * n_series, horizon, ...), each series as rows of its own."""
    apart = columns.reshape(len(columns), -1, n_series, *columns.shape[2:]).swapaxes(1, 2)
    return apart.reshape(-1, *apart.shape[2:])


def side_by_side(rows: np.ndarray, n_series: int) -> np.ndarray:
    """(n_rows * n_series, horizon, ...) -> (n_rows, horizon * n_series, ...), the way back from `by_series`."""
    apart = rows.reshape(len(rows) // n_series, n_series, *rows.shape[1:]).swapaxes(1, 2)
    return apart.reshape(len(apart), apart.shape[1] * n_series, *apart.shape[3:])
