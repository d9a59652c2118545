"""Data to try things on: generators with known answers, loaders for data that statsmodels bundles, readers of files.

A series is what pandas users expect: a Series or a DataFrame with the time in its index. A forecaster takes it
twice, as input channels and as the target::

    y = load_co2(fill="forward")
    X = y.to_frame()

Sequence tasks (`make_copy_task`, `make_reversal_task`) are a pair of arrays ``X, y`` with a target at each step.
Sequences with a class (`make_activity`) and sentences with a tag for each word (`make_tagged_sentences`) come with
readers of a user's files of the same kind, `read_ts` and `read_conll`.
"""

from importlib import import_module

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skrnn._activity import make_activity
from skrnn._conll import read_conll
from skrnn._pendulum import make_pendulum, make_pendulum_panel
from skrnn._sequence_tasks import make_copy_task, make_reversal_task
from skrnn._tagged_sentences import make_tagged_sentences
from skrnn._ts_files import read_ts

__all__ = [
    "load_co2",
    "load_macrodata",
    "load_sunspots",
    "make_activity",
    "make_copy_task",
    "make_daily_series",
    "make_pendulum",
    "make_pendulum_panel",
    "make_reversal_task",
    "make_tagged_sentences",
    "read_conll",
    "read_ts",
]

_YEAR = 365  # days in a year of the synthetic series, which knows no leap days


def make_daily_series(
    n_days=1461,
    *,
    baseline=10.0,
    trend=0.05,
    amplitude=40.0,
    noise=5.0,
    random_state=42,
):
    """Make a daily series with a trend, a yearly season and noise.

    The value of day ``t`` is ``baseline + trend * t + amplitude * season(u)`` plus normal noise, where
    ``u = (t % 365) / 365`` is the part of the year that has passed and ``season(u)`` is ``cos(2 pi u)`` for
    ``u < 0.4`` and ``exp(-3 u)`` after. It is the series of many courses on forecasting; the defaults are
    theirs. With ``noise=0.0`` the function gives the signal alone, from which the error of the best possible
    forecast follows: about 4.01 (mean absolute error over days 1000 to 1460).

    Parameters
    ----------
    n_days : int, default=1461
        Number of days, at least 1. The default is four years with their leap day.
    baseline : float, default=10.0
        Level of the series at day 0, before season and noise.
    trend : float, default=0.05
        Rise per day.
    amplitude : float, default=40.0
        Height of the season.
    noise : float, default=5.0
        Standard deviation of the noise, at least 0.
    random_state : int, RandomState instance or None, default=42
        Seed of the noise. An int gives the same series in every call.

    Returns
    -------
    pandas.Series of shape (n_days,), float64
        The series, named ``"value"``. Its index is daily from 2020-01-01 and named ``"date"``.

    Raises
    ------
    ValueError
        If `n_days` is not an int of at least 1, or `noise` is negative.

    Examples
    --------
    >>> from skrnn.datasets import make_daily_series
    >>> y = make_daily_series()
    >>> y.round(2).head(3)
    date
    2020-01-01    52.48
    2020-01-02    49.35
    2020-01-03    53.31
    Freq: D, Name: value, dtype: float64
    >>> signal = make_daily_series(noise=0.0)
    >>> round(float((y - signal).iloc[1000:].abs().mean()), 2)
    4.01
    """
    if isinstance(n_days, bool) or not isinstance(n_days, int | np.integer) or n_days < 1:
        raise ValueError(f"`n_days` must be an int of at least 1, got {n_days!r}.")
    if not noise >= 0:
        raise ValueError(f"`noise` is a standard deviation and must be at least 0, got {noise!r}.")
    day = np.arange(n_days)
    u = (day % _YEAR) / _YEAR
    season = np.where(u < 0.4, np.cos(2 * np.pi * u), np.exp(-3 * u))
    signal = baseline + trend * day + amplitude * season
    values = signal + noise * check_random_state(random_state).standard_normal(n_days)
    return pd.Series(values, index=_dates("2020-01-01", n_days, "D"), name="value")


