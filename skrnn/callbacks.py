"""skorch callbacks of skrnn's own; schedules and the like are skorch's, re-used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from skorch.callbacks import Callback
from tqdm.auto import tqdm


class StopTraining(Exception):
    """Ends the training loop in good order; unlike KeyboardInterrupt it never comes from the user."""


class BestWeights(Callback):
    """Keep the weights of the best epoch, put them back in the end, and stop when nothing gets better.

    Parameters
    ----------
    monitor : {"valid_loss", "train_loss"}
    keep_best : bool
        True restores the best epoch's weights when training ends; False leaves the last epoch's.
    patience : int or None
        Stop after so many epochs without a better loss; None never stops early.

    Notes
    -----
    A loss or a weight that is NaN or infinite always stops the training and restores the best finite epoch.
    """

    def __init__(self, monitor: str = "valid_loss", keep_best: bool = True, patience: int | None = None) -> None:
        self.monitor = monitor
        self.keep_best = keep_best
        self.patience = patience

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.best_loss_ = math.inf
        self.best_epoch_ = 0
        self.best_weights_: list[torch.Tensor] = []
        self.diverged_ = False

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        record = net.history[-1]
        loss, epoch = record.get(self.monitor, record["train_loss"]), record["epoch"]  # partial_fit validates nothing
        finite = math.isfinite(loss) and math.isfinite(record["train_loss"])
        if not finite or not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
            self.diverged_ = True
            raise StopTraining
        if loss < self.best_loss_ or not self.keep_best:
            self.best_loss_, self.best_epoch_ = loss, epoch
            self.best_weights_ = [p.detach().clone() for p in net.module_.parameters()]
        elif self.patience is not None and epoch - self.best_epoch_ >= self.patience:
            raise StopTraining

    def restore(self, net: Any) -> None:
        """Put the kept weights back; nothing happens when there are none."""
        with torch.no_grad():
            for parameter, best in zip(net.module_.parameters(), self.best_weights_, strict=False):
                parameter.copy_(best)
        self.best_weights_ = []


class ProgressBar(Callback):
    """A tqdm bar over the epochs (or the parts of them after which there is a validation): losses, time left.

    Parameters
    ----------
    label : str
        Stands in front of the bar.
    """

    def __init__(self, label: str = "") -> None:
        self.label = label

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        unit = "epoch" if net.validate_every is None else "validation"
        self.bar_ = tqdm(total=net.n_rounds_, unit=unit, desc=self.label or None, leave=True)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        record = net.history[-1]
        shown = {"loss": f"{record['train_loss']:.4g}"}
        if "valid_loss" in record:
            shown["valid"] = f"{record['valid_loss']:.4g}"
        self.bar_.set_postfix(shown, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.bar_.close()
        del self.bar_  # holds a stream and cannot be pickled


class LRRangeTest(Callback):
    """Train with one learning rate after the other and note the loss of each (Smith 2017, section 3.3).

    Parameters
    ----------
    lrs : sequence of float
        Ascending.
    every : {"batch", "epoch"}
        How long each is used.
    stop_at : float
        Training ends when the smoothed loss is so many times its smallest value.
    smoothing : float
        Weight of the past in the moving average of the losses of batches; those of epochs are not smoothed.

    Attributes
    ----------
    losses_, smoothed_ : list of float
        Training loss with each learning rate as far as it was finite, and its moving average.
    """

    def __init__(
        self, lrs: Sequence[float], every: str = "batch", stop_at: float = 4.0, smoothing: float = 0.9
    ) -> None:
        self.lrs = lrs
        self.every = every
        self.stop_at = stop_at
        self.smoothing = smoothing

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.losses_: list[float] = []
        self.smoothed_: list[float] = []
        self._average = 0.0

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        if self.every == "epoch":
            self._set_lr(net)

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if self.every == "batch":
            self._set_lr(net)

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if self.every == "batch":
            self._note(kwargs["loss"].item())

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        if self.every == "epoch":
            self._note(net.history[-1]["train_loss"])

    def _set_lr(self, net: Any) -> None:
        net.set_lr(self.lrs[len(self.losses_)])

    def _note(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise StopTraining
        self.losses_.append(loss)
        past = self.smoothing if self.every == "batch" else 0.0
        self._average = past * self._average + (1 - past) * loss
        self.smoothed_.append(self._average / (1 - past ** len(self.losses_)))  # corrected for its start at 0
        if len(self.losses_) == len(self.lrs) or self.smoothed_[-1] > self.stop_at * min(self.smoothed_):
            raise StopTraining
