"""What all estimators with a net share before they train: the machine, the tensors, the nets."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from skrnn._batches import (
    MOST_STEPS,
    TORCH_DTYPES,
    BatchIterator,
    SequenceDataset,
    embedding_sizes,
    embedding_tables,
    standardized_base,
)
from skrnn._labelled import Labelled
from skrnn._loss_check import check_loss_of
from skrnn._net import RecurrentNet
from skrnn._net_params import check_net_params
from skrnn._optimizer import ANNEALED, OPTIMIZERS, optimizer_args
from skrnn._predicting_estimator import PredictingEstimator
from skrnn._prediction import rows_at_once
from skrnn._runtime import home_of_data, resolve_device, resolve_dtype, seeded_initialisation, torch_threads
from skrnn.callbacks import BestWeights, ProgressBar
from skrnn.nn._compiled import has_kernels
from skrnn.nn._direct import ready

LARGEST_SEED = 2**31 - 1


class BuildingEstimator(PredictingEstimator):
    """Abstract: an estimator that makes its nets, and the tensors that they train on, for the machine that it is on.

    A subclass defines `__init__` with every parameter written out, `_module` and `_criterion`.
    """

    cell: str

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _module(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """The module class and the arguments that come from this estimator's parameters."""
        raise NotImplementedError

    def _criterion(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """The loss, called with `reduction="none"`, and its other arguments."""
        raise NotImplementedError

    def _teacher_forcing(self) -> dict[str, Any]:
        """How often a decoder is fed its targets in training, as arguments of `RecurrentNet`."""
        return {}

    def _n_outputs_of_net(self, train: Labelled) -> int:
        """Outputs of the module; a classifier has more than columns of targets."""
        return train.targets.values.shape[-1]

    def _for_loss(self, data: Labelled) -> dict[str, np.ndarray]:
        """What the loss is given beside predictions and targets: arrays (n_samples, n_columns) by argument."""
        return {}

    # -- the machine, the tensors ----------------------------------------------------------------------------------

    def _resolve_machine(self, n_rows: int) -> None:
        """Decide the device and the precision for so many training rows."""
        self.device_ = resolve_device(self.device)
        one_batch = n_rows <= self._resolve_batch_size(n_rows)
        in_kernels = self.kernel == "fused"  # which are for float32
        self.dtype_ = resolve_dtype(self.dtype, device=self.device_, one_batch=one_batch and not in_kernels)

    def _resolve_batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return n_rows if n_rows <= 32 else min(max(n_rows // 16, 16), 128)
        return int(self.batch_size)

    def _datasets(self, train: Labelled, valid: Labelled | None) -> tuple[SequenceDataset, SequenceDataset | None]:
        """The training and the validation set as tensors; they share one standardised base where they can."""
        home = self._home(train, valid)
        base = standardized_base(train.sequences, self._scaling.inputs, self.dtype_, home)
        first = self._dataset(train, base)
        if valid is None:
            return first, None
        if valid.sequences.base is not train.sequences.base:
            base = standardized_base(valid.sequences, self._scaling.inputs, self.dtype_, home)
        return first, self._dataset(valid, base)

    def _home(self, train: Labelled, valid: Labelled | None) -> str:
        """Where the tensors of both sets live."""
        parts = [train] if valid is None else [train, valid]
        bases = {id(data.sequences.base): data.sequences.base.size for data in parts}
        n_values = sum(bases.values()) + sum(2 * data.targets.values.size for data in parts)  # targets have weights
        return home_of_data(n_values * self.dtype_.itemsize, self.device_)

    def _dataset(self, data: Labelled, base: torch.Tensor) -> SequenceDataset:
        return SequenceDataset(
            base,
            data.sequences,
            self._scaling.inputs,
            *self._scaling.scaled_targets(data),
            self._for_loss(data),
            TORCH_DTYPES[self.dtype_],
            self.device_,
        )

    # -- the net ---------------------------------------------------------------------------------------------------

    def _architecture(self) -> dict[str, Any]:
        """The parameters that a net has for life."""
        criterion, criterion_args = self._criterion()
        names = ("n_nets", "optimizer", "weight_decay", "amp", "device", "dtype", "net_params")
        given = {name: getattr(self, name) for name in names}
        return {"loss": criterion, **criterion_args, **self._module()[1], **given, "tokens": self._token_fingerprint}

    def _new_net(
        self,
        train: Labelled,
        datasets: tuple[SequenceDataset, SequenceDataset | None],
        number: int,
        rng: np.random.RandomState,
    ) -> RecurrentNet:
        """A skorch net with its initial weights, for a training and a validation set; `number` counts an ensemble's."""
        valid = datasets[1]
        self._made_with = self._architecture()
        module, module_args = self._module()
        tokens = train.sequences.tokens
        if tokens is not None:
            module_args["embedding"] = embedding_sizes(tokens)
        criterion, criterion_args = self._criterion()
        optimizer: Any = OPTIMIZERS.get(self.optimizer, self.optimizer)
        parts: dict[str, Any] = {"optimizer": optimizer, "module": module, "criterion": criterion}
        parts |= {"iterator_train": BatchIterator, "iterator_valid": BatchIterator}
        extra = check_net_params(self.net_params, parts)
        says = number == 0 and bool(self.verbose)
        module_args["kernel"] = self._kernel_here(bool(extra.get("compile")), says=says)
        extra |= optimizer_args(optimizer, extra, self.weight_decay, on_cpu=self.device_ == "cpu")
        extra |= {f"module__{name}": value for name, value in module_args.items()}
        extra |= {f"criterion__{name}": value for name, value in criterion_args.items()}
        n_rows = rows_at_once(self.hidden_size, train.sequences.n_steps)
        extra = {"iterator_valid__batch_size": n_rows, "iterator_valid__most_steps": MOST_STEPS} | extra
        given = extra.pop("callbacks", None)
        judged = valid is not None and bool(self.early_stopping)
        net = RecurrentNet(
            module,
            criterion,
            criterion__reduction="none",
            optimizer=optimizer,
            lr=self.lr,
            max_epochs=self.max_epochs,
            max_steps=self.max_steps,
            batch_size=self._resolve_batch_size(len(train.sequences)),
            iterator_train__shuffle=self.shuffle,
            iterator_train__generator=torch.Generator().manual_seed(int(rng.randint(LARGEST_SEED))),
            gradient_clip=self.gradient_clip,
            lr_schedule=self.lr_schedule,
            # groups of parameters go by their names, and optimizers of a user's own may go by their shapes
            flat=self.optimizer in OPTIMIZERS and "optimizer__param_groups" not in extra,
            valid_dataset=valid,
            validate_every=self.validate_every,
            amp=self.amp if self.device_ != "cpu" and self.dtype_ == np.float32 else None,
            average_weights=judged,
            **self._teacher_forcing(),
            callbacks=[*self._callbacks(valid is not None, judged, number), *(given or [])],
            device=self.device_,
            verbose=0,
            module__n_channels=train.sequences.n_channels,
            module__n_outputs=self._n_outputs_of_net(train),
            module__seed=int(rng.randint(LARGEST_SEED)),
            module__dtype=TORCH_DTYPES[self.dtype_],
            **extra,
        )
        # one thread, since orthogonal matrices of many are other ones in their last digits
        with seeded_initialisation(int(rng.randint(LARGEST_SEED))), torch_threads(1):
            net.initialize()
        if tokens is not None:
            net.module_.embedding.load(*embedding_tables(tokens))
        check_loss_of(net, datasets[0])
        return net

    def _kernel_here(self, compiles: bool, *, says: bool) -> str:
        """What runs the recurrent layers on this machine; `says` reports where kernels could have, but do not.

        Raises
        ------
        RuntimeError
            Kernels that were asked for by name cannot be compiled.
        """
        kernel = "torch" if compiles else self.kernel  # a GPU runs cuDNN's; a net of one may be unpickled without
        if says and self.kernel != "torch":
            if compiles:
                print("compile=True compiles torch's own layers, so kernel='torch' runs.", file=sys.stderr)
            elif reason := self._why_no_kernels():
                loops = self.device_ == "cpu" and self.cell != "lstm"
                runs = "loops of torch operations" if loops else "torch's own layers"
                print(f"kernel={self.kernel!r}: {reason}, so no compiled kernels; {runs} run.", file=sys.stderr)
        if kernel == "fused" and not self._why_no_kernels():
            ready(required=True)
        return kernel

    def _why_no_kernels(self) -> str:
        """Why this machine, with the device and the precision decided, runs no compiled kernels; "" where it does."""
        if self.device_ != "cpu":
            return f"the device is {self.device_}"
        if self.dtype_ != np.float32:
            if str(self.dtype) == "auto":
                return "dtype='auto' is float64 where one batch holds all rows (unless kernel='fused')"
            return f"the precision is {self.dtype_}"
        return "" if has_kernels() else "numba is not installed, does not work here, or finds no folder for its cache"

    def _callbacks(self, validated: bool, judged: bool, number: int) -> list[Any]:
        """skrnn's own callbacks; `judged` says whether the best epoch is kept."""
        patience = None if self.lr_schedule in ANNEALED else self.n_iter_no_change
        monitor = "valid_loss" if validated else "train_loss"
        callbacks: list[Any] = [("best_weights", BestWeights(monitor, judged, patience if judged else None))]
        if self.verbose:
            label = "" if self.n_nets == 1 else f"net {number + 1} of {self.n_nets}"
            callbacks.append(("progress", ProgressBar(label)))
        return callbacks
