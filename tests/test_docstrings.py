"""Estimators share parameters: the same default and the same words, save where they differ on purpose."""

import inspect
import re

import numpy as np
import pytest

from skrnn import RNNRegressor, Seq2SeqForecaster, Windows

ESTIMATORS = [RNNRegressor, Seq2SeqForecaster]
# what differs on purpose
OTHER_WORDS = {
    "patch_size": "the decoder makes patches too, and says where they do not divide the window",
    "horizon": "a forecaster reads y as steps either way",
    "target_channels": "an output without one starts from a learned vector",
    "window_scaling": "'first' is for a target at each step",
    "loss": "a forecaster has more of them",
    "quantiles": "distributions have them too",
}
OTHER_ATTRIBUTES = {
    "history_": "errors are measured after `target_transform`",
    "skill_": "errors are measured after `target_transform`",
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


def test_shared_parameters_have_the_same_default():
    one, other = (defaults(estimator) for estimator in ESTIMATORS)
    names = shared(one, other)
    assert len(names) > 30
    assert {name: one[name] for name in names} == {name: other[name] for name in names}


def test_shared_parameters_stand_in_the_same_order():
    one, other = (defaults(estimator) for estimator in ESTIMATORS)
    assert shared(one, other) == shared(other, one)


@pytest.mark.parametrize(
    "section, exceptions", [("Parameters", OTHER_WORDS), ("Attributes", OTHER_ATTRIBUTES)], ids=["parameters", "fitted"]
)
def test_shared_names_have_the_same_words(section, exceptions):
    one, other = (entries(estimator, section) for estimator in ESTIMATORS)
    names = shared(one, other)
    assert len(names) > 10
    differ = {name for name in names if one[name] != other[name]}
    assert differ == set(exceptions)  # and none is named that does not differ


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
    model = estimator("gru", hidden_size=3, horizon=3, max_epochs=2, random_state=0).fit(X, rows[:, 0])
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
