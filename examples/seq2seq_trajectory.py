"""Forecast a swinging pendulum 40 points ahead, step by step: a decoder taught with and without the true values.

    python examples/seq2seq_trajectory.py

The trajectory is that of `classics/trajectory.py`: 400 angles, and the velocity is never shown. Here a net reads a
window of 20 angles and gives the next 40, which are two swings. Its decoder is autoregressive: it forecasts one angle,
reads it, forecasts the next. In training it may read the true angle instead of its own (teacher forcing):

* always (1.0): each step learns to go on from the truth, which no one will give it when it forecasts;
* never (0.0): it learns to go on from its own forecasts, errors and all;
* by chance (0.5), and ever less often in the course of training ("linear"): between the two.

The picture shows what comes of it. The first step is best where the truth was always given, the later ones where it
was never given; so it was with each of three seeds. A net that learned 40 steps can be asked for more, here for 80.
Ridge stays the best here: by the time of the test the swings are small, hence almost linear, and nothing is noisy.

The cell and the rate were chosen on the first 300 points: fitted on 220 of them, judged on 80.
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
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, future_targets, sliding_windows
from skrnn.datasets import make_pendulum
from skrnn.metrics import mean_absolute_error
from skrnn.plotting import plot_horizon_error

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

WINDOW, HORIZON = 20, 40  # points the net reads, and forecasts
N_TRAIN = 300  # points; the last 100 are test points
FURTHER = 80  # points of the long forecast
SWING = 20  # points of a small swing: 2 pi sqrt(length / gravity) is 2.0 s
FORCINGS = {"always (1.0)": 1.0, "by chance (0.5)": 0.5, "less and less": "linear", "never (0.0)": 0.0}
COLORS = {"always (1.0)": "tab:red", "by chance (0.5)": "tab:orange", "less and less": "tab:purple"} | {
    "never (0.0)": "tab:blue",
    "Ridge, same window": "tab:green",
    "one swing ago": "0.45",
    "last value": "0.7",
}


def train(angle: pd.Series, teacher_forcing: float | str, max_epochs: int) -> Pipeline:
    """Fit windows and net on the training points; each row learns the angles that follow it, as far as they are."""
    net = Seq2SeqForecaster(
        "gru",
        decoder="autoregressive",
        teacher_forcing=teacher_forcing,
        horizon=HORIZON,
        max_epochs=max_epochs,
        random_state=0,
    )
    known = angle[:N_TRAIN]
    return make_pipeline(SlidingWindowTransformer(WINDOW), net).fit(known.to_frame(), known)


def simple_forecasts(angle: pd.Series, origins: np.ndarray) -> dict[str, np.ndarray]:
    """Return the forecasts (n_origins, HORIZON) of Ridge and of two rules."""
    X, y = sliding_windows(angle[:N_TRAIN], WINDOW, HORIZON)  # (n, WINDOW, 1), (n, HORIZON)
    ridge = RidgeCV(alphas=np.logspace(-6, 2, 9)).fit(X[:, :, 0], y)
    values = angle.to_numpy()
    windows = values[origins[:, None] + np.arange(1 - WINDOW, 1)]  # (n_origins, WINDOW)
    return {
        "Ridge, same window": ridge.predict(windows),
        "one swing ago": windows[:, np.arange(HORIZON) % SWING + WINDOW - SWING],
        "last value": np.repeat(windows[:, -1:], HORIZON, axis=1),
    }


def print_table(truth: np.ndarray, forecasts: dict[str, np.ndarray], seconds: dict[str, float]) -> None:
    """Print the mean absolute error over all steps and at some of them."""
    steps = [1, 5, 10, 20, HORIZON]
    print(f"Mean absolute error in radians over {len(truth)} origins of test points, after so many steps:")
    print(f"  {'':<34}{'all':>8}" + "".join(f"{step:>8}" for step in steps) + f"{'seconds':>10}")
    for name, values in forecasts.items():
        errors = mean_absolute_error(truth, values, multioutput="raw_values")  # (HORIZON,)
        title = f"teacher forcing {name}" if name in FORCINGS else name
        row = "".join(f"{error:8.4f}" for error in [errors.mean(), *errors[np.array(steps) - 1]])
        print(f"  {title:<34}{row}" + (f"{seconds[name]:10.0f}" if name in seconds else ""))


def draw(
    angle: pd.Series, truth: np.ndarray, forecasts: dict[str, np.ndarray], far: dict[str, np.ndarray], path: Path
) -> None:
    """Draw the long forecasts from the last training point, how far they are off, and the error by step."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, (above, middle, below) = plt.subplots(
            3, figsize=(10.5, 10), height_ratios=[3, 2, 3], layout="constrained"
        )
        middle.sharex(above)
        ahead = angle[N_TRAIN : N_TRAIN + FURTHER]
        above.plot(angle[N_TRAIN - WINDOW : N_TRAIN], color="0.3", marker=".", label=f"the {WINDOW} angles it reads")
        above.plot(ahead, color="0.3", lw=4, alpha=0.35, label="truth")
        for name, values in far.items():
            above.plot(ahead.index, values, color=COLORS[name], lw=1.5, label=f"teacher forcing {name}")
            middle.plot(ahead.index, values - ahead, color=COLORS[name], lw=1.5)
        for axes in (above, middle):
            axes.axvspan(ahead.index[HORIZON], ahead.index[-1], color="0.5", alpha=0.1, lw=0)
        text = f"more than the {HORIZON} steps it learned"
        middle.text(ahead.index[HORIZON], 1.01, text, color="0.4", va="bottom", transform=middle.get_xaxis_transform())
        above.set_title(f"One forecast of {FURTHER} angles, made at point {N_TRAIN}", loc="left", weight="bold")
        above.set(ylabel="angle (rad)")
        above.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        middle.set_title("Forecast less truth", loc="left", weight="bold")
        middle.set(ylabel="error (rad)", xlabel="time (s)")
        plot_horizon_error(truth, forecasts, ax=below)
        for line in below.lines:
            line.set(color=COLORS[line.get_label()], marker="")
        below.set_title(f"Error by step, over {len(truth)} origins of test points", loc="left", weight="bold")
        below.set(yscale="log", ylabel="mean absolute error (rad)", xlim=(1, HORIZON))
        below.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Train a net for each way of teaching, compare them on the test points, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="two epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    if options.small:
        print("Small setting, two epochs: it shows that the program runs, not what the nets can do.\n")
    warnings.simplefilter("ignore", ConvergenceWarning)  # there is no noise: the loss would fall for ever

    angle = make_pendulum(400)["angle"]
    X = angle.to_frame()
    origins = np.arange(N_TRAIN - 1, len(angle) - HORIZON)  # rows with all 40 angles after them, all test points
    truth = future_targets(angle, HORIZON).to_numpy()[origins]  # (n_origins, HORIZON)

    forecasts, far, seconds = {}, {}, {}
    for name, teacher_forcing in FORCINGS.items():
        begun = time.monotonic()
        pipeline = train(angle, teacher_forcing, max_epochs=2 if options.small else 100)
        seconds[name] = time.monotonic() - begun
        # Windows of the test rows reach back into the training rows, whose index they continue.
        forecasts[name] = pipeline.predict(X)[origins]
        far[name] = pipeline.predict(X, horizon=FURTHER)[N_TRAIN - 1]
    forecasts |= simple_forecasts(angle, origins)
    print_table(truth, forecasts, seconds)

    picture = Path("seq2seq_trajectory.png")
    draw(angle, truth, forecasts, far, picture)
    print(f"\nPicture: {picture.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
