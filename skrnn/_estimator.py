"""What all estimators with a net share: the one fit and the one raw prediction."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skrnn._batches import BatchIterator, SequenceDataset, standardized_base
from skrnn._holdout import AUTO_FROM, hold_out
from skrnn._net import RecurrentNet
from skrnn._net_params import check_net_params, takes_argument
from skrnn._optimizer import FUSED, OPTIMIZERS
from skrnn._runtime import (
    resolve_device,
    resolve_dtype,
    seeded_initialisation,
    thread_count,
    torch_threads,
)
from skrnn._scaling import (
    InputScaling,
    TargetScaling,
    fit_input_scaling,
    fit_target_scaling,
    target_rows,
)
from skrnn._sequence_estimator import SequenceEstimator
from skrnn._targets import UNKNOWN, Targets
from skrnn._validation import Sequences
from skrnn.callbacks import BestWeights, ProgressBar

PREDICTED_AT_ONCE = 1024
BOOKKEEPING = ("train_loss_best", "valid_loss_best")  # for skorch's callbacks, of no use in a table
FALLING = 0.02  # a loss that falls by more than this share over the last tenth of the epochs has not converged
TORCH_DTYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}


@dataclass(frozen=True)
class Labelled:
    """Sequences with what they learn: one row of `targets.values` and one weight per sequence."""

    sequences: Sequences
    targets: Targets
    weight: np.ndarray | None

    def learning_rows(self) -> np.ndarray:
        """The rows that have a known target and a weight above zero, ascending."""
        learns = ~np.isnan(self.targets.values).all(axis=1)
        return np.flatnonzero(learns if self.weight is None else learns & (self.weight > 0))

    def take(self, rows: np.ndarray) -> Labelled:
        """The labelled sequences at `rows`."""
        targets = replace(self.targets, values=self.targets.values[rows])
        return Labelled(self.sequences.take(rows), targets, None if self.weight is None else self.weight[rows])


class RecurrentEstimator(SequenceEstimator):
    """Abstract: an estimator that holds a skorch net as `net_` and trains it on sequences.

    A subclass defines `__init__` with every parameter written out, `_loss_class`, and the public methods; it calls
    `_fit_net` once with labelled sequences and `_raw_predict` for outputs in the target's units.
    """

    net_: RecurrentNet

    # -- fit -------------------------------------------------------------------------------------------------------

    def _fit_net(
        self, train: Labelled, valid: Labelled | None, rng: np.random.RandomState, *, scale_targets: bool
    ) -> None:
        """Train the net on labelled sequences and set every fitted attribute.

        Parameters
        ----------
        train, valid : Labelled
            From `_split`.
        rng : RandomState
            Draws every seed.
        scale_targets : bool
            Whether targets are standardised.

        Raises
        ------
        KeyboardInterrupt
            Raised again after the fitted attributes were set.
        ValueError
            The loss was NaN in the first epoch already.
        """
        self.device_ = resolve_device(self.device)
        batch_size = self._resolve_batch_size(len(train.sequences))
        one_batch = len(train.sequences) <= batch_size
        self.dtype_ = resolve_dtype(self.dtype, device=self.device_, one_batch=one_batch)
        warm = self.warm_start and hasattr(self, "net_")
        choices = (self.window_scaling, self.standardize, train.targets.channels.tolist())
        if not warm:
            self._fit_scaling(train, scale_targets)
            self._scaling_choices = choices
        elif choices != self._scaling_choices:
            raise ValueError(
                "warm_start=True keeps the scaling of the former fit, but window_scaling, standardize or the channels "
                f"that y is the future of have changed from {self._scaling_choices} to {choices}. Set "
                "warm_start=False to begin anew."
            )
        former = self.net_.module_.state_dict() if warm else None
        with torch_threads(thread_count(self.hidden_size)):
            datasets = self._datasets(train, valid)
            net, keeper = self._build_net(train, datasets[1], batch_size, rng)
            with seeded_initialisation(int(rng.randint(2**31 - 1))):
                net.initialize()
            if former is not None:
                self._continue_from(net, former)
            self.net_ = net
            try:
                net.train(datasets[0])
            finally:
                keeper.restore(net)
                self._set_fitted(valid)
        self._report(net, keeper)

    def _split(
        self, data: Labelled, held_out: Labelled | None, rng: np.random.RandomState
    ) -> tuple[Labelled, Labelled | None]:
        """The rows that train and those that judge; `held_out` is a validation set given by the user."""
        known = data.learning_rows()
        if not len(known):
            raise ValueError("Every row with a known target has sample weight zero; at least one must weigh more.")
        if held_out is not None:
            judges = held_out.learning_rows()
            if not len(judges):
                raise ValueError("y_val holds no known value; give at least one, or leave out X_val and y_val.")
            return data.take(known), held_out.take(judges)
        if not self._holds_out(len(known)):
            return data.take(known), None
        targets = data.targets
        train, valid = hold_out(data.sequences, known, targets.values, self.validation, targets.reach, rng)
        return data.take(train), data.take(valid)

    def _holds_out(self, n_known: int) -> bool:
        """Whether some of so many labelled rows are held out for validation."""
        return n_known >= AUTO_FROM if self.early_stopping == "auto" else bool(self.early_stopping)

    def _resolve_batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return n_rows if n_rows <= 32 else min(max(n_rows // 16, 16), 128)
        return int(self.batch_size)

    def _fit_scaling(self, train: Labelled, scale_targets: bool) -> None:
        """Measure mean and scale of inputs and targets on the training rows."""
        channels = train.targets.channels
        followed = np.unique(channels[channels != UNKNOWN])
        window = self.window_scaling
        if window == "auto":
            window = "last" if train.sequences.are_windows and len(followed) else None
        scaled = followed if len(followed) else np.arange(train.sequences.n_channels)
        self._input_scaling: InputScaling = fit_input_scaling(
            train.sequences, train.weight, standardize=self.standardize, window=window, channels=scaled
        )
        self._column_channels = channels
        self._target_scaling: TargetScaling = fit_target_scaling(
            train.targets.values,
            train.weight,
            standardize=self.standardize and scale_targets,
            rows=target_rows(self._input_scaling, train.sequences, channels),
        )
        known = ~np.isnan(train.targets.values)
        total = np.where(known, train.targets.values, 0.0).sum(axis=0)
        self._baseline = total / np.maximum(known.sum(axis=0), 1)  # mean of each column, (n_columns,)

    def _datasets(self, train: Labelled, valid: Labelled | None) -> tuple[SequenceDataset, SequenceDataset | None]:
        """The training and the validation set as tensors; they share one standardised base where they can."""
        base = standardized_base(train.sequences, self._input_scaling, self.dtype_, self.device_)
        first = self._dataset(train, base)
        if valid is None:
            return first, None
        if valid.sequences.base is not train.sequences.base:
            base = standardized_base(valid.sequences, self._input_scaling, self.dtype_, self.device_)
        return first, self._dataset(valid, base)

    def _dataset(self, data: Labelled, base: torch.Tensor) -> SequenceDataset:
        rows = target_rows(self._input_scaling, data.sequences, self._column_channels)
        values = self._target_scaling.scale_targets(data.targets.values, rows)  # (n_samples, n_columns)
        known = ~np.isnan(values)
        weights = None
        if data.weight is not None or not known.all():
            weights = known * (1.0 if data.weight is None else data.weight[:, None])
            weights = weights / weights.mean()
        units = np.abs(self._target_scaling.scale)[None]  # (1, n_columns)
        if rows is not None and (rows[1] != 1).any():
            units = units * rows[1]
        values = np.where(known, values, 0.0)
        return SequenceDataset(base, data.sequences, self._input_scaling, values, weights, units)

    def _build_net(
        self, train: Labelled, valid: SequenceDataset | None, batch_size: int, rng: np.random.RandomState
    ) -> tuple[RecurrentNet, BestWeights]:
        module, module_args = self._module()
        optimizer: Any = OPTIMIZERS.get(self.optimizer, self.optimizer)
        criterion = self._loss_class()
        parts: dict[str, Any] = {"optimizer": optimizer, "module": module, "criterion": criterion}
        parts |= {"iterator_train": BatchIterator, "iterator_valid": BatchIterator}
        extra = check_net_params(self.net_params, parts)
        if self.weight_decay:
            if not takes_argument(optimizer, "weight_decay"):
                raise ValueError(
                    f"{optimizer.__name__} has no weight_decay; set weight_decay=0, got {self.weight_decay}."
                )
            extra["optimizer__weight_decay"] = self.weight_decay
        if optimizer in FUSED and self.device_ == "cpu" and not extra.get("optimizer__foreach"):
            extra.setdefault("optimizer__fused", True)
        # groups of parameters go by their names, and optimizers of a user's own may go by their shapes
        flat = self.optimizer in OPTIMIZERS and "optimizer__param_groups" not in extra
        patience = None if self.lr_schedule in ("cosine", "onecycle") else self.n_iter_no_change
        stops = valid is not None and bool(self.early_stopping)
        keeper = BestWeights("valid_loss" if valid is not None else "train_loss", stops, patience if stops else None)
        callbacks: list[Any] = [("best_weights", keeper)]
        if self.verbose:
            callbacks.append(("progress", ProgressBar(self.max_epochs)))
        extra.setdefault("iterator_valid__batch_size", PREDICTED_AT_ONCE)
        given = extra.pop("callbacks", None)
        callbacks += list(given) if given is not None else []
        net = RecurrentNet(
            module,
            criterion,
            criterion__reduction="none",
            optimizer=optimizer,
            lr=self.lr,
            max_epochs=self.max_epochs,
            max_steps=self.max_steps,
            batch_size=batch_size,
            iterator_train__shuffle=self.shuffle,
            iterator_train__generator=torch.Generator().manual_seed(int(rng.randint(2**31 - 1))),
            gradient_clip=self.gradient_clip,
            lr_schedule=self.lr_schedule,
            flat=flat,
            valid_dataset=valid,
            average_weights=stops,
            callbacks=callbacks,
            device=self.device_,
            verbose=0,
            module__n_channels=train.sequences.n_channels,
            module__n_outputs=train.targets.values.shape[1],
            module__seed=int(rng.randint(2**31 - 1)),
            module__dtype=TORCH_DTYPES[self.dtype_],
            **{f"module__{name}": value for name, value in module_args.items()},
            **extra,
        )
        return net, keeper

    def _module(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """The module class and the arguments that come from this estimator's parameters."""
        raise NotImplementedError

    def _loss_class(self) -> type[nn.Module]:
        """The criterion, called with `reduction="none"`."""
        raise NotImplementedError

    def _continue_from(self, net: RecurrentNet, weights: dict[str, torch.Tensor]) -> None:
        """warm_start: begin with the weights of the former fit."""
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        wanted = {name: tuple(value.shape) for name, value in net.module_.state_dict().items()}
        if shapes != wanted:
            raise ValueError(
                "warm_start=True continues the former fit, so the net must keep its shape (cell, hidden_size, "
                "n_layers, channels of X, columns of y), which has changed. Set warm_start=False to begin anew."
            )
        net.module_.load_state_dict(weights)

    def _set_fitted(self, valid: Labelled | None) -> None:
        """Set the attributes that describe the training, also when it was interrupted."""
        finished = [dict(row) for row in self.net_.history if "train_loss" in row]  # an interrupted epoch has none
        columns = None if finished else ["epoch", "train_loss", "train_mae", "train_seconds", "lr"]
        history = pd.DataFrame(finished, columns=columns).drop(columns=["batches", *BOOKKEEPING], errors="ignore")
        if "valid_seconds" in history:
            history["train_seconds"] += history.pop("valid_seconds").fillna(0)  # an interrupt may have cut it off
        self.history_ = history.rename(columns={"train_seconds": "seconds"})
        self.n_iter_ = len(self.history_)
        self.skill_ = np.nan if valid is None else self._skill(valid)

    def _skill(self, valid: Labelled) -> float:
        """1 - MAE / MAE of persistence (or of the training mean) over the validation rows."""
        truth = valid.targets.values
        known = ~np.isnan(truth)
        error = np.abs(self._raw_predict(valid.sequences) - truth)[known].mean()
        baseline = np.broadcast_to(self._baseline, truth.shape).copy()
        follows = self._column_channels != UNKNOWN
        if follows.any():
            base = valid.sequences.base[valid.sequences.last]  # (n_samples, n_channels)
            baseline[:, follows] = base[:, self._column_channels[follows]]
        reference = np.abs(baseline - truth)[known].mean()
        return float(1 - error / reference) if reference > 0 else np.nan

    def _report(self, net: RecurrentNet, keeper: BestWeights) -> None:
        """Warn of a training that diverged, or that was cut short while the loss still fell."""
        advice = f"Try a lower lr than {self.lr:g}" + (
            f", or a gradient_clip below {self.gradient_clip:g}."
            if self.gradient_clip is not None
            else ", or gradient_clip=1.0."
        )
        if keeper.diverged_:
            if keeper.best_epoch_ == 0:
                raise ValueError(
                    f"The loss became NaN or infinite in the first epoch: there is no good epoch. {advice}"
                )
            message = f"The loss became NaN or infinite in epoch {self.n_iter_}; the weights of epoch "
            warnings.warn(f"{message}{keeper.best_epoch_} were restored. {advice}", ConvergenceWarning, stacklevel=4)
            return
        if self.n_iter_ == self.max_epochs and still_falls(self.history_[keeper.monitor].to_numpy()):
            warnings.warn(
                f"The loss still fell when max_epochs={self.max_epochs} was reached. Raise max_epochs, or lr.",
                ConvergenceWarning,
                stacklevel=4,
            )

    # -- prediction ------------------------------------------------------------------------------------------------

    def _raw_predict(self, sequences: Sequences) -> np.ndarray:
        """Outputs in the target's units, (n_samples, n_columns), float64."""
        with torch_threads(thread_count(self.hidden_size)):
            device = self.net_.device  # the CPU, where a net of a GPU was unpickled without one
            base = standardized_base(sequences, self._input_scaling, self.dtype_, device)
            dataset = SequenceDataset(base, sequences, self._input_scaling)
            module = self.net_.module_.eval()
            outputs = []
            with torch.inference_mode():
                for rows in torch.arange(len(sequences), device=base.device).split(PREDICTED_AT_ONCE):
                    outputs.append(module(**dataset.sequences(rows)).to("cpu", torch.float64).numpy())
        rows_scaling = target_rows(self._input_scaling, sequences, self._column_channels)
        return self._target_scaling.restore(np.concatenate(outputs), rows_scaling)


def still_falls(loss: np.ndarray) -> bool:
    """Whether the best loss of the last tenth of the epochs is clearly below the best one before."""
    n_last = max(1, len(loss) // 10)
    if len(loss) <= n_last:
        return False
    before = loss[:-n_last].min()
    return bool(loss[-n_last:].min() < before - FALLING * abs(before))
