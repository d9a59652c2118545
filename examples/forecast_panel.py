"""Forecast the sales of 60 stores by one net that learns from all of them.

    python examples/forecast_panel.py
    python examples/forecast_panel.py --csv FILE --column sales --group store --time day --known promotion

The table is long: a row for each store and day, with the sales and whether there is a promotion, which is planned
and so known in advance. Stores sell from ten to ten thousand a day, and every fifth one opened a few months ago.
`SeriesForecaster(group="store", ...)` divides each series by its spread, and one net learns from all of them; it is
set against the same with Ridge, against rules, and, for a few stores, against a net of their own.

Sales are counts whose week, trend and promotions multiply each other, so the net takes logarithms inside
(`target_transform="log1p"`) and minimises the relative plus the scaled error (`loss="smape_mase"`), in which a small
store counts as much as a large one. Ridge is run both on the sales and on their logarithms.

Settings of the net (size, decoder, loss, logarithm) were chosen by `backtest` on the rows before the eight weeks that
are judged here. The last part forecasts stores that the net never learned from.
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

from skrnn import Seq2SeqForecaster, SeriesForecaster
from skrnn.metrics import mase, mean_absolute_error, mean_squared_error, smape
from skrnn.plotting import plot_fan

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

WINDOW, HORIZON, SEASON = 28, 14, 7  # days
N_ORIGINS = 4  # each with HORIZON days after it: the eight weeks that are judged
ERRORS = ["MAE", "RMSE", "MASE", "sMAPE"]


def make_stores(n_stores: int, n_days: int, seed: int = 0) -> pd.DataFrame:
    """Make the sales of stores: a week, a year, a trend and promotions that multiply each other, and noise."""
    random = np.random.default_rng(seed)
    stores = []
    for k in range(n_stores):
        n = n_days if k % 5 else int(random.integers(90, 180))  # every fifth store is new
        days = pd.date_range(end="2024-12-31", periods=n)
        week = np.array([1, 0.95, 0.95, 1, 1.2, 1.5, random.choice([0.6, 1.3])]) ** random.uniform(0.5, 1.2)
        year = 1 + random.uniform(0.05, 0.25) * np.cos(2 * np.pi * (days.day_of_year - 355) / 365.25)
        trend = np.exp(random.normal(0, 0.25) * np.arange(n) / 365 + np.cumsum(random.normal(0, 0.01, n)))
        promotion = np.zeros(n)
        begin = int(random.integers(0, 20))
        while begin < n:
            length = int(random.integers(3, 8))
            promotion[begin : begin + length] = 1
            begin += length + int(random.integers(10, 40))
        lift = 1 + random.uniform(0.2, 0.8) * promotion
        level = 10 ** random.uniform(1, 4)
        mean = level * week[days.day_of_week] * year * trend * lift * np.exp(random.normal(0, 0.08, n))
        sales = random.poisson(mean).astype(float)
        stores.append(pd.DataFrame({"store": f"store {k:02d}", "day": days, "sales": sales, "promotion": promotion}))
    return pd.concat(stores, ignore_index=True)


class Panel:
    """A long table, and what its columns mean."""

    def __init__(self, table: pd.DataFrame, target: str, group: str, time: str, known: list[str]) -> None:
        self.table = table.sort_values([group, time], ignore_index=True)
        self.target, self.group, self.time, self.known = target, group, time, known

    def forecaster(self, estimator: object) -> SeriesForecaster:
        """Return a forecaster of all series of the table."""
        return SeriesForecaster(
            estimator,
            window=WINDOW,
            horizon=HORIZON,
            target=self.target,
            known_ahead=self.known,
            group=self.group,
            time=self.time,
        )

    def of(self, names: list[str]) -> pd.DataFrame:
        """Return the rows of some series."""
        return self.table[self.table[self.group].isin(names)]


def net(panel: Panel, epochs: int) -> Seq2SeqForecaster:
    """Return the net; with 20 000 rows to learn from 10 epochs are 1 600 updates."""
    days = panel.table.groupby(panel.group).size().median()
    return Seq2SeqForecaster(
        "gru",
        hidden_size=64,
        decoder="direct",
        target_transform="log1p",
        loss="smape_mase",
        net_params={"criterion__seasonality": SEASON},
        batch_size=128,
        max_epochs=epochs,
        early_stopping=False,  # the epochs are few and known: the latest rows train too
        # the last part of each series is set aside, and only its rows with all 14 days after them can be used
        calibration_fraction=0.1 if days >= 20 * HORIZON else 0.2,
        random_state=0,
    )


# -- One net for all, against others -----------------------------------------------------------------------------


def compare(panel: Panel, epochs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the errors of all methods over the judged weeks, and the net's forecasts."""
    begun = time.monotonic()
    made = panel.forecaster(net(panel, epochs)).backtest(panel.table, N_ORIGINS, seasonality=SEASON, coverage=0.9)
    rows = {"one net for all": made.errors.loc["model"].to_dict() | {"seconds": time.monotonic() - begun}}

    begun = time.monotonic()
    plain = panel.forecaster(Ridge()).backtest(panel.table, N_ORIGINS, seasonality=SEASON)
    rows["Ridge"] = plain.errors.loc["model"].to_dict() | {"seconds": time.monotonic() - begun}

    # Ridge takes no logarithm by itself: it gets a table of logarithms, and its forecasts are brought back.
    begun = time.monotonic()
    logs = panel.table.assign(**{panel.target: np.log1p(panel.table[panel.target])})
    logarithms = panel.forecaster(Ridge()).backtest(logs, N_ORIGINS, seasonality=SEASON).forecasts
    back = logarithms.assign(forecast=np.expm1(logarithms["forecast"]), actual=made.forecasts["actual"])
    rows["Ridge on logarithms"] = errors_of(back, panel) | {"seconds": time.monotonic() - begun}

    for name in ("seasonal naive", "persistence"):
        rows[name] = made.errors.loc[name].to_dict()
    return pd.DataFrame.from_dict(rows, orient="index"), made.forecasts


