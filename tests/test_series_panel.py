"""`SeriesForecaster` on panels: every form of table, series of any size and length, series not seen before."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from skrnn._series_pieces import Pieces
from skrnn.model_selection import WindowedTimeSeriesSplit
from skrnn.regressor import RNNRegressor
from skrnn.series import SeriesForecaster

TINY = RNNRegressor("gru", hidden_size=3, max_epochs=2, random_state=0, early_stopping=False)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # two epochs are few
SIZES = {"c": 50, "a": 70, "b": 61}


def panel(sizes=None, start="2024-01-01"):
    """One series a shop: a weekly wave on the shop's own level, in columns shop, day, price, sales."""
    parts = []
    for k, (shop, size) in enumerate((sizes or SIZES).items()):
        t = np.arange(size)
        rng = np.random.default_rng(ord(shop))
        sales = 10.0 ** (k + 1) * (5 + np.sin(t * 2 * np.pi / 7) + 0.1 * rng.normal(size=size))
        day = pd.date_range(start, periods=size)
        parts.append(pd.DataFrame({"shop": shop, "day": day, "price": rng.normal(size=size), "sales": sales}))
    return pd.concat(parts, ignore_index=True)


def forecaster(estimator=None, **options):
    settings = {"window": 8, "horizon": 3, "target": "sales", "group": "shop", "time": "day"} | options
    return SeriesForecaster(estimator or Ridge(), **settings)


def next_days(shops=("c", "a", "b"), n_days=3):
    ends = panel().groupby("shop")["day"].max()
    return [(shop, ends[shop] + pd.Timedelta(days=k)) for shop in shops for k in range(1, n_days + 1)]


# -------------------------------------------------------------------------------------------- forms of the table


def test_group_and_time_in_columns():
    forecasts = forecaster().fit(panel()).predict()
    assert list(forecasts.columns) == ["shop", "day", "sales"]
    assert forecasts.index.equals(pd.RangeIndex(9))
    assert list(zip(forecasts["shop"], forecasts["day"], strict=True)) == next_days()


def test_every_form_gives_the_same_numbers_in_its_own_form():
    X = panel()
    wanted = forecaster().fit(X).predict()
    shuffled = forecaster().fit(X.sample(frac=1, random_state=0)).predict()
    wanted, shuffled = (frame.set_index(["shop", "day"]) for frame in (wanted, shuffled))
    pd.testing.assert_frame_equal(shuffled.loc[wanted.index], wanted)

    levels = forecaster(time=None).fit(X.set_index(["shop", "day"])).predict()
    pd.testing.assert_frame_equal(levels, wanted)
    swapped = forecaster().fit(X.set_index(["day", "shop"])).predict()
    assert swapped.index.names == ["day", "shop"]
    np.testing.assert_array_equal(swapped["sales"], wanted["sales"])
    by_index = forecaster(time=None).fit(X.set_index("day")).predict()
    assert list(by_index.columns) == ["shop", "sales"]
    assert by_index.index.name == "day"
    pd.testing.assert_frame_equal(by_index.reset_index().set_index(["shop", "day"]), wanted)
    by_group = forecaster().fit(X.set_index("shop")).predict()
    assert by_group.index.name == "shop"
    assert list(by_group.columns) == ["day", "sales"]
    positions = forecaster(group=0, time=1).fit(X).predict()
    pd.testing.assert_frame_equal(positions.set_index(["shop", "day"]), wanted)
    series = SeriesForecaster(Ridge(), window=8, horizon=3, group="shop").fit(X.set_index(["shop", "day"])["sales"])
    assert series.predict().index.equals(wanted.index)


@pytest.mark.parametrize("kind", ["period", "number", "zone", "category"])
def test_labels_keep_their_dtype(kind):
    X = panel()
    if kind == "period":
        X["day"] = X["day"].dt.to_period("D")
    elif kind == "number":
        X["day"] = X.groupby("shop").cumcount()
    elif kind == "zone":
        X["day"] = X["day"].dt.tz_localize("Europe/Berlin")
    else:
        X["shop"] = X["shop"].astype("category")
    forecasts = forecaster().fit(X).predict()
    assert forecasts["day"].dtype == X["day"].dtype
    assert forecasts["shop"].tolist() == list("cccaaabbb")
    ends = X.groupby("shop", observed=True)["day"].max()
    step = {"number": 1}.get(kind, pd.Timedelta(days=1))
    assert forecasts["day"].tolist()[::3] == [ends[shop] + step for shop in "cab"]


