"""skorch callbacks of skrnn's own; schedules and the like are skorch's, re-used."""

from __future__ import annotations

import math
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
        loss, epoch = record[self.monitor], record["epoch"]
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
    """A tqdm bar over the epochs: loss, validation loss, time left."""

    def __init__(self, max_epochs: int = 0) -> None:
        self.max_epochs = max_epochs

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=self.max_epochs, unit="epoch", leave=True)

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
