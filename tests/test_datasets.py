"""The synthetic series has its known answers; the loaders give indexed pandas objects."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import RidgeCV

from skrnn.datasets import load_co2, load_macrodata, load_sunspots, make_daily_series

LOADERS = [load_co2, load_sunspots, load_macrodata]


def test_daily_series_is_a_named_daily_pandas_series():
    series = make_daily_series()
    assert isinstance(series, pd.Series)
    assert series.shape == (1461,)
    assert series.dtype == np.float64
    assert series.name == "value"
    assert series.index.name == "date"
    assert series.index.freqstr == "D"
    assert str(series.index[-1].date()) == "2023-12-31"


def test_daily_series_follows_its_formula_day_by_day():
    expected = []
    noise = np.random.RandomState(42).randn(1461)
    for day in range(1461):
        passed = (day % 365) / 365
        season = np.cos(2 * np.pi * passed) if passed < 0.4 else np.exp(-3 * passed)
        expected.append(10 + 0.05 * day + 40 * season + 5 * noise[day])
    np.testing.assert_allclose(make_daily_series(), expected, rtol=1e-12)


def test_daily_series_has_the_known_errors():
    """Mean absolute errors over days 1000 to 1460 that forecasts of this series are measured against."""
    series = make_daily_series()
    signal = make_daily_series(noise=0.0)
    values = series.to_numpy()
    lags, following = sliding_window_view(values, 20)[:-1], values[20:]
    train, test = slice(0, 980), slice(980, None)  # the window before day 1000 is number 980
    ridge = RidgeCV(alphas=np.logspace(-3, 6, 20)).fit(lags[train], following[train])
    assert np.abs(np.diff(values)[999:]).mean() == pytest.approx(5.94, abs=0.005)
    assert np.abs(ridge.predict(lags[test]) - following[test]).mean() == pytest.approx(4.93, abs=0.005)
    assert (series - signal).iloc[1000:].abs().mean() == pytest.approx(4.01, abs=0.005)


def test_daily_series_parameters_reach_the_series():
    flat = make_daily_series(5, baseline=3.0, trend=2.0, amplitude=0.0, noise=0.0)
    assert flat.tolist() == [3.0, 5.0, 7.0, 9.0, 11.0]
    assert make_daily_series(7, random_state=1).equals(make_daily_series(7, random_state=1))
    assert not make_daily_series(7, random_state=1).equals(make_daily_series(7, random_state=2))


@pytest.mark.parametrize("n_days", [0, -3, 2.5, "7", True])
def test_daily_series_refuses_a_wrong_number_of_days(n_days):
    with pytest.raises(ValueError, match="`n_days` must be an int of at least 1, got"):
        make_daily_series(n_days)


@pytest.mark.parametrize("noise", [-1.0, float("nan")])
def test_daily_series_refuses_negative_noise(noise):
    with pytest.raises(ValueError, match="`noise` is a standard deviation"):
        make_daily_series(7, noise=noise)


def test_co2_keeps_its_missing_weeks_unless_asked():
    series = load_co2()
    assert series.shape == (2284,)
    assert series.name == "co2"
    assert series.index.freqstr == "W-SAT"
    assert str(series.index[-1].date()) == "2001-12-29"
    assert series.isna().sum() == 59


def test_co2_filled_forward_uses_the_past_only():
    raw, filled = load_co2(), load_co2(fill="forward")
    assert filled.notna().all()
    assert filled[raw.notna()].equals(raw.dropna())
    for week in np.flatnonzero(raw.isna()):
        assert filled.iloc[week] == filled.iloc[week - 1]


def test_co2_refuses_an_unknown_fill():
    with pytest.raises(ValueError, match="`fill` must be None or 'forward', got 'linear'"):
        load_co2(fill="linear")


def test_sunspots_are_yearly():
    series = load_sunspots()
    assert series.shape == (309,)
    assert series.name == "sunspots"
    assert series.index.year.tolist() == list(range(1700, 2009))
    assert series.index.freqstr == "YS-JAN"
    assert series.loc["1957"].item() == pytest.approx(190.2)


def test_macrodata_is_a_quarterly_table():
    table = load_macrodata()
    assert table.shape == (203, 12)
    assert not {"year", "quarter"} & set(table.columns)
    assert table.index.freqstr.startswith("QS")
    assert table.notna().all(axis=None)
    assert table.loc["2009-07-01", "realgdp"] == pytest.approx(12990.341)


@pytest.mark.parametrize("load", LOADERS)
def test_each_call_returns_data_of_its_own(load):
    changed = load()
    changed.iloc[:] = 0.0
    assert load().to_numpy()[0].max() > 1


@pytest.mark.parametrize("load", LOADERS)
def test_loaders_say_what_to_install_without_statsmodels(load, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "statsmodels":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(ImportError, match=r'pip install "skrnn\[examples\]"'):
        load()
