"""What is generated has its known answers; the loaders give indexed pandas objects."""

import math
import re
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import ellipj, ellipk
from sklearn.linear_model import RidgeCV

from skrnn.datasets import (
    load_co2,
    load_macrodata,
    load_sunspots,
    make_copy_task,
    make_daily_series,
    make_pendulum,
    make_pendulum_panel,
    make_reversal_task,
)
from skrnn.windows import SlidingWindowTransformer, sliding_windows

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


# ---------------------------------------------------------------------------------------------- pendulum


def runge_kutta(state, damping, stiffness, dt, n_steps, parts=200):
    """The pendulum by the classical method of fourth order, `parts` steps from one point to the next."""

    def rates(state):
        return np.array([state[1], -stiffness * np.sin(state[0]) - damping * state[1]])

    states, h = [np.array(state)], dt / parts
    for _ in range(n_steps - 1):
        state = states[-1]
        for _ in range(parts):
            k1 = rates(state)
            k2 = rates(state + h / 2 * k1)
            k3 = rates(state + h / 2 * k2)
            k4 = rates(state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    return np.array(states)


def energy(swing, gravity, length):
    """Energy per mass in J / kg."""
    return (length * swing["velocity"]) ** 2 / 2 + gravity * length * (1 - np.cos(swing["angle"]))


def test_pendulum_is_a_table_over_time():
    swing = make_pendulum(7, dt=0.25)
    assert swing.shape == (7, 2)
    assert list(swing.columns) == ["angle", "velocity"]
    assert (swing.dtypes == np.float64).all()
    assert swing.index.name == "time"
    assert swing.index.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert swing.iloc[0].tolist() == [1.5, 0]
    assert make_pendulum(1, angle=0.5, velocity=-2.0).to_numpy().tolist() == [[0.5, -2.0]]


def test_pendulum_of_400_points_gives_380_samples():
    X, y = sliding_windows(make_pendulum()["angle"], window=20)
    assert X.shape == (380, 20, 1)
    assert y.shape == (380,)
    windows = SlidingWindowTransformer(20).fit_transform(make_pendulum()[["angle"]])
    assert (windows.starts == 0).all()  # times in floats are a regular index without holes


@pytest.mark.parametrize("angle, gravity, length", [(2.5, 9.81, 1.0), (0.7, 1.62, 0.3)])
def test_pendulum_without_damping_is_an_elliptic_function(angle, gravity, length):
    swing = make_pendulum(angle=angle, gravity=gravity, length=length, damping=0.0)
    k = math.sin(angle / 2)
    sn, _, _, _ = ellipj(math.sqrt(gravity / length) * swing.index.to_numpy() + ellipk(k * k), k * k)
    np.testing.assert_allclose(swing["angle"], 2 * np.arcsin(k * sn), atol=1e-7)
    total = energy(swing, gravity, length)
    np.testing.assert_allclose(total, total.iloc[0], rtol=1e-8)


@pytest.mark.parametrize("damping", [0.3, 1.0])
def test_small_swings_are_those_of_the_linear_oscillator(damping):
    start, speed, stiffness = 1e-4, 3e-4, 9.81 / 0.5
    swing = make_pendulum(300, angle=start, velocity=speed, damping=damping, length=0.5)
    t, decay = swing.index.to_numpy(), damping / 2
    w = math.sqrt(stiffness - decay**2)
    expected = np.exp(-decay * t) * (start * np.cos(w * t) + (speed + decay * start) / w * np.sin(w * t))
    np.testing.assert_allclose(swing["angle"], expected, atol=1e-10)


@pytest.mark.parametrize(
    "start, options",
    [
        ((2.9, 0.0), {"damping": 0.2}),
        ((0.5, 9.0), {"damping": 0.7}),  # goes over the top
        ((-1.0, 1.0), {"damping": 5.0, "gravity": 3.0, "length": 2.0}),
    ],
)
def test_pendulum_equals_an_independent_solution(start, options):
    swing = make_pendulum(60, angle=start[0], velocity=start[1], **options)
    stiffness = options.get("gravity", 9.81) / options.get("length", 1.0)
    expected = runge_kutta(start, options["damping"], stiffness, 0.1, 60)
    np.testing.assert_allclose(swing, expected, atol=1e-7)
    assert (swing["angle"].max() > math.pi) == (start[1] == 9.0)


def test_friction_takes_energy_at_its_rate():
    gravity, length, damping, dt = 4.0, 0.6, 0.3, 0.002
    swing = make_pendulum(5000, dt=dt, damping=damping, gravity=gravity, length=length)
    total = energy(swing, gravity, length).to_numpy()
    assert (np.diff(total) < 0).all()
    lost = damping * (length * swing["velocity"].to_numpy()) ** 2
    np.testing.assert_allclose(-np.diff(total) / dt, (lost[1:] + lost[:-1]) / 2, atol=1e-5)


def test_noise_is_added_to_what_is_measured():
    clean, noisy = make_pendulum(2000), make_pendulum(2000, noise=0.3)
    assert (noisy - clean).std().to_numpy() == pytest.approx([0.3, 0.3], rel=0.05)
    assert noisy.equals(make_pendulum(2000, noise=0.3))
    assert not noisy.equals(make_pendulum(2000, noise=0.3, random_state=1))


def test_a_panel_has_runs_of_their_own():
    panel = make_pendulum_panel(5, 7, dt=0.25, max_angle=0.5, max_velocity=3.0, damping=0.4, length=2.0)
    assert panel.shape == (35, 2)
    assert panel.index.names == ["run", "time"]
    assert panel.index.get_level_values("run").unique().tolist() == [0, 1, 2, 3, 4]
    for run in range(5):
        swing = panel.loc[run]
        angle, velocity = swing.iloc[0]
        alone = make_pendulum(7, dt=0.25, angle=angle, velocity=velocity, damping=0.4, length=2.0)
        pd.testing.assert_frame_equal(swing, alone)
    starts = panel.xs(0.0, level="time")
    assert starts["angle"].nunique() == starts["velocity"].nunique() == 5


def test_starts_and_damping_of_a_panel_lie_within_their_limits():
    still = make_pendulum_panel(300, 1, max_angle=0.5, max_velocity=3.0)
    assert 0.45 < still["angle"].max() <= 0.5
    assert -0.5 <= still["angle"].min() < -0.45
    assert 2.7 < still["velocity"].max() <= 3.0
    assert -3.0 <= still["velocity"].min() < -2.7

    def damping_of(panel):  # from the equation, at the first two points
        angle = panel["angle"].to_numpy().reshape(-1, 2)
        velocity = panel["velocity"].to_numpy().reshape(-1, 2)
        pull = -9.81 * np.sin(angle).mean(axis=1)
        return (pull - np.diff(velocity)[:, 0] / 1e-4) / velocity.mean(axis=1)

    varied = damping_of(make_pendulum_panel(200, 2, dt=1e-4, damping=(0.2, 0.6)))
    assert 0.19 < varied.min() < 0.22
    assert 0.58 < varied.max() < 0.61
    assert damping_of(make_pendulum_panel(7, 2, dt=1e-4, damping=0.3)) == pytest.approx([0.3] * 7, abs=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_run_does_not_depend_on_how_many_there_are(noise):
    few = make_pendulum_panel(3, 11, noise=noise, damping=(0.1, 0.5))
    many = make_pendulum_panel(7, 11, noise=noise, damping=(0.1, 0.5))
    pd.testing.assert_frame_equal(few, many.loc[:2], check_exact=True)
    assert not few.equals(make_pendulum_panel(3, 11, noise=noise, damping=(0.1, 0.5), random_state=1))


@pytest.mark.parametrize(
    "make, options, message",
    [
        (make_pendulum, {"n_steps": 0}, "`n_steps` must be an int of at least 1, got 0."),
        (make_pendulum, {"dt": 0.0}, "`dt` must be a number greater than 0, got 0.0."),
        (make_pendulum, {"length": -1}, "`length` must be a number greater than 0, got -1."),
        (make_pendulum, {"gravity": "9"}, "`gravity` must be a number greater than 0, got '9'."),
        (make_pendulum, {"damping": -0.1}, "`damping` must be a number of at least 0, got -0.1."),
        (make_pendulum, {"noise": -1}, "`noise` must be a number of at least 0, got -1."),
        (make_pendulum, {"angle": math.inf}, "`angle` must be a finite number, got inf."),
        (make_pendulum, {"velocity": math.nan}, "`velocity` must be a finite number, got nan."),
        (make_pendulum_panel, {"n_runs": 2.0}, "`n_runs` must be an int of at least 1, got 2.0."),
        (make_pendulum_panel, {"n_steps": 0}, "`n_steps` must be an int of at least 1, got 0."),
        (make_pendulum_panel, {"dt": -1.0}, "`dt` must be a number greater than 0, got -1.0."),
        (make_pendulum_panel, {"max_angle": -1.0}, "`max_angle` must be a number of at least 0, got -1.0."),
        (make_pendulum_panel, {"max_velocity": -1.0}, "`max_velocity` must be a number of at least 0, got -1.0."),
        (make_pendulum_panel, {"damping": -0.1}, "`damping` must be a number of at least 0, got -0.1."),
        (make_pendulum_panel, {"damping": (0.5, 0.1)}, "`damping[1]` must be a number of at least 0.5, got 0.1."),
        (make_pendulum_panel, {"damping": (1, 2, 3)}, "number of at least 0 or a pair of them, got (1, 2, 3)."),
    ],
)
def test_pendulum_refuses_what_is_not_physical(make, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**options)


# ---------------------------------------------------------------------------------------- sequence tasks


def answers(x, n_values, delay, *, reverse):
    """The targets of one sequence, step by step."""
    shown = [x[step, 0] for step in range(n_values)]
    if reverse:
        shown = shown[::-1]
    return [np.nan] * (n_values + delay) + shown


@pytest.mark.parametrize("n_values, delay", [(1, 0), (2, 7), (5, 3)])
def test_copy_task_asks_for_the_values_in_order(n_values, delay):
    X, y = make_copy_task(11, n_values=n_values, delay=delay)
    n_steps = 2 * n_values + delay
    assert X.shape == (11, n_steps, 2)
    assert y.shape == (11, n_steps)
    assert X.dtype == y.dtype == np.float64
    for x, answer in zip(X, y, strict=True):
        np.testing.assert_array_equal(answer, answers(x, n_values, delay, reverse=False))
        assert x[:, 1].tolist() == [0] * (n_values + delay) + [1] * n_values
        assert (x[n_values:, 0] == 0).all()
    assert len(np.unique(X[:, :n_values, 0])) == 11 * n_values


@pytest.mark.parametrize("n_values", [1, 2, 5])
def test_reversal_task_asks_for_the_last_value_first(n_values):
    X, y = make_reversal_task(7, n_values=n_values)
    assert X.shape == (7, 2 * n_values, 2)
    for x, answer in zip(X, y, strict=True):
        np.testing.assert_array_equal(answer, answers(x, n_values, 0, reverse=True))
        assert x[:, 1].tolist() == [0] * n_values + [1] * n_values
        assert (x[n_values:, 0] == 0).all()
    assert len(np.unique(X[:, :n_values, 0])) == 7 * n_values


@pytest.mark.parametrize("make, options", [(make_copy_task, {"delay": (0, 3)}), (make_reversal_task, {})])
def test_sequences_of_unequal_lengths_are_padded_in_front(make, options):
    X, y = make(200, n_values=(2, 5), **options)
    longest = 10 + options.get("delay", (0, 0))[1]
    assert X.shape == (200, longest, 2)
    found = set()
    for x, answer in zip(X, y, strict=True):
        padding = np.isnan(x).all(axis=1)
        assert np.isnan(x).any(axis=1).tolist() == padding.tolist()
        n_padding = int(padding.sum())
        assert padding[:n_padding].all()
        n_values = int(x[n_padding:, 1].sum())
        delay = longest - n_padding - 2 * n_values
        expected = answers(x[n_padding:], n_values, delay, reverse=make is make_reversal_task)
        np.testing.assert_array_equal(answer, [np.nan] * n_padding + expected)
        assert (x[n_padding + n_values :, 0] == 0).all()
        found.add((n_values, delay))
    delays = range(4) if options else [0]
    assert found == {(n_values, delay) for n_values in (2, 3, 4, 5) for delay in delays}


@pytest.mark.parametrize("make", [make_copy_task, make_reversal_task])
def test_tasks_have_the_known_errors_of_a_guess(make):
    _, y = make(5000)
    assert np.nanmean((y - 0.5) ** 2) == pytest.approx(1 / 12, rel=0.02)
    assert np.nanmean(np.abs(y - 0.5)) == pytest.approx(0.25, rel=0.02)
    for n_symbols in (2, 5):
        X, y = make(5000, n_symbols=n_symbols)
        symbols = np.arange(n_symbols) / (n_symbols - 1)
        assert np.unique(y[~np.isnan(y)]).tolist() == symbols.tolist()
        assert np.unique(X[:, :5, 0]).tolist() == symbols.tolist()
        known = (n_symbols + 1) / (12 * (n_symbols - 1))
        assert np.nanmean((y - 0.5) ** 2) == pytest.approx(known, rel=0.02)


@pytest.mark.parametrize("make", [make_copy_task, make_reversal_task])
def test_tasks_are_reproducible(make):
    X, y = make(7)
    again, _ = make(7)
    other, _ = make(7, random_state=1)
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, other)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_samples": 0}, "`n_samples` must be an int of at least 1, got 0."),
        ({"n_values": 0}, "`n_values` must be an int of at least 1, got 0."),
        ({"n_values": 2.5}, "`n_values` must be an int of at least 1, got 2.5."),
        ({"n_values": (0, 3)}, "`n_values[0]` must be an int of at least 1, got 0."),
        ({"n_values": (3, 2)}, "`n_values[1]` must be an int of at least 3, got 2."),
        ({"n_values": (1, 2, 3)}, "`n_values` must be an int of at least 1 or a pair of them, got (1, 2, 3)."),
        ({"delay": -1}, "`delay` must be an int of at least 0, got -1."),
        ({"n_symbols": 1}, "`n_symbols` must be an int of at least 2, got 1."),
    ],
)
def test_tasks_refuse_wrong_sizes(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_copy_task(**options)
    if "delay" not in options:
        with pytest.raises(ValueError, match=re.escape(message)):
            make_reversal_task(**options)


# ----------------------------------------------------------------------------------------------- loaders


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
