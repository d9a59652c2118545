"""RNNClassifier: labels of every kind, weights, probabilities, what it refuses."""

import pickle
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit, cross_val_score
from skorch import NeuralNet

from skrnn import EmbeddedTokens, RNNClassifier, SlidingWindowTransformer, Windows
from skrnn._holdout import hold_out
from skrnn._validation import check_sequences

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


# -- forms of X --------------------------------------------------------------------------------------------------------


def test_sequences_of_unequal_length_in_any_form():
    """A list, an array of objects, and blocks padded in front or behind are the same sequences."""
    rng = np.random.RandomState(0)
    X = [rng.randn(n_steps, 2) for n_steps in rng.randint(1, 7, 40)]
    y = np.where([sequence[:, 0].mean() > 0 for sequence in X], "up", "down")
    objects = np.empty(40, dtype=object)
    objects[:] = X
    front, behind = np.full((2, 40, 6, 2), np.nan)
    for i, sequence in enumerate(X):
        front[i, 6 - len(sequence) :] = behind[i, : len(sequence)] = sequence
    expected = RNNClassifier(**SMALL).fit(X, y).predict_proba(X)
    for form in (objects, tuple(X), front, behind):
        model = RNNClassifier(**SMALL).fit(form, y)
        np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-6)
        np.testing.assert_allclose(model.predict_proba(form), expected, rtol=1e-6)


def test_windows_are_the_block_of_their_steps():
    rows = np.random.RandomState(0).randn(30, 2)
    X = Windows(rows, np.arange(30), np.zeros(30), np.zeros(30), 4)
    y = rows[:, 0] > 0
    of_windows, of_block = (RNNClassifier(**SMALL).fit(form, y) for form in (X, np.asarray(X)))
    np.testing.assert_allclose(of_windows.predict_proba(X), of_block.predict_proba(np.asarray(X)), rtol=1e-9)
    assert of_windows.n_channels_ == of_windows.n_features_in_ == 2


@pytest.mark.parametrize("n_channels, n_steps", [(None, 6), (2, 3), (6, 1)])
def test_a_table_is_the_block_that_it_lays_out(n_channels, n_steps):
    X = np.random.RandomState(0).randn(20, 6)
    y = X.sum(axis=1) > 0
    of_table = RNNClassifier(**SMALL, n_channels=n_channels).fit(X, y)
    block = X.reshape(20, n_steps, -1)
    np.testing.assert_array_equal(of_table.predict_proba(X), RNNClassifier(**SMALL).fit(block, y).predict_proba(block))
    assert of_table.n_features_in_ == 6
    assert of_table.n_channels_ == (n_channels or 1)


def test_tokens_by_hand():
    ids = np.random.RandomState(0).randint(2, 6, (60, 3, 1))
    table = np.eye(6, 4, dtype=np.float32)
    X = EmbeddedTokens(ids.reshape(-1, 1), np.arange(60) * 3, np.full(60, 3), [table])
    y = np.where((ids == 2).any(axis=1)[:, 0], "has it", "has not")
    model = RNNClassifier(**SMALL | {"hidden_size": 8, "max_epochs": 30}).fit(X, y)
    assert model.score(X, y) > 0.9
    assert np.mean(y == "has not") < 0.75


def test_classes_come_back_from_columns_frames_and_lists():
    X, codes = data()
    y = np.array(["a", "b", "c"])[codes]
    expected = RNNClassifier(**SMALL).fit(X, y).predict_proba(X)
    for form in (y.tolist(), tuple(y), pd.Index(y), pd.Series(y, index=np.arange(90)[::-1])):
        np.testing.assert_array_equal(RNNClassifier(**SMALL).fit(X, form).predict_proba(X), expected)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = RNNClassifier(**SMALL).fit(X, y[:, None])
    assert model.predict(X).shape == (90,)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_labels_may_be_numbered_anew():
    """Which names the classes have makes no difference, as long as their order stays."""
    X, y = data()
    expected = RNNClassifier(**SMALL).fit(X, y)
    for names in (np.array(["a", "b", "c"]), np.array([-7, 3, 1000]), np.array([0.0, 2.0, 9.0])):
        model = RNNClassifier(**SMALL).fit(X, names[y])
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        np.testing.assert_array_equal(model.predict(X), names[expected.predict(X)])


