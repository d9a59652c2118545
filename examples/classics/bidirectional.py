"""Bidirectional LSTM 32 with one, two and three layers, on the synthetic daily series.

    python examples/classics/bidirectional.py

A bidirectional layer reads each window of 20 days from both ends. More layers are one parameter, `n_layers`; whether
they pay shows in the table.
"""

from __future__ import annotations

from _reporting import make_parser, print_errors, read_options, save_picture, simple_forecasts
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.datasets import make_daily_series

WINDOW = 20
N_TRAIN = 1000  # days; the last 461 are test days


def main() -> None:
    """Train the three nets, compare them, draw."""
    options = read_options(make_parser(__doc__, "bidirectional.png"))
    epochs = 2 if options.small else 100

    y = make_daily_series()
    X = y.to_frame()
    forecasts = simple_forecasts(y, WINDOW, N_TRAIN)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.5), layout="constrained", width_ratios=[2, 1])
    left.plot(y[N_TRAIN:], color="0.7", lw=3, label="truth")
    for n_layers in (1, 2, 3):
        net = RNNRegressor("lstm", bidirectional=True, n_layers=n_layers, horizon=1, max_epochs=epochs, random_state=0)
        pipe = make_pipeline(SlidingWindowTransformer(WINDOW), net).fit(X[:N_TRAIN], y[:N_TRAIN])
        name = f"bidirectional LSTM 32 x {n_layers}"
        forecasts[name] = pipe.predict(X)[N_TRAIN - 1 : -1, 0]  # the forecast of a day is made on the day before
        left.plot(y.index[N_TRAIN:], forecasts[name], lw=1, label=name)
        right.plot(net.history_["epoch"], net.history_["valid_mae"], label=name)

    print_errors(f"Mean absolute error of the next day on {len(y) - N_TRAIN} test days:", y[N_TRAIN:], forecasts)
    left.set_title("Test days")
    left.legend()
    right.set(title="On the validation days", xlabel="epoch", ylabel="mean absolute error")
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
