"""The skorch net: batches with lengths, weights and unknown targets; a lean loop; flat parameters."""

from __future__ import annotations

import copy
import io
import math
import time
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.utils import get_map_location
from torch import Tensor

from skrnn._batches import BatchIterator, Inputs, SequenceDataset
from skrnn._epoch_sums import EpochSums
from skrnn._optimizer import FlatParameters, WeightAverage, clear_gradients, clip_gradient, make_schedule
from skrnn._runtime import mixed_precision
from skrnn._teacher_forcing import forcing_ratio
from skrnn.callbacks import StopTraining
from skrnn.nn._direct import DirectStep, is_plain, ready, uses_kernels
from skrnn.nn._warm_memory import release_memory

BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class RecurrentNet(NeuralNet):
    """A skorch net over `SequenceDataset`s.

    It differs from skorch's own in four ways: the loss weighs each target, history is written once an epoch unless a
    callback listens to batches, the optimizer sees one flat vector of parameters on the CPU, and an interrupt is
    raised again instead of swallowed.

    Parameters
    ----------
    gradient_clip : float or None
        Largest joint norm of the gradients.
    max_steps : int or None
        Training ends after so many batches, wherever in an epoch.
    lr_schedule : str or None
        A name of `skrnn._optimizer.SCHEDULES`, or "plateau".
    flat : bool
        One flat parameter vector. False for optimizers that treat each tensor by its shape.
    valid_dataset : SequenceDataset or None
        Judged after every epoch; dropped when training ends.
    validate_every : int or None
        Batches between two validations. Each such part then stands where skorch has an epoch, with a row in history.
    teacher_forcing : float, str or None
        How often the module is fed its targets in training (see `forcing_ratio`). None: it takes no targets.
    forcing_ends : bool
        Whether that ends before the training does.
    amp : {"bf16"} or None
        In which precision the module computes where that is safe (`mixed_precision`); what it gives is float32.
    average_weights : bool
        Judge a moving average of the weights in place of the weights; callbacks at the end of an epoch see it too.
    **kwargs
        skorch's own.

    Attributes
    ----------
    n_steps_ : int
        Batches trained on so far in this fit.
    n_batches_ : int
        Batches in one pass over the rows.
    n_rounds_ : int
        How many times there will be a row in history: epochs, or parts of `validate_every` batches.
    """

    def __init__(
        self,
        *args: Any,
        gradient_clip: float | None = None,
        max_steps: int | None = None,
        lr_schedule: str | None = None,
        flat: bool = True,
        valid_dataset: SequenceDataset | None = None,
        validate_every: int | None = None,
        amp: str | None = None,
        average_weights: bool = False,
        teacher_forcing: float | str | None = None,
        forcing_ends: bool = False,
        iterator_train: type = BatchIterator,
        iterator_valid: type = BatchIterator,
        train_split: Any = None,
        **kwargs: Any,
    ) -> None:
        self.gradient_clip = gradient_clip
        self.max_steps = max_steps
        self.lr_schedule = lr_schedule
        self.flat = flat
        self.valid_dataset = valid_dataset
        self.validate_every = validate_every
        self.amp = amp
        self.average_weights = average_weights
        self.teacher_forcing = teacher_forcing
        self.forcing_ends = forcing_ends
        self._lowest: dict[str, float] = {}  # loss, in training and validation
        self._direct: DirectStep | None = None
        super().__init__(
            *args,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            train_split=train_split,
            **kwargs,
        )

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return []  # seconds and losses are written by run_single_epoch

    def callback(self, name: str) -> Any:
        """The callback of that name."""
        return dict(self.callbacks_)[name]

    def train(self, dataset: SequenceDataset, *, passes: int | None = None) -> None:
        """Train for `max_epochs` epochs or until a callback raises StopTraining; KeyboardInterrupt passes through.

        skorch's `fit` swallows an interrupt, so that a search would go on with the next candidate.

        Parameters
        ----------
        dataset : SequenceDataset
        passes : int or None
            So many plain passes over the rows, going on with the state of the optimizer: the learning rate is
            `lr`, and neither schedule, budget, averaging nor validation apply.
        """
        self.n_steps_ = 0
        self.n_batches_ = -(-len(dataset) // self.batch_size)
        total = self.n_batches_ * (self.max_epochs if passes is None else passes)
        if passes is None and self.max_steps is not None:
            total = min(total, self.max_steps)
        self._total_steps = total
        self._plain = passes is not None
        whole = self._plain or self.validate_every is None
        self._per_round = self.n_batches_ if whole else self.validate_every
        self.n_rounds_ = -(-total // self._per_round)
        if passes is not None:
            self._resume_optimizer()
        self._schedule = make_schedule(self.lr_schedule if passes is None else None, self.optimizer_, total)
        parameters = [parameter for _, parameter in self.get_all_learnable_params()]
        self._average = WeightAverage(parameters) if self.average_weights and passes is None else None
        self.notify("on_train_begin", X=dataset, y=None)
        try:
            self.fit_loop(dataset, epochs=self.n_rounds_)
        except StopTraining:
            pass
        finally:
            try:
                self.notify("on_train_end", X=dataset, y=None)
            finally:
                self.valid_dataset = self._schedule = self._average = self._direct = None
                release_memory()
                self.release_parameters()

    def _direct_step(self) -> DirectStep | None:
        """What computes the gradients of a net that needs no autograd engine; callbacks may change that."""
        flat = getattr(self, "_flat_parameters", None)
        if flat is None or not is_plain(self.module_, self.criterion_):
            return None
        made_of, former = (self.module_, self.criterion_, flat.parameter, self.gradient_clip), self._direct
        if former is not None and all(one is other for one, other in zip(former.made_of, made_of, strict=True)):
            return former
        return DirectStep(*made_of)

    def _resume_optimizer(self) -> None:
        """Give the optimizer the module's parameters again, with the moments that it had and the first lr."""
        state = self.optimizer_.state_dict()
        self.initialize_optimizer()
        self.optimizer_.load_state_dict(state)
        self.set_lr(self.lr)

    def set_lr(self, lr: float) -> None:
        """Give every group of parameters this learning rate, times its share where groups have rates of their own."""
        for group, share in zip(self.optimizer_.param_groups, self._lr_shares, strict=True):
            group["lr"] = lr * share

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call every callback; skorch's own callbacks ask for a stop by raising KeyboardInterrupt, ours do not."""
        getattr(self, method_name)(self, **kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt:
                if type(callback).__module__.startswith("skrnn."):
                    raise
                raise StopTraining from None
        if method_name == "on_epoch_end":
            if self.lr_schedule == "plateau" and self._schedule is not None:
                record = self.history[-1]
                self._schedule.step(record.get("valid_loss", record["train_loss"]))

    # -- states; what training changes -------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """A copy of weights, optimizer and generators, and the length of the history: what `set_state` goes back to."""
        copied = {"weights": self.module_.state_dict(), "optimizer": self.optimizer_.state_dict()}
        drawn = [generator.get_state() for generator in self._generators()]
        return {**copy.deepcopy(copied), "drawn": drawn, "n_rows": len(self.history), "lowest": dict(self._lowest)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a former state."""
        self.module_.load_state_dict(state["weights"])
        self.optimizer_.load_state_dict(state["optimizer"])
        for generator, drawn in zip(self._generators(), state["drawn"], strict=True):
            generator.set_state(drawn)
        self._lowest = dict(state["lowest"])
        del self.history[state["n_rows"] :]

    def _generators(self) -> list[torch.Generator]:
        """What draws the order of the rows, the dropout masks and the coins of teacher forcing."""
        drawn = [getattr(part, "generator", None) for part in self.module_.modules()]
        return [self.iterator_train__generator, *(one for one in drawn if isinstance(one, torch.Generator))]

    # -- copies and pickles; skorch 1.1 writes what torch from 2.6 on refuses to read ------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_direct": None}  # a copy made while it trains goes its own way
        prefixes = tuple(self.cuda_dependent_attributes_)
        on_device = {key: state.pop(key) for key in list(state) if key.startswith(prefixes)}
        file = io.BytesIO()
        torch.save(on_device, file)
        return state | {"on_device": file.getvalue()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        location = get_map_location(state["device"])  # the CPU, where the GPU of the fit is not to be had
        device = self._check_device(state["device"], location)
        state["flat"] = state["flat"] and device == state["device"]  # the optimizer has its state for each parameter
        state["amp"] = state["amp"] if device == state["device"] else None
        state["device"] = device
        state |= torch.load(io.BytesIO(state.pop("on_device")), map_location=location, weights_only=False)
        self.__dict__.update(state)

    # -- data ------------------------------------------------------------------------------------------------------

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return X, self.valid_dataset

    def get_iterator(self, dataset: SequenceDataset, training: bool = False) -> Any:
        iterator = super().get_iterator(dataset, training=training)
        if training and self.validate_every is not None:
            iterator.n_batches = self._per_round
        return iterator

    # -- optimisation ----------------------------------------------------------------------------------------------

    def get_all_learnable_params(self) -> Any:
        """The flat vector as one parameter while training on the CPU, else every parameter by its name."""
        flat = getattr(self, "_flat_parameters", None)
        if flat is not None:
            yield "flat", flat.parameter
        else:
            yield from super().get_all_learnable_params()

    def initialize_module(self) -> Any:
        super().initialize_module()
        if uses_kernels(self.module_):
            ready()  # before any epoch is timed
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> Any:
        with self._current_init_context("optimizer"):
            if self.flat and self.device == "cpu":
                self._flat_parameters: FlatParameters | None = FlatParameters(self.module_)
            super().initialize_optimizer(triggered_directly)
        self._lr_shares = [group["lr"] / self.lr for group in self.optimizer_.param_groups]
        return self

    def release_parameters(self) -> None:
        """Give the module's parameters memory of their own again, so that the net pickles like any other."""
        flat = getattr(self, "_flat_parameters", None)
        if flat is not None:
            flat.release()
            self._flat_parameters = None

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """One update. Optimizers that evaluate the loss several times (LBFGS) get a closure."""
        parameters = [parameter for _, parameter in self.get_all_learnable_params()]
        steps: list[dict[str, Tensor]] = []

        def closure() -> Tensor:
            clear_gradients(parameters)
            steps.append(self.train_step_single(batch, **fit_params))
            if self._listens["on_grad_computed"]:
                named = list(self.get_all_learnable_params())
                self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
            if self.gradient_clip is not None:
                clip_gradient(parameters, self.gradient_clip)
            return steps[-1]["loss"]

        self._step_optimizer(closure)
        self._after_update()
        return steps[0]

    def _update_directly(self, direct: DirectStep, inputs: Inputs, targets: Tensor) -> tuple[Any, Any, Any]:
        """The same for a net that `direct` takes: the loss, and what `summed_error` gives."""
        judged = direct(inputs["x"], inputs["lengths"], targets, inputs["weights"], inputs["units"])
        self.optimizer_.step()
        self._after_update()
        return judged

    def _after_update(self) -> None:
        if self._schedule is not None and self.lr_schedule != "plateau":
            self._schedule.step()
        if self._average is not None:
            self._average.update()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Prediction, loss and gradients of one batch; the module is in training mode since the epoch began."""
        inputs, targets = batch
        y_pred = self.infer(inputs, **self._teaching(inputs, targets))
        loss = self.get_loss(y_pred, targets, X=inputs, training=True)
        loss.backward()
        return {"loss": loss, "y_pred": y_pred}

    def _teaching(self, inputs: Inputs, targets: Tensor) -> dict[str, Any]:
        """What a module with teacher forcing is given in training: its targets (NaN where unknown) and how often."""
        if self.teacher_forcing is None:
            return {}
        weights = inputs["weights"]
        known = targets if weights is None else targets.masked_fill(weights == 0, torch.nan)
        # plain passes have no end that they know of: decays are at theirs
        progress = 1.0 if self._plain else self.n_steps_ / max(1, self._total_steps)
        ratio = forcing_ratio(self.teacher_forcing, progress, ends=self.forcing_ends)
        return {"targets": known, "teacher_forcing": ratio}

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Prediction and loss of one batch, without gradients."""
        inputs, targets = batch
        with torch.no_grad():
            y_pred = self.infer(inputs)
            return {"loss": self.get_loss(y_pred, targets, X=inputs), "y_pred": y_pred}

    def infer(self, x: Inputs, **fit_params: Any) -> Tensor:
        """The module's output for a batch of `SequenceDataset`, whose tensors are on the device already."""
        with mixed_precision(self.amp, self.device):
            outputs = self.module_(x["x"], x["lengths"], **fit_params)
        return outputs if self.amp is None else outputs.float()

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False) -> Tensor:
        """Mean over the batch of weight times loss; the weights of a row are 1 in all, on average over the rows."""
        if self.weighs:
            return self.criterion_(y_pred, y_true, X["weights"]).sum() / len(y_true)
        loss = self.criterion_(y_pred, y_true, **X.get("loss", {}))  # (batch, [steps,] n_columns)
        return loss.mean() if X["weights"] is None else (loss * X["weights"]).sum() / len(loss)

    def point_forecast(self, y_pred: Tensor) -> Tensor:
        """One number for each target: of quantiles the one nearest to the median, of a distribution its location."""
        return self.criterion_.point(y_pred) if hasattr(self.criterion_, "point") else y_pred

    @property
    def weighs(self) -> bool:
        """Whether the loss is given the weights, since it is no sum over targets that are independent."""
        return getattr(self.criterion_, "weighs", False)

    @property
    def measure(self) -> str:
        """What stands in history beside the loss: "mae" in the target's units, or "accuracy" for classes."""
        return getattr(self.criterion_, "measure", "mae")

    def summed_error(self, y_pred: Tensor, inputs: Inputs, values: Tensor) -> tuple[Tensor, Tensor | float]:
        """Absolute errors of a batch in the user's units (for classes how many are wrong) and their weights, summed."""
        error, weights, units = (self.point_forecast(y_pred) - values).abs(), inputs["weights"], inputs["units"]
        if self.measure == "accuracy":
            error = (error > 0).to(error.dtype)
        elif units is not None:
            error = error * units
        if weights is None:
            return error.sum(), float(error.numel())
        return (error * weights).sum(), weights.sum()

    # -- the loop --------------------------------------------------------------------------------------------------

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """One pass over the data: losses and errors go into history once."""
        if iterator is None:
            return
        self._listens = {event: self._has_listener(event) for event in BATCH_EVENTS}
        self._listens["on_batch_begin"] |= self._listens["on_batch_end"]  # it opens the batch's row in history
        if self._average is not None:
            self._average.swap(averaged=not training)
        self._set_training(training)
        if training:
            self._direct = None if any(self._listens.values()) else self._direct_step()
        direct = self._direct if training else None
        begin = time.perf_counter()
        sums = EpochSums()
        for batch in iterator:
            if training and self.n_steps_ >= self._total_steps:
                break
            if self._listens["on_batch_begin"]:
                self.notify("on_batch_begin", batch=batch, training=training)
            if direct is not None:
                loss, error, weight = self._update_directly(direct, *batch)
            else:
                step = step_fn(batch, **fit_params)
                loss = step["loss"].detach()
                error, weight = self.summed_error(step["y_pred"].detach(), *batch)
            sums.add(len(batch[1]), loss, error, weight)
            if training:
                self.n_steps_ += 1
            if self._listens["on_batch_end"]:
                self.history.record_batch(prefix + "_loss", loss.item())
                self.history.record_batch(prefix + "_batch_size", len(batch[1]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        if not self.history[-1]["batches"]:
            self.history.new_batch()  # skorch's callbacks look for a last batch
        mean_loss, mean_error = sums.means()
        self.history.record(prefix + "_loss", mean_loss)
        best = self._lowest.get(prefix, math.inf)
        self.history.record(prefix + "_loss_best", not mean_loss >= best)  # what skorch's Checkpoint asks for
        self._lowest[prefix] = min(best, mean_loss)
        measure = self.measure
        self.history.record(f"{prefix}_{measure}", 1 - mean_error if measure == "accuracy" else mean_error)
        self.history.record(prefix + "_seconds", time.perf_counter() - begin)
        if training:
            self.history.record("share", len(sums) / self.n_batches_)  # of an epoch
            self.history.record("lr", float(self.optimizer_.param_groups[0]["lr"]))

    def _has_listener(self, event: str) -> bool:
        """Whether any callback, or a subclass of this net, does something on an event of each batch."""
        if getattr(type(self), event) is not getattr(NeuralNet, event):
            return True
        return any(getattr(type(cb), event, None) is not getattr(Callback, event) for _, cb in self.callbacks_)
