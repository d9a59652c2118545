"""Where the rows of a series stand among the samples, and whether a target is the future of a channel."""

from __future__ import annotations

import numpy as np

from skrnn._validation import Sequences

UNKNOWN = -1  # channel of a target column that is no channel of X
MATCH_ROWS = 32  # samples compared before a whole column is
FAR = 10**5  # how much stronger the evidence must be for a first column that is not the next value
COINCIDENCE = 0.05  # a match by chance must be less likely than this
MATCH_SHIFTS = 1024  # the furthest future step that is looked for


def is_no_coincidence(values: np.ndarray, n_tried: int) -> bool:
    """Whether so many equal values are too many for chance.

    Two values of y drawn at random are equal with a probability p, so n of them agree with a series that has nothing
    to do with y with probability p**n, in any of `n_tried` comparisons with n_tried * p**n. Numbers with many
    digits convince after a handful of rows, zeros and ones after a dozen or two.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The values of y that were found equal.
    n_tried : int
    """
    share = np.unique(values, return_counts=True)[1] / max(len(values), 1)
    probability = (share**2).sum()
    return len(values) > 1 and n_tried * probability ** len(values) < COINCIDENCE


class RowMap:
    """Which sample ends on which base row, so that the sample some steps ahead can be looked up."""

    def __init__(self, sequences: Sequences) -> None:
        assert sequences.segment is not None
        assert sequences.series is not None
        self.base = sequences.base
        self.last = sequences.last
        self.segment = sequences.segment
        self.series = sequences.series
        self.newest = np.full(int(self.series.max()) + 1, -1)  # last base row of each series in this call
        np.maximum.at(self.newest, self.series, self.last)
        self.sample_at = np.full(len(self.base), -1, dtype=np.int32)  # base row -> sample, -1 where none ends
        self.sample_at[self.last] = np.arange(len(self.last), dtype=np.int32)

    def ahead(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The sample `step` rows after each sample (n_samples,), and whether it is there in the same segment."""
        return self._sample_on(self.last + step, self.segment)

    def _sample_on(self, row: np.ndarray, segment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sample that ends on each base row, and whether there is one and it belongs to `segment`."""
        inside = row < len(self.base)
        sample = self.sample_at[np.where(inside, row, 0)]
        return sample, inside & (sample >= 0) & (self.segment[sample] == segment)

    def is_beyond(self, step: int) -> np.ndarray:
        """Whether `step` rows after a sample lies after the last row of its series in this call, (n_samples,)."""
        return self.last + step > self.newest[self.series]

    def longest_segment(self) -> int:
        return int(np.unique(self.segment, return_counts=True)[1].max())

    def find(
        self, y: np.ndarray, channel: int, guess: tuple[int, int] | None, *, shifts: range | None = None
    ) -> tuple[int, int] | None:
        """The (channel, shift) for which y[t] is the channel's value `shift` rows after t, wherever both are known.

        `channel` restricts the search (-1: all), `shifts` are those to try (default: the future up to `MATCH_SHIFTS`
        rows); a constant y matches nothing. `guess` is tried first and taken where nothing speaks against it: the
        furthest steps of a short fold lie beyond its rows, so that nothing can speak for it.
        """
        known = np.flatnonzero(~np.isnan(y))
        y = y.astype(self.base.dtype)
        if guess is not None and channel in (UNKNOWN, guess[0]):
            ahead, here = self._ahead_and_here(y, known, *guess)
            if (ahead == here).all():
                return guess
        if len(known) < 2 or (y[known] == y[known[0]]).all():
            return None
        tried = range(1, min(MATCH_SHIFTS, len(self.base) - 1) + 1) if shifts is None else shifts
        for shift, candidate in self._candidates(y, known[:MATCH_ROWS], np.arange(tried.start, tried.stop)):
            if channel in (UNKNOWN, candidate) and self._matches(y, known, candidate, shift):
                return candidate, shift
        return None

    def _candidates(self, y: np.ndarray, few: np.ndarray, shifts: np.ndarray) -> list[tuple[int, int]]:
        """The (shift, channel) pairs that no one of a few samples contradicts, nearest shift first."""
        possible = np.ones((len(shifts), self.base.shape[1]), dtype=bool)
        for t in few:
            row = self.last[t] + shifts  # (n_shifts,)
            _, there = self._sample_on(row, self.segment[t])
            possible &= ~there[:, None] | (self.base[np.where(there, row, 0)] == y[t])
        return [(int(shifts[i]), int(j)) for i, j in np.argwhere(possible)]

    def _matches(self, y: np.ndarray, known: np.ndarray, channel: int, shift: int) -> bool:
        """Whether y equals the channel `shift` rows on at half of the known samples or more, and not by chance."""
        ahead, here = self._ahead_and_here(y, known, channel, shift)
        if 2 * len(here) < len(known) or not (ahead == here).all():
            return False
        n_tried = (shift + 1) * self.base.shape[1]
        return is_no_coincidence(here, n_tried if shift <= 1 else FAR * n_tried)

    def _ahead_and_here(
        self, y: np.ndarray, known: np.ndarray, channel: int, shift: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The channel `shift` rows on, and y, for the known samples that have such a row in their segment."""
        row = self.last[known] + shift
        _, there = self._sample_on(row, self.segment[known])
        return self.base[row[there], channel], y[known[there]]
