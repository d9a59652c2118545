"""Trajectories of a damped pendulum: one run, or a panel of runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import odeint
from sklearn.utils import check_random_state

from skrnn._parameters import check_float, check_int, is_number

_TOLERANCE = 1e-12  # of one step of the solver, relative and absolute


def make_pendulum(
    n_steps: int = 400,
    *,
    dt: float = 0.1,
    angle: float = 1.5,
    velocity: float = 0.0,
    damping: float = 0.1,
    gravity: float = 9.81,
    length: float = 1.0,
    noise: float = 0.0,
    random_state: Any = 42,
) -> pd.DataFrame:
    """Make one trajectory of a damped pendulum, a small nonlinear system with two states.

    The angle follows ``angle'' = -(gravity / length) sin(angle) - damping * angle'``. Whoever sees the angle
    alone has to infer the velocity from its past, and then knows all that follows: without noise the error of
    the best possible forecast is 0. The energy per mass, ``(length * velocity)**2 / 2 +
    gravity * length * (1 - cos(angle))``, falls at the rate ``damping * (length * velocity)**2``.

    Parameters
    ----------
    n_steps : int, default=400
        Number of points, at least 1.
    dt : float, default=0.1
        Time from one point to the next, in seconds. Small swings of the default pendulum take about 2 s.
    angle : float, default=1.5
        Angle at time 0, in radians from hanging straight down.
    velocity : float, default=0.0
        Angular velocity at time 0, in radians per second.
    damping : float, default=0.1
        Friction, in 1 / s, at least 0: small swings shrink as ``exp(-damping * time / 2)``.
    gravity : float, default=9.81
        In m / s**2.
    length : float, default=1.0
        Length of the massless rod, in m.
    noise : float, default=0.0
        Standard deviation of the error of measurement, at least 0: in radians for the angle and in radians per
        second for the velocity, both drawn anew at each point. The motion itself has none.
    random_state : int, RandomState instance or None, default=42
        Seed of the noise. An int gives the same trajectory in every call.

    Returns
    -------
    pandas.DataFrame of shape (n_steps, 2), float64
        The columns ``"angle"`` (radians; beyond pi where the pendulum goes over the top) and ``"velocity"``
        (radians per second). The index is the time in seconds, named ``"time"``.

    Raises
    ------
    ValueError
        If `n_steps` is not an int of at least 1, if `dt`, `gravity` or `length` is not greater than 0, if
        `damping` or `noise` is negative, or if one of the numbers is not finite.

    See Also
    --------
    make_pendulum_panel : Many runs of a pendulum.

    Notes
    -----
    The equation is solved by LSODA (``scipy.integrate.odeint``) [1]_, to about eight digits over the default
    400 points.

    References
    ----------
    .. [1] L. Petzold, "Automatic selection of methods for solving stiff and nonstiff systems of ordinary
       differential equations", SIAM Journal on Scientific and Statistical Computing 4 (1983), 136-148.

    Examples
    --------
    >>> from skrnn.datasets import make_pendulum
    >>> swing = make_pendulum()
    >>> swing.round(3).head(3)
          angle  velocity
    time
    0.0   1.500     0.000
    0.1   1.451    -0.972
    0.2   1.306    -1.921

    Nothing but the angle goes in: 20 points in, the next one out.

    >>> from skrnn.windows import sliding_windows
    >>> X, y = sliding_windows(swing["angle"], window=20)
    >>> X.shape, y.shape
    ((380, 20, 1), (380,))
    """
    check_int("n_steps", n_steps, low=1)
    _check_physics(dt, gravity, length, noise)
    for name, value in {"angle": angle, "velocity": velocity}.items():
        if not is_number(value) or not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number, got {value!r}.")
    check_float("damping", damping, low=0)
    time = _times(n_steps, dt)
    states = _swing(time, angle, velocity, damping, gravity / length)
    states += noise * check_random_state(random_state).standard_normal(states.shape)
    return pd.DataFrame(states, index=time, columns=["angle", "velocity"])


def make_pendulum_panel(
    n_runs: int = 20,
    n_steps: int = 200,
    *,
    dt: float = 0.1,
    max_angle: float = 2.0,
    max_velocity: float = 2.0,
    damping: float | tuple[float, float] = 0.1,
    gravity: float = 9.81,
    length: float = 1.0,
    noise: float = 0.0,
    random_state: Any = 42,
) -> pd.DataFrame:
    """Make many runs of the pendulum of `make_pendulum`, each from a start of its own, as a panel.

    Parameters
    ----------
    n_runs : int, default=20
        Number of runs, at least 1. A run is the same whatever the number of runs.
    n_steps : int, default=200
        Number of points of each run, at least 1.
    dt : float, default=0.1
        Time from one point to the next, in seconds.
    max_angle : float, default=2.0
        The angle at time 0 is drawn evenly between ``-max_angle`` and ``max_angle``, in radians.
    max_velocity : float, default=2.0
        The angular velocity at time 0 is drawn evenly between ``-max_velocity`` and ``max_velocity``, in radians
        per second.
    damping : float or pair of floats, default=0.1
        Friction of all runs, in 1 / s, or the lowest and the highest value between which that of each run is
        drawn evenly.
    gravity : float, default=9.81
        In m / s**2.
    length : float, default=1.0
        Length of the massless rod, in m.
    noise : float, default=0.0
        Standard deviation of the error of measurement, in radians for the angle and in radians per second for
        the velocity.
    random_state : int, RandomState instance or None, default=42
        Seed of starts, friction and noise. An int gives the same panel in every call.

    Returns
    -------
    pandas.DataFrame of shape (n_runs * n_steps, 2), float64
        The columns ``"angle"`` (radians) and ``"velocity"`` (radians per second). The index has the levels
        ``"run"``, counted from 0, and ``"time"``, in seconds.

    Raises
    ------
    ValueError
        If `n_runs` or `n_steps` is not an int of at least 1, if `dt`, `gravity` or `length` is not greater than
        0, if another number is negative or not finite, or if the pair of `damping` does not rise.

    See Also
    --------
    make_pendulum : One run, with the equation and its energy.

    Examples
    --------
    >>> from skrnn.datasets import make_pendulum_panel
    >>> panel = make_pendulum_panel(n_runs=3, n_steps=200)
    >>> panel.round(3).groupby("run").head(1)
              angle  velocity
    run time
    0   0.0  -0.181     1.331
    1   0.0  -0.360     0.911
    2   0.0   1.350     1.533

    The window step takes the level of the run as its group:

    >>> from skrnn.windows import SlidingWindowTransformer
    >>> SlidingWindowTransformer(window=20, group="run").fit_transform(panel[["angle"]])
    Windows(n_samples=600, window=20, n_channels=1, n_series=3, dtype=float64, channel_names=('angle',))
    """
    check_int("n_runs", n_runs, low=1)
    check_int("n_steps", n_steps, low=1)
    _check_physics(dt, gravity, length, noise)
    check_float("max_angle", max_angle, low=0)
    check_float("max_velocity", max_velocity, low=0)
    lowest, highest = _damping_range(damping)
    time = _times(n_steps, dt)
    runs = []
    for seed in check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_runs):
        rng = np.random.RandomState(seed)
        angle, velocity = max_angle * rng.uniform(-1.0, 1.0), max_velocity * rng.uniform(-1.0, 1.0)
        states = _swing(time, angle, velocity, rng.uniform(lowest, highest), gravity / length)
        runs.append(states + noise * rng.standard_normal(states.shape))
    index = pd.MultiIndex.from_product([pd.RangeIndex(n_runs), time], names=["run", "time"])
    return pd.DataFrame(np.concatenate(runs), index=index, columns=["angle", "velocity"])


def _swing(time: pd.Index, angle: float, velocity: float, damping: float, stiffness: float) -> np.ndarray:
    """Return (n_steps, 2) angle and velocity; `stiffness` is gravity / length in 1 / s**2."""

    def rates(state: np.ndarray, _: float) -> tuple[float, float]:
        return state[1], -stiffness * math.sin(state[0]) - damping * state[1]

    states = odeint(rates, (angle, velocity), time, rtol=_TOLERANCE, atol=_TOLERANCE, mxstep=100_000)
    return np.asarray(states)


def _times(n_steps: int, dt: float) -> pd.Index:
    return pd.Index(np.arange(n_steps) * dt, name="time")


def _check_physics(dt: float, gravity: float, length: float, noise: float) -> None:
    check_float("dt", dt, low=0, open_low=True)
    check_float("gravity", gravity, low=0, open_low=True)
    check_float("length", length, low=0, open_low=True)
    check_float("noise", noise, low=0)


def _damping_range(damping: Any) -> tuple[float, float]:
    """Return the lowest and the highest friction of a panel."""
    if is_number(damping):
        return (check_float("damping", damping, low=0),) * 2
    if not isinstance(damping, (tuple, list)) or len(damping) != 2:
        raise ValueError(f"`damping` must be a number of at least 0 or a pair of them, got {damping!r}.")
    lowest = check_float("damping[0]", damping[0], low=0)
    return lowest, check_float("damping[1]", damping[1], low=lowest)
