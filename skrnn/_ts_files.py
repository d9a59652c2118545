"""Labelled sequences from `.ts` files, the form of the UEA and UCR archives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def read_ts(path: str | os.PathLike[str]) -> tuple[np.ndarray | list[np.ndarray], np.ndarray | None]:
    """Read sequences and their classes from a `.ts` file, the form of the UEA archive [1]_, of sktime and of aeon.

    Lines ``@name value`` make up the header, which ends with ``@data``. Each line behind it is a sequence: the values
    of a channel between commas, the channels between colons, and at the end the class, if the header says
    ``@classLabel true``, or a number to predict, if it says ``@targetLabel true``. Lines that begin with ``#`` are
    comments.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, n_channels), or list of n_samples arrays (n_steps_i, n_channels)
        float64. An array if all sequences have the same length, whatever the header says of it. Missing values
        (``?``) are NaN.
    y : ndarray of shape (n_samples,) or None
        The classes as str, or the numbers as float64. None if the header announces neither.

    Raises
    ------
    ValueError
        If there is no ``@data`` or nothing behind it, if values have time stamps, or if a line has another number of
        channels than the header or the first line, channels of unequal lengths, a class that the header does not
        list, or what is no number. The line is named.

    See Also
    --------
    read_conll : Sentences and the tags of their tokens.
    make_activity : Sequences of this kind without a file.

    References
    ----------
    .. [1] A. Bagnall et al., "The UEA multivariate time series classification archive, 2018", arXiv:1811.00075.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skrnn.datasets import read_ts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "steps.ts")
    ...     _ = path.write_text("@classLabel true up down\\n@data\\n1,2,3:0,?,0:up\\n5,4,1:1,1,0:down\\n")
    ...     X, y = read_ts(path)
    >>> X.shape
    (2, 3, 2)
    >>> X[0]
    array([[ 1.,  0.],
           [ 2., nan],
           [ 3.,  0.]])
    >>> y
    array(['up', 'down'], dtype='<U4')
    """
    header = _Header()
    sequences: list[np.ndarray] = []
    labels: list[Any] = []
    # what is not UTF-8 stands in comments only, or in classes that have to stay different
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = _filled(file)
        for number, line in lines:
            if line.startswith("@"):
                header.read(line, f"{path}, line {number}")
            if header.ended:
                break
        else:
            raise ValueError(f"{path} has no line @data, behind which the sequences stand. Is it a .ts file?")
        for number, line in lines:
            sequence, label = header.split(line, f"{path}, line {number}")
            sequences.append(sequence)
            labels.append(label)
    if not sequences:
        raise ValueError(f"{path} must hold at least one sequence behind @data, got none.")
    y = np.array(labels, dtype=float if header.label == "number" else str) if header.label else None
    return (np.stack(sequences) if len({len(each) for each in sequences}) == 1 else sequences), y


def _filled(file: Any) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is neither blank nor a comment."""
    for number, line in enumerate(file, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


@dataclass
class _Header:
    """What the lines before the data say of them."""

    ended: bool = False
    label: str = ""  # what stands behind the channels: "class", "number" or nothing
    classes: set[str] = field(default_factory=set)  # empty if not listed
    n_channels: int | None = None
    source: str = "the header"  # of the number of channels

    def read(self, line: str, where: str) -> None:
        name, *values = line.split()
        name, first = name.lower(), values[0].lower() if values else ""
        if name == "@data":
            self.ended = True
        elif name == "@classlabel" and first == "true":
            self.label, self.classes = "class", set(values[1:])
        elif name == "@targetlabel" and first == "true":
            self.label = "number"
        elif name == "@timestamps" and first == "true":
            raise ValueError(f"{where}: values with time stamps are not read; expected @timeStamps false.")
        elif name == "@univariate" and first == "true":
            self.n_channels = 1
        elif name in ("@dimension", "@dimensions"):
            if not first.isdigit() or int(first) < 1:
                raise ValueError(f"{where}: expected a number of channels of at least 1, got {first!r}.")
            self.n_channels = int(first)

    def split(self, line: str, where: str) -> tuple[np.ndarray, Any]:
        """The sequence (n_steps, n_channels) of a line and what stands behind it."""
        channels = line.split(":")
        label = channels.pop().strip() if self.label else ""
        if self.n_channels is None:
            self.n_channels, self.source = len(channels), "the first sequence"
        if len(channels) != self.n_channels:
            behind = f" and a {self.label}" if self.label else ""
            raise ValueError(
                f"{where}: expected {self.n_channels} channels{behind}, as {self.source} has it, got {len(channels)}"
                f"{behind}."
            )
        columns = [_numbers(text, f"{where}, channel {i}") for i, text in enumerate(channels)]
        lengths = [len(column) for column in columns]
        if len(set(lengths)) > 1:
            raise ValueError(f"{where}: expected as many values in each channel, got {lengths}.")
        return np.stack(columns, axis=1), self._check_label(label, where)

    def _check_label(self, label: str, where: str) -> Any:
        if self.label == "number":
            numbers = _numbers(label, f"{where}, behind the last colon")
            if len(numbers) != 1:
                raise ValueError(f"{where}: expected a number behind the last colon, got {len(numbers)} of them.")
            return numbers[0]
        if self.label == "class" and (not label or (self.classes and label not in self.classes)):
            listed = f"one of the header's classes {sorted(self.classes)}" if self.classes else "a class"
            raise ValueError(f"{where}: expected {listed} behind the last colon, got {label[:80]!r}.")
        return label


def _numbers(text: str, where: str) -> np.ndarray:
    values = [value.strip() for value in text.split(",")]
    try:
        return np.array([np.nan if value == "?" else float(value) for value in values])
    except ValueError:
        wrong = next(value for value in values if value != "?" and not _is_float(value))
        raise ValueError(f"{where}: expected numbers between commas (? where one is missing), got {wrong!r}.") from None


def _is_float(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
