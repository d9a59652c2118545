"""Seq2SeqForecaster: what y may be, shapes, what is known in advance, scores, and that nothing leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_regressor
from sklearn.metrics import r2_score as sklearn_r2
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch import NeuralNet

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows, future_targets
from skrnn.metrics import mae_scorer, mase_scorer, r2_scorer
from skrnn.model_selection import check_causal

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
DECODERS = ["autoregressive", "direct", "parallel"]


def series(n_rows=41, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)


def windows(n_rows=41, window=5, n_channels=2, seed=0):
    rows = series(n_rows, n_channels, seed)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), window)


def fitted(X, y, **params):
    return Seq2SeqForecaster(**SMALL | params).fit(X, y)


def same_fit(one, other, X):
    """Two estimators that learned the same, bit for bit."""
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    columns = [column for column in one.history_ if column != "seconds"]
    np.testing.assert_array_equal(one.history_[columns], other.history_[columns])


# -- y -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [{}, {"early_stopping": True}, {"calibration_fraction": 0.3}], ids=str)
@pytest.mark.parametrize(
    "y",
    [
        series()[:, 1],
        series(),
        series(seed=1)[:, 0],
        series(41, 3, seed=1),
        np.c_[series()[:, 1], series(seed=1)[:, 0]],
    ],
    ids=["channel", "channels", "no channel", "no channels", "both"],
)
def test_the_series_is_its_futures(y, rows):
    X = windows()
    of_series = fitted(X, y, horizon=3, **rows)
    futures = future_targets(y, 3)
    assert of_series.predict(X).shape == (41, *futures.shape[1:])
    same_fit(of_series, fitted(X, futures, **rows), X)
    same_fit(of_series, fitted(X, futures, horizon=3, **rows), X)  # recognised


def test_the_series_of_numpys_windows():
    rows = series()
    X = np.lib.stride_tricks.sliding_window_view(rows, 7, axis=0).transpose(0, 2, 1)
    of_series = fitted(X, rows[6:, 0], horizon=3)
    assert of_series.target_channels_.tolist() == [0]
    same_fit(of_series, fitted(X, future_targets(rows[6:, 0], 3)), X)


def panel(sizes=(17, 11, 23), levels=(0.0, 50.0, 3000.0), seed=0):
    """Rows in random order, each series with a name, days of its own and a level."""
    rng = np.random.RandomState(seed)
    parts = [
        pd.DataFrame({"shop": f"s{k}", "day": 3 * k + np.arange(size), "sold": level + rng.rand(size).cumsum()})
        for k, (size, level) in enumerate(zip(sizes, levels, strict=True))
    ]
    return pd.concat(parts).sample(frac=1, random_state=seed).reset_index(drop=True)


def test_the_series_of_a_panel():
    table = panel()
    step = SlidingWindowTransformer(5, group="shop", time="day")
    of_series = make_pipeline(step, Seq2SeqForecaster(**SMALL, horizon=3)).fit(table, table["sold"])
    futures = future_targets(table["sold"], 3, group=table["shop"], time=table["day"])
    explicit = make_pipeline(step, Seq2SeqForecaster(**SMALL)).fit(table, futures)
    recognised = make_pipeline(step, Seq2SeqForecaster(**SMALL, horizon=3)).fit(table, futures)
    expected = of_series.predict(table)
    assert expected.shape == (51, 3)
    np.testing.assert_array_equal(explicit.predict(table), expected)
    np.testing.assert_array_equal(recognised.predict(table), expected)
    assert explicit[-1].target_channels_.tolist() == [0]
    assert of_series.score(table, table["sold"]) == pytest.approx(explicit.score(table, futures))


def test_the_series_of_a_table_with_names():
    table = pd.DataFrame(series(), columns=["a", "b"], index=pd.date_range("2024", periods=41))
    of_series, explicit = (
        make_pipeline(SlidingWindowTransformer(5), Seq2SeqForecaster(**SMALL, horizon=h)) for h in (3, None)
    )
    of_series.fit(table, table["b"])
    explicit.fit(table, future_targets(table["b"], 3))
    np.testing.assert_array_equal(of_series.predict(table), explicit.predict(table))
    assert of_series[-1].feature_names_in_.tolist() == ["a", "b"]
    assert of_series[-1].target_channels_.tolist() == explicit[-1].target_channels_.tolist() == [1]


def test_a_table_and_ragged_lists():
    rng = np.random.RandomState(0)
    table, futures = rng.randn(9, 6), rng.randn(9, 3)
    of_table = fitted(table, futures, n_channels=2)
    of_block = fitted(table.reshape(9, 3, 2), futures)
    np.testing.assert_array_equal(of_table.predict(table), of_block.predict(table.reshape(9, 3, 2)))
    assert of_table.n_features_in_ == 6
    assert of_table.n_channels_ == of_block.n_channels_ == 2
    ragged = [rng.randn(1 + i % 4, 2) for i in range(9)]
    for decoder in DECODERS:
        model = fitted(ragged, futures, decoder=decoder, attention=None if decoder == "direct" else "dot")
        np.testing.assert_allclose(model.predict(ragged[2:3]), model.predict(ragged)[2:3], rtol=1e-9)


def test_unknown_targets_do_not_train():
    X, y = windows(), series(seed=1)
    futures = future_targets(y, 3)
    futures[[2, 7, 8]] = np.nan
    known = ~np.isnan(futures).all(axis=(1, 2))
    known[-1] = True  # what lies beyond the last row is unknown
    np.testing.assert_array_equal(fitted(X, futures).predict(X), fitted(X[known], futures[known]).predict(X))


# -- shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", ["joint", "shared"])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("loss", ["squared_error", "quantile", "gaussian", "student_t"])
def test_shapes(loss, decoder, channels):
    X, y = windows(n_channels=3), series(n_channels=3)[:, [2, 0]]
    quantiles = {} if loss == "squared_error" else {"quantiles": (0.05, 0.3, 0.5, 0.8, 0.95)}
    model = fitted(
        X, y, horizon=3, loss=loss, decoder=decoder, channels=channels, calibration_fraction=0.4, **quantiles
    )
    predicted = model.predict(X)
    assert predicted.shape == (41, 3, 2)
    assert predicted.dtype == np.float64
    low, high = model.predict_interval(X, 0.5)
    assert low.shape == high.shape == (41, 3, 2)
    assert (low <= high).all()
    assert (high - low).min() > 0
    assert model.target_channels_.tolist() == [2, 0]
    if loss == "squared_error":
        assert not hasattr(model, "predict_quantiles")
        assert not hasattr(model, "sample")
        return
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, predicted)
    assert std.shape == (41, 3, 2)
    assert (std > 0).all()
    of_quantiles = model.predict_quantiles(X)
    assert of_quantiles.shape == (41, 3, 2, 5)
    assert (np.diff(of_quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(of_quantiles[..., 2], predicted, rtol=1e-6)
    assert model.sample(X[:2], 7, random_state=0).shape == (2, 3, 2, 7)
    np.testing.assert_allclose(model.predict(X[7:9]), predicted[7:9], rtol=1e-9)


@pytest.mark.parametrize(
    "shape, horizon", [((41,), None), ((41, 1), None), ((41, 3), None), ((41, 3, 1), None), ((41, 2, 3), None)]
)
def test_predictions_have_the_shape_of_y(shape, horizon):
    y = np.random.RandomState(1).randn(*shape)
    model = fitted(windows(), y, horizon=horizon, loss="gaussian")
    X = windows()
    assert model.predict(X).shape == shape
    assert model.predict_quantiles(X).shape == (*shape, 3)
    assert model.predict(X, horizon=1).shape == (41, 1, *shape[2:])
    assert isinstance(model.score(X, y), float)


def test_fitted_attributes():
    X = windows()
    model = fitted(X, X.base[:, 0], horizon=3, early_stopping=True)
    assert isinstance(model.net_, NeuralNet)
    assert model.nets_ == [model.net_]
    columns = {"epoch", "train_loss", "train_mae", "seconds", "lr", "valid_loss", "valid_mae"}
    assert set(model.history_.columns) == columns
    assert len(model.history_) == model.n_iter_ == 2
    assert model.n_channels_ == model.n_features_in_ == 2
    assert model.device_ == "cpu"
    assert model.skill_ < 1
    assert is_regressor(model)


# -- other horizons ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch_size", [1, 2])
@pytest.mark.parametrize("channels", ["joint", "shared"])
@pytest.mark.parametrize("linear_skip", [False, True])
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_shorter_forecast_is_the_beginning_of_the_whole(decoder, linear_skip, channels, patch_size):
    X = windows(window=4)
    model = fitted(
        X, X.base, horizon=5, decoder=decoder, linear_skip=linear_skip, channels=channels, patch_size=patch_size
    )
    whole = model.predict(X)
    for horizon in (1, 2, 3, 5):
        np.testing.assert_allclose(model.predict(X, horizon=horizon), whole[:, :horizon], rtol=1e-9)


@pytest.mark.parametrize("patch_size", [1, 2])
@pytest.mark.parametrize("attention", [None, "additive", "dot"])
@pytest.mark.parametrize("channels", ["joint", "shared"])
def test_the_autoregressive_decoder_goes_on(channels, attention, patch_size):
    X = windows(window=4)
    model = fitted(
        X, X.base[:, ::-1], horizon=3, channels=channels, attention=attention, patch_size=patch_size, loss="gaussian"
    )
    further = model.predict(X, horizon=7)
    assert further.shape == (41, 7, 2)
    np.testing.assert_allclose(further[:, :3], model.predict(X), rtol=1e-9)
    mean, std = model.predict(X, return_std=True, horizon=7)
    np.testing.assert_array_equal(mean, further)
    assert std.shape == (41, 7, 2)
    np.testing.assert_allclose(model.predict_quantiles(X, horizon=7)[..., 1], further, rtol=1e-6)
    assert model.sample(X[:2], 5, random_state=0, horizon=2).shape == (2, 2, 2, 5)


def test_other_windows_at_predict():
    """Longer and shorter ones, also with a linear path that has weights for each step."""
    for linear_skip in (False, True):
        model = fitted(windows(), series()[:, 0], horizon=3, linear_skip=linear_skip)
        for window in (2, 9):
            assert np.isfinite(model.predict(windows(window=window))).all()
    last_five = windows(window=9)[20:21]
    assert not np.allclose(model.predict(last_five), model.predict(windows()[20:21]), rtol=1e-6)  # it reads all nine


# -- nothing of the future -----------------------------------------------------------------------------------------


def test_the_last_row_is_the_unknown_future():
    """On a straight line the forecast of the last row lies beyond everything that was given."""
    y = np.arange(60.0)
    X = SlidingWindowTransformer(5).fit_transform(y[:, None])
    model = fitted(X, y, horizon=3, hidden_size=5, max_epochs=60, lr=0.03)
    np.testing.assert_allclose(model.predict(X)[-1], [60, 61, 62], atol=0.5)
    np.testing.assert_allclose(model.predict(X)[20], [21, 22, 23], atol=0.5)


@pytest.mark.parametrize("of", ["channel", "no channel", "named"])
@pytest.mark.parametrize("horizon", [None, 3])
def test_targets_beyond_the_last_row_of_a_fit_are_unknown(horizon, of):
    """A slice of futures built from a longer series, as `TimeSeriesSplit` makes it, teaches no more than its rows."""
    n_train = 29
    y = series()[:, 0] if of == "channel" else series(seed=1)[:, 0]
    X, futures = windows()[:n_train], future_targets(y, 3)[:n_train]
    assert np.isfinite(futures).all()
    named = {"target_channels": 1} if of == "named" else {}
    changed = futures.copy()
    for step in range(3):
        changed[n_train - 1 - step :, step] += 1000
    expected = fitted(X, futures, horizon=horizon, **named)
    same_fit(expected, fitted(X, changed, horizon=horizon, **named), X)
    within = changed.copy()
    within[n_train - 5, 0] += 1000  # of a row inside it is seen
    assert not np.allclose(fitted(X, within, **named).predict(X), expected.predict(X), rtol=1e-3)


def test_later_rows_change_no_earlier_forecast():
    table = pd.DataFrame(series(), columns=["a", "b"], index=pd.date_range("2024", periods=41))
    for decoder in DECODERS:
        net = Seq2SeqForecaster(**SMALL, horizon=3, decoder=decoder, patch_size=2, linear_skip=True)
        pipe = make_pipeline(SlidingWindowTransformer(6), net.set_params(bidirectional=True))
        pipe.fit(table, table["a"])
        later = table.copy()
        later.iloc[30:] += 1000
        moved = np.abs(pipe.predict(later) - pipe.predict(table)).max(axis=1)
        assert moved[:30].max() == 0
        assert (moved[30:] > 1).all()
        assert check_causal(pipe, table, on_fail="raise")["n_moved"].sum() == 0


# -- scores --------------------------------------------------------------------------------------------------------


def test_score_is_r2_over_what_is_known():
    X, y = windows(), series()[:, 0]
    model = fitted(X, y, horizon=3)
    predicted = model.predict(X)
    expected = np.mean([sklearn_r2(y[step:], predicted[:-step, step - 1]) for step in (1, 2, 3)])
    assert model.score(X, y) == pytest.approx(expected)
    assert model.score(X, future_targets(y, 3)) == pytest.approx(expected)
    weight = np.arange(41.0)
    weighted = [sklearn_r2(y[s:], predicted[:-s, s - 1], sample_weight=weight[:-s]) for s in (1, 2, 3)]
    assert model.score(X, y, weight) == pytest.approx(np.mean(weighted))


@pytest.mark.parametrize("horizon", [None, 3])
def test_scores_count_every_future_that_is_given(horizon):
    """Also few rows, and futures that lie beyond them."""
    X, futures = windows(), future_targets(series()[:, 0], 3)
    model = fitted(X, futures, horizon=horizon)
    for n_rows in (2, 3, 7):
        rows = slice(20, 20 + n_rows)
        expected = sklearn_r2(futures[rows], model.predict(X[rows]))
        assert model.score(X[rows], futures[rows]) == pytest.approx(expected)
        error = np.abs(futures[rows] - model.predict(X[rows])).mean()
        assert mae_scorer(model, X[rows], futures[rows]) == pytest.approx(-error)


def test_scorers_align():
    table = pd.DataFrame(series(60), columns=["a", "b"])
    pipe = make_pipeline(SlidingWindowTransformer(5), Seq2SeqForecaster(**SMALL, horizon=3))
    split = TimeSeriesSplit(3)
    for scorer, sign in ((mae_scorer, -1), (r2_scorer, None), (mase_scorer(table["a"]), -1)):
        scores = cross_val_score(pipe, table, table["a"], cv=split, scoring=scorer)
        assert np.isfinite(scores).all()
        assert sign is None or (scores < 0).all()
    by_hand = []
    for train, test in split.split(table):
        pipe.fit(table.iloc[train], table["a"].iloc[train])
        truth = future_targets(table["a"].iloc[test], 3).to_numpy()
        by_hand.append(-np.nanmean(np.abs(truth - pipe.predict(table.iloc[test])), axis=0).mean())
    np.testing.assert_allclose(
        cross_val_score(pipe, table, table["a"], cv=split, scoring=mae_scorer), by_hand, rtol=1e-9
    )


def test_grid_search():
    table = pd.DataFrame(series(60), columns=["a", "b"])
    pipe = make_pipeline(SlidingWindowTransformer(5), Seq2SeqForecaster(**SMALL, horizon=3))
    grid = {
        "slidingwindowtransformer__window": [4, 6],
        "seq2seqforecaster__decoder": ["direct", "parallel"],
        "seq2seqforecaster__optimizer__betas": [(0.9, 0.999)],
    }
    search = GridSearchCV(pipe, grid, cv=TimeSeriesSplit(2), scoring=mae_scorer).fit(table, table[["b", "a"]])
    assert len(np.unique(search.cv_results_["mean_test_score"])) == 4
    assert search.predict(table).shape == (60, 3, 2)


# -- the targets' own past -----------------------------------------------------------------------------------------


def test_target_channels():
    table = pd.DataFrame(series(41, 3), columns=["a", "b", "c"])
    X = SlidingWindowTransformer(5).fit_transform(table)
    found = fitted(X, table[["c", "a"]], horizon=3)
    named = fitted(X, table[["c", "a"]], horizon=3, target_channels=["c", "a"])
    assert found.target_channels_.tolist() == named.target_channels_.tolist() == [2, 0]
    same_fit(found, named, X)
    same_fit(found, fitted(X, table[["c", "a"]], horizon=3, target_channels=[2, 0]), X)
    other = fitted(X, table["a"], horizon=3, target_channels="b")  # what the user says counts
    assert other.target_channels_.tolist() == [1]


@pytest.mark.filterwarnings("ignore:y is channel 0 of X in other units")
@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_without_a_past_the_decoder_starts_from_a_learned_vector(patch_size):
    """It is fed no other variable: only what the encoder makes of X tells one row from the next."""
    X, y = windows(window=4), series(seed=1)[:, 0]
    model = fitted(X, y, horizon=4, patch_size=patch_size, max_epochs=9)
    assert model.target_channels_ is None
    module = model.net_.module_
    assert module.start.shape == (patch_size, 1)
    slow = fitted(X, y, horizon=4, patch_size=patch_size, lr=1e-12)  # what it begins with
    assert not np.allclose(module.start.detach(), slow.net_.module_.start.detach())  # learned
    for part in module.encoder.parameters():
        part.data.zero_()  # now it is blind
    blind = model.predict(X)
    np.testing.assert_array_equal(blind, np.tile(blind[0], (41, 1)))
    own = fitted(X, X.base[:, 0], horizon=4, patch_size=patch_size, window_scaling=None)
    assert own.net_.module_.start is None
    for part in own.net_.module_.encoder.parameters():
        part.data.zero_()
    assert len(np.unique(own.predict(X)[:, 0])) > 30


def test_one_output_with_a_past_and_one_without():
    X, y = windows(), np.c_[series(seed=1)[:, 0], series()[:, 1]]
    model = fitted(X, y, horizon=3, window_scaling=None)
    assert model.target_channels_.tolist() == [-1, 1]
    start = model.net_.module_.start.detach().numpy()
    begun = fitted(X, y, horizon=3, window_scaling=None, lr=1e-12).net_.module_.start.detach().numpy()
    assert start.shape == (1, 2)
    assert start[0, 0] != pytest.approx(begun[0, 0], rel=1e-3)
    assert start[0, 1] == pytest.approx(begun[0, 1], rel=1e-3)  # stands for nothing, so it stays


def test_flags_that_are_mostly_equal_are_a_series_and_no_futures():
    """Two rare events agree with each other's neighbours at most rows, since both are 0."""
    flags = (np.random.default_rng(0).uniform(size=(400, 2)) < 0.02).astype(float)
    X = SlidingWindowTransformer(5).fit_transform(flags)
    for horizon in (2, 3):
        model = Seq2SeqForecaster("rnn", hidden_size=3, horizon=horizon, max_epochs=2, early_stopping=False)
        model.fit(X, flags)
        assert model.predict(X).shape == (400, horizon, 2)
        np.testing.assert_array_equal(model.target_channels_, [0, 1])
