"""What a training leaves to be told: its history as a table, and warnings where it went wrong or ended too early."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
from sklearn.exceptions import ConvergenceWarning

BOOKKEEPING = ("batches", "train_loss_best", "valid_loss_best", "share")  # of no use in the table users see
FALLING = 0.02  # a loss that falls by more than this share over the last tenth of the epochs has not converged


def history_table(net: Any) -> pd.DataFrame:
    """The finished rows of a net's history: see `history_` of `RNNRegressor`."""
    finished = [dict(row) for row in net.history if "train_loss" in row]  # an interrupted epoch has none
    columns = None if finished else ["epoch", "train_loss", f"train_{net.measure}", "train_seconds", "lr"]
    history = pd.DataFrame(finished, columns=columns)
    if net.validate_every is not None and finished:
        history["epoch"] = history["share"].cumsum()
    history = history.drop(columns=list(BOOKKEEPING), errors="ignore")
    if "valid_seconds" in history:
        history["train_seconds"] += history.pop("valid_seconds").fillna(0)  # an interrupt may have cut it off
    return history.rename(columns={"train_seconds": "seconds"})


def warn_of_training(net: Any) -> None:
    """Warn of a training that diverged, or that was cut short while the loss still fell.

    Raises
    ------
    ValueError
        The loss was NaN in the first epoch already.
    """
    keeper = net.callback("best_weights")
    if keeper.diverged_:
        if keeper.best_epoch_ == 0:
            raise ValueError(
                f"The loss became NaN or infinite in the first epoch: there is no good epoch. {lr_advice(net)}"
            )
        epochs = history_table(net)["epoch"].to_numpy()
        warnings.warn(
            f"The loss became NaN or infinite in epoch {epochs[-1]:g}; the weights of epoch "
            f"{epochs[keeper.best_epoch_ - 1]:g} were restored. {lr_advice(net)}",
            ConvergenceWarning,
            stacklevel=4,
        )
    elif net.n_steps_ == net.n_batches_ * net.max_epochs and still_falls(
        [row[keeper.monitor] for row in net.history if keeper.monitor in row]
    ):
        warnings.warn(
            f"The loss still fell when max_epochs={net.max_epochs} was reached. Raise max_epochs, or lr.",
            ConvergenceWarning,
            stacklevel=4,
        )


def lr_advice(net: Any) -> str:
    """What to do about a loss that becomes NaN."""
    clip = "gradient_clip=1.0" if net.gradient_clip is None else f"a gradient_clip below {net.gradient_clip:g}"
    return f"Try a lower lr than {net.lr:g}, or {clip}."


def still_falls(loss: list[float]) -> bool:
    """Whether the best loss of the last tenth of the epochs is clearly below the best one before."""
    n_last = max(1, len(loss) // 10)
    if len(loss) <= n_last:
        return False
    before = min(loss[:-n_last])
    return min(loss[-n_last:]) < before - FALLING * abs(before)
