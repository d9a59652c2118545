"""What nets give for many sequences: batch by batch, torch back to numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from skrnn._batches import MOST_STEPS, SequenceDataset, batches_of_steps
from skrnn._validation import Sequences
from skrnn.nn._crf import LinearChainCRF
from skrnn.nn._tagging import mean_crf
from skrnn.nn._warm_memory import release_memory

FEWEST_ROWS, MOST_ROWS = 512, 2048
MOST_STATES = 2**20  # hidden values of all steps of a batch: 4 MB in float32


def rows_at_once(hidden_size: int, n_steps: int) -> int:
    """How many rows a batch has that is only predicted: 512, 1024 or 2048.

    With few rows a step costs as much for its calls as for its arithmetic; with many the states of all steps leave
    the processor's cache. A batch holds at most `MOST_STATES` of them, but 512 rows in any case. In batches of 128
    torch was measured to need up to twice the time, in batches of 4096 up to 1.7 times.
    """
    rows = MOST_ROWS
    while rows > FEWEST_ROWS and rows * n_steps * hidden_size > MOST_STATES:
        rows //= 2
    return rows


def run_in_batches(
    function: Callable[..., Tensor], dataset: SequenceDataset, groups: Sequence[np.ndarray], hidden_size: int
) -> list[np.ndarray]:
    """What `function(x, lengths)` gives for each batch, float64, in the order of the rows in `groups`.

    Parameters
    ----------
    function : callable
    dataset : SequenceDataset
    groups : sequence of ndarray of int
        Rows; no batch mixes two groups.
    hidden_size : int
        Of the net; decides how many rows make a batch.
    """
    outputs = []
    with torch.inference_mode():
        for group in groups:
            for rows in _batches(torch.from_numpy(group), dataset, hidden_size):
                outputs.append(function(**dataset.sequences(rows)).to("cpu", torch.float64).numpy())
    release_memory()
    return outputs


def _batches(rows: Tensor, dataset: SequenceDataset, hidden_size: int) -> Sequence[Tensor]:
    rows = rows.to(dataset.base.device)
    if not dataset.ragged or dataset.lengths is None:
        n = rows_at_once(hidden_size, dataset.n_steps)
        return [rows[begin : begin + n] for begin in range(0, len(rows), n)]  # one row: less than `split` needs
    typical = int(dataset.lengths.double().mean())
    return batches_of_steps(rows, dataset.lengths, rows_at_once(hidden_size, typical), MOST_STEPS)


def economical_order(sequences: Sequences) -> np.ndarray:
    """An order of the rows in which batches hold little padding: by length, unless they are windows."""
    lengths = sequences.lengths
    if sequences.are_windows or (lengths == lengths[0]).all():
        return np.arange(len(lengths))
    return np.argsort(lengths, kind="stable")


def in_batches(values: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Values of rows in their order, cut where the batches are."""
    return np.split(values, np.cumsum([len(part) for part in parts])[:-1])


def in_rows(parts: Sequence[np.ndarray], order: np.ndarray) -> np.ndarray:
    """The batches of rows in `order`, (batch, ...), as one array with the rows in their place."""
    joined = np.concatenate(parts)
    placed = np.empty_like(joined)
    placed[order] = joined
    return placed


def in_rows_and_steps(parts: Sequence[np.ndarray], order: np.ndarray, n_steps: int) -> np.ndarray:
    """The same for batches (batch, steps, ...) each as long as its longest row; zeros behind."""
    placed = np.zeros((len(order), n_steps, *parts[0].shape[2:]))
    begin = 0
    for part in parts:
        placed[order[begin : begin + len(part)], : part.shape[1]] = part
        begin += len(part)
    return placed


def best_paths(
    parts: Sequence[np.ndarray], lengths: Sequence[np.ndarray], crfs: Sequence[LinearChainCRF]
) -> list[np.ndarray]:
    """The tag numbers of the best path through each batch of scores, (batch, steps); the fields are averaged."""
    return [path.numpy() for path in _of_field(mean_crf(crfs).viterbi, parts, lengths)]


def path_marginals(
    parts: Sequence[np.ndarray], lengths: Sequence[np.ndarray], crfs: Sequence[LinearChainCRF]
) -> list[np.ndarray]:
    """The probability of each tag at each step of each batch of scores, (batch, steps, n_tags)."""
    return [marginals.numpy() for marginals in _of_field(mean_crf(crfs).marginals, parts, lengths)]


def _of_field(
    function: Callable[..., Tensor], parts: Sequence[np.ndarray], lengths: Sequence[np.ndarray]
) -> list[Tensor]:
    with torch.inference_mode():
        pairs = zip(parts, lengths, strict=True)
        return [function(torch.from_numpy(part), torch.from_numpy(length)) for part, length in pairs]
