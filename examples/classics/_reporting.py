"""What every example of this folder does in the same way: options, forecasts to beat, table, picture."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import sliding_windows
from skrnn.metrics import mean_absolute_error

matplotlib.use("Agg")  # draw into a file, also where there is no screen
STARTED = time.monotonic()


def make_parser(description: str, picture: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all examples have; `picture` is the default file name."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few epochs: shows in seconds that it runs")
    parser.add_argument("--picture", type=Path, metavar="PNG", default=Path(picture), help="where to save the picture")
    return parser


def read_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line."""
    options = parser.parse_args()
    if options.small:
        warnings.simplefilter("ignore", ConvergenceWarning)  # nets of few epochs are not trained to the end
        print("Small setting, few epochs: it shows that the program runs, not what the nets can do.\n")
    return options


def simple_forecasts(series: np.ndarray, window: int, n_train: int) -> dict[str, np.ndarray]:
    """Forecast each row from `n_train` on by the row before it, and by Ridge on the `window` rows before it."""
    X, y = sliding_windows(series, window)  # (n_samples, window, 1), (n_samples,)
    lags, n_known = X[:, :, 0], n_train - window  # the target of the first sample is row `window`
    ridge = make_pipeline(StandardScaler(), RidgeCV()).fit(lags[:n_known], y[:n_known])
    return {"last value": lags[n_known:, -1], "Ridge, same window": ridge.predict(lags[n_known:])}


def print_errors(title: str, truth: np.ndarray, forecasts: Mapping[str, np.ndarray], decimals: int = 2) -> None:
    """Print the mean absolute error of each forecast of the test rows."""
    print(title)
    for name, values in forecasts.items():
        print(f"  {name:<44}{mean_absolute_error(truth, values):10.{decimals}f}")


def save_picture(figure: matplotlib.figure.Figure, path: Path) -> None:
    """Save the picture and say where it is and how long everything took."""
    figure.savefig(path, dpi=130)
    print(f"\nPicture: {path.resolve()}\nDone in {time.monotonic() - STARTED:.0f} s.")
