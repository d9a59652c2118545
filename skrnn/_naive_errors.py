"""How large the steps of each series are: the in-sample error of its seasonal naive forecast."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrnn._labelled import Labelled, Scaling
from skrnn._row_map import UNKNOWN
from skrnn._target_transform import untransformed
from skrnn._validation import Sequences


def in_users_units(data: Labelled, scaling: Scaling, estimator: Any) -> dict[str, np.ndarray]:
    """What a loss in the user's units is given for each output: units, offsets, and the naive error of its series.

    All are arrays of shape (n_samples, n_outputs), the same for each step. An output without a past of its own has its
    mean absolute deviation.
    """
    transform, outputs = estimator.target_transform, np.arange(data.targets.n_outputs)
    offsets, units = scaling.for_columns(outputs).offsets_and_units(data.sequences)
    seasonality = (estimator.net_params or {}).get("criterion__seasonality", 1)
    errors = np.empty_like(offsets)
    for output in outputs:
        channel = data.targets.channels[output]
        if channel == UNKNOWN:
            values = untransformed(data.targets.values[:, output :: len(outputs)], transform)
            errors[:, output] = np.nanmean(np.abs(values - np.nanmean(values)))
        else:
            past = untransformed(data.sequences.base[:, channel].astype(np.float64), transform)
            errors[:, output] = naive_errors(past, data.sequences, seasonality)
    return {"units": units, "offsets": offsets, "naive_errors": errors}


def naive_errors(values: np.ndarray, sequences: Sequences, seasonality: int) -> np.ndarray:
    """Mean absolute difference of a series to itself a season before, for each sample, shape (n_samples,).

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        A channel of the base of `sequences`, in the user's units.
    sequences : Sequences
        Windows of series: all rows that they read count, series by series. Other sequences: each for itself.
    seasonality : int

    Returns
    -------
    ndarray
        A series that has no such difference, or only zeros, gets the median of the others (1 where there are none).
    """
    if sequences.are_windows:
        assert sequences.segment is not None
        assert sequences.series is not None
        piece_of_sample, series_of_sample = sequences.segment, sequences.series
    else:
        piece_of_sample, series_of_sample = sequences.first, np.arange(len(sequences))
    begins, sample = np.unique(piece_of_sample, return_index=True)  # pieces do not overlap
    piece = np.searchsorted(begins, np.arange(len(values)), side="right") - 1  # (n_rows,), -1 in front of the first
    read = sequences.row_weights() > 0
    later = np.arange(seasonality, len(values))
    both = read[later] & read[later - seasonality] & (piece[later] == piece[later - seasonality])
    later = later[both]
    series = series_of_sample[sample][piece[later]]
    n_series = int(series_of_sample.max()) + 1
    total = np.bincount(series, np.abs(values[later] - values[later - seasonality]), n_series)
    mean = total / np.maximum(np.bincount(series, minlength=n_series), 1)  # (n_series,)
    positive = mean[mean > 0]
    typical = float(np.median(positive)) if len(positive) else 1.0
    return np.where(mean > 0, mean, typical)[series_of_sample]
