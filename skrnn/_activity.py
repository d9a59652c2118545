"""Artificial measurements of a body in motion, as an accelerometer and a gyroscope would give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation
from sklearn.utils import check_random_state

from skrnn._parameters import check_float, check_int

ACTIVITIES = ("downstairs", "lying", "running", "standing", "upstairs", "walking")

_RATE = 25.0  # measurements a second
_STEPS_PER_SECOND = {"downstairs": 1.7, "running": 2.6, "upstairs": 1.7, "walking": 1.9}
_SIZE = {"downstairs": 0.4, "running": 0.9, "upstairs": 0.4, "walking": 0.4}  # of the vertical acceleration, in g


def make_activity(
    n_samples: int = 300,
    *,
    n_steps: int | tuple[int, int] = 100,
    n_subjects: int = 10,
    noise: float = 0.15,
    random_state: Any = 42,
) -> tuple[np.ndarray | list[np.ndarray], np.ndarray, np.ndarray]:
    """Make measurements of people in motion, 25 a second, and what they were doing.

    Six activities are equally frequent, so the best constant answer is right in a sixth of all cases. Lying and
    standing differ in where gravity points; running is faster and stronger than walking. Upstairs, the vertical
    acceleration rises slowly and falls fast in each step, downstairs it falls slowly and rises fast: the one is the
    other played backwards, with the same mean, variance and spectrum, so only what reads the sequence in its order
    can tell them apart. Of new people, classifiers of the channels' means and deviations get about two thirds right,
    a small recurrent net trained on 400 sequences more than .95.

    People differ in their rhythm, their strength and how they wear the sensor. Hold out people, not samples, to see
    how well a classifier does with new ones: ``GroupKFold`` with `subjects` as groups.

    Parameters
    ----------
    n_samples : int, default=300
        Number of sequences, at least 1.
    n_steps : int or pair of ints, default=100
        How many measurements a sequence has, at least 2, or the fewest and the most between which each sequence
        draws.
    n_subjects : int, default=10
        Number of people, at least 1.
    noise : float, default=0.15
        Standard deviation of the error of measurement, at least 0: of the acceleration in g, of the angular velocity
        twice the number in radians per second.
    random_state : int, RandomState instance or None, default=42
        Seed of all that is drawn. An int gives the same sequences in every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, 6), or list of n_samples arrays (n_steps_i, 6), float64
        Acceleration along three axes, gravity included (g; upright, the first axis points up), and angular velocity
        about them (radians per second). A list if `n_steps` is a pair.
    y : ndarray of shape (n_samples,), str
        "downstairs", "lying", "running", "standing", "upstairs" or "walking".
    subjects : ndarray of shape (n_samples,), int64
        Which person it is, from 0.

    Raises
    ------
    ValueError
        If a number is no int or too small, a pair does not rise, or `noise` is negative.

    See Also
    --------
    read_ts : Sequences of this kind from a file.

    Examples
    --------
    >>> from skrnn.datasets import make_activity
    >>> X, y, subjects = make_activity(60)
    >>> X.shape
    (60, 100, 6)
    >>> y[2:5].tolist(), subjects[2:5].tolist()
    (['standing', 'lying', 'upstairs'], [9, 8, 8])

    Sequences of unequal lengths:

    >>> X, y, subjects = make_activity(60, n_steps=(40, 120))
    >>> [x.shape for x in X[:3]]
    [(83, 6), (71, 6), (109, 6)]
    """
    check_int("n_samples", n_samples, low=1)
    shortest, longest = _check_lengths(n_steps)
    check_int("n_subjects", n_subjects, low=1)
    check_float("noise", noise, low=0)
    rng = check_random_state(random_state)
    tempo = rng.uniform(0.9, 1.1, size=n_subjects)
    strength = rng.uniform(0.75, 1.3, size=n_subjects)
    worn = Rotation.from_rotvec(rng.normal(scale=0.15, size=(n_subjects, 3))).as_matrix()
    subjects = rng.randint(n_subjects, size=n_samples)
    y = np.array(ACTIVITIES)[rng.permutation(n_samples) % len(ACTIVITIES)]
    lengths = rng.randint(shortest, longest + 1, size=n_samples)
    X = []
    for activity, person, length in zip(y.tolist(), subjects, lengths, strict=True):
        measured = _motion(rng, activity, length, tempo[person], strength[person])  # (length, 2, 3)
        measured = measured @ worn[person].T
        measured += noise * np.array([[1.0], [2.0]]) * rng.standard_normal(measured.shape)
        X.append(measured.reshape(length, 6))
    return (X if isinstance(n_steps, (tuple, list)) else np.stack(X)), y, subjects.astype(np.int64)


def _motion(rng: np.random.RandomState, activity: str, length: int, tempo: float, strength: float) -> np.ndarray:
    """Acceleration in g and angular velocity in rad/s along three axes, (length, 2, 3)."""
    found = np.zeros((length, 2, 3))
    found[:, 0, 2 if activity == "lying" else 0] = 1.0  # gravity
    if activity not in _SIZE:
        return found
    pace = _STEPS_PER_SECOND[activity] * tempo * rng.uniform(0.95, 1.05)
    size = _SIZE[activity] * strength * rng.uniform(0.9, 1.1)
    wander = 0.1 * rng.standard_normal(length).cumsum()
    phase = 2 * np.pi * (pace * np.arange(length) / _RATE + rng.uniform()) + wander  # of a step
    found[:, 0, 0] += size * _vertical(activity, phase)
    found[:, 0, 2] += 0.5 * size * np.cos(phase)
    found[:, 1, 1] += 2.0 * size * np.cos(phase / 2)  # a leg swings once in two steps
    return found


def _vertical(activity: str, phase: np.ndarray) -> np.ndarray:
    """The vertical acceleration over a step: a wave, or a saw whose teeth lean one way or the other."""
    if activity in ("running", "walking"):
        return np.sin(phase)
    saw = sum(np.sin(k * phase) / k for k in (1, 2, 3)) / 1.1667  # falls slowly, rises fast; variance of a sine
    return saw if activity == "downstairs" else -saw


def _check_lengths(n_steps: Any) -> tuple[int, int]:
    """Return the fewest and the most steps of a sequence."""
    if not isinstance(n_steps, (tuple, list)):
        return (check_int("n_steps", n_steps, low=2),) * 2
    if len(n_steps) != 2:
        raise ValueError(f"`n_steps` must be an int of at least 2 or a pair of them, got {n_steps!r}.")
    fewest = check_int("n_steps[0]", n_steps[0], low=2)
    return fewest, check_int("n_steps[1]", n_steps[1], low=fewest)
