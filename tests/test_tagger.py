"""SequenceTagger: a tag for each token, alone or judged together."""

import pickle
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn import SequenceTagger, TokenEmbedder
from skrnn.datasets import make_tagged_sentences
from skrnn.metrics import span_f1, span_f1_scorer, token_accuracy, token_accuracy_scorer

SMALL = {"cell": "gru", "hidden_size": 6, "max_epochs": 12, "random_state": 0}
ONE_BATCH = SMALL | {"hidden_size": 4, "batch_size": 100, "standardize": False}
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")


def ragged(n_samples=30, seed=0):
    """Sequences (n_steps_i, 2), 2 to 6 steps, whose tags follow the sign of the first channel."""
    rng = np.random.RandomState(seed)
    X = [rng.randn(rng.randint(2, 7), 2) for _ in range(n_samples)]
    return X, [np.where(row[:, 0] > 0, "up", "down").tolist() for row in X]


def pipeline(**options):
    return make_pipeline(TokenEmbedder(dim=7, random_state=0), SequenceTagger(**SMALL | options))


# -- what comes out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crf", [False, True])
def test_a_list_of_tags_for_each_sentence(crf):
    X, y = ragged()
    model = SequenceTagger(**SMALL | {"max_epochs": 40}, crf=crf).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (30,)
    assert all(isinstance(tags, list) for tags in predicted)
    assert [len(tags) for tags in predicted] == [len(row) for row in X]
    assert model.score(X, y) == token_accuracy(y, predicted) > 0.9
    proba = model.predict_proba(X)
    assert [part.shape for part in proba] == [(len(row), 2) for row in X]
    np.testing.assert_allclose(np.concatenate(list(proba)).sum(axis=1), 1)


def test_sentences_of_one_length_are_lists_too():
    X = np.random.RandomState(0).randn(20, 3, 2)
    y = np.where(X[:, :, 0] > 0, "a", "b")
    predicted = SequenceTagger(**SMALL).fit(X, y).predict(X)
    assert predicted.shape == (20,)
    assert len(predicted[0]) == 3


def test_padding_has_no_tag():
    X, y = ragged()
    block = np.full((30, 6, 2), np.nan)
    front = block.copy()
    for i, row in enumerate(X):
        block[i, : len(row)] = row
        front[i, 6 - len(row) :] = row
    model = SequenceTagger(**SMALL).fit(X, y)
    for padded in (block, front):
        other = SequenceTagger(**SMALL).fit(padded, y)
        np.testing.assert_array_equal(model.predict(X).tolist() == other.predict(padded).tolist(), True)
    wide = [[None] * (6 - len(tags)) + tags for tags in y]  # a tag at padding, too
    assert SequenceTagger(**SMALL).fit(front, wide).predict(front).tolist() == model.predict(X).tolist()


def test_tags_may_be_numbers():
    X, y = ragged()
    numbers = [[7 if tag == "up" else -1 for tag in tags] for tags in y]
    model = SequenceTagger(**SMALL).fit(X, numbers)
    np.testing.assert_array_equal(model.classes_, [-1, 7])
    assert set(np.concatenate(model.predict(X))) <= {-1, 7}


@pytest.mark.parametrize("form", [list, lambda y: pd.Series(y, index=range(30, 0, -1)), "object", "arrays"])
def test_forms_of_y(form):
    X, y = ragged()
    rows = np.empty(30, dtype=object)
    for i, tags in enumerate(y):
        rows[i] = np.array(tags) if form == "arrays" else tags
    given = rows if isinstance(form, str) else form(y)
    want = SequenceTagger(**SMALL).fit(X, y).predict(X).tolist()
    assert SequenceTagger(**SMALL).fit(X, given).predict(X).tolist() == want


def test_batches_do_not_matter():
    sentences, tags = make_tagged_sentences(60, random_state=0)
    model = pipeline(crf=True, early_stopping=False).fit(sentences, tags)
    alone = [model.predict_proba([sentence])[0] for sentence in sentences[:10]]
    together = model.predict_proba(sentences)[:10]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


