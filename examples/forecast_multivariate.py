"""Forecast the electric load and the temperature of the next 24 hours, with a calendar that is known in advance.

    python examples/forecast_multivariate.py

Two years of hours are made: a temperature, and a load that follows the hour, the weekday, public holidays and the cold.
Both are forecast together (`target=["load", "temperature"]`). What day it will be is known in advance, so the columns
of the calendar are named in `known_ahead`: the net reads them for the hours that it forecasts, and `predict` asks for
them in `X_future`. The same net without the calendar and Ridge with it stand beside it.

`calibration_fraction=0.1` sets a tenth of the rows aside, from which `coverage=0.9` takes how wide an interval must be
to hold nine of ten values. The last four weeks are judged, from one midnight to the next; Christmas lies in them. The
rows set aside begin at any hour and lie in autumn, so nine of ten is what to expect on average, not of each hour here.

The settings of the net (patches, decoder, number of nets) were chosen by `backtest` on the rows before. For
a table of your own, name its columns in `TARGETS` and `CALENDAR` and read it in place of `make_load`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skrnn import Backtest, Seq2SeqForecaster, SeriesForecaster
from skrnn.plotting import plot_fan

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

TARGETS = ["load", "temperature"]
CALENDAR = ["day_off", "hour_sin", "hour_cos"]
WINDOW, HORIZON = 168, 24  # hours
N_DAYS = 28  # that are judged
HOLIDAYS = ["01-01", "04-15", "05-01", "05-26", "06-16", "08-15", "10-03", "11-01", "12-24", "12-25", "12-26", "12-31"]


def make_calendar(hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return what is known of any hour, in the past or to come."""
    angle = 2 * np.pi * hours.hour / 24
    columns = {"day_off": is_off(hours), "hour_sin": np.sin(angle), "hour_cos": np.cos(angle)}
    return pd.DataFrame(columns, index=hours)


def is_off(hours: pd.DatetimeIndex) -> np.ndarray:
    """Return 1.0 for hours of a Sunday or a holiday, 0.6 for a Saturday, 0.0 else."""
    free = (hours.day_of_week == 6) | hours.strftime("%m-%d").isin(HOLIDAYS)
    return np.where(free, 1.0, np.where(hours.day_of_week == 5, 0.6, 0.0))


def make_load(n_days: int, seed: int = 0) -> pd.DataFrame:
    """Make a table of hours that ends with the fifth of January: load (MW), temperature (degrees C), calendar."""
    random = np.random.default_rng(seed)
    hours = pd.date_range(end="2024-01-05 23:00", periods=24 * n_days, freq="h", name="hour")
    hour, day = hours.hour.to_numpy(), hours.day_of_year.to_numpy()
    weather = autoregression(random, len(hours), memory=0.99, spread=4.0)
    sun = -np.cos(2 * np.pi * (hour - 3) / 24) * (3 - 2 * np.cos(2 * np.pi * day / 365.25))
    temperature = 10 - 10 * np.cos(2 * np.pi * (day - 20) / 365.25) + sun + weather
    work = np.exp(-(((hour - 11) / 4.5) ** 2)) + 0.9 * np.exp(-(((hour - 18.5) / 2.5) ** 2))  # a working day
    home = 0.7 * np.exp(-(((hour - 13) / 4) ** 2)) + 0.7 * np.exp(-(((hour - 19.5) / 2.5) ** 2))  # a day off
    off = is_off(hours)
    heating = np.maximum(15 - temperature, 0) * (0.85 - 0.15 * np.cos(2 * np.pi * (hour - 3) / 24))
    cooling = np.maximum(temperature - 22, 0) * (0.5 + (1 - off) * (hour >= 9) * (hour <= 18))
    noise = autoregression(random, len(hours), memory=0.9, spread=12.0)
    load = 400 + 260 * ((1 - off) * work + off * home) + 9 * heating + 14 * cooling + noise
    table = pd.DataFrame({"load": load, "temperature": temperature}, index=hours)
    return table.join(make_calendar(hours))


def autoregression(random: np.random.Generator, n: int, memory: float, spread: float) -> np.ndarray:
    """Return noise with a memory, AR(1), and this standard deviation."""
    values = np.zeros(n)
    steps = random.normal(0, spread * np.sqrt(1 - memory**2), n)
    for t in range(1, n):
        values[t] = memory * values[t - 1] + steps[t]
    return values


def net(epochs: int) -> Seq2SeqForecaster:
    """Return the net: a week is read in patches of 12 hours, and two patches are forecast."""
    return Seq2SeqForecaster(
        "gru",
        hidden_size=64,
        patch_size=12,
        batch_size=128,
        max_epochs=epochs,
        early_stopping=False,  # the epochs are few and known: the latest rows but those set aside train too
        n_nets=2,
        calibration_fraction=0.1,
        random_state=0,
    )


def forecaster(estimator: object, known_ahead: list[str]) -> SeriesForecaster:
    """Return a forecaster of load and temperature."""
    return SeriesForecaster(estimator, window=WINDOW, horizon=HORIZON, target=TARGETS, known_ahead=known_ahead)


