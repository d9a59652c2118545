"""What users pass as X -> `Sequences`: one matrix of rows, and where in it each sequence begins and ends.

Every kind of input becomes the same thing without a copy of its windows: a `Windows` and a strided view keep their
base, a 3-D block is read as its rows one after the other, ragged lists are joined, a 2-D table is cut into steps.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from skrnn._embedded_tokens import EmbeddedTokens, TokenIds
from skrnn._sequences import Windows

FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class Sequences:
    """Checked sequences: sample i is the rows `first[i]` to `last[i]` (both included) of `base`.

    Attributes
    ----------
    base : ndarray of shape (n_rows, n_channels)
        float32 or float64. Finite in every row that a sequence reads.
    first, last : ndarray of int64, shape (n_samples,)
    n_steps : int
        The length of a sequence without padding: the window, or the longest sequence.
    segment, series : ndarray of int64, shape (n_samples,), or None
        For windows of a series: the base row where the piece without holes begins, and the code of the series.
        None for sequences that have nothing to do with each other.
    channel_names : tuple of str or None
    layout : str
        "sequences" (3-D or ragged) or "table" (2-D); an estimator fitted on one refuses the other.
    padding : ndarray of int64, shape (n_samples,), or None
        Leading steps of padding that each sequence was passed with; None for windows (which have what their length
        lacks) and tables (which have none).
    passed_steps : ndarray of int64, shape (n_samples,), or None
        For a ragged list the length of each sequence as it was passed, padding included. None: `n_steps`.
    tokens : EmbeddedTokens or None
        For sequences of tokens what their ids mean. `base` holds ids then, (n_rows, n_fields), and no numbers.
    """

    base: np.ndarray
    first: np.ndarray
    last: np.ndarray
    n_steps: int
    segment: np.ndarray | None = None
    series: np.ndarray | None = None
    channel_names: tuple[str, ...] | None = None
    layout: str = "sequences"
    padding: np.ndarray | None = None
    passed_steps: np.ndarray | None = None
    tokens: EmbeddedTokens | None = None

    def __len__(self) -> int:
        return len(self.last)

    @property
    def n_channels(self) -> int:
        return self.base.shape[1] if self.tokens is None else self.tokens.shape[2]

    @property
    def lengths(self) -> np.ndarray:
        """Valid steps of each sequence, shape (n_samples,)."""
        return self.last - self.first + 1

    @property
    def are_windows(self) -> bool:
        """Whether the samples are windows of one or more series, so that neighbours share rows."""
        return self.segment is not None

    @property
    def leading(self) -> np.ndarray:
        """Steps of padding in front of each sequence as it was passed, shape (n_samples,)."""
        if self.padding is not None:
            return self.padding
        return self.n_steps - self.lengths if self.are_windows else np.zeros(len(self), dtype=np.int64)

    def take(self, rows: np.ndarray) -> Sequences:
        """The sequences at `rows` (positions or a mask); the base is shared, not copied."""
        per_sample = ("first", "last", "segment", "series", "padding", "passed_steps")
        cut: dict[str, Any] = {
            name: getattr(self, name)[rows] for name in per_sample if getattr(self, name) is not None
        }
        if self.tokens is not None:
            cut["tokens"] = self.tokens[rows]
        return replace(self, **cut)

    def without_unread_rows(self) -> Sequences:
        """The same sequences over a base that begins and ends with rows that they read, a view."""
        if len(self.base) <= len(self) * self.n_steps:  # no more than sequences of their own would have
            return self
        oldest, newest = self.first.min(), self.last.max()
        segment = None if self.segment is None else self.segment - oldest
        base = self.base[oldest : newest + 1]
        return replace(self, base=base, first=self.first - oldest, last=self.last - oldest, segment=segment)

    def row_weights(self, sample_weight: np.ndarray | None = None) -> np.ndarray:
        """How often each base row is read, each reading counted with the weight of its sample, shape (n_rows,)."""
        n_rows = len(self.base)
        counts = np.bincount(self.first, sample_weight, n_rows + 1)
        counts -= np.bincount(self.last + 1, sample_weight, n_rows + 1)
        np.cumsum(counts, out=counts)
        if sample_weight is not None:
            counts[counts < 1e-9 * max(counts.max(), 1.0)] = 0.0  # what the cumulative sum of fractions leaves
        return counts[:n_rows]


def check_sequences(X: Any, *, n_channels: int | None = None) -> Sequences:
    """Turn whatever a user passes as X into `Sequences`, 2-D input excepted (see `table_sequences`).

    Parameters
    ----------
    X : Windows, EmbeddedTokens, ndarray of shape (n_samples, n_steps, n_channels), or list of arrays
        A list holds one array of shape (n_steps_i, n_channels) or (n_steps_i,) per sample.
    n_channels : int, optional
        How many channels are expected.

    Raises
    ------
    ValueError
        NaN or infinity inside a sequence, a sequence of padding only, unequal channels, no samples.
    """
    if isinstance(X, Windows):
        sequences = _from_windows(X)
    elif isinstance(X, EmbeddedTokens):
        sequences = _from_tokens(X)
    elif getattr(X, "ndim", None) == 3:
        windows = windows_of_view(X) if isinstance(X, np.ndarray) else None
        if windows is None and not is_plain(X, ndim=3):
            X = check_array(X, allow_nd=True, dtype=list(FLOATS), ensure_all_finite=False, input_name="X")
        sequences = _from_block(X) if windows is None else _from_windows(windows)
    else:
        sequences = _from_ragged(X)
    if n_channels is not None and sequences.n_channels != n_channels:
        raise ValueError(
            f"X has {sequences.n_channels} channels, but {n_channels} were expected as in `fit`. "
            "The third axis of X must hold the same channels in the same order."
        )
    if sequences.tokens is None:
        _check_finite(sequences)
    return sequences


def is_plain(X: Any, *, ndim: int) -> bool:
    """Whether X is an array that scikit-learn's check of types and shapes would leave as it is.

    That check takes longer than a small net does for one row.
    """
    return type(X) is np.ndarray and X.ndim == ndim and X.size > 0 and X.dtype in FLOATS


def all_finite(X: np.ndarray) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(np.isfinite(X).all())


def is_sequence_input(X: Any) -> bool:
    """Whether X is 3-D or ragged, and so not an ordinary table."""
    if isinstance(X, (Windows, EmbeddedTokens)) or getattr(X, "ndim", None) == 3:
        return True
    if hasattr(X, "iloc") and X.ndim == 1:
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        ragged = X.dtype == object and X.ndim == 1 and len(X) > 0
        return ragged and all(_depth(sequence) in (1, 2) for sequence in X)
    if not isinstance(X, (list, tuple)) or not X:
        return False
    depths = {_depth(sequence) for sequence in X}
    if depths == {2}:
        return True
    return depths == {1} and len({len(sequence) for sequence in X}) > 1  # equal lengths: an ordinary table


def check_no_texts(X: Any, estimator_name: str) -> None:
    """Raise ValueError for texts, lists of words and ids, which are no numbers that a net could read."""
    if isinstance(X, TokenIds):
        raise ValueError(
            "X is the `ids` of tokens, and ids are no values. Pass what TokenEmbedder gives (EmbeddedTokens) itself."
        )
    if holds_texts(X):
        column = f" of the column of texts, X[{X.columns[0]!r}]" if hasattr(X, "columns") else ""
        raise ValueError(
            f"X holds texts or words, and {estimator_name} reads numbers or tokens. Put TokenEmbedder in front"
            f"{column}: make_pipeline(TokenEmbedder(), {estimator_name}())."
        )


def holds_texts(X: Any) -> bool:
    """Whether X begins with a text, a list of words, or in a frame of one column with a text."""
    if isinstance(X, str):
        return True
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        return X.shape[1] == 1 and len(X) > 0 and isinstance(X.iloc[0, 0], str)
    if not isinstance(X, (list, tuple)) and getattr(X, "ndim", None) != 1:
        return False
    first = next(iter(X), None)
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    return isinstance(first, str)


def _depth(sequence: Any) -> int:
    """Number of axes of one sequence: 0 for a number, -1 for what cannot be a sequence."""
    if isinstance(sequence, numbers.Number):
        return 0
    if isinstance(sequence, (str, bytes, dict)):
        return -1
    if hasattr(sequence, "ndim"):
        return int(sequence.ndim)
    if not isinstance(sequence, (list, tuple)):
        return -1
    return 1 + _depth(sequence[0]) if len(sequence) else 1


def table_sequences(X: np.ndarray, n_channels: int | None) -> Sequences:
    """Read a finite 2-D array as sequences: oldest step first, channels fastest.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_steps * n_channels)
    n_channels : int or None
        None means 1.

    Raises
    ------
    ValueError
        When the number of columns is no multiple of `n_channels`.
    """
    n_samples, n_columns = X.shape
    channels = n_channels or 1
    if n_columns % channels:
        raise ValueError(
            f"X has {n_columns} columns, which is no multiple of n_channels={channels}. "
            "Columns are read oldest step first, channels fastest (a_lag1, b_lag1, a_lag0, b_lag0)."
        )
    n_steps = n_columns // channels
    first = np.arange(n_samples) * n_steps
    base = X.reshape(n_samples * n_steps, channels)
    return Sequences(base, first, first + n_steps - 1, n_steps, layout="table")


def windows_of_view(X: np.ndarray) -> Windows | None:
    """Recognise a strided view of overlapping windows and return it as `Windows` over its own memory.

    Neighbouring samples of such a view share rows: going one sample on is going `stride` steps on, with a stride
    shorter than the window. Leading all-NaN rows of the base are padding. None for any other array.
    """
    n_samples, n_steps, n_channels = X.shape
    sample_stride, step_stride, channel_stride = X.strides
    if X.dtype.kind not in "fiub" or n_samples < 2 or n_steps < 2 or step_stride <= 0 or sample_stride % step_stride:
        return None
    stride = sample_stride // step_stride
    if not 0 < stride < n_steps:
        return None
    n_rows = (n_samples - 1) * stride + n_steps
    base = np.lib.stride_tricks.as_strided(X, (n_rows, n_channels), (step_stride, channel_stride), writeable=False)
    if base.dtype not in FLOATS:
        base = base.astype(np.float64)  # of the base, which is much smaller than the windows
    is_padding = np.isnan(base[:n_steps]).all(axis=1)
    if is_padding.all() or np.isnan(base[-1]).all():  # windows of padding only, or padding behind: not as windows
        return None
    padding = is_padding.argmin()
    ends = np.arange(n_samples) * stride + n_steps - 1
    # the same number for every sample: a view of one number, not one for each sample
    starts, series = (np.broadcast_to(np.int64(constant), n_samples) for constant in (padding, 0))
    return Windows(base, ends, starts, series, n_steps)


def series_of_single_steps(sequences: Sequences) -> Sequences:
    """Read samples of one step each as the rows of one series, in their order (a window of 1 on an array)."""
    apart = sequences.are_windows or sequences.layout == "table" or sequences.tokens is not None
    if apart or not (sequences.lengths == 1).all():
        return sequences
    zeros = np.zeros(len(sequences), dtype=np.int64)
    return replace(sequences, segment=zeros, series=zeros)


def _from_windows(windows: Windows) -> Sequences:
    base = windows.base if windows.base.dtype in FLOATS else windows.base.astype(np.float64)
    last = np.asarray(windows.ends, dtype=np.int64)
    segment = np.asarray(windows.starts, dtype=np.int64)
    _check_not_empty(len(last))
    first = last - windows.window + 1
    np.maximum(first, segment, out=first)
    _check_not_padding_only(first <= last)
    series = np.asarray(windows.series, dtype=np.int64)
    return Sequences(base, first, last, windows.window, segment, series, windows.channel_names)


def _from_tokens(tokens: EmbeddedTokens) -> Sequences:
    first = np.ascontiguousarray(tokens.firsts, dtype=np.int64)  # reversed documents, for example
    lengths = np.ascontiguousarray(tokens.lengths, dtype=np.int64)
    _check_not_empty(len(first))
    n_steps = int(lengths.max())
    padding = np.zeros_like(first)
    last = first + lengths - 1
    return Sequences(tokens.flat_ids, first, last, n_steps, padding=padding, passed_steps=lengths, tokens=tokens)


def _from_block(X: np.ndarray) -> Sequences:
    n_samples, n_steps, n_channels = X.shape
    _check_not_empty(n_samples)
    base = X.reshape(n_samples * n_steps, n_channels)
    first = np.arange(n_samples) * n_steps
    last, padding = first + n_steps - 1, np.zeros(n_samples, dtype=np.int64)
    is_nan = np.isnan(X)
    if is_nan.any() or not X.size:
        valid = ~is_nan.all(axis=2)  # (n_samples, n_steps)
        _check_not_padding_only(valid.any(axis=1))
        padding = valid.argmax(axis=1)
        first, last = first + padding, last - valid[:, ::-1].argmax(axis=1)
    return Sequences(base, first, last, n_steps, padding=padding)


def _from_ragged(X: Any) -> Sequences:
    _check_not_empty(len(X))
    arrays = []
    for i, sequence in enumerate(X):
        try:
            array = np.asarray(sequence)
        except ValueError as error:
            raise ValueError(f"Sequence {i} of X is no array of numbers: {error}.") from error
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not len(array):
            raise ValueError(
                f"Sequence {i} of X must be an array of shape (n_steps, n_channels) with at least one step, "
                f"got shape {np.shape(sequence)}. Drop it, or give it a step."
            )
        arrays.append(array)
    names = _names_of_frames(X)
    widths = [array.shape[1] for array in arrays]
    if len(set(widths)) > 1:
        odd = next(i for i, width in enumerate(widths) if width != widths[0])
        raise ValueError(
            f"The sequences of X must have the same number of channels, but sequence 0 has {widths[0]} and "
            f"sequence {odd} has {widths[odd]}."
        )
    lengths = np.array([len(array) for array in arrays])
    try:
        base = np.concatenate(arrays)
        base = base if base.dtype in FLOATS else base.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The sequences of X must hold numbers only: {error}.") from error
    last = np.cumsum(lengths) - 1
    begin = first = last - lengths + 1
    valid = ~np.isnan(base).all(axis=1)  # (n_rows,)
    if not valid.all():
        first, last = _trim(valid, first, last)
    n_steps = int(lengths.max())
    return Sequences(base, first, last, n_steps, channel_names=names, padding=first - begin, passed_steps=lengths)


def _names_of_frames(X: Any) -> tuple[str, ...] | None:
    """The column names of a list of DataFrames, which must all have the same; None for other sequences."""
    if not all(hasattr(sequence, "columns") for sequence in X):
        return None
    columns = [list(sequence.columns) for sequence in X]
    for i, names in enumerate(columns):
        if names != columns[0]:
            raise ValueError(
                f"The sequences of X must have the same columns in the same order, but sequence 0 has {columns[0]} "
                f"and sequence {i} has {names}."
            )
    return tuple(columns[0]) if all(isinstance(name, str) for name in columns[0]) else None


def _trim(valid: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move `first` and `last` inward past all-NaN rows."""
    n_rows = len(valid)
    rows = np.arange(n_rows)
    following = np.minimum.accumulate(np.where(valid, rows, n_rows)[::-1])[::-1]  # next valid row
    preceding = np.maximum.accumulate(np.where(valid, rows, -1))  # last valid row
    _check_not_padding_only(following[first] <= last)
    return following[first], preceding[last]


