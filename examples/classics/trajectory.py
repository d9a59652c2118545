"""A swinging pendulum, seen by its angle alone: SimpleRNN and LSTM, 20 inputs and 1 target.

    python examples/classics/trajectory.py

400 points of a trajectory give 380 samples of 20 angles and the one that follows. The velocity, without which the
motion cannot be known, is never shown to the nets: they have to build it up in their state. The last part looks into
the LSTM, at its final memory state h and carry state c, and reads the velocity from them.
"""

from __future__ import annotations

import warnings

from _reporting import make_parser, print_errors, read_options, save_picture, simple_forecasts
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from skrnn import RNNRegressor, sliding_windows
from skrnn.datasets import make_pendulum

WINDOW = 20
N_TRAIN = 300  # points; the last 100 are test points


def main() -> None:
    """Train both nets, compare them, look into the LSTM, draw."""
    options = read_options(make_parser(__doc__, "trajectory.png"))
    epochs = 5 if options.small else 400
    warnings.simplefilter("ignore", ConvergenceWarning)  # there is no noise: the loss would fall for ever

    swing = make_pendulum(400)
    X, y = sliding_windows(swing["angle"], window=WINDOW)
    print(f"{len(swing)} points give X {X.shape} and y {y.shape}.")
    n = N_TRAIN - WINDOW  # samples whose target is a training point

    rnn = RNNRegressor("rnn", hidden_size=20, max_epochs=epochs, random_state=0).fit(X[:n], y[:n])
    lstm = RNNRegressor("lstm", hidden_size=20, max_epochs=epochs, random_state=0).fit(X[:n], y[:n])

    forecasts = simple_forecasts(swing["angle"], WINDOW, N_TRAIN)
    forecasts |= {"SimpleRNN 20": rnn.predict(X[n:]), "LSTM 20": lstm.predict(X[n:])}
    title = f"Mean absolute error of the next angle on {len(y[n:])} test points, in radians:"
    print_errors(title, y[n:], forecasts, decimals=4)

    h, c = lstm.encode(X)  # after the last of the 20 angles
    velocity = swing["velocity"].to_numpy()[WINDOW - 1 : -1]  # at that angle; no net has seen it
    reader = LinearRegression().fit(c[:n], velocity[:n])
    print(f"\nFinal memory state h {h.shape}, carry state c {c.shape} of the LSTM.")
    print(f"The unseen velocity, read from c by a linear regression: R2 {reader.score(c[n:], velocity[n:]):.3f}.")

    figure, (above, middle, below) = plt.subplots(3, figsize=(12, 9), sharex=True, layout="constrained")
    time = swing.index[N_TRAIN:]
    above.plot(time, y[n:], color="0.3", lw=3, label="truth")
    above.plot(time, forecasts["SimpleRNN 20"], "--", label="SimpleRNN 20")
    above.plot(time, forecasts["LSTM 20"], ":", lw=2, label="LSTM 20")
    above.set(title="The next angle, forecast from 20 angles", ylabel="angle (rad)")
    middle.plot(time, c[n:], lw=1)
    middle.set(title="Carry state c of the LSTM, one line a unit", ylabel="c")
    below.plot(time, velocity[n:], color="0.3", lw=3, label="truth, never shown to the net")
    below.plot(time, reader.predict(c[n:]), "--", label="read from c")
    below.set(title="The velocity", ylabel="velocity (rad/s)", xlabel="time (s)")
    above.legend(loc="upper left", bbox_to_anchor=(1, 1))
    below.legend(loc="upper left", bbox_to_anchor=(1, 1))
    save_picture(figure, options.picture)


if __name__ == "__main__":
    main()
