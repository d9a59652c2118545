"""`loss="quantile"`: several quantiles at once, in order and calibrated; and losses given as torch classes."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.metrics import r2_score as sklearn_r2
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows, future_targets, past_targets
from skrnn.metrics import mae_scorer

pytestmark = pytest.mark.filterwarnings(
    "ignore:The loss still fell",  # nets of few epochs
    "ignore:quantiles=.* has none near 0.5",
)

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
QUANTILE = SMALL | {"loss": "quantile"}
FIVE = (0.05, 0.3, 0.45, 0.6, 0.95)  # the middle one is not the central one


def data(n_samples=20, seed=0):
    X = np.random.RandomState(seed).randn(n_samples, 5, 2)
    return X, X[:, -1, 0] + 1


def windows(n_rows=31, seed=0):
    rows = np.random.RandomState(seed).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), 5)


def weights_of(model):
    return nn.utils.parameters_to_vector(model.net_.module_.parameters()).detach().numpy()


# -- shapes and order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 3), (20, 3, 2)], ids=str)
@pytest.mark.parametrize("quantiles", [(0.1, 0.5, 0.9), FIVE, (0.2,), (0.3, 0.7)], ids=str)
def test_quantiles_stand_behind_the_shape_of_y(shape, quantiles):
    X, y = data()[0], np.random.RandomState(1).randn(*shape)
    model = RNNRegressor(**QUANTILE, quantiles=quantiles).fit(X, y)
    predicted = model.predict_quantiles(X)
    assert predicted.shape == (*shape, len(quantiles))
    assert predicted.dtype == np.float64
    assert (np.diff(predicted, axis=-1) >= 0).all()
    central = {3: 1, 5: 2, 1: 0, 2: 0}[len(quantiles)]  # the lower one of 0.3 and 0.7, which are as near
    np.testing.assert_array_equal(model.predict(X), predicted[..., central])
    assert model.score(X, y) == pytest.approx(sklearn_r2(y.reshape(20, -1), predicted[..., central].reshape(20, -1)))


def test_the_central_quantile_need_not_stand_in_the_middle():
    X, y = data()
    model = RNNRegressor(**QUANTILE, quantiles=(0.05, 0.1, 0.2, 0.48, 0.9)).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict_quantiles(X)[:, 3])


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("n_outputs", [None, 2])
@pytest.mark.parametrize("window_scaling", ["auto", "last_standard", "standard"])
def test_quantiles_of_a_horizon(horizon, n_outputs, window_scaling):
    X = windows()
    y = X.base[:, 0] if n_outputs is None else X.base
    model = RNNRegressor(**QUANTILE, horizon=horizon, window_scaling=window_scaling, quantiles=(0.2, 0.4, 0.6, 0.7))
    predicted = model.fit(X, y).predict_quantiles(X)
    assert predicted.shape == (31, horizon, *y.shape[1:], 4)
    assert (np.diff(predicted, axis=-1) >= 0).all()
    np.testing.assert_array_equal(model.predict(X), predicted[..., 1])
    assert np.isfinite(mae_scorer(model, X, y))
    np.testing.assert_allclose(model.predict_quantiles(X[7:9]), predicted[7:9], rtol=1e-9)


def test_quantiles_follow_the_level_of_the_window():
    """Scaled by the last value, they move with the series."""
    X = windows()
    model = RNNRegressor(**QUANTILE, horizon=2).fit(X, X.base[:, 0])
    moved = Windows(X.base + [500, 0], X.ends, X.starts, X.series, 5)
    np.testing.assert_allclose(model.predict_quantiles(moved), model.predict_quantiles(X) + 500, rtol=1e-9)


def test_quantiles_at_each_step():
    X, y = data()[0], np.random.RandomState(1).randn(20, 5, 2)
    X[3, :2] = np.nan
    model = RNNRegressor(**QUANTILE, return_sequences=True, quantiles=FIVE).fit(X, y)
    predicted = model.predict_quantiles(X)
    assert predicted.shape == (20, 5, 2, 5)
    assert np.isnan(predicted[3, :2]).all()
    assert np.isnan(predicted).sum() == 2 * 2 * 5
    assert (np.diff(predicted, axis=-1)[~np.isnan(predicted[..., 1:])] >= 0).all()
    np.testing.assert_array_equal(model.predict(X), predicted[..., 2])
    ragged = [X[0], X[1, :3], X[2, :1]]
    steps = model.predict_quantiles(ragged)
    assert steps.dtype == object
    assert [part.shape for part in steps] == [(5, 2, 5), (3, 2, 5), (1, 2, 5)]
    np.testing.assert_allclose(steps[1], predicted[1, :3], rtol=1e-9)  # only what came before decides


def test_quantiles_of_a_series_of_windows_in_a_pipeline():
    rows = windows().base
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(**QUANTILE, return_sequences=True))
    pipe.fit(rows, past_targets(future_targets(rows[:, 0], 2), 5))
    inner = pipe[-1].predict_quantiles(pipe[:-1].transform(rows))
    assert inner.shape == (31, 5, 2, 3)
    np.testing.assert_array_equal(pipe.predict(rows), inner[..., 1])


# -- the loss ------------------------------------------------------------------------------------------------------


def test_loss_of_the_history_is_the_mean_pinball_loss():
    X, y = data()
    model = RNNRegressor(**QUANTILE, quantiles=FIVE, lr=1e-12, standardize=False).fit(X, y)
    predicted = model.predict_quantiles(X)
    expected = np.mean([mean_pinball_loss(y, predicted[:, i], alpha=FIVE[i]) for i in range(5)])
    assert model.history_["train_loss"].iloc[-1] == pytest.approx(expected)
    assert model.history_["train_mae"].iloc[-1] == pytest.approx(np.abs(predicted[:, 2] - y).mean())


def test_quantiles_of_a_constant_input_are_those_of_y():
    X, y = np.zeros((21, 5, 2)), np.arange(21.0)
    model = RNNRegressor("gru", hidden_size=3, loss="quantile", quantiles=(0.12, 0.5, 0.8), lr=0.05, max_epochs=400)
    predicted = model.set_params(random_state=0).fit(X, y).predict_quantiles(X[:1])[0]
    np.testing.assert_allclose(predicted, np.quantile(y, (0.12, 0.5, 0.8)), atol=0.75)


def test_weights_move_quantiles():
    X, y = np.zeros((20, 5, 2)), np.repeat([0.0, 10.0], 10)
    weight = np.repeat([1.0, 9.0], 10)  # 10 % at 0
    model = RNNRegressor("gru", hidden_size=3, loss="quantile", quantiles=(0.05, 0.2), lr=0.05, max_epochs=300)
    low, high = model.set_params(random_state=0).fit(X, y, weight).predict_quantiles(X[:1])[0]
    assert low < 1
    assert high > 9
    params = QUANTILE | {"shuffle": False}
    repeats = np.repeat(np.arange(5), [1, 3, 2, 0, 7])
    X, y = data(5)
    by_weight = RNNRegressor(**params).fit(X, y, [1, 3, 2, 0, 7]).predict_quantiles(X)
    np.testing.assert_allclose(by_weight, RNNRegressor(**params).fit(X[repeats], y[repeats]).predict_quantiles(X))


def test_unknown_targets_do_not_train():
    X = data()[0]
    y = np.random.RandomState(1).randn(20, 3)
    y[7] = np.nan
    known = np.arange(20) != 7
    expected = RNNRegressor(**QUANTILE).fit(X[known], y[known])
    np.testing.assert_array_equal(weights_of(RNNRegressor(**QUANTILE).fit(X, y)), weights_of(expected))


def test_quantiles_are_calibrated_where_the_spread_depends_on_X():
    """Both for narrow and for wide rows the share of y below each quantile is near its name."""
    rng = np.random.RandomState(0)
    X = rng.uniform(0, 1, (2400, 3, 2))
    spread = 0.2 + X[:, -1, 1]
    y = 2 * X[:, -1, 0] + spread * rng.randn(2400)
    quantiles = np.array([0.1, 0.3, 0.5, 0.9])
    model = RNNRegressor(
        "gru",
        hidden_size=6,
        lr=0.02,
        max_epochs=25,
        batch_size=64,
        loss="quantile",
        quantiles=quantiles,
        early_stopping=False,
        random_state=0,
    ).fit(X[:1200], y[:1200])
    predicted, truth = model.predict_quantiles(X[1200:]), y[1200:]
    for rows in (spread[1200:] > 0.7, spread[1200:] < 0.7):
        np.testing.assert_allclose((truth[rows, None] < predicted[rows]).mean(axis=0), quantiles, atol=0.07)
    width = predicted[:, 3] - predicted[:, 0]
    assert np.corrcoef(width, spread[1200:])[0, 1] > 0.9
    assert (np.diff(predicted, axis=1) >= 0).all()


# -- as a parameter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "huber", nn.L1Loss])
def test_predict_quantiles_is_there_for_the_quantile_loss_only(loss):
    X, y = data()
    for model in (RNNRegressor(**SMALL, loss=loss), RNNRegressor(**SMALL, loss=loss).fit(X, y)):
        assert not hasattr(model, "predict_quantiles")
        with pytest.raises(AttributeError, match="'RNNRegressor' has no attribute 'predict_quantiles'"):
            model.predict_quantiles(X)
    assert hasattr(RNNRegressor(loss="quantile"), "predict_quantiles")


def test_quantiles_do_nothing_with_another_loss():
    X, y = data()
    expected = RNNRegressor(**SMALL).fit(X, y).predict(X)
    with pytest.warns(UserWarning, match="does nothing, since loss is not 'quantile'"):
        model = RNNRegressor(**SMALL, quantiles=(0.3,)).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)
    RNNRegressor(**SMALL, quantiles=np.array([0.1, 0.5, 0.9])).fit(X, y)  # the default, in another form


@pytest.mark.parametrize("quantiles", [(0.1, 0.5, 0.9), [0.1, 0.5, 0.9], np.array([0.1, 0.5, 0.9])], ids=type)
def test_forms_of_quantiles(quantiles):
    X, y = data()
    model = clone(RNNRegressor(**QUANTILE, quantiles=quantiles))
    assert model.quantiles is not None
    expected = RNNRegressor(**QUANTILE).fit(X, y).predict_quantiles(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_quantiles(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_quantiles(X), expected)


def test_grid_search_over_quantiles():
    X, y = data()
    grid = {"quantiles": [(0.1, 0.5, 0.9), (0.4, 0.6), (0.25, 0.5)], "hidden_size": [2, 3]}
    pinball = make_scorer(mean_pinball_loss, greater_is_better=False, alpha=0.5)
    search = GridSearchCV(RNNRegressor(**QUANTILE), grid, cv=2, scoring=pinball, error_score="raise").fit(X, y)
    assert len(np.unique(search.cv_results_["mean_test_score"])) == 6
    n_quantiles = len(search.best_params_["quantiles"])
    assert search.best_estimator_.predict_quantiles(X).shape == (20, n_quantiles)


def test_scores_of_folds_are_of_the_central_quantile():
    X, y = data()
    scores = cross_val_score(RNNRegressor(**QUANTILE), X, y, cv=2)
    model = RNNRegressor(**QUANTILE).fit(X[10:], y[10:])
    assert scores[0] == pytest.approx(sklearn_r2(y[:10], model.predict_quantiles(X[:10])[:, 1]))


# -- losses as classes ---------------------------------------------------------------------------------------------


class Quartic(nn.Module):
    """A user's own loss."""

    def __init__(self, scale=1.0, reduction="mean"):
        super().__init__()
        self.scale = scale
        assert reduction == "none"

    def forward(self, y_pred, y_true):
        return self.scale * (y_pred - y_true) ** 4


