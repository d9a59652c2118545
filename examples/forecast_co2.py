"""Forecast the CO2 concentration at Mauna Loa 26 weeks ahead with a recurrent net, or a series of your own.

    python examples/forecast_co2.py
    python examples/forecast_co2.py --csv FILE --column NAME --horizon ROWS

The steps are those of any forecast with scikit-learn: read the series, put the last rows aside as test rows,
search for good settings on the others, compare with simple forecasts on the test rows, forecast the future.
The net is an ordinary estimator throughout. Each row of the series gets one forecast of the `horizon` values
that follow it, made from the window of values that ends there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import joblib
import matplotlib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, ParameterGrid, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from tqdm import tqdm

from skrnn import RNNRegressor, SlidingWindowTransformer, future_targets
from skrnn.datasets import load_co2
from skrnn.metrics import mae_scorer, mean_absolute_error

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

SEASONS = {"hours": 24, "days": 7, "weeks": 52, "months": 12, "quarters": 4}  # rows of one season
STEPS = {1 / 24: "hours", 1: "days", 7: "weeks", 30.4: "months", 91.3: "quarters", 365.25: "years"}  # days


class InputError(Exception):
    """Something that the person who started the program can put right."""


@dataclass(frozen=True)
class Task:
    """What to forecast, and how far."""

    y: pd.Series  # the series, without gaps; its index is time, or the number of the row
    unit: str  # of the series
    horizon: int  # rows to look ahead
    step: str  # what a row is: "weeks", ...
    season: int | None  # rows after which the series repeats itself
    windows: list[int]  # candidates for the search
    n_test: int  # rows at the end that the search never sees

    @property
    def X(self) -> pd.DataFrame:
        """What is known at each row, (n_times, n_channels): here the series itself."""
        return self.y.to_frame()

    @property
    def n_train(self) -> int:
        """Number of rows that the search sees."""
        return len(self.y) - self.n_test


# -- 1. Read the series ----------------------------------------------------------------------------------------


def co2_task(small: bool) -> Task:
    """Weekly CO2, 26 weeks ahead; the last two years are test rows."""
    y = load_co2(fill="forward").rename(
        "CO2"
    )  # a week without a measurement repeats the last one: no look at the future
    if small:
        return Task(y[-520:], "ppmv", 26, "weeks", 52, [26, 52], 104)
    return Task(y, "ppmv", 26, "weeks", 52, [52, 104], 104)


def csv_task(path: Path, column: str, horizon: int, season: int | None, small: bool) -> Task:
    """Read a column of a file; a column of dates becomes the index."""
    y = read_column(path, column)
    needed = max(60, 10 * horizon)
    if len(y) < needed:
        raise InputError(
            f"{path} has {len(y)} rows with a known {column!r}, but {horizon} rows ahead need at least {needed} to "
            "learn from, choose by and test on. Give more rows, or a smaller --horizon."
        )
    y = y[-10 * max(horizon, 50) :] if small else y
    n_test = min(4 * horizon, len(y) // 5) if horizon > 12 else len(y) // 5
    step = name_of_step(y.index)
    season = season or SEASONS.get(step)
    short = season if season and season >= 12 else 24
    windows = [window for window in (short, 2 * short) if window <= len(y) // 4] or [len(y) // 4]
    return Task(y, column, horizon, step, season, windows, n_test)


def read_column(path: Path, column: str) -> pd.Series:
    """Return the column as numbers without gaps, in the order of time."""
    table = read_table(path)
    if column not in table:
        raise InputError(f"{path} has no column {column!r}; its columns are {', '.join(map(repr, table))}.")
    y = to_numbers(table[column], path)
    dates = find_dates(table.drop(columns=column))
    if dates is not None:
        y.index = dates
        y = y.sort_index()
        if y.index.has_duplicates:
            twice = y.index[y.index.duplicated()][0]
            raise InputError(f"{path} has two rows for {label(twice)}; there must be one row for each time.")
    missing = int(y.isna().sum())
    if missing:
        print(f"{missing} missing values repeat the last known one (those before the first are left out).")
    return y.ffill().dropna()


def read_table(path: Path) -> pd.DataFrame:
    """Read the file as text, so that a wrong number can be shown as it stands there."""
    try:
        return pd.read_csv(path, dtype=str, skipinitialspace=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # what pandas and the decoder raise
        raise InputError(f"{path} is no table of comma-separated values: {str(error).strip()}.") from error


def to_numbers(text: pd.Series, path: Path) -> pd.Series:
    """Return the numbers (n_times,), NaN where the file has nothing."""
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = np.flatnonzero(text.notna() & ~np.isfinite(numbers))
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"{path}: column {text.name!r} must hold numbers, got {text.iloc[row]!r} in row {row + 1} below the "
            "header. Correct it, or leave it empty if it is not known."
        )
    return numbers


def find_dates(table: pd.DataFrame) -> pd.DatetimeIndex | None:
    """Return the first column that holds nothing but dates, or None; plain numbers are no dates."""
    for name in table:
        column = table[name]
        if column.isna().any() or pd.to_numeric(column, errors="coerce").notna().any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas tells how it guessed the format
            dates = pd.to_datetime(column, errors="coerce")
        if dates.notna().all():
            return pd.DatetimeIndex(dates, name=name)
    return None


def name_of_step(index: pd.Index) -> str:
    """Return what one row is, such as "weeks", going by the most common step of the index."""
    if not isinstance(index, pd.DatetimeIndex):
        return "rows"
    days = index.to_series().diff().median() / pd.Timedelta(days=1)
    return next((name for step, name in STEPS.items() if abs(days / step - 1) < 0.05), "rows")


# -- 2. Search on the training rows ------------------------------------------------------------------------------


def net_pipeline(task: Task, max_epochs: int) -> Pipeline:
    """Build the estimator: windows of the series, and the net that reads them."""
    # A large lr and small batches, found on the training rows of CO2; the rest stays at its default.
    batch_size = 64 if task.n_train > 1000 else "auto"
    net = RNNRegressor(horizon=task.horizon, lr=0.03, batch_size=batch_size, max_epochs=max_epochs, random_state=0)
    return make_pipeline(SlidingWindowTransformer(), net)


def search(task: Task, small: bool) -> GridSearchCV:
    """Try every window with every cell, each in blocks of time that come after what it learned from."""
    grid = {"slidingwindowtransformer__window": task.windows, "rnnregressor__cell": ["rnn", "lstm", "gru"]}
    splits = TimeSeriesSplit(n_splits=2, test_size=min(156, task.n_train // 5))
    pipeline = net_pipeline(task, max_epochs=4 if small else 40)
    found = GridSearchCV(pipeline, grid, cv=splits, scoring=mae_scorer, n_jobs=2)
    n_fits = len(ParameterGrid(grid)) * splits.get_n_splits()
    print(f"Searching {len(ParameterGrid(grid))} candidates on the {task.n_train} training rows:")
    print(
        f"  windows of {' or '.join(map(str, task.windows))} {task.step}; cells {', '.join(grid['rnnregressor__cell'])}"
    )
    with progress_bar(n_fits), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the comparison tells which candidate is good
        found.fit(task.X[: task.n_train], task.y[: task.n_train])
    return found


@contextmanager
def progress_bar(total: int) -> Iterator[None]:
    """Show a bar that moves with every fit that joblib reports as done, from whatever process or thread."""

    def show(parallel: joblib.Parallel) -> None:
        bar.update(parallel.n_completed_tasks - bar.n)

    with tqdm(total=total, unit="fit") as bar, patch.object(joblib.Parallel, "print_progress", show):
        yield


def describe(found: GridSearchCV) -> str:
    """Say what the search chose."""
    chosen = found.best_params_
    cell, window = chosen["rnnregressor__cell"], chosen["slidingwindowtransformer__window"]
    return f"{cell}, window {window} (mean absolute error {-found.best_score_:.3g} in cross-validation)"


# -- 3. Compare on the test rows ---------------------------------------------------------------------------------


def backtest(task: Task, pipeline: Pipeline) -> dict[str, np.ndarray]:
    """Return the forecasts (n_test, horizon) made at each test row, by the net and by simple rules."""
    window, cell = pipeline[0].window, pipeline[-1].cell
    # The test rows continue the index of the training rows, so their windows reach back into them.
    forecasts = {f"{cell.upper()} net": pipeline.predict(task.X[task.n_train :])}
    forecasts["Ridge on the same windows"] = ridge_forecasts(task, window)
    if task.season and task.season < task.n_train:
        same = "same week last year" if task.season == 52 else f"one season ({task.season} rows) ago"
        forecasts[same] = seasonal_forecasts(task)
    forecasts["last value"] = np.repeat(task.y.to_numpy()[task.n_train :, None], task.horizon, axis=1)
    return forecasts


def ridge_forecasts(task: Task, window: int) -> np.ndarray:
    """Ridge on the same windows, trained on the training rows with a full window and a fully known future."""
    lags = SlidingWindowTransformer(window, flatten=True).fit_transform(task.X)  # (n_times, window)
    targets = future_targets(task.y[: task.n_train], task.horizon).to_numpy()  # (n_train, horizon)
    complete = ~np.isnan(targets).any(axis=1)
    complete[: window - 1] = False
    ridge = Ridge().fit(lags[: task.n_train][complete], targets[complete])
    return ridge.predict(lags[task.n_train :])


def seasonal_forecasts(task: Task) -> np.ndarray:
    """The value one season earlier; further back where that is not known yet."""
    steps = np.arange(1, task.horizon + 1)
    back = steps - task.season * -(-steps // task.season)  # (horizon,), at most 0
    rows = np.arange(task.n_train, len(task.y))[:, None] + back  # (n_test, horizon)
    return task.y.to_numpy()[rows]


def span(task: Task) -> str:
    """Say which steps a forecast covers."""
    return ahead(1, task) if task.horizon == 1 else f"1 to {ahead(task.horizon, task)}"


def ahead(n_rows: int, task: Task) -> str:
    """Say how far ahead a number of rows is, such as "26 weeks ahead"."""
    return f"{n_rows} {task.step if n_rows > 1 else task.step.removesuffix('s')} ahead"


def print_table(task: Task, truth: np.ndarray, forecasts: dict[str, np.ndarray]) -> None:
    """Print the mean absolute error of each forecast over all test rows and steps."""
    print(f"\nMean absolute error {span(task)} on {task.n_test} test rows, in {task.unit}:")
    errors = [mean_absolute_error(truth, values) for values in forecasts.values()]
    decimals = max(0, 2 - int(np.floor(np.log10(min(errors) or 1))))  # three digits of the smallest
    for name, error in zip(forecasts, errors, strict=True):
        print(f"  {name:<30}{error:12.{decimals}f}")
    best = list(forecasts)[1 + int(np.argmin(errors[1:]))]
    change = errors[0] / min(errors[1:]) - 1
    print(f"The net's error is {abs(change):.0%} {'below' if change < 0 else 'above'} that of {best}.")


# -- 4. Forecast the unknown future, and draw --------------------------------------------------------------------


def forecast_future(task: Task, pipeline: Pipeline) -> pd.Series:
    """Train once more, on all rows, and return the forecast made at the last one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline = clone(pipeline).fit(task.X, task.y)
    return pd.Series(pipeline.predict(task.X)[-1], index=labels_after(task.y.index, task.horizon))