def _check_not_empty(n_samples: int) -> None:
    if not n_samples:
        raise ValueError("Found array with 0 sample(s) in X while a minimum of 1 is required.")


def _check_not_padding_only(has_steps: np.ndarray) -> None:
    if not has_steps.all():
        raise ValueError(
            f"Sequence {int(np.argmin(has_steps))} of X holds padding (all-NaN steps) only. "
            "Drop it, or give it at least one known step."
        )


def _check_finite(sequences: Sequences, rows_at_once: int = 65536) -> None:
    """Raise for NaN or infinity inside a sequence; the base is read in blocks, so that no large mask is built."""
    base = sequences.base
    oldest, newest = int(sequences.first.min()), int(sequences.last.max())  # no sequence reads beyond these
    for begin in range(oldest, newest + 1, rows_at_once):
        end = min(begin + rows_at_once, newest + 1)
        finite = np.isfinite(base[begin:end])
        if finite.all():
            continue
        wrong = np.flatnonzero(~finite.all(axis=1)) + begin
        used = sequences.row_weights()[wrong] > 0
        if not used.any():
            continue
        row = int(wrong[used][0])
        sample = int(np.argmax((sequences.first <= row) & (sequences.last >= row)))
        kind = "NaN" if np.isnan(base[row]).any() else "infinity"
        raise ValueError(
            f"Input X contains {kind}: sequence {sample} has it at step {row - int(sequences.first[sample])} of its "
            f"valid steps. NaN is read as padding only in leading or trailing steps in which every channel is NaN; "
            "impute the others first, for example with SimpleImputer or DataFrame.ffill()."
        )
