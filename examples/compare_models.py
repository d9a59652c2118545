"""Ridge, a forest, SARIMAX and two recurrent nets on one backtest: same origins, same rows known at each.

    python examples/compare_models.py
    python examples/compare_models.py --series sunspots
    python examples/compare_models.py --csv FILE --column NAME --time NAME --season ROWS

Every model learns once, from the rows before the first origin. At each origin it is given the rows up to there,
without learning anew, and forecasts what follows. `SeriesForecaster.backtest` does that for any regressor of
scikit-learn and for the nets; statsmodels' SARIMAX gets the same treatment by `sarimax_forecasts` below, which keeps
its parameters and appends the rows that have come.

Settings were chosen on training rows only: the epochs of the nets, an average of five each, by `backtest` on the rows
before the first origin; the order of SARIMAX by its AIC on these rows, in this program. The others stand at their
defaults. A forest cannot leave the range of the values it saw, so it fails on CO2, which rises for ever. Forecasts of
sunspots, one number a year with a cycle of about 11, start in 1940, before the largest cycles of all; SARIMAX is the
best there.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from statsmodels.tsa.statespace.sarimax import SARIMAX

from skrnn import RNNRegressor, Seq2SeqForecaster, SeriesForecaster
from skrnn.datasets import load_co2, load_sunspots
from skrnn.metrics import mase, mean_absolute_error, mean_squared_error, smape
from skrnn.plotting import plot_backtest, plot_horizon_error

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter  # noqa: E402


@dataclass(frozen=True)
class Task:
    """What to forecast, and from where."""

    y: pd.Series  # without gaps, its index is time or the number of the row
    horizon: int  # rows to forecast
    window: int  # rows to look back on
    season: int  # rows after which the series about repeats itself; 1 for none
    n_origins: int
    step: int  # rows between two origins
    epochs: int  # of the nets

    @property
    def origins(self) -> np.ndarray:
        """The rows at which forecasts are made; the last one has the whole horizon after it."""
        return len(self.y) - 1 - self.horizon - self.step * np.arange(self.n_origins)[::-1]

    @property
    def train(self) -> pd.Series:
        """The rows that models learn from."""
        return self.y.iloc[: self.origins[0] + 1]

    @property
    def actual(self) -> np.ndarray:
        """What came after each origin, (n_origins, horizon)."""
        return self.y.to_numpy()[self.origins[:, None] + np.arange(1, self.horizon + 1)]


def read_task(options: argparse.Namespace) -> Task:
    """Return the series asked for; of a file every row counts, in the order of `time` where it is given."""
    if options.csv is not None:
        table = pd.read_csv(options.csv, parse_dates=[options.time] if options.time else False)
        if options.time:
            table = table.set_index(options.time).sort_index()
        y, season = table[options.column].astype(float).ffill().dropna(), options.season or 1
        horizon = options.horizon or max(season, 6)
        return Task(y, horizon, max(2 * season, 12), season, 12, max(1, horizon // 2), 30)
    if options.series == "sunspots":
        return Task(load_sunspots(), options.horizon or 11, 22, 11, 20, 3, 15)
    monthly = load_co2().resample("MS").mean().ffill()  # the mean of the weeks of a month that were measured
    return Task(monthly, options.horizon or 12, 24, 12, 12, 6, 30)


# -- The models --------------------------------------------------------------------------------------------------


def regressors(task: Task, small: bool) -> dict[str, object]:
    """Return the models that `SeriesForecaster` drives."""
    setting = {"n_nets": 5, "max_epochs": 2 if small else task.epochs, "random_state": 0}
    return {
        "Ridge": Ridge(),
        "RandomForest": RandomForestRegressor(10 if small else 300, random_state=0),
        "RNNRegressor": RNNRegressor("gru", **setting),
        "Seq2SeqForecaster": Seq2SeqForecaster("gru", **setting),
    }


def backtest(task: Task, regressor: object) -> np.ndarray:
    """Return the forecasts (n_origins, horizon) of a regressor of scikit-learn or a net."""
    forecaster = SeriesForecaster(regressor, window=task.window, horizon=task.horizon)
    made = forecaster.backtest(task.y, task.n_origins, step=task.step, seasonality=task.season)
    return made.forecasts.pivot(index="origin", columns="step", values="forecast").to_numpy()


def sarimax_forecasts(task: Task, small: bool) -> tuple[str, np.ndarray]:
    """Return the chosen orders, and the forecasts (n_origins, horizon) of SARIMAX with the same information.

    The parameters are those of the training rows. `append` hands the rows that have come to the Kalman filter, so the
    forecast of an origin knows all rows up to there and none after it.
    """
    values = task.y.to_numpy()
    first = task.origins[0] + 1
    fitted = best_sarimax(values[:first], task.season, small)
    forecasts = []
    for origin in task.origins:
        coming = values[fitted.nobs : origin + 1]
        fitted = fitted.append(coming, refit=False) if len(coming) else fitted
        forecasts.append(fitted.forecast(task.horizon))
    spec = fitted.model
    orders = f"SARIMAX {spec.order}" + (f"{spec.seasonal_order}" if any(spec.seasonal_order) else "")
    return orders.replace(", ", ","), np.array(forecasts)


def best_sarimax(train: np.ndarray, season: int, small: bool) -> object:
    """Fit a few usual orders and return the one with the lowest AIC.

    A year of months or quarters is a season that repeats itself to the row; a cycle of about 11 years is not, and is
    left to more autoregressive terms. Models that are differenced otherwise have AICs that cannot be compared, so the
    differences are set: one seasonal and one plain where there is a season, else none.
    """
    if season in (4, 7, 12, 24):
        candidates = [((p, 1, q), (0, 1, 1, season)) for p, q in itertools.product((0, 1, 2), (0, 1))]
    else:
        candidates = [((p, 0, q), (0, 0, 0, 0)) for p, q in itertools.product((2, 3, 9), (0, 1))]
    trend = None if any(candidates[0][1]) else "c"
    fits = []
    for order, seasonal_order in candidates[:1] if small else candidates:
        model = SARIMAX(train, order=order, seasonal_order=seasonal_order, trend=trend)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # starting values that are replaced; the AIC tells what the fit is worth
            fits.append(model.fit(disp=False, maxiter=200))
    return min(fits, key=lambda fit: fit.aic)


def simple_forecasts(task: Task) -> dict[str, np.ndarray]:
    """Return the last value, and the one a season before (further back where that is not known yet)."""
    steps = np.arange(1, task.horizon + 1)
    values, origins = task.y.to_numpy(), task.origins[:, None]
    rules = {"last value": values[np.repeat(origins, task.horizon, axis=1)]}
    if task.season > 1:
        rules["one season ago"] = values[origins + steps - task.season * -(-steps // task.season)]
    return rules


# -- Table and picture -------------------------------------------------------------------------------------------


def error_table(task: Task, forecasts: dict[str, np.ndarray], seconds: dict[str, float]) -> pd.DataFrame:
    """Return a row of errors for each model, the best first; MASE is in units of the seasonal naive error."""
    train = task.train.to_numpy()
    rows = {
        name: {
            "MAE": mean_absolute_error(task.actual, values),
            "RMSE": np.sqrt(mean_squared_error(task.actual.ravel(), values.ravel())),
            "MASE": mase(task.actual, values, train, seasonality=task.season),
            "sMAPE": smape(task.actual, values),
            "seconds": seconds.get(name, np.nan),
        }
        for name, values in forecasts.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("MAE")


def draw(task: Task, forecasts: dict[str, np.ndarray], best: str, path: Path) -> None:
    """Draw the backtest of the best model above, and the error by step of all of them below."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, (above, below) = plt.subplots(2, figsize=(10.5, 8), layout="constrained")
        apart = -(-task.horizon // task.step)  # origins between two forecasts that do not overlap
        shown = np.arange(task.n_origins)[::-1][::apart][::-1]
        table = pd.DataFrame({
            "origin": np.repeat(task.y.index[task.origins[shown]], task.horizon),
            "step": np.tile(np.arange(1, task.horizon + 1), len(shown)),
            "time": task.y.index[(task.origins[shown][:, None] + np.arange(1, task.horizon + 1)).ravel()],
            "forecast": forecasts[best][shown].ravel(),
        })  # fmt: skip
        plot_backtest(table, task.y.iloc[task.origins[shown[0]] - 2 * task.window :], ax=above)
        title = f"{task.y.name}: {best}, every {apart * task.step} rows"
        above.set_title(title, loc="left", weight="bold")
        above.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        order = sorted(forecasts, key=lambda name: mean_absolute_error(task.actual, forecasts[name]))
        plot_horizon_error(task.actual, {name: forecasts[name] for name in order}, ax=below)
        for line in below.lines:
            if line.get_label() in ("last value", "one season ago"):
                line.set(color="0.4" if line.get_label() == "last value" else "0.65", linestyle="--", marker="")
        below.set_title(f"Error by step, mean of {task.n_origins} origins", loc="left", weight="bold")
        below.set_yscale("log")
        below.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        below.yaxis.set_major_formatter("{x:g}")
        below.yaxis.set_minor_formatter(NullFormatter())
        below.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Run every model through the backtest, print the table, draw."""
    parser = arguments_parser()
    options = parser.parse_args()
    if options.csv is not None and options.column is None:
        parser.error("--csv FILE needs --column NAME, the column to forecast")
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells which model is good
    task = read_task(options)
    if options.small:
        print("Small setting, few epochs and trees: it shows that the program runs, not what the models can do.\n")

    forecasts, seconds = {}, {}
    begun = time.monotonic()
    sarimax, forecasts_of_sarimax = sarimax_forecasts(task, options.small)
    forecasts[sarimax], seconds[sarimax] = forecasts_of_sarimax, time.monotonic() - begun
    for name, regressor in regressors(task, options.small).items():
        begun = time.monotonic()
        forecasts[name] = backtest(task, regressor)
        seconds[name] = time.monotonic() - begun
    forecasts |= simple_forecasts(task)

    first, last = (
        f"{label:%Y-%m}" if hasattr(label, "year") else label for label in task.y.index[task.origins[[0, -1]]]
    )
    print(
        f"{task.y.name}: {len(task.train)} of {len(task.y)} rows to learn from; {task.n_origins} origins from {first}"
    )
    print(f"to {last}, each with {task.horizon} rows to forecast and a window of {task.window} before it.\n")
    table = error_table(task, forecasts, seconds)
    print(table.to_string(float_format="{:.3g}".format, na_rep=""))

    picture = Path("compare_models.png")
    draw(task, forecasts, table.index[0], picture)
    print(f"\nPicture: {picture.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


def arguments_parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", choices=["sunspots", "co2"], default="co2", help="a series of skrnn.datasets")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a series of your own, one row for each time")
    parser.add_argument("--column", metavar="NAME", help="the column of FILE to forecast")
    parser.add_argument("--time", metavar="NAME", help="the column of FILE with dates (default: rows are counted)")
    parser.add_argument("--season", type=int, metavar="ROWS", help="rows of a season of FILE (default: none)")
    parser.add_argument("--horizon", type=int, metavar="ROWS", help="rows to forecast (default: one season)")
    parser.add_argument("--small", action="store_true", help="few epochs and trees: shows in seconds that it runs")
    return parser


if __name__ == "__main__":
    main()
