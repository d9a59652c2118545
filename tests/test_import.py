"""The public names are lazy, complete, and cost only what is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skrnn

INIT = Path(skrnn.__file__)


def in_fresh_python(code):
    """Run `code` in a new interpreter and return the lines it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "statement, absent",
    [
        ("import skrnn", ["torch", "skorch", "sklearn", "pandas", "numpy"]),
        ("from skrnn import SlidingWindowTransformer", ["torch", "skorch", "matplotlib", "numba"]),
        ("from skrnn import Windows, future_inputs, future_targets, sliding_windows", ["torch", "skorch"]),
        ("from skrnn import datasets, metrics", ["torch", "skorch", "statsmodels", "matplotlib"]),
    ],
)
def test_import_leaves_heavy_libraries_alone(statement, absent):
    loaded = in_fresh_python(f"import sys; {statement}; print(*sys.modules)")
    assert "skrnn" in loaded
    assert not set(absent) & set(loaded)


@pytest.mark.parametrize("name", skrnn.__all__)
def test_each_public_name_resolves_in_a_fresh_interpreter(name):
    shown = in_fresh_python(f"import skrnn; print(getattr(skrnn, {name!r}) is skrnn.{name})")
    assert shown == ["True"]


def test_a_name_has_one_home():
    """What type checkers read, `_HOME` and `__all__` agree."""
    guard = next(node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.If))
    seen_by_type_checkers = {alias.name: node.module for node in guard.body for alias in node.names}
    submodules = dict.fromkeys(skrnn._SUBMODULES, "skrnn")
    assert seen_by_type_checkers == skrnn._HOME | submodules
    assert set(skrnn.__all__) == {*seen_by_type_checkers, "__version__"}


def test_dir_lists_the_public_names_only():
    assert dir(skrnn) == sorted(skrnn.__all__)


def test_star_import_brings_the_public_names():
    namespace = {}
    exec("from skrnn import *", namespace)
    assert set(skrnn.__all__) <= set(namespace)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skrnn' has no attribute 'Windoze'"):
        _ = skrnn.Windoze


def test_types_are_shipped():
    assert INIT.with_name("py.typed").exists()
