"""SequenceTagger: tags of every kind, fields, weights, what it learns and what it refuses."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp, softmax
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn import SequenceTagger, TokenEmbedder
from skrnn.datasets import make_tagged_sentences
from skrnn.metrics import span_f1, span_f1_scorer, token_accuracy, token_accuracy_scorer

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")
SMALL = {"cell": "gru", "hidden_size": 4, "max_epochs": 4, "random_state": 0}
ONE_BATCH = {**SMALL, "batch_size": 200, "standardize": False, "dtype": "float64"}  # each epoch is one sum of all
each_crf = pytest.mark.parametrize("crf", [False, True], ids=["each by itself", "CRF"])


def numbers(n_samples=20, seed=0):
    """Ragged sequences of two channels; a step's tag is the sign of the first one's sum up to there, or "c"."""
    rng = np.random.RandomState(seed)
    X = [rng.randn(1 + i % 5, 2) for i in range(n_samples)]
    return X, [np.where(x[:, 1] > 0.8, "c", np.where(x[:, 0].cumsum() > 0, "a", "b")).tolist() for x in X]


def words(n_samples=24, seed=0):
    return make_tagged_sentences(n_samples, random_state=seed)


def text_tagger(**params):
    return make_pipeline(TokenEmbedder(dim=4, random_state=0), SequenceTagger(**SMALL | params))


def assert_same(rows, others, **tolerance):
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        np.testing.assert_allclose(row, other, **tolerance)


def differ(rows, others):
    return max(np.abs(row - other).max() for row, other in zip(rows, others, strict=True))


# -- what comes out ----------------------------------------------------------------------------------------------------


@each_crf
def test_a_list_of_tags_for_each_sentence(crf):
    sentences, tags = words()
    tagger = make_pipeline(TokenEmbedder(dim=8), SequenceTagger(**SMALL, bidirectional=True, crf=crf))
    tagger.fit(sentences, tags)
    for part in (sentences, sentences[3:4], [["la", "bazon"], ["un", "bazon"], ["tis", "ke"]]):
        predicted, proba = tagger.predict(part), tagger.predict_proba(part)
        for found in (predicted, proba):
            assert found.shape == (len(part),)
            assert found.dtype == object
        assert all(type(row) is list for row in predicted)
        assert [len(row) for row in predicted] == [len(row) for row in part]
        assert [row.shape for row in proba] == [(len(row), 5) for row in part]
        assert {tag for row in predicted for tag in row} <= set(tagger[-1].classes_)
        for row in proba:
            np.testing.assert_allclose(row.sum(axis=1), 1)
            assert (row >= 0).all()
    assert type(predicted[0][0]) is str


def test_the_likeliest_tag_of_each_step_without_a_field():
    X, y = numbers()
    model = SequenceTagger(**SMALL).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    for row, proba in zip(model.predict(X), model.predict_proba(X), strict=True):
        assert row == model.classes_[proba.argmax(axis=1)].tolist()


@pytest.mark.parametrize(
    "kinds",
    [["a", "b", "c"], [10, -3, 7], [True, False, True], [np.int8(4), np.int8(5), np.int8(6)], [1.0, 2.0, 5.0]],
    ids=["str", "int", "bool", "int8", "float"],
)
def test_tags_of_any_type_come_back(kinds):
    X, y = numbers()
    y = [[kinds["abc".index(tag)] for tag in row] for row in y]
    model = SequenceTagger(**SMALL | {"max_epochs": 30}).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(kinds))
    predicted = model.predict(X)
    assert type(predicted[4][0]) is type(np.asarray(kinds).tolist()[0])
    assert {tag for row in predicted for tag in row} <= set(kinds)
    assert model.score(X, y) > 0.6


FORMS = {
    "lists": list,
    "tuples": lambda rows: tuple(tuple(row) for row in rows),
    "arrays": lambda rows: [np.array(row) for row in rows],
    "Series of lists": lambda rows: pd.Series(rows, index=range(len(rows), 0, -1)),
    "object array": lambda rows: pd.Series(rows).to_numpy(),
}


@pytest.mark.parametrize("form", FORMS)
def test_tags_in_any_container(form):
    sentences, tags = words()
    expected = text_tagger().fit(sentences, tags)
    tagger = text_tagger().fit(sentences, FORMS[form](tags))
    assert_same(tagger.predict_proba(sentences), expected.predict_proba(sentences), rtol=0)
    assert tagger.score(sentences, FORMS[form](tags)) == expected.score(sentences, tags)


@each_crf
def test_padded_blocks_are_ragged_lists(crf):
    """3-D X with NaN in front or behind, and labels at the padding or not."""
    X, y = numbers()
    expected = SequenceTagger(**SMALL, crf=crf).fit(X, y).predict_proba(X)
    for left in (False, True):
        block, labels = np.full((20, 5, 2), np.nan), np.full((20, 5), "padding", dtype=object)
        for i, (x, row) in enumerate(zip(X, y, strict=True)):
            steps = slice(5 - len(x), 5) if left else slice(len(x))
            block[i, steps], labels[i, steps] = x, row
        for targets in (y, labels, labels.tolist()):
            model = SequenceTagger(**SMALL, crf=crf).fit(block, targets)
            assert_same(model.predict_proba(block), expected, rtol=1e-6)
            assert [len(row) for row in model.predict(block)] == [len(row) for row in y]
            assert model.score(block, targets) == model.score(X, y)


def test_a_table_has_a_tag_for_each_step():
    rng = np.random.RandomState(1)
    X = rng.randn(30, 8)
    y = (X[:, ::2] > 0).astype(int)  # of the first of two channels
    model = SequenceTagger(**SMALL | {"max_epochs": 60}, n_channels=2, lr=0.03).fit(X, y)
    assert model.score(X, y) > 0.9
    assert [len(row) for row in model.predict(X)] == [4] * 30


@each_crf
def test_an_empty_sentence_has_an_empty_list(crf):
    sentences, tags = words()
    tagger = text_tagger(crf=crf).fit([[], *sentences, []], [[], *tags, []])
    assert tagger.predict([[], ["la", "ke"], []])[[0, 2]].tolist() == [[], []]
    assert [row.shape for row in tagger.predict_proba([[], ["la"]])] == [(0, 5), (1, 5)]
    assert tagger.predict([[]]).tolist() == [[]]
    assert tagger.score([[], *sentences], [[], *tags]) == tagger.score(sentences, tags)
    X = tagger[0].transform([[], *sentences, []])
    with_empty, without = (
        SequenceTagger(**ONE_BATCH, crf=crf).fit(X[rows], [[], *tags, []][rows]) for rows in (slice(None), slice(1, 25))
    )
    assert_same(with_empty.predict_proba(X), without.predict_proba(X), rtol=1e-9)  # it trains nothing


# -- a field over the tags, against all paths --------------------------------------------------------------------------


def scores_and_field(model, x, net=0):
    """What the net says of each step by itself, (n_steps, n_tags), and the numbers of its field."""
    import torch

    module = model.nets_[net].module_
    with torch.no_grad():
        scores = module.outputs(torch.from_numpy(x[None]), None)[0].numpy()
    return scores, {name: value.detach().numpy() for name, value in module.crf.named_parameters()}


def all_paths(scores, field):
    """Every path (n_paths, n_steps), and its score."""
    n_steps, n_tags = scores.shape
    paths = np.array(list(itertools.product(range(n_tags), repeat=n_steps)))
    of_steps = scores[np.arange(n_steps), paths].sum(axis=1)
    of_pairs = field["transitions"][paths[:, :-1], paths[:, 1:]].sum(axis=1)
    return paths, of_steps + of_pairs + field["start"][paths[:, 0]] + field["end"][paths[:, -1]]


def trained_field(**params):
    X, y = numbers()
    return SequenceTagger(**ONE_BATCH | {"max_epochs": 25, "lr": 0.1}, crf=True, **params).fit(X, y), X, y


@pytest.mark.parametrize("n_nets", [1, 2])
def test_best_path_and_marginals_of_all_paths(n_nets):
    """Of several nets: those of the mean scores and the mean field."""
    import torch

    model, X, _ = trained_field(n_nets=n_nets)
    with torch.no_grad():
        for net in model.nets_:
            for numbers_of_field in net.module_.crf.parameters():
                numbers_of_field *= 3  # so that they count beside the scores
    step_by_step = [scores_and_field(model, x)[0].argmax(axis=1) for x in X]
    assert any((model.classes_[codes] != row).any() for codes, row in zip(step_by_step, model.predict(X), strict=True))
    for x, row, marginals in zip(X, model.predict(X), model.predict_proba(X), strict=True):
        parts = [scores_and_field(model, x, net) for net in range(n_nets)]
        field = {name: np.mean([part[1][name] for part in parts], axis=0) for name in parts[0][1]}
        paths, score = all_paths(np.mean([part[0] for part in parts], axis=0), field)
        assert row == model.classes_[paths[score.argmax()]].tolist()
        probability = softmax(score)
        expected = np.stack([[probability[paths[:, t] == tag].sum() for tag in range(3)] for t in range(len(x))])
        np.testing.assert_allclose(marginals, expected, rtol=1e-6, atol=1e-9)


def test_probabilities_of_several_nets_are_averaged():
    X, y = numbers()
    model = SequenceTagger(**ONE_BATCH, n_nets=2).fit(X, y)
    nets, of_nets = model.nets_, []
    for net in nets:
        model.nets_ = [net]
        of_nets.append(model.predict_proba(X))
    model.nets_ = nets
    assert_same(model.predict_proba(X), np.mean(of_nets, axis=0), rtol=1e-12)
    assert differ(*of_nets) > 1e-3


def first_loss(model, X, y, **fit_params):
    """The training loss before any step that matters, of the weights that the model has."""
    again = clone(model).set_params(max_epochs=1, lr=1e-12, warm_start=True)
    again.__dict__.update({name: value for name, value in vars(model).items() if name not in model.get_params()})
    return again.fit(X, y, **fit_params).history_["train_loss"].iloc[0]


UNKNOWN = [None, np.nan, pd.NA]


def with_unknown(y, every=3):
    flat = itertools.count()
    return [[tag if next(flat) % every else UNKNOWN[len(row) % 3] for tag in row] for row in y]


def test_the_loss_sums_over_unknown_tags():
    """Minus the logarithm of the probability of all paths that agree with what is known, for each known tag."""
    model, X, y = trained_field()
    for targets in (y, with_unknown(y), with_unknown(y, 2)):
        loss = n_known = 0
        for x, row in zip(X, targets, strict=True):
            paths, score = all_paths(*scores_and_field(model, x))
            known = ~pd.isna(np.array(row, dtype=object))
            codes = [list(model.classes_).index(tag) if there else -1 for tag, there in zip(row, known, strict=True)]
            agrees = ((paths == codes) | ~known).all(axis=1)
            loss += logsumexp(score) - logsumexp(score[agrees])
            n_known += known.sum()
        assert first_loss(model, X, targets) == pytest.approx(loss / n_known, rel=1e-9)


@each_crf
def test_the_loss_of_sequences_of_one_length(crf):
    """Where neither padding nor weights are there, nothing is multiplied by ones."""
    X, y = np.random.RandomState(4).randn(20, 3, 2), np.random.RandomState(5).randint(0, 3, (20, 3))
    model = SequenceTagger(**ONE_BATCH | {"max_epochs": 15}, crf=crf).fit(X, y)
    expected = first_loss(model, X, y)
    assert first_loss(model, X, y, sample_weight=np.full(20, 7.0)) == pytest.approx(expected, rel=1e-9)
    weighted = clone(model).fit(X, y, sample_weight=np.ones(20))
    np.testing.assert_allclose(weighted.history_["train_loss"], model.history_["train_loss"], rtol=1e-9)


def test_the_loss_weighs_each_tag_given_those_before_it():
    model, X, y = trained_field()
    weight, rows = {"a": 3.0, "b": 0.5, "c": 1.0}, np.random.RandomState(2).uniform(0.5, 2, 20)
    loss = total = 0
    for x, row, of_row in zip(X, y, rows, strict=True):
        paths, score = all_paths(*scores_and_field(model, x))
        agrees, before = np.ones(len(paths), dtype=bool), logsumexp(score)
        for t, tag in enumerate(row):
            agrees &= model.classes_[paths[:, t]] == tag
            now = logsumexp(score[agrees])
            loss += of_row * weight[tag] * (before - now)
            total += of_row * weight[tag]
            before = now
    model.set_params(class_weight=weight)
    assert first_loss(model, X, y, sample_weight=rows) == pytest.approx(loss / total, rel=1e-9)


def test_the_loss_of_each_step_without_a_field():
    X, y = numbers()
    model = SequenceTagger(**ONE_BATCH | {"max_epochs": 25}).fit(X, y)
    targets, weight = with_unknown(y), {"a": 3.0, "b": 0.5, "c": 1.0}
    loss = total = 0
    for proba, row in zip(model.predict_proba(X), targets, strict=True):
        for p, tag in zip(proba, row, strict=True):
            if not pd.isna(tag):
                loss -= weight[tag] * np.log(p[list(model.classes_).index(tag)])
                total += weight[tag]
    model.set_params(class_weight=weight)
    assert first_loss(model, X, targets) == pytest.approx(loss / total, rel=1e-9)


# -- weights -----------------------------------------------------------------------------------------------------------


def test_class_weights_repeat_tokens():
    """A weight of 3 is what the token is worth when its sentence comes twice more with nothing else known."""
    X, y = numbers()
    weighted = SequenceTagger(**ONE_BATCH | {"max_epochs": 15}, class_weight={"a": 3, "c": 2}).fit(X, y)
    only = [[[tag if tag in kept else None for tag in row] for row in y] for kept in ("abc", "ac", "a")]
    repeated = SequenceTagger(**ONE_BATCH | {"max_epochs": 15}).fit([*X, *X, *X], sum(only, []))
    assert_same(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-8)
    unweighted = SequenceTagger(**ONE_BATCH | {"max_epochs": 15}).fit(X, y)
    assert differ(weighted.predict_proba(X), unweighted.predict_proba(X)) > 0.03


@each_crf
def test_balanced_counts_tokens(crf):
    X, y = numbers()
    names, counts = np.unique(sum(y, []), return_counts=True)
    by_hand = {str(name): counts.sum() / (3 * count) for name, count in zip(names, counts, strict=True)}
    balanced, given, none = (
        SequenceTagger(**ONE_BATCH | {"max_epochs": 15}, crf=crf, class_weight=weight).fit(X, y).predict_proba(X)
        for weight in ("balanced", by_hand, None)
    )
    assert_same(balanced, given, rtol=1e-12)
    assert differ(balanced, none) > 0.01


@each_crf
def test_balanced_counts_tokens_by_the_weights_of_their_sentences(crf):
    X, y = numbers()
    weight = 1 + np.arange(20) % 3
    rows = np.repeat(np.arange(20), weight)
    model = SequenceTagger(**ONE_BATCH | {"max_epochs": 15}, crf=crf, class_weight="balanced")
    weighted = model.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = clone(model).fit([X[i] for i in rows], [y[i] for i in rows]).predict_proba(X)
    assert_same(weighted, repeated, rtol=1e-8)
    assert differ(weighted, clone(model).fit(X, y).predict_proba(X)) > 1e-3


def test_equal_class_weights_change_nothing_with_a_field():
    X, y = numbers()
    model = SequenceTagger(**ONE_BATCH, crf=True)
    expected = model.fit(X, y).predict_proba(X)
    for weight in (dict.fromkeys("abc", 2.0), dict.fromkeys("abc", 0.25)):
        assert_same(clone(model).set_params(class_weight=weight).fit(X, y).predict_proba(X), expected, rtol=1e-9)


@each_crf
def test_heavy_tags_are_found_more_often(crf):
    X, y = numbers(60)
    found = []
    for weight in (None, {"c": 20.0}):
        model = SequenceTagger(**SMALL, crf=crf, class_weight=weight).fit(X, y)
        found.append(sum(row.count("c") for row in model.predict(X)))
    assert found[1] > 2 * found[0] + 10


@each_crf
def test_sentences_without_a_known_tag_or_weight_are_left_out(crf):
    X, y = numbers()
    model = SequenceTagger(**ONE_BATCH, crf=crf)
    expected = model.fit(X[3:], y[3:]).predict_proba(X)
    nothing = [[UNKNOWN[i]] * len(row) for i, row in enumerate(y[:3])]
    assert_same(clone(model).fit(X, nothing + y[3:]).predict_proba(X), expected, rtol=0)
    weight = np.r_[0, 0, 0, np.ones(17)]
    assert_same(clone(model).fit(X, y, sample_weight=weight).predict_proba(X), expected, rtol=1e-12)


def test_unknown_tags_in_training_are_not_needed_where_they_are_judged():
    sentences, tags = words(60)
    tagger = text_tagger(crf=True).fit(sentences, with_unknown(tags))
    assert set(tagger[-1].classes_) == {"B-AGENT", "B-PATIENT", "I-AGENT", "I-PATIENT", "O"}
    predicted, flat = tagger.predict(sentences), itertools.count()
    right = [p == t for p, t in zip(sum(predicted, []), sum(tags, []), strict=True) if next(flat) % 3]
    assert tagger.score(sentences, with_unknown(tags)) == pytest.approx(np.mean(right))


def test_tokens_of_several_fields():
    """A word that training lacks is told by its part of speech."""
    sentences = [[("a", "X"), ("b", "Y"), ("c", "X")], [("d", "Y"), ("e", "X")], [("f", "Y")]] * 8
    tags = [[kind.lower() for _, kind in row] for row in sentences]
    embedder = TokenEmbedder(dim=(4, 2), subword=None, min_df=9, random_state=0)
    with pytest.raises(ValueError, match="No token is left"):
        embedder.fit(sentences)  # each word occurs 8 times
    embedder.set_params(min_df=8)
    tagger = make_pipeline(embedder, SequenceTagger(**SMALL | {"max_epochs": 40})).fit(sentences, tags)
    assert tagger.score(sentences, tags) == 1
    assert tagger.predict([[("g", "Y"), ("h", "X"), ("i", "X")]]).tolist() == [["y", "x", "x"]]


# -- score -------------------------------------------------------------------------------------------------------------


def test_score_is_the_share_of_tokens():
    X, y = numbers()
    model = SequenceTagger(**SMALL).fit(X, y)
    right = [p == t for p, t in zip(sum(model.predict(X), []), sum(y, []), strict=True)]
    assert 0.2 < model.score(X, y) == np.mean(right) < 1
    assert model.score(X, y) == token_accuracy(y, model.predict(X)) == token_accuracy_scorer(model, X, y)
    weight = np.arange(20.0)
    by_token = np.repeat(weight, [len(row) for row in y])
    assert model.score(X, y, sample_weight=weight) == pytest.approx(np.average(right, weights=by_token))


def test_tags_that_training_had_not_count_as_errors():
    X, y = numbers()
    model = SequenceTagger(**SMALL).fit(X, y)
    strange = [["z", *row[1:]] if len(row) == 5 else row for row in y]
    expected = token_accuracy(strange, model.predict(X))
    message = r"y holds tags that `fit` has not seen, \['z'\]: 4 of 60 tokens, which count as errors"
    with pytest.warns(UserWarning, match=message) as caught:
        assert model.score(X, strange) == expected < model.score(X, y)
    assert caught[0].filename == __file__


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda y: [*y[:7], y[7][:-1], *y[8:11], [], *y[12:]], r"Sentence 7 has 3 token\(s\) in X and 2 tag\(s\) in y"),
        (lambda y: y[:9], "X has 20 sentences and y has 9 lists of tags"),
        (lambda y: None, "requires y to be passed, but the target y is None"),
        (lambda y: "a", "y must be a list that holds a list of tags for each sentence of X, got 'a'"),
        (lambda y: [row[0] for row in y], "Sentence 0 of y must be a list of tags.*got 'a'.*take RNNClassifier"),
        (lambda y: [["a"] * len(row) for row in y], r"at least two classes .*one class only: \['a'\]"),
        (lambda y: [[None] * len(row) for row in y], "y holds no known label: all 60 are None or NaN"),
        (lambda y: [[7] * len(row) if len(row) == 5 else row for row in y], "mixes names and numbers as labels"),
        (lambda y: [np.linspace(0, 1.5, len(row)) for row in y], "continuous"),
    ],
)
@each_crf
def test_bad_tags_leave_the_former_fit(crf, change, message):
    X, y = numbers()
    model = SequenceTagger(**SMALL, crf=crf).fit(X, y)
    expected, attributes = model.predict_proba(X), set(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, change(y))
    assert set(vars(model)) == attributes
    assert_same(model.predict_proba(X), expected, rtol=0)
    unfitted = SequenceTagger(**SMALL, crf=crf)
    with pytest.raises(ValueError, match=message):
        unfitted.fit(X, change(y))
    assert not [name for name in vars(unfitted) if name.endswith("_") and not name.startswith("_")]


@pytest.mark.parametrize(
    "params, message",
    [
        ({"crf": "yes"}, "`crf` must be"),
        ({"crf": 1}, "`crf` must be"),
        ({"class_weight": {"z": 2.0}}, "names what is no class: the classes of y are .'a', 'b', 'c'"),
        ({"class_weight": [{"a": 2.0}]}, "is a list, which is for a multilabel y"),
        ({"class_weight": "even"}, "`class_weight` must be None, 'balanced', or a dict"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"window_scaling": "first"}, "window_scaling"),
        ({"cell": "transformer"}, "`cell` must be one of"),
    ],
    ids=str,
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        SequenceTagger(**SMALL | params).fit(*numbers())


def test_a_sentence_that_was_cut():
    sentences, tags = words()
    tagger = make_pipeline(TokenEmbedder(dim=4, max_length=9), SequenceTagger(**SMALL))
    number = next(i for i, row in enumerate(sentences) if len(row) > 9)
    message = rf"Sentence {number} of X was cut to 9 tokens by max_length.*TokenEmbedder\(max_length=None\)"
    for y in (tags, [row[:9] for row in tags]):
        with pytest.raises(ValueError, match=message):
            tagger.fit(sentences, y)
    tagger.set_params(tokenembedder__max_length=30).fit(sentences, tags)
    long = [["la", "ke"], ["ke"] * 31]
    for method in (tagger.predict, tagger.predict_proba, lambda X: tagger.score(X, [["O"] * len(row) for row in X])):
        with pytest.raises(ValueError, match="Sentence 1 of X was cut to 30 tokens"):
            method(long)


def test_bad_lengths_and_tags_after_fit():
    X, y = numbers()
    model = SequenceTagger(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"Sentence 2 has 3 token\(s\) in X and 1 tag\(s\) in y"):
        model.score(X, [*y[:2], ["a"], *y[3:]])
    with pytest.raises(ValueError, match=r"y_val holds \['z'\], which is none of the classes \['a', 'b', 'c'\]"):
        model.fit(X, y, X_val=X[:2], y_val=[["a"], ["z", "b"]])
    with pytest.raises(ValueError, match=r"Sentence 1 has 2 token\(s\) in X and 1 tag\(s\) in y_val"):
        model.fit(X, y, X_val=X[:2], y_val=[["a"], ["b"]])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_before_fit(method):
    X, y = numbers()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(SequenceTagger(), method)(X, *([y] if method == "score" else []))


def test_texts_need_an_embedder():
    with pytest.raises(ValueError, match="Put TokenEmbedder in front"):
        SequenceTagger(**SMALL).fit(*words())


def test_smoothing_does_nothing_with_a_field():
    X, y = numbers()
    with pytest.warns(UserWarning, match="label_smoothing=0.1 does nothing, since crf=True learns whole paths"):
        smoothed = SequenceTagger(**SMALL, crf=True, label_smoothing=0.1).fit(X, y)
    assert_same(smoothed.predict_proba(X), SequenceTagger(**SMALL, crf=True).fit(X, y).predict_proba(X), rtol=0)
    params = SMALL | {"hidden_size": 8, "max_epochs": 100}
    sharp, soft = (SequenceTagger(**params, label_smoothing=amount).fit(X, y) for amount in (0.0, 0.3))
    assert min(p.max() for p in soft.predict_proba(X)) < min(p.max() for p in sharp.predict_proba(X))
    assert max(p.max() for p in soft.predict_proba(X)) < 0.95 < max(p.max() for p in sharp.predict_proba(X))


# -- inside scikit-learn's tools ---------------------------------------------------------------------------------------


def test_it_is_no_classifier():
    assert not is_classifier(SequenceTagger())
    assert SequenceTagger().__sklearn_tags__().target_tags.required


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scoring", [None, token_accuracy_scorer, span_f1_scorer], ids=str)
def test_scores_across_folds(form, scoring):
    sentences, tags = words()
    scores = cross_val_score(text_tagger(max_epochs=2), sentences, FORMS[form](tags), cv=3, scoring=scoring)
    score = span_f1 if scoring is span_f1_scorer else token_accuracy
    for (train, test), found in zip(KFold(3).split(sentences), scores, strict=True):
        tagger = text_tagger(max_epochs=2).fit([sentences[i] for i in train], [tags[i] for i in train])
        assert found == score([tags[i] for i in test], tagger.predict([sentences[i] for i in test]))


@pytest.mark.parametrize("form", FORMS)
def test_predictions_across_folds(form):
    sentences, tags = words()
    predicted = cross_val_predict(text_tagger(max_epochs=2), sentences, FORMS[form](tags), cv=KFold(4))
    assert [len(row) for row in predicted] == [len(row) for row in sentences]
    train = slice(6, None)
    expected = text_tagger(max_epochs=2).fit(sentences[train], tags[train]).predict(sentences[:6])
    assert list(predicted[:6]) == list(expected)


@pytest.mark.parametrize("scoring", [token_accuracy_scorer, span_f1_scorer], ids=str)
def test_searches(scoring):
    sentences, tags = words()
    grid = {"tokenembedder__subword": [None, (3, 5)], "sequencetagger__crf": [False, True]}
    search = GridSearchCV(text_tagger(max_epochs=2), grid, cv=2, scoring=scoring).fit(sentences, tags)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert scoring(search, sentences, tags) == scoring(search.best_estimator_, sentences, tags)
    assert search.predict(sentences[:2]).shape == (2,)
    in_processes = GridSearchCV(text_tagger(max_epochs=2), grid, cv=2, scoring=scoring, n_jobs=2)
    in_processes.fit(sentences, pd.Series(tags).to_numpy())
    for column in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(in_processes.cv_results_[column], search.cv_results_[column])


@each_crf
def test_clone_pickle_and_seed(crf):
    sentences, tags = words()
    tagger = text_tagger(crf=crf, input_dropout=0.2).fit(sentences, tags)
    expected = tagger.predict_proba(sentences)
    restored = pickle.loads(pickle.dumps(tagger))
    assert_same(restored.predict_proba(sentences), expected, rtol=0)
    assert restored.predict(sentences).tolist() == tagger.predict(sentences).tolist()
    assert_same(clone(tagger).fit(sentences, tags).predict_proba(sentences), expected, rtol=0)
    other = clone(tagger).set_params(sequencetagger__random_state=1).fit(sentences, tags)
    assert differ(other.predict_proba(sentences), expected) > 1e-3


@each_crf
def test_partial_fit(crf):
    X, y = numbers(40)
    model = SequenceTagger(**SMALL, crf=crf)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, y)
    only = [i for i, row in enumerate(y) if "c" not in row]
    model.partial_fit([X[i] for i in only], [y[i] for i in only], classes=["c", "b", "a"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert [row.shape[1] for row in model.predict_proba(X[:2])] == [3, 3]
    before = model.score(X, y)
    for _ in range(40):
        model.partial_fit(X, y)
    assert model.score(X, y) > max(before, 0.7)
    expected = model.predict_proba(X)
    for change, message in (
        ({"y": [["z"] * len(row) for row in y]}, r"y holds \['z'\], which is none of the classes"),
        ({"classes": ["a", "b"]}, "is not the same as in the first call to partial_fit"),
        ({"y": [row[1:] for row in y]}, "Sentence 0 has 1 token"),
    ):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(**{"X": X, "y": y} | change)
        assert_same(model.predict_proba(X), expected, rtol=0)
    with pytest.raises(ValueError, match="crf has changed from"):
        model.set_params(crf=not crf).partial_fit(X, y)
    assert model.set_params(crf=crf).fit(X[:4], [["d", *row[1:]] for row in y[:4]]).classes_[-1] == "d"


# -- training ----------------------------------------------------------------------------------------------------------


@each_crf
def test_history_and_skill(crf):
    X, y = numbers(60)
    model = SequenceTagger(**SMALL | {"max_epochs": 12}, crf=crf, early_stopping=False)
    model.fit(X[:40], y[:40], X_val=X[40:], y_val=with_unknown(y[40:]))
    assert list(model.history_) == [
        "epoch", "train_loss", "train_accuracy", "seconds", "lr", "valid_loss", "valid_accuracy",
    ]  # fmt: skip
    score = model.score(X[40:], with_unknown(y[40:]))
    assert model.history_["valid_accuracy"].iloc[-1] == pytest.approx(score)
    names, counts = np.unique(sum(y[:40], []), return_counts=True)
    always = [[str(names[counts.argmax()])] * len(row) for row in y[40:]]
    assert model.skill_ == pytest.approx(1 - (1 - score) / (1 - token_accuracy(with_unknown(y[40:]), always)))
    assert np.isnan(model.fit(X, y).skill_)


@each_crf
def test_sentences_are_held_out_from_500_on(crf):
    """Tokens, too, of which some sentences are empty."""
    sentences, tags = words(510)
    sentences[3::51], tags[3::51] = [[]] * 10, [[]] * 10  # which are not counted
    tagger = text_tagger(crf=crf, max_epochs=2).fit(sentences, tags)
    assert "valid_loss" in tagger[-1].history_
    assert 0 < tagger[-1].skill_ < 1
    assert "valid_loss" not in text_tagger(max_epochs=1).fit(sentences[:509], tags[:509])[-1].history_


def test_early_stopping_keeps_the_best_epoch():
    sentences, tags = words(60)
    tagger = text_tagger(
        hidden_size=16,
        max_epochs=60,
        lr=0.05,
        lr_schedule=None,
        early_stopping=True,
        n_iter_no_change=3,
        validation=0.3,
    ).fit(sentences, tags)
    model = tagger[-1]
    best = model.history_["valid_loss"].idxmin()
    assert model.n_iter_ == best + 4 < 60
    X, y = tagger[0].transform(sentences), tags
    judged = clone(model).set_params(validation=KFold(2)).fit(X, y, X_val=None)
    assert judged.history_["valid_loss"].min() < judged.history_["valid_loss"].iloc[-1]


def test_parts_count_the_numbers_of_the_field():
    X, y = numbers()
    model = SequenceTagger(**SMALL, bidirectional=True, crf=True).fit(X, y)
    parts = model.summary().set_index("part")
    assert parts.loc["crf", ["kind", "n_parameters"]].tolist() == ["LinearChainCRF", 9 + 3 + 3]
    assert parts["n_parameters"].iloc[-1] == sum(weight.numel() for weight in model.net_.module_.parameters())
    assert "crf" not in SequenceTagger(**SMALL).fit(X, y).summary()["part"].tolist()


def test_states_and_rates():
    X, y = numbers()
    model = SequenceTagger(**SMALL, crf=True).fit(X, y)
    steps, lengths = model.encode(X, return_sequences=True)
    assert steps.shape == (20, 5, 4)
    assert lengths.tolist() == [len(row) for row in X]
    assert model.encode(X).shape == (20, 4)
    results, suggested = model.lr_range_test(X, y, 1e-4, 10.0, n_lrs=12)
    assert list(results) == ["lr", "loss", "smoothed_loss"]
    assert suggested > 0


@each_crf
def test_a_row_predicts_alone_what_it_predicts_in_a_batch(crf):
    X, y = numbers(40)
    model = SequenceTagger(**SMALL, crf=crf, bidirectional=True, conv_channels=3, dtype="float64").fit(X, y)
    together = model.predict_proba(X)
    for i, x in enumerate(X):
        np.testing.assert_allclose(model.predict_proba([x])[0], together[i], rtol=1e-12)
        assert model.predict([x])[0] == model.predict(X[i : i + 3])[0]
    order = np.random.RandomState(3).permutation(40)
    assert_same(model.predict_proba([X[i] for i in order]), together[order], rtol=1e-12)


# -- what it learns ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def language():
    """Sentences to learn from, and others, with words that the first lack."""
    train, test = words(240, seed=1), words(120, seed=2)
    known = {word for row in train[0] for word in row}
    assert np.mean([word not in known for row in test[0] for word in row]) > 0.15
    return train, test


def learned(language, subword=(3, 5), **params):
    """Accuracy and F1 of spans in the other sentences, and how many spans there begin with an I."""
    (sentences, tags), (new, truth) = language
    params = {"cell": "lstm", "hidden_size": 12, "max_epochs": 16, "bidirectional": True, "random_state": 0} | params
    embedder = TokenEmbedder(dim=12, subword=subword, n_buckets=4000, random_state=0)
    predicted = make_pipeline(embedder, SequenceTagger(**params)).fit(sentences, tags).predict(new)
    pairs = [pair for row in predicted for pair in zip(["O", *row], row, strict=False)]
    n_impossible = sum(a[2:] != b[2:] and b[0] == "I" for a, b in pairs)
    return token_accuracy(truth, predicted), span_f1(truth, predicted), n_impossible


@pytest.fixture(scope="module")
def usual(language):
    return learned(language)


def test_words_of_no_training_sentence_are_told_by_their_endings(language, usual):
    accuracy, f1, _ = usual
    assert accuracy > 0.93
    assert f1 > 0.85
    assert learned(language, subword=None)[0] < accuracy - 0.08


def test_both_directions_are_needed(language, usual):
    assert learned(language, bidirectional=False)[0] < usual[0] - 0.2


def test_a_field_keeps_tags_that_do_not_follow_each_other_apart(language):
    """Of nets that cannot know what comes, so that their tags contradict each other."""
    plain, field = (learned(language, bidirectional=False, crf=crf) for crf in (False, True))
    assert field[2] < plain[2] / 2
    assert field[1] > plain[1] + 0.05
