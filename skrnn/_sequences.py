"""Windows of series as a lazy array: what stands for (n_samples, n_steps, n_channels) without being that large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skrnn._lazy_array import LazyArray

_CHUNK = 4096  # samples gathered at once when a dense block is built: bounds the index block


class Windows(LazyArray):
    """Windows of one or many series as a lazy array of shape (n_samples, window, n_channels).

    Sample ``i`` holds rows ``max(starts[i], ends[i] - window + 1), ..., ends[i]`` of `base`. Where that is
    fewer than `window` rows, the dense form has all-NaN steps in front. Slices and index arrays cut the
    per-sample arrays and share `base`; ``np.asarray`` gives the dense block. A window is never built before.

    Parameters
    ----------
    base : ndarray of shape (n_rows, n_channels)
        The rows of all series, float32 or float64. Within a series rows follow time.
    ends : array-like of shape (n_samples,)
        The row of `base` on which each window ends.
    starts : array-like of shape (n_samples,)
        The first row of the segment of each window: a series, or its piece between two holes. Windows with
        the same start belong to the same segment, and `ends` counts its rows.
    series : array-like of shape (n_samples,)
        The int code of the series of each window.
    window : int
        The number of steps of a window.
    channel_names : tuple of str, default=None
        The names of the columns of `base`, if they have any.

    Attributes
    ----------
    shape : tuple
        ``(n_samples, window, n_channels)``.
    dtype : dtype
        The dtype of `base`.
    lengths : ndarray of shape (n_samples,)
        How many rows of each window are not padding: at least 1, at most `window`.
    nbytes : int
        The bytes held: `base` and three ints per sample, not the dense block.

    Raises
    ------
    TypeError
        If `base` has no float dtype: only floats can hold the NaN of the padding.
    ValueError
        If shapes do not fit, or ``0 <= starts <= ends < n_rows`` does not hold.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import Windows
    >>> base = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])  # a series of 3 rows and one of 2
    >>> X = Windows(base, ends=[0, 1, 2, 3, 4], starts=[0, 0, 0, 3, 3], series=[0, 0, 0, 1, 1], window=2)
    >>> X
    Windows(n_samples=5, window=2, n_channels=1, n_series=2, dtype=float64)
    >>> np.asarray(X)[:, :, 0]
    array([[nan,  0.],
           [ 0.,  1.],
           [ 1.,  2.],
           [nan, 10.],
           [10., 11.]])
    >>> X[[4, 0]].lengths
    array([2, 1])
    """

    def __init__(
        self,
        base: np.ndarray,
        ends: Any,
        starts: Any,
        series: Any,
        window: int,
        channel_names: Sequence[str] | None = None,
    ) -> None:
        base = np.asarray(base)
        if base.ndim != 2:
            raise ValueError(f"`base` must have shape (n_rows, n_channels), got shape {base.shape}.")
        if not np.issubdtype(base.dtype, np.floating):
            raise TypeError(f"`base` must have a float dtype, got {base.dtype}: use astype(float).")
        if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1:
            raise ValueError(f"`window` must be an int of at least 1, got {window!r}.")
        self.base = base
        self.ends = np.asarray(ends, dtype=np.intp)
        self.starts = np.asarray(starts, dtype=np.intp)
        self.series = np.asarray(series, dtype=np.intp)
        self.window = int(window)
        self.channel_names = None if channel_names is None else tuple(channel_names)
        self._check()

    def _check(self) -> None:
        n_samples = len(self.ends)
        for name in ("ends", "starts", "series"):
            if getattr(self, name).shape != (n_samples,):
                found = getattr(self, name).shape
                raise ValueError(f"`{name}` must have shape ({n_samples},), as `ends`, got shape {found}.")
        if n_samples and not (
            self.starts.min() >= 0 and (self.starts <= self.ends).all() and self.ends.max() < len(self.base)
        ):
            raise ValueError(
                f"0 <= `starts` <= `ends` < {len(self.base)} (the rows of `base`) must hold, got starts from "
                f"{self.starts.min()} and ends from {self.ends.min()} to {self.ends.max()}."
            )
        if self.channel_names is not None and len(self.channel_names) != self.base.shape[1]:
            raise ValueError(
                f"`channel_names` must hold {self.base.shape[1]} names, one for each column of `base`, "
                f"got {len(self.channel_names)}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.ends), self.window, self.base.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self.base.dtype

    @property
    def lengths(self) -> np.ndarray:
        return np.minimum(self.window, self.ends - self.starts + 1)

    @property
    def nbytes(self) -> int:
        return self.base.nbytes + self.ends.nbytes + self.starts.nbytes + self.series.nbytes

    def __repr__(self) -> str:
        names = "" if self.channel_names is None else f", channel_names={self.channel_names!r}"
        return (
            f"Windows(n_samples={len(self)}, window={self.window}, n_channels={self.base.shape[1]}, "
            f"n_series={len(np.unique(self.series))}, dtype={self.dtype}{names})"
        )

    def _take(self, key: Any) -> Windows:
        taken = object.__new__(Windows)  # every check has been made
        taken.base, taken.window, taken.channel_names = self.base, self.window, self.channel_names
        taken.ends, taken.starts, taken.series = self.ends[key], self.starts[key], self.series[key]
        return taken

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Windows cannot become a dense array without a copy: leave `copy` at None.")
        dense = np.empty(self.shape, dtype=self.dtype)
        steps = np.arange(1 - self.window, 1)
        for first in range(0, len(self), _CHUNK):
            part = slice(first, first + _CHUNK)
            rows = self.ends[part, None] + steps  # (chunk, window)
            padding = rows < self.starts[part, None]
            dense[part] = self.base[np.maximum(rows, 0, out=rows)]
            dense[part][padding] = np.nan
        return dense.astype(self.dtype if dtype is None else dtype, copy=False)

    def __reduce__(self) -> tuple:
        return _restore, self._trimmed()

    def _trimmed(self) -> tuple:
        """The state, with `base` cut to the span of rows that each segment's windows need.

        Rows inside a span stay even when no window needs them: the distance of two ends of a segment is a
        time, which targets are looked up by.
        """
        state = (self.base, self.ends, self.starts, self.series, self.window, self.channel_names)
        segments, segment = np.unique(self.starts, return_inverse=True)
        low = np.full(len(segments), len(self.base))
        high = np.full(len(segments), -1)
        np.minimum.at(low, segment, np.maximum(self.starts, self.ends - self.window + 1))
        np.maximum.at(high, segment, self.ends)
        sizes = high - low + 1
        if sizes.sum() >= len(self.base):
            return state
        firsts = np.cumsum(sizes) - sizes  # where each span begins in the new base
        shift = firsts - low
        rows = np.arange(sizes.sum()) - np.repeat(shift, sizes)
        return (self.base[rows], self.ends + shift[segment], firsts[segment], *state[3:])


def _restore(
    base: np.ndarray, ends: np.ndarray, starts: np.ndarray, series: np.ndarray, window: int, names: Any
) -> Windows:
    return Windows(base, ends, starts, series, window, names)
