"""A learning-rate sweep, then Huber loss and SGD with momentum: SimpleRNN 40+40 on the synthetic daily series.

    python examples/classics/lr_sweep.py

The sweep trains for up to 100 epochs while the learning rate rises as 1e-8 * 10 ** (epoch / 20), as a
LearningRateScheduler does in Keras. The loss is lowest where training is about to become unstable, so `lr_range_test`
suggests a tenth of that rate; the net is trained with both. It has raw values in and its output times 100, as on the
slides (see _slides.py); what the same net does with skrnn's defaults is shown by slides_and_defaults.py.
"""

from __future__ import annotations

from _reporting import make_parser, print_errors, read_options, save_picture, simple_forecasts
from _slides import HundredfoldHuber, slides_net
from matplotlib import pyplot as plt
from sklearn.base import clone

from skrnn import sliding_windows
from skrnn.datasets import make_daily_series
from skrnn.plotting import plot_lr_range

WINDOW = 20
N_TRAIN = 1000  # days; the last 461 are test days


def main() -> None:
    """Sweep, train with the two rates that it tells, compare, draw."""
    options = read_options(make_parser(__doc__, "lr_sweep.png"))
    n_lrs, epochs = (11, 2) if options.small else (101, 500)

    y = make_daily_series()
    X_train, y_train = sliding_windows(y[:N_TRAIN], WINDOW)
    X_test, y_test = sliding_windows(y[N_TRAIN - WINDOW :], WINDOW)
    net = slides_net("rnn", hidden_size=40, n_layers=2, loss=HundredfoldHuber, max_epochs=epochs, random_state=0)

    sweep, suggested = net.lr_range_test(X_train, y_train / 100, low=1e-8, high=1e-3, n_lrs=n_lrs, every="epoch")
    lowest = sweep.loc[sweep["loss"].idxmin(), "lr"]
    print(f"The loss of the sweep is lowest at lr {lowest:.1e}; suggested is {suggested:.1e}.\n")

    figure, axes = plt.subplot_mosaic("ab;cc", figsize=(11, 8), layout="constrained")
    axes["c"].plot(y[N_TRAIN:], color="0.7", lw=3, label="truth")
    forecasts = simple_forecasts(y, WINDOW, N_TRAIN)
    for lr, name in ((suggested, "suggested"), (lowest, "lowest loss")):
        trained = clone(net).set_params(lr=lr).fit(X_train, y_train / 100)
        name = f"SimpleRNN 40+40, lr {lr:.1e} ({name})"
        forecasts[name] = 100 * trained.predict(X_test)
        axes["b"].plot(trained.history_["epoch"], 100 * trained.history_["train_mae"], lw=1, label=name)
        axes["c"].plot(y.index[N_TRAIN:], forecasts[name], lw=1, label=name)
    print_errors(f"Mean absolute error of the next day on {len(y_test)} test days:", y_test, forecasts)

    plot_lr_range(sweep, suggested=suggested, ax=axes["a"]).set(title="The sweep", ylabel="Huber loss", ylim=(0, 40))
    axes["b"].set(title="Training days", xlabel="epoch", ylabel="mean absolute error", ylim=(0, 15))
    axes["c"].set(title="Test days")
    axes["b"].legend()
    axes["c"].legend()
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
