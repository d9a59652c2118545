"""Scores of a label for each token: equal to the CoNLL-2000 script's figures, usable wherever `scoring=` is taken."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrnn.metrics import span_f1, span_f1_scorer, span_scores, token_accuracy, token_accuracy_scorer

# -- the script's rules ----------------------------------------------------------------------------------------------


def split(label):
    """What the script takes for tag and type: ``^([^-]*)-(.*)$``, else the whole label and no type."""
    tag, dash, kind = label.partition("-")
    return (tag, kind) if dash else (label, "")


# (tag before, tag) of the same type between which a span ends or starts; a change of type does both.
ENDS = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")}
STARTS = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")}
# The rules of the script for E, and those that its extensions add for E and S.
ENDS_IOBES = ENDS | {("B", "S"), ("I", "S")} | {(before, tag) for before in "ES" for tag in "BIOES"}
STARTS_IOBES = STARTS | {(before, tag) for before in "BIOES" for tag in "BS"}
STARTS_IOBES |= {(before, tag) for before in "OES" for tag in "IE"}


def conlleval(y_true, y_pred, ends, starts):
    """Go over the tokens once and count as the script does: numbers of right, true and found spans by type."""
    right, true, found = {}, {}, {}
    in_correct = False
    last = last_guess = ("O", "")
    for truth, guesses in zip(y_true, y_pred, strict=True):
        for label, guess in zip([*truth, "O"], [*guesses, "O"], strict=True):  # a boundary behind each sentence
            now, now_guess = split(label), split(guess)
            end, end_guess = (
                (a[0], b[0]) in ends or (a[0] != "O" and a[1] != b[1])
                for a, b in [(last, now), (last_guess, now_guess)]
            )
            start, start_guess = (
                (a[0], b[0]) in starts or (b[0] != "O" and a[1] != b[1])
                for a, b in [(last, now), (last_guess, now_guess)]
            )
            if in_correct and end and end_guess and last[1] == last_guess[1]:
                in_correct = False
                right[last[1]] = right.get(last[1], 0) + 1
            elif in_correct and (end != end_guess or now[1] != now_guess[1]):
                in_correct = False
            if start and start_guess and now[1] == now_guess[1]:
                in_correct = True
            if start:
                true[now[1]] = true.get(now[1], 0) + 1
            if start_guess:
                found[now_guess[1]] = found.get(now_guess[1], 0) + 1
            last, last_guess = now, now_guess
    return right, true, found


def figures(right, true, found):
    precision = right / found if found else 0.0
    recall = right / true if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return [precision, recall, f1, true]


@st.composite
def tagged(draw, prefixes):
    """True and predicted labels of sentences, in any order: mostly ill-formed."""
    labels = ["O", "O-X", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("X", "Y", "X-Y")), *prefixes]
    lengths = draw(st.lists(st.integers(0, 7), max_size=5))
    sentence = [st.lists(st.sampled_from(labels), min_size=n, max_size=n) for n in lengths]
    truth = [draw(one) for one in sentence]
    if draw(st.booleans()):  # close to the truth, so that some spans are right
        return truth, [[label if draw(st.integers(0, 4)) else "O" for label in labels] for labels in truth]
    return truth, [draw(one) for one in sentence]


@pytest.mark.parametrize(
    "scheme, prefixes, ends, starts",
    [
        ("IOB2", "BI", ENDS, STARTS),
        ("IOBES", "BI", ENDS, STARTS),
        ("IOBES", "BIES", ENDS_IOBES, STARTS_IOBES),
    ],
)
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_spans_are_those_of_the_script(scheme, prefixes, ends, starts, data):
    y_true, y_pred = data.draw(tagged(prefixes))
    right, true, found = conlleval(y_true, y_pred, ends, starts)
    table = span_scores(y_true, y_pred, scheme=scheme)
    assert table.index.tolist() == [*sorted({*true, *found}), "overall"]
    for kind in table.index[:-1]:
        expected = figures(right.get(kind, 0), true.get(kind, 0), found.get(kind, 0))
        np.testing.assert_allclose(table.loc[kind], expected, rtol=1e-13)
    overall = figures(*(sum(each.values()) for each in (right, true, found)))
    np.testing.assert_allclose(table.loc["overall"], overall, rtol=1e-13)
    assert span_f1(y_true, y_pred, scheme=scheme) == table.loc["overall", "f1"]


def number_of_spans(*labels):
    return span_scores([labels], [["O"] * len(labels)]).loc["overall", "support"]


@pytest.mark.parametrize(
    "labels, expected",
    [
        (["B-NP", "I-NP", "I-NP", "O"], 1),
        (["B-NP", "B-NP"], 2),
        (["O", "I-NP", "I-NP"], 1),  # begins without B
        (["B-NP", "I-VP"], 2),  # goes on as another type
        (["B-NP-TMP", "I-NP-TMP", "I-NP"], 2),  # dashes in the type
        (["B", "I", "I", "O", "I"], 2),  # no type at all
        (["S-NP", "S-NP", "B-NP", "E-NP"], 3),
        (["B-NP", "E-NP", "I-NP", "E-NP"], 2),
        (["O", "E-NP", "E-NP"], 2),
        (["B-NP", "I-NP", "S-NP", "I-NP"], 3),
        ([], 0),
    ],
)
def test_number_of_spans(labels, expected):
    assert number_of_spans(*labels) == expected


def test_span_needs_both_ends_and_the_type():
    truth = ["B-NP", "I-NP", "I-NP", "O"]
    assert span_f1([truth], [truth]) == 1
    for wrong in [
        ["B-NP", "I-NP", "O", "O"],
        ["B-NP", "I-NP", "I-NP", "I-NP"],
        ["O", "B-NP", "I-NP", "O"],
        ["B-VP", "I-VP", "I-VP", "O"],
        ["B-NP", "I-NP", "B-NP", "O"],
    ]:
        assert span_f1([truth], [wrong]) == 0


def test_a_span_ends_with_its_sentence():
    assert span_f1([["B-NP"], ["I-NP"]], [["B-NP"], ["B-NP"]]) == 1


def test_iobes_of_a_sentence_counts_as_its_iob2():
    iob2 = ["B-NP", "I-NP", "I-NP", "B-NP", "O", "B-VP", "I-VP"]
    iobes = ["B-NP", "I-NP", "E-NP", "S-NP", "O", "B-VP", "E-VP"]
    assert span_f1([iob2], [iobes]) == 1


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_token_accuracy_counts_tokens_not_sentences():
    assert token_accuracy([["A"], ["A", "B", "C", "D"]], [["A"], ["A", "C", "B", "A"]]) == 2 / 5


@pytest.mark.parametrize("unknown", [None, np.nan, float("nan"), pd.NA, np.float64("nan")])
def test_tokens_without_a_known_label_are_left_out(unknown):
    assert token_accuracy([["A", unknown, "B"]], [["A", "A", "A"]]) == 1 / 2
    assert token_accuracy([[1, unknown, 2]], [[1, 1, 1]]) == 1 / 2


@pytest.mark.parametrize("metric", [token_accuracy, span_f1])
def test_weights_repeat_sentences(metric):
    y_true = [["B-X", "I-X"], ["O", "B-Y", "B-Y"], ["B-X"]]
    y_pred = [["B-X", "O"], ["O", "B-Y", "B-Y"], ["B-Y"]]
    repeated = [0, 1, 1, 1, 2, 2]
    expected = metric([y_true[i] for i in repeated], [y_pred[i] for i in repeated])
    assert metric(y_true, y_pred, sample_weight=[1, 3, 2]) == pytest.approx(expected)
    assert metric(y_true, y_pred, sample_weight=[1, 0, 2]) != pytest.approx(expected)


def as_object_array(lists, of=list):
    array = np.empty(len(lists), dtype=object)
    for i, each in enumerate(lists):
        array[i] = of(each)
    return array


FORMS = {
    "lists": list,
    "tuples": lambda lists: tuple(map(tuple, lists)),
    "object array of lists": as_object_array,
    "object array of arrays": lambda lists: as_object_array(lists, np.array),
    "list of arrays": lambda lists: [np.array(each) for each in lists],
    "list of object arrays": lambda lists: [np.array(each, dtype=object) for each in lists],
    "Series of lists": lambda lists: pd.Series(lists, index=range(5, 5 + len(lists))),
    "list of Series": lambda lists: [pd.Series(each, index=range(7, 7 + len(each)), dtype=object) for each in lists],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("metric, expected", [(token_accuracy, 4 / 5), (span_f1, 0.8)])
def test_any_form_of_lists(metric, expected, form):
    y_true = FORMS[form]([["B-X", "I-X", "O"], [], ["B-Y", "B-Y"]])
    y_pred = FORMS[form]([["B-X", "I-X", "O"], [], ["B-Y", "I-Y"]])
    y_pred_of_lists = [["B-X", "I-X", "O"], [], ["B-Y", "I-Y"]]
    expected = metric([["B-X", "I-X", "O"], [], ["B-Y", "B-Y"]], y_pred_of_lists)
    assert 0 < expected < 1
    assert metric(y_true, y_pred) == metric(y_true, y_pred_of_lists) == expected


def test_a_two_dimensional_array():
    y_true, y_pred = np.array([["B-X", "O", "O"], ["O", "O", "B-X"]]), np.array([["B-X", "O", "O"], ["O"] * 3])
    assert token_accuracy(y_true, y_pred) == 5 / 6
    assert span_f1(y_true, y_pred) == pytest.approx(2 / 3)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [token_accuracy, span_f1, span_scores])
@pytest.mark.parametrize(
    "y_true, y_pred, message",
    [
        ([["O"], ["O", "O"], ["O"]], [["O"], ["O"], []], r"y_true\[1\] has 2 labels and y_pred\[1\] has 1"),
        ([["O"]], [["O"], ["O"]], "the same number of sentences, got 1 and 2"),
        (["O", "O"], [["O"], ["O"]], r"`y_true` must hold a list of labels for each sentence, got 'O' in y_true\[0\]"),
        ([["O"], ["O"]], [["O"], None], r"`y_pred` must hold .* got None in y_pred\[1\]"),
        ([["O"], 3.0], [["O"], ["O"]], r"got 3.0 in y_true\[1\]. Of a single sentence pass a list with one list"),
        ("OO", [["O"]], "`y_true` must hold a list of labels for each sentence, got 'OO'"),
        ([["O"]], 1, "`y_pred` must hold a list of labels for each sentence, got 1"),
    ],
)
def test_what_is_no_list_of_labels(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred)


@pytest.mark.parametrize("metric", [span_f1, span_scores])
@pytest.mark.parametrize(
    "label, scheme, message",
    [
        ("NOUN", "IOBES", r"got 'NOUN' in y_pred\[1\]\[2\]. Take `token_accuracy`"),
        ("U-X", "IOBES", "'IOBES' is 'O' or begins with one of 'B-', 'I-', 'E-', 'S-'; got 'U-X'"),
        ("S-X", "IOB2", "'IOB2' is 'O' or begins with one of 'B-', 'I-'; got 'S-X' .* Take scheme='IOBES'"),
        ("-X", "IOB2", "got '-X'"),
        ("", "IOB2", "got ''"),
        (3, "IOB2", "got 3 in"),
        (None, "IOBES", r"got None .* Leave out sentences whose labels are not all known"),
        (np.nan, "IOBES", r"got nan .* Leave out sentences whose labels are not all known"),
    ],
)
def test_labels_that_are_not_of_the_scheme(metric, label, scheme, message):
    with pytest.raises(ValueError, match=message):
        metric([["O"], ["O", "O", "O"]], [["O"], ["O", "B-X", label]], scheme=scheme)


def test_unknown_scheme_and_nothing_known():
    with pytest.raises(ValueError, match="`scheme` must be one of 'IOB2', 'IOBES', got 'BILOU'"):
        span_f1([["O"]], [["O"]], scheme="BILOU")
    with pytest.raises(ValueError, match="at least one known label .* got 2 sentences without one"):
        token_accuracy([[None], []], [["A"], []])
    with pytest.raises(ValueError, match="`sample_weight` must hold 1 finite numbers"):
        span_f1([["O"]], [["O"]], sample_weight=[1, 2])


# -- scorers ---------------------------------------------------------------------------------------------------------

SCORERS = {token_accuracy_scorer: token_accuracy, span_f1_scorer: span_f1}
each_scorer = pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
SENTENCES = [["a", "b", "a"], ["b"], ["c", "a"], ["a", "a", "b", "c"], ["b", "c"], ["c"]]
LABELS = [["B-X", "I-X", "B-X"], ["O"], ["B-Y", "B-X"], ["B-X", "B-X", "O", "B-Y"], ["O", "B-Y"], ["B-Y"]]


class Lookup(BaseEstimator):
    """Says of each word the label that it was last seen with; `default` of words not seen."""

    def __init__(self, default="O"):
        self.default = default

    def fit(self, X, y):
        pairs = zip(X, y, strict=True)
        self.seen_ = {word: tag for words, tags in pairs for word, tag in zip(words, tags, strict=True)}
        return self

    def predict(self, X):
        return as_object_array([[self.seen_.get(word, self.default) for word in words] for words in X])


def tagger():
    return make_pipeline(FunctionTransformer(), Lookup())


@each_scorer
@pytest.mark.parametrize("form", ["lists", "object array of lists", "list of arrays", "Series of lists"])
def test_scorers_in_cross_validation(scorer, form):
    X, y = SENTENCES, FORMS[form](LABELS)
    cv = KFold(3)
    scores = cross_val_score(tagger(), X, y, cv=cv, scoring=scorer)
    expected = []
    for train, test in cv.split(X):
        model = tagger().fit([X[i] for i in train], [LABELS[i] for i in train])
        expected.append(SCORERS[scorer]([LABELS[i] for i in test], model.predict([X[i] for i in test])))
    np.testing.assert_allclose(scores, expected)
    assert 0 < min(scores) < 1


@each_scorer
def test_scorers_after_cross_val_predict(scorer):
    y = as_object_array(LABELS)
    predicted = cross_val_predict(tagger(), SENTENCES, y, cv=3)
    assert 0 < SCORERS[scorer](y, predicted) < 1


@each_scorer
def test_scorers_rank_a_search(scorer):
    search = GridSearchCV(Lookup(), {"default": ["B-Z", "O"]}, scoring=scorer, cv=6)
    search.fit([["d"], *SENTENCES], [["O"], *LABELS])
    assert search.best_params_ == {"default": "O"}
    assert scorer(search, SENTENCES, LABELS) == SCORERS[scorer](LABELS, search.predict(SENTENCES))


def test_several_scorers_at_once():
    scoring = {"tokens": token_accuracy_scorer, "spans": span_f1_scorer}
    result = cross_validate(tagger(), SENTENCES, LABELS, cv=2, scoring=scoring)
    assert result["test_tokens"].shape == result["test_spans"].shape == (2,)


@each_scorer
def test_scorers_take_weights_and_pickle(scorer):
    model, weight = Lookup("B-Z").fit(SENTENCES[:1], LABELS[:1]), np.array([5.0, 0, 3, 0, 2, 0])
    again = pickle.loads(pickle.dumps(scorer))
    assert again == scorer
    expected = SCORERS[scorer](LABELS, model.predict(SENTENCES), sample_weight=weight)
    assert again(model, SENTENCES, LABELS, sample_weight=weight) == expected
    assert expected != scorer(model, SENTENCES, LABELS)
    assert scorer.name in repr(scorer)


@each_scorer
def test_scorers_ask_for_weights(scorer):
    with sklearn.config_context(enable_metadata_routing=True):
        asks = scorer.set_score_request(sample_weight=True)
        weight = [1.0, 0, 3, 0, 2, 0]
        result = cross_validate(
            Lookup(), SENTENCES, LABELS, cv=2, scoring=asks, params={"sample_weight": weight}, return_estimator=True
        )
        expected = asks(result["estimator"][0], SENTENCES[:3], LABELS[:3], sample_weight=weight[:3])
    assert result["test_score"][0] == expected