# -- the field ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_nets", [1, 2])
def test_the_field_gives_the_best_path(n_nets):
    """Against every path of a sentence of four tokens, scored by hand from the nets' own numbers."""
    X, y = ragged()
    y = [[tag if i % 3 else "other" for i, tag in enumerate(tags)] for tags in y]
    model = SequenceTagger(**SMALL, crf=True, n_nets=n_nets).fit(X, y)
    x = np.random.RandomState(5).randn(4, 2)
    sequences = model._checked_for_prediction([x])
    scores = np.mean([model._run(net, sequences, net.module_.outputs)[0][0] for net in model.nets_], axis=0)
    fields = [net.module_.crf for net in model.nets_]
    start, end, moves = (
        np.mean([getattr(field, name).detach().numpy() for field in fields], axis=0)
        for name in ("start", "end", "transitions")
    )
    paths = list(product(range(3), repeat=4))

    def score(path):
        steps = sum(scores[t, tag] for t, tag in enumerate(path))
        return (
            start[path[0]] + steps + sum(moves[a, b] for a, b in zip(path[:-1], path[1:], strict=True)) + end[path[-1]]
        )

    totals = np.array([score(path) for path in paths])
    best = paths[int(totals.argmax())]
    assert model.predict([x])[0] == model.classes_[list(best)].tolist()
    weights = np.exp(totals - totals.max())
    marginals = np.zeros((4, 3))
    for path, weight in zip(paths, weights / weights.sum(), strict=True):
        marginals[range(4), path] += weight
    np.testing.assert_allclose(model.predict_proba([x])[0], marginals, atol=1e-6)


def test_the_field_learns_what_may_follow():
    """Tags B and I in turn, whatever the inputs: each step by itself can only guess."""
    rng = np.random.RandomState(1)
    X = [rng.randn(8, 1) for _ in range(60)]
    y = [["B", "I"] * 4 if rng.rand() > 0.5 else ["I", "B"] * 4 for _ in X]
    for row, tags in zip(X, y, strict=True):
        row[3] += 5 if tags[3] == "B" else -5  # one step tells
    options = SMALL | {"max_epochs": 60, "lr": 0.03}
    plain, field = (SequenceTagger(**options, crf=crf).fit(X, y).score(X, y) for crf in (False, True))
    assert plain < 0.9
    assert field > 0.97


def test_spans_gain_by_the_field():
    sentences, tags = make_tagged_sentences(400, random_state=0)
    fit, judged = slice(0, 300), slice(300, 400)
    reached = {}
    for crf in (False, True):
        model = pipeline(crf=crf, max_epochs=15).fit(sentences[fit], tags[fit])
        reached[crf] = span_f1(tags[judged], model.predict(sentences[judged]))
    assert reached[True] > reached[False] + 0.02


def test_the_fields_numbers_are_counted():
    X, y = ragged()
    model = SequenceTagger(**SMALL, crf=True).fit(X, y)
    summary = model.summary()
    assert summary.set_index("part")["n_parameters"]["crf"] == 2 * 2 + 2 + 2
    assert summary["n_parameters"].iloc[-1] == sum(p.numel() for p in model.net_.module_.parameters())


def test_smoothing_does_nothing_with_a_field():
    X, y = ragged()
    with pytest.warns(UserWarning, match="label_smoothing=0.1 does nothing"):
        SequenceTagger(**SMALL, crf=True, label_smoothing=0.1).fit(X, y)