# ------------------------------------------------------------------------------------- one net, a scale a series


def test_series_are_scaled_each_by_itself():
    X = panel()
    base = forecaster().fit(X).predict()["sales"]
    factor = X["shop"].map({"c": 1.0, "a": 1e4, "b": 1e-3})
    scaled = forecaster().fit(X.assign(sales=X["sales"] * factor + 7 * factor)).predict()["sales"]
    of_rows = np.repeat([1.0, 1e4, 1e-3], 3)
    np.testing.assert_allclose(scaled, base * of_rows + 7 * of_rows)


def test_ridge_equals_ridge_on_the_scaled_lags_of_all_series():
    X = panel()
    lags, ahead, latest, scales = [], [], [], []
    for shop in SIZES:
        y = X.loc[X["shop"] == shop, "sales"].to_numpy()
        z = (y - y.mean()) / y.std()
        both = np.c_[X.loc[X["shop"] == shop, "price"], z]
        rows = range(7, len(y) - 3)
        lags += [both[t - 7 : t + 1].ravel() for t in rows]
        ahead += [z[t + 1 : t + 4] for t in rows]
        latest.append(both[-8:].ravel())
        scales.append((y.mean(), y.std()))
    mean, spread = np.array(scales).T
    wanted = Ridge().fit(lags, ahead).predict(latest) * spread[:, None] + mean[:, None]
    np.testing.assert_allclose(forecaster().fit(X).predict()["sales"], wanted.ravel())


def test_a_net_forecasts_all_series_in_one_call(monkeypatch):
    fc = forecaster(TINY).fit(panel())
    calls = []
    predict = RNNRegressor.predict
    monkeypatch.setattr(RNNRegressor, "predict", lambda self, X: calls.append(len(X)) or predict(self, X))
    forecasts = fc.predict()
    assert calls == [3]
    level = panel().groupby("shop")["sales"].mean()
    assert ((forecasts["sales"] / forecasts["shop"].map(level) - 1).abs() < 0.5).all()


def test_estimators_with_a_horizon_get_series_of_spread_one_that_keep_their_sign():
    class Zero(BaseEstimator):
        def __init__(self, horizon=None):
            self.horizon = horizon

        def fit(self, X, y):
            self.y_, self.x_ = y, X
            return self

        def predict(self, X):
            return np.ones((len(X), self.horizon))

    fc = forecaster(Zero()).fit(panel())
    spread = panel().groupby("shop", sort=False)["sales"].std(ddof=0)
    np.testing.assert_allclose(fc.predict()["sales"], np.repeat(spread, 3))
    np.testing.assert_allclose(fc.estimator_.y_, panel()["sales"] / panel()["shop"].map(spread))
    assert (fc.estimator_.y_ > 0).all()
    np.testing.assert_array_equal(np.asarray(fc.estimator_.x_)[:, -1, 1], fc.estimator_.y_)


def test_known_ahead_in_a_panel():
    X = panel()
    X["sales"] += (
        30 * X["price"].groupby(X["shop"]).shift(1, fill_value=0.0) * X["shop"].map({"c": 1, "a": 10, "b": 100})
    )
    past = X[X.groupby("shop").cumcount(ascending=False) >= 3]
    future = X[X.groupby("shop").cumcount(ascending=False) < 3]
    fc = forecaster(Ridge(1e-6), known_ahead=["price"], window=9).fit(past)
    # the price of the first step is that of the last known row, of the second that of the first row to come
    forecasts = fc.predict(future.drop(columns="sales").sample(frac=1, random_state=0))
    moved = fc.predict(future.assign(price=future["price"] + (future["shop"] == "a")))
    gap = (moved["sales"] - forecasts["sales"]).to_numpy().reshape(3, 3)
    assert np.allclose(gap[[0, 2]], 0)
    assert gap[1, 1] == pytest.approx(300, rel=0.2)
    with pytest.raises(ValueError, match=r"`horizon`=3 rows after .*, the last known row of series 'b', got 2"):
        fc.predict(future[:-1])
    with pytest.raises(ValueError, match="X_future must be of series that are known, got series 'z'"):
        fc.predict(pd.concat([future, future[:3].assign(shop="z")]))


