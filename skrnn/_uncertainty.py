"""Forecasts with their uncertainty: points, quantiles, deviations, conformal intervals, and whole paths."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from skrnn._conformal import Calibration, check_coverage
from skrnn._distributions import Distribution, deviation_on_nodes
from skrnn._holdout import hold_out
from skrnn._hyperparameters import has_quantiles
from skrnn._labelled import Labelled, Scaling
from skrnn._parameters import check_int
from skrnn._paths import by_series, correlation_factor, draw_paths, side_by_side
from skrnn._prediction import economical_order, in_rows
from skrnn._regression import RegressionEstimator
from skrnn._runtime import draw_seed
from skrnn._target_transform import untransformed
from skrnn._validation import Sequences

ROWS_AT_ONCE = 1024
CORRELATED_ROWS = 4096  # training rows from which the correlation of a path's steps is measured


class UncertainEstimator(RegressionEstimator):
    """Abstract: predictions from nets that give the parameters of a distribution for each target.

    Beside what `RegressionEstimator` asks for, a subclass sets `_distribution` and `_transform`, and has the parameter
    `calibration_fraction`.
    """

    calibration_fraction: float | None
    _distribution: Distribution  # as fitted
    _transform: str | None  # as fitted: `target_transform`
    _calibration: Calibration | None  # as fitted
    _correlations: list[np.ndarray] | None  # as fitted: what ties the steps of a path together, net by net
    _rows_set_aside: Labelled | None = None  # during a fit

    # -- what nets give --------------------------------------------------------------------------------------------

    def _parameters_of_nets(self, sequences: Sequences, horizon: int | None = None) -> list[np.ndarray]:
        """Parameters from each net in its own units, (n_samples, n_columns, n_parameters)."""
        order = economical_order(sequences)
        parts = [self._run(net, sequences, partial(net.module_, horizon=horizon), [order]) for net in self.nets_]
        outputs = [in_rows(part, order) for part in parts]
        return [values[..., None] if self._distribution.kind == "point" else values for values in outputs]

    def _points_of_nets(self, parameters: list[np.ndarray]) -> list[np.ndarray]:
        """One number for each target from each net, in the nets' units, (n_samples, n_columns)."""
        central = self._central or 0
        return [values[..., central] for values in parameters]

    def _raw_predict(self, sequences: Sequences) -> np.ndarray:
        """Point forecasts in the units of the transformed target, (n_samples, n_columns)."""
        points = np.mean(self._points_of_nets(self._parameters_of_nets(sequences)), axis=0)
        return self._scaling.restore(points, sequences, by_step=False, quantiles=False)

    def _point_forecast(self, values: np.ndarray) -> np.ndarray:
        return values  # `_raw_predict` gives one number for each target already

    def _restored(self, values: np.ndarray, sequences: Sequences, scaling: Scaling) -> np.ndarray:
        """The nets' units -> the user's: (n_samples, n_columns) or (n_samples, n_columns, n_values)."""
        restored = scaling.restore(values, sequences, by_step=False, quantiles=values.ndim == 3)
        return untransformed(restored, self._transform)

    # -- forecasts -------------------------------------------------------------------------------------------------

    def _mean_forecast(self, parameters: list[np.ndarray], sequences: Sequences, scaling: Scaling) -> np.ndarray:
        """The point forecast, the mean over the nets, in the user's units."""
        return self._restored(np.mean(self._points_of_nets(parameters), axis=0), sequences, scaling)

    def _deviation(self, parameters: list[np.ndarray], sequences: Sequences, scaling: Scaling) -> np.ndarray:
        """Standard deviation in the user's units: that of each net's distribution and that between the nets."""
        points = [self._restored(values, sequences, scaling) for values in self._points_of_nets(parameters)]
        variance = np.var(points, axis=0)
        if self._distribution.kind == "student_t" and self._transform is not None:
            raise ValueError(
                f"return_std=True has no answer here: undoing target_transform={self._transform!r} makes the tails of "
                "Student's t so heavy that there is no standard deviation. Take predict_quantiles or "
                "predict_interval, or fit with loss='gaussian' or 'quantile'."
            )
        if self._distribution.has_spread:
            for values in parameters:
                variance += self._deviation_within(values, sequences, scaling) ** 2 / len(parameters)
        elif len(parameters) < 2:
            raise ValueError(
                "return_std=True needs a distribution or the spread of several nets, but one net was trained with "
                f"loss={self.loss!r}. Fit with loss='gaussian', 'student_t' or 'quantile', or with n_nets=5."
            )
        return np.sqrt(variance)

    def _deviation_within(self, parameters: np.ndarray, sequences: Sequences, scaling: Scaling) -> np.ndarray:
        """Standard deviation of one net's distributions in the user's units, (n_samples, n_columns)."""
        deviation = np.empty(parameters.shape[:2])
        for begin in range(0, len(deviation), ROWS_AT_ONCE):
            rows = np.arange(begin, min(begin + ROWS_AT_ONCE, len(deviation)))
            some, block = parameters[rows], sequences.take(rows)
            if self._transform is None:
                units = scaling.offsets_and_units(block)[1]
                deviation[rows] = self._distribution.deviation(some) * np.abs(units)
            else:
                deviation[rows] = deviation_on_nodes(self._restored(self._distribution.on_nodes(some), block, scaling))
        return deviation

    def _quantiles(self, parameters: list[np.ndarray], levels: np.ndarray) -> np.ndarray:
        """Quantiles in the nets' units, averaged over the nets, (n_samples, n_columns, n_levels)."""
        return np.mean([self._distribution.quantiles(values, levels) for values in parameters], axis=0)

    # -- conformal intervals ---------------------------------------------------------------------------------------

    def _without_rows_set_aside(self, data: Labelled, rng: np.random.RandomState) -> Labelled:
        self._rows_set_aside = None
        if self.calibration_fraction is None:
            return data
        known = self._learning_rows(data)
        targets = data.targets
        kept, aside = hold_out(
            data.sequences,
            known,
            targets.values,
            self.calibration_fraction,
            targets.reach,
            rng,
            purpose="calibration_fraction",
        )
        self._rows_set_aside = data.take(aside)
        return data.take(kept)

    def _calibrate(self) -> None:
        """Forecast the rows that were set aside, and forget them."""
        aside, self._rows_set_aside, self._calibration = self._rows_set_aside, None, None
        if aside is not None:
            self._calibration = Calibration(self._parameters_of_nets(aside.sequences), self._truth(aside))

    def _truth(self, data: Labelled) -> np.ndarray:
        """Targets in the units of the nets, (n_samples, n_columns), NaN where unknown."""
        return np.where(np.isnan(data.targets.values), np.nan, self._scaling.scaled_targets(data)[0])

    def _interval(self, parameters: list[np.ndarray], coverage: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends in the nets' units, (n_samples, n_columns)."""
        check_coverage(coverage)
        if self._calibration is None:
            raise ValueError(
                f"coverage={coverage:g} needs rows that were set aside to measure errors on, and there are none: "
                f"calibration_fraction={self.calibration_fraction!r} now, and `partial_fit` sets none aside. Call "
                "`fit` with calibration_fraction=0.1."
            )
        levels = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
        measured = self._quantiles(self._calibration.parameters, levels)
        widening = self._calibration.widening(measured[..., 0], measured[..., 1], coverage)
        ends = self._quantiles(parameters, levels)
        low, high = ends[..., 0], ends[..., 1]
        middle = (low + high) / 2  # an interval that would turn inside out has no width
        return np.minimum(low - widening, middle), np.maximum(high + widening, middle)

    # -- paths -----------------------------------------------------------------------------------------------------

    def _after_training(self, train: Labelled) -> None:
        self._calibrate()
        self._correlations = None
        if self._distribution.has_spread:
            some = np.unique(np.linspace(0, len(train.sequences) - 1, CORRELATED_ROWS).astype(int))
            self._correlations = self._measure_correlations(train.take(some))

    def _measure_correlations(self, data: Labelled) -> list[np.ndarray]:
        """What ties the steps of a path from each net together, measured on rows with targets."""
        truth = self._truth(data)
        scores = [self._distribution.scores(values, truth) for values in self._parameters_of_nets(data.sequences)]
        return [correlation_factor(by_series(each, self._n_independent())) for each in scores]

    def _n_independent(self) -> int:
        """How many series of a row are drawn independently of each other."""
        return 1

    def _sample(
        self, sequences: Sequences, n_samples: int, random_state: Any, horizon: int, scaling: Scaling
    ) -> np.ndarray:
        """Paths in the user's units, (n_rows, n_columns, n_samples), each from one net of the ensemble."""
        check_int("n_samples", n_samples, low=1)
        if self._correlations is None:
            raise ValueError(
                f"Paths are drawn from a distribution, but loss={self.loss!r} learns none. Fit with loss='gaussian', "
                "'student_t' or 'quantile' with two quantiles or more."
            )
        rng, n_series = np.random.default_rng(draw_seed(random_state)), self._n_independent()
        paths = []
        shares = np.array_split(np.arange(n_samples), len(self.nets_))  # of the nets
        for parameters, factor, share in zip(
            self._parameters_of_nets(sequences, horizon), self._correlations, shares, strict=True
        ):
            rows = by_series(parameters, n_series)
            steps = factor[: rows.shape[1], : rows.shape[1]]  # the factor of the first steps is a part of it
            drawn = draw_paths(rows, self._distribution, steps, len(share), rng)
            paths.append(side_by_side(drawn, n_series))
        return self._restored(np.concatenate(paths, axis=2), sequences, scaling)


def has_distribution(estimator: Any) -> bool:
    """Whether quantiles can be asked for: those of the last fit, else those that `loss` will learn."""
    fitted = hasattr(estimator, "nets_")
    has = estimator._distribution.kind != "point" if fitted else has_quantiles(estimator.loss)
    if not has:
        raise AttributeError(
            f"Quantiles need a fit with loss='quantile', 'gaussian' or 'student_t', got loss={estimator.loss!r}."
        )
    return True
