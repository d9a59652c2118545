"""Estimators share parameters: the same default and the same words, save where they differ on purpose."""

import inspect
import re

import numpy as np
import pytest

from skrnn import RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger, Windows

ESTIMATORS = [RNNRegressor, Seq2SeqForecaster, RNNClassifier, SequenceTagger]
# what differs from RNNRegressor on purpose
OTHER_DEFAULTS = {
    RNNClassifier: {"pooling": "better on sensors and speech", "layer_norm": "the same"},
}
OF_CLASSES = {
    "standardize": "labels have no units",
    "window_scaling": "no target is the future of a channel",
    "validation": "no target reaches into the rows that judge",
    "n_nets": "probabilities are averaged, and have no deviation",
}
OTHER_WORDS = {
    Seq2SeqForecaster: {
        "patch_size": "the decoder makes patches too, and says where they do not divide the window",
        "horizon": "a forecaster reads y as steps either way",
        "target_channels": "an output without one starts from a learned vector",
        "window_scaling": "'first' is for a target at each step",
        "loss": "a forecaster has more of them",
        "quantiles": "distributions have them too",
    },
    RNNClassifier: {**OF_CLASSES, "pooling": "another default", "layer_norm": "another default"},
    SequenceTagger: {**OF_CLASSES, "bidirectional": "each step is judged", "layer_norm": "of each step"},
}
OTHER_ATTRIBUTES = {
    Seq2SeqForecaster: {
        "history_": "errors are measured after `target_transform`",
        "skill_": "errors are measured after `target_transform`",
    },
    RNNClassifier: {"history_": "accuracy", "skill_": "error rates"},
    SequenceTagger: {"history_": "accuracy", "skill_": "error rates"},
}


def entries(estimator, section):
    """Name -> what the docstring says of it: a dict of (header behind the name, text)."""
    lines = inspect.cleandoc(estimator.__doc__).splitlines()
    begin = next(i for i, line in enumerate(lines) if line == section and set(lines[i + 1]) == {"-"}) + 2
    end = next((i - 1 for i in range(begin, len(lines)) if lines[i] and set(lines[i]) == {"-"}), len(lines))
    found: dict[str, tuple[str, str]] = {}
    name = ""
    for line in lines[begin:end]:
        if re.match(r"\w+ : ", line):
            name, _, header = line.partition(" : ")
            assert name not in found
            found[name] = (header, "")
        elif line.strip():
            found[name] = (found[name][0], f"{found[name][1]} {line.strip()}".strip())
    return found


def shared(one, other):
    return [name for name in one if name in other]


def defaults(estimator):
    return {name: parameter.default for name, parameter in inspect.signature(estimator).parameters.items()}


each_other = pytest.mark.parametrize("other", ESTIMATORS[1:])


@each_other
def test_shared_parameters_have_the_same_default(other):
    ours, theirs = defaults(RNNRegressor), defaults(other)
    names = shared(ours, theirs)
    assert len(names) > 25
    differ = {name for name in names if ours[name] != theirs[name]}
    assert differ == set(OTHER_DEFAULTS.get(other, {}))


@each_other
def test_shared_parameters_stand_in_the_same_order(other):
    ours, theirs = defaults(RNNRegressor), defaults(other)
    assert shared(ours, theirs) == shared(theirs, ours)


@each_other
@pytest.mark.parametrize(
    "section, exceptions", [("Parameters", OTHER_WORDS), ("Attributes", OTHER_ATTRIBUTES)], ids=["parameters", "fitted"]
)
def test_shared_names_have_the_same_words(section, exceptions, other):
    ours, theirs = entries(RNNRegressor, section), entries(other, section)
    names = shared(ours, theirs)
    assert len(names) > 8
    differ = {name for name in names if ours[name] != theirs[name]}
    assert differ == set(exceptions[other])  # and none is named that does not differ


def test_classes_have_the_same_words_in_both_estimators():
    ours, theirs = entries(RNNClassifier, "Parameters"), entries(SequenceTagger, "Parameters")
    differ = {name for name in shared(ours, theirs) if ours[name] != theirs[name]}
    assert differ == {"bidirectional", "layer_norm", "class_weight", "label_smoothing", "validation", "n_nets"}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_are_documented_in_the_order_of_the_constructor(estimator):
    documented = entries(estimator, "Parameters")
    assert list(documented) == list(defaults(estimator))
    for name, (header, text) in documented.items():
        default = defaults(estimator)[name]
        assert header.endswith(f"default={default!r}".replace("'", '"')), name
        assert len(text) > 20, name


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fitted_attributes_are_documented(estimator):
    rows = np.random.RandomState(0).randn(23, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(23), np.zeros(23), np.zeros(23), 5, channel_names=["a", "b"])
    model = estimator("gru", hidden_size=3, max_epochs=2, random_state=0)
    if "horizon" in defaults(estimator):
        model.set_params(horizon=3).fit(X, rows[:, 0])
    else:
        labels = np.where(rows[:, 0] > np.median(rows[:, 0]), "up", "down")
        model.fit(
            X,
            labels if estimator is RNNClassifier else [[label] * n for label, n in zip(labels, X.lengths, strict=True)],
        )
    fitted = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    documented = entries(estimator, "Attributes")
    assert fitted == set(documented)
    assert all(text for _, text in documented.values())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_public_methods_are_documented(estimator):
    for name, method in inspect.getmembers(estimator):
        if name.startswith("_") or not callable(method) or name.startswith(("set_", "get_")):
            continue
        text = inspect.getdoc(method) or ""
        assert text, name
        parameters = [p for p in inspect.signature(method).parameters if p not in ("self", "X", "y", "params")]
        if estimator.__module__ == method.__module__:
            for parameter in parameters:
                assert re.search(rf"^\s*(\w+, )*{parameter}(, \w+)* : ", text, re.M), (name, parameter)