def test_fitted_attributes():
    X, y = data(60)
    model = RNNClassifier(**SMALL, early_stopping=True).fit(X, y)
    assert is_classifier(model)
    assert isinstance(model.net_, NeuralNet)
    assert model.nets_ == [model.net_]
    assert model.n_iter_ == len(model.history_) == 12
    assert model.n_channels_ == model.n_features_in_ == 2
    assert model.device_ == "cpu"
    assert model.dtype_ == np.float32
    assert RNNClassifier(**SMALL, batch_size=60).fit(X, y).dtype_ == np.float64
    assert not hasattr(model, "feature_names_in_")


def test_inputs_are_left_as_they_were():
    X, y, weight = *data(), np.arange(90.0)
    X.flags.writeable = y.flags.writeable = weight.flags.writeable = False
    copies = X.copy(), y.copy(), weight.copy()
    model = RNNClassifier(**SMALL, class_weight="balanced").fit(X, y, weight)
    model.predict_proba(X)
    model.score(X, y)
    for array, before in zip((X, y, weight), copies, strict=True):
        np.testing.assert_array_equal(array, before)


def test_before_fit():
    X, _ = data()
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(RNNClassifier(**SMALL), method)(X)


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


def test_scores_of_labels():
    X, y = indicator()
    model = RNNClassifier(**SMALL, n_nets=2).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(model.decision_function(X), np.log(proba / (1 - proba)))
    np.testing.assert_array_equal(model.classes_, [0, 1])
    assert model.predict(X).dtype == np.int64
    assert model.score(X, y) == (model.predict(X) == y).all(axis=1).mean()  # all labels of a row
    assert proba.min() > 0
    model.net_.module_.head.linear.weight.data *= 1e7
    model.nets_ = [model.net_]
    assert model.predict_proba(X).min() == 0
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert np.isfinite(model.decision_function(X)).all()


def test_a_label_that_no_row_has_is_learned_as_never_there():
    X, y = indicator()
    y = np.column_stack([y, np.zeros(120), np.ones(120)])
    for weight in (None, "balanced"):
        model = RNNClassifier(**SMALL, class_weight=weight).fit(X, y)
        assert (model.predict(X)[:, 2:] == [0, 1]).all()


@pytest.mark.parametrize("kind", [bool, float, list, pd.DataFrame])
def test_an_indicator_of_any_type(kind):
    X, y = indicator()
    expected = RNNClassifier(**SMALL).fit(X, y).predict_proba(X)
    given = y.astype(kind) if kind in (bool, float) else y.tolist() if kind is list else kind(y, columns=["a", "b"])
    model = RNNClassifier(**SMALL).fit(X, given)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert set(np.unique(model.predict(X))) == {0, 1}
    assert model.score(X, given) > 0.5


@pytest.mark.parametrize("given", ["labels", "more labels"])
def test_another_number_of_labels_is_refused_later(given):
    X, y = indicator()
    model = RNNClassifier(**SMALL).fit(X, y)
    other = y[:, 0] if given == "labels" else np.column_stack([y, y])
    with pytest.raises(ValueError, match=r"y has shape \(120,.*y in `fit` had \(n_samples, 2\)"):
        model.partial_fit(X, other)
    with pytest.raises(ValueError, match=r"y_val has shape \(120, .*y in `fit` had \(n_samples,\)"):
        RNNClassifier(**SMALL).fit(X, y[:, 0], X_val=X, y_val=y)


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


