"""Parameters as scikit-learn has them: nested names, clones, searches, copies and pickles."""

import copy
import inspect
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, EpochScoring

from skrnn import RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger
from skrnn._net_params import SHADOWS

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}


def data(n_samples=20):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


class Counter(Callback):
    """Counts epochs on itself, as a callback may."""

    def __init__(self, by=1):
        self.by = by

    def on_train_begin(self, net, **kwargs):
        self.count_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.count_ += self.by


# -- constructor ---------------------------------------------------------------------------------------------------


def test_constructor_stores_every_parameter_and_nothing_else():
    parameters = inspect.signature(RNNRegressor).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    assert kinds[0] is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds[1:]) == {inspect.Parameter.KEYWORD_ONLY}
    given = {name: object() for name in parameters}  # not even looked at
    assert vars(RNNRegressor(**given)) == given


def test_every_parameter_and_fitted_attribute_is_documented():
    lines = {line.strip().partition(" : ")[0] for line in (RNNRegressor.__doc__ or "").splitlines()}
    names = {name for line in lines for name in line.split(", ")}
    assert set(inspect.signature(RNNRegressor).parameters) <= names
    X, y = data()
    fitted = {name for name in vars(RNNRegressor(**SMALL).fit(X, y)) if name.endswith("_") and name[0] != "_"}
    assert fitted | {"feature_names_in_"} <= names


# -- get_params and set_params -------------------------------------------------------------------------------------


def test_net_params_appear_under_their_own_names():
    model = RNNRegressor(net_params={"optimizer__betas": (0.9, 0.99), "callbacks__counter__by": 3})
    deep = model.get_params()
    assert deep["optimizer__betas"] == (0.9, 0.99)
    assert deep["callbacks__counter__by"] == 3
    assert "optimizer__betas" not in model.get_params(deep=False)


def test_nested_names_go_into_net_params():
    given = {"optimizer__betas": (0.9, 0.99)}
    model = RNNRegressor(net_params=given)
    assert model.set_params(optimizer__eps=1e-3, optimizer__betas=(0.5, 0.9), hidden_size=7) is model
    assert model.net_params == {"optimizer__eps": 1e-3, "optimizer__betas": (0.5, 0.9)}
    assert model.hidden_size == 7
    assert given == {"optimizer__betas": (0.9, 0.99)}  # the caller's dict
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(no_such_thing=1)


@pytest.mark.parametrize("garbage", [None, 3, "text", [1], {3: 4}, np.ones(2)])
def test_get_params_survives_garbage(garbage):
    assert RNNRegressor(net_params=garbage).get_params()["net_params"] is garbage


def test_clone():
    model = RNNRegressor("rnn", optimizer=torch.optim.Adagrad, net_params={"optimizer__eps": 1e-3})
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert copied.net_params is not model.net_params
    X, y = data()
    fitted = RNNRegressor(**SMALL).fit(X, y)
    assert not hasattr(clone(fitted), "net_")


def test_grid_search_over_nested_and_flat_names():
    X, y = data()
    grid = {"optimizer__betas": [(0.9, 0.999), (0.0, 0.5)], "hidden_size": [2, 3]}
    search = GridSearchCV(RNNRegressor(**SMALL), grid, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) == 4  # both names have an effect
    assert search.best_estimator_.predict(X).shape == (20,)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(scores))]


# -- net_params ----------------------------------------------------------------------------------------------------


def test_callbacks_run_on_a_copy():
    X, y = data()
    counter = Counter()
    net_params = {"callbacks": [("counter", counter)], "callbacks__counter__by": 5}
    model = RNNRegressor(**SMALL, net_params=net_params).fit(X, y)
    assert dict(model.net_.callbacks_)["counter"].count_ == 10
    assert not hasattr(counter, "count_")
    assert counter.by == 1
    assert net_params == {"callbacks": [("counter", counter)], "callbacks__counter__by": 5}


def test_callback_of_batches_sees_every_batch():
    seen = []

    class Batches(Callback):
        def on_batch_end(self, net, batch, training, **kwargs):
            seen.append((training, len(batch[1]), np.isfinite(float(kwargs["loss"].detach()))))

    X, y = data(25)
    model = RNNRegressor(
        **SMALL, batch_size=8, early_stopping=True, validation=0.2, net_params={"callbacks": [Batches()]}
    ).fit(X, y)
    assert seen == [(True, 8, True), (True, 8, True), (True, 4, True), (False, 5, True)] * 2
    assert len(model.net_.history[-1]["batches"]) >= 3
    assert "batches" not in model.history_


