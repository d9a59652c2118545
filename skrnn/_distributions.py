"""Distributions that a net forecasts, in numpy: quantiles, spread, and the way to and from normal scores.

A normal score z of a value y is what a standard normal variable has where the distribution has y: F(y) = Phi(z).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)  # integrate over the standard normal distribution
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
LARGEST_SCORE = 8.0
SMALLEST_GAP = 1e-9  # between quantiles, in standardised units, so that scores are defined


@dataclass(frozen=True)
class Distribution:
    """How the parameters of a forecast, (..., n_parameters), make a distribution.

    Parameters
    ----------
    kind : {"point", "quantile", "gaussian", "student_t"}
        See `skrnn.nn._distributions.Emission`. "point" has all its weight at one value.
    levels : tuple of float
        Of "quantile", ascending; between two of them the distribution is normal, and beyond the outermost it goes on
        as between the last two.
    """

    kind: str
    levels: tuple[float, ...] = ()

    @property
    def has_spread(self) -> bool:
        return self.kind in ("gaussian", "student_t") or len(self.levels) > 1

    def quantiles(self, parameters: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """(..., n_parameters) -> (..., n_levels), ascending as the levels are"""
        if self.kind == "quantile" and np.array_equal(levels, self.levels):
            return parameters
        scores = np.broadcast_to(stats.norm.ppf(levels), (*parameters.shape[:-1], len(levels)))
        return self.from_scores(parameters[..., None, :], scores)

    def from_scores(self, parameters: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Values with these normal scores; parameters (..., n_parameters) and scores (...) broadcast."""
        if self.kind == "gaussian":
            return parameters[..., 0] + parameters[..., 1] * scores
        if self.kind == "student_t":
            tail = stats.norm.sf(np.abs(scores))  # exact far out, where 1 - tail is 1
            return parameters[..., 0] + parameters[..., 1] * np.sign(scores) * stats.t.isf(tail, parameters[..., 2])
        if not self.has_spread:
            return np.broadcast_to(parameters[..., 0], np.broadcast_shapes(parameters.shape[:-1], scores.shape))
        knots = stats.norm.ppf(self.levels)
        piece = np.clip(np.searchsorted(knots, scores) - 1, 0, len(knots) - 2)
        low, high = _pick(parameters, piece), _pick(parameters, piece + 1)
        share = (scores - knots[piece]) / (knots[piece + 1] - knots[piece])
        return low + (high - low) * share

    def scores(self, parameters: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Normal scores (...) of values (...), within -8 and 8."""
        if self.kind == "gaussian":
            scores = (values - parameters[..., 0]) / parameters[..., 1]
        elif self.kind == "student_t":
            t = (values - parameters[..., 0]) / parameters[..., 1]
            scores = -np.sign(t) * stats.norm.ppf(stats.t.sf(np.abs(t), parameters[..., 2]))
        else:
            knots = stats.norm.ppf(self.levels)
            piece = np.clip((parameters <= values[..., None]).sum(axis=-1) - 1, 0, len(knots) - 2)
            low, high = _pick(parameters, piece), _pick(parameters, piece + 1)
            share = (values - low) / np.maximum(high - low, SMALLEST_GAP)
            scores = knots[piece] + share * (knots[piece + 1] - knots[piece])
        return np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)

    def deviation(self, parameters: np.ndarray) -> np.ndarray:
        """Standard deviation, (..., n_parameters) -> (...)"""
        if self.kind == "gaussian":
            return parameters[..., 1]
        if self.kind == "student_t":
            return parameters[..., 1] * np.sqrt(parameters[..., 2] / (parameters[..., 2] - 2))
        return deviation_on_nodes(self.on_nodes(parameters))

    def on_nodes(self, parameters: np.ndarray) -> np.ndarray:
        """(..., n_parameters) -> values at the nodes of an integral over the distribution, (..., n_nodes)"""
        return self.from_scores(parameters[..., None, :], np.broadcast_to(NODES, (*parameters.shape[:-1], len(NODES))))


def _pick(parameters: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The parameter at a position (...) of the last axis, shapes broadcast."""
    shape = np.broadcast_shapes(parameters.shape[:-1], position.shape)
    parameters = np.broadcast_to(parameters, (*shape, parameters.shape[-1]))
    return np.take_along_axis(parameters, np.broadcast_to(position, shape)[..., None], axis=-1)[..., 0]


def deviation_on_nodes(values: np.ndarray) -> np.ndarray:
    """Standard deviation from values at the nodes, (..., n_nodes) -> (...)"""
    mean = values @ NODE_WEIGHTS
    return np.sqrt(np.maximum((values - mean[..., None]) ** 2 @ NODE_WEIGHTS, 0.0))
