"""What all estimators with a net share: the one fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from skrnn._building_estimator import BuildingEstimator
from skrnn._holdout import AUTO_FROM, hold_out
from skrnn._labelled import Labelled, Scaling
from skrnn._net import RecurrentNet
from skrnn._net_params import same
from skrnn._runtime import thread_count, torch_threads
from skrnn._threads import net_threads
from skrnn._training_report import history_table, lr_advice, warn_of_training

TINY = 1e-9  # what adding up shares of an epoch may be off by


class RecurrentEstimator(BuildingEstimator):
    """Abstract: an estimator that trains its nets on sequences.

    Beside what `BuildingEstimator` asks for, a subclass defines the public methods; it calls `_fit_nets` once with
    labelled sequences and `_raw_predict` for outputs in the target's units.
    """

    _aligns_targets = False  # whether a target is scaled as the channel that it is the future of, at each step alike
    return_sequences = False  # a parameter of estimators that can have a target for each step

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _idle_parameters(self) -> list[str]:
        """What to say of parameters of the subclass's own that were set but do nothing."""
        return []

    def _classes_of_rows(self, data: Labelled) -> np.ndarray | None:
        """The class of each row (n_samples,), by whose shares random rows are held out; None for other targets."""
        return None

    def _skill(self, valid: Labelled) -> float:
        """1 - error / error of a naive prediction, over the rows that judge."""
        raise NotImplementedError

    # -- fit -------------------------------------------------------------------------------------------------------

    def _fit_nets(
        self, train: Labelled, valid: Labelled | None, rng: np.random.RandomState, *, scale_targets: bool
    ) -> None:
        """Train the nets on labelled sequences and set every fitted attribute.

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
        former = self.nets_ if self.warm_start and hasattr(self, "nets_") else []
        if former:
            self._check_same_tokens(self._made_with["tokens"], refitted=True)
        self._scale(train, scale_targets, keep=bool(former))
        self._resolve_machine(len(train.sequences))
        with torch_threads(thread_count(self.n_threads)):
            datasets = self._datasets(train, valid)
            nets: list[RecurrentNet] = []
            try:
                for number in range(self.n_nets):
                    net = self._new_net(train, datasets, number, rng)
                    if number < len(former):
                        self._continue_from(net, former[number])
                    self.nets_ = nets = [*nets, net]
                    self.net_ = nets[0]
                    try:
                        with net_threads(net.module_, self.n_threads, min(net.batch_size, len(datasets[0]))):
                            net.train(datasets[0])
                    finally:
                        net.callback("best_weights").restore(net)
            finally:
                if len(nets) > 1 and not len(history_table(nets[-1])):
                    self.nets_ = nets[:-1]  # interrupted before its first epoch ended
                if nets:
                    self._set_fitted(valid)

    def _train_one_pass(self, train: Labelled, rng: np.random.RandomState, *, scale_targets: bool) -> None:
        """partial_fit: one pass of every net over labelled sequences, beginning with new nets where there are none."""
        begins = not hasattr(self, "nets_")
        if not begins:
            self._check_same_net()
        self._scale(train, scale_targets, keep=not begins)
        if begins:
            self._resolve_machine(len(train.sequences))
        else:
            self.device_ = self.net_.device  # the CPU, where nets of a GPU were unpickled without one
        with torch_threads(thread_count(self.n_threads)):
            dataset, _ = self._datasets(train, None)
            if begins:
                self.nets_ = [self._new_net(train, (dataset, None), number, rng) for number in range(self.n_nets)]
                self.net_ = self.nets_[0]
            keepers = [net.callback("best_weights") for net in self.nets_]
            with unchanged_on_error(self.nets_) as before:
                for net, keeper, state in zip(self.nets_, keepers, before, strict=True):
                    net.lr, net.gradient_clip = self.lr, self.gradient_clip
                    net.batch_size = self._resolve_batch_size(len(dataset))
                    net.iterator_train__shuffle = self.shuffle
                    with net_threads(net.module_, self.n_threads, min(net.batch_size, len(dataset))):
                        net.train(dataset, passes=1)
                    if keeper.diverged_:
                        net.set_state(state)
                    keeper.best_weights_ = []
                self._set_fitted(None)
        if any(keeper.diverged_ for keeper in keepers):
            message = "The loss became NaN or infinite; the weights before this call were kept."
            warnings.warn(f"{message} {lr_advice(self.net_)}", ConvergenceWarning, stacklevel=4)

    def _check_same_net(self) -> None:
        """Raise ValueError when a parameter of the net has changed since it was made."""
        now = self._architecture()
        changed = [name for name in now if not same(now[name], self._made_with.get(name))]
        if changed:
            name = changed[0]
            raise ValueError(
                f"partial_fit goes on with the nets that it has, but {name} has changed from "
                f"{self._made_with.get(name)!r} to {now[name]!r}. Begin anew with `fit`, or with a clone."
            )

    def _scale(self, train: Labelled, scale_targets: bool, *, keep: bool) -> None:
        """Measure the scaling, or keep the former one where training goes on."""
        channels = train.targets.channels.tolist()
        choices = (self.window_scaling, self.standardize, self.return_sequences, channels)
        if not keep:
            self._scaling = Scaling.fit(
                train,
                window=self.window_scaling,
                standardize=self.standardize,
                scale_targets=scale_targets,
                align=self._aligns_targets,
            )
            self._scaling_choices = choices
        elif choices != self._scaling_choices:
            raise ValueError(
                "The scaling of the former fit is kept, but window_scaling, standardize, return_sequences or the "
                f"channels that y is the future of have changed from {self._scaling_choices} to {choices}. Begin "
                "anew with `fit` and warm_start=False."
            )

    def _split(
        self, data: Labelled, held_out: Labelled | None, rng: np.random.RandomState
    ) -> tuple[Labelled, Labelled | None]:
        """The rows that train and those that judge; `held_out` is a validation set given by the user."""
        known = self._learning_rows(data)
        if held_out is not None:
            if not len(held_out.learning_rows()):
                raise ValueError("y_val holds no known value; give at least one, or leave out X_val and y_val.")
            return data.take(known), held_out.judged_once()
        if not self._holds_out(len(known)):
            return data.take(known), None
        targets = data.targets
        classes = self._classes_of_rows(data)
        train, valid = hold_out(
            data.sequences, known, targets.values, self.validation, targets.reach, rng, classes=classes
        )
        return data.take(train), data.take(valid).judged_once()

    def _learning_rows(self, data: Labelled) -> np.ndarray:
        known = data.learning_rows()
        if not len(known):
            raise ValueError("Every row with a known target has sample weight zero; at least one must weigh more.")
        return known

    def _holds_out(self, n_known: int) -> bool:
        """Whether some of so many labelled rows are held out for validation."""
        return n_known >= AUTO_FROM if self.early_stopping == "auto" else bool(self.early_stopping)

    def _continue_from(self, net: RecurrentNet, former: RecurrentNet) -> None:
        """warm_start: begin with the weights of the former fit."""
        weights = former.module_.state_dict()
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        wanted = {name: tuple(value.shape) for name, value in net.module_.state_dict().items()}
        if shapes != wanted:
            raise ValueError(
                "warm_start=True continues the former fit, so the net must keep its shape (cell, hidden_size, "
                "n_layers, channels of X, columns of y), which has changed. Set warm_start=False to begin anew."
            )
        net.module_.load_state_dict(weights)

    # -- what fit leaves behind ------------------------------------------------------------------------------------

    def _set_fitted(self, valid: Labelled | None) -> None:
        """Set the attributes that describe the training, also when it was interrupted."""
        tables = [history_table(net) for net in self.nets_]
        for number, table in enumerate(tables if self.n_nets > 1 else []):
            table.insert(0, "net", number)
        trained = [table for table in tables if len(table)] or tables[:1]
        self.history_ = pd.concat(trained, ignore_index=True)
        self.n_iter_ = max(int(np.ceil(table["epoch"].max() - TINY)) if len(table) else 0 for table in tables)
        self.skill_ = np.nan if valid is None else self._skill(valid)

    def _report(self) -> None:
        """Warn of a training that diverged, or that was cut short while the loss still fell."""
        for net in self.nets_:
            warn_of_training(net)


@contextmanager
def unchanged_on_error(nets: list[RecurrentNet]) -> Iterator[list[dict[str, Any]]]:
    """Give the states of the nets; whatever goes wrong in the block, an interrupt included, they go back to them."""
    before = [net.state() for net in nets]
    try:
        yield before
    except BaseException:
        for net, state in zip(nets, before, strict=True):
            net.set_state(state)
        raise