def labels_after(index: pd.Index, n_labels: int) -> pd.Index:
    """Return the labels that follow an index."""
    if not isinstance(index, pd.DatetimeIndex):
        return pd.RangeIndex(index[-1] + 1, index[-1] + 1 + n_labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas will return another type one day, which will do as well
        step = index.freq or pd.infer_freq(index) or index.to_series().diff().mode()[0]
    return pd.date_range(index[-1], periods=n_labels + 1, freq=step)[1:]


def draw(task: Task, truth: np.ndarray, forecasts: dict[str, np.ndarray], future: pd.Series, path: Path) -> None:
    """Draw the backtest and the future above, and the errors by the length of the forecast below."""
    style = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.axisbelow": True,
    }
    with plt.rc_context(style):
        figure, (above, below) = plt.subplots(2, figsize=(10, 7.5), height_ratios=[3, 2], layout="constrained", dpi=130)
        net = next(iter(forecasts))
        draw_series(above, task, net, forecasts[net], future)
        draw_errors(below, task, truth, forecasts)
        figure.savefig(path)
    plt.close(figure)


def draw_series(axes: plt.Axes, task: Task, net: str, values: np.ndarray, future: pd.Series) -> None:
    """Draw the end of the series, a backtest from every `horizon`-th test row, and the future."""
    y, start = task.y, task.n_train
    axes.plot(y[start - task.n_test // 2 :], color="0.25", lw=1.2, label="measured")
    draw_backtest(axes, task, net, values)
    end = pd.Series([y.iloc[-1]], index=y.index[-1:])
    style = {"color": "tab:orange", "lw": 2.4, "ls": "--", "marker": "o" if task.horizon < 5 else None}
    axes.plot(pd.concat([end, future]), label="forecast of the unknown future", markevery=slice(1, None), **style)
    axes.axvspan(y.index[start], y.index[-1], color="tab:blue", alpha=0.06, lw=0, label="test rows, not seen before")
    axes.set(ylabel=f"{y.name} ({task.unit})" if task.unit != y.name else task.unit, xlabel=y.index.name or "row")
    axes.set_title(f"{y.name}, forecast {ahead(task.horizon, task)}", loc="left", weight="bold")
    axes.legend(frameon=False, fontsize=9)


def draw_backtest(axes: plt.Axes, task: Task, net: str, values: np.ndarray) -> None:
    """Draw a forecast from every `horizon`-th test row; where these would be many, only the ends of all."""
    y, start = task.y, task.n_train
    style = {"color": "tab:blue", "lw": 2}
    if task.n_test > 12 * task.horizon:
        ends = y.index[start + task.horizon :]
        axes.plot(ends, values[: len(ends), -1], label=f"{net}, {ahead(task.horizon, task)}", **style)
        return
    for origin in range(start, len(y), task.horizon):
        known = y.index[origin : origin + task.horizon + 1]  # the forecast starts at the value it was made at
        line = np.r_[y.iloc[origin], values[origin - start]][: len(known)]
        text = f"backtest of the {net}, one every {task.horizon} {task.step}" if origin == start else None
        axes.plot(known, line, label=text, **style)
        axes.plot(known[:1], line[:1], "o", color="tab:blue", ms=5)


def draw_errors(axes: plt.Axes, task: Task, truth: np.ndarray, forecasts: dict[str, np.ndarray]) -> None:
    """Draw the mean absolute error of each forecast for each number of steps ahead."""
    colors = ["tab:blue", "tab:green", "tab:purple", "0.5"]
    errors = [mean_absolute_error(truth, v, multioutput="raw_values") for v in forecasts.values()]
    axes.set_title(f"Error on the test rows, {span(task)}", loc="left", weight="bold")
    text = f"mean absolute error ({task.unit})"
    if task.horizon == 1:
        axes.barh(list(forecasts), np.ravel(errors), color=colors[: len(errors)], height=0.6)
        axes.invert_yaxis()
        axes.set(xlabel=text)
        return
    for name, error, color in zip(forecasts, errors, colors, strict=False):
        width = 2.4 if color == "tab:blue" else 1.4
        axes.plot(np.arange(1, task.horizon + 1), error, color=color, lw=width, label=name)
    axes.set(xlabel=f"{task.step} ahead", ylabel=text, ylim=(0, None))
    axes.legend(frameon=False, fontsize=9)


# -- The program -------------------------------------------------------------------------------------------------


def main() -> None:
    """Read the arguments and go through the steps."""
    parser = arguments_parser()
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        task = read_task(arguments)
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print(f"{task.y.name}: {len(task.y)} rows, {label(task.y.index[0])} to {label(task.y.index[-1])};", end=" ")
    print(f"the last {task.n_test} are test rows.\n")
    if arguments.small:
        print("Small setting, few rows and epochs: it shows that the program runs, not what the net can do.\n")
    found = search(task, arguments.small)
    print(f"Chosen: {describe(found)}")
    truth = future_targets(task.y, task.horizon).to_numpy()[task.n_train :]  # NaN after the end of the series
    forecasts = backtest(task, found.best_estimator_)
    print_table(task, truth, forecasts)
    future = forecast_future(task, found.best_estimator_)
    ends = [f"{value:.5g} ({label(when)})" for when, value in future.items()]
    print(f"\nForecast of the unknown future: {' to '.join(dict.fromkeys([ends[0], ends[-1]]))}.")
    draw(task, truth, forecasts, future, arguments.output)
    print(f"Picture: {arguments.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


def arguments_parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a series of your own, one row for each time")
    parser.add_argument("--column", metavar="NAME", help="the column of FILE to forecast")
    parser.add_argument("--horizon", type=positive, metavar="ROWS", help="rows to look ahead (default: 26)")
    parser.add_argument("--season", type=positive, metavar="ROWS", help="rows of a season of FILE (default: guessed)")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("forecast.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few rows and epochs: shows in seconds that it runs")
    return parser


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def read_task(arguments: argparse.Namespace) -> Task:
    """Turn the arguments into a task, or say what is wrong with them before any time is spent."""
    output = arguments.output
    if output.suffix.lower() != ".png" or not output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {output}.")
    if arguments.csv is None:
        ignored = [name for name in ("column", "horizon", "season") if getattr(arguments, name)]
        if ignored:
            raise InputError(f"--{ignored[0]} goes with --csv FILE, which was not given.")
        return co2_task(arguments.small)
    if arguments.column is None:
        raise InputError("--csv FILE needs --column NAME, the column to forecast.")
    horizon = arguments.horizon or 26
    return csv_task(arguments.csv, arguments.column, horizon, arguments.season, arguments.small)


def label(label: object) -> str:
    """Show a label of the index: a date without its empty time of day."""
    return str(label).removesuffix(" 00:00:00")


if __name__ == "__main__":
    main()
