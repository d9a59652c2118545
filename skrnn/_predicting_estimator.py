"""What all estimators with a net share once they are fitted: the one raw prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skrnn._batches import TORCH_DTYPES, SequenceDataset, standardized_base
from skrnn._labelled import Scaling
from skrnn._net import RecurrentNet
from skrnn._parameters import check_int
from skrnn._prediction import economical_order, in_rows, in_rows_and_steps, run_in_batches
from skrnn._runtime import home_of_data, mixed_precision
from skrnn._sequence_estimator import SequenceEstimator
from skrnn._threads import net_threads
from skrnn._validation import Sequences


class PredictingEstimator(SequenceEstimator):
    """Abstract: an estimator that holds trained skorch nets as `nets_`, the first as `net_`, and asks them.

    One row at a time is what recursive forecasts ask for, so whatever is done here for each call should cost less
    than a small net does.
    """

    hidden_size: int
    n_threads: int | None
    net_: RecurrentNet
    nets_: list[RecurrentNet]
    dtype_: np.dtype
    _scaling: Scaling  # as fitted
    _by_step: bool  # as fitted: whether there is an output for each step
    _central: int | None  # as fitted: of quantiles, the position of the one that is the forecast

    def _raw_predict(self, sequences: Sequences) -> np.ndarray:
        """Outputs in the target's units, the mean over the nets: (n_samples, [n_steps,] n_columns[, n_quantiles])."""
        of_nets = self._predictions_of_nets(sequences)
        return of_nets[0] if len(of_nets) == 1 else np.mean(of_nets, axis=0)

    def _predictions_of_nets(self, sequences: Sequences) -> list[np.ndarray]:
        """Outputs of each net in the target's units, float64."""
        axes = {"by_step": self._by_step, "quantiles": self._central is not None}
        return [self._scaling.restore(self._outputs(net, sequences), sequences, **axes) for net in self.nets_]

    def _outputs(self, net: RecurrentNet, sequences: Sequences) -> np.ndarray:
        """What the module gives, (n_samples, [n_steps,] ...) in standardised units, float64."""
        order = economical_order(sequences)
        parts = self._run(net, sequences, net.module_, [order])
        return in_rows_and_steps(parts, order, sequences.n_steps) if self._by_step else in_rows(parts, order)

    def _run(
        self,
        net: RecurrentNet,
        sequences: Sequences,
        function: Callable[..., Any],
        groups: list[np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """What `function(x, lengths)` gives for each batch of sequences, float64; no batch mixes `groups` of rows."""
        if self.n_threads is not None:  # it may have been set since `fit`
            check_int("n_threads", self.n_threads, low=1, also=" or None")
        sequences = sequences.without_unread_rows()
        device = net.device  # the CPU, where a net of a GPU was unpickled without one
        home = home_of_data(sequences.base.size * self.dtype_.itemsize, device)
        base = standardized_base(sequences, self._scaling.inputs, self.dtype_, home)
        dataset = SequenceDataset(base, sequences, self._scaling.inputs, dtype=TORCH_DTYPES[self.dtype_], device=device)
        if net.module_.training:
            net.module_.eval()
        with net_threads(net.module_, self.n_threads, len(sequences)), mixed_precision(net.amp, device):
            return run_in_batches(function, dataset, groups or [np.arange(len(sequences))], self.hidden_size)

    def _point_forecast(self, values: np.ndarray) -> np.ndarray:
        """One number for each target: of quantiles (the last axis) the one nearest to the median."""
        return values if self._central is None else values[..., self._central]
