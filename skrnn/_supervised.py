"""What all estimators that learn from X and y share: how a fit goes from checked input to trained nets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skrnn._hyperparameters import warn_of_idle_hyperparameters
from skrnn._inspection import InspectableEstimator
from skrnn._labelled import Labelled
from skrnn._runtime import draw_seed
from skrnn._targets import Targets
from skrnn._validation import Sequences, holds_texts

VALIDATION_RECIPE = (
    "Call sklearn.set_config(enable_metadata_routing=True), give this step .set_fit_request(X_val=True, y_val=True), "
    "build Pipeline([...], transform_input=['X_val']), and pass X_val and y_val to the fit of the pipeline."
)


class SupervisedEstimator(InspectableEstimator):
    """Abstract: the steps of `fit` and `partial_fit`, whatever the targets are.

    Beside what `RecurrentEstimator` asks for, a subclass defines `_check_parameters` and `_checked_targets`, and may
    change what is done to rows with targets (`_prepared`). Its `fit` calls `_train` and `_report`, its `partial_fit`
    `_train_further`, both inside `_left_as_it_was`.
    """

    _scales_targets = True  # whether targets are numbers that are standardised

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        """Raise ValueError for the first parameter that is not what it must be."""
        raise NotImplementedError

    def _checked_targets(self, y: Any, sequences: Sequences, *, reset: bool, name: str) -> Targets:
        """What the nets learn from y (called `name`); `reset` records what `predict` will need of it."""
        raise NotImplementedError

    def _prepared(self, data: Labelled) -> Labelled:
        """Rows with targets as the net is to see them."""
        return data

    def _without_rows_set_aside(self, data: Labelled, rng: np.random.RandomState) -> Labelled:
        """The rows that may train or validate, where others are kept for something else."""
        return data

    def _after_training(self, train: Labelled) -> None:
        """Measure what is only known of trained nets."""

    # -- the steps -------------------------------------------------------------------------------------------------

    def _train(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> None:
        self._check_parameters()
        data = self._labelled(X, y, sample_weight, reset=True)
        held_out = self._check_validation_set(X_val, y_val)
        rng = np.random.RandomState(draw_seed(self.random_state))
        data = self._without_rows_set_aside(data, rng)
        judged = held_out is not None or self._holds_out(len(data.learning_rows()))
        warn_of_idle_hyperparameters(self, judged=judged, given=held_out is not None)
        train, valid = self._split(data, held_out, rng)
        del data  # what belongs to rows without a target is not kept while the net trains
        former = vars(self).get("nets_")
        try:
            self._fit_nets(train, valid, rng, scale_targets=self._scales_targets)
        except KeyboardInterrupt:
            if vars(self).get("nets_") is not former:  # they are kept as far as they got
                self._after_training(train)
            raise
        self._after_training(train)

    def _train_further(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._check_parameters()
        data = self._labelled(X, y, sample_weight, reset=not hasattr(self, "nets_"))
        rng = np.random.RandomState(draw_seed(self.random_state))
        train = data.take(self._learning_rows(data))
        self._train_one_pass(train, rng, scale_targets=self._scales_targets)
        self._after_training(train)

    def _labelled(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, name: str = "y") -> Labelled:
        """Checked sequences, targets and weights."""
        sequences = self._check_X(X, reset=reset)
        targets = self._checked_targets(y, sequences, reset=reset, name=name)
        if reset:
            self._n_steps_seen = sequences.n_steps
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, sequences.last, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return self._prepared(Labelled(sequences, targets, sample_weight))

    def _check_validation_set(self, X_val: Any, y_val: Any) -> Labelled | None:
        if (X_val is None) != (y_val is None):
            raise ValueError(
                "X_val and y_val go together, but only one of them was given. In a Pipeline: " + VALIDATION_RECIPE
            )
        if X_val is None:
            return None
        texts = holds_texts(X_val)
        if texts or (self._layout == "sequences" and getattr(X_val, "ndim", None) == 2):
            got = "texts" if texts else f"a 2-D table of shape {X_val.shape}"
            raise ValueError(
                f"X_val must be sequences (3-D, ragged or tokens) like X, got {got}. In a Pipeline an X_val for this "
                "step has not passed the steps before. " + VALIDATION_RECIPE
            )
        return self._labelled(X_val, y_val, None, reset=False, name="y_val")

    def _check_patch(self, sequences: Sequences) -> None:
        if self.patch_size > sequences.n_steps:
            columns = f" (n_features={self.n_features_in_})" if self._layout == "table" else ""
            raise ValueError(
                f"patch_size={self.patch_size} is longer than the sequences of X, which have {sequences.n_steps} "
                f"step(s){columns}. Take a patch_size of at most that, or a longer window."
            )
