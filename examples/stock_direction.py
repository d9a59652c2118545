"""Will the price rise tomorrow? A recurrent net against always guessing the more frequent direction.

    python examples/stock_direction.py
    python examples/stock_direction.py --signal
    python examples/stock_direction.py --csv FILE --column Close

Without a file the prices are made: returns by chance, with calm and wild times but nothing that tells up from down.
With `--signal` a rule is planted: after two days in one direction the next one is up with a probability of .65, after
two in different directions it is down with .65. No single day tells anything, so a linear model cannot learn it. FILE
has a column of dates (or is in the order of time already) and one of prices.

Each day's window holds the last returns, in units of their spread, and their directions; the label is the direction of
the next day, None for the last one, whose next day is not known. Folds are stretches of time that come after what was
learned from (`TimeSeriesSplit`). Shuffled folds would test on windows that share nearly all days with those learned
from, and report a skill that is not there.

What comes out for most markets is: no gain, or none that chance would not make. One such test in twenty finds a
difference by chance alone, more if one tries many settings and keeps the best. And a direction that is found says
nothing of a profit: costs, and how large the moves are, do not enter here.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier, SlidingWindowTransformer

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

NET, PRIOR = "recurrent net", "class prior"
STRENGTH = 0.65  # of the planted signal


class InputError(Exception):
    """Something that the person who started the program can put right."""


# -- 1. The prices -----------------------------------------------------------------------------------------------


def make_prices(n_days: int, signal: bool, seed: int = 0) -> pd.Series:
    """Make prices whose returns have calm and wild times (GARCH), and a direction by chance or by the rule above."""
    random = np.random.default_rng(seed)
    returns, variance = np.zeros(n_days), 1e-4
    for day in range(n_days):
        up = 0.5
        if signal and day >= 2:
            up = STRENGTH if returns[day - 1] * returns[day - 2] > 0 else 1 - STRENGTH
        direction = 1 if random.random() < up else -1
        returns[day] = direction * np.sqrt(variance) * abs(random.standard_normal())
        variance = 2e-6 + 0.1 * returns[day] ** 2 + 0.88 * variance
    days = pd.bdate_range("2005-01-03", periods=n_days, name="day")
    return pd.Series(100 * np.exp(returns.cumsum()), index=days, name="made price")


def read_prices(path: Path, column: str | None) -> pd.Series:
    """Return a column of the file as positive numbers in the order of time."""
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # what pandas and the decoder raise
        raise InputError(f"{path} is no table of comma-separated values: {str(error).strip()}.") from error
    names = {name.lower(): name for name in table}
    name = column or names.get("close") or names.get("price")
    if name not in table:
        wanted = f"no column {name!r}" if name else "no column named Close or Price; say which it is by --column"
        raise InputError(f"{path} has {wanted}; its columns are {', '.join(map(repr, table))}.")
    prices = pd.to_numeric(table[name], errors="coerce").astype(float)
    wrong = np.flatnonzero(table[name].notna() & ~(prices > 0))
    if len(wrong):
        row = wrong[0]
        text = table[name].iloc[row]
        raise InputError(f"{path}: column {name!r} must hold prices above 0, got {text!r} in row {row + 1}.")
    dates = find_dates(table.drop(columns=name))
    if dates is not None:
        prices.index = dates
        prices = prices.sort_index()
        if prices.index.has_duplicates:
            twice = prices.index[prices.index.duplicated()][0]
            raise InputError(f"{path} has two rows for {twice:%Y-%m-%d}; there must be one price for each day.")
    prices = prices.dropna()  # days without trade
    if len(prices) < 300:
        raise InputError(f"{path} must have at least 300 days with a price, got {len(prices)}.")
    return prices.rename(name)


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


def inputs_and_labels(prices: pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what is known at each day, and the direction of the next; None where that is not known."""
    returns = np.log(prices).diff().iloc[1:]
    spread = np.sqrt((returns**2).ewm(halflife=20).mean()).clip(lower=1e-12)  # of the days up to each one
    X = pd.DataFrame({"return": returns / spread, "direction": np.sign(returns)})
    coming = returns.shift(-1)
    # a day without any change is neither: it is not learned from
    y = np.select([coming > 0, coming < 0], ["up", "down"], default="unknown").astype(object)
    y[y == "unknown"] = None
    return X, y