def errors_of(forecasts: pd.DataFrame, panel: Panel) -> dict[str, float]:
    """Return the errors of forecasts as `backtest` gives them, MASE by series and weighted by their number."""
    first = forecasts["origin"].min()
    scaled = []
    for name, made in forecasts.groupby("series"):
        past = panel.of([name])
        past = past.loc[past[panel.time] <= first, panel.target]
        if len(past) > SEASON:
            scaled.append((len(made), mase(made["actual"], made["forecast"], past, seasonality=SEASON)))
    weights, errors = np.array(scaled).T
    return {
        "MAE": mean_absolute_error(forecasts["actual"], forecasts["forecast"]),
        "RMSE": np.sqrt(mean_squared_error(forecasts["actual"], forecasts["forecast"])),
        "MASE": np.average(errors, weights=weights),
        "sMAPE": smape(forecasts["actual"], forecasts["forecast"]),
    }


def compare_with_own_nets(panel: Panel, forecasts: pd.DataFrame, names: list[str], epochs: int) -> pd.DataFrame:
    """Return sMAPE of one net for all beside that of a net for each of a few series."""
    rows = {}
    for name in names:
        # a tenth of the rows of all series is a tenth of the updates for one: it gets ten times the epochs
        own = panel.forecaster(net(panel, 10 * epochs).set_params(batch_size=32))
        alone = own.backtest(panel.of([name]), N_ORIGINS, seasonality=SEASON)
        together = forecasts[forecasts["series"] == name]
        rows[name] = {
            "days": len(panel.of([name])),
            "one net for all": smape(together["actual"], together["forecast"]),
            "a net of its own": alone.errors.loc["model", "sMAPE"],
            "seasonal naive": alone.errors.loc["seasonal naive", "sMAPE"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


# -- The future, also of stores never seen -----------------------------------------------------------------------


def forecast_future(panel: Panel, unseen: list[str], epochs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Learn from all other series, then forecast all of them: what `predict` returns, and the rows held back.

    The last `HORIZON` days are held back too, so that the forecasts can be drawn over what came.
    """
    table, days = panel.table, panel.table[panel.time]
    end = days.max() - pd.Timedelta(days=HORIZON)
    known, coming = table[days <= end], table[days > end]
    is_new = known[panel.group].isin(unseen)
    forecaster = panel.forecaster(net(panel, epochs)).fit(known[~is_new])
    forecaster.update(known[is_new])  # their past, without learning from it
    future = coming if panel.known else None  # only the columns of `known_ahead` are read from it
    return forecaster.predict(future, coverage=0.9), coming


def errors_of_future(panel: Panel, predicted: pd.DataFrame, coming: pd.DataFrame, unseen: list[str]) -> pd.DataFrame:
    """Return sMAPE of the learned and of the unseen series, beside that of their last known week."""
    week = panel.table[panel.table[panel.time] < coming[panel.time].min()].groupby(panel.group).tail(SEASON)
    later = [week.assign(**{panel.time: week[panel.time] + pd.Timedelta(days=SEASON * k)}) for k in (1, 2)]
    both = predicted.merge(coming, on=[panel.group, panel.time], suffixes=("", "_actual"))
    both = both.merge(pd.concat(later), on=[panel.group, panel.time], suffixes=("", "_naive"))
    is_new = both[panel.group].isin(unseen)
    actual, naive = f"{panel.target}_actual", f"{panel.target}_naive"
    rows = {
        title: {"net": smape(part[actual], part[panel.target]), "seasonal naive": smape(part[actual], part[naive])}
        for title, part in [("learned", both[~is_new])] + [(name, both[both[panel.group] == name]) for name in unseen]
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def draw(panel: Panel, forecasts: pd.DataFrame, names: dict[str, str], path: Path) -> None:
    """Draw the fans of four series; `names` says what is special about each."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, grid = plt.subplots(2, 2, figsize=(12, 7), layout="constrained")
        for axes, (name, what) in zip(grid.flat, names.items(), strict=True):
            series = panel.of([name]).set_index(panel.time)[panel.target]
            made = forecasts[forecasts[panel.group] == name].set_index(panel.time)
            lower, upper = made[f"{panel.target}_lower"], made[f"{panel.target}_upper"]
            history, truth = series[: made.index[0]].iloc[:-1], series[made.index[0] :]
            plot_fan(history, made[panel.target], intervals={0.9: (lower, upper)}, truth=truth, n_history=56, ax=axes)
            for day in truth.index[panel.of([name]).set_index(panel.time).loc[truth.index, panel.known].any(axis=1)]:
                half = pd.Timedelta(hours=12)
                axes.axvspan(day - half, day + half, color="tab:orange", alpha=0.15, lw=0)
            axes.set_title(f"{name}: {what}", loc="left", weight="bold")
            axes.set(xlabel="", ylim=(0, None))
            axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
            axes.legend().remove()
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def read_panel(options: argparse.Namespace) -> Panel:
    """Return the table of the command line, or made stores."""
    if options.csv is None:
        stores = make_stores(10, 220) if options.small else make_stores(60, 500)
        return Panel(stores, "sales", "store", "day", ["promotion"])
    table = pd.read_csv(options.csv, parse_dates=[options.time])
    columns = [options.group, options.time, options.column, *options.known]
    return Panel(table[columns], options.column, options.group, options.time, options.known)


def main() -> None:
    """Compare on the last eight weeks, forecast unseen stores, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a long table of your own, daily")
    parser.add_argument("--column", metavar="NAME", default="sales", help="the column of FILE to forecast")
    parser.add_argument("--group", metavar="NAME", default="store", help="the column that says which series")
    parser.add_argument("--time", metavar="NAME", default="day", help="the column of dates")
    parser.add_argument("--known", metavar="NAME", nargs="*", default=[], help="columns known in advance")
    parser.add_argument("--small", action="store_true", help="few stores, one epoch: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    epochs = 1 if options.small else 10
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    if options.small:
        print("Small setting, few stores and one epoch: it shows that the program runs, not what the net can do.\n")

    panel = read_panel(options)
    sizes = panel.table.groupby(panel.group)[panel.target].agg(["size", "mean"]).sort_values("mean")
    print(
        f"{len(sizes)} series of {sizes['size'].min()} to {sizes['size'].max()} days, {len(panel.table)} rows;", end=""
    )
    print(f" {panel.target} of {sizes['mean'].min():.3g} to {sizes['mean'].max():.3g} a day on average.\n")

    errors, forecasts = compare(panel, epochs)
    print(f"{N_ORIGINS} origins, {HORIZON} days from each, learned once on the days before the first:")
    print(errors[[*ERRORS, "coverage", "seconds"]].to_string(float_format="{:.3g}".format, na_rep=""))

    long = sizes.index[sizes["size"] == sizes["size"].max()]
    short = sizes.index[sizes["size"] < sizes["size"].max()]
    few = [*long[[0, -1]], *short[-1:]]
    print("\nsMAPE of a few series, by a net that learned from all and by one that learned from the series alone:")
    own = compare_with_own_nets(panel, forecasts, few, epochs)
    print(own.to_string(float_format="{:.1f}".format))

    unseen = [long[len(long) // 2], *short[:1]]
    predicted, coming = forecast_future(panel, unseen, epochs)
    print(f"\nsMAPE of the last {HORIZON} days, when {' and '.join(unseen)} were not learned from:")
    print(errors_of_future(panel, predicted, coming, unseen).to_string(float_format="{:.1f}".format))

    picture = Path("forecast_panel.png")
    special = {few[0]: "the smallest", few[1]: "the largest", few[-1]: "a short one"} | {
        unseen[0]: "not seen in training"
    }
    draw(panel, predicted, special, picture)
    print(f"\nPicture: {picture.resolve()} (promotions of the days ahead are shaded)")
    print(f"Done in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
