"""RNNClassifier: labels of every kind, weights, probabilities, what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)

from skrnn import RNNClassifier, SlidingWindowTransformer

SMALL = {"cell": "gru", "hidden_size": 5, "max_epochs": 12, "random_state": 0}
ONE_BATCH = {"cell": "gru", "hidden_size": 4, "max_epochs": 30, "random_state": 0, "batch_size": 200}
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")


def data(n_samples=90, n_classes=3, seed=0):
    """Sequences (n_samples, 7, 2) whose class is where the sum of the first channel lies."""
    X = np.random.RandomState(seed).randn(n_samples, 7, 2)
    score = X[:, :, 0].sum(axis=1)
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ["ham", "spam", "eggs"],
        [30, -2, 7],
        np.array([1.0, 2.0, 5.0]),
        np.array(["a", "b", "c"], dtype=object),
        pd.Series(["x", "y", "z"], dtype="string"),
        pd.Categorical(["low", "mid", "high"]),
    ],
    ids=["str", "int", "float", "object", "string", "categorical"],
)
def test_labels_of_any_type_come_back(labels):
    X, codes = data()
    y = pd.Series(labels).iloc[codes].reset_index(drop=True) if hasattr(labels, "dtype") else np.array(labels)[codes]
    model = RNNClassifier(**SMALL).fit(X, y)
    known = np.unique(np.array(list(labels)))
    np.testing.assert_array_equal(model.classes_, known)
    assert set(model.predict(X)) <= set(known)
    assert model.score(X, y) > 0.6


def test_two_classes_may_be_bools():
    X, y = data(n_classes=2)
    model = RNNClassifier(**SMALL).fit(X, y == 1)
    assert model.predict(X).dtype == bool
    assert model.score(X, y == 1) > 0.8


def test_probabilities_belong_to_the_classes_and_add_up():
    X, y = data()
    model = RNNClassifier(**SMALL).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.shape == (90, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.log(proba), model.predict_log_proba(X))
    np.testing.assert_array_equal(model.decision_function(X).argmax(axis=1), proba.argmax(axis=1))


def test_two_classes_have_the_logarithm_of_the_odds():
    X, y = data(n_classes=2)
    model = RNNClassifier(**SMALL).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(model.decision_function(X), np.log(proba[:, 1] / proba[:, 0]))
    np.testing.assert_array_equal(model.decision_function(X) > 0, model.predict(X) == 1)


def test_log_probabilities_are_finite_where_probabilities_round_to_zero():
    X, y = data(n_classes=2)
    model = RNNClassifier(**SMALL).fit(X, y)
    head = model.net_.module_.head.linear
    head.weight.data *= 1e6
    log_proba = model.predict_log_proba(X)
    assert model.predict_proba(X).min() == 0
    assert np.isfinite(log_proba).all()
    assert np.isfinite(model.decision_function(X)).all()


def test_an_ensemble_averages_probabilities():
    X, y = data()
    model = RNNClassifier(**SMALL, n_nets=3).fit(X, y)
    nets, of_nets = model.nets_, []
    for net in nets:
        model.nets_ = [net]
        of_nets.append(model.predict_proba(X))
    model.nets_ = nets
    np.testing.assert_allclose(model.predict_proba(X), np.mean(of_nets, axis=0))
    assert np.ptp(of_nets, axis=0).max() > 1e-3


# -- several labels a row ----------------------------------------------------------------------------------------------


def indicator(n_samples=120):
    X = np.random.RandomState(1).randn(n_samples, 5, 3)
    return X, np.stack([X[:, :, 0].sum(axis=1) > 0, X[:, :, 1].sum(axis=1) > 1.5], axis=1).astype(int)


def test_several_labels():
    X, y = indicator()
    model = RNNClassifier(**SMALL | {"max_epochs": 40}).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.shape == (120, 2)
    np.testing.assert_array_equal(model.predict(X), proba > 0.5)
    np.testing.assert_array_equal(model.decision_function(X) > 0, model.predict(X) == 1)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(proba))
    assert ((model.predict(X) == y).mean(axis=0) > 0.85).all()
    assert (np.abs(proba.sum(axis=1) - 1) > 0.01).any()  # they are no shares


def test_labels_weigh_one_by_one():
    """scikit-learn's "balanced" multiplies over the labels; here a label's weights do not depend on the others."""
    X, y = indicator()
    share = y.mean(axis=0)
    as_dicts = [{0: 0.5 / (1 - p), 1: 0.5 / p} for p in share]
    balanced, given = (
        RNNClassifier(**ONE_BATCH, class_weight=weight).fit(X, y).predict_proba(X) for weight in ("balanced", as_dicts)
    )
    np.testing.assert_allclose(balanced, given, rtol=1e-9)
    assert np.abs(balanced - RNNClassifier(**ONE_BATCH).fit(X, y).predict_proba(X)).max() > 0.01


@pytest.mark.parametrize("weight", [{0: 1.0}, [{0: 1.0}]])
def test_weights_of_labels_are_a_dict_for_each(weight):
    X, y = indicator()
    with pytest.raises(ValueError, match="list of 2 dicts"):
        RNNClassifier(**SMALL, class_weight=weight).fit(X, y)


def test_a_label_that_is_unknown_in_some_rows_of_a_series():
    series = np.random.RandomState(2).randn(80, 2)
    X = SlidingWindowTransformer(4).fit_transform(series)
    y = np.stack([series[:, 0] > 0, series[:, 1] > 0], axis=1).astype(float)
    y[10:20, 1] = np.nan
    y[30] = np.nan
    assert RNNClassifier(**SMALL).fit(X, y).predict(X).shape == (80, 2)


# -- weights -----------------------------------------------------------------------------------------------------------


def test_class_weights_are_sample_weights():
    X, y = data(60)
    by_class = {0: 3.0, 1: 1.0, 2: 0.5}
    one = RNNClassifier(**ONE_BATCH, standardize=False, class_weight=by_class).fit(X, y)
    other = RNNClassifier(**ONE_BATCH, standardize=False).fit(X, y, sample_weight=np.vectorize(by_class.get)(y))
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_class_weights_multiply_sample_weights():
    X, y = data(60)
    rows = np.random.RandomState(3).uniform(0.5, 2, 60)
    one = RNNClassifier(**ONE_BATCH, standardize=False, class_weight={0: 4.0}).fit(X, y, sample_weight=rows)
    other = RNNClassifier(**ONE_BATCH, standardize=False).fit(X, y, sample_weight=rows * np.where(y == 0, 4.0, 1.0))
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_balanced_counts_rows_by_their_weights():
    X, y = data(40)
    twice = np.where(np.arange(40) < 10, 2.0, 1.0)
    rows = np.repeat(np.arange(40), twice.astype(int))
    weighted = RNNClassifier(**ONE_BATCH, class_weight="balanced").fit(X, y, sample_weight=twice)
    repeated = RNNClassifier(**ONE_BATCH, class_weight="balanced", shuffle=True).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)


def test_a_class_without_weight_is_not_learned():
    X, y = data()
    model = RNNClassifier(**SMALL, class_weight={2: 0.0}).fit(X, y)
    assert 2 not in model.predict(X)
    assert model.predict_proba(X).shape == (90, 3)


@pytest.mark.parametrize("weight", ["balance", 3, {"z": 1.0}, [{0: 1.0}]])
def test_wrong_class_weights(weight):
    X, y = data()
    with pytest.raises(ValueError, match="class_weight"):
        RNNClassifier(**SMALL, class_weight=weight).fit(X, y)


def test_smoothed_labels_keep_probabilities_from_the_ends():
    X, y = data(n_classes=2)
    plain, smooth = (
        RNNClassifier(**SMALL | {"max_epochs": 80}, label_smoothing=amount).fit(X, y).predict_proba(X)
        for amount in (0.0, 0.2)
    )
    assert plain.max() > 0.99
    assert np.median(smooth.max(axis=1)) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("amount", [-0.1, 1.0, "much"])
def test_wrong_label_smoothing(amount):
    X, y = data()
    with pytest.raises(ValueError, match="label_smoothing"):
        RNNClassifier(**SMALL, label_smoothing=amount).fit(X, y)


# -- rows without a label ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", [None, np.nan, pd.NA])
def test_unlabelled_rows_of_a_series_train_nothing_and_are_history(unknown):
    series = np.random.RandomState(4).randn(70, 2)
    X = SlidingWindowTransformer(5).fit_transform(series)
    y = np.array(["up" if row[0] > 0 else "down" for row in series], dtype=object)
    y[20:40] = unknown
    known = np.r_[:20, 40:70]
    options = ONE_BATCH | {"standardize": False}
    with_all = RNNClassifier(**options).fit(X, y)
    without = RNNClassifier(**options).fit(np.array(X)[known], y[known].astype(str))
    np.testing.assert_allclose(with_all.predict_proba(X), without.predict_proba(np.array(X)), rtol=1e-6)


def test_unlabelled_rows_of_anything_else_are_refused():
    X, y = data()
    y = np.array(["a", "b", "c"], dtype=object)[y]
    y[17] = None
    with pytest.raises(ValueError, match=r"label of row 17 is None.*windows of a series"):
        RNNClassifier(**SMALL).fit(X, y)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "requires y"),
        (np.zeros(90), "one class only"),
        (np.linspace(0, 1, 90), "continuous"),
        (np.arange(89) % 2, "X has 90 rows and y has 89"),
        (np.arange(180).reshape(90, 2) % 3, "indicator of 0 and 1"),
        (["a"] * 45 + [1] * 45, "mixes names and numbers"),
        ([["a"], ["b", "c"]] * 45, "SequenceTagger"),
        (np.full(90, np.inf), "infinity"),
    ],
)
def test_bad_labels(y, message):
    X, good = data()
    model = RNNClassifier(**SMALL).fit(X, good)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)  # the former fit stays


@pytest.mark.parametrize(
    "X",
    [
        ["a text", "b", "c d", "e"],
        np.array(["a text", "b", "c d", "e"], dtype=object),
        pd.Series(["a text", "b", "c d", "e"], index=[3, 1, 2, 0]),
        [["a", "text"], ["b"], ["c"], ["d"]],
    ],
)
def test_texts_need_an_embedder(X):
    with pytest.raises(ValueError, match=r"Put TokenEmbedder in front: make_pipeline\(TokenEmbedder\(\), RNNClass"):
        RNNClassifier(**SMALL).fit(X, [0, 1, 0, 1])


def test_labels_to_validate_by_must_be_known_classes():
    X, y = data()
    with pytest.raises(ValueError, match=r"y_val holds \[7\], which is none of the classes \[0, 1, 2\]"):
        RNNClassifier(**SMALL).fit(X, y, X_val=X[:5], y_val=[0, 1, 2, 7, 1])


# -- further training --------------------------------------------------------------------------------------------------


def test_partial_fit_learns_classes_that_come_later():
    X, y = data(90)
    order = np.argsort(y, kind="stable")  # class after class
    model = RNNClassifier(**SMALL | {"lr": 0.02})
    for _ in range(25):
        for rows in np.split(order, 3):
            model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (90, 3)
    assert len(model.history_) == 75


def test_partial_fit_needs_the_classes_and_keeps_them():
    X, y = data()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        RNNClassifier(**SMALL).partial_fit(X, y)
    model = RNNClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not the same as in the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"holds \[5\]"):
        model.partial_fit(X, np.where(y == 2, 5, y))
    assert len(model.partial_fit(X, y).history_) == 2


def test_fit_forgets_the_classes_of_partial_fit():
    X, y = data(n_classes=2)
    model = RNNClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    np.testing.assert_array_equal(model.fit(X, y).classes_, [0, 1])


# -- validation --------------------------------------------------------------------------------------------------------


def test_random_rows_are_held_out_in_the_shares_of_the_classes():
    X, _ = data(600)
    y = np.where(np.arange(600) % 20 == 0, "rare", "common")
    seen = []

    class Spy(RNNClassifier):
        def _fit_nets(self, train, valid, *args, **kwargs):
            seen.append((train.targets.values[:, 0], valid.targets.values[:, 0]))
            super()._fit_nets(train, valid, *args, **kwargs)

    Spy(**SMALL | {"max_epochs": 1}).fit(X, y)
    train, valid = seen[0]
    assert len(valid) == 60
    assert (valid == 1).sum() == 3  # of 30 rare rows a tenth
    assert (train == 1).sum() == 27


def test_history_counts_right_rows():
    X, y = data(600)
    model = RNNClassifier(**SMALL).fit(X, y)
    assert list(model.history_) == [
        "epoch", "train_loss", "train_accuracy", "seconds", "lr", "valid_loss", "valid_accuracy",
    ]  # fmt: skip
    assert model.history_["train_accuracy"].between(0, 1).all()
    assert model.history_["valid_accuracy"].iloc[-1] > 0.7
    assert 0.5 < model.skill_ <= 1


def test_accuracy_in_history_is_that_of_score():
    X, y = data(200)
    model = RNNClassifier(**SMALL, early_stopping=False).fit(X, y, X_val=X[:50], y_val=y[:50])
    assert model.history_["valid_accuracy"].iloc[-1] == pytest.approx(model.score(X[:50], y[:50]))


# -- inside scikit-learn's tools ---------------------------------------------------------------------------------------


def test_calibration_and_thresholds():
    X, y = data(120, n_classes=2)
    calibrated = CalibratedClassifierCV(RNNClassifier(**SMALL), cv=3).fit(X, y)
    assert calibrated.predict_proba(X).shape == (120, 2)
    assert calibrated.score(X, y) > 0.7
    tuned = TunedThresholdClassifierCV(RNNClassifier(**SMALL), scoring="f1", cv=3).fit(X, y)
    assert tuned.score(X, y) > 0.7


def test_voting_and_stacking():
    X, y = data(120)
    flat = X.reshape(120, 14)
    pair = [("net", RNNClassifier(**SMALL, n_channels=2)), ("linear", LogisticRegression())]
    assert VotingClassifier(pair, voting="soft").fit(flat, y).score(flat, y) > 0.7
    assert StackingClassifier(pair, cv=3).fit(flat, y).score(flat, y) > 0.7


def test_probabilities_across_folds():
    X, y = data(60)
    proba = cross_val_predict(RNNClassifier(**SMALL), X, y, cv=3, method="predict_proba")
    assert proba.shape == (60, 3)
    ragged = [sequence[: 3 + i % 5] for i, sequence in enumerate(X)]
    assert cross_val_predict(RNNClassifier(**SMALL), ragged, y, cv=3).shape == (60,)


def test_search_with_nested_names_in_processes():
    X, y = data(60)
    search = GridSearchCV(
        RNNClassifier(**SMALL), {"cell": ["gru", "rnn"], "optimizer__betas": [(0.9, 0.99)]}, cv=2, n_jobs=2
    ).fit(X, y)
    again = GridSearchCV(RNNClassifier(**SMALL), search.param_grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"])


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), GroupKFold(3)])
def test_splitters_for_windows(cv):
    series = np.random.RandomState(5).randn(120, 1).cumsum(axis=0)
    X = SlidingWindowTransformer(6).fit_transform(series)
    y = np.where(np.diff(series[:, 0], append=0) > 0, "up", "down")
    groups = np.arange(120) // 12 if isinstance(cv, GroupKFold) else None  # stretches of time
    scores = cross_val_score(RNNClassifier(**SMALL), X, y, cv=cv, groups=groups)
    assert scores.shape == (3,)


def test_shuffled_folds_of_windows_score_well_on_nothing():
    """Why the docstring names a splitter: labels that are a fair coin in stretches are "predicted" by neighbours."""
    rng = np.random.RandomState(6)
    series = rng.randn(400, 2).cumsum(axis=0)
    y = np.repeat(rng.randint(0, 2, 20), 20)
    X = SlidingWindowTransformer(10).fit_transform(series)
    net = RNNClassifier(**SMALL | {"hidden_size": 16, "max_epochs": 40}, early_stopping=False)
    shuffled = cross_val_score(net, X, y, cv=KFold(3, shuffle=True, random_state=0)).mean()
    in_time = cross_val_score(net, X, y, cv=TimeSeriesSplit(3)).mean()
    assert shuffled > 0.85
    assert in_time < 0.7


def test_clone_pickle_and_seed():
    X, y = data()
    model = RNNClassifier(**SMALL).fit(X, y)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


def test_states_parts_and_rates():
    X, y = data()
    model = RNNClassifier("lstm", hidden_size=5, max_epochs=3, random_state=0).fit(X, y)
    h, c = model.encode(X)
    assert h.shape == c.shape == (90, 5)
    assert model.summary()["n_parameters"].iloc[-1] == sum(p.numel() for p in model.net_.module_.parameters())
    results, suggested = model.lr_range_test(X, y, 1e-4, 10.0, n_lrs=12)
    assert list(results) == ["lr", "loss", "smoothed_loss"]
    assert suggested > 0


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "rnn_relu"])
def test_learns_what_order_decides(cell):
    """Whether the larger bump comes first or last: no count of values tells."""
    rng = np.random.RandomState(7)
    X = rng.randn(240, 8, 1) * 0.3
    first = rng.rand(240) > 0.5
    X[first, 1, 0] += 2
    X[~first, 6, 0] += 2
    y = np.where(first, "first", "last")
    model = RNNClassifier(cell, hidden_size=8, max_epochs=40, pooling="last", random_state=0).fit(X[:160], y[:160])
    assert model.score(X[160:], y[160:]) > 0.9


def test_input_shift_moves_whole_sequences_in_training_only():
    X, y = data()
    X = X + 3
    nothing, none_given, shifted = (
        RNNClassifier(**SMALL, net_params=params).fit(X, y)
        for params in ({"module__input_shift": 0.0}, None, {"module__input_shift": 0.5})
    )
    np.testing.assert_array_equal(nothing.predict_proba(X), none_given.predict_proba(X))
    assert np.abs(shifted.predict_proba(X) - nothing.predict_proba(X)).max() > 0.01
    np.testing.assert_array_equal(shifted.predict_proba(X), shifted.predict_proba(X))
    with pytest.raises(ValueError, match="input_shift"):
        RNNClassifier(**SMALL, net_params={"module__input_shift": -1}).fit(X, y)