# ------------------------------------------------------------------------------------ short series, new series


def test_series_shorter_than_the_window_train_on_what_they_have():
    X = panel({"c": 50, "a": 5, "b": 3})
    for estimator in (Ridge(), TINY):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "2 of 3 series have no row to learn from")  # Ridge takes whole windows
            forecasts = forecaster(estimator).fit(X).predict()
        assert forecasts["shop"].tolist() == list("cccaaabbb")
        assert forecasts["sales"].notna().all()


def test_a_short_window_repeats_the_first_row_of_its_own_series():
    X = panel({"c": 50, "a": 5})
    with pytest.warns(UserWarning, match="1 of 2 series have no row to learn from"):
        fc = forecaster(target=["sales"]).fit(X)
    a = X[X["shop"] == "a"][["price", "sales"]].to_numpy().copy()
    mean, spread = a[:, 1].mean(), a[:, 1].std()
    a[:, 1] = (a[:, 1] - mean) / spread
    lags = a[[0, 0, 0, 0, 1, 2, 3, 4]].reshape(1, -1)
    np.testing.assert_allclose(fc.predict()["sales"].iloc[3:], fc.estimator_.predict(lags)[0] * spread + mean)


def test_series_that_nothing_is_learned_from_are_named():
    def named(sizes, estimator, **options):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fc = forecaster(estimator, **options).fit(panel(sizes))
        return fc, [str(w.message) for w in caught if w.category is UserWarning]

    short = "1 of 2 series have no row to learn from ('b'): they are forecast by what the others teach."
    for b, horizon in [(1, 3), (4, 6)]:
        fc, messages = named({"c": 50, "b": b}, Ridge(), horizon=horizon)
        assert [message[: len(short)] for message in messages] == [short]
        assert fc.predict()["sales"].notna().all()
    assert len(named({"c": 50, "b": 1}, TINY)[1]) == 1
    assert named({"c": 50, "b": 4}, TINY, horizon=6)[1] == []  # a row with one known step teaches that step
    assert len(named({"c": 50, "b": 4}, TINY, horizon=6, known_ahead="price")[1]) == 1  # but not what is known ahead
    assert named({"c": 50, "b": 7}, TINY, horizon=6, known_ahead="price")[1] == []
    assert named({"c": 50, "b": 11}, Ridge())[1] == []
    assert len(named({"c": 50, "b": 10}, Ridge())[1]) == 1  # others have whole windows
    assert named({"c": 10, "b": 9}, Ridge())[1] == []  # none has one: all train
    with pytest.raises(ValueError, match="less than the rows of the longest of 2 series, got horizon=3 and 2 rows"):
        forecaster().fit(panel({"c": 2, "a": 1}))


def test_which_rows_are_ready_takes_no_values():
    pieces = Pieces(None, np.array([0, 0, 0, 0, 1, 1, 1]), np.array([1, 0, 0, 0, 1, 0, 0], dtype=bool))
    assert pieces.ready([1], 2).tolist() == [True, True, False, False, True, False, False]
    assert pieces.ready([], 2).all()


def test_no_values_are_copied_to_say_which_rows_are_ready(monkeypatch):
    X = panel()
    fc = forecaster(known_ahead="price").fit(X)
    monkeypatch.setattr(Pieces, "ahead", lambda *_: pytest.fail("copied"))
    _, rows = fc._read(X)
    pieces = Pieces.cut(rows, fc.history_.step)
    fc._check_length(rows.timeline, pieces, fc._form)
    assert fc._scales_of(pieces, rows.timeline.names)[1].sum() == len(X) - 9


@pytest.mark.parametrize("estimator", [Ridge(), TINY], ids=["ridge", "net"])
def test_a_new_series_is_forecast_as_a_known_one(estimator):
    X = panel()
    fc = forecaster(estimator).fit(X)
    new = X[X["shop"] == "a"].assign(shop="z")
    new["sales"] = new["sales"] * 50
    own = new["sales"][:8]
    fc.update(new[:20]).update(new[20:])
    assert list(fc.series_) == ["c", "a", "b", "z"]
    z = fc.predict().iloc[-3:]
    assert z["shop"].tolist() == ["z"] * 3
    assert ((z["sales"] / own.mean() - 1).abs() < 0.4).all()


