"""The sunspots of the next year: LSTM, GRU, and a convolution in front of an LSTM.

    python examples/classics/sunspots.py

Yearly sunspot numbers since 1700 rise and fall in cycles of about eleven years. The nets read two cycles, 22 years, and
forecast the year that follows. The convolution gives the LSTM 32 filters of five years instead of single years. With
so few years a net soon learns them by heart: the last tenth of the training years says which epoch to keep.
"""

from __future__ import annotations

from _reporting import make_parser, print_errors, read_options, save_picture, simple_forecasts
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.datasets import load_sunspots

WINDOW = 22
N_TRAIN = 240  # years, up to 1939; the last 69 are test years
NETS = {
    "LSTM 32": {"cell": "lstm"},
    "GRU 32": {"cell": "gru"},
    "convolution 32, LSTM 32": {"cell": "lstm", "conv_channels": 32},
}


def main() -> None:
    """Train the three nets, compare them, draw."""
    options = read_options(make_parser(__doc__, "sunspots.png"))
    epochs = 3 if options.small else 100

    y = load_sunspots()
    X = y.to_frame()
    forecasts = simple_forecasts(y, WINDOW, N_TRAIN)
    figure, axes = plt.subplots(3, figsize=(10, 8), sharex=True, layout="constrained")
    for ax, (name, settings) in zip(axes, NETS.items(), strict=True):
        net = RNNRegressor(**settings, horizon=1, early_stopping=True, max_epochs=epochs, random_state=0)
        pipe = make_pipeline(SlidingWindowTransformer(WINDOW), net).fit(X[:N_TRAIN], y[:N_TRAIN])
        forecasts[name] = pipe.predict(X)[N_TRAIN - 1 : -1, 0]  # the forecast of a year is made in the year before
        ax.plot(y[N_TRAIN:], color="0.7", lw=3, label="truth")
        ax.plot(y.index[N_TRAIN:], forecasts[name], label=name)
        ax.set_ylabel("sunspots")
        ax.legend(loc="upper right")

    print_errors(f"Mean absolute error of the next year on {len(y) - N_TRAIN} test years:", y[N_TRAIN:], forecasts)
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
