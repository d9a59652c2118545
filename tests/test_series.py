"""`SeriesForecaster` on one series: its contract, labels, equality with hand-made lags, inputs known ahead, updates."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from skrnn import future_targets
from skrnn._forecast_drivers import CALIBRATED, CALIBRATING_ROWS
from skrnn.regressor import RNNRegressor
from skrnn.series import SeriesForecaster

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # two epochs are few

TINY = RNNRegressor("gru", hidden_size=3, max_epochs=2, random_state=0, early_stopping=False)


def wave(n_rows=90, start="2024-01-01", freq="D", name="load", seed=0):
    t = np.arange(n_rows)
    values = 50 + 10 * np.sin(t * 2 * np.pi / 7) + np.random.default_rng(seed).normal(size=n_rows)
    return pd.Series(values, index=pd.date_range(start, periods=n_rows, freq=freq, name="day"), name=name)


def table(n_rows=90):
    return pd.DataFrame({"load": wave(n_rows), "wind": wave(n_rows, seed=1) / 7, "sun": wave(n_rows, seed=2) * 3})


class Banded(Ridge):
    """A net-like estimator: reads windows, looks up futures itself, gives intervals."""

    def __init__(self, horizon=None, target_channels=None, future_channels=None, alpha=1.0):
        super().__init__(alpha=alpha)
        self.horizon = horizon
        self.target_channels = target_channels
        self.future_channels = future_channels

    def fit(self, X, y, sample_weight=None):
        Y = future_targets(y, self.horizon)
        Y = Y.reshape(len(Y), -1)
        rows = ~np.isnan(Y).any(axis=1)
        self.weight_, self.x_ = sample_weight, X
        return super().fit(np.nan_to_num(np.asarray(X)[rows].reshape(rows.sum(), -1)), Y[rows])

    def predict(self, X):
        return super().predict(np.nan_to_num(np.asarray(X).reshape(len(X), -1)))

    def predict_interval(self, X, coverage):
        return self.predict(X) - coverage, self.predict(X) + 2 * coverage


# ----------------------------------------------------------------------------------------------- the contract


def test_parameters_reach_the_estimator_and_survive_clone():
    forecaster = SeriesForecaster(RNNRegressor(hidden_size=3), window=8, horizon=2, known_ahead=["sun"])
    forecaster.set_params(estimator__hidden_size=7, window=9)
    assert forecaster.estimator.hidden_size == 7
    copy = clone(forecaster)
    assert copy.get_params()["estimator__hidden_size"] == 7
    assert (copy.window, copy.horizon, copy.known_ahead) == (9, 2, ["sun"])
    assert copy.estimator is not forecaster.estimator


def test_the_estimator_given_is_not_touched():
    net = clone(TINY)
    forecaster = SeriesForecaster(net, window=8, horizon=2).fit(wave(40))
    assert net.horizon is None
    assert not hasattr(net, "nets_")
    assert forecaster.estimator_.horizon == 2
    assert forecaster.estimator_.target_channels == [0]


def test_grid_search_finds_the_window_that_sees_a_whole_week():
    search = GridSearchCV(
        SeriesForecaster(Ridge(), window=2, horizon=3), {"window": [2, 9], "horizon": [3]}, cv=TimeSeriesSplit(3)
    )
    search.fit(table(300))
    assert search.best_params_["window"] == 9
    assert list(search.best_estimator_.predict().columns) == ["load", "wind", "sun"]


@pytest.mark.parametrize("X", [wave(40), table(40)], ids=["Series", "DataFrame"])
def test_cross_val_score_of_a_net(X):
    scores = cross_val_score(SeriesForecaster(TINY, window=5, horizon=2), X, cv=TimeSeriesSplit(2))
    assert scores.shape == (2,)
    assert (scores < 0).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("estimator", [Ridge(), TINY], ids=["ridge", "net"])
def test_pickled_forecasters_forecast_the_same(estimator):
    forecaster = SeriesForecaster(estimator, window=8, horizon=3).fit(table())
    copy = pickle.loads(pickle.dumps(forecaster))
    pd.testing.assert_frame_equal(copy.predict(), forecaster.predict())
    more = table(93)[90:]
    pd.testing.assert_frame_equal(copy.update(more).predict(), forecaster.update(more).predict())


@pytest.mark.parametrize("estimator", [Ridge(), TINY, Banded()], ids=["ridge", "net", "banded"])
@pytest.mark.parametrize("target", [None, "wind", ["sun", "load"]])
def test_columns_are_the_targets(estimator, target):
    forecaster = SeriesForecaster(estimator, window=8, horizon=3, target=target).fit(table())
    forecasts = forecaster.predict()
    wanted = {None: ["load", "wind", "sun"], "wind": ["wind"]}.get(
        target if not isinstance(target, list) else "", target
    )
    assert list(forecasts.columns) == wanted == forecaster.targets_
    assert forecasts.shape == (3, len(wanted))
    means = table()[wanted].mean()
    assert ((forecasts.mean() / means - 1).abs() < 0.3).all()  # each column is its own


def test_y_is_ignored():
    X = table()
    with_y = SeriesForecaster(Ridge(), window=8, horizon=3).fit(X, X["sun"].to_numpy() * 0).predict()
    pd.testing.assert_frame_equal(with_y, SeriesForecaster(Ridge(), window=8, horizon=3).fit(X).predict())


def test_x_is_not_changed():
    X = table()
    SeriesForecaster(TINY, window=8, horizon=3).fit(X[:80]).update(X[80:])
    pd.testing.assert_frame_equal(X, table())


# ------------------------------------------------------------------------------------------- equality with lags


def lag_matrix(values, window):
    """Rows of the last `window` rows, oldest first, for t = window - 1, ..."""
    return np.array([values[t - window + 1 : t + 1].ravel() for t in range(window - 1, len(values))])


@pytest.mark.parametrize("columns, targets", [(["load"], [0]), (["load", "wind", "sun"], [2, 0])])
def test_ridge_equals_ridge_on_a_lag_matrix(columns, targets):
    X, window, horizon = table()[columns], 5, 3
    names = [columns[k] for k in targets]
    forecasts = SeriesForecaster(Ridge(), window=window, horizon=horizon, target=names).fit(X).predict()
    values = X.to_numpy()
    lags = lag_matrix(values, window)
    ahead = np.array([values[t + 1 : t + 1 + horizon, targets].ravel() for t in range(window - 1, len(X) - horizon)])
    wanted = Ridge().fit(lags[:-horizon], ahead).predict(lags[-1:]).reshape(horizon, len(targets))
    np.testing.assert_allclose(forecasts, wanted)


def test_a_net_equals_the_pipeline_of_windows_and_net():
    from skrnn.windows import SlidingWindowTransformer

    X = table()
    net = clone(TINY).set_params(horizon=3, target_channels=[1])
    pipe = make_pipeline(SlidingWindowTransformer(8), net).fit(X, X["wind"])
    forecaster = SeriesForecaster(TINY, window=8, horizon=3, target="wind").fit(X)
    np.testing.assert_allclose(forecaster.predict()["wind"], pipe.predict(X)[-1])


def test_regressors_of_one_output_are_repeated_for_each_step():
    X = wave()
    forecaster = SeriesForecaster(SVR(C=100), window=5, horizon=2).fit(X)
    assert len(forecaster.estimator_.estimators_) == 2
    values = X.to_numpy()[:, None]
    second = SVR(C=100).fit(lag_matrix(values, 5)[:-2], values[6:, 0]).predict(lag_matrix(values, 5)[-1:])
    np.testing.assert_allclose(forecaster.predict().iloc[1], second)
    assert type(SeriesForecaster(SVR(), window=5, horizon=1).fit(X).estimator_) is SVR
    forest = SeriesForecaster(RandomForestRegressor(3, random_state=0), window=5, horizon=2).fit(X)
    assert type(forest.estimator_) is RandomForestRegressor
    pipe = SeriesForecaster(make_pipeline(StandardScaler(), Ridge()), window=5, horizon=2).fit(X)
    assert pipe.predict().shape == (2, 1)


def test_short_windows_train_only_where_no_other_is():
    few = wave(6)
    with pytest.warns(UserWarning, match=r"`window`=8 is longer than X \(6 rows\)"):
        forecaster = SeriesForecaster(Ridge(), window=8, horizon=2).fit(few)
    assert forecaster.predict().notna().all().all()


# --------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-01-30", periods=43, freq="D"),
        pd.date_range("2024-02-05", periods=43, freq="B"),
        pd.date_range("2020-01-31", periods=43, freq="ME"),
        pd.date_range("2020-01-01", periods=43, freq="QS"),
        pd.date_range("2024-01-01", periods=43, freq="30min"),
        pd.date_range("2024-03-29", periods=43, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-02-20", periods=43, freq="D", tz="Europe/Berlin"),
        pd.period_range("2024-01", periods=43, freq="M", name="month"),
        pd.period_range("2024-01", periods=43, freq="W"),
        pd.period_range("2024-01-01 00:00", periods=43, freq="30min"),
        pd.period_range("2024-01-01 00:00", periods=86, freq="30min")[::2],
        pd.timedelta_range("1h", periods=43, freq="2h"),
        pd.RangeIndex(5, 5 + 3 * 43, 3, name="step"),
        pd.Index(np.arange(43) * 10),
        pd.Index(np.arange(43) * 0.1),
    ],
    ids=lambda index: f"{index.dtype}-{getattr(index, 'freqstr', '')}",
)
@pytest.mark.parametrize("keeps_freq", [True, False])
def test_labels_go_on_as_the_index_does(index, keeps_freq):
    X = pd.Series(wave(43).to_numpy(), index=index, name="load")
    past = X.iloc[:40] if keeps_freq else X.iloc[np.delete(np.arange(40), [])]
    forecasts = SeriesForecaster(Ridge(), window=5, horizon=3).fit(past).predict()
    assert forecasts.index.name == index.name
    if index.dtype.kind == "f":
        np.testing.assert_allclose(forecasts.index, index[40:])
    else:
        pd.testing.assert_index_equal(forecasts.index, index[40:], exact="equiv")


def test_labels_where_rows_are_missing():
    days = pd.date_range("2023-01-02", periods=400, freq="B").drop(["2023-05-01", "2023-12-25", "2023-12-26"])
    trading = pd.Series(np.arange(len(days)) % 7, index=days, dtype=float)
    forecasts = SeriesForecaster(Ridge(), window=5, horizon=6).fit(trading).predict()
    assert list(forecasts.index) == list(pd.bdate_range(days[-1], periods=7)[1:])
    some = wave(90).drop(wave(90).index[[3, 33, 50]])
    with pytest.warns(UserWarning, match=r"3 of 87 rows do not come one step \(D\).*2024-01-05 .* after 2024-01-03"):
        forecasts = SeriesForecaster(Ridge(), window=5, horizon=2).fit(some).predict()
    assert list(forecasts.index) == list(pd.date_range(some.index[-1], periods=3)[1:])


@pytest.mark.parametrize(
    "index, warns",
    [
        (pd.date_range("2024-01-01", periods=90)[pd.date_range("2024-01-01", periods=90).day_of_week < 6], True),
        (pd.date_range("2014-01", periods=90, freq="MS").delete(50), True),
        (pd.date_range("2014-01", periods=90, freq="MS"), False),
        (pd.date_range("2024-03-30", periods=90, freq="h", tz="Europe/Berlin"), False),
        (pd.period_range("2014-01", periods=90, freq="M"), False),
        (pd.Index(np.arange(90) * 0.1), False),
        (pd.date_range("2024-01-01", periods=300).delete(150), False),  # a hole of a regular index is cut out
    ],
    ids=["six days a week", "a month is missing", "months", "zone", "periods", "floats", "hole"],
)
def test_rows_that_are_read_as_neighbours_though_they_are_apart_are_warned_of(index, warns):
    y = pd.Series(np.random.default_rng(0).normal(size=len(index)), index=index)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SeriesForecaster(Ridge(), window=5, horizon=2).fit(y)
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == warns, messages
    assert not warns or "do not come one step" in messages[0]


def test_a_series_without_a_name_and_names_that_are_no_strings():
    assert list(SeriesForecaster(Ridge(), window=5, horizon=3).fit(wave(name=None)).predict()) == ["y"]
    X = table().set_axis([0, "b", (1, 2)], axis=1)
    for estimator in (Ridge(), TINY):
        forecaster = SeriesForecaster(estimator, window=5, horizon=3, target=[(1, 2), 0]).fit(X)
        assert list(forecaster.predict().columns) == [(1, 2), 0]


def test_time_may_be_a_column():
    X = table().reset_index().sample(frac=1, random_state=0).reset_index(drop=True)
    forecasts = SeriesForecaster(Ridge(), window=5, horizon=3, time="day").fit(X).predict()
    assert list(forecasts.columns) == ["day", "load", "wind", "sun"]
    assert forecasts.index.equals(pd.RangeIndex(3))
    by_index = SeriesForecaster(Ridge(), window=5, horizon=3).fit(table()).predict()
    pd.testing.assert_frame_equal(forecasts.set_index("day"), by_index, check_freq=False)


# ---------------------------------------------------------------------------------------------- known ahead


def promoted(n_rows=120):
    """Sales that equal what is known of the day before: the input one row earlier."""
    X = pd.DataFrame({"price": np.random.default_rng(3).normal(size=n_rows)}, index=wave(n_rows).index)
    return X.assign(sales=3 * X["price"].shift(1, fill_value=0.0) + 1, noise=wave(n_rows, seed=4))


def test_what_is_known_ahead_is_used_at_its_own_step():
    X = promoted()
    forecaster = SeriesForecaster(Ridge(1e-9), window=6, horizon=4, target="sales", known_ahead="price").fit(X[:100])
    forecasts = forecaster.predict(X[["price"]][100:104])
    np.testing.assert_allclose(forecasts["sales"], X["sales"][100:104], atol=1e-6)
    changed = X[["price"]][100:104].copy()
    changed.iloc[1] += 1.0
    moved = forecaster.predict(changed)["sales"] - forecasts["sales"]
    np.testing.assert_allclose(moved, [0, 0, 3, 0], atol=1e-6)


def test_rows_of_the_future_may_be_more_and_carry_other_columns():
    X = promoted()
    forecaster = SeriesForecaster(Ridge(), window=6, horizon=4, target="sales", known_ahead=["price"]).fit(X[:100])
    wanted = forecaster.predict(X[["price"]][100:104])
    pd.testing.assert_frame_equal(forecaster.predict(X.assign(noise=np.nan)), wanted)
    pd.testing.assert_frame_equal(forecaster.predict(X["price"][90:110]), wanted)


def test_labels_of_the_future_are_those_given():
    days = pd.date_range("2023-01-02", periods=122, freq="B").drop("2023-06-14")  # a Wednesday
    X = promoted(121).set_axis(days, axis=0)
    forecaster = SeriesForecaster(Ridge(), window=6, horizon=4, target="sales", known_ahead="price").fit(X[:117])
    assert list(forecaster.predict(X[["price"]]).index) == list(days[117:])


def test_a_score_with_known_inputs():
    X = promoted()
    forecaster = SeriesForecaster(Ridge(1e-9), window=6, horizon=4, target="sales", known_ahead="price").fit(X[:100])
    assert forecaster.score(X[100:]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="X must hold at least 4 rows"):
        forecaster.score(X[100:103])


def test_an_estimator_with_future_channels_is_told_of_them():
    X = promoted()
    forecaster = SeriesForecaster(Banded(), window=6, horizon=4, target=["noise", "sales"], known_ahead="price")
    net = forecaster.fit(X[:100]).estimator_
    assert net.target_channels == [2, 1]
    assert net.future_channels == [0]
    assert net.weight_.tolist() == [1] * 96 + [0] * 4  # of the last rows the inputs to come are not known
    window = np.asarray(net.x_)[50]  # (6, 3)
    np.testing.assert_array_equal(window[:, 0], X["price"][49:55])
    np.testing.assert_array_equal(window[:, 1:], X[["sales", "noise"]][45:51])
    mine = Banded(target_channels=[0], future_channels=["b"])
    assert SeriesForecaster(mine, window=6, horizon=4).fit(X).estimator_.future_channels == ["b"]


def test_a_net_takes_known_inputs():
    X = promoted()
    forecaster = SeriesForecaster(TINY, window=6, horizon=4, target="sales", known_ahead="price").fit(X[:100])
    first = forecaster.predict(X[100:])
    second = forecaster.predict(X[100:].assign(price=X["price"] + 1))
    assert (first["sales"] != second["sales"]).all()


# ------------------------------------------------------------------------------------------------ intervals


def test_a_seq2seq_net_with_known_inputs_and_intervals():
    from skrnn.forecaster import Seq2SeqForecaster

    net = Seq2SeqForecaster(hidden_size=3, max_epochs=2, calibration_fraction=0.2, random_state=0)
    forecaster = SeriesForecaster(net, window=6, horizon=4, target=["noise", "sales"], known_ahead="price")
    forecasts = forecaster.fit(promoted()[:100]).predict(promoted()[100:], coverage=0.8)
    assert list(forecasts.columns[:3]) == ["noise", "noise_lower", "noise_upper"]
    assert (forecasts["sales_lower"] <= forecasts["sales"]).all()
    assert (forecasts["sales"] <= forecasts["sales_upper"]).all()
    assert forecaster.estimator_.future_channels == [0]
    assert forecaster.score(promoted()[100:]) < 0


def test_a_net_without_rows_set_aside_gets_its_intervals_from_a_copy_that_has():
    from skrnn.forecaster import Seq2SeqForecaster

    X = table()
    net = Seq2SeqForecaster(hidden_size=3, max_epochs=2, random_state=0)
    forecaster = SeriesForecaster(net, window=6, horizon=4).fit(X)
    forecasts, alone = forecaster.predict(coverage=0.8), forecaster.predict()
    pd.testing.assert_frame_equal(forecasts[alone.columns], alone)  # the forecasts learn from all rows
    assert forecaster.estimator_.calibration_fraction is None
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(forecaster)).predict(coverage=0.8), forecasts)
    share = (CALIBRATING_ROWS + 3) / len(X)  # the last 3 rows know not all of 4 steps
    assert share > CALIBRATED
    net.set_params(calibration_fraction=share)
    copy = SeriesForecaster(net, window=6, horizon=4).fit(X).predict(coverage=0.8)
    for target in alone.columns:
        for end in ("lower", "upper"):
            reach = forecasts[f"{target}_{end}"] - forecasts[target]
            np.testing.assert_allclose(reach, copy[f"{target}_{end}"] - copy[target], rtol=1e-6, atol=1e-9)


def test_the_rows_of_fit_are_kept_until_the_first_interval():
    from skrnn.forecaster import Seq2SeqForecaster

    net = Seq2SeqForecaster(hidden_size=3, max_epochs=2, random_state=0)
    forecaster = SeriesForecaster(net, window=6, horizon=4).fit(wave(4000))
    before = len(pickle.dumps(forecaster._driver))
    first = forecaster.predict(coverage=0.8)
    assert len(pickle.dumps(forecaster._driver)) < before - 8000
    pd.testing.assert_frame_equal(forecaster.predict(coverage=0.8), first)


class Lent(Banded):
    """Has an interval of another level than its forecasts once rows are set aside."""

    def __init__(self, horizon=None, target_channels=None, calibration_fraction=None, target_transform=None):
        super().__init__(horizon, target_channels)
        self.calibration_fraction = calibration_fraction
        self.target_transform = target_transform

    def predict_interval(self, X, coverage):
        return self.predict(X) - 1e3, self.predict(X) - 9e2


@pytest.mark.parametrize("transform, least", [("sqrt", 0.0), ("log1p", -1.0), (None, None)])
def test_widths_that_are_lent_stay_within_what_the_transform_can_be(transform, least):
    forecaster = SeriesForecaster(Lent(target_transform=transform), window=6, horizon=4).fit(wave())
    forecasts = forecaster.predict(coverage=0.8)
    for end, width in [("load_lower", 1e3), ("load_upper", 9e2)]:
        wanted = forecasts["load"] - width if least is None else np.full(4, least)
        np.testing.assert_allclose(forecasts[end], wanted)


@pytest.mark.parametrize("names", [("a", "a_lower"), (1, "1_upper")])
def test_columns_of_one_name_are_refused(names):
    X = table()[["load", "wind"]].set_axis(list(names), axis=1)
    forecaster = SeriesForecaster(Banded(), window=8, horizon=3).fit(X)
    assert list(forecaster.predict().columns) == list(names)
    with pytest.raises(ValueError, match=f"must have different names, got '{names[1]}' twice, .*: rename that column"):
        forecaster.predict(coverage=0.5)
    X = X.assign(a_upper="b").set_axis(["a", "b", "a_upper"], axis=1)
    forecaster = SeriesForecaster(Banded(), window=8, horizon=3, group="a_upper").fit(X)
    with pytest.raises(ValueError, match="got 'a_upper' twice"):
        forecaster.predict(coverage=0.5)


def test_intervals_stand_beside_their_forecast():
    X = table()
    forecaster = SeriesForecaster(Banded(), window=8, horizon=3, target=["wind", "sun"]).fit(X)
    forecasts = forecaster.predict(coverage=0.5)
    assert list(forecasts.columns) == ["wind", "wind_lower", "wind_upper", "sun", "sun_lower", "sun_upper"]
    pd.testing.assert_frame_equal(forecasts[["wind", "sun"]], forecaster.predict())
    np.testing.assert_allclose(forecasts["sun_lower"], forecasts["sun"] - 0.5)
    np.testing.assert_allclose(forecasts["wind_upper"], forecasts["wind"] + 1)


# --------------------------------------------------------------------------------------------------- update


@pytest.mark.parametrize("sizes", [[10], [1, 9], [1] * 10, [3, 7]], ids=str)
def test_after_updates_the_forecast_is_that_of_all_rows(sizes):
    X = table()
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3).fit(X[:80])
    net = forecaster.estimator_
    begin = 80
    for size in sizes:
        assert forecaster.update(X[begin : begin + size]) is forecaster
        begin += size
    assert forecaster.estimator_ is net
    values = X.to_numpy()[-8:].reshape(1, -1)
    np.testing.assert_allclose(forecaster.predict(), net.predict(values).reshape(3, 3))
    assert list(forecaster.predict().index) == list(pd.date_range(X.index[-1], periods=4)[1:])


@pytest.mark.parametrize(
    "X, message",
    [
        (
            table(95)[92:],
            "begins at 2024-04-02 00:00:00, the known rows end at 2024-03-30 00:00:00, more than one step",
        ),
        (table(95)[88:], "leave out the rows that are known"),
        (table(95), "leave out the rows that are known"),
        (table(95)[90:][["load"]], "X must have the columns ['load', 'wind', 'sun'] of `fit`, got no ['wind', 'sun']"),
        (table(95)[90:].assign(rain=1), "the unknown ones ['rain']"),
        (table(95)[90:].assign(wind=np.nan), "The targets in X must be finite, got nan in row 0"),
        (table(95)[90:].reset_index(drop=True), "The labels of X must be dates, as in `fit`, got numbers"),
        (table(95)[90:].to_numpy(), "X must be a pandas Series or DataFrame"),
        (table(95)[90:90], "X must have rows, got none"),
    ],
)
def test_updates_that_do_not_fit_change_nothing(X, message):
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3).fit(table(90))
    before, history = forecaster.predict(), forecaster.history_
    with pytest.raises(ValueError, match=re.escape(message)):
        forecaster.update(X)
    assert forecaster.history_ is history
    pd.testing.assert_frame_equal(forecaster.predict(), before)
    forecaster.update(table(95)[90:])


# ---------------------------------------------------------------------------------------------------- score


def test_the_score_is_that_of_a_loop():
    X, horizon = table(), 3
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=horizon, target=["sun", "wind"]).fit(X[:70])
    values, targets = X.to_numpy(), [2, 1]
    scale = np.abs(np.diff(values[:70, targets], axis=0)).mean(axis=0)
    errors = []
    for origin in range(69, 89):
        lags = values[origin - 7 : origin + 1].reshape(1, -1)
        forecast = forecaster.estimator_.predict(lags).reshape(horizon, 2)
        for step in range(1, horizon + 1):
            if origin + step < 90:
                errors.append(np.abs(forecast[step - 1] - values[origin + step, targets]) / scale)
    assert forecaster.score(X[70:]) == pytest.approx(-np.mean(errors))
    assert forecaster.score(X[70:], X["load"]) == forecaster.score(X[70:])


def test_the_score_of_the_training_rows_and_of_rows_after_a_hole():
    X = table()
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3).fit(X[:70])
    assert -2 < forecaster.score(X[:70]) < 0
    with pytest.warns(UserWarning, match="more than one step"):
        apart = forecaster.score(X[75:])
    assert apart != forecaster.score(X[70:])
    with pytest.warns(UserWarning, match="amid the rows of `fit`"):
        forecaster.score(X[60:])


def test_a_single_row_can_be_scored():
    X = wave()
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3).fit(X[:70])
    scale = np.abs(np.diff(X[:70])).mean()
    error = abs(forecaster.predict()["load"].iloc[0] - X.iloc[70])
    assert forecaster.score(X[70:71]) == pytest.approx(-error / scale)


def test_the_score_is_in_units_of_steps_within_pieces():
    X = wave(300)
    X[200:] += 1000
    X = X.drop(X.index[195:200])
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=1).fit(X[:290])
    y = X[:290].to_numpy()
    steps = np.abs(np.diff(y))
    np.testing.assert_allclose(forecaster._scales.naive, np.delete(steps, 194).mean())


def test_a_constant_series_is_scored_in_its_own_units():
    X = pd.Series(5.0, index=wave().index)
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=1).fit(X[:70])
    assert forecaster.score(X[70:] + 2) < -0.5


# -------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "options, X, message",
    [
        ({"horizon": 0}, wave(), "`horizon` must be an int of at least 1, got 0."),
        ({"window": 0}, wave(), "`window` must be an int of at least 1, got 0."),
        ({"window": 2.0}, wave(), "`window` must be an int of at least 1, got 2.0."),
        ({"horizon": 90}, wave(), "`horizon` must be less than the rows of X, got horizon=90 and 90 rows"),
        ({"horizon": 9, "known_ahead": "sun"}, table(), "`window` must be at least `horizon` where `known_ahead`"),
        ({"target": "wnd"}, table(), "`target` must name columns of X (neither group nor time), got 'wnd': it has ["),
        ({"target": ["sun", "sun"]}, table(), "`target` must name each column once, got 'sun' twice."),
        (
            {"known_ahead": ["rain"]},
            table(),
            "`known_ahead` must name columns of X (neither group nor time), got 'rain'",
        ),
        ({"target": "sun", "known_ahead": ["sun"]}, table(), "A target is not known ahead, got ['sun'] in `target`"),
        ({"known_ahead": ["load", "wind", "sun"]}, table(), "X must have a column to forecast"),
        ({"group": "shop"}, table(), "`group` must be one of the columns of X, got 'shop'"),
        ({"group": ["a"] * 90}, table(), "`group` must name a column or an index level of X, got list."),
        ({"time": "hour"}, table(), "`time` must be one of the columns of X, got 'hour'"),
        (
            {},
            wave().to_numpy(),
            "X must be a pandas Series or DataFrame, whose index labels the forecasts, got ndarray",
        ),
        ({}, table().set_axis(["a", "b", "a"], axis=1), "must have different names, got 'a' twice"),
        ({}, table().assign(kind="x"), "The columns of X must hold numbers, got ['kind'] of dtype"),
        ({}, wave().where(wave() < 60), "The targets in X must be finite, got nan in row"),
        (
            {"target": "load"},
            table().replace({"sun": table()["sun"].iloc[4]}, np.nan),
            "The inputs in X must be finite",
        ),
        ({}, wave().set_axis([f"row {k}" for k in range(90)]), "The index of X must have a step"),
        ({}, wave().set_axis(pd.to_datetime(np.arange(90) ** 2, unit="D")), "fewer than half are equally far apart"),
        ({}, wave()[::-1], "The index of X must increase"),
        (
            {"estimator": Ridge},
            wave(),
            "`estimator` must be a regressor, an object with fit and predict, got the class",
        ),
        (
            {"estimator": LogisticRegression()},
            wave(),
            "must be a regressor, an object with fit and predict, got Logistic",
        ),
        ({"estimator": "ridge"}, wave(), "must be a regressor, an object with fit and predict, got str: 'ridge'."),
        ({"estimator": StandardScaler()}, wave(), "must be a regressor, an object with fit and predict, got Standard"),
    ],
)
def test_a_fit_that_is_refused_loses_nothing(options, X, message):
    forecaster = SeriesForecaster(Ridge(), window=8, horizon=3).fit(wave())
    before = forecaster.predict()
    forecaster.set_params(**options)
    with pytest.raises(ValueError, match=re.escape(message)):
        forecaster.fit(X)
    pd.testing.assert_frame_equal(forecaster.predict(), before)


def fitted(**options):
    X = promoted()
    settings = {"window": 6, "horizon": 4, "target": "sales", "known_ahead": ["price"]} | options
    return SeriesForecaster(Ridge(), **settings).fit(X[:100]), X[100:104]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X: None, "X_future must hold the columns ['price'] of `known_ahead` in the next 4 rows, got None."),
        (lambda X: X[:3], "X_future must hold `horizon`=4 rows after 2024-04-09 00:00:00, the last known row of the"),
        (lambda X: X.assign(price=[0, 1, np.nan, 2]), "got nan at 2024-04-12 00:00:00 (the series), column 'price'"),
        (lambda X: X.drop(columns="price"), "X_future must have the columns ['price'], got no ['price']"),
        (lambda X: promoted(130)[101:], "X_future must continue the known rows one by one, got 2024-04-11"),
        (lambda X: promoted(130)[100:].drop(X.index[2]), "got 2024-04-13 00:00:00 after 2024-04-11 00:00:00"),
        (lambda X: X.reset_index(drop=True), "The labels of X_future must be dates, as in `fit`, got numbers."),
        (lambda X: X.to_numpy(), "X_future must be a pandas Series or DataFrame"),
        (lambda X: X.assign(price="low"), "The columns of X_future must hold numbers, got ['price']"),
    ],
)
def test_future_rows_that_do_not_fit(change, message):
    forecaster, future = fitted()
    with pytest.raises(ValueError, match=re.escape(message)):
        forecaster.predict(change(future))


@pytest.mark.parametrize("wrap", [lambda net: make_pipeline(StandardScaler(), net), lambda net: GridSearchCV(net, {})])
def test_a_net_within_another_estimator_is_refused(wrap):
    message = "`estimator` must be the net itself, got (Pipeline|GridSearchCV) around one .*__horizon'"
    with pytest.raises(ValueError, match=message):
        SeriesForecaster(wrap(TINY), window=8, horizon=3).fit(wave())


def test_other_mistakes():
    forecaster, future = fitted(known_ahead=())
    with pytest.raises(ValueError, match="X_future must be None where `known_ahead` names no column"):
        forecaster.predict(future)
    with pytest.raises(ValueError, match="`coverage` needs an estimator with predict_interval, got Ridge"):
        forecaster.predict(coverage=0.9)
    for coverage in (0, 1, 90, "most"):
        with pytest.raises(ValueError, match="`coverage` must be a number greater than 0 and below 1"):
            forecaster.predict(coverage=coverage)
    holes = promoted(300).drop(promoted(300).index[[100, 200]])
    with pytest.raises(ValueError, match="too long for inputs known ahead: no row of X is followed by so many"):
        SeriesForecaster(Ridge(), window=150, horizon=120, target="sales", known_ahead="price").fit(holes)
    with pytest.raises(ValueError, match="`horizon`=120 is too long: no row of X is followed by so many rows"):
        SeriesForecaster(Ridge(), window=8, horizon=120).fit(holes)


def test_ctrl_c_leaves_what_was_learned(at_batch):
    def interrupt(loss):
        raise KeyboardInterrupt

    at_batch(9, interrupt)
    forecaster = SeriesForecaster(TINY, window=5, horizon=2)
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(wave())
    assert forecaster.predict().shape == (2, 1)
