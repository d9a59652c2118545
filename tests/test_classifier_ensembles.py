"""RNNClassifier inside scikit-learn's own estimators: calibration, thresholds, votes, stacks, chains, searches."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier

from skrnn import RNNClassifier, SlidingWindowTransformer, TokenEmbedder, Windows

SMALL = {"cell": "gru", "hidden_size": 5, "max_epochs": 12, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")


def data(n_samples=90, n_classes=3, seed=0):
    """Sequences (n_samples, 7, 2) whose class is where the sum of the first channel lies."""
    X = np.random.RandomState(seed).randn(n_samples, 7, 2)
    score = X[:, :, 0].sum(axis=1)
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def rare(n_samples=200):
    """Sequences, one in eight of which is "spam"."""
    X, y = data(n_samples, 8, seed=1)
    return X, np.where(y == 7, "spam", "ham")


def ragged(X):
    return [sequence[: 3 + i % 5] for i, sequence in enumerate(X)]


# -- calibration and thresholds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method, ensemble", [("sigmoid", True), ("sigmoid", False), ("isotonic", True)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration(n_classes, method, ensemble):
    X, y = data(120, n_classes)
    model = CalibratedClassifierCV(RNNClassifier(**SMALL), cv=3, method=method, ensemble=ensemble).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.shape == (120, n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert model.score(X, y) > 0.7


def test_calibration_undoes_the_distortion_of_class_weights():
    """Balanced nets find one row in eight far more often than that; calibrated ones say how often it is."""
    X, y = rare()
    net = RNNClassifier(**SMALL | {"max_epochs": 4}, class_weight="balanced")
    shares = {"net": net.fit(X, y).predict_proba(X)[:, 1].mean()}
    for name, method in (("sigmoid", "sigmoid"), ("isotonic", "isotonic")):
        shares[name] = CalibratedClassifierCV(net, cv=3, method=method).fit(X, y).predict_proba(X)[:, 1].mean()
    assert shares["net"] > 0.25
    assert shares["sigmoid"] == pytest.approx(1 / 8, abs=0.03)
    assert shares["isotonic"] == pytest.approx(1 / 8, abs=0.03)


def test_thresholds_are_tuned_for_labels_that_are_words():
    X, y = rare()
    net = RNNClassifier(**SMALL | {"max_epochs": 6})
    plain = cross_val_predict(net, X, y, cv=3)
    tuned = TunedThresholdClassifierCV(net, scoring=make_scorer(f1_score, pos_label="spam"), cv=3)
    tuned.fit(X, y)
    assert 0 < tuned.best_threshold_ < 0.5  # a rare label pays below a half
    assert tuned.best_score_ > f1_score(y, plain, pos_label="spam")
    assert set(tuned.predict(X)) == {"ham", "spam"}


@pytest.mark.parametrize("threshold, n_found", [(0.0, 90), (1.0, 0)])
def test_fixed_thresholds(threshold, n_found):
    X, y = data(n_classes=2)
    model = FixedThresholdClassifier(RNNClassifier(**SMALL), threshold=threshold).fit(X, y)
    assert (model.predict(X) == 1).sum() == n_found


# -- votes and stacks ----------------------------------------------------------------------------------------------


def test_a_soft_vote_is_the_mean_of_the_probabilities():
    X, y = data()
    y = np.array(["low", "mid", "high"])[y]
    nets = [("gru", RNNClassifier(**SMALL)), ("rnn", RNNClassifier(**SMALL | {"cell": "rnn"}))]
    vote = VotingClassifier(nets, voting="soft", weights=[3, 1]).fit(X, y)
    of_nets = [clone(net).fit(X, np.unique(y, return_inverse=True)[1]).predict_proba(X) for _, net in nets]
    np.testing.assert_allclose(vote.predict_proba(X), (3 * of_nets[0] + of_nets[1]) / 4)
    assert set(vote.predict(X)) == {"low", "mid", "high"}
    assert VotingClassifier(nets, voting="hard").fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_stacks_of_nets_on_sequences(method):
    X, y = data(120)
    nets = [("gru", RNNClassifier(**SMALL)), ("rnn", RNNClassifier(**SMALL | {"cell": "rnn"}))]
    stack = StackingClassifier(nets, LogisticRegression(), stack_method=method, cv=3).fit(X, y)
    assert stack.transform(X).shape == (120, 2 if method == "predict" else 6)
    assert stack.score(X, y) > 0.6
    assert stack.predict_proba(X).shape == (120, 3)


def test_stacks_and_votes_of_tables_with_other_estimators():
    X, y = data(120)
    flat = X.reshape(120, 14)
    pair = [("net", RNNClassifier(**SMALL, n_channels=2)), ("linear", LogisticRegression())]
    assert VotingClassifier(pair, voting="soft").fit(flat, y).score(flat, y) > 0.7
    assert StackingClassifier(pair, cv=3, passthrough=True).fit(flat, y).score(flat, y) > 0.7


def test_stacks_of_windows():
    """Every row needs a fold, which stretches of time give."""
    series = np.random.RandomState(5).randn(120, 2)
    y = np.where(series[:, 0] + np.roll(series[:, 0], 1) > 0, "up", "down")
    pipes = [(str(n), make_pipeline(SlidingWindowTransformer(n), RNNClassifier(**SMALL))) for n in (2, 4)]
    stack = StackingClassifier(pipes, cv=KFold(4)).fit(series, y)
    assert stack.score(series, y) > 0.7
    assert stack.predict(series).shape == (120,)


# -- many nets of two classes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["3-D", "ragged"])
def test_one_against_the_rest(kind):
    X, y = data(120)
    X = X if kind == "3-D" else ragged(X)
    model = OneVsRestClassifier(RNNClassifier(**SMALL)).fit(X, y)
    assert len(model.estimators_) == 3
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > (0.65 if kind == "3-D" else 0.5)


def test_nets_for_pairs_labels_and_chains():
    X, y = data(90)
    flat = X.reshape(90, 14)
    net = RNNClassifier(**SMALL, n_channels=2)
    assert OneVsOneClassifier(net).fit(flat, y).score(flat, y) > 0.65
    labels = np.stack([y > 0, X[:, :, 1].sum(axis=1) > 0], axis=1).astype(int)
    several = MultiOutputClassifier(net).fit(flat, labels)
    assert [proba.shape for proba in several.predict_proba(flat)] == [(90, 2)] * 2
    chain = ClassifierChain(RNNClassifier(**SMALL)).fit(flat, labels)  # its columns are the steps and the labels before
    assert chain.predict_proba(flat).shape == (90, 2)


def test_ensembles_that_weigh_or_draw_rows():
    X, y = data(90)
    flat = X.reshape(90, 14)
    net = RNNClassifier(**SMALL, n_channels=2)
    bags = BaggingClassifier(net, n_estimators=3, random_state=0).fit(flat, y)
    assert bags.score(flat, y) > 0.7
    boosted = AdaBoostClassifier(net.set_params(max_epochs=4), n_estimators=3, random_state=0).fit(flat, y)
    assert boosted.score(flat, y) > 0.6
    assert boosted.estimator_errors_.min() > 0


def test_self_training():
    X, y = data(120, n_classes=2)
    some = np.where(np.arange(120) % 3 == 0, y, -1)
    model = SelfTrainingClassifier(RNNClassifier(**SMALL, n_channels=2), max_iter=3).fit(X.reshape(120, 14), some)
    assert model.score(X.reshape(120, 14), y) > 0.75
    assert len(model.classes_) == 2


TAKE_SEQUENCES = {
    "calibration": lambda net: CalibratedClassifierCV(net, cv=2),
    "threshold": lambda net: TunedThresholdClassifierCV(net, cv=2),
    "vote": lambda net: VotingClassifier([("net", net)], voting="soft"),
    "stack": lambda net: StackingClassifier([("net", net)], cv=2),
    "one against the rest": OneVsRestClassifier,
    "search": lambda net: GridSearchCV(net, {"cell": ["gru"]}, cv=2),
}


@pytest.mark.parametrize("kind", ["ragged", "objects", "series", "windows"])
@pytest.mark.parametrize("name", TAKE_SEQUENCES)
def test_sequences_in_any_form_pass_through(name, kind):
    """The others of scikit-learn (bags, chains, pairs, self-training) take tables only."""
    X, y = data(40, n_classes=2)
    objects = np.empty(40, dtype=object)
    objects[:] = ragged(X)
    rows = np.random.RandomState(0).randn(40, 2)
    windows = Windows(rows, np.arange(40), np.zeros(40), np.zeros(40), 4)
    given = {"ragged": ragged(X), "objects": objects, "series": pd.Series(ragged(X)), "windows": windows}[kind]
    model = TAKE_SEQUENCES[name](RNNClassifier(**SMALL | {"max_epochs": 2})).fit(given, y)
    assert model.predict(given).shape == (40,)
    assert model.predict_proba(given).shape == (40, 2)


# -- folds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_across_folds_are_those_of_each_fold(method, n_classes):
    X, y = data(60, n_classes)
    folds = StratifiedKFold(3)
    got = cross_val_predict(RNNClassifier(**SMALL), X, y, cv=folds, method=method)
    expected = np.empty_like(got)
    for train, test in folds.split(X, y):
        expected[test] = getattr(RNNClassifier(**SMALL).fit(X[train], y[train]), method)(X[test])
    np.testing.assert_array_equal(got, expected)


def test_folds_are_stratified_for_a_classifier():
    """With labels in order, KFold would leave a class out of each training part."""
    X, y = data(60)
    order = np.argsort(y, kind="stable")
    ours = cross_val_score(RNNClassifier(**SMALL), X[order], y[order], cv=3)
    given = cross_val_score(RNNClassifier(**SMALL), X[order], y[order], cv=StratifiedKFold(3))
    np.testing.assert_array_equal(ours, given)


def test_predictions_of_ragged_sequences_across_folds():
    X, y = data(60)
    proba = cross_val_predict(RNNClassifier(**SMALL), ragged(X), y, cv=3, method="predict_proba")
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"])
def test_scorers_of_several_classes(scoring):
    X, y = data(60)
    scores = cross_val_score(RNNClassifier(**SMALL), X, np.array(["a", "b", "c"])[y], cv=2, scoring=scoring)
    assert np.isfinite(scores).all()


def test_scorers_of_two_classes_and_of_labels():
    X, y = data(80, n_classes=2)
    names = ["roc_auc", "average_precision", "neg_brier_score", "f1", "neg_log_loss"]
    result = cross_validate(RNNClassifier(**SMALL), X, y, cv=2, scoring=names)
    assert result["test_roc_auc"].mean() > 0.8
    labels = np.stack([y, X[:, :, 1].sum(axis=1) > 0], axis=1).astype(int)
    names = ["roc_auc", "f1_macro", "accuracy", "average_precision"]
    result = cross_validate(RNNClassifier(**SMALL), X, labels, cv=2, scoring=names)
    assert result["test_roc_auc"].mean() > 0.7
    assert all(np.isfinite(result[f"test_{name}"]).all() for name in names)


def test_the_log_loss_of_scikit_learn_is_that_of_the_net():
    X, y = data(60)
    model = RNNClassifier(**SMALL).fit(X, y)
    chosen = model.predict_log_proba(X)[np.arange(60), y]
    assert log_loss(y, model.predict_proba(X)) == pytest.approx(-chosen.mean())


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), GroupKFold(3)], ids=["in time", "stretches"])
@pytest.mark.parametrize("as_pipeline", [True, False])
def test_splitters_for_windows(cv, as_pipeline):
    series = np.random.RandomState(5).randn(120, 1)
    y = np.where(series[:, 0] + np.roll(series[:, 0], 1) > 0, "up", "down")
    groups = np.arange(120) // 12 if isinstance(cv, GroupKFold) else None
    net = RNNClassifier(**SMALL | {"max_epochs": 25})
    X = series if as_pipeline else SlidingWindowTransformer(3).fit_transform(series)
    scores = cross_val_score(
        make_pipeline(SlidingWindowTransformer(3), net) if as_pipeline else net, X, y, cv=cv, groups=groups
    )
    assert scores.shape == (3,)
    assert scores.mean() > 0.7  # of a coin


# -- searches ------------------------------------------------------------------------------------------------------


def test_a_search_over_flat_and_nested_names():
    X, y = data(60)
    grid = [
        {"cell": ["gru"], "optimizer__betas": [(0.9, 0.99), (0.5, 0.9)], "class_weight": [None, "balanced"]},
        {"label_smoothing": [0.1], "module__input_shift": [0.1], "iterator_train__by_length": [False]},
    ]
    search = GridSearchCV(RNNClassifier(**SMALL), grid, cv=2, scoring="neg_log_loss").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores[:2])) == 2  # both betas were taken
    assert np.isfinite(scores).all()
    best = search.best_estimator_
    if "optimizer__betas" in search.best_params_:
        assert best.net_.optimizer_.defaults["betas"] == search.best_params_["optimizer__betas"]
    else:
        assert best.net_params == {"module__input_shift": 0.1, "iterator_train__by_length": False}


def test_a_search_in_processes_gives_the_same_bits():
    X, y = data(60)
    grid = {"cell": ["gru", "rnn"], "n_nets": [2]}
    one, two = (
        GridSearchCV(RNNClassifier(**SMALL | {"max_epochs": 4}), grid, cv=2, scoring="neg_log_loss", n_jobs=n).fit(X, y)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_channels_that_matter_are_found_by_permuting_columns():
    X, y = data(120)
    model = RNNClassifier(**SMALL, n_channels=2).fit(X.reshape(120, 14), y)
    result = permutation_importance(model, X.reshape(120, 14), y, n_repeats=2, random_state=0)
    of_channels = result.importances_mean.reshape(7, 2).sum(axis=0)
    assert of_channels[0] > 0.3 > 5 * abs(of_channels[1])


# -- weights on their way ------------------------------------------------------------------------------------------


def test_sample_weights_through_a_pipeline():
    X, y = data(60)
    weight = np.random.RandomState(1).uniform(0, 3, 60)
    pipe = make_pipeline(FunctionTransformer(), RNNClassifier(**SMALL))
    expected = RNNClassifier(**SMALL).fit(X, y, sample_weight=weight).predict_proba(X)
    pipe.fit(X, y, rnnclassifier__sample_weight=weight)
    np.testing.assert_array_equal(pipe.predict_proba(X), expected)


def test_sample_weights_are_routed_to_the_folds():
    X, y = data(60)
    weight = np.random.RandomState(1).uniform(0, 3, 60)
    expected = []
    for train, test in StratifiedKFold(2).split(X, y):
        model = RNNClassifier(**SMALL).fit(X[train], y[train], sample_weight=weight[train])
        expected.append(model.score(X[test], y[test], sample_weight=weight[test]))
    with sklearn.config_context(enable_metadata_routing=True):
        net = RNNClassifier(**SMALL).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        got = cross_val_score(net, X, y, cv=2, params={"sample_weight": weight})
        search = GridSearchCV(net, {"cell": ["gru"]}, cv=2).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(got, expected)
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(expected))


def test_sample_weights_reach_calibrated_and_voting_nets():
    """Rows without weight have no say: their labels may be anything."""
    X, y = data(90, n_classes=2)
    weight = (np.arange(90) % 3 > 0).astype(float)
    wrong = np.where(weight > 0, y, 1 - y)
    with_wrong = VotingClassifier([("net", RNNClassifier(**SMALL))], voting="soft")
    for model in (with_wrong, CalibratedClassifierCV(RNNClassifier(**SMALL), cv=KFold(3))):
        proba = [clone(model).fit(X, labels, sample_weight=weight).predict_proba(X) for labels in (y, wrong)]
        np.testing.assert_allclose(proba[0], proba[1], rtol=1e-6)


# -- texts ---------------------------------------------------------------------------------------------------------


def test_calibration_and_stacks_of_texts():
    rng = np.random.RandomState(0)
    words = [["win", "cash"], ["see", "you"]]
    y = np.arange(60) % 2
    texts = [
        " ".join([rng.choice(words[label]), *rng.choice(["at", "home", "now"], 1 + i % 4)]) for i, label in enumerate(y)
    ]
    pipe = make_pipeline(TokenEmbedder(4, subword=None, random_state=0), RNNClassifier(**SMALL | {"max_epochs": 25}))
    for model in (
        CalibratedClassifierCV(pipe, cv=2),
        StackingClassifier([("net", pipe)], cv=2),
        TunedThresholdClassifierCV(pipe, cv=2),
    ):
        assert model.fit(texts, y).score(texts, y) > 0.9
