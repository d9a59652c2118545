"""Sequence tasks with known answers: numbers that have to be remembered, and said again in order or reversed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skrnn._parameters import check_int


def make_copy_task(
    n_samples: int = 1000,
    *,
    n_values: int | tuple[int, int] = 5,
    delay: int | tuple[int, int] = 10,
    n_symbols: int | None = None,
    random_state: Any = 42,
) -> tuple[np.ndarray, np.ndarray]:
    """Make sequences whose first values have to be said again, in order, after a delay.

    It is the copying memory problem [1]_, after the long time lag problems of [2]_, with numbers in place of
    symbols so that a regressor can learn it. A sequence shows `n_values` numbers, then nothing for `delay`
    steps; then the go signal is on for `n_values` steps, at which the numbers are asked for.

    A net that remembers everything has error 0. Whatever remembers nothing can do no better than say 0.5 at each
    step: mean squared error 1 / 12 = 0.083 and mean absolute error 0.25 for numbers drawn evenly from [0, 1),
    mean squared error ``(n_symbols + 1) / (12 * (n_symbols - 1))`` with `n_symbols`. What remembers m of the
    n values has (n - m) / n of these.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of sequences, at least 1.
    n_values : int or pair of ints, default=5
        How many numbers a sequence shows, at least 1, or the fewest and the most between which each sequence
        draws.
    delay : int or pair of ints, default=10
        How many steps lie between the last number and the first answer, at least 0, or the fewest and the most.
    n_symbols : int or None, default=None
        None draws numbers evenly from [0, 1). An int of at least 2 draws from so many numbers at even distances
        from 0 to 1: with 2 they are 0 and 1.
    random_state : int, RandomState instance or None, default=42
        Seed of all that is drawn. An int gives the same sequences in every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, 2), float64
        Channel 0 is the number shown, 0 where none is; channel 1 is the go signal, 1 where an answer is asked for,
        else 0. ``n_steps = 2 * n_values + delay`` of the longest sequence. Shorter ones have all-NaN steps in
        front, which the estimators of this package read as padding.
    y : ndarray of shape (n_samples, n_steps), float64
        The answer at each step, NaN where none is asked for.

    Raises
    ------
    ValueError
        If a number is no int or too small, or a pair does not rise.

    See Also
    --------
    make_reversal_task : The values are asked for in reversed order.

    References
    ----------
    .. [1] M. Arjovsky, A. Shah and Y. Bengio, "Unitary evolution recurrent neural networks", ICML 2016, section
       on experiments. There the go signal is on for one step, before the first answer.
    .. [2] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), 1735-1780.

    Examples
    --------
    >>> from skrnn.datasets import make_copy_task
    >>> X, y = make_copy_task(100, n_values=2, delay=3)
    >>> X.shape, y.shape
    ((100, 7, 2), (100, 7))
    >>> X[0].T.round(2)  # the numbers shown, the go signal
    array([[0.37, 0.95, 0.  , 0.  , 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  , 0.  , 0.  , 1.  , 1.  ]])
    >>> y[0].round(2)
    array([ nan,  nan,  nan,  nan,  nan, 0.37, 0.95])
    """
    return _show_and_ask(n_samples, n_values, delay, n_symbols, random_state, reverse=False)


def make_reversal_task(
    n_samples: int = 1000,
    *,
    n_values: int | tuple[int, int] = 5,
    n_symbols: int | None = None,
    random_state: Any = 42,
) -> tuple[np.ndarray, np.ndarray]:
    """Make sequences whose first half has to be said again in reversed order in the second half [1]_.

    A sequence shows `n_values` numbers; then the go signal is on for as many steps, at which the numbers are
    asked for, the last one first. The number shown first is remembered longest.

    A net that remembers everything has error 0. Whatever remembers nothing can do no better than say 0.5 at each
    step: mean squared error 1 / 12 = 0.083 and mean absolute error 0.25 for numbers drawn evenly from [0, 1),
    mean squared error ``(n_symbols + 1) / (12 * (n_symbols - 1))`` with `n_symbols`. What remembers m of the
    n values has (n - m) / n of these.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of sequences, at least 1.
    n_values : int or pair of ints, default=5
        How many numbers a sequence shows, at least 1, or the fewest and the most between which each sequence
        draws.
    n_symbols : int or None, default=None
        None draws numbers evenly from [0, 1). An int of at least 2 draws from so many numbers at even distances
        from 0 to 1: with 2 they are 0 and 1.
    random_state : int, RandomState instance or None, default=42
        Seed of all that is drawn. An int gives the same sequences in every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, 2), float64
        Channel 0 is the number shown, 0 where none is; channel 1 is the go signal, 1 where an answer is asked for,
        else 0. ``n_steps = 2 * n_values`` of the longest sequence. Shorter ones have all-NaN steps in front,
        which the estimators of this package read as padding.
    y : ndarray of shape (n_samples, n_steps), float64
        The answer at each step, NaN where none is asked for.

    Raises
    ------
    ValueError
        If a number is no int or too small, or a pair does not rise.

    See Also
    --------
    make_copy_task : The values are asked for in the order shown, after a delay.

    References
    ----------
    .. [1] E. Grefenstette, K. M. Hermann, M. Suleyman and P. Blunsom, "Learning to transduce with unbounded
       memory", NIPS 2015, the task of sequence reversal.

    Examples
    --------
    >>> from skrnn.datasets import make_reversal_task
    >>> X, y = make_reversal_task(100, n_values=3, n_symbols=5)
    >>> X[0].T  # the numbers shown, the go signal
    array([[0.25, 1.  , 0.75, 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  , 1.  , 1.  , 1.  ]])
    >>> y[0]
    array([ nan,  nan,  nan, 0.75, 1.  , 0.25])

    Sequences of unequal lengths are padded in front:

    >>> X, y = make_reversal_task(100, n_values=(1, 3), n_symbols=5)
    >>> X[1].T
    array([[nan, nan, 0.5, 0. , 0. , 0. ],
           [nan, nan, 0. , 0. , 1. , 1. ]])
    """
    return _show_and_ask(n_samples, n_values, 0, n_symbols, random_state, reverse=True)


def _show_and_ask(
    n_samples: int, n_values: Any, delay: Any, n_symbols: int | None, random_state: Any, *, reverse: bool
) -> tuple[np.ndarray, np.ndarray]:
    check_int("n_samples", n_samples, low=1)
    fewest, most = _check_range("n_values", n_values, low=1)
    shortest, longest = _check_range("delay", delay, low=0)
    if n_symbols is not None:
        check_int("n_symbols", n_symbols, low=2)
    rng = check_random_state(random_state)
    values = rng.uniform(size=(n_samples, most))
    if n_symbols is not None:
        values = np.floor(values * n_symbols) / (n_symbols - 1)
    sizes = rng.randint(fewest, most + 1, size=(n_samples, 1))
    asked_from = sizes + rng.randint(shortest, longest + 1, size=(n_samples, 1))

    n_steps = asked_from + sizes  # (n_samples, 1)
    step = np.arange(n_steps.max()) - (n_steps.max() - n_steps)  # (n_samples, n_steps), negative in the padding
    shown = (step >= 0) & (step < sizes)
    asked = step >= asked_from
    place = step - asked_from  # which answer it is, counted from 0
    if reverse:
        place = sizes - 1 - place
    X = np.stack([np.zeros(step.shape), asked.astype(float)], axis=-1)  # (n_samples, n_steps, 2)
    y = np.full(step.shape, np.nan)
    X[shown, 0] = values[np.nonzero(shown)[0], step[shown]]
    y[asked] = values[np.nonzero(asked)[0], place[asked]]
    X[step < 0] = np.nan
    return X, y


def _check_range(name: str, value: Any, *, low: int) -> tuple[int, int]:
    """Return the least and the greatest value of a number that may vary."""
    if not isinstance(value, (tuple, list)):
        return (check_int(name, value, low=low),) * 2
    if len(value) != 2:
        raise ValueError(f"`{name}` must be an int of at least {low} or a pair of them, got {value!r}.")
    least = check_int(f"{name}[0]", value[0], low=low)
    return least, check_int(f"{name}[1]", value[1], low=least)
