"""How an estimator is made to forecast: nets read windows and the series itself, other regressors a table of lags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from skrnn._series_pieces import Pieces
from skrnn._target_transform import TRANSFORMS

CALIBRATED = 0.1  # share of the rows that a copy sets aside where the estimator sets none
CALIBRATING_ROWS = 20  # it sets so many aside at least, more than the 9 that an interval of 90 % needs,
MOST_CALIBRATING = 0.5  # but no more than this share


@dataclass
class Driver:
    """An estimator and what it needs to know to forecast.

    Attributes
    ----------
    estimator : estimator
        A clone of the user's, ready to be fitted.
    window, horizon : int
    targets, known : list of int
        The channels to forecast, and those whose future is known.
    names : tuple of str or None
        Of the channels.
    """

    estimator: Any
    window: int
    horizon: int
    targets: list[int]
    known: list[int]
    names: tuple[str, ...] | None

    centres = False  # whether the series of a panel are to have mean 0

    def fit(self, pieces: Pieces) -> None:
        raise NotImplementedError

    def training_rows(self, pieces: Pieces) -> np.ndarray:
        """Return which rows `fit` has something to learn from (bool, n_rows)."""
        raise NotImplementedError

    def read(self, pieces: Pieces, origins: np.ndarray) -> Any:
        """Return what the estimator takes as X for forecasts made at the rows `origins`."""
        raise NotImplementedError

    def predict(self, pieces: Pieces, origins: np.ndarray) -> np.ndarray:
        """Return the forecasts made at the rows `origins`, shape (n_origins, horizon, n_outputs)."""
        return self._shaped(self.estimator.predict(self.read(pieces, origins)), len(origins))

    def predict_interval(self, pieces: Pieces, origins: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper end of the interval around these forecasts, shapes as `predict`."""
        lower, upper = self.estimator.predict_interval(self.read(pieces, origins), coverage=coverage)
        return self._shaped(lower, len(origins)), self._shaped(upper, len(origins))

    def _shaped(self, prediction: Any, n_origins: int) -> np.ndarray:
        shape = (n_origins, self.horizon, len(self.targets))
        values = np.asarray(prediction, dtype=np.float64)
        if values.size != np.prod(shape):
            raise ValueError(
                f"`estimator` must predict {self.horizon} steps of {len(self.targets)} targets for each of {n_origins} "
                f"rows, got an array of shape {values.shape} from {type(self.estimator).__name__}."
            )
        return values.reshape(shape)