@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
@pytest.mark.parametrize("class_weight", [None, "balanced", "given"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_mean_by_all_weights(several, class_weight, smoothing):
    """Row weight times class weight, for each label its own; with lr so small that the net stays what it is."""
    X, y = indicator(60) if several else data(60)
    if class_weight == "given":
        class_weight = [{1: 3.0}, {0: 0.5, 1: 2.0}] if several else {0: 3.0, 2: 0.5}
    rows = np.random.RandomState(3).uniform(0, 2, 60)
    rows[:9] = 0
    model = RNNClassifier(
        **ONE_BATCH | {"lr": 1e-12, "max_epochs": 1}, class_weight=class_weight, label_smoothing=smoothing
    ).fit(X, y, sample_weight=rows)
    columns = y if several else y[:, None]
    weight = np.empty(columns.shape)
    for j, column in enumerate(columns.T):
        n_classes = 2 if several else 3
        count = np.bincount(column, rows, n_classes)
        of_column = class_weight[j] if isinstance(class_weight, list) else class_weight
        of_class = count.sum() / (n_classes * count) if of_column == "balanced" else np.ones(n_classes)
        for number, value in (of_column if isinstance(of_column, dict) else {}).items():
            of_class[number] = value
        weight[:, j] = rows * of_class[column]
    if several:
        log_proba = torch.from_numpy(np.stack([1 - model.predict_proba(X), model.predict_proba(X)], axis=1)).log()
    else:
        log_proba = torch.from_numpy(model.predict_log_proba(X))[..., None]
    loss = torch.nn.functional.cross_entropy(
        log_proba, torch.from_numpy(columns), reduction="none", label_smoothing=smoothing
    )
    right = (model.predict(X).reshape(60, -1) == columns).astype(float)
    assert model.history_["train_loss"][0] == pytest.approx(np.average(loss.numpy(), weights=weight), rel=1e-6)
    assert model.history_["train_accuracy"][0] == pytest.approx(np.average(right, weights=weight), rel=1e-6)


@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_weights_are_repetitions(several, class_weight):
    X, y = indicator(40) if several else data(40)
    weight = np.arange(40) % 3
    rows = np.repeat(np.arange(40), weight)
    options = ONE_BATCH | {"class_weight": class_weight, "label_smoothing": 0.1}
    weighted = RNNClassifier(**options).fit(X, y, sample_weight=weight)
    repeated = RNNClassifier(**options).fit(X[rows], y[rows])
    assert weighted.dtype_ == np.float64
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    assert np.abs(weighted.predict_proba(X) - RNNClassifier(**options).fit(X, y).predict_proba(X)).max() > 0.01


@pytest.mark.parametrize("batch_size", [200, 7])
def test_a_row_of_weight_zero_does_not_train(batch_size):
    """Whatever its label and its values, which are not standardised by either; nor does it make a class."""
    X, y = data(60)
    weight = np.where(np.arange(60) % 4 == 0, 0.0, 1.0)
    options = ONE_BATCH | {"batch_size": batch_size}
    expected = RNNClassifier(**options).fit(X, y, sample_weight=weight).predict_proba(X)
    other_X, other_y = X.copy(), y.copy()
    other_X[weight == 0] *= 100
    other_y[weight == 0] = 2 - y[weight == 0]
    got = RNNClassifier(**options).fit(other_X, other_y, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(got, expected)


def test_a_class_of_rows_without_weight_is_still_a_class():
    X, y = data(60)
    model = RNNClassifier(**SMALL).fit(X, y, sample_weight=(y != 1).astype(float))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert 1 not in model.predict(X)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.zeros(90), "at least one non-zero"),
        (-np.ones(90), "[Nn]egative"),
        (np.ones(89), "inconsistent|shape"),
        (np.full(90, np.nan), "NaN"),
        ((data()[1] == 1) * 1.0, "one class only"),
    ],
)
def test_wrong_sample_weights(weight, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        RNNClassifier(**SMALL).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("class_weight", [{"spam": 5.0}, {"spam": 5, "ham": 2}, "balanced"])
def test_class_weights_move_the_balance(class_weight):
    X = np.random.RandomState(0).randn(120, 4, 1)
    y = np.where(np.arange(120) % 5 == 0, "spam", "ham")  # noise: what is predicted is the share
    plain, weighted = (
        RNNClassifier(**ONE_BATCH | {"max_epochs": 8}, class_weight=weight).fit(X, y).predict_proba(X)[:, 1].mean()
        for weight in (None, class_weight)
    )
    assert plain < 0.35
    assert weighted > plain + 0.04


def test_class_weights_do_not_standardise():
    """They say what an error costs, not how often a row is there."""
    X, y = data(60)
    X = X + 5.0 * y[:, None, None]
    plain, weighted = (RNNClassifier(**SMALL, class_weight=weight).fit(X, y) for weight in (None, {0: 9.0}))
    np.testing.assert_array_equal(plain._scaling.inputs.mean, weighted._scaling.inputs.mean)


@pytest.mark.parametrize(
    "weight, message",
    [
        ({0: -1.0}, r"`class_weight\[0\]` must be a number of at least 0, got -1.0"),
        ({0: np.nan}, r"`class_weight\[0\]` must be a number"),
        ({0: "much"}, r"`class_weight\[0\]` must be a number"),
        ({0: 0.0, 1: 0.0}, "one class only"),
        ({5: 1.0}, r"names what is no class: the classes of y are \[0, 1, 2\]"),
    ],
    ids=str,
)
def test_class_weights_that_cannot_be(weight, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        RNNClassifier(**SMALL, class_weight=weight).fit(X, y)


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


def test_a_label_that_is_unknown_trains_nothing_and_the_others_of_its_row_do():
    """Its column may say what it wants where it is unknown; the loss is that of the known ones."""
    rows = np.random.RandomState(2).randn(60, 2)
    X = Windows(rows, np.arange(60), np.zeros(60), np.zeros(60), 3)
    y = np.stack([rows[:, 0] > 0, rows[:, 1] > 0], axis=1).astype(float)
    y[10:30, 1] = np.nan
    y[40] = np.nan
    model = RNNClassifier(**ONE_BATCH | {"lr": 1e-12, "max_epochs": 1}).fit(X, y)
    proba, known = model.predict_proba(X), ~np.isnan(y)
    loss = -np.log(np.where(np.nan_to_num(y) == 1, proba, 1 - proba))
    assert model.history_["train_loss"][0] == pytest.approx(loss[known].mean(), rel=1e-6)
    trained = RNNClassifier(**SMALL | {"hidden_size": 8, "max_epochs": 50}).fit(X, y).predict(X)
    assert (trained == y)[known].mean() > 0.9


@pytest.mark.parametrize("as_object", [True, False])
def test_score_leaves_out_unlabelled_rows_of_a_series(as_object):
    rows = np.random.RandomState(2).randn(40, 2)
    X = Windows(rows, np.arange(40), np.zeros(40), np.zeros(40), 3)
    known = np.arange(40) % 3 > 0
    y = np.where(rows[:, 0] > 0, 1.0, 0.0)
    given = np.where(known, y, np.nan)
    if as_object:
        y = np.where(y > 0, "up", "down")
        given = np.where(known, y, None)
    model = RNNClassifier(**SMALL | {"max_epochs": 3}).fit(X, given)
    right, weight = model.predict(X) == y, np.arange(40.0)
    assert model.score(X, given) == pytest.approx(right[known].mean())
    assert model.score(X, given, weight) == pytest.approx(np.average(right[known], weights=weight[known]))
    with pytest.raises(ValueError, match=r"label of row 0 is .*windows of a series"):
        model.score(np.asarray(X), given)


def test_early_stopping_counts_labelled_rows():
    """499 known ones do not hold any out, whatever the number of rows."""
    rows = np.random.RandomState(2).randn(520, 1)
    X = Windows(rows, np.arange(520), np.zeros(520), np.zeros(520), 2)
    y = (rows[:, 0] > 0).astype(float)
    y[::25] = np.nan  # 21 of them
    model = RNNClassifier(**SMALL | {"max_epochs": 1})
    assert "valid_loss" not in model.fit(X, y).history_
    y[0] = 1
    assert "valid_loss" in model.fit(X, y).history_


def test_the_tail_of_a_series_judges():
    rows = np.random.RandomState(2).randn(60, 1)
    X = Windows(rows, np.arange(60), np.zeros(60), np.zeros(60), 2)
    y = np.where(rows[:, 0] > 0, "up", "down")
    options = SMALL | {"max_epochs": 40, "early_stopping": True, "validation": 0.25}
    expected = RNNClassifier(**options).fit(X, y)
    y[45:] = np.where(y[45:] == "up", "down", "up")
    turned = RNNClassifier(**options).fit(X, y)
    assert expected.history_["valid_accuracy"].iloc[-1] > 0.7
    assert turned.history_["valid_accuracy"].iloc[-1] < 0.3
    np.testing.assert_array_equal(turned.history_["train_loss"], expected.history_["train_loss"])


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


WEIGHTED = {"class_weight": {1: 2.0}, "label_smoothing": 0.1}


@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
@pytest.mark.parametrize("params", [{}, WEIGHTED, {"n_layers": 2, "dropout": 0.3, "n_nets": 2}], ids=str)
def test_calls_on_the_same_rows_are_epochs_of_one_fit(params, several):
    """Bit for bit, pickled in between."""
    X, y = indicator(60) if several else data(60)
    if several and "class_weight" in params:
        params = params | {"class_weight": [{1: 2.0}, {}]}
    options = SMALL | {"batch_size": 17} | params
    whole = RNNClassifier(**options | {"max_epochs": 3}, lr_schedule=None, early_stopping=False).fit(X, y)
    model = RNNClassifier(**options)
    for _ in range(3):
        model = pickle.loads(pickle.dumps(model.partial_fit(X, y, None if several else [0, 1, 2])))
    np.testing.assert_array_equal(model.predict_proba(X), whole.predict_proba(X))
    assert model.n_iter_ == 3
    assert np.isnan(model.skill_)


@pytest.mark.parametrize(
    "classes",
    [["c", "a", "b"], ("a", "b", "c"), np.array(["b", "a", "c", "a"]), np.array(["a", "b", "c"], dtype=object)],
    ids=["list", "tuple", "twice", "objects"],
)
@pytest.mark.parametrize("kind", [list, np.array, lambda y: np.array(y, dtype=object), pd.Series, pd.Categorical])
def test_classes_in_any_order_and_form(classes, kind):
    X, codes = data(60)
    y = kind([["a", "b", "c"][code] for code in codes])
    model = RNNClassifier(**SMALL).partial_fit(X, y, classes=classes)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert len(model.partial_fit(X, y, classes=classes).partial_fit(X, y).history_) == 3
    assert set(model.predict(X)) <= {"a", "b", "c"}


def test_a_call_may_lack_classes_but_the_first_fixes_their_weights():
    X, y = data(60)
    rows = np.r_[np.flatnonzero(y == 1)[:4], np.flatnonzero(y == 2)[:12]]
    model = RNNClassifier(**SMALL, class_weight="balanced").partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    np.testing.assert_allclose(model._class_table, [[1, 2, 2 / 3]])
    assert model.predict_proba(X).shape == (60, 3)
    model.partial_fit(X[y == 0], y[y == 0])  # a call of one class
    np.testing.assert_allclose(model._class_table, [[1, 2, 2 / 3]])
    assert len(model.history_) == 2


def test_unlabelled_rows_in_further_calls():
    rows = np.random.RandomState(2).randn(60, 1)
    X = Windows(rows, np.arange(60), np.zeros(60), np.zeros(60), 2)
    y = np.where(rows[:, 0] > 0, "up", "down").astype(object)
    given = np.where(np.arange(60) % 3 > 0, y, None)
    known = np.arange(60) % 3 > 0
    model = RNNClassifier(**ONE_BATCH).partial_fit(X, given, classes=["up", "down"]).partial_fit(X, given)
    block = np.asarray(X)
    expected = RNNClassifier(**ONE_BATCH).partial_fit(X[known], y[known], classes=["up", "down"])
    expected.partial_fit(X[known], y[known])
    np.testing.assert_allclose(model.predict_proba(block), expected.predict_proba(block), rtol=1e-9)


@pytest.mark.parametrize(
    "y, classes, message",
    [
        (["a"] * 60, ["a"], "at least two classes"),
        (["a", "b"] * 30, None, "classes must be passed on the first call"),
        (["a", "b"] * 30, [0, 1], r"y holds \['a', 'b'\], which is none of the classes \[0, 1\]"),
        (["a", "z"] * 30, ["a", "b"], r"y holds \['z'\], which is none"),
        ([None] * 60, ["a", "b"], "label of row 0 is None"),
        (["a", "b"] * 30, ["a", "b", None], "classes must be a list of the labels"),
        ([["a"], ["b", "c"]] * 30, ["a", "b", "c"], "unequal lengths.*SequenceTagger"),
        (np.eye(60, 3, dtype=int), [0, 1], r"classes=\[0, 1\] are not the numbers of the columns of y.*\(60, 3\)"),
        ([0.5, 1.5] * 30, [0.5, 1.5], "continuous"),
    ],
)
def test_a_first_call_that_fails_leaves_it_unfitted(y, classes, message):
    X, _ = data(60)
    model = RNNClassifier(**SMALL)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, classes=classes)
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert not hasattr(model, "_declared_classes")
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_call_that_fails_changes_nothing():
    X, y = data(60)
    model = RNNClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    expected, history = model.predict_proba(X), model.history_
    for bad_y, classes in ((y + 1, None), (y, [0, 1]), (y[:7], None), (np.stack([y, y], axis=1) > 1, None)):
        with pytest.raises(ValueError, match=r"none of the classes|not the same|y has 7|y has shape \(60, 2\)"):
            model.partial_fit(X, bad_y, classes=classes)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
        assert model.history_ is history
    with pytest.raises(ValueError, match=r"class_weight\[1\]"):
        model.set_params(class_weight={1: -1}).partial_fit(X, y)
    with pytest.raises(ValueError, match="label_smoothing has changed from 0.0 to 0.2"):
        model.set_params(class_weight=None, label_smoothing=0.2).partial_fit(X, y)


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


@pytest.mark.parametrize("sizes", [(70, 30), (97, 3), (40, 35, 25), (90, 6, 4), (50,)], ids=str)
@pytest.mark.parametrize("validation", ["shuffle", 0.2, 0.31])
def test_random_rows_hold_each_class_within_a_row_of_its_share(sizes, validation):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    fraction = 0.1 if validation == "shuffle" else validation
    sequences = check_sequences(np.ones((len(classes), 2, 1)))
    seen = set()
    for seed in range(4):
        rng = np.random.RandomState(seed)
        known = np.sort(rng.permutation(len(classes))[: rng.randint(len(classes) // 2, len(classes) + 1)])
        train, valid = hold_out(sequences, known, classes[:, None], validation, 0, rng, classes=classes)
        assert len(valid) == round(fraction * len(known))
        assert sorted([*train, *valid]) == known.tolist()
        share = np.bincount(classes[known], minlength=len(sizes)) * len(valid) / len(known)
        assert np.abs(np.bincount(classes[valid], minlength=len(sizes)) - share).max() <= 1
        seen.add(tuple(valid))
    assert len(seen) == 4


def test_combinations_of_labels_are_held_out_in_their_shares():
    combinations = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.repeat(combinations, [60, 20, 10, 10], axis=0)
    X = np.random.RandomState(0).randn(100, 3, 1)
    seen = []

    class Spy(RNNClassifier):
        def _fit_nets(self, train, valid, *args, **kwargs):
            seen.append(valid.targets.values)
            super()._fit_nets(train, valid, *args, **kwargs)

    Spy(**SMALL | {"max_epochs": 1}, early_stopping=True, validation=0.2).fit(X, y)
    counts = [(seen[0] == pair).all(axis=1).sum() for pair in combinations]
    assert counts == [12, 4, 2, 2]


def test_a_splitter_is_given_the_classes():
    """StratifiedKFold refuses what is not."""
    X, y = data(60)
    names = np.array(["a", "b", "c"])[y]
    model = RNNClassifier(**SMALL | {"max_epochs": 1}, early_stopping=True, validation=StratifiedKFold(4))
    train, valid = next(StratifiedKFold(4).split(X, y))
    given = RNNClassifier(**SMALL | {"max_epochs": 1}, early_stopping=True)
    expected = given.fit(X[train], names[train], X_val=X[valid], y_val=names[valid])
    np.testing.assert_array_equal(model.fit(X, names).predict_proba(X), expected.predict_proba(X))
    assert model.history_["valid_loss"][0] == expected.history_["valid_loss"][0]


def test_the_best_epoch_is_kept():
    """Labels are noise: the longer it trains the worse it judges, and the epoch kept is the best one."""
    rng = np.random.RandomState(0)
    X, y = rng.randn(80, 5, 2), rng.randint(0, 3, 80)
    X_val, y_val = rng.randn(60, 5, 2), rng.randint(0, 3, 60)
    model = RNNClassifier(
        "gru", hidden_size=12, lr=0.05, max_epochs=30, early_stopping=True, random_state=0, label_smoothing=0.1
    ).fit(X, y, X_val=X_val, y_val=y_val)
    loss = model.history_["valid_loss"]
    assert loss.iloc[-1] > 1.2 * loss.min()
    log_proba = torch.from_numpy(model.predict_log_proba(X_val))
    kept = torch.nn.functional.cross_entropy(log_proba, torch.from_numpy(y_val), label_smoothing=0.1)
    assert kept.item() == pytest.approx(loss.min(), rel=1e-5)


def test_training_stops_without_a_better_epoch():
    rng = np.random.RandomState(0)
    X, y = rng.randn(80, 5, 2), rng.randint(0, 3, 80)
    options = {"lr_schedule": None, "n_iter_no_change": 4, "early_stopping": True, "validation": 0.4}
    model = RNNClassifier("gru", hidden_size=12, lr=0.05, max_epochs=80, random_state=0, **options).fit(X, y)
    assert model.n_iter_ == model.history_["valid_loss"].argmin() + 5 < 80


@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
def test_skill_is_measured_against_the_most_frequent_class(several):
    X, y = indicator(100) if several else data(100)
    if several:
        truth, guess = y[:40], (y.mean(axis=0) > 0.5).astype(int)
    else:
        y = np.where(y == 1, 2, y)  # two thirds are 2
        truth, guess = y[:40], 2
    model = RNNClassifier(**SMALL, early_stopping=True).fit(X, y, X_val=X[:40], y_val=truth)
    error, reference = (model.predict(X[:40]) != truth).mean(), (guess != truth).mean()
    assert reference > 0.2
    assert model.skill_ == pytest.approx(1 - error / reference)
    assert np.isnan(RNNClassifier(**SMALL, early_stopping=False).fit(X, y).skill_)


def test_validation_labels_may_lack_a_class():
    X, y = data()
    model = RNNClassifier(**SMALL | {"max_epochs": 1, "lr": 1e-12}).fit(X, y, X_val=X[y == 2], y_val=y[y == 2])
    loss = -model.predict_log_proba(X[y == 2])[:, 2].mean()
    assert model.history_["valid_loss"][0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("class_weight", [{0: 5.0}, "balanced"])
def test_classes_weigh_in_validation_what_they_weigh_in_training(class_weight):
    X, y = data()
    y = np.where(y == 1, 2, y)  # a third is 0
    model = RNNClassifier(**SMALL | {"max_epochs": 3}, class_weight=class_weight, early_stopping=False)
    model.fit(X, y, X_val=X[:40], y_val=y[:40])
    weight = np.where(y[:40] == 0, *((5.0, 1.0) if class_weight != "balanced" else (1.5, 0.75)))
    loss = -model.predict_log_proba(X[:40])[np.arange(40), (y[:40] == 2).astype(int)]
    right = model.predict(X[:40]) == y[:40]
    assert model.history_["valid_loss"].iloc[-1] == pytest.approx(np.average(loss, weights=weight), rel=1e-5)
    assert model.history_["valid_accuracy"].iloc[-1] == pytest.approx(np.average(right, weights=weight), rel=1e-5)


@pytest.mark.parametrize(
    "X_val, y_val, message",
    [
        (data()[0], None, "X_val and y_val go together"),
        (["a text"] * 3, [0, 1, 2], "got texts"),
        (data()[0][:3], [0, 1, None], "label of row 2 is None"),
        (data()[0][:3], ["0", "1", "2"], "y_val holds .* none of the classes"),
        (data()[0][:3].reshape(3, 14), [0, 1, 2], "X_val must be sequences"),
    ],
    ids=["one of both", "texts", "unlabelled", "words", "table"],
)
def test_wrong_validation_sets(X_val, y_val, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        RNNClassifier(**SMALL).fit(X, y, X_val=X_val, y_val=y_val)


# -- Ctrl-C, failures, a former fit ------------------------------------------------------------------------------------


def ctrl_c(loss):
    signal.raise_signal(signal.SIGINT)
    return loss


@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
@pytest.mark.parametrize("n_nets", [1, 2])
def test_interrupt_sets_the_fitted_attributes_and_is_raised_again(at_batch, n_nets, several):
    X, y = indicator(90) if several else data()
    model = RNNClassifier(**SMALL | {"batch_size": 30}, n_nets=n_nets, lr_schedule=None, early_stopping=True)
    at_batch(8 if n_nets == 1 else 43, ctrl_c)  # in the third epoch of the last net
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert len(model.nets_) == n_nets
    assert model.n_iter_ == (2 if n_nets == 1 else 12)
    assert model.predict_proba(X).shape == (90, 2 if several else 3)
    assert np.isfinite(model.skill_)
    assert model.history_.notna().all(axis=None)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_interrupt_before_the_net_leaves_the_former_fit(monkeypatch):
    X, y = data()
    model = RNNClassifier(**SMALL).fit(X, y)
    expected = model.predict_proba(X)

    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(RNNClassifier, "_fit_nets", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, np.array(["x", "y", "z"])[y])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_a_loss_that_is_no_number_keeps_the_former_fit(at_batch):
    X, y = data()
    model = RNNClassifier(**SMALL).fit(X, y)
    expected = model.predict_proba(X)
    at_batch(1, lambda loss: loss * torch.nan)
    with pytest.raises(ValueError, match="no good epoch"):
        model.fit(X, np.array(["x", "y", "z"])[y])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    np.testing.assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"cell": "transformer"}, "`cell` must be one of"),
        ({"hidden_size": 0}, "`hidden_size` must be an int"),
        ({"window_scaling": "first"}, "`window_scaling` must be one of"),
        ({"pooling": "sum"}, "`pooling` must be one of"),
        ({"net_params": {"criterion__label_smoothing": 0.1}}, "shadows the parameter `label_smoothing`"),
        ({"net_params": {"iterator_train__by_size": True}}, "names nothing"),
        ({"net_params": {"iterator_train__shuffle": True}}, "shadows the parameter `shuffle`"),
        ({"patch_size": 9}, r"patch_size=9 is longer than the sequences of X, which have 7 step\(s\)"),
        ({"class_weight": [{0: 1.0}] * 3}, "is a list, which is for a multilabel y"),
        ({"n_channels": 3}, "X has 2 channels, but n_channels=3"),
    ],
    ids=str,
)
def test_wrong_parameters_leave_the_former_fit(params, message):
    X, y = data()
    model = RNNClassifier(**SMALL).fit(X, y)
    expected, attributes = model.predict_proba(X), set(vars(model))
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, y)
    assert set(vars(model)) == attributes
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_warm_start_goes_on():
    X, y = data()
    options = SMALL | {"max_epochs": 4, "lr_schedule": None}
    model = RNNClassifier(**options, warm_start=True).fit(X, y)
    first = model.history_["train_loss"].iloc[-1]
    assert model.fit(X, y).history_["train_loss"].iloc[0] < first + 0.05
    assert RNNClassifier(**options).fit(X, y).history_["train_loss"].iloc[0] > first + 0.1


@pytest.mark.parametrize(
    "first, then, change",
    [
        ([0, 1, 2], [5, 6, 7], r"from \[0, 1, 2\] to \[5, 6, 7\]"),
        ([0, 1, 2], ["a", "b", "c"], r"from \[0, 1, 2\] to \['a', 'b', 'c'\]"),
        ([0, 1, 2], [0, 1, 1], r"from \[0, 1, 2\] to \[0, 1\]"),
        ([0, 1, 1], [[0, 1], [1, 0], [1, 1]], r"from \[0, 1\] to \[0, 1\] \(a multilabel y\)"),
    ],
)
def test_warm_start_with_other_classes_is_refused(first, then, change):
    X, y = data()
    model = RNNClassifier(**SMALL, warm_start=True).fit(X, np.array(first)[y])
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match=rf"the classes have changed {change}\. Set warm_start=False"):
        model.fit(X, np.array(then)[y])
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(model.classes_, np.unique(first))
    assert len(model.set_params(warm_start=False).fit(X, np.array(then)[y]).classes_) in (2, 3)


