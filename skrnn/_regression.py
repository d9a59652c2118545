"""What estimators that predict numbers share: fit, score, and targets in the form that the user knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight

from skrnn._hyperparameters import warn_of_idle_hyperparameters
from skrnn._inspection import InspectableEstimator
from skrnn._labelled import Labelled
from skrnn._row_map import UNKNOWN
from skrnn._runtime import draw_seed
from skrnn._step_targets import as_passed, check_step_targets, judged_steps
from skrnn._targets import Targets, check_y, future_of_series
from skrnn._validation import Sequences
from skrnn.metrics import r2_score, steps_as_rows

VALIDATION_RECIPE = (
    "Call sklearn.set_config(enable_metadata_routing=True), give this step .set_fit_request(X_val=True, y_val=True), "
    "build Pipeline([...], transform_input=['X_val']), and pass X_val and y_val to the fit of the pipeline."
)


class RegressionEstimator(RegressorMixin, InspectableEstimator):
    """Abstract: `fit`, `partial_fit` and `score` of an estimator whose targets are numbers.

    Beside what `RecurrentEstimator` asks for, a subclass defines `_check_parameters`, `_targets` and `predict`, and
    may change what is remembered of a fit (`_remember`) and what is done to rows with targets (`_prepared`).
    """

    _target_shape: tuple[int, ...]  # as fitted: the shape of one row of a prediction

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        """Raise ValueError for the first parameter that is not what it must be."""
        raise NotImplementedError

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        """Checked y as columns of targets."""
        raise NotImplementedError

    def _prepared(self, data: Labelled) -> Labelled:
        """Rows with targets as the net is to see them."""
        return data

    def _without_rows_set_aside(self, data: Labelled, rng: np.random.RandomState) -> Labelled:
        """The rows that may train or validate, where others are kept for something else."""
        return data

    def _after_training(self, train: Labelled) -> None:
        """Measure what is only known of trained nets."""

    # -- what a user calls -----------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None
    ) -> RegressionEstimator:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, windows, or 2-D table
            See the notes of the class.
        y : array-like of shape (n_samples,), (n_samples, n_outputs) or (n_samples, horizon[, n_outputs])
            Targets, NaN where unknown; with `horizon` set, the series itself.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative.
        X_val, y_val : like X and y, default=None
            Judge the epochs by these instead of rows held out.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            A parameter, X or y is not what it must be (before training starts; a former fit stays), or the loss
            became NaN in the first epoch.

        Warns
        -----
        ConvergenceWarning
            The loss still fell at `max_epochs`, or became NaN.
        UserWarning
            A parameter was set that does nothing here, or y is a channel of X at the same row.
        """
        with self._left_as_it_was():
            self._train(X, y, sample_weight, X_val, y_val)
            self._report()
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> RegressionEstimator:
        """Train for one pass over further rows, going on with the weights and the state of the optimizer.

        The first call (of an estimator that is not fitted) fixes channels, shape of y, standardisation and
        precision by its rows, so let it have typical ones. The learning rate is `lr`; schedule, validation, early
        stopping and `max_steps` do not apply.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            As in `fit`; also X with other channels, or y of another shape, than in the first call.

        Warns
        -----
        ConvergenceWarning
            The loss became NaN; the weights before this call were kept.

        Notes
        -----
        `lr`, `gradient_clip`, `batch_size` and `shuffle` may change from call to call, other parameters of the net
        and its training may not. An error or Ctrl-C leaves the nets as they were before the call.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(90, 7, 2))
        >>> net = RNNRegressor("gru", hidden_size=5, random_state=0)
        >>> for rows in np.split(np.arange(90), 3):
        ...     net = net.partial_fit(X[rows], X[rows, -1, 0])
        >>> len(net.history_)
        3
        """
        with self._left_as_it_was():
            self._check_parameters()
            data = self._labelled(X, y, sample_weight, reset=not hasattr(self, "nets_"))
            rng = np.random.RandomState(draw_seed(self.random_state))
            train = data.take(self._learning_rows(data))
            self._train_one_pass(train, rng, scale_targets=True)
            self._after_training(train)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R² over all known targets.

        Parameters
        ----------
        X : like X in `fit`
        y : like y in `fit`
            NaN is skipped; with `horizon` set, the futures that lie within the rows given are compared. With
            `return_sequences` all steps count alike, but of windows of a series only the last step of each: the
            others are those of earlier windows.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            The mean over outputs (and steps); 1 is perfect, 0 is the mean of y.
        """
        truth = self._align_targets(X, y)
        prediction = self.predict(X)
        if self._by_step:  # all steps of all rows in one column for each output
            truth, prediction, sample_weight = steps_as_rows(truth, prediction, sample_weight)
        return r2_score(truth, prediction, sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _align_targets(self, X: Any, y: Any) -> np.ndarray:
        """y in the shape of `predict(X)`, NaN where a target is unknown; scorers of skrnn.metrics ask for it."""
        sequences = self._checked_for_prediction(X)
        if self._by_step:
            return as_passed(judged_steps(check_step_targets(y, sequences), sequences), sequences)
        y = check_y(y, len(sequences), type(self).__name__)
        if self.horizon is None:
            return y
        targets = future_of_series(y, sequences, self.horizon, None, may_be_unknown=True)
        return targets.values.reshape(len(y), *targets.shape)

    def _as_user_sees(self, values: np.ndarray, sequences: Sequences) -> Any:
        """(n_samples, [n_steps,] n_columns, ...) -> the shape that y had, and behind it whatever axes follow."""
        lead = 2 if self._by_step else 1
        values = values.reshape(*values.shape[:lead], *self._target_shape, *values.shape[lead + 1 :])
        return as_passed(values, sequences) if self._by_step else values

    # -- what fit is given -----------------------------------------------------------------------------------------

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
            self._fit_nets(train, valid, rng, scale_targets=True)
        except KeyboardInterrupt:
            if vars(self).get("nets_") is not former:  # they are kept as far as they got
                self._after_training(train)
            raise
        self._after_training(train)

    def _labelled(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, name: str = "y") -> Labelled:
        """Checked sequences, targets (called `name`) and weights; `reset` records what `predict` will need of them."""
        sequences = self._check_X(X, reset=reset)
        if self.return_sequences:
            y = check_step_targets(y, sequences)
        else:
            y = check_y(y, len(sequences), type(self).__name__)
        targets = self._targets(y, sequences)
        if reset:
            self._check_patch(sequences)
            self._remember(sequences, targets, 1 if y.ndim == 1 + self.return_sequences else y.shape[-1])
        elif targets.shape != self._target_shape:
            raise ValueError(
                f"{name} has rows of shape {targets.shape}, but those of y in `fit` have {self._target_shape}."
            )
        targets = replace(targets, channels=self._target_columns)  # few rows may not show which channel y follows
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return self._prepared(Labelled(sequences, targets, sample_weight))

    def _remember(self, sequences: Sequences, targets: Targets, n_outputs: int) -> None:
        """Record what `predict` will need of the rows of a fit; `n_outputs` are the last columns that differ."""
        self._by_step = self.return_sequences
        self._target_columns = targets.channels
        self._n_steps_seen = sequences.n_steps
        self._target_shape = targets.shape
        outputs = targets.channels[-n_outputs:]
        self.target_channels_ = None if (outputs == UNKNOWN).all() else outputs

    def _check_validation_set(self, X_val: Any, y_val: Any) -> Labelled | None:
        if (X_val is None) != (y_val is None):
            raise ValueError(
                "X_val and y_val go together, but only one of them was given. In a Pipeline: " + VALIDATION_RECIPE
            )
        if X_val is None:
            return None
        if self._layout == "sequences" and getattr(X_val, "ndim", None) == 2:
            raise ValueError(
                f"X_val must be sequences (3-D or ragged) like X, got a 2-D table of shape {X_val.shape}. In a "
                "Pipeline an X_val for this step has not passed the steps before. " + VALIDATION_RECIPE
            )
        return self._labelled(X_val, y_val, None, reset=False, name="y_val")

    def _check_patch(self, sequences: Sequences) -> None:
        if self.patch_size > sequences.n_steps:
            columns = f" (n_features={self.n_features_in_})" if self._layout == "table" else ""
            raise ValueError(
                f"patch_size={self.patch_size} is longer than the sequences of X, which have {sequences.n_steps} "
                f"step(s){columns}. Take a patch_size of at most that, or a longer window."
            )