class WithoutReduction(nn.Module):
    def forward(self, y_pred, y_true):
        return (y_pred - y_true).square()


@pytest.mark.parametrize("name, loss", [("squared_error", nn.MSELoss), ("absolute_error", nn.L1Loss)])
@pytest.mark.parametrize("batch_size", [7, 20])
def test_a_class_trains_as_the_name_does(name, loss, batch_size):
    X, y = data()
    params = SMALL | {"batch_size": batch_size}
    by_name, by_class = RNNRegressor(**params, loss=name).fit(X, y), RNNRegressor(**params, loss=loss).fit(X, y)
    np.testing.assert_array_equal(weights_of(by_class), weights_of(by_name))


@pytest.mark.parametrize(
    "loss, net_params, expected",
    [
        (nn.SmoothL1Loss, None, lambda e: np.where(e < 1, e**2 / 2, e - 0.5)),
        (nn.SmoothL1Loss, {"criterion__beta": 0.5}, lambda e: np.where(e < 0.5, e**2, e - 0.25)),
        (nn.HuberLoss, {"criterion__delta": 0.5}, lambda e: np.where(e < 0.5, e**2 / 2, 0.5 * (e - 0.25))),
        ("huber", {"criterion__delta": 0.5}, lambda e: np.where(e < 0.5, e**2 / 2, 0.5 * (e - 0.25))),
        (Quartic, None, lambda e: e**4),
        (Quartic, {"criterion__scale": 3.0}, lambda e: 3 * e**4),
    ],
)
def test_loss_of_the_history_is_that_of_the_class(loss, net_params, expected):
    X, y = data()
    y = np.stack([y, -2 * y], axis=1)
    weight = np.arange(20.0)
    params = SMALL | {"lr": 1e-12, "standardize": False, "batch_size": 20}
    model = RNNRegressor(**params, loss=loss, net_params=net_params).fit(X, y, weight)
    of_rows = expected(np.abs(model.predict(X) - y)).mean(axis=1)
    assert model.history_["train_loss"].iloc[-1] == pytest.approx(np.average(of_rows, weights=weight))