def compare(table: pd.DataFrame, n_days: int, epochs: int) -> tuple[dict[str, Backtest], pd.DataFrame]:
    """Return the backtests, and a table of the errors of load and temperature."""
    models = {
        "net with calendar": (net(epochs), CALENDAR, 0.9),
        "net without": (net(epochs), [], 0.9),
        "Ridge with calendar": (Ridge(), CALENDAR, None),
    }
    made, rows = {}, {}
    for name, (estimator, calendar, coverage) in models.items():
        begun = time.monotonic()
        known = forecaster(estimator, calendar)
        made[name] = known.backtest(table[TARGETS + calendar], n_days, coverage=coverage, seasonality=168)
        rows[name] = _of(made[name], "model").assign(seconds=time.monotonic() - begun)
    rows |= {
        "last week": _of(made["net without"], "seasonal naive"),
        "last value": _of(made["net without"], "persistence"),
    }
    errors = pd.concat(rows, names=["", "target"]).swaplevel().sort_index(level="target", sort_remaining=False)
    return made, errors.drop(columns=["sMAPE"])  # of degrees around zero it says nothing


def _of(made: Backtest, method: str) -> pd.DataFrame:
    return pd.DataFrame({target: made.errors.loc[target, method] for target in TARGETS}).T


def on_holidays(made: Backtest) -> float:
    """Return the mean absolute error of the load at hours of a holiday."""
    load = made.forecasts[made.forecasts["target"] == "load"]
    load = load[load["time"].dt.strftime("%m-%d").isin(HOLIDAYS)]
    return (load["forecast"] - load["actual"]).abs().mean()


def forecast_future(table: pd.DataFrame, epochs: int) -> pd.DataFrame:
    """Learn from the whole table and forecast the day after it, whose calendar is known."""
    final = forecaster(net(epochs), CALENDAR).fit(table)
    coming = pd.date_range(table.index[-1], periods=HORIZON + 1, freq="h", name="hour")[1:]
    return final.predict(make_calendar(coming), coverage=0.9)


# -- The picture -------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, made: dict[str, Backtest], future: pd.DataFrame, path: Path) -> None:
    """Draw a holiday with and without the calendar, the day to come, and the coverage of each hour ahead."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, grid = plt.subplots(2, 2, figsize=(13, 8), layout="constrained")
        for axes, name in zip(grid[0], ("net with calendar", "net without"), strict=True):
            load = made[name].forecasts.query("target == 'load'")
            christmas = load[load["time"].dt.strftime("%m-%d") == "12-25"]
            christmas = christmas if len(christmas) else load[load["origin"] == load["origin"].max()]
            day = christmas.set_index("time")
            past = table["load"][: day.index[0]].iloc[:-1]
            fan(axes, past, day["forecast"], day["lower"], day["upper"], day["actual"])
            axes.set_title(f"Load on {day.index[0]:%d %B}, {name}", loc="left", weight="bold")
        grid[0, 1].sharey(grid[0, 0])
        fan(grid[1, 0], table["load"], future["load"], future["load_lower"], future["load_upper"])
        grid[1, 0].set_title("Load of the day after the last known hour", loc="left", weight="bold")
        draw_coverage(grid[1, 1], made)
        figure.savefig(path, dpi=130)
    plt.close(figure)


def fan(axes: plt.Axes, past: pd.Series, forecast: pd.Series, lower: pd.Series, upper: pd.Series, truth=None) -> None:
    """Draw a forecast of the load after the six days before it."""
    plot_fan(past, forecast, intervals={0.9: (lower, upper)}, truth=truth, n_history=144, ax=axes)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.set(ylabel="load (MW)", xlabel="")
    axes.legend(loc="upper left", frameon=False, ncols=2, fontsize=9)
    axes.margins(y=0.2)


def draw_coverage(axes: plt.Axes, made: dict[str, Backtest]) -> None:
    """Draw the share of actual values within the interval, for each hour ahead."""
    colors = {"load": "tab:blue", "temperature": "tab:red"}
    for name, line in (("net with calendar", "-"), ("net without", ":")):
        table = made[name].forecasts
        within = table["actual"].between(table["lower"], table["upper"])
        for target, share in within.groupby([table["target"], table["step"]]).mean().groupby(level="target"):
            steps = share.index.get_level_values("step")
            axes.plot(steps, share, line, color=colors[target], label=f"{target}, {name}")
    axes.axhline(0.9, color="0.4", ls="--", lw=1, label="asked for")
    axes.set_title(f"Share of values within the interval, {N_DAYS} days", loc="left", weight="bold")
    axes.set(xlabel="hours ahead", ylabel="share", ylim=(0.3, 1.02), xlim=(1, HORIZON))
    axes.legend(loc="lower left", frameon=False, ncols=2, fontsize=9)


def main() -> None:
    """Compare with and without the calendar, forecast the day to come, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few rows, one epoch: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    epochs = 1 if options.small else 8
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    if options.small:
        print("Small setting, few rows and one epoch: it shows that the program runs, not what the net can do.\n")

    table = make_load(100 if options.small else 730)
    print(f"{len(table)} hours up to {table.index[-1]}: {', '.join(table)}.\n")
    made, errors = compare(table, N_DAYS, epochs)
    print(f"{N_DAYS} origins, {HORIZON} hours from each, learned once on the rows before the first:")
    print(errors.to_string(float_format="{:.3g}".format, na_rep=""))
    print("\nMean absolute error of the load on holidays of these weeks:")
    for name in made:
        print(f"  {name:<22}{on_holidays(made[name]):8.1f} MW")

    future = forecast_future(table, epochs)
    print(f"\nThe day to come, {len(future)} hours; the first three:")
    print(future.head(3).to_string(float_format="{:.1f}".format))
    picture = Path("forecast_multivariate.png")
    draw(table, made, future, picture)
    print(f"\nPicture: {picture.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
