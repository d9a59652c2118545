"""Generated sentences and activities have their known answers, and need what they are said to need."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn.datasets import make_activity, make_tagged_sentences

# -- sentences -------------------------------------------------------------------------------------------------------

ARTICLES = {"la", "un", "tis"}


def kind(word):
    return word if word in ARTICLES | {"ke"} else word[-2:]


def parse(words):
    """The tags as the docstring tells them, by regular expressions over the kinds of words."""
    letters = {"la": "a", "un": "a", "tis": "a", "ik": "m", "on": "n", "as": "v", "ke": "k"}
    text = "".join(letters[kind(word)] for word in words)
    assert re.fullmatch(r"(a?m{0,2}n){1,2}m?v(a?m{0,2}n){1,2}m?k?", text), text
    tags = ["O"] * len(words)
    for phrase in re.finditer(r"a?m*n", text):
        before = phrase.end() <= text.index("v")
        role = "AGENT" if before != text.endswith("k") else "PATIENT"
        for i in range(*phrase.span()):
            tags[i] = f"{'B' if i == phrase.start() else 'I'}-{role}"
    return tags


@pytest.mark.parametrize("new_words", [0.0, 0.3, 1.0])
def test_tags_follow_from_endings_and_order(new_words):
    sentences, tags = make_tagged_sentences(300, new_words=new_words, random_state=1)
    assert len(sentences) == len(tags) == 300
    assert [parse(words) for words in sentences] == tags


def test_modifiers_stand_alone_in_both_places():
    sentences = [" ".join(map(kind, words)) for words in make_tagged_sentences(300)[0]]
    assert 0.4 < np.mean(["ik as" in kinds for kinds in sentences]) < 0.6
    assert 0.4 < np.mean([kinds.removesuffix(" ke").endswith("ik") for kinds in sentences]) < 0.6
    assert 0.4 < np.mean([kinds.endswith("ke") for kinds in sentences]) < 0.6


def share_of_right_tags(clue):
    """Learn the commonest tag for each clue, a function of a sentence's kinds and a position; judge on others."""
    seen = defaultdict(Counter)
    for words, tags in zip(*make_tagged_sentences(1000, random_state=2), strict=True):
        kinds = [kind(word) for word in words]
        for i, tag in enumerate(tags):
            seen[clue(kinds, i)][tag] += 1
    right = []
    for words, tags in zip(*make_tagged_sentences(1000, random_state=3), strict=True):
        kinds = [kind(word) for word in words]
        right += [tag in dict(seen[clue(kinds, i)].most_common(1)) for i, tag in enumerate(tags)]
    return np.mean(right)


def test_tags_need_the_words_on_both_sides():
    def alone(kinds, i):
        return kinds[i]

    def left(kinds, i):
        return kinds[i], kinds[i - 1] if i else "", "as" in kinds[:i]

    def right(kinds, i):
        return kinds[i], next((k for k in kinds[i + 1 :] if k != "ik"), ""), "as" in kinds[i:], kinds[-1] == "ke"

    def both(kinds, i):
        return left(kinds, i), right(kinds, i)

    assert share_of_right_tags(alone) == pytest.approx(0.46, abs=0.015)
    assert share_of_right_tags(left) == pytest.approx(0.61, abs=0.015)
    assert share_of_right_tags(right) < 0.9
    assert share_of_right_tags(both) > 0.995


def test_new_words():
    known = {word for words in make_tagged_sentences(2000, random_state=0)[0] for word in words}
    other = [word for words in make_tagged_sentences(500, random_state=1)[0] for word in words]
    new = [word for word in other if word not in known]
    assert 0.2 < len(new) / len(other) < 0.3  # of all words, articles among them
    common = {word for words in make_tagged_sentences(2000, new_words=0.0, random_state=1)[0] for word in words}
    assert len(common) == 3 * 20 + len(ARTICLES) + 1
    assert all(kind(word) in {"on", "ik", "as"} for word in new)


def test_sentences_are_lists_of_words_and_follow_the_seed():
    first, again, other = (make_tagged_sentences(7, random_state=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert make_tagged_sentences(7) == make_tagged_sentences(7)
    for words, tags in zip(*first, strict=True):
        assert all(type(each) is str for each in words + tags)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"n_samples": 0}, "`n_samples` must be an int of at least 1, got 0"),
        ({"new_words": 1.1}, "`new_words` must be a number of at least 0 and at most 1, got 1.1"),
    ],
)
def test_sentences_refuse(params, message):
    with pytest.raises(ValueError, match=message):
        make_tagged_sentences(**params)


# -- activities ------------------------------------------------------------------------------------------------------

ACTIVITIES = ["downstairs", "lying", "running", "standing", "upstairs", "walking"]


def test_activities_are_equally_frequent():
    X, y, subjects = make_activity(120, n_steps=50, n_subjects=7)
    assert X.shape == (120, 50, 6)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    assert dict(Counter(y.tolist())) == dict.fromkeys(ACTIVITIES, 20)
    assert subjects.dtype == np.int64
    assert set(subjects.tolist()) == set(range(7))