class WindowDriver(Driver):
    """For estimators with `horizon`: X is windows, y the series itself, and they look up each row's future.

    They take the level off each window themselves, and may take logarithms, so series keep their sign. An estimator
    that could give intervals but set no rows aside keeps all of them for its forecasts; the first interval asked for
    then trains a copy that does (`_calibrated`), for which the rows are kept until then.
    """

    _trained_on: Pieces | None = None
    _copy: Any = None

    def fit(self, pieces: Pieces) -> None:
        self._trained_on = pieces if getattr(self.estimator, "calibration_fraction", False) is None else None
        self._fit(self.estimator, pieces)

    def predict_interval(self, pieces: Pieces, origins: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
        if self._trained_on is None and self._copy is None:
            return super().predict_interval(pieces, origins, coverage)
        calibrated, X = self._calibrated(), self.read(pieces, origins)
        forecasts = self.predict(pieces, origins)
        middle = self._shaped(calibrated.predict(X), len(origins))
        ends = calibrated.predict_interval(X, coverage=coverage)
        lower, upper = (forecasts + self._shaped(end, len(origins)) - middle for end in ends)
        transform = TRANSFORMS.get(str(getattr(self.estimator, "target_transform", None)))
        least = -np.inf if transform is None else transform.low  # the width is of another net, whose level may differ
        return np.maximum(lower, least), np.maximum(upper, least)

    def _calibrated(self) -> Any:
        """A copy of the estimator that set rows aside, trained when it is first asked for."""
        if self._copy is None:
            assert self._trained_on is not None
            n_series, n_rows = len(np.unique(self._trained_on.series)), len(self._trained_on.series)
            # each series lacks the last steps of its last horizon - 1 rows
            needed = (CALIBRATING_ROWS + (self.horizon - 1) * n_series) / n_rows
            share = min(max(CALIBRATED, needed), MOST_CALIBRATING)
            copy = clone(self.estimator).set_params(calibration_fraction=share)
            self._fit(copy, self._trained_on)
            self._copy, self._trained_on = copy, None
        return self._copy

    def training_rows(self, pieces: Pieces) -> np.ndarray:
        return pieces.later(self.horizon if self.known else 1)[1]

    def _fit(self, estimator: Any, pieces: Pieces) -> None:
        shifted, ready = pieces.ahead(self.known, self.horizon)
        y = pieces.values[:, self.targets]
        # rows whose inputs to come are unknown do not train, but their targets teach earlier rows
        weights = {} if ready.all() else {"sample_weight": ready.astype(float)}
        X = shifted.windows(np.arange(len(y)), self.window, self.names)
        estimator.fit(X, y[:, 0] if y.shape[1] == 1 else y, **weights)

    def read(self, pieces: Pieces, origins: np.ndarray) -> Any:
        shifted, _ = pieces.ahead(self.known, self.horizon)
        return shifted.windows(origins, self.window, self.names)


class LagDriver(Driver):
    """For any other regressor: X is a table of lags, y one of the steps ahead, of rows whose future is known."""

    centres = True

    def fit(self, pieces: Pieces) -> None:
        futures = pieces.futures(self.targets, self.horizon).reshape(len(pieces.series), -1)
        rows = np.flatnonzero(self.training_rows(pieces))
        if len(rows) == 0:
            raise ValueError(
                f"`horizon`={self.horizon} is too long: no row of X is followed by so many rows without a hole. Take a "
                "shorter horizon or more rows."
            )
        self.estimator.fit(self.read(pieces, rows), futures[rows, 0] if futures.shape[1] == 1 else futures[rows])

    def training_rows(self, pieces: Pieces) -> np.ndarray:
        has_future = pieces.later(self.horizon)[1]
        whole = has_future & (np.arange(len(has_future)) - pieces.starts + 1 >= self.window)
        return whole if whole.any() else has_future

    def read(self, pieces: Pieces, origins: np.ndarray) -> Any:
        shifted, _ = pieces.ahead(self.known, self.horizon)
        return shifted.lags(origins, self.window)


def drive(
    estimator: Any, window: int, horizon: int, targets: list[int], known: list[int], names: tuple[str, ...] | None
) -> Driver:
    """Return a driver of a clone of `estimator`, which `fit` of the driver then fits.

    Raises
    ------
    ValueError
        If it is a class, a classifier or has no `fit` and `predict`, or if it holds a net, which then would be given
        lags where it needs windows.
    """
    lacks = [method for method in ("fit", "predict", "get_params") if not hasattr(estimator, method)]
    if isinstance(estimator, type) or lacks or is_classifier(estimator):
        found = f"the class {estimator.__name__}" if isinstance(estimator, type) else type(estimator).__name__
        raise ValueError(
            f"`estimator` must be a regressor, an object with fit and predict, got {found}: {estimator!r}."
        )
    copy = clone(estimator)
    parameters = copy.get_params(deep=False)
    if "horizon" in parameters:
        settings: dict[str, Any] = {"horizon": horizon}
        for name, channels in (("target_channels", targets), ("future_channels", known)):
            given = parameters.get(name, False)  # False: there is no such parameter
            if given is None or (given is not False and np.size(given) == 0):
                settings[name] = list(channels) or given
        return WindowDriver(copy.set_params(**settings), window, horizon, targets, known, names)
    held = [name for name in copy.get_params(deep=True) if name.endswith("__horizon")]
    if held:
        raise ValueError(
            f"`estimator` must be the net itself, got {type(copy).__name__} around one (it has the parameter "
            f"{held[0]!r}): give the net, whose windows are made and scaled here, and put a search around this "
            "forecaster."
        )
    if horizon * len(targets) > 1 and not get_tags(copy).target_tags.multi_output:
        copy = MultiOutputRegressor(copy)
    return LagDriver(copy, window, horizon, targets, known, names)