def test_a_class_as_a_parameter():
    X, y = data()
    model = RNNRegressor(**SMALL, loss=Quartic, net_params={"criterion__scale": 3.0})
    assert clone(model).get_params() == model.get_params()
    assert clone(model).loss is Quartic
    expected = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    np.testing.assert_array_equal(model.set_params(criterion__scale=3.0).fit(X, y).predict(X), expected)


def test_grid_search_over_losses():
    X, y = data()
    losses = ["squared_error", "absolute_error", "huber", "quantile", nn.SmoothL1Loss, Quartic]
    search = GridSearchCV(RNNRegressor(**SMALL, lr=0.05), {"loss": losses}, cv=2, error_score="raise").fit(X, y)
    assert len(np.unique(search.cv_results_["mean_test_score"].round(9))) >= 5  # nearly all have an effect
    assert search.best_params_["loss"] in losses


@pytest.mark.parametrize(
    "loss, message",
    [
        (
            WithoutReduction,
            "must be a torch class with an argument `reduction`.*got .*WithoutReduction.*Give your loss",
        ),
        (torch.optim.Adam, "must be a torch class with an argument `reduction`.*got .*Adam"),
        (int, "must be a torch class with an argument `reduction`.*got .*int"),
        (nn.MSELoss(), r"must be one of 'squared_error'.*or a torch loss class, got MSELoss\(\)"),
        (None, "must be one of 'squared_error'.*got None"),
    ],
    ids=str,
)
def test_what_is_no_loss(loss, message):
    X, y = data()
    with pytest.raises(ValueError, match=f"`loss` {message}"):
        RNNRegressor(**SMALL, loss=loss).fit(X, y)


def test_learning_with_a_class():
    X, y = data(40)
    params = {"cell": "gru", "hidden_size": 5, "max_epochs": 80, "lr": 0.03, "random_state": 0}
    assert RNNRegressor(**params, loss=nn.SmoothL1Loss).fit(X, y).score(X, y) > 0.9


class Total(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()

    def forward(self, y_pred, y_true):
        return (y_pred - y_true).square().mean()


@pytest.mark.parametrize("loss", [Total, nn.CrossEntropyLoss])
@pytest.mark.parametrize("n_unknown", [0, 3])
def test_a_loss_that_is_not_of_each_element_is_refused(loss, n_unknown):
    X, y = data()
    y = np.abs(np.stack([y, y], axis=1))
    y[:n_unknown, 1] = np.nan
    with pytest.raises(ValueError, match="reduction='none'"):
        RNNRegressor(**SMALL, loss=loss).fit(X, y)


def test_the_missing_method_says_what_it_needs():
    with pytest.raises(AttributeError, match="predict_quantiles") as refused:
        RNNRegressor().predict_quantiles(data()[0])
    assert "loss='quantile'" in str(refused.value) + str(refused.value.__cause__)
