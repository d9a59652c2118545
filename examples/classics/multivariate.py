"""Multivariate regression: one target from several inputs, and several targets at once.

    python examples/classics/multivariate.py

Twenty runs of a pendulum are measured with noise, each from a start of its own. From the last 20 measurements a GRU
forecasts the next one: the angle from angles alone, the angle from angles and velocities, and both from both. The
columns of X are the inputs and those of y the outputs. The five test runs are new to every net.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _reporting import make_parser, read_options, save_picture
from matplotlib import pyplot as plt
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNRegressor, SlidingWindowTransformer, future_targets
from skrnn.datasets import make_pendulum_panel
from skrnn.metrics import mean_absolute_error
from skrnn.plotting import plot_predictions

WINDOW = 20
N_TRAIN_RUNS = 15  # of 20
NOISE = 0.1  # standard deviation, in rad and in rad/s
BOTH = ["angle", "velocity"]
TASKS = {
    "GRU 32, angle -> angle": (["angle"], ["angle"]),
    "GRU 32, angle and velocity -> angle": (BOTH, ["angle"]),
    "GRU 32, angle and velocity -> both": (BOTH, BOTH),
}


def ridge_forecasts(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Forecast both columns by Ridge on the windows of both, side by side."""
    windows = SlidingWindowTransformer(WINDOW, group="run", flatten=True)
    targets = next_rows(train)
    known = targets["angle"].notna().to_numpy()  # the last row of a run has no next one
    ridge = make_pipeline(StandardScaler(), RidgeCV()).fit(windows.fit_transform(train)[known], targets[known])
    return pd.DataFrame(ridge.predict(windows.transform(test)), index=test.index, columns=BOTH)


def next_rows(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the next row of each run, NaN after its end."""
    return pd.DataFrame(future_targets(panel, 1, group="run")[:, 0], index=panel.index, columns=BOTH)


def main() -> None:
    """Train the nets, compare them on the test runs, draw."""
    options = read_options(make_parser(__doc__, "multivariate.png"))
    epochs = 2 if options.small else 100

    panel = make_pendulum_panel(n_runs=20, n_steps=200, noise=NOISE)  # index: run, time
    in_training = panel.index.get_level_values("run") < N_TRAIN_RUNS
    train, test = panel[in_training], panel[~in_training]

    forecasts = {"last value": test, "Ridge, angle and velocity -> both": ridge_forecasts(train, test)}
    for name, (inputs, outputs) in TASKS.items():
        net = RNNRegressor("gru", horizon=1, max_epochs=epochs, random_state=0)
        pipe = make_pipeline(SlidingWindowTransformer(WINDOW, group="run"), net)
        values = pipe.fit(train[inputs], train[outputs]).predict(test[inputs])  # (n_rows, horizon=1, n_outputs)
        forecasts[name] = pd.DataFrame(values[:, 0], index=test.index, columns=outputs)

    truth = next_rows(test)
    print(f"Mean absolute error of the next point on {20 - N_TRAIN_RUNS} test runs:")
    print(f"  {'':<36}{'angle, rad':>12}{'velocity, rad/s':>18}")
    for name, values in forecasts.items():
        errors = [mean_absolute_error(truth[column], values[column]) for column in values]
        print(f"  {name:<36}{errors[0]:12.4f}" + "".join(f"{error:18.4f}" for error in errors[1:]))
    print(f"The noise of the measurement alone makes an error of {NOISE * np.sqrt(2 / np.pi):.4f} in each.")

    figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
    for ax, column, unit in zip(axes, BOTH, ("rad", "rad/s"), strict=True):
        plot_predictions(truth[column], forecasts["GRU 32, angle and velocity -> both"][column], ax=ax)
        ax.set_title(f"The next {column} ({unit}), both from both")
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
