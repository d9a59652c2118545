"""SeriesForecaster: any regressor as a forecaster of labelled series, from pandas to pandas."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from skrnn._backtest import (
    Backtest,
    choose_cutoffs,
    clock_of,
    error_table,
    forecast_table,
    last_rows,
    past_of,
    persistence,
    rows_until,
    seasonal_naive,
    share_within,
)
from skrnn._calendar import Step
from skrnn._forecast_drivers import Driver, drive
from skrnn._future_labels import Cadence
from skrnn._history import Border, History
from skrnn._known_ahead import rows_to_come, with_rows_to_come
from skrnn._parameters import check_float, check_int
from skrnn._series_pieces import Pieces, join, remember
from skrnn._series_scale import SeriesScales
from skrnn._series_table import SeriesRows, TableForm
from skrnn._timeline import Timeline, show

__all__ = ["Backtest", "SeriesForecaster"]

_MOST_NAMED = 5  # series listed in a message
_ENDS = ("_lower", "_upper")  # what the columns of an interval are called behind the name of the target


class SeriesForecaster(BaseEstimator):
    """Forecast a Series, the columns of a DataFrame, or a panel of series with any regressor.

    The view of a forecaster: `fit` takes the table that holds everything, `predict` returns the rows that follow it,
    with their labels, and `update` takes the rows that have come since. `estimator` may be a net of this package (one
    with a parameter `horizon`) or any regressor of scikit-learn, which then sees a table of lags.

    Parameters
    ----------
    estimator : estimator
        With a parameter `horizon` (`RNNRegressor`, `Seq2SeqForecaster`) it is fitted with windows, and `horizon`, and
        where they are not set `target_channels` and `future_channels`, are set by this class; it is given as it is,
        not within a Pipeline or a search, since its windows are made and scaled here. Any other regressor is
        fitted with a table of the last `window` values of each column (oldest first) and all steps ahead at once, by
        ``MultiOutputRegressor`` where it takes one output only.
    window : int
        How many rows a forecast looks back on, the last known one included.
    horizon : int
        How many rows to forecast.
    target : column name or list of these, default=None
        The columns to forecast. None: all that are neither known ahead, nor group or time.
    known_ahead : column name or list of these, default=()
        The columns whose future is known (calendar, prices). A row then stands for what is known `horizon` rows
        later, as in `future_inputs`; `window` must be at least `horizon`. `predict` needs them in `X_future`.
    group : column name, column position or name of an index level, default=None
        Says which series a row belongs to, in a panel. One estimator learns from all of them; the targets of each
        series are divided by their standard deviation over its rows in `fit` (or, where these are fewer than
        `window`, over its first `window` rows), so that series of any size can be learned together. For estimators
        without `horizon` their mean is taken off too; nets scale each window by `window_scaling`, and their
        `target_transform` sees the series so divided.
    time : column name, column position or name of an index level, default=None
        The time label of a row; rows may then be in any order. None: the index.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator` (in a ``MultiOutputRegressor`` where that was needed).
    targets_ : list
        The columns that are forecast.
    channels_ : list
        All columns but those of group and time, in the order in which the estimator sees them.
    series_ : Index or None
        The series that can be forecast, those of `update` included; None where there is no `group`.
    history_ : History
        The last `window` rows of each series.

    See Also
    --------
    Seq2SeqForecaster : A net that decodes the steps ahead and can say how sure it is.
    SlidingWindowTransformer : The same windows as a step of a Pipeline.

    Notes
    -----
    *Labels.* The rows ahead are labelled by the `freq` of the index, else by the frequency that pandas infers, else
    by the commonest step; periods and numbers go on as they are. `X_future` brings its own labels, so a
    calendar with holidays can be followed.

    *Holes.* In a regular index (see `SlidingWindowTransformer`) no window and no forecast reaches across a hole.

    *Searches.* ``GridSearchCV(forecaster, {"window": [48, 96]}, cv=TimeSeriesSplit(5)).fit(df)`` needs no y: a fold's
    test rows are forecast with the training rows as history, and judged by `score`. No gap is needed, since a fit
    learns from steps within its own rows only, and one would cut the test rows off from their history. A panel needs
    its rows in order of time for that, or ``WindowedTimeSeriesSplit(group=..., time=..., gap=0)``.

    *Memory.* Where a net that can give intervals sets no rows aside for them (``calibration_fraction=None``), the
    forecaster keeps the rows of `fit` until the first interval is asked for, and pickles them.

    *Ctrl-C* in a net's training leaves what was learned so far, as in `RNNRegressor`, and is raised again.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from skrnn import SeriesForecaster
    >>> days = pd.date_range("2024-01-01", periods=70, name="day")
    >>> noise = np.random.default_rng(0).normal(size=70)
    >>> sales = pd.Series(100 + 10 * np.sin(np.arange(70) * 2 * np.pi / 7) + noise, index=days, name="sales")
    >>> forecaster = SeriesForecaster(Ridge(alpha=1e-3), window=14, horizon=3).fit(sales[:-1])
    >>> forecaster.predict().round(1)
                sales
    day
    2024-03-10   93.1
    2024-03-11  100.9
    2024-03-12  108.4
    >>> forecaster.update(sales[-1:]).predict().index[0]
    Timestamp('2024-03-11 00:00:00')
    >>> forecaster.backtest(sales, n_splits=4).errors.round(2)
                     MAE  RMSE  MASE  sMAPE
    model           1.12  1.39  1.02   1.16
    persistence     7.91  9.28  7.18   7.88
    seasonal naive  1.27  1.64  1.15   1.31
    """

    estimator_: Any
    targets_: list[Any]
    channels_: list[Any]
    series_: pd.Index | None
    history_: History
    _form: TableForm
    _cadence: Cadence
    _driver: Driver
    _scales: SeriesScales

    def __init__(
        self,
        estimator: Any,
        *,
        window: int,
        horizon: int,
        target: Any = None,
        known_ahead: Any = (),
        group: Any = None,
        time: Any = None,
    ) -> None:
        self.estimator = estimator
        self.window = window
        self.horizon = horizon
        self.target = target
        self.known_ahead = known_ahead
        self.group = group
        self.time = time

    def fit(self, X: Any, y: Any = None) -> SeriesForecaster:
        """Learn from a table that holds targets and inputs.

        Parameters
        ----------
        X : Series or DataFrame of shape (n_times, n_columns)
            The past, its index (or `time`) in order of time. All values are known and finite.
        y : None
            Ignored: X holds the targets.

        Returns
        -------
        self : SeriesForecaster

        Raises
        ------
        ValueError
            If a parameter or X is not what it must be; a former fit stays then.

        Warns
        -----
        UserWarning
            If every series is shorter than `window`, or if some series of a panel give nothing to learn from: a net
            learns from rows that have a next one (with `known_ahead`: `horizon` rows behind them), other estimators
            from rows with `horizon` rows behind them and, where any series has such, `window` rows up to them.
        """
        form, rows = self._read(X)
        timeline = rows.timeline
        cadence = Cadence.learn(rows.labels, timeline.series)
        step = Step.learn(rows.labels, timeline.series, cut=True)
        pieces = Pieces.cut(rows, step)
        self._check_length(timeline, pieces, form)
        cadence.warn_of_leaps(rows.labels, timeline.series, pieces.begins)
        driver = drive(self.estimator, self.window, self.horizon, form.targets, form.known, form.names)
        self._name_untrained(timeline, pieces, driver)
        scales = SeriesScales.measure(pieces, form.targets, timeline.names, centred=driver.centres)
        history = History.keep(rows.values, timeline, step, self.window)
        try:
            driver.fit(scales.scaled(pieces, form.targets))
        except KeyboardInterrupt:
            if hasattr(driver.estimator, "nets_"):
                self._keep(form, cadence, driver, scales, history)
            raise
        self._keep(form, cadence, driver, scales, history)
        return self

    def predict(self, X_future: Any = None, coverage: float | None = None) -> pd.DataFrame:
        """Forecast the `horizon` rows that follow the last known ones.

        Parameters
        ----------
        X_future : DataFrame or Series, default=None
            With `known_ahead`: these columns (others are not looked at) in the next `horizon` rows of every series,
            with group and time as in `fit`. Rows that are known already are passed over.
        coverage : float, default=None
            The share of actual values that an interval around the forecast is to hold, between 0 and 1. Needs an
            estimator with `predict_interval`. Where that sets no rows aside to calibrate on
            (``calibration_fraction=None``), the first call trains a copy that sets a tenth aside (more where a tenth is
            few) and takes from it how
            far the interval reaches to both sides of the forecast; a ConvergenceWarning may come from there. Widths
            lent to another net guarantee no coverage. ``Seq2SeqForecaster(calibration_fraction=...)`` does, for rows
            that are exchangeable.

        Returns
        -------
        forecasts : DataFrame of shape (horizon, n_targets), or (n_series * horizon, ...) for a panel
            A column for each target; with `coverage` followed by ``<target>_lower`` and ``<target>_upper``. Group and
            time are where they were in `fit`: in the index (a MultiIndex for two levels) or in columns in front.

        Raises
        ------
        ValueError
            If `X_future` is missing, not needed, has too few rows, rows that do not follow, or missing values; if
            `coverage` is not between 0 and 1, the estimator has no intervals, or two columns would have one name.
        """
        check_is_fitted(self)
        form, driver, history = self._form, self._driver, self.history_
        assert history.last is not None
        self._check_coverage(coverage, driver.estimator)
        columns = self._columns(("",) if coverage is None else ("", *_ENDS))
        coming = None
        if form.known:
            if X_future is None:
                known = [form.channels[k] for k in form.known]
                raise ValueError(
                    f"X_future must hold the columns {known} of `known_ahead` in the next {driver.horizon} rows, got "
                    "None."
                )
            future = form.read_future(X_future)
            coming, labels = rows_to_come(history, future, form.known, driver.horizon, form.channels)
        else:
            if X_future is not None:
                raise ValueError(
                    "X_future must be None where `known_ahead` names no column. New rows of the past go to `update`."
                )
            labels = self._cadence.after(history.last, driver.horizon)
        pieces, origins = with_rows_to_come(history, coming, driver.horizon)
        forecasts = self._forecast(pieces, origins, self._scales, coverage)  # each (n_series, horizon, n_targets)
        values = [forecasts[suffix][:, :, k].ravel() for k in range(len(self.targets_)) for suffix in forecasts]
        names = None if history.names is None else history.names.repeat(driver.horizon)
        return form.write(names, labels, dict(zip(columns, values, strict=True)))

    def update(self, X: Any) -> SeriesForecaster:
        """Take in rows that have become known, without learning from them; `predict` then forecasts what follows.

        Parameters
        ----------
        X : Series or DataFrame
            The columns of `fit`. The rows of each series continue it without a gap; other series may be new.

        Returns
        -------
        self : SeriesForecaster

        Raises
        ------
        ValueError
            If X is not as in `fit`, or a series does not continue the known one; nothing is changed then.
        """
        check_is_fitted(self)
        rows = self._form.read(X)
        borders = self.history_.borders(rows.timeline)
        wrong = ~np.isin(borders.kinds, (Border.CONTINUES, Border.UNSEEN))
        if wrong.any():
            raise ValueError(
                f"X must hold the rows that follow the known ones: {self._why_not(rows, wrong, borders.kinds)}."
            )
        pieces, names, _ = join(self.history_, rows, borders)
        window = self._driver.window
        scales, _ = self._scales.extended(pieces, self._form.targets, names, window, renew=True)
        self.history_ = remember(self.history_, rows, borders, pieces, names, window)
        self._scales, self.series_ = scales, names
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean scaled error of the forecasts made at all rows of X.

        Forecasts are made at each row of X and, where X continues the known rows, at the last known one, with those
        as history. Their absolute errors at all steps that lie in X are divided by what the naive forecast of one
        step missed by in `fit`, for each target and series (1 for a series that was constant), and averaged.

        Parameters
        ----------
        X : Series or DataFrame
            The columns of `fit`; its rows continue the known ones, or are a past of their own. Of a series not seen
            before the forecasts count from its `window`-th row on, where its scale is known.
        y : None
            Ignored.

        Returns
        -------
        score : float
            0 is perfect; -1 is as bad as the naive forecast one step ahead in the training rows.

        Raises
        ------
        ValueError
            If X is not as in `fit`, or too short: no step of a forecast lies in it (with `known_ahead` all
            `horizon` steps must).

        Warns
        -----
        UserWarning
            If rows are missing between the known ones and X, or X begins amid them: it then has no history.
        """
        check_is_fitted(self)
        form, driver = self._form, self._driver
        rows = form.read(X)
        borders = self.history_.borders(rows.timeline)
        lacking = np.isin(borders.kinds, (Border.INSIDE, Border.GAP))
        if lacking.any():
            warnings.warn(f"{self.history_.explain(rows.timeline, borders, lacking)}.", UserWarning, stacklevel=2)
        pieces, names, n_kept = join(self.history_, rows, borders)
        scales, can_forecast = self._scales_of(pieces, names)
        actual = pieces.futures(form.targets, driver.horizon)
        counts = can_forecast & (pieces.places >= n_kept[pieces.series] - 1) & ~np.isnan(actual).all(axis=(1, 2))
        origins = np.flatnonzero(counts)
        if len(origins) == 0:
            needed = driver.horizon if form.known else 1
            raise ValueError(
                f"X must hold at least {needed} rows that follow a row to forecast from, got {len(rows.values)} rows: "
                "give more (larger folds)."
            )
        missed = np.abs(self._forecast(pieces, origins, scales)[""] - actual[origins])
        return -float(np.nanmean(missed / scales.naive[pieces.series[origins]][:, None]))

    def backtest(
        self,
        X: Any,
        n_splits: int = 5,
        *,
        step: int | None = None,
        refit: bool | int = False,
        seasonality: int | None = None,
        coverage: float | None = None,
    ) -> Backtest:
        """Forecast the end of a known past from several origins, each by a clone that saw earlier rows only.

        Parameters
        ----------
        X : Series or DataFrame
            As for `fit`; this object is neither used nor changed, only its parameters are.
        n_splits : int, default=5
            How many origins. The last one has `horizon` rows after it.
        step : int, default=None
            The rows between two origins; None is `horizon`.
        refit : bool or int, default=False
            False fits one clone, with the rows up to the first origin, and gives it the later rows as history. True
            fits one for each origin, an int k one for every k-th.
        seasonality : int, default=None
            The rows in a season, for the seasonal naive forecast and MASE. None takes it from the step of the index:
            24 for hours, 7 for days (5 for business days), 52 for weeks, 12 for months, 4 for quarters, else 1.
        coverage : float, default=None
            Also give the interval of `predict`, and the share of actual values within.

        Returns
        -------
        backtest : Backtest
            `forecasts`, a row for each origin and step, and `errors`, beside those of persistence and seasonal naive.

        Raises
        ------
        ValueError
            If X is too short for so many origins, or for what `fit` refuses.

        Notes
        -----
        Origins of a panel are time labels: of each series the last row up to that label, which counts once. Steps
        beyond the end of a series are left out, and so are forecasts of a series that the clone has not seen before
        its `window`-th row.
        """
        form, rows = self._read(X)
        check_int("n_splits", n_splits, low=1)
        step = check_int("step", self.horizon if step is None else step, low=1)
        every = n_splits if refit is False else check_int("refit", int(refit) if refit is True else refit, low=1)
        labels, series = rows.labels, rows.timeline.series
        cadence = Cadence.learn(labels, series)
        season = cadence.seasonality if seasonality is None else check_int("seasonality", seasonality, low=1)
        cutoffs = choose_cutoffs(labels, n_splits, self.horizon, step)
        spacing = Step.learn(labels, series, cut=True)
        pieces = Pieces.cut(rows, spacing)
        actual = pieces.futures(form.targets, self.horizon)
        has_actual = ~np.isnan(actual).all(axis=(1, 2))

        made: list[dict[str, np.ndarray]] = []
        origins: list[np.ndarray] = []
        for begin in range(0, n_splits, every):
            clone_ = clone(self).fit(rows_until(X, rows, cutoffs[begin]))
            clone_._check_coverage(coverage, clone_.estimator_)
            scales, can_forecast = clone_._scales_of(pieces, rows.timeline.names)
            at = np.concatenate([last_rows(rows, cutoff) for cutoff in cutoffs[begin : begin + every]])
            at = at[(can_forecast & has_actual)[at]]
            at = pd.unique(at[~np.isin(at, np.concatenate([at[:0], *origins]))])  # two cutoffs may have the same row
            if len(at):
                made.append(clone_._forecast(pieces, at, scales, coverage))
                origins.append(at)
        if not made:
            raise ValueError(
                "X must hold rows that follow an origin in a series that can be forecast there, got none: take fewer "
                "`n_splits`, a smaller `step` or series that overlap in time."
            )
        at = np.concatenate(origins)
        forecasts = {suffix: np.concatenate([part[suffix] for part in made]) for suffix in made[0]}
        targets = [form.channels[k] for k in form.targets]
        y = pieces.values[:, form.targets]
        methods = {
            "model": forecasts[""],
            "persistence": persistence(y, at, self.horizon),
            "seasonal naive": seasonal_naive(y, pieces, clock_of(labels, spacing), at, self.horizon, season),
        }
        known = np.asarray(labels <= cutoffs[0])
        pasts = {}
        for code in np.unique(series[at]):
            mine = known & (series == code)
            pasts[code] = past_of(y[mine], pieces.begins[mine], season)
        errors = error_table(actual[at], methods, series[at], pasts, season, targets)
        table = forecast_table(rows, at, forecasts, actual[at], targets)
        if coverage is not None:
            errors["coverage"] = share_within(table, errors)
        return Backtest(table, errors, season)

    def _read(self, X: Any) -> tuple[TableForm, SeriesRows]:
        """Check the parameters, and read X as that of a first fit."""
        check_int("window", self.window, low=1)
        check_int("horizon", self.horizon, low=1)
        form, rows = TableForm.learn(X, self.target, self.known_ahead, self.group, self.time)
        if form.known and self.window < self.horizon:
            raise ValueError(
                "`window` must be at least `horizon` where `known_ahead` names columns, since the last `horizon` rows "
                f"of a window hold what is known of the steps ahead, got window={self.window} and "
                f"horizon={self.horizon}: take a longer window."
            )
        return form, rows

    def _check_length(self, timeline: Timeline, pieces: Pieces, form: TableForm) -> None:
        sizes = timeline.sizes
        of = "X" if timeline.names is None else f"the longest of {len(sizes)} series"
        if self.horizon >= sizes.max():
            raise ValueError(
                f"`horizon` must be less than the rows of {of}, got horizon={self.horizon} and {sizes.max()} rows: "
                "take a shorter horizon or more rows."
            )
        if not pieces.ready(form.known, self.horizon).any():
            raise ValueError(
                f"`horizon`={self.horizon} is too long for inputs known ahead: no row of X is followed by so many rows "
                "without a hole. Take a shorter horizon or more rows."
            )
        if self.window > sizes.max():
            warnings.warn(
                f"`window`={self.window} is longer than {of} ({sizes.max()} rows), so no window is complete: take a "
                "shorter window or more rows.",
                UserWarning,
                stacklevel=3,
            )

    def _name_untrained(self, timeline: Timeline, pieces: Pieces, driver: Driver) -> None:
        """Warn of the series of a panel that nothing is learned from."""
        n_rows = np.bincount(pieces.series[driver.training_rows(pieces)], minlength=len(timeline.first))
        untrained = np.flatnonzero(n_rows == 0)
        if timeline.names is None or not 0 < len(untrained) < len(n_rows):
            return
        named = ", ".join(show(timeline.names[code]) for code in untrained[:_MOST_NAMED])
        more = ", ..." if len(untrained) > _MOST_NAMED else ""
        warnings.warn(
            f"{len(untrained)} of {len(n_rows)} series have no row to learn from ({named}{more}): they are forecast by "
            "what the others teach. Give longer ones, or a shorter `window` or `horizon`.",
            UserWarning,
            stacklevel=3,
        )

    def _keep(self, form: TableForm, cadence: Cadence, driver: Driver, scales: SeriesScales, history: History) -> None:
        """Set what a fit found."""
        self.estimator_ = driver.estimator
        self.targets_ = [form.channels[k] for k in form.targets]
        self.channels_ = form.channels
        self.series_ = history.names
        self.history_ = history
        self._form, self._cadence, self._driver, self._scales = form, cadence, driver, scales

    def _scales_of(self, pieces: Pieces, names: pd.Index | None) -> tuple[SeriesScales, np.ndarray]:
        """Return the scales of the series `names`, and of which rows of `pieces` a forecast can be made (bool)."""
        window = self._driver.window
        scales, unseen = self._scales.extended(pieces, self._form.targets, names, window, renew=False)
        ready = pieces.ready(self._form.known, self._driver.horizon)
        return scales, ready & ~(unseen[pieces.series] & (pieces.places < window - 1))

    def _forecast(
        self, pieces: Pieces, origins: np.ndarray, scales: SeriesScales, coverage: float | None = None
    ) -> dict[str, np.ndarray]:
        """Forecast from the rows `origins`, all at once: arrays (n_origins, horizon, n_targets) by suffix."""
        scaled, series = scales.scaled(pieces, self._form.targets), pieces.series[origins]
        forecasts = {"": self._driver.predict(scaled, origins)}
        if coverage is not None:
            ends = self._driver.predict_interval(scaled, origins, coverage)
            forecasts.update(zip(_ENDS, ends, strict=True))
        return {suffix: scales.restored(values, series) for suffix, values in forecasts.items()}

    def _columns(self, suffixes: tuple[str, ...]) -> list[Any]:
        """Return the columns of a forecast: those of each target in turn."""
        columns = [f"{target}{suffix}" if suffix else target for target in self.targets_ for suffix in suffixes]
        taken = [*self._form.columns, *columns]
        twice = [name for name, n_times in Counter(taken).items() if n_times > 1]
        if twice:
            raise ValueError(
                f"The columns of forecasts with a `coverage` must have different names, got {twice[0]!r} twice, one of "
                "them an end of an interval: rename that column of X."
            )
        return columns

    def _check_coverage(self, coverage: float | None, estimator: Any) -> None:
        if coverage is None:
            return
        check_float("coverage", coverage, low=0, high=1, open_low=True, open_high=True)
        if not hasattr(estimator, "predict_interval"):
            raise ValueError(
                f"`coverage` needs an estimator with predict_interval, got {type(estimator).__name__}: take "
                "Seq2SeqForecaster, or coverage=None."
            )

    def _why_not(self, rows: SeriesRows, wrong: np.ndarray, kinds: np.ndarray) -> str:
        """Say of the first series that does not continue the known one where it begins."""
        assert self.history_.last is not None
        timeline, code = rows.timeline, int(np.flatnonzero(wrong)[0])
        known = 0 if self.history_.names is None else self.history_.names.get_loc(timeline.names[code])  # type: ignore[index]
        begin, end = show(rows.labels[timeline.first[code]]), show(self.history_.last[known])
        where = f"{timeline.name(code)} begins at {begin}, the known rows end at {end}"
        if kinds[code] == Border.GAP:
            return f"{where}, more than one step ({self.history_.step}) before: add the rows between"
        return f"{where}: leave out the rows that are known"
