"""`SeriesForecaster.backtest`: numbers against a loop, references, seasons, refits, panels, no leak."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

from skrnn._backtest import clock_of, seasonal_naive
from skrnn._calendar import Step
from skrnn._future_labels import Cadence
from skrnn._series_pieces import Pieces
from skrnn.metrics import mase, smape
from skrnn.regressor import RNNRegressor
from skrnn.series import Backtest, SeriesForecaster


def table(n_rows=90, freq="D"):
    t = np.arange(n_rows)
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-01-01", periods=n_rows, freq=freq, name="when")
    load = 50 + 10 * np.sin(t * 2 * np.pi / 7) + rng.normal(size=n_rows)
    return pd.DataFrame({"load": load, "wind": 5 + rng.normal(size=n_rows).cumsum() / 9}, index=index)


def panel():
    parts = [
        table(n).assign(shop=shop, load=lambda X, k=k: X["load"] * k) for shop, n, k in [("b", 90, 1), ("a", 84, 9)]
    ]
    return pd.concat(parts).set_index("shop", append=True)


class Spy(Ridge):
    """Counts how often it is fitted, with how many rows."""

    fits: list[int] = []

    def fit(self, X, y):
        Spy.fits.append(len(X))
        return super().fit(X, y)


class Wide(BaseEstimator):
    """Forecasts 0 for each of `horizon` steps, with intervals from -coverage to 100 * coverage."""

    def __init__(self, horizon=None):
        self.horizon = horizon

    def fit(self, X, y):
        self.n_ = self.horizon * np.asarray(y)[0].size
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_))

    def predict_interval(self, X, coverage):
        return self.predict(X) - coverage, self.predict(X) + 100 * coverage


def test_numbers_are_those_of_a_loop():
    X, window, horizon, season = table()[["load"]], 8, 4, 7
    result = SeriesForecaster(Ridge(), window=window, horizon=horizon).backtest(X, 3, step=5, refit=True)
    y = X["load"].to_numpy()
    rows, naive, seasonal = [], [], []
    for origin in (75, 80, 85):
        forecaster = SeriesForecaster(Ridge(), window=window, horizon=horizon).fit(X[: origin + 1])
        forecast = forecaster.predict()["load"].to_numpy()
        for step in range(1, horizon + 1):
            rows.append([X.index[origin], step, X.index[origin + step], "load", forecast[step - 1], y[origin + step]])
            naive.append(y[origin])
            seasonal.append(y[origin + step - season])
    wanted = pd.DataFrame(rows, columns=["origin", "step", "time", "target", "forecast", "actual"])
    pd.testing.assert_frame_equal(result.forecasts, wanted, check_dtype=False)
    actual = wanted["actual"].to_numpy()
    assert list(result.errors.index) == ["model", "persistence", "seasonal naive"]
    for name, guess in zip(result.errors.index, (wanted["forecast"], naive, seasonal), strict=True):
        error = actual - np.asarray(guess)
        errors = [
            np.abs(error).mean(),
            np.sqrt((error**2).mean()),
            mase(actual, guess, y[:76], 7),
            smape(actual, guess),
        ]
        np.testing.assert_allclose(result.errors.loc[name, ["MAE", "RMSE", "MASE", "sMAPE"]], errors)


@pytest.mark.parametrize(
    "refit, n_fits, sizes", [(False, 1, [61]), (True, 4, [61, 66, 71, 76]), (3, 2, [61, 76]), (2, 2, [61, 71])]
)
def test_refits(refit, n_fits, sizes):
    Spy.fits.clear()
    forecaster = SeriesForecaster(Spy(), window=6, horizon=5)
    result = forecaster.backtest(table(81), 4, refit=refit)
    assert [n + 5 + 5 for n in Spy.fits] == sizes  # rows with a complete window and a whole future
    assert len(result.forecasts) == 4 * 5 * 2
    assert not hasattr(forecaster, "estimator_")


def test_one_fit_forecasts_later_origins_with_their_own_history():
    X = table()
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3)
    result = forecaster.backtest(X, 4).forecasts
    forecaster.fit(X[:78])
    for origin in range(77, 87, 3):
        mine = result[result["origin"] == X.index[origin]]
        got = mine.pivot(index="time", columns="target", values="forecast")
        pd.testing.assert_frame_equal(got, forecaster.predict(), check_names=False, check_freq=False)
        if origin < 86:
            forecaster.update(X[origin + 1 : origin + 4])


@pytest.mark.parametrize("estimator", [Ridge(), RNNRegressor("gru", hidden_size=3, max_epochs=3, random_state=0)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("refit", [False, True])
def test_later_rows_change_no_earlier_forecast(estimator, refit):
    X = table()
    forecaster = SeriesForecaster(estimator, window=8, horizon=3)
    before = forecaster.backtest(X, 4, refit=refit).forecasts
    changed = X.copy()
    changed[81:] = changed[81:] * 5 + 100
    after = forecaster.backtest(changed, 4, refit=refit).forecasts
    early = before["origin"] < X.index[81]
    np.testing.assert_array_equal(before["forecast"][early], after["forecast"][early])
    assert (before["forecast"][~early] != after["forecast"][~early]).all()


def test_known_ahead_inputs_come_from_the_rows_themselves():
    X = table(120)
    X["sales"] = 3 * X["wind"].shift(1, fill_value=0.0)
    forecaster = SeriesForecaster(Ridge(1e-9), window=8, horizon=4, target="sales", known_ahead="wind")
    result = forecaster.backtest(X, 4)
    assert result.errors.loc["model", "MAE"] < 1e-5
    assert len(result.forecasts) == 16


def test_several_targets_have_errors_of_their_own():
    result = SeriesForecaster(Ridge(), window=8, horizon=3).backtest(table(), 2)
    assert result.errors.shape == (6, 4)
    one = result.forecasts[result.forecasts["target"] == "wind"]
    mae = (one["forecast"] - one["actual"]).abs().mean()
    assert result.errors.loc[("wind", "model"), "MAE"] == pytest.approx(mae)


def test_a_panel_where_series_end_apart():
    X = panel()
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3, target="load", group="shop")
    result = forecaster.backtest(X, 4)
    assert list(result.forecasts.columns) == ["series", "origin", "step", "time", "target", "forecast", "actual"]
    counts = result.forecasts.groupby("series").size()
    assert counts["b"] == 12
    assert counts["a"] == 6  # it ends six days before: two origins have steps in it
    joined = result.forecasts.set_index(["time", "series"])
    np.testing.assert_array_equal(joined["actual"], X["load"].loc[list(joined.index)])
    past = {shop: X.xs(shop, level="shop")["load"][:78].to_numpy() for shop in "ab"}
    error = (result.forecasts["forecast"] - result.forecasts["actual"]).abs()
    scale = result.forecasts["series"].map({shop: np.abs(y[7:] - y[:-7]).mean() for shop, y in past.items()})
    assert result.errors.loc["model", "MASE"] == pytest.approx((error / scale).mean())


@pytest.mark.parametrize("refit", [False, True])
def test_later_rows_of_a_panel_change_no_earlier_forecast(refit):
    X = panel().sort_index(level="shop", sort_remaining=True)
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3, target="load", group="shop")
    late = X.index.get_level_values("when") >= "2024-03-20"
    before = forecaster.backtest(X, 4, refit=refit).forecasts
    after = forecaster.backtest(X.mul(np.where(late, 3, 1), axis=0), 4, refit=refit).forecasts
    early = before["origin"] < "2024-03-20"
    assert early.sum() == 6
    np.testing.assert_array_equal(before["forecast"][early], after["forecast"][early])


def test_a_series_the_clone_has_not_seen_counts_once_its_scale_is_known():
    X = panel().reset_index()
    late = X[(X["shop"] == "a") & (X["when"] >= "2024-03-15")].assign(shop="z")
    X = pd.concat([X[X["shop"] == "b"], late])
    forecaster = SeriesForecaster(Ridge(), window=5, horizon=2, target="load", group="shop", time="when")
    result = forecaster.backtest(X, 8).forecasts
    # the first origin is the 14th of March; z has its fifth row on the 19th
    assert result.loc[result["series"] == "z", "origin"].min() >= pd.Timestamp("2024-03-19")
    assert result.loc[result["series"] == "b", "origin"].min() < pd.Timestamp("2024-03-15")


def test_intervals():
    result = SeriesForecaster(Wide(), window=5, horizon=2).backtest(table()[["load"]], 3, coverage=0.5)
    assert result.forecasts["lower"].eq(-0.5).all()
    within = result.forecasts["actual"].between(-0.5, 50).mean()
    assert 0 < within < 1
    assert result.errors.loc["model", "coverage"] == within
    assert result.errors["coverage"].isna().tolist() == [False, True, True]
    both = SeriesForecaster(Wide(), window=5, horizon=2).backtest(table(), 3, coverage=0.9).errors["coverage"]
    assert both[("wind", "model")] == 1
    with pytest.raises(ValueError, match="`coverage` needs an estimator with predict_interval, got Ridge"):
        SeriesForecaster(Ridge(), window=5, horizon=2).backtest(table(), 3, coverage=0.9)


@pytest.mark.parametrize(
    "freq, season",
    [
        ("h", 24),
        ("30min", 48),
        ("2h", 12),
        ("7h", 1),
        ("s", 1),
        ("D", 7),
        ("B", 5),
        ("W", 52),
        ("W-WED", 52),
        ("7D", 52),
    ]
    + [("2D", 1), ("MS", 12), ("ME", 12), ("2MS", 6), ("QS", 4), ("QE-FEB", 4), ("YE", 1)],
)
def test_the_season_follows_from_the_step(freq, season):
    dates = pd.date_range("2000-01-01", periods=30, freq=freq)
    for labels in (dates, dates[np.arange(30)]):
        assert Cadence.learn(labels, np.zeros(30, dtype=int)).seasonality == season
    assert Cadence.learn(pd.RangeIndex(30), np.zeros(30, dtype=int)).seasonality == 1
    if freq in ("h", "30min", "D", "W", "ME", "YE"):
        periods = pd.period_range("2000-01-01", periods=30, freq=freq.replace("ME", "M").replace("YE", "Y"))
        assert Cadence.learn(periods, np.zeros(30, dtype=int)).seasonality == season


def test_a_season_longer_than_the_past_and_one_given():
    forecaster = SeriesForecaster(Ridge(), window=5, horizon=2, target="load")
    result = forecaster.backtest(table(), 3, seasonality=99)
    assert result.errors["MASE"].isna().all()
    np.testing.assert_array_equal(result.errors.loc["seasonal naive"], result.errors.loc["persistence"])
    assert forecaster.backtest(table(), 3, seasonality=7).errors.equals(forecaster.backtest(table(), 3).errors)


def test_a_season_shorter_than_the_horizon_repeats_the_last_one():
    y = np.arange(20.0)[:, None]
    pieces = Pieces(y, np.repeat([0, 1], [15, 5]), np.isin(np.arange(20), [0, 15]))
    found = seasonal_naive(y, pieces, np.arange(20.0), np.array([10, 15]), 5, 2)
    np.testing.assert_array_equal(found[0, :, 0], [9, 10, 9, 10, 9])
    np.testing.assert_array_equal(found[1, :, 0], [15, 15, 15, 15, 15])  # its series begins there


def test_series_of_which_none_can_be_judged():
    X = table(90).reset_index()
    X = pd.concat([X[:88].assign(shop="a"), X[88:].assign(shop="b")])
    forecaster = SeriesForecaster(Ridge(), window=40, horizon=2, target="load", group="shop", time="when")
    with pytest.raises(ValueError, match="X must hold rows that follow an origin in a series that can be forecast"):
        forecaster.backtest(X, 1)


# ------------------------------------------------------------------------------------------------------- holes


@pytest.mark.parametrize("kind", ["dates", "numbers", "zone"])
def test_the_season_before_is_found_beyond_a_hole(kind):
    X = table(400)["load"]
    if kind == "numbers":
        X.index = np.arange(400) * 0.3
    elif kind == "zone":
        X.index = X.index.tz_localize("Europe/Berlin")  # the clocks change on the 31st of March, row 90
    cut = pd.concat([X.iloc[:85], X.iloc[88:]])  # rows 85 to 87 are missing
    step = Step.learn(cut.index, np.zeros(397, dtype=int), cut=True)
    pieces = Pieces(cut.to_numpy()[:, None], np.zeros(397, dtype=int), step.pieces(cut.index, np.zeros(397, dtype=int)))
    assert pieces.begins.sum() == 2
    origin = 91  # its row in X; the season before steps 1 to 7 is in rows 85 to 91
    found = seasonal_naive(pieces.values, pieces, clock_of(cut.index, step), np.array([origin - 3]), 9, 7)[0, :, 0]
    wanted = X.iloc[[91, 91, 91, 88, 89, 90, 91, 91, 91]]  # the first three are missing: the value at the origin
    np.testing.assert_array_equal(found, wanted)
    origin = 94
    found = seasonal_naive(pieces.values, pieces, clock_of(cut.index, step), np.array([origin - 3]), 3, 14)[0, :, 0]
    np.testing.assert_array_equal(found, X.iloc[[81, 82, 83]])


def test_the_season_before_is_that_of_the_same_series():
    X = table(200).reset_index().assign(shop="b")
    a = X.drop(range(187, 190)).assign(shop="a", load=lambda X: X["load"] + 1000)
    forecaster = SeriesForecaster(Ridge(), window=5, horizon=7, target="load", group="shop", time="when")
    errors = forecaster.backtest(pd.concat([X, a]), 1, seasonality=14).errors
    y = X["load"].to_numpy()
    assert errors.loc["seasonal naive", "MAE"] == pytest.approx(np.abs(y[193:200] - y[179:186]).mean())


def test_mase_compares_no_rows_across_a_hole():
    X = table(400)[["load"]]
    X.iloc[200:] += 500
    X = X.drop(X.index[197:200])
    result = SeriesForecaster(Ridge(), window=8, horizon=4).backtest(X, 3)
    y = X["load"].to_numpy()
    past = np.concatenate([y[:197], np.full(7, np.nan), y[197 : 397 - 12]])
    frame = result.forecasts
    assert result.errors.loc["model", "MASE"] == pytest.approx(mase(frame["actual"], frame["forecast"], past, 7))


def test_mase_of_pieces_that_repeat_themselves_is_unknown():
    X = table(400)[["load"]]
    X["load"] = np.tile(np.arange(7.0), 58)[:400]
    X = X.drop(X.index[197:200])
    assert SeriesForecaster(Ridge(), window=8, horizon=4).backtest(X, 3).errors["MASE"].isna().all()


@pytest.mark.filterwarnings("ignore:.* rows do not come one step")
@pytest.mark.parametrize("refit", [False, True, 2])
def test_an_origin_of_a_sparse_series_counts_once(refit):
    X = table(90).reset_index().assign(shop="a")
    X = pd.concat([X, X[::3].assign(shop="b")])
    forecaster = SeriesForecaster(Ridge(), window=5, horizon=2, target="load", group="shop", time="when")
    result = forecaster.backtest(X, 9, step=1, refit=refit).forecasts
    assert not result.duplicated(["series", "origin", "step"]).any()
    assert (result["series"] == "b").sum() == 5  # rows 78 and 81 have two steps each, 84 has one


def test_it_reads_well():
    result = SeriesForecaster(Ridge(), window=5, horizon=2, target="load").backtest(table(), 3)
    assert isinstance(result, Backtest)
    lines = repr(result).splitlines()
    assert lines[0] == "Backtest: 3 origins, 2 steps, season of 7 rows"
    assert lines[1].split() == ["MAE", "RMSE", "MASE", "sMAPE"]
    assert lines[2].split()[0] == "model"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_splits": 0}, "`n_splits` must be an int of at least 1, got 0."),
        ({"step": -1}, "`step` must be an int of at least 1, got -1."),
        ({"step": 0}, "`step` must be an int of at least 1, got 0."),
        ({"refit": -2}, "`refit` must be an int of at least 1, got -2."),
        ({"seasonality": 0}, "`seasonality` must be an int of at least 1, got 0."),
        ({"n_splits": 19, "step": 5}, "need 95 rows, got 90: take fewer, or a smaller `step`."),
        ({"coverage": 1.0}, "`coverage` must be a number greater than 0 and below 1, got 1.0."),
    ],
)
def test_errors(options, message):
    forecaster = SeriesForecaster(Ridge(), window=3, horizon=3)
    forecaster.set_params(horizon=2)
    with pytest.raises(ValueError, match=re.escape(message)):
        forecaster.backtest(table(), **options)


def test_as_many_origins_as_there_can_be():
    result = SeriesForecaster(Ridge(), window=1, horizon=2).backtest(table(), 18, step=5)
    assert result.forecasts["origin"].nunique() == 18