def test_updates_row_by_row_and_at_once_agree():
    X = panel()
    later = panel({shop: size + 4 for shop, size in SIZES.items()})
    more = later[later.groupby("shop").cumcount(ascending=False) < 4]
    new = panel({"z": 12}).assign(sales=lambda X: X["sales"] * 7)
    at_once = forecaster().fit(X).update(pd.concat([more, new]))
    one_by_one = forecaster().fit(X)
    for k in range(4):
        one_by_one.update(more[more.groupby("shop").cumcount() == k].sample(frac=1, random_state=k))
    for k in range(12):
        one_by_one.update(new[k : k + 1])
    pd.testing.assert_frame_equal(one_by_one.predict(), at_once.predict())


def test_an_update_that_fails_for_one_series_changes_none():
    fc = forecaster().fit(panel())
    before = fc.predict()
    later = panel({shop: size + 4 for shop, size in SIZES.items()})
    more = later[later.groupby("shop").cumcount(ascending=False) < 4]
    with pytest.raises(ValueError, match="series 'b' begins at 2024-03-03 00:00:00, the known rows end at 2024-03-01"):
        fc.update(more[(more["shop"] != "b") | (more["day"] > "2024-03-02")])
    pd.testing.assert_frame_equal(fc.predict(), before)


# ------------------------------------------------------------------------------------------------------- score


def test_the_score_of_a_panel_is_the_mean_over_all_of_its_forecasts():
    X = panel()
    past, last = (X[(X.groupby("shop").cumcount(ascending=False) < 10) == late] for late in (False, True))
    fc = forecaster().fit(past)
    errors, rolled = [], forecaster().fit(past)
    for begin in range(10):
        if begin:
            rolled.update(last[last.groupby("shop").cumcount() == begin - 1])
        both = rolled.predict().merge(last, on=["shop", "day"], suffixes=("", "_true"))
        scale = both["shop"].map(past.groupby("shop")["sales"].apply(lambda y: y.diff().abs().mean()))
        errors += list((both["sales"] - both["sales_true"]).abs() / scale)
    assert fc.score(last) == pytest.approx(-np.mean(errors))


def test_no_forecast_sees_later_rows(monkeypatch):
    X = panel()
    past = X[X.groupby("shop").cumcount(ascending=False) >= 10]
    last = pd.concat([X[X.groupby("shop").cumcount(ascending=False) < 10], panel({"z": 20}, start="2024-02-01")])
    fc = forecaster().fit(past)
    seen = []
    forecast = SeriesForecaster._forecast

    def spy(self, pieces, origins, scales, coverage=None):
        found = forecast(self, pieces, origins, scales, coverage)
        seen.append((pieces.series[origins], pieces.places[origins], found[""]))
        return found

    monkeypatch.setattr(SeriesForecaster, "_forecast", spy)
    fc.score(last)
    late = last.groupby("shop").cumcount(ascending=False) < 4
    fc.score(last.assign(sales=last["sales"].where(~late, last["sales"] * 3)))
    (series, places, before), (_, _, after) = seen
    ends = np.array([18, 18, 18, 20])  # rows of each: the 8 kept and 10, and 20 of the new series
    early = places < ends[series] - 4
    np.testing.assert_allclose(before[early], after[early])
    assert not np.isclose(before[~early], after[~early]).all()
    assert set(places[series == 3]) == set(range(7, 19))  # a new series counts once its scale is known


def test_a_search_over_a_panel():
    X = panel()
    by_label = WindowedTimeSeriesSplit(3, horizon=3, group="shop", time="day", gap=0)
    for rows, cv in ((X, by_label), (X.sort_values("day", kind="stable"), TimeSeriesSplit(3))):
        search = GridSearchCV(forecaster(), {"window": [2, 9]}, cv=cv, error_score="raise").fit(rows)
        assert search.best_params_ == {"window": 9}


def test_a_group_without_time_is_refused():
    with pytest.raises(ValueError, match="must have time labels, got an index of groups 'shop' only"):
        forecaster(time=None).fit(panel().drop(columns="day").set_index("shop"))
    with pytest.raises(ValueError, match="A time label must occur once in a series of X"):
        forecaster(group=None).fit(panel()[["day", "sales"]])