# -- cross-validation, copies, parts -----------------------------------------------------------------------------------


def test_shuffled_folds_of_windows_score_well_on_nothing():
    """Why the docstring names a splitter: labels that are a fair coin in stretches are "predicted" by neighbours."""
    rng = np.random.RandomState(6)
    series = rng.randn(300, 2).cumsum(axis=0)
    y = np.repeat(rng.randint(0, 2, 15), 20)
    X = SlidingWindowTransformer(10).fit_transform(series)
    net = RNNClassifier(**SMALL | {"hidden_size": 16, "max_epochs": 25}, early_stopping=False)
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


def test_rates_of_labels_leave_the_fit_as_it_was():
    X, y = indicator()
    model = RNNClassifier(**SMALL | {"max_epochs": 3}).fit(X, y)
    expected, attributes = model.predict_proba(X), set(vars(model))
    results, suggested = model.lr_range_test(X, y, 1e-4, 10.0, n_lrs=8)
    assert results["loss"].iloc[0] == pytest.approx(np.log(2), abs=0.3)
    assert 1e-4 <= suggested < 10
    assert set(vars(model)) == attributes
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    with pytest.raises(ValueError, match="continuous"):
        model.lr_range_test(X, np.linspace(0, 1, 120))


def test_the_global_generators_are_left_alone():
    X, y = data(600)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    model = RNNClassifier(**SMALL | {"max_epochs": 1}, n_layers=2, dropout=0.2, input_dropout=0.1).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "rnn_relu"])
def test_learns_unequal_classes_of_ragged_sequences(cell):
    """Six in ten are flat; the others rise or fall, at any length. Accuracy at least .25 above the prior."""
    rng = np.random.RandomState(8)
    X, y = [], rng.choice(["falls", "flat", "rises"], 300, p=[0.2, 0.6, 0.2])
    slopes = {"falls": -0.6, "flat": 0.0, "rises": 0.6}
    for label in y:
        n_steps = rng.randint(5, 15)
        X.append(slopes[label] * np.arange(n_steps) + 3 * rng.randn() + 0.5 * rng.randn(n_steps))
    model = RNNClassifier(cell, hidden_size=10, max_epochs=25, window_scaling="last", random_state=0)
    model.fit(X[:200], y[:200])
    assert np.mean(y[200:] == "flat") < 0.7
    assert model.score(X[200:], y[200:]) > np.mean(y[200:] == "flat") + 0.25


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
