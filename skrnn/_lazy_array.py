"""What every lazy array of samples shares: its index, one sample or many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np


class LazyArray(ABC):
    """An array of shape (n_samples, n_steps, n_channels) that is dense only where it is asked to be.

    A subclass keeps some arrays with one entry for each sample. It says how to cut them (`_take`), its shape, and
    how to become dense (``__array__``); a selection of samples is then lazy again.
    """

    ndim = 3

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]: ...

    @abstractmethod
    def _take(self, key: Any) -> Any:
        """Return the samples of a slice or of a 1-D array of ints or bools, lazy."""

    @abstractmethod
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray: ...

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        for i in range(len(self)):
            yield self[i]

    def __getitem__(self, key: Any) -> Any:
        """Select samples: an int gives a dense (n_steps, n_channels) array, anything else a lazy one.

        A tuple that goes on to steps or channels, such as ``X[:, -1]``, indexes the dense block (of the
        samples named, where those are an int or a slice).
        """
        if isinstance(key, tuple):
            if len(key) == 2 and key[1] is Ellipsis:  # what scikit-learn sends
                key = key[0]
            elif key and isinstance(key[0], slice):
                return np.asarray(self[key[0]])[(slice(None), *key[1:])]
            elif key and isinstance(key[0], (int, np.integer)) and not isinstance(key[0], bool):
                return np.asarray(self[[key[0]]])[(0, *key[1:])]
            else:
                return np.asarray(self)[key]
        if key is Ellipsis:
            return self
        if isinstance(key, slice):
            return self._take(key)
        key = np.asarray(key)
        if key.ndim == 0 and np.issubdtype(key.dtype, np.integer):
            return np.asarray(self._take(key[None]))[0]
        if key.size == 0:
            key = key.astype(np.intp)
        if key.ndim != 1 or not (key.dtype == bool or np.issubdtype(key.dtype, np.integer)):
            raise IndexError(
                f"{type(self).__name__} take an int, a slice, or a 1-D array of ints or bools as the index of "
                f"samples, got an array of shape {key.shape} and dtype {key.dtype}."
            )
        return self._take(key)
