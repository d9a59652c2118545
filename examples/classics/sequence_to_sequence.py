"""Sequence to vector and sequence to sequence: SimpleRNN 20+20 with one target a window, or one at each step.

    python examples/classics/sequence_to_sequence.py

Both nets read the last 20 days and forecast the next one. Sequence to vector learns from the forecast made at the
end of a window, sequence to sequence from those made at each of its 20 steps. They are compared at the last step,
which is the one that forecasts the unknown.
"""

from __future__ import annotations

from _reporting import make_parser, print_errors, read_options, save_picture, simple_forecasts
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer, future_targets, past_targets
from skrnn.datasets import make_daily_series
from skrnn.plotting import plot_history

WINDOW = 20
N_TRAIN = 1000  # days; the last 461 are test days


def main() -> None:
    """Train both nets, compare them at the last step, draw."""
    options = read_options(make_parser(__doc__, "sequence_to_sequence.png"))
    epochs = 3 if options.small else 100

    y = make_daily_series()
    X = y.to_frame()
    next_day = future_targets(y[:N_TRAIN], 1)  # (n_days, 1)
    next_days = past_targets(next_day, WINDOW)  # (n_days, 20): the next day of each step of the window

    settings = {"hidden_size": 20, "n_layers": 2, "max_epochs": epochs, "random_state": 0}
    to_vector = RNNRegressor("rnn", **settings)
    to_sequence = RNNRegressor("rnn", return_sequences=True, **settings)
    vectors = make_pipeline(SlidingWindowTransformer(WINDOW), to_vector).fit(X[:N_TRAIN], next_day).predict(X)
    sequences = make_pipeline(SlidingWindowTransformer(WINDOW), to_sequence).fit(X[:N_TRAIN], next_days).predict(X)
    print(f"{len(X)} days in: sequence to vector gives {vectors.shape}, sequence to sequence {sequences.shape}.\n")

    made = slice(N_TRAIN - 1, -1)  # the forecast of a day is made on the day before
    forecasts = simple_forecasts(y, WINDOW, N_TRAIN)
    forecasts["SimpleRNN 20+20, sequence to vector"] = vectors[made, 0]
    forecasts["SimpleRNN 20+20, sequence to sequence"] = sequences[made, -1]
    print_errors(f"Mean absolute error of the next day on {len(y) - N_TRAIN} test days:", y[N_TRAIN:], forecasts)

    figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
    for row, net, name in zip(axes, (to_vector, to_sequence), ("vector", "sequence"), strict=True):
        plot_history(net, ax=row)
        row[0].set_title(f"Sequence to {name}")
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