# -- weights and unknown tags ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("unknown", [None, np.nan])
def test_unknown_tags_train_nothing(crf, unknown):
    """A sentence without a known tag is as good as none, and one tag more or less makes a difference."""
    X, y = ragged()
    hidden = [[unknown] * len(tags) if i < 10 else tags for i, tags in enumerate(y)]
    options = ONE_BATCH | {"crf": crf}
    with_all, without = SequenceTagger(**options).fit(X, hidden), SequenceTagger(**options).fit(X[10:], y[10:])
    for one, other in zip(with_all.predict_proba(X), without.predict_proba(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    partly = [[unknown, *tags[1:]] if i % 2 else tags for i, tags in enumerate(y)]
    other = SequenceTagger(**options).fit(X, partly).predict_proba(X)
    assert np.abs(other[0] - SequenceTagger(**options).fit(X, y).predict_proba(X)[0]).max() > 1e-6


def test_class_weights_weigh_tokens():
    """Sentences of one tag: the weight of the tag is the weight of the sentence."""
    X, _ = ragged()
    y = [["up"] * len(row) if row[0, 0] > 0 else ["down"] * len(row) for row in X]  # one tag a sentence
    by_class = SequenceTagger(**ONE_BATCH, class_weight={"up": 3.0}).fit(X, y)
    by_row = SequenceTagger(**ONE_BATCH).fit(X, y, sample_weight=[3.0 if tags[0] == "up" else 1.0 for tags in y])
    for one, other in zip(by_class.predict_proba(X), by_row.predict_proba(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("crf", [False, True])
def test_balanced_finds_rare_tags(crf):
    rng = np.random.RandomState(2)
    X = [rng.randn(6, 1) for _ in range(120)]
    y = [np.where(row[:, 0] + rng.randn(6) > 2.2, "rare", "common").tolist() for row in X]
    found = {
        weight: sum(
            tags.count("rare") for tags in SequenceTagger(**SMALL, crf=crf, class_weight=weight).fit(X, y).predict(X)
        )
        for weight in (None, "balanced")
    }
    assert found["balanced"] > 2 * found[None] + 5


def test_weights_of_labels_are_not_for_tags():
    X, y = ragged()
    with pytest.raises(ValueError, match="multilabel"):
        SequenceTagger(**SMALL, class_weight=[{"up": 2.0}]).fit(X, y)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda y: None, "requires y"),
        (lambda y: y[:-1], "X has 30 sentences and y has 29"),
        (lambda y: [*y[:4], [*y[4], "up"], *y[5:]], r"Sentence 4 has \d token\(s\) in X and \d tag\(s\) in y"),
        (lambda y: ["up"] * 30, "Sentence 0 of y must be a list of tags.*RNNClassifier"),
        (lambda y: [["up"] * len(tags) for tags in y], "one class only"),
        (lambda y: [[None] * len(tags) for tags in y], "no known label"),
        (lambda y: "up", "must be a list"),
    ],
)
def test_bad_tags(change, message):
    X, y = ragged()
    model = SequenceTagger(**SMALL).fit(X, y)
    before = model.predict(X).tolist()
    with pytest.raises(ValueError, match=message):
        model.fit(X, change(y))
    assert model.predict(X).tolist() == before  # the former fit stays


def test_truncated_sentences_are_refused():
    sentences, tags = make_tagged_sentences(20, random_state=0)
    longest = max(range(20), key=lambda i: len(sentences[i]))
    cut = make_pipeline(TokenEmbedder(7, max_length=len(sentences[longest]) - 1), SequenceTagger(**SMALL))
    first = next(i for i in range(20) if len(sentences[i]) == len(sentences[longest]))
    with pytest.raises(ValueError, match=rf"Sentence {first} of X was cut to"):
        cut.fit(sentences, tags)
    whole = pipeline().fit(sentences, tags)
    tokens = whole[0].set_params(max_length=2).transform(sentences)
    with pytest.raises(ValueError, match="was cut to 2 tokens"):
        whole[-1].predict(tokens)


def test_an_empty_sentence_has_no_tags():
    sentences, tags = make_tagged_sentences(20, random_state=0)
    sentences, tags = [*sentences, []], [*tags, []]
    for crf in (False, True):
        model = pipeline(crf=crf).fit(sentences, tags)
        assert model.predict(sentences)[-1] == []
        assert model.predict_proba(sentences)[-1].shape == (0, len(model[-1].classes_))
        assert 0 < model.score(sentences, tags) <= 1


def test_unseen_tags_are_errors_that_are_told():
    X, y = ragged()
    model = SequenceTagger(**SMALL).fit(X, y)
    strange = [["left", *tags[1:]] for tags in y]
    with pytest.warns(UserWarning, match=r"not seen, \['left'\]: 30 of \d+ tokens"):
        score = model.score(X, strange)
    assert score == token_accuracy(strange, model.predict(X))
    with pytest.raises(ValueError, match=r"y_val holds \['left'\]"):
        SequenceTagger(**SMALL).fit(X, y, X_val=X, y_val=strange)


def test_words_need_an_embedder():
    with pytest.raises(ValueError, match=r"make_pipeline\(TokenEmbedder\(\), SequenceTagger\(\)\)"):
        SequenceTagger().fit([["a", "dog"], ["runs"]], [["D", "N"], ["V"]])


# -- inside scikit-learn's tools ---------------------------------------------------------------------------------------


def test_it_is_no_classifier_so_lists_are_taken():
    assert not is_classifier(SequenceTagger())
    sentences, tags = make_tagged_sentences(60, random_state=1)
    assert cross_val_score(pipeline(), sentences, tags, cv=3).shape == (3,)
    assert cross_val_score(pipeline(crf=True), sentences, tags, cv=3, scoring=span_f1_scorer).shape == (3,)
    search = GridSearchCV(
        pipeline(),
        {"sequencetagger__crf": [False, True], "tokenembedder__subword": [None, (2, 3)]},
        cv=KFold(2),
        scoring=token_accuracy_scorer,
    ).fit(sentences, tags)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    out_of_fold = cross_val_predict(pipeline(), sentences, tags, cv=3)
    assert [len(row) for row in out_of_fold] == [len(sentence) for sentence in sentences]


def test_n_jobs_pickle_clone():
    sentences, tags = make_tagged_sentences(40, random_state=1)
    one, two = (cross_val_score(pipeline(crf=True), sentences, tags, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one, two)
    model = pipeline(crf=True).fit(sentences, tags)
    want = model.predict(sentences).tolist()
    assert pickle.loads(pickle.dumps(model)).predict(sentences).tolist() == want
    assert clone(model).fit(sentences, tags).predict(sentences).tolist() == want


def test_partial_fit():
    X, y = ragged()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SequenceTagger(**SMALL).partial_fit(X, y)
    for crf in (False, True):
        model = SequenceTagger(**SMALL | {"lr": 0.03}, crf=crf)
        for _ in range(30):
            model.partial_fit(X, y, classes=["down", "up", "still"])
        assert model.score(X, y) > 0.85
        assert model.predict_proba(X)[0].shape[1] == 3


def test_history_and_skill():
    X, y = ragged(600)
    model = SequenceTagger(**SMALL).fit(X, y)
    assert {"train_accuracy", "valid_accuracy"} <= set(model.history_)
    assert model.history_["valid_accuracy"].iloc[-1] > 0.9
    assert 0.5 < model.skill_ <= 1


def test_ensemble_without_a_field_averages_probabilities():
    X, y = ragged()
    model = SequenceTagger(**SMALL, n_nets=2).fit(X, y)
    nets, of_nets = model.nets_, []
    for net in nets:
        model.nets_ = [net]
        of_nets.append(model.predict_proba(X)[3])
    model.nets_ = nets
    np.testing.assert_allclose(model.predict_proba(X)[3], np.mean(of_nets, axis=0))


def test_both_directions_see_what_comes_later():
    """The tag of a step is the sign of the next one."""
    rng = np.random.RandomState(3)
    X = [rng.randn(7, 1) for _ in range(80)]
    y = [np.where(np.append(row[1:, 0], 1) > 0, "up", "down").tolist() for row in X]
    options = SMALL | {"max_epochs": 60, "hidden_size": 8}
    one, both = (SequenceTagger(**options, bidirectional=b).fit(X, y).score(X, y) for b in (False, True))
    assert one < 0.8
    assert both > 0.95