# -- 2. The models -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What was predicted for the test days, all folds together."""

    days: pd.Index
    truth: np.ndarray  # whether the price rose, (n_days,)
    probability: dict[str, np.ndarray]  # of a rise, for each model
    seconds: dict[str, float]


def models(window: int, small: bool) -> dict[str, object]:
    """Return the net, a linear model of the same windows (flat), and the share of rises so far."""
    net = RNNClassifier(
        "gru",
        hidden_size=16,
        pooling="last",
        label_smoothing=0.1,  # keeps probabilities near a half, where they belong
        batch_size=64,
        max_epochs=2 if small else 30,
        early_stopping=True,  # judged by the last tenth of the days learned from
        random_state=0,
    )
    return {
        NET: make_pipeline(SlidingWindowTransformer(window), net),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.01)),
        PRIOR: DummyClassifier(strategy="prior"),
    }


def judge(X: pd.DataFrame, y: np.ndarray, window: int, small: bool) -> Result:
    """Let each model learn from the days before each fold, and predict the fold; the first half is learned from only.

    The label of the last day learned from is the direction of the first test day, which is known when that day's
    prediction, of the day after it, is made.
    """
    known = np.array([label is not None for label in y])
    flat = SlidingWindowTransformer(window, flatten=True).fit_transform(X)  # of the past alone, for scikit-learn's own
    made: dict[str, list[np.ndarray]] = {}
    seconds, tested = {}, []
    n_folds = 2 if small else 5
    for train, test in TimeSeriesSplit(n_folds, test_size=len(X) // (2 * n_folds)).split(X):
        tested.append(test[known[test]])
        for name, model in models(window, small).items():
            begun = time.monotonic()
            if name == NET:  # windows take days without a label
                fitted, asked = model.fit(X.iloc[train], y[train]), X.iloc[test]
            else:
                fitted = model.fit(flat[train[known[train]]], y[train[known[train]]].astype(str))
                asked = flat[test]
            column = fitted.classes_.tolist().index("up")
            made.setdefault(name, []).append(fitted.predict_proba(asked)[known[test], column])
            seconds[name] = seconds.get(name, 0.0) + time.monotonic() - begun
    rows = np.concatenate(tested)
    probability = {name: np.concatenate(parts) for name, parts in made.items()}
    return Result(X.index[rows], y[rows] == "up", probability, seconds)


# -- 3. The verdict ----------------------------------------------------------------------------------------------


def log_losses(result: Result, name: str) -> np.ndarray:
    """Return -log of the probability that what came had, (n_days,)."""
    probability = result.probability[name]
    return -np.log(np.clip(np.where(result.truth, probability, 1 - probability), 1e-12, None))


def right(result: Result, name: str) -> np.ndarray:
    """Return whether the likelier direction is what came, (n_days,)."""
    return (result.probability[name] > 0.5) == result.truth


def table_of(result: Result) -> pd.DataFrame:
    """Return a row for each model: accuracy with its interval of 95 %, and log loss."""
    rows = {}
    for name in result.probability:
        hits = int(right(result, name).sum())
        low, high = binomtest(hits, len(result.truth)).proportion_ci(0.95, method="wilson")
        rows[name] = {
            "accuracy": hits / len(result.truth),
            "from": low,
            "to": high,
            "log loss": log_losses(result, name).mean(),
            "says up": (result.probability[name] > 0.5).mean(),
            "seconds": result.seconds[name],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def print_verdict(result: Result) -> None:
    """Compare the net with the prior day by day, and say whether chance would make such a difference."""
    net, prior = right(result, NET), right(result, PRIOR)
    ours, theirs = int(np.sum(net & ~prior)), int(np.sum(~net & prior))
    p = binomtest(ours, ours + theirs).pvalue if ours + theirs else 1.0
    gain = log_losses(result, PRIOR) - log_losses(result, NET)  # (n_days,)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    p_loss = 2 * norm.sf(abs(gain.mean()) / error) if error > 0 else 1.0
    print(f"\nThe net against the prior, on {len(net)} days:")
    print(
        f"  accuracy: {(ours - theirs) / len(net):+.2%}. Where they differ, the net is right on {ours} days and",
        end=" ",
    )
    print(f"wrong on {theirs} (sign test: p = {p:.2g}).")
    print(f"  log loss: {-gain.mean():+.4f}, 95 % interval {-gain.mean() - 1.96 * error:+.4f} to", end=" ")
    print(f"{-gain.mean() + 1.96 * error:+.4f} (p = {p_loss:.2g}).")
    if p < 0.05 and ours > theirs and p_loss < 0.05 and gain.mean() > 0:
        print("Verdict: beyond chance in both. The net found something in these prices that tells the direction.")
        print("Whether it lasts, and whether it would cover any costs, is not said by that.")
    elif p < 0.05 and ours < theirs or p_loss < 0.05 and gain.mean() < 0:
        print("Verdict: the net is worse than guessing the more frequent direction. It learned what was chance.")
    else:
        print("Verdict: within chance. Nothing here tells the direction better than the more frequent one does.")


def draw(result: Result, path: Path) -> None:
    """Draw the lead over the prior as it grows day by day, with what chance does on 95 % of occasions."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(10, 5), layout="constrained")
        differ = right(result, NET) != right(result, PRIOR)
        spread = 1.96 * np.sqrt(np.cumsum(differ))  # each day on which they differ is a coin
        axes.fill_between(result.days, -spread, spread, color="0.9", lw=0, label="95 % of what chance does to the net")
        for name, color in ((NET, "tab:blue"), ("logistic regression", "tab:green")):
            lead = np.cumsum(right(result, name).astype(int) - right(result, PRIOR))
            axes.plot(result.days, lead, color=color, lw=1.5, label=name)
        axes.axhline(0, color="0.4", lw=1, ls="--")
        axes.set(ylabel="days right, more than the prior", xlabel=result.days.name or "day")
        axes.set_title("Lead over always guessing the more frequent direction", loc="left", weight="bold")
        axes.legend(frameon=False, loc="upper left")
        figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def read_data(options: argparse.Namespace) -> pd.Series:
    """Return the prices asked for, or say what is wrong."""
    if options.output.suffix.lower() != ".png" or not options.output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {options.output}.")
    if options.csv is None:
        if options.column is not None:
            raise InputError("--column goes with --csv FILE, which was not given.")
        return make_prices(600 if options.small else 3000, options.signal)
    if options.signal:
        raise InputError("--signal is for made prices, it does not go with --csv.")
    prices = read_prices(options.csv, options.column)
    return prices.iloc[-600:] if options.small else prices


def main() -> None:
    """Read, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="prices of your own, one row for each day")
    parser.add_argument("--column", metavar="NAME", help="the column of prices (default: Close or Price)")
    parser.add_argument("--signal", action="store_true", help="plant a rule in the made prices")
    parser.add_argument("--window", type=positive, metavar="DAYS", default=15, help="days to read")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("direction.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few days and epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    try:
        prices = read_data(options)
        X, y = inputs_and_labels(prices)
        if len({label for label in y[: len(y) // 2] if label is not None}) < 2:
            raise InputError(f"The prices {prices.name!r} must both rise and fall in the first half of the days.")
        if options.window > len(X) // 10:
            raise InputError(f"--window must be at most a tenth of the {len(X)} days, got {options.window}.")
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if options.small:
        print("Small setting, few days and epochs: it shows that the program runs, not what the net can do.\n")
    result = judge(X, y, options.window, options.small)
    rises = f"{result.truth.mean():.1%} of the {len(result.truth)} test days are followed by a rise"
    print(f"{prices.name}: {len(X)} returns, {rises}.")
    if options.signal:
        print(f"A planted rule tells the direction: who knows it is right on {STRENGTH:.0%} of all days.")
    print(f"Direction of the next day, from windows of {options.window} days, accuracy with its interval of 95 %:\n")
    print(table_of(result).to_string(float_format="{:.3f}".format))
    print_verdict(result)
    draw(result, options.output)
    print(f"\nPicture: {options.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
