"""What one can look at besides predictions: states, the parts of the net, the loss at each learning rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skrnn._estimator import RecurrentEstimator
from skrnn._parameters import check_float, check_int, check_option
from skrnn._validation import Sequences
from skrnn.callbacks import LRRangeTest
from skrnn.nn._summary import COLUMNS, parts_of

BELOW_LOWEST = 10  # the suggested learning rate is so many times below the one with the lowest loss


def by_row(values: Any, x: Any) -> Any:
    """(batch * n_series, ...) -> (batch, ...), with an axis of series behind the samples (or the steps).

    A net that reads each target channel as a series of its own gives a row for each series of each row of x.
    """
    if len(values) == len(x):
        return values
    by_series = values.unflatten(0, (len(x), -1))  # (batch, n_series, [steps,] features)
    return by_series if by_series.ndim == 3 else by_series.transpose(1, 2)


class InspectableEstimator(RecurrentEstimator):
    """Abstract: adds `encode`, `summary` and `lr_range_test` to an estimator with nets."""

    def encode(self, X: Any, *, return_sequences: bool = False) -> Any:
        """Return the states of the last recurrent layer after each sequence was read.

        With an ensemble (`n_nets`) they are those of the first net.

        Parameters
        ----------
        X : like X in `fit`
        return_sequences : bool, default=False
            Return the outputs h of every step instead of the final states.

        Returns
        -------
        h : ndarray of float64, shape (n_samples, n_directions * hidden_size)
            The final state of each direction, side by side: forward after the last valid step, backward after the
            first. For `cell="lstm"` a tuple (h, c) with the carry state c of the same shape. A forecaster with
            ``channels="shared"`` has an axis of series behind that of the samples (or of the steps).
        outputs : ndarray of float64, shape (n_samples, n_steps, n_directions * hidden_size)
            With ``return_sequences=True``, each step where it stands in X, NaN at padding. For a ragged X a tuple
            (outputs, lengths): each sequence begins at step 0, and `lengths` (n_samples,) says how many steps are
            valid. With `patch_size` p a step is a patch, so there are ``ceil(n_steps / p)``.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(40, 7, 2))
        >>> net = RNNRegressor("lstm", hidden_size=5, max_epochs=100, random_state=0).fit(X, X[:, -1, 0])
        >>> h, c = net.encode(X)
        >>> h.shape, c.shape, net.encode(X, return_sequences=True).shape
        ((40, 5), (40, 5), (40, 7, 5))
        """
        sequences = self._sequences_for_nets(X)
        module = self.net_.module_
        if return_sequences:
            return self._steps_in_place(sequences, lambda x, lengths: by_row(module.encode(x, lengths).steps(), x))
        # rows of one length at a time: torch gives the carry after the last step of a batch only
        lengths, group = np.unique(sequences.lengths, return_inverse=True)
        groups = [np.flatnonzero(group == i) for i in range(len(lengths))]
        size = module.encoder.output_size

        def final_states(x: Any, lengths: Any) -> Any:
            return by_row(module.encode(x, lengths).final_and_carry(), x)  # (batch, size) or (batch, 2 * size)

        parts = np.concatenate(self._run(self.net_, sequences, final_states, groups))
        states = np.empty_like(parts)
        states[np.concatenate(groups)] = parts
        return states if states.shape[-1] == size else (states[..., :size], states[..., size:])

    def _steps_in_place(self, sequences: Sequences, function: Callable[..., Any]) -> Any:
        """What `function(x, lengths)` gives, (batch, steps, ...), where each step stands in X, NaN at padding.

        For ragged X steps stand from 0 on, and lengths are given beside them.
        """
        encoder = self.net_.module_.encoder
        group = np.unique(sequences.lengths, return_inverse=True)[1]
        groups = [np.flatnonzero(group == i) for i in range(group.max() + 1)]
        patch = 1 if encoder.patches is None else encoder.patches.patch_size
        n_steps = -(-sequences.n_steps // patch)
        lengths = -(-sequences.lengths // patch)
        ragged = sequences.passed_steps is not None
        trailing = sequences.n_steps - sequences.leading - sequences.lengths
        begin = np.zeros_like(lengths) if ragged else n_steps - lengths - trailing // patch
        parts = self._run(self.net_, sequences, function, groups)
        outputs = np.full((len(sequences), n_steps, *parts[0].shape[2:]), np.nan)
        order, done = np.concatenate(groups), 0
        for part in parts:  # (batch, steps, ...)
            rows = order[done : done + len(part)]
            outputs[rows[:, None], begin[rows, None] + np.arange(part.shape[1])] = part
            done += len(part)
        return (outputs, lengths) if ragged else outputs

    def summary(self) -> pd.DataFrame:
        """Return the parts of the fitted net: names, kinds, shapes of what they give, numbers of weights.

        Returns
        -------
        DataFrame
            A row for each part that has weights, in the order in which a batch passes them, and a last row "total".
            Columns ``part``, ``kind`` (torch's class), ``output_shape`` and ``n_parameters``. Shapes are those of
            sequences as long as in `fit`. Of an ensemble (`n_nets`) it is one net.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(40, 7, 2))
        >>> net = RNNRegressor("gru", hidden_size=5, max_epochs=100, random_state=0).fit(X, X[:, -1, 0])
        >>> print(net.summary().to_string(index=False))
                             part   kind  output_shape  n_parameters
        encoder.recurrent.recurrences.0    GRU (batch, 7, 5)           135
                      head.linear Linear    (batch, 1)             6
                            total                                141
        """
        check_is_fitted(self)
        rows = parts_of(self.net_.module_, self._n_steps_seen)
        total = sum(row[-1] for row in rows)
        return pd.DataFrame([*rows, ("total", "", "", total)], columns=list(COLUMNS))

    def lr_range_test(
        self,
        X: Any,
        y: Any,
        low: float = 1e-6,
        high: float = 1.0,
        *,
        n_lrs: int = 100,
        every: str = "batch",
        sample_weight: Any = None,
    ) -> tuple[pd.DataFrame, float]:
        """Train a copy with ever higher learning rates and suggest one; this estimator stays as it is.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`
        low, high : float, default=1e-6 and 1.0
            The first and the last learning rate.
        n_lrs : int, default=100
            How many are tried: each is the former one times ``(high / low) ** (1 / (n_lrs - 1))``. With
            ``low=1e-8, high=1e-3, n_lrs=101, every="epoch"`` it is ``1e-8 * 10 ** (epoch / 20)``.
        every : {"batch", "epoch"}, default="batch"
            How long each one is used.

        Returns
        -------
        results : DataFrame
            A row for each learning rate: ``lr``, ``loss`` (in training, in standardised units) and
            ``smoothed_loss`` (of batches a moving average). It ends early when that is four times its smallest value,
            or the loss is NaN.
        suggested_lr : float
            A tenth of the rate at which the smoothed loss is lowest (a rule of thumb: there it still falls steadily),
            but no less than `low`; also ``results.attrs["suggested_lr"]``.

        Raises
        ------
        ValueError
            `low` is not below `high`, or X, y or a parameter is not what `fit` takes.

        Warns
        -----
        UserWarning
            The loss was lowest with the first or the last rate.

        Notes
        -----
        The copy is one net with new weights, without schedule, validation and early stopping.

        References
        ----------
        Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, section 3.3.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(200, 7, 2))
        >>> net = RNNRegressor("gru", hidden_size=5, random_state=0)
        >>> results, suggested_lr = net.lr_range_test(X, X[:, -1, 0], 1e-4, 1.0, n_lrs=40)
        >>> results.columns.tolist(), 1e-4 < suggested_lr < 1.0
        (['lr', 'loss', 'smoothed_loss'], True)
        """
        check_float("low", low, low=0, open_low=True)
        check_float("high", high, low=0, open_low=True)
        if low >= high:
            raise ValueError(f"`low` must be below `high`, got low={low!r} and high={high!r}.")
        check_int("n_lrs", n_lrs, low=2)
        check_option("every", every, ("batch", "epoch"))
        lrs = np.geomspace(low, high, n_lrs)
        test = LRRangeTest(lrs.tolist(), every)
        trial = clone(self).set_params(
            lr=float(low),
            lr_schedule=None,
            early_stopping=False,
            validation="auto",
            validate_every=None,
            warm_start=False,
            n_nets=1,
            verbose=0,
            max_epochs=n_lrs,
            max_steps=None,
        )
        net_params = trial.net_params or {}
        trial.net_params = {**net_params, "callbacks": [*(net_params.get("callbacks") or []), ("lr_range", test)]}
        trial._train(X, y, sample_weight)
        test = trial.net_.callback("lr_range")  # of the net, which has a copy
        if not test.losses_:
            raise ValueError(f"The loss was NaN or infinite with the first learning rate already; lower low={low!r}.")
        results = pd.DataFrame({"lr": lrs[: len(test.losses_)], "loss": test.losses_, "smoothed_loss": test.smoothed_})
        lowest = int(np.argmin(test.smoothed_))
        suggested = float(max(lrs[lowest] / BELOW_LOWEST, low))
        results.attrs["suggested_lr"] = suggested
        end = "low" if lowest == 0 else "high" if lowest == n_lrs - 1 else None
        if end is not None:
            warnings.warn(
                f"The loss was lowest with {lrs[lowest]:g}, at the end of what was tried, so the best rate may lie "
                f"beyond it. Set another `{end}` than {low if end == 'low' else high:g}.",
                UserWarning,
                stacklevel=2,
            )
        return results, suggested

    def _train(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> None:
        """Everything that `fit` does but for the report; abstract, since estimators differ in what they learn from."""
        raise NotImplementedError
