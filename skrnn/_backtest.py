"""Rolling origins over a past: where forecasts are made, simple references beside them, and the errors of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import Step, numbers
from skrnn._series_pieces import Pieces
from skrnn._series_table import SeriesRows
from skrnn.metrics import mase, mean_absolute_error, mean_squared_error, smape

METHODS = ("model", "persistence", "seasonal naive")


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts made at several origins of a known series, and their errors.

    Attributes
    ----------
    forecasts : DataFrame
        A row for each origin, target and step: ``series`` (of a panel only), ``origin`` (the label of the last row
        that the forecast knew), ``step`` (1 to horizon), ``time`` (the label of the row that is forecast),
        ``target``, ``forecast``, ``actual``, and ``lower`` and ``upper`` where a coverage was asked for.
    errors : DataFrame
        The rows "model", "persistence" (the last value) and "seasonal naive" (the value one season before, the last one
        where that row is missing), the columns MAE, RMSE, MASE and sMAPE (in percent), over all forecasts; and
        ``coverage``, the share of actual values within the interval, where one was asked for. With several targets the
        index has them as first level. MASE is the mean of the series' scaled errors weighted by how many forecasts each
        has; a series that repeats itself exactly has none.
    seasonality : int
        The rows in a season.
    """

    forecasts: pd.DataFrame
    errors: pd.DataFrame
    seasonality: int = field(default=1)

    def __repr__(self) -> str:
        n_origins, n_steps = self.forecasts["origin"].nunique(), self.forecasts["step"].max()
        numbers = self.errors.to_string(float_format=lambda value: f"{value:.4g}")
        return f"Backtest: {n_origins} origins, {n_steps} steps, season of {self.seasonality} rows\n{numbers}"


def choose_cutoffs(labels: pd.Index, n_splits: int, horizon: int, step: int) -> pd.Index:
    """Return the labels of the origins: `n_splits` of them, `step` labels apart, the last one with `horizon` after it.

    Raises
    ------
    ValueError
        If there are not so many labels.
    """
    distinct = labels.unique().sort_values()
    first = len(distinct) - horizon - 1 - (n_splits - 1) * step
    if first < horizon:  # the first fit then has a row with a whole future
        raise ValueError(
            f"`n_splits`={n_splits} origins that are {step} rows apart, with `horizon`={horizon} rows after each and "
            f"at least {horizon + 1} before, need {2 * horizon + 1 + (n_splits - 1) * step} rows, got {len(distinct)}: "
            "take fewer, or a smaller `step`."
        )
    return distinct[first + step * np.arange(n_splits)]


def rows_until(X: Any, rows: SeriesRows, cutoff: Any) -> Any:
    """Return the rows of X up to a label, with the `freq` of the index where it can stay."""
    known = np.zeros(len(X), dtype=bool)
    known[rows.given] = rows.labels <= cutoff
    n_known = int(known.sum())
    return X.iloc[:n_known] if known[:n_known].all() else X.iloc[np.flatnonzero(known)]


def last_rows(rows: SeriesRows, cutoff: Any) -> np.ndarray:
    """Return the last row up to a label of each series that has one."""
    first = rows.timeline.first
    n_known = np.bincount(rows.timeline.series[np.asarray(rows.labels <= cutoff)], minlength=len(first))
    return (first + n_known - 1)[n_known > 0]


