"""RNNRegressor: sequences to numbers."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight
from torch import nn

from skrnn._estimator import Labelled, RecurrentEstimator
from skrnn._holdout import check_validation
from skrnn._optimizer import OPTIMIZERS, SCHEDULES
from skrnn._parameters import check_bool, check_float, check_int, check_option
from skrnn._targets import UNKNOWN, Targets, check_y, copied_channel, explicit_targets, future_of_series
from skrnn._validation import Sequences
from skrnn.metrics import r2_score
from skrnn.nn._losses import LOSSES
from skrnn.nn._models import SequenceToVector
from skrnn.nn._recurrent import CELLS


class RNNRegressor(RegressorMixin, RecurrentEstimator):
    """DOC"""

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 32,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        horizon: int | None = None,
        target_channels: Any = None,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
        loss: str = "squared_error",
        optimizer: Any = "adam",
        lr: float = 0.01,
        weight_decay: float = 0.0,
        lr_schedule: str | None = "cosine",
        gradient_clip: float | None = 1.0,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        max_epochs: int = 100,
        max_steps: int | None = None,
        early_stopping: bool | str = "auto",
        validation: Any = "auto",
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        device: str = "cpu",
        dtype: Any = "auto",
        random_state: Any = None,
        verbose: int = 0,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.horizon = horizon
        self.target_channels = target_channels
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.early_stopping = early_stopping
        self.validation = validation
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.net_params = net_params

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None
    ) -> RNNRegressor:
        """Train the net."""
        with self._left_as_it_was():
            self._check_parameters()
            data = self._labelled(X, y, sample_weight, reset=True)
            held_out = self._check_validation_set(X_val, y_val)
            self._warn_of_idle_parameters(data, held_out)
            self._fit_net(data, held_out, scale_targets=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict one row per row of X."""
        sequences = self._checked_for_prediction(X)
        values = self._raw_predict(sequences)  # (n_samples, n_columns)
        return values.reshape(len(values), *self._target_shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² over all known targets."""
        truth = self._align_targets(X, y)
        return r2_score(truth, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _align_targets(self, X: Any, y: Any) -> np.ndarray:
        """y in the shape of `predict(X)`, NaN where a target is unknown; scorers of skrnn.metrics ask for it."""
        sequences = self._checked_for_prediction(X)
        y = check_y(y, len(sequences), type(self).__name__)
        if self.horizon is None:
            return y
        targets = future_of_series(y, sequences, self.horizon, None, may_be_unknown=True)
        return targets.values.reshape(len(y), *targets.shape)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _labelled(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Labelled:
        """Checked sequences, targets and weights; `reset` records what `predict` will need of them."""
        sequences = self._check_X(X, reset=reset)
        y = check_y(y, len(sequences), type(self).__name__)
        targets = self._targets(y, sequences)
        if reset:
            self._target_shape = targets.shape
            n_outputs = 1 if y.ndim == 1 else y.shape[-1]
            outputs = targets.channels[-n_outputs:]
            self.target_channels_ = None if (outputs == UNKNOWN).all() else outputs
        elif targets.shape != self._target_shape:
            raise ValueError(f"y_val has rows of shape {targets.shape}, but those of y have {self._target_shape}.")
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return Labelled(sequences, targets, sample_weight)

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        named = self._resolve_target_channels()
        if self.horizon is not None:
            return future_of_series(y, sequences, self.horizon, named)
        copied = copied_channel(y, sequences)
        if copied is not None:
            warnings.warn(
                f"y equals channel {copied} of X at the last step of each window, so the net can copy its input and "
                "learns no forecast. To forecast the next value set horizon=1 (y stays the series), or pass "
                "future_targets(y, 1) as y.",
                UserWarning,
                stacklevel=4,
            )
        return explicit_targets(y, sequences, named)

    def _check_validation_set(self, X_val: Any, y_val: Any) -> Labelled | None:
        if (X_val is None) != (y_val is None):
            raise ValueError(
                "X_val and y_val go together, but only one of them was given. In a Pipeline X_val reaches this step "
                "through Pipeline(..., transform_input=['X_val']); the docstring of RNNRegressor shows the recipe."
            )
        if X_val is None:
            return None
        return self._labelled(X_val, y_val, None, reset=False)

    # -- parameters ------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        """Raise ValueError for the first parameter that is not what it must be."""
        check_option("cell", self.cell, tuple(CELLS))
        for name in ("hidden_size", "n_layers", "max_epochs", "n_iter_no_change"):
            check_int(name, getattr(self, name), low=1)
        for name in ("horizon", "n_channels", "max_steps"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), low=1)
        for name in ("bidirectional", "standardize", "shuffle", "warm_start"):
            check_bool(name, getattr(self, name))
        check_float("dropout", self.dropout, low=0, high=1, open_high=True)
        check_float("lr", self.lr, low=0, open_low=True)
        check_float("weight_decay", self.weight_decay, low=0)
        check_int("verbose", int(self.verbose), low=0)
        if self.gradient_clip is not None:
            check_float("gradient_clip", self.gradient_clip, low=0, open_low=True)
        if self.batch_size != "auto":
            check_int("batch_size", self.batch_size, low=1)
        check_option("window_scaling", self.window_scaling, ("auto", None, "last", "standard", "last_standard"))
        check_option("loss", self.loss, tuple(LOSSES))
        check_option("lr_schedule", self.lr_schedule, (*SCHEDULES, None))
        check_option("early_stopping", self.early_stopping, ("auto", True, False))
        check_validation(self.validation)
        if not (inspect.isclass(self.optimizer) and issubclass(self.optimizer, torch.optim.Optimizer)):
            check_option("optimizer", self.optimizer, tuple(OPTIMIZERS), also=", or a torch optimizer class")

    def _warn_of_idle_parameters(self, data: Labelled, held_out: Labelled | None) -> None:
        """Warn of parameters that were set but do nothing here."""
        if self.dropout and self.n_layers == 1:
            warnings.warn(
                f"dropout={self.dropout} acts between layers, and n_layers=1 has no such place. Set n_layers=2 or more, "
                "or dropout=0.",
                UserWarning,
                stacklevel=3,
            )
        if self.lr_schedule == "plateau" and held_out is None and not self._holds_out(len(data.learning_rows())):
            warnings.warn(
                "lr_schedule='plateau' has no validation loss to watch, so it watches the training loss. Set "
                "early_stopping=True, or pass X_val and y_val.",
                UserWarning,
                stacklevel=3,
            )

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[nn.Module], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout")
        return SequenceToVector, {name: getattr(self, name) for name in names}

    def _loss_class(self) -> type[nn.Module]:
        return LOSSES[self.loss]