def load_co2(*, fill=None):
    """Load the weekly CO2 concentration at Mauna Loa, 1958 to 2001 (bundled with statsmodels, public domain).

    Parameters
    ----------
    fill : {None, "forward"}, default=None
        What to do with the 59 weeks without a measurement. ``None`` leaves them NaN. ``"forward"`` repeats
        the last known value, which uses the past only; interpolation would let a forecast see the future.

    Returns
    -------
    pandas.Series of shape (2284,), float64
        Concentration in ppmv, named ``"co2"``. The index is weekly, each week labelled by its Saturday.

    Raises
    ------
    ImportError
        If statsmodels is not installed.
    ValueError
        If `fill` is neither None nor ``"forward"``.

    Examples
    --------
    >>> from skrnn.datasets import load_co2
    >>> int(load_co2().isna().sum())
    59
    >>> y = load_co2(fill="forward")
    >>> y.head(2)
    date
    1958-03-29    316.1
    1958-04-05    317.3
    Freq: W-SAT, Name: co2, dtype: float64
    """
    if fill not in (None, "forward"):
        raise ValueError(f"`fill` must be None or 'forward', got {fill!r}.")
    table = _load_from_statsmodels("co2")
    values = table["co2"].to_numpy(dtype=float)
    series = pd.Series(values, index=_dates(table.index[0], len(table), "W-SAT"), name="co2")
    return series.ffill() if fill == "forward" else series


def load_sunspots():
    """Load the mean number of sunspots of each year, 1700 to 2008 (bundled with statsmodels).

    Returns
    -------
    pandas.Series of shape (309,), float64
        Named ``"sunspots"``. The index is yearly, each year labelled by its first day.

    Raises
    ------
    ImportError
        If statsmodels is not installed.

    Examples
    --------
    >>> from skrnn.datasets import load_sunspots
    >>> load_sunspots().loc["1700":"1702"].tolist()
    [5.0, 11.0, 16.0]
    """
    table = _load_from_statsmodels("sunspots")
    values = table["SUNACTIVITY"].to_numpy(dtype=float)
    return pd.Series(values, index=_dates("1700-01-01", len(table), "YS"), name="sunspots")


def load_macrodata():
    """Load twelve quarterly series of the United States' economy, 1959 to 2009 (bundled with statsmodels).

    Returns
    -------
    pandas.DataFrame of shape (203, 12), float64
        One column a series: ``realgdp``, ``realcons``, ``realinv``, ``realgovt``, ``realdpi``, ``cpi``,
        ``m1``, ``tbilrate``, ``unemp``, ``pop``, ``infl`` and ``realint``. The index is quarterly, each
        quarter labelled by its first day.

    Raises
    ------
    ImportError
        If statsmodels is not installed.

    Examples
    --------
    >>> from skrnn.datasets import load_macrodata
    >>> load_macrodata()[["realgdp", "unemp"]].head(2)
                 realgdp  unemp
    date
    1959-01-01  2710.349    5.8
    1959-04-01  2778.801    5.1
    """
    table = _load_from_statsmodels("macrodata").drop(columns=["year", "quarter"])
    table.index = _dates("1959-01-01", len(table), "QS")
    return table.astype(float)


def _load_from_statsmodels(name):
    """Return the table of ``statsmodels.datasets.<name>`` as statsmodels gives it."""
    try:
        module = import_module(f"statsmodels.datasets.{name}")
    except ImportError as error:
        raise ImportError(
            f"The {name} data come with statsmodels, which could not be imported ({error}). "
            'Install it with: pip install "skrnn[examples]"'
        ) from error
    return module.load_pandas().data


def _dates(start, n_periods, freq):
    return pd.date_range(start, periods=n_periods, freq=freq, name="date")