def test_unequal_lengths():
    X, y, subjects = make_activity(100, n_steps=(3, 7))
    assert isinstance(X, list)
    assert {len(x) for x in X} == {3, 4, 5, 6, 7}
    assert {x.shape[1:] for x in X} == {(6,)}
    assert len(y) == len(subjects) == 100


def test_at_rest_there_is_gravity_and_noise():
    X, y, subjects = make_activity(300, noise=0.0)
    rest = np.isin(y, ["lying", "standing"])
    np.testing.assert_allclose(np.linalg.norm(X[rest][..., :3], axis=2), 1.0)
    assert (X[rest][..., 3:] == 0).all()
    assert (X[y == "standing"][..., 0] > 0.7).all()
    assert (X[y == "lying"][..., 2] > 0.7).all()
    assert X[~rest].std(axis=1).min(axis=0)[[0, 2, 4]].min() > 0.05
    upright = [X[(subjects == person) & (y == "standing")] for person in range(10)]
    assert all((own == own[:1, :1]).all() for own in upright)  # each wears the sensor in one way
    assert len({tuple(own[0, 0].round(9)) for own in upright}) == 10  # and no two in the same
    noisy, _, _ = make_activity(300, noise=0.2)
    deviation = noisy[rest].std(axis=(0, 1))
    assert deviation[3:] == pytest.approx([0.4] * 3, rel=0.05)
    assert (noisy[rest] - X[rest]).std(axis=(0, 1))[:3] == pytest.approx([0.2] * 3, rel=0.05)


def vertical(X):
    return X[..., 0] - X[..., 0].mean(axis=1, keepdims=True)


def skewness_of_changes(X):
    changes = np.diff(X, axis=1)
    return (changes**3).mean(axis=1) / (changes**2).mean(axis=1) ** 1.5


def test_upstairs_is_downstairs_backwards():
    X, y, _ = make_activity(600, noise=0.0)
    up, down = X[y == "upstairs"], X[y == "downstairs"]
    lean = skewness_of_changes(vertical(up)), skewness_of_changes(vertical(down))
    assert (lean[0] < -0.3).all()  # falls fast
    assert (lean[1] > 0.3).all()
    assert (skewness_of_changes(vertical(up[:, ::-1])) > 0.3).all()
    assert np.abs(skewness_of_changes(vertical(X[y == "walking"]))).mean() < 0.1
    np.testing.assert_allclose(up.std(axis=1).mean(axis=0), down.std(axis=1).mean(axis=0), atol=0.06)


def test_running_is_faster_and_stronger_than_walking():
    X, y, _ = make_activity(300, noise=0.0)
    steps = (np.diff(np.sign(vertical(X)), axis=1) > 0).sum(axis=1) / 4  # a second
    assert steps[y == "running"].mean() == pytest.approx(2.6, abs=0.2)
    assert steps[y == "walking"].mean() == pytest.approx(1.9, abs=0.2)
    assert steps[y == "upstairs"].mean() == pytest.approx(1.7, abs=0.2)
    assert vertical(X[y == "running"]).std() > 1.8 * vertical(X[y == "walking"]).std()


def test_activities_need_the_order_of_the_steps():
    X, y, subjects = make_activity(600)

    def share_right(features, model):
        return cross_val_score(model, features, y, groups=subjects, cv=GroupKFold(5)).mean()

    moments = np.concatenate([X.mean(axis=1), X.std(axis=1)], axis=1)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    forest = RandomForestClassifier(100, random_state=0)
    assert 0.5 < share_right(moments, linear) < 0.75
    assert 0.5 < share_right(moments, forest) < 0.75
    order = np.concatenate([moments, np.diff(X, axis=1).std(axis=1), skewness_of_changes(X)], axis=1)
    assert share_right(order, forest) > 0.8
    stairs = np.isin(y, ["upstairs", "downstairs"])
    spectra = np.abs(np.fft.rfft(X - X.mean(axis=1, keepdims=True), axis=1)).reshape(len(X), -1)
    backwards = cross_val_score(forest, spectra[stairs], y[stairs], groups=subjects[stairs], cv=GroupKFold(5)).mean()
    assert backwards < 0.62


def test_activities_follow_the_seed():
    first, again, other = (make_activity(12, n_steps=5, random_state=seed) for seed in (0, 0, 1))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    "params, message",
    [
        ({"n_samples": 0}, "`n_samples` must be an int of at least 1, got 0"),
        ({"n_steps": 1}, "`n_steps` must be an int of at least 2, got 1"),
        ({"n_steps": (5, 4)}, r"`n_steps\[1\]` must be an int of at least 5, got 4"),
        ({"n_steps": (5, 6, 7)}, r"`n_steps` must be an int of at least 2 or a pair of them, got \(5, 6, 7\)"),
        ({"n_subjects": 0}, "`n_subjects` must be an int of at least 1, got 0"),
        ({"noise": -0.1}, "`noise` must be a number of at least 0, got -0.1"),
    ],
)
def test_activities_refuse(params, message):
    with pytest.raises(ValueError, match=message):
        make_activity(**params)
