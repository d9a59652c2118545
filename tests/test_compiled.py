"""Making the kernels ready: nets train without them where they cannot be had; a long compilation is announced."""

import subprocess
import sys
import time

import pytest

from skrnn.nn import _compiled
from skrnn.nn._compiled import make_ready

WITHOUT = {
    "no numba": "import sys; sys.modules['numba'] = None",
    "no folder to keep what was compiled": """
import numba.core.caching as caching


def refuse(self):
    raise OSError("read-only")


for locator in vars(caching).values():
    if hasattr(locator, "ensure_cache_path"):
        locator.ensure_cache_path = refuse
""",
}
FIT = """
import numpy as np
from skrnn import RNNRegressor
from skrnn.nn._compiled import has_kernels

X = np.random.RandomState(0).randn(40, 5, 2)
assert not has_kernels()
model = RNNRegressor(cell="gru", hidden_size=3, max_epochs=2, batch_size=16).fit(X, X[:, -1, 0])
assert np.isfinite(model.predict(X)).all()
"""


@pytest.mark.parametrize("why", WITHOUT)
def test_nets_train_where_kernels_cannot_be_had(why):
    if why != "no numba":
        pytest.importorskip("numba")
    subprocess.run([sys.executable, "-W", "ignore", "-c", WITHOUT[why] + FIT], check=True, timeout=300)


def test_a_long_compilation_is_announced_and_reported(monkeypatch, capsys):
    monkeypatch.setattr(_compiled, "ANNOUNCED_AFTER", 0.01)
    make_ready(lambda: time.sleep(0.3))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "skrnn: compiling its kernels for this machine, once ..."
    assert second.startswith("skrnn: compiled its kernels in 0 s")


def test_reading_compiled_code_is_silent(capsys):
    make_ready(lambda: None)
    assert capsys.readouterr().err == ""


def test_an_error_is_neither_hidden_nor_announced(capsys):
    with pytest.raises(RuntimeError, match="on purpose"):
        make_ready(_fails)
    assert capsys.readouterr().err == ""


def _fails():
    raise RuntimeError("on purpose")
