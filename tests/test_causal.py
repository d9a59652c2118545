"""`check_causal`: what looks ahead is reported, what does not is not, inputs stay what they are, messages."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skrnn import RNNRegressor
from skrnn.model_selection import check_causal
from skrnn.windows import SlidingWindowTransformer, future_targets


class RefittedScaler(TransformerMixin, BaseEstimator):
    """Scales by whatever rows it is given."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return StandardScaler().fit_transform(X)


class Table(RegressorMixin, BaseEstimator):
    """Predicts a function of the table that it is given."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return self.function(X)


def table(n_rows=83, n_channels=2, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_rows, n_channels)).cumsum(axis=0)
    return pd.DataFrame(values, columns=list("abcd")[:n_channels], index=pd.date_range("2024", periods=n_rows))


def panel(sizes=(40, 31, 23), seed=0):
    """A table of shop (a string), day, a and b, its rows in random order; the series begin on different days."""
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame(
            {"shop": f"s{k}", "day": 3 * k + np.arange(size), "a": rng.normal(size=size), "b": rng.random(size)}
        )
        for k, size in enumerate(sizes)
    ]
    return pd.concat(parts).sample(frac=1, random_state=seed, ignore_index=True)


def flat_ridge(window=5, **parameters):
    return make_pipeline(SlidingWindowTransformer(window, flatten=True, **parameters), Ridge())


def moved(estimator, X, **parameters):
    return check_causal(estimator, X, on_fail=None, **parameters)["n_moved"].sum()


# --------------------------------------------------------------------------------------- what is causal


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("frame", [True, False])
@pytest.mark.parametrize("horizon, dtype", [(None, "auto"), (3, np.float32)])
def test_a_recurrent_pipeline_is_causal(frame, horizon, dtype):
    X = table()
    y = (X["a"] if horizon else X["a"].diff(3).fillna(0.0)).to_numpy()
    X = X if frame else X.to_numpy()
    net = RNNRegressor("gru", hidden_size=7, horizon=horizon, dtype=dtype, max_epochs=2, random_state=0)
    pipe = make_pipeline(SlidingWindowTransformer(6), net)
    pipe.fit(X, y)
    assert pipe.predict(X).shape == ((83,) if horizon is None else (83, 3))
    report = check_causal(pipe, X, y)
    assert report["n_moved"].tolist() == [0] * 5
    assert (report["largest_change"] < 1e-6).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_bidirectional_net_reads_the_window_only():
    X = table()
    net = RNNRegressor(hidden_size=5, bidirectional=True, horizon=2, max_epochs=1, random_state=0)
    pipe = make_pipeline(SlidingWindowTransformer(6), net).fit(X, X["b"])
    assert moved(pipe, X) == 0


def test_ridge_on_flat_windows_is_causal():
    X = table()
    y = future_targets(X["a"], 3).fillna(0.0)
    assert moved(flat_ridge().fit(X, y), X) == 0
    assert moved(make_pipeline(StandardScaler(), flat_ridge()).fit(X, y), X) == 0


def test_rows_that_continue_those_of_fit():
    X = table()
    pipe = flat_ridge(context="require").fit(X[:60], X["a"][:60])
    report = check_causal(pipe, X[60:], n_cuts=4)
    assert report["n_moved"].sum() == 0
    assert report["cut_label"].between(X.index[60], X.index[-2]).all()


def test_a_causal_panel():
    X = panel()
    pipe = flat_ridge(group="shop", time="day").fit(X, X["a"])
    assert moved(pipe, X, group="shop", time="day", n_cuts=9) == 0
    levels = X.set_index(["shop", "day"])
    assert moved(flat_ridge(group="shop").fit(levels, X["a"]), levels, group="shop", n_cuts=9) == 0


# ---------------------------------------------------------------------------------------- what looks ahead


def centered(X):
    return pd.DataFrame(X).rolling(5, center=True, min_periods=1).mean().to_numpy()


@pytest.mark.parametrize("frame", [True, False])
def test_a_centred_window_is_reported(frame):
    X = table() if frame else table().to_numpy()
    y = np.asarray(X)[:, 0]
    pipe = make_pipeline(FunctionTransformer(centered), Ridge()).fit(X, y)
    report = check_causal(pipe, X, n_cuts=7, on_fail=None)
    assert report["n_moved"].tolist() == [2] * 7  # of five rows two lie after
    assert (report["first_moved_row"] == report["cut_row"] - 1).all()
    assert (report["largest_change"] > 0.01).all()
    assert report["n_past"].tolist() == (report["cut_row"] + 1).tolist()
    assert report["cut_label"].tolist() == (list(X.index[report["cut_row"]]) if frame else report["cut_row"].tolist())


@pytest.mark.parametrize("statistic", ["mean", "std", "max", "min", "median"])
def test_a_statistic_of_the_whole_table_is_reported(statistic):
    X = table()
    step = FunctionTransformer(lambda rows: rows - getattr(rows, statistic)())
    pipe = make_pipeline(step, flat_ridge()).fit(X, X["a"])
    assert moved(pipe, X) > 0


def test_a_scaler_fitted_again_is_reported():
    X = table()
    pipe = make_pipeline(RefittedScaler(), Ridge()).fit(X, X["a"])
    report = check_causal(pipe, X, on_fail=None)
    assert (report["n_moved"] == report["n_past"]).all()


def test_a_leak_in_one_of_many_outputs_is_reported():
    X = table(n_channels=3)

    def predict(rows):
        given = rows.to_numpy(copy=True)
        given[:-1, 1] = given[1:, 1]
        return given

    report = check_causal(Table(predict).fit(X), X, on_fail=None)
    assert report["n_moved"].tolist() == [1] * 5
    assert report["first_moved_row"].tolist() == report["cut_row"].tolist()


@pytest.mark.parametrize("values", [["low", "high"], [0, 1], [True, False]])
def test_labels_and_probabilities(values):
    X = table()
    y = np.array(values)[(X["a"] > X["a"].median()).astype(int)]
    causal = make_pipeline(SlidingWindowTransformer(3, flatten=True), LinearDiscriminantAnalysis()).fit(X, y)
    leaky = make_pipeline(FunctionTransformer(lambda rows: rows.shift(-1).ffill()), LinearDiscriminantAnalysis()).fit(
        X, y
    )
    for method in ("predict", "predict_proba", "decision_function"):
        assert moved(causal, X, method=method, n_cuts=20) == 0
        assert moved(leaky, X, method=method, n_cuts=20) > 0
    change = check_causal(leaky, X, n_cuts=20, on_fail=None)["largest_change"]
    assert change.isna().all() if isinstance(values[0], str) else set(change) == {0.0, 1.0}


def test_a_list_of_probabilities_for_each_output():
    X = table()
    Y = np.column_stack([X["a"] > X["a"].median(), X["b"] > X["b"].median()])
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    assert moved(forest, X, method="predict_proba") == 0
    leaky = Table(lambda rows: [rows.to_numpy(), rows.shift(-1).ffill().to_numpy()]).fit(X)
    assert moved(leaky, X) == 5


def test_transform_can_be_audited():
    X = table()
    for flatten in (False, True):
        step = SlidingWindowTransformer(4, flatten=flatten).fit(X)
        assert moved(step, X, method="transform") == 0
    assert moved(FunctionTransformer(lambda rows: rows[::-1]), X, method="transform") > 0
    sparse = OneHotEncoder(handle_unknown="ignore").fit(X.round())
    assert moved(sparse, X.round(), method="transform") == 0


def test_a_changed_number_of_columns_is_a_leak():
    X = pd.DataFrame({"kind": list("abcabcabd")})
    report = check_causal(FunctionTransformer(pd.get_dummies), X, method="transform", n_cuts=8, on_fail=None)
    assert np.isinf(report["largest_change"]).any()
    assert (report["n_moved"] == report["n_past"])[np.isinf(report["largest_change"])].all()


def test_one_series_of_a_panel_that_reads_another_ahead():
    X = panel()

    def next_of_all(rows):
        of_day = rows.groupby("day")["a"].mean()
        return (rows["day"] + 1).map(of_day).fillna(0.0)

    report = check_causal(Table(next_of_all).fit(X), X, group="shop", time="day", n_cuts=6, on_fail=None)
    cut_days = X["day"].to_numpy()[report["cut_row"]]
    assert cut_days.tolist() == report["cut_label"].tolist()
    assert report["n_past"].tolist() == [(X["day"] <= day).sum() for day in cut_days]
    assert report["n_moved"].tolist() == [(X["day"] == day).sum() for day in cut_days]
    assert X["day"].to_numpy()[report["first_moved_row"].astype(int)].tolist() == cut_days.tolist()


def test_a_panel_without_times_is_cut_within_each_series():
    X = panel().sort_values(["shop", "day"])[["shop", "a"]].to_numpy()
    series = X[:, 0]

    def following(rows):
        return pd.Series(rows[:, 1].astype(float)).groupby(rows[:, 0]).shift(-1, fill_value=0.0)

    report = check_causal(Table(following).fit(X), X, group=0, n_cuts=3, on_fail=None)
    sizes = pd.Series(series).value_counts()
    for line in report.itertuples():
        assert line.n_past == np.minimum(sizes, line.cut_label + 1).sum()
        assert line.n_moved == (sizes > line.cut_label + 1).sum()


def test_predictions_that_become_missing_moved():
    X = table(9, 1)
    estimator = Table(lambda rows: rows["a"].where(rows["a"].rank() < len(rows)))
    report = check_causal(estimator.fit(X), X, n_cuts=8, on_fail=None)
    assert np.isinf(report["largest_change"]).any()
    assert not report["largest_change"].isna().any()


def test_tolerances():
    X = table(n_channels=1)
    estimator = Table(lambda rows: rows["a"] + 1e-3 * rows["a"].mean()).fit(X)
    assert moved(estimator, X) > 0
    assert moved(estimator, X, rtol=1e-2) == 0
    assert moved(estimator, X, atol=0.1) == 0
    rounding = Table(lambda rows: 1e6 + rows["a"] + 1e-9 * rows["a"].iloc[-1]).fit(X)
    assert moved(rounding, X) == 0
    constant = Table(lambda rows: np.full(len(rows), 5.0 + 1e-15 * rows["a"].iloc[-1])).fit(X)
    assert moved(constant, X) == 0


# ------------------------------------------------------------------------------- what is changed, what is not


def mixed(n_rows=30):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "shop": np.resize(["x", "y"], n_rows),
            "day": np.arange(n_rows) // 2,
            "load": rng.normal(size=n_rows),
            "price": rng.random(n_rows).astype(np.float32) + 0.01,
            "debt": -rng.random(n_rows),
            "count": rng.integers(0, 4, n_rows),
            "code": rng.integers(0, 3, n_rows).astype(float),
            "open": rng.random(n_rows) > 0.5,
            "kind": rng.choice(["u", "v", "w"], n_rows),
            "level": pd.Categorical(rng.choice(["lo", "hi"], n_rows), categories=["lo", "hi", "top"]),
            "nullable": pd.array(rng.integers(0, 4, n_rows), dtype="Int64"),
            "partly": pd.array(np.where(np.arange(n_rows) % 3 == 1, None, rng.normal(size=n_rows)), dtype="Float64"),
            "since": pd.date_range("2024", periods=n_rows),
            "same": 1,
        },
        index=pd.Index(rng.permutation(n_rows) + 100, name="id"),
    )


def seen_by(X, **parameters):
    """Return the tables that an estimator is given: the first two as they are, one for each cut."""
    seen = []

    def record(rows):
        seen.append(rows.copy())
        rows.iloc[:, 2:] = rows.iloc[::-1, 2:].to_numpy() if isinstance(rows, pd.DataFrame) else 0
        return np.zeros(len(rows))

    report = check_causal(Table(record).fit(X), X, **parameters)
    return report, seen


def test_only_later_rows_of_channels_change():
    X = mixed()
    before = X.copy(deep=True)
    report, (first, again, *changed) = seen_by(X[list(X)], group="shop", time="day", n_cuts=4)
    pd.testing.assert_frame_equal(X, before)
    pd.testing.assert_frame_equal(first, before)
    pd.testing.assert_frame_equal(again, before)
    assert len(changed) == len(report) == 4
    for day, rows in zip(report["cut_label"], changed, strict=True):
        later = (X["day"] > day).to_numpy()
        pd.testing.assert_frame_equal(rows[~later], before[~later])
        pd.testing.assert_index_equal(rows.index, before.index)
        pd.testing.assert_series_equal(rows.dtypes, before.dtypes)
        pd.testing.assert_frame_equal(rows.isna(), before.isna())
        pd.testing.assert_frame_equal(rows[["shop", "day", "same"]], before[["shop", "day", "same"]])
        for name in set(X) - {"shop", "day", "same"}:
            known = later & X[name].notna().to_numpy()
            assert (rows[name] != X[name]).to_numpy()[known].all(), name
        for name in ("count", "code", "open", "kind", "level", "nullable", "since"):
            assert rows[name].isin(X[name]).all(), name
        assert not rows["load"].isin(X["load"])[later].any()
        assert (rows["price"] > 0).all()
        assert (rows["debt"] < 0).all()
        assert rows["load"].abs().max() < 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, object, bool, "U3"])
def test_arrays_keep_their_dtype(dtype):
    X = (10 * np.random.default_rng(0).normal(size=(17, 3))).astype(dtype)
    if dtype is bool:
        X[::2] = False
    before, seen = X.copy(), []

    def record(rows):
        seen.append(rows.copy())
        rows[:] = rows[0]
        return np.zeros(len(rows))

    report = check_causal(Table(record).fit(X), X, n_cuts=3)
    np.testing.assert_array_equal(X, before)
    for cut, rows in zip(report["cut_row"], seen[2:], strict=True):
        assert rows.dtype == X.dtype
        np.testing.assert_array_equal(rows[: cut + 1], X[: cut + 1])
        assert (rows[cut + 1 :] != X[cut + 1 :]).all()


def test_encoders_imputers_and_logarithms_take_the_changed_rows():
    X = mixed().drop(columns=["partly", "nullable", "since", "same"])
    X.loc[X.index[::4], "load"] = np.nan
    columns = make_column_transformer(
        (OneHotEncoder(), ["kind", "level", "count", "code"]),
        (SimpleImputer(), ["load"]),
        (FunctionTransformer(np.log), ["price"]),
        (FunctionTransformer(lambda rows: np.sqrt(-rows)), ["debt"]),
    )
    pipe = make_pipeline(columns, Ridge()).fit(X, X["count"])
    assert moved(pipe, X, group="shop", time="day") == 0


def test_lists_and_repeated_column_names():
    X = table(20, 2)
    ridge = Ridge().fit(X.to_numpy(), X["a"])
    assert moved(ridge, X.to_numpy().tolist()) == 0
    twice = X.set_axis(["a", "a"], axis=1)
    assert moved(Table(lambda rows: rows.shift(-1).ffill()).fit(twice), twice) == 5


def test_cuts():
    X = table(2, 1)
    report = check_causal(Table(lambda rows: rows[::-1]).fit(X), X, on_fail=None)
    assert report["cut_row"].tolist() == [0]
    assert report["n_moved"].tolist() == [1]
    X = table(100, 1)
    causal = Table(lambda rows: rows).fit(X)
    report = check_causal(causal, X, n_cuts=3)
    assert (report["cut_row"].to_numpy() // 33).tolist() == [0, 1, 2]  # one in each third
    assert report.equals(check_causal(causal, X, n_cuts=3))
    assert not report.equals(check_causal(causal, X, n_cuts=3, random_state=1))
    assert check_causal(causal, X, n_cuts=1000)["cut_row"].tolist() == list(range(99))


def test_the_report():
    X = table()
    report = check_causal(Table(lambda rows: rows).fit(X), X)
    assert list(report) == ["cut_row", "cut_label", "n_past", "n_moved", "first_moved_row", "largest_change"]
    assert report["first_moved_row"].isna().all()
    leaky = check_causal(Table(lambda rows: rows[::-1]).fit(X), X, on_fail=None)
    assert leaky.dtypes.astype(str).to_dict() == report.dtypes.astype(str).to_dict()


# --------------------------------------------------------------------------------------------- messages


def test_on_fail():
    X = table(50, 1)
    leaky = Table(lambda rows: rows.shift(-1).ffill()).fit(X)
    message = r"`predict` of Table looks ahead: 1 of \d+ rows up to 2024-\S+ 00:00:00 \(row \d+ of X\) moved, the earl"
    with pytest.warns(UserWarning, match=message) as caught:
        report = check_causal(leaky, X)
    assert caught[0].filename == __file__
    with pytest.raises(AssertionError, match=message):
        check_causal(leaky, X, on_fail="raise")
    pd.testing.assert_frame_equal(report, check_causal(leaky, X, on_fail=None))


def test_unfitted():
    with pytest.raises(NotFittedError):
        check_causal(flat_ridge(), table())
    with pytest.raises(NotFittedError):
        check_causal(Ridge(), table())


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_cuts": 0}, "`n_cuts` must be an int of at least 1, got 0."),
        ({"rtol": -1.0}, "`rtol` must be a number of at least 0, got -1.0."),
        ({"atol": np.nan}, "`atol` must be a number of at least 0, got nan."),
        ({"on_fail": "ignore"}, "`on_fail` must be one of 'warn', 'raise', None, got 'ignore'."),
        ({"method": "predict_proba"}, "`method` must name a method of Ridge, got 'predict_proba'."),
        ({"group": "shop"}, "`group` must be one of the columns of X, got 'shop'"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    X = table()
    with pytest.raises(ValueError, match=re.escape(message)):
        check_causal(Ridge().fit(X, X["a"]), X, **parameters)


@pytest.mark.parametrize(
    "X, message",
    [
        (np.zeros((9, 5, 2)), r"got ndarray of shape \(9, 5, 2\): windows hide .* make_pipeline"),
        (SlidingWindowTransformer(3).fit_transform(table()), r"got Windows of shape \(83, 3, 2\): windows hide"),
        (["some", "words"], r"got list of shape \(2,\): give its rows"),
        ([[1.0], [1.0, 2.0]], r"got list: give its rows"),
        (pd.Series([1.0, 2.0]), r"got Series of shape \(2,\): give its rows"),
        (np.ones((1, 3)), "at least 2 rows, one to change and one before it, got 1"),
        (np.ones((9, 3)), "must have a column that varies, besides those of group and time, got none of 3"),
        (table()[::-1], "index of X must increase"),
    ],
)
def test_inputs_that_cannot_be_audited(X, message):
    with pytest.raises(ValueError, match=message):
        check_causal(Table(lambda rows: rows).fit(X), X)


def test_a_panel_of_one_time():
    X = pd.DataFrame({"shop": list("abc"), "day": 1, "a": [1.5, 2.5, 3.5]})
    with pytest.raises(ValueError, match="at least 2 distinct times, got 1"):
        check_causal(Table(lambda rows: rows["a"]).fit(X), X, group="shop", time="day")


def test_predictions_without_a_row_each():
    X = table()
    with pytest.raises(ValueError, match=r"one row for each of the 83 rows of X, got shape \(79, 2\)"):
        check_causal(Table(lambda rows: rows[4:]).fit(X), X)


def test_predictions_that_differ_from_call_to_call():
    X, rng = table(), np.random.default_rng(0)
    with pytest.raises(ValueError, match="must give the same for the same X"):
        check_causal(Table(lambda rows: rng.normal(size=len(rows))).fit(X), X)


def test_a_forgotten_group_is_named_in_the_note():
    X = panel().sort_values(["shop", "day"]).set_axis(range(94))
    pipe = flat_ridge(group="shop", time="day").fit(X, X["a"])
    hidden = Table(pipe.predict).fit(X)  # no Pipeline, which would name them
    with pytest.raises(ValueError, match="must occur once in a series") as caught:
        check_causal(hidden, X)
    assert "must be named by `group` and `time`" in caught.value.__notes__[0]


def test_group_and_time_of_a_window_step_are_taken():
    X = panel().sort_values(["shop", "day"]).set_axis(range(94))
    pipe = flat_ridge(group="shop", time="day").fit(X, X["a"])
    pd.testing.assert_frame_equal(check_causal(pipe, X), check_causal(pipe, X, group="shop", time="day"))
    assert check_causal(pipe, X)["n_moved"].sum() == 0


def test_the_message_counts_in_whole_numbers():
    X = table().reset_index(drop=True)
    with pytest.warns(UserWarning, match=r"looks ahead: \d+ of \d+ rows up to \d+ \(row \d+ of X\)"):
        check_causal(Table(lambda X: X - X.mean(axis=0)).fit(X), X)
