"""Sequences as torch tensors, and batches cut from them in one call each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skrnn._embedded_tokens import EmbeddedTokens
from skrnn._scaling import InputScaling
from skrnn._validation import Sequences
from skrnn.nn._embedding import EmbeddingSizes, NGrams, TokenBatch

Inputs = dict[str, Any]
"""A batch as the net gets it: "x" (batch, steps, channels) and "lengths" (batch,) or None for the module; for the loss
"weights" and "units" (what 1 is in the user's units, for the MAE in history), None where 1: "weights" has the shape of
the targets, (batch, [steps,] n_columns), and "units" one that broadcasts to it; "loss" holds what else a loss asks for,
by the names of its arguments. Of tokens "x" is a `TokenBatch`."""

TORCH_DTYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
MOST_STEPS = 2**17  # of a batch that is only predicted: one long text among many is not to fill the memory
CHUNK = 32  # batches whose rows are sorted by length together: enough to leave little padding, and still a mixture


def standardized_base(sequences: Sequences, scaling: InputScaling, dtype: np.dtype, device: str) -> Tensor:
    """The standardised base on the device, with n_steps rows behind the last, so that each row can begin a window."""
    return torch.from_numpy(scaling.standardize(sequences, dtype, extra_rows=sequences.n_steps)).to(device)


def ngrams_of(tokens: EmbeddedTokens, device: torch.device) -> NGrams:
    """The n-gram buckets of every id, on the device."""
    arrays = (tokens.bucket_starts.astype(np.int64), tokens.buckets.astype(np.int64))
    return NGrams(*(torch.from_numpy(array).to(device) for array in arrays))


def embedding_sizes(tokens: EmbeddedTokens) -> EmbeddingSizes:
    """What a net needs to know of the tables of tokens before it has them."""
    shapes = tuple((len(table), table.shape[1]) for table in tokens.tables)
    return EmbeddingSizes(shapes, None if tokens.bucket_table is None else len(tokens.bucket_table), tokens.trainable)


def embedding_tables(tokens: EmbeddedTokens) -> tuple[list[Tensor], Tensor | None]:
    """The vectors that training begins with: the tables of the fields, and that of the n-gram buckets."""
    buckets = tokens.bucket_table
    return [torch.from_numpy(table) for table in tokens.tables], None if buckets is None else torch.from_numpy(buckets)


class SequenceDataset(torch.utils.data.Dataset):
    """Standardised sequences, cut into batches without a copy of any window before its batch.

    Parameters
    ----------
    base : Tensor of shape (n_rows + n_steps, n_channels)
        From `standardized_base`; shared by the datasets cut from it.
    sequences : Sequences
    scaling : InputScaling
    values, weights, units : ndarray of shape (n_samples, [n_steps,] n_columns), or None
        Scaled targets (finite; unknown ones hold 0 and weight 0), their weights, and what 1 is in the user's units
        (one row when all rows are alike, one step when all steps are).
    for_loss : dict of ndarray, each of shape (n_samples, n_columns), or None
        What the loss is given beside predictions and targets, by the names of its arguments.
    dtype : torch.dtype or None
        Of values and weights; None is that of `base`.
    device : str or None
        Where batches go, if not where `base` and everything else is.

    Attributes
    ----------
    ragged : bool
        Whether sequences of unequal lengths have nothing to do with each other, so that batches of one length pay.
    """

    def __init__(
        self,
        base: Tensor,
        sequences: Sequences,
        scaling: InputScaling,
        values: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        units: np.ndarray | None = None,
        for_loss: dict[str, np.ndarray] | None = None,
        dtype: torch.dtype | None = None,
        device: str | None = None,
    ) -> None:
        self.destination = base.device if device is None else torch.device(device)
        n_steps, home, dtype = sequences.n_steps, base.device, dtype or base.dtype
        self.base = base
        self.first = torch.from_numpy(sequences.first).to(home)
        lengths = sequences.lengths
        self.lengths = None if (lengths == n_steps).all() else torch.from_numpy(lengths).to(home)
        self.ragged = self.lengths is not None and not sequences.are_windows
        self.n_steps = n_steps
        self.ngrams = None if sequences.tokens is None else ngrams_of(sequences.tokens, home)
        self.window_scaling = scaling.window
        every_channel = len(scaling.channels) == sequences.n_channels
        self.channels = None if every_channel else torch.from_numpy(scaling.channels).to(home)
        if scaling.window is not None:
            self.spread, self.smallest = (
                torch.from_numpy(sizes[scaling.channels]).to(home, dtype)
                for sizes in (scaling.spread, scaling.smallest)
            )
        self.values, self.weights, self.units = (
            None if array is None else torch.from_numpy(array).to(home, dtype) for array in (values, weights, units)
        )
        self.for_loss = {name: torch.from_numpy(array).to(home, dtype) for name, array in (for_loss or {}).items()}

    def __len__(self) -> int:
        return len(self.first)

    def sequences(self, rows: Tensor) -> Inputs:
        """The sequences at `rows`: "x" (batch, steps, channels) and "lengths" (batch,) or None."""
        return self._sent(self._sequences(rows))

    def _sent(self, batch: Any) -> Any:
        """A batch where the net is."""
        # types, since "cuda" and "cuda:0" are not equal
        return batch if self.base.device.type == self.destination.type else sent(batch, self.destination)

    def _sequences(self, rows: Tensor) -> Inputs:
        n_steps, lengths = self.n_steps, None
        if self.lengths is not None:
            lengths = self.lengths[rows]
            n_steps = int(lengths.max())  # trimmed to the longest of the batch
            if int(lengths.min()) == n_steps:
                lengths = None
        n_rows, n_channels = self.base.shape
        # every window of the base as a view, (n_rows - n_steps + 1, steps, channels)
        windows = self.base.as_strided((n_rows - n_steps + 1, n_steps, n_channels), (n_channels, n_channels, 1))
        x = windows.index_select(0, self.first[rows])
        valid = None
        if lengths is not None:
            valid = torch.arange(n_steps, device=x.device) < lengths[:, None]  # (batch, steps)
        if self.window_scaling is not None:
            x = self._scale_windows(x, lengths, valid)
        if valid is not None:
            x = x * valid[..., None]
        return {"x": x if self.ngrams is None else self.ngrams.batch(x), "lengths": lengths}

    def _scale_windows(self, x: Tensor, lengths: Tensor | None, valid: Tensor | None) -> Tensor:
        """Shift and scale each window by its own values (see `InputScaling.window_values`)."""
        picked = x if self.channels is None else x[..., self.channels]  # (batch, steps, scaled channels)
        if self.window_scaling == "first":
            return self._put(x, (picked - picked[:, :1]) / self.spread)
        if lengths is None:
            last = picked[:, -1:]
        else:
            last = picked[torch.arange(len(x), device=x.device), lengths - 1][:, None]
        if self.window_scaling == "last":
            scaled = (picked - last) / self.spread
        else:
            center, size = _mean_and_deviation(picked, valid)
            scaled = (picked - (center if self.window_scaling == "standard" else last)) / torch.maximum(
                size, self.smallest
            )
        return self._put(x, scaled)

    def _put(self, x: Tensor, scaled: Tensor) -> Tensor:
        """x with its scaled channels in their place."""
        if self.channels is None:
            return scaled
        x[..., self.channels] = scaled
        return x

    def batch(self, rows: Tensor) -> tuple[Inputs, Tensor]:
        """The sequences at `rows` with weights and units, and the values to learn, (batch, [steps,] n_columns)."""
        assert self.values is not None
        units = self.units
        if units is not None and len(units) > 1:
            units = units[rows]
        inputs, values = self._sequences(rows), self.values[rows]
        weights = None if self.weights is None else self.weights[rows]
        if values.ndim == 3:  # trimmed to the longest of the batch, as x is
            n_steps = inputs["x"].shape[1]
            values, weights = values[:, :n_steps], None if weights is None else weights[:, :n_steps]
        for_loss = {name: array[rows] for name, array in self.for_loss.items()}
        return self._sent((inputs | {"weights": weights, "units": units, "loss": for_loss}, values))


def sent(part: Any, device: torch.device) -> Any:
    """The tensors in nested dicts, tuples and token batches on another device; a GPU need not be waited for."""
    if isinstance(part, Tensor):
        return (part.pin_memory() if device.type == "cuda" else part).to(device, non_blocking=True)
    if isinstance(part, dict):
        return {name: sent(value, device) for name, value in part.items()}
    if isinstance(part, tuple):
        return tuple(sent(value, device) for value in part)
    if isinstance(part, TokenBatch):
        return TokenBatch(**sent(vars(part), device))
    return part


def _mean_and_deviation(x: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the valid steps of each window, both (batch, 1, channels)."""
    if valid is None:
        mean = x.mean(dim=1, keepdim=True)
        variance = (x - mean).square().mean(dim=1, keepdim=True)
    else:
        share = (valid.to(x.dtype) / valid.sum(dim=1, keepdim=True))[..., None]  # (batch, steps, 1)
        mean = (x * share).sum(dim=1, keepdim=True)
        variance = ((x - mean).square() * share).sum(dim=1, keepdim=True)
    return mean, variance.sqrt()


def batches_of_steps(order: Tensor, lengths: Tensor, most_rows: int, most_steps: int) -> list[Tensor]:
    """Cut rows in an order of ascending length into batches of at most so many rows and steps, padding included."""
    batches, begin = [], 0
    while begin < len(order):
        end = min(begin + most_rows, len(order))
        end = min(end, begin + max(1, most_steps // int(lengths[order[end - 1]])))
        batches.append(order[begin:end])
        begin = end
    return batches


class BatchIterator:
    """Yields (inputs, targets) batch by batch; stands where skorch expects a torch DataLoader.

    Parameters
    ----------
    dataset : SequenceDataset
    batch_size : int
    shuffle : bool
        A new order in every pass over the rows.
    generator : torch.Generator or None
        Draws the orders.
    n_batches : int or None
        None: one pass each time it is iterated over. A number: so many batches, the next time those that follow
        them, with a new pass whenever one ends.
    by_length : bool
        Put ragged sequences of about one length together. A pass is cut into chunks of `CHUNK` batches (in their
        shuffled order), each chunk sorted by length and cut into batches of (nearly) equal size, and the batches are
        shuffled again. Without `shuffle` rows keep their order.
    most_steps : int or None
        For rows that only judge: all ragged rows are sorted by length, and a batch holds at most so many steps.
    """

    def __init__(
        self,
        dataset: SequenceDataset,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        n_batches: int | None = None,
        by_length: bool = True,
        most_steps: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.n_batches = n_batches
        self.by_length = by_length
        self.most_steps = most_steps
        self._endless = self._passes()

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size) if self.n_batches is None else self.n_batches

    def __iter__(self) -> Iterator[tuple[Inputs, Tensor]]:
        return self._one_pass() if self.n_batches is None else islice(self._endless, self.n_batches)

    def _passes(self) -> Iterator[tuple[Inputs, Tensor]]:
        while True:
            yield from self._one_pass()

    def _one_pass(self) -> Iterator[tuple[Inputs, Tensor]]:
        for rows in self._batches_of_rows():
            yield self.dataset.batch(rows.to(self.dataset.first.device))

    def _batches_of_rows(self) -> Sequence[Tensor]:
        n_samples = len(self.dataset)
        order = torch.randperm(n_samples, generator=self.generator) if self.shuffle else torch.arange(n_samples)
        judges = self.most_steps is not None
        if not (self.by_length and self.dataset.ragged and (self.shuffle or judges)):
            return order.split(self.batch_size)
        assert self.dataset.lengths is not None
        lengths = self.dataset.lengths.cpu()
        if self.most_steps is not None:
            return batches_of_steps(lengths.argsort(stable=True), lengths, self.batch_size, self.most_steps)
        batches: list[Tensor] = []
        for chunk in order.split(self.batch_size * CHUNK):
            n_batches = -(-len(chunk) // self.batch_size)
            # of equal sizes: a short last batch would hold the longest rows, every time
            batches += chunk[lengths[chunk].argsort(stable=True)].tensor_split(n_batches)
        return [batches[i] for i in torch.randperm(len(batches), generator=self.generator).tolist()]