def persistence(y: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The value at each origin, for all steps: y (n_rows, n_outputs) gives (n_origins, horizon, n_outputs)."""
    return np.repeat(y[origins][:, None], horizon, axis=1)


def seasonal_naive(
    y: np.ndarray, pieces: Pieces, clock: np.ndarray, origins: np.ndarray, horizon: int, m: int
) -> np.ndarray:
    """The latest known value that stands whole seasons of `m` rows before each step; shapes as `persistence`.

    Where that lies before the piece of the origin, it is the value of an earlier piece of the series at that time, give
    or take half a step; where no row is there, it is the value at the origin.

    Parameters
    ----------
    y : ndarray of shape (n_rows, n_outputs)
    pieces : Pieces
        The rows cut at holes.
    clock : ndarray of shape (n_rows,)
        Their labels, in steps (`clock_of`).
    origins : ndarray of shape (n_origins,)
    horizon, m : int
    """
    steps = np.arange(1, horizon + 1)
    back = steps - m * -(-steps // m)  # (horizon,), at most 0
    rows = origins[:, None] + back
    outside = rows < pieces.starts[origins][:, None]
    rows[outside] = np.repeat(origins, outside.sum(axis=1))
    wanted = (clock[origins][:, None] + back)[outside]
    found, codes = rows[outside], pieces.series[rows[outside]]
    for code in np.unique(codes):
        first, end = np.searchsorted(pieces.series, [code, code + 1])
        mine, times = codes == code, clock[first:end]
        places = np.searchsorted(times, wanted[mine] - 0.5)  # before the origin, so within the series
        found[mine] = np.where(times[places] <= wanted[mine] + 0.5, first + places, found[mine])
    rows[outside] = found
    return y[rows]


def clock_of(labels: pd.Index, step: Step) -> np.ndarray:
    """Return labels (n_rows,) as numbers of steps."""
    return numbers(labels, step.zone) / (step.largest or 1)


def past_of(y: np.ndarray, begins: np.ndarray, m: int) -> np.ndarray:
    """Return y (n_rows, n_outputs) with `m` rows of NaN before each piece, so that none is compared with another.

    `begins` (n_rows,) says which rows begin a piece.
    """
    return np.insert(y, np.repeat(np.flatnonzero(begins), m), np.nan, axis=0)


def error_table(
    actual: np.ndarray,
    forecasts: dict[str, np.ndarray],
    series: np.ndarray,
    pasts: dict[int, np.ndarray],
    seasonality: int,
    targets: list[Any],
) -> pd.DataFrame:
    """Return the errors of each method, for each target.

    Parameters
    ----------
    actual : ndarray of shape (n_origins, horizon, n_outputs)
        NaN where unknown.
    forecasts : dict of ndarrays of the same shape
        By method.
    series : ndarray of shape (n_origins,)
        The code of the series of each origin.
    pasts : dict of ndarrays of shape (n_train, n_outputs)
        The training rows of each series, by its code; NaN between its pieces (`past_of`).
    seasonality : int
    targets : list
        Their names.
    """
    table = {}
    for k, target in enumerate(targets):
        for method, values in forecasts.items():
            known = ~np.isnan(actual[:, :, k])
            truth, guess = actual[:, :, k][known], values[:, :, k][known]
            scaled = _scaled_error(
                actual[:, :, k], values[:, :, k], series, {c: y[:, k] for c, y in pasts.items()}, seasonality
            )
            table[target, method] = {
                "MAE": mean_absolute_error(truth, guess),
                "RMSE": np.sqrt(mean_squared_error(truth, guess)),
                "MASE": scaled,
                "sMAPE": smape(truth, guess),
            }
    errors = pd.DataFrame.from_dict(table, orient="index")
    errors.index = pd.MultiIndex.from_tuples(table, names=["target", "method"])
    return errors.droplevel("target").rename_axis(None) if len(targets) == 1 else errors


def forecast_table(
    rows: SeriesRows, origins: np.ndarray, forecasts: dict[str, np.ndarray], actual: np.ndarray, targets: list[Any]
) -> pd.DataFrame:
    """Return a row for each forecast whose actual value is known.

    Parameters
    ----------
    rows : SeriesRows
    origins : ndarray of shape (n_origins,)
        Rows of `rows`.
    forecasts : dict of ndarrays of shape (n_origins, horizon, n_outputs)
        By suffix: "" for the forecast, "_lower", "_upper".
    actual : ndarray of the same shape
        NaN where unknown.
    targets : list
        Their names.
    """
    n_origins, horizon, n_outputs = actual.shape
    known = ~np.isnan(actual.transpose(0, 2, 1).ravel())  # by origin, target and step
    origin = np.repeat(origins, n_outputs * horizon)[known]
    step = np.tile(np.arange(1, horizon + 1), n_origins * n_outputs)[known]
    names = rows.timeline.names
    columns: dict[str, Any] = {} if names is None else {"series": names.take(rows.timeline.series[origin])}
    columns |= {"origin": rows.labels.take(origin), "step": step, "time": rows.labels.take(origin + step)}
    columns["target"] = pd.Index(targets, tupleize_cols=False).take(
        np.tile(np.repeat(np.arange(n_outputs), horizon), n_origins)[known]
    )
    values = {"forecast": forecasts[""], "actual": actual}
    values |= {suffix.strip("_"): ends for suffix, ends in forecasts.items() if suffix}
    return pd.DataFrame(columns | {name: each.transpose(0, 2, 1).ravel()[known] for name, each in values.items()})


def share_within(forecasts: pd.DataFrame, errors: pd.DataFrame) -> pd.Series:
    """Return the share of actual values between `lower` and `upper`, for the rows of the model in `errors`."""
    within = forecasts["actual"].between(forecasts["lower"], forecasts["upper"])
    if errors.index.nlevels == 1:
        return pd.Series({"model": within.mean()}).reindex(errors.index)
    share = within.groupby(forecasts["target"], sort=False).mean()
    share.index = pd.MultiIndex.from_product([share.index, ["model"]])
    return share.reindex(errors.index)


def _scaled_error(
    actual: np.ndarray, guess: np.ndarray, series: np.ndarray, pasts: dict[int, np.ndarray], m: int
) -> float:
    """Return MASE over all series of a panel; NaN when none has a scale."""
    total, n_known = 0.0, 0
    for code in np.unique(series):
        past, mine = pasts.get(code, np.empty(0)), series == code
        known = ~np.isnan(actual[mine])
        if not known.any() or not np.nan_to_num(past[m:] - past[:-m]).any():
            continue
        total += known.sum() * mase(actual[mine][known], guess[mine][known], past, m)
        n_known += known.sum()
    return total / n_known if n_known else np.nan