def test_callback_that_stops():
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt  # how skorch's callbacks ask for it

    X, y = data()
    model = RNNRegressor(**SMALL | {"max_epochs": 50}, net_params={"callbacks": [Stop()]}).fit(X, y)
    assert model.n_iter_ == 3


def test_callback_that_writes_into_history():
    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("twice", 2 * net.history[-1]["train_loss"])

    X, y = data()
    model = RNNRegressor(**SMALL, net_params={"callbacks": [("note", Note())]}).fit(X, y)
    np.testing.assert_allclose(model.history_["twice"], 2 * model.history_["train_loss"])


@pytest.mark.parametrize("key", sorted(SHADOWS))
def test_keys_that_shadow_a_parameter_are_refused(key):
    X, y = data()
    with pytest.raises(ValueError, match=rf"{key}'\] shadows the parameter `{SHADOWS[key]}`; set {SHADOWS[key]}="):
        RNNRegressor(**SMALL, net_params={key: None}).fit(X, y)


def test_shadows_are_parameters():
    estimators = (RNNRegressor, Seq2SeqForecaster, RNNClassifier, SequenceTagger)
    parameters = [set(inspect.signature(estimator).parameters) for estimator in estimators]
    assert set(SHADOWS.values()) <= set.union(*parameters)


@pytest.mark.parametrize("key", ["optimizer__nesterov", "module__width", "no_such_thing", "optimiser__eps", 3])
def test_keys_that_name_nothing_are_refused(key):
    X, y = data()
    with pytest.raises(ValueError, match=rf"net_params\['?{key}'?\] names nothing.*(only|Expected one of)"):
        RNNRegressor(**SMALL, net_params={key: True}).fit(X, y)


def test_same_key_fits_another_optimizer():
    X, y = data()
    params = {"optimizer__nesterov": True, "optimizer__momentum": 0.9}
    RNNRegressor(**SMALL, optimizer="sgd", net_params=params).fit(X, y)


def test_net_params_that_are_no_dict():
    X, y = data()
    with pytest.raises(ValueError, match=r"`net_params` must be a dict such as .* or None, got \[1\]"):
        RNNRegressor(**SMALL, net_params=[1]).fit(X, y)


def test_epoch_scoring_of_skorch():
    """skorch's own scoring callback is the commonest one that people bring."""
    X, y = data(25)
    callbacks = [
        ("on_valid", EpochScoring("r2", name="r2", lower_is_better=False)),
        ("on_train", EpochScoring("r2", name="train_r2", lower_is_better=False, on_train=True)),
    ]
    model = RNNRegressor(**SMALL, early_stopping=False, net_params={"callbacks": callbacks})
    model.fit(X, y, X_val=X[:7], y_val=y[:7])
    assert model.history_["r2"].iloc[-1] == pytest.approx(model.score(X[:7], y[:7]), abs=1e-4)
    assert model.history_["train_r2"].iloc[-1] <= 1


def test_callbacks_see_numbers_of_classes_and_logits():
    X, numbers = data(25)
    y = np.where(numbers > 0, "up", "down")

    def right(net, X, y):
        return float((net.predict(X).argmax(axis=1) == y[:, 0]).mean())

    def fitted(*callbacks):
        model = RNNClassifier(**SMALL, lr_schedule=None, net_params={"callbacks": list(callbacks)})
        return model.fit(X, y, X_val=X[:7], y_val=y[:7])

    with pytest.raises(ValueError, match="can't handle a mix of binary and continuous-multioutput"):
        fitted(EpochScoring("accuracy", lower_is_better=False))
    model = fitted(EpochScoring(right, name="right", lower_is_better=False))
    assert model.history_["right"].tolist() == pytest.approx(model.history_["valid_accuracy"].tolist())
    stop = EarlyStopping(monitor="valid_accuracy", lower_is_better=False, patience=2, threshold=1, threshold_mode="abs")
    assert fitted(stop).set_params(max_epochs=20).fit(X, y, X_val=X[:7], y_val=y[:7]).n_iter_ == 3


def test_checkpoint_of_skorch(tmp_path):
    X, y = data(25)
    callbacks = [("checkpoint", Checkpoint(dirname=str(tmp_path)))]
    model = RNNRegressor(**SMALL, early_stopping=True, net_params={"callbacks": callbacks}).fit(X, y)
    assert (tmp_path / "params.pt").exists()
    assert model.net_.history[:, "valid_loss_best"][0] is True
    assert "valid_loss_best" not in model.history_


