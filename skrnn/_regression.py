"""What estimators that predict numbers share: fit, score, and targets in the form that the user knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from skrnn._labelled import Labelled
from skrnn._row_map import UNKNOWN
from skrnn._step_targets import as_passed, check_step_targets, judged_steps
from skrnn._supervised import SupervisedEstimator
from skrnn._targets import Targets, check_y, future_of_series
from skrnn._validation import Sequences
from skrnn.metrics import r2_score, steps_as_rows


class RegressionEstimator(RegressorMixin, SupervisedEstimator):
    """Abstract: `fit`, `partial_fit` and `score` of an estimator whose targets are numbers.

    Beside what `SupervisedEstimator` asks for, a subclass defines `_targets` and `predict`, and may change what is
    remembered of a fit (`_remember`).
    """

    _target_shape: tuple[int, ...]  # as fitted: the shape of one row of a prediction

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        """Checked y as columns of targets."""
        raise NotImplementedError

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
            self._train_further(X, y, sample_weight)
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

    def _checked_targets(self, y: Any, sequences: Sequences, *, reset: bool, name: str) -> Targets:
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
        return replace(targets, channels=self._target_columns)  # few rows may not show which channel y follows

    def _remember(self, sequences: Sequences, targets: Targets, n_outputs: int) -> None:
        """Record what `predict` will need of the rows of a fit; `n_outputs` are the last columns that differ."""
        self._by_step = self.return_sequences
        self._target_columns = targets.channels
        self._n_steps_seen = sequences.n_steps
        self._target_shape = targets.shape
        outputs = targets.channels[-n_outputs:]
        self.target_channels_ = None if (outputs == UNKNOWN).all() else outputs

    # -- what fit leaves behind ------------------------------------------------------------------------------------

    def _skill(self, valid: Labelled) -> float:
        """1 - MAE / MAE of persistence (or of the training mean) over the validation rows."""
        truth = valid.targets.values
        known = ~np.isnan(truth)
        error = np.abs(self._point_forecast(self._raw_predict(valid.sequences)) - truth)[known].mean()
        naive = self._scaling.naive_forecast(valid.sequences)  # (n_samples, n_columns)
        reference = np.abs((naive if truth.ndim == 2 else naive[:, None]) - truth)[known].mean()
        return float(1 - error / reference) if reference > 0 else np.nan