# -- copies --------------------------------------------------------------------------------------------------------


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("batch_size", ["auto", 7])
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), through_joblib],
    ids=["deepcopy", "pickle", "joblib"],
)
def test_copies_predict_the_same(copied, batch_size):
    X, y = data(40)
    model = RNNRegressor(
        **SMALL,
        batch_size=batch_size,
        n_layers=2,
        dropout=0.1,
        early_stopping=True,
        net_params={"callbacks": [Counter()]},
    ).fit(X, y)
    expected = model.predict(X)
    twin = copied(model)
    np.testing.assert_array_equal(twin.predict(X), expected)
    assert twin.history_.equals(model.history_)
    with torch.no_grad():
        for parameter in twin.net_.module_.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(model.predict(X), expected)  # no memory is shared
    twin.fit(X, y)
    np.testing.assert_array_equal(twin.predict(X), expected)


NEW_OPTIONS = [
    {"loss": "quantile", "quantiles": (0.2, 0.5, 0.7)},
    {"loss": torch.nn.SmoothL1Loss, "net_params": {"criterion__beta": 0.3}},
    {"n_nets": 3},
    {"conv_channels": 3, "net_params": {"module__conv_kernel_size": 2}},
    {"patch_size": 2, "pooling": "attention", "layer_norm": True},
    {"early_stopping": True, "validate_every": 1, "lr_schedule": "warmup_cosine"},
    {"input_dropout": 0.3},
    {"return_sequences": True},
]


@pytest.mark.parametrize("params", NEW_OPTIONS, ids=str)
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), through_joblib],
    ids=["deepcopy", "pickle", "joblib"],
)
def test_copies_with_more_options(copied, params):
    X, y = data(40)
    y = np.random.RandomState(1).randn(40, 5) if "return_sequences" in params else y
    model = RNNRegressor(**SMALL, **params)
    unfitted = copied(model)
    assert unfitted.get_params() == model.get_params() == clone(model).get_params()
    expected = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(unfitted.fit(X, y).predict(X), expected)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), expected)
    twin = copied(model)
    np.testing.assert_array_equal(twin.predict(X), expected)
    assert twin.history_.equals(model.history_)
    assert twin.net_ is twin.nets_[0]
    np.testing.assert_array_equal(twin.encode(X), model.encode(X))
    assert twin.summary().equals(model.summary())
    if params.get("loss") == "quantile":
        np.testing.assert_array_equal(twin.predict_quantiles(X), model.predict_quantiles(X))
    model.partial_fit(X, y)
    assert not np.array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(twin.predict(X), expected)  # no memory is shared
    np.testing.assert_array_equal(twin.partial_fit(X, y).predict(X), model.predict(X))


@pytest.mark.parametrize(
    "name, values",
    [
        ("pooling", ["last", "mean", "max", "mean_max", "attention"]),
        ("conv_channels", [None, 2, 3]),
        ("patch_size", [1, 2, 5]),
        ("n_nets", [1, 2]),
        ("layer_norm", [False, True]),
        ("input_dropout", [0.0, 0.5]),
        ("lr_schedule", ["cosine", "warmup_cosine"]),
        ("loss", ["squared_error", "quantile", torch.nn.SmoothL1Loss]),
        ("validate_every", [None, 1]),
        ("module__conv_kernel_size", [2, 3]),
    ],
)
def test_grid_search_over_each_option(name, values):
    X, y = data(30)
    more = {"conv_channels": 2} if name.startswith("module") else {}
    more |= {"early_stopping": True, "batch_size": 5, "lr": 0.3} if name == "validate_every" else {}
    search = GridSearchCV(RNNRegressor(**SMALL, **more), {name: values}, cv=2, error_score="raise").fit(X, y)
    assert len(np.unique(search.cv_results_["mean_test_score"])) == len(values)  # every value has an effect
    assert search.best_estimator_.get_params()[name] == search.best_params_[name]
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_repr_shows_what_differs_from_the_defaults():
    model = RNNRegressor("gru", loss="quantile", quantiles=(0.2, 0.8), n_nets=3)
    shown = repr(model).replace("\n", "")
    for part in ("loss='quantile'", "n_nets=3", "quantiles=(0.2, 0.8)"):
        assert part in shown
    assert "pooling" not in shown


def test_pickles_hold_no_data():
    sizes = []
    for n_samples in (40, 4000):
        X, y = data(n_samples)
        model = RNNRegressor(**SMALL, early_stopping=True).fit(X, y)
        sizes.append(len(pickle.dumps(model)))
    assert sizes[1] < sizes[0] + 2000
    assert sizes[0] < 30_000
    assert sizes[1] < X.nbytes / 10


def test_unfitted_estimators_pickle():
    model = RNNRegressor(optimizer=torch.optim.Adagrad, net_params={"callbacks": [Counter()]})
    assert pickle.loads(pickle.dumps(model)).optimizer is torch.optim.Adagrad
