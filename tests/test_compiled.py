"""Making the kernels ready: nets train without them where they cannot be had; a long compilation is announced."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from skrnn import RNNRegressor
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


PREDICT = """
import hashlib
import numpy as np
from skrnn import RNNRegressor

X = np.random.RandomState(0).randn(70, 5, 2)
for params in ({}, {"layer_norm": True}):  # without the autograd engine and with it
    model = RNNRegressor("lstm", hidden_size=7, max_epochs=2, batch_size=35, random_state=0, **params)
    print(hashlib.sha256(model.fit(X, X[:, -1, 0]).predict(X).tobytes()).hexdigest())
"""


def test_the_process_that_compiles_gives_the_bits_of_those_that_read_what_it_compiled(tmp_path):
    pytest.importorskip("numba")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", PREDICT]
    runs = [subprocess.run(command, env=environment, check=True, capture_output=True, text=True) for _ in range(2)]
    said = runs[0].stderr.splitlines()  # once, for all nets of all estimators
    assert len(said) == 2
    assert said[0] == "skrnn: compiling its kernels for this machine, once ..."
    assert said[1].startswith("skrnn: compiled its kernels in ")
    assert runs[1].stderr == ""
    assert runs[0].stdout == runs[1].stdout


PREDICT_WITHOUT = """
import sys

sys.modules["numba"] = None
import pickle
from pathlib import Path

import numpy as np
from skrnn.nn._compiled import has_kernels

assert not has_kernels()
folder = Path(sys.argv[1])
model = pickle.loads((folder / "model.pkl").read_bytes())
np.save(folder / "predictions.npy", model.predict(np.load(folder / "X.npy")))
"""


@pytest.mark.skipif(not _compiled.has_kernels(), reason="needs numba")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_net_of_the_kernels_predicts_where_there_is_no_numba(cell, tmp_path):
    X = np.random.RandomState(0).randn(40, 5, 2)
    model = RNNRegressor(cell, hidden_size=3, max_epochs=20, kernel="fused", random_state=0).fit(X, X[:, -1, 0])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "X.npy", X)
    subprocess.run([sys.executable, "-W", "ignore", "-c", PREDICT_WITHOUT, str(tmp_path)], check=True, timeout=300)
    np.testing.assert_allclose(np.load(tmp_path / "predictions.npy"), model.predict(X), rtol=1e-4, atol=1e-5)


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


def _fails():
    raise OSError("on purpose")


def test_what_fails_is_warned_of_and_then_there_are_no_kernels(monkeypatch, capsys):
    monkeypatch.setattr(_compiled, "_works", True)
    with pytest.warns(UserWarning, match="cannot be compiled or read here: OSError: on purpose.*NUMBA_CACHE_DIR"):
        make_ready(_fails)
    assert not _compiled.has_kernels()
    assert capsys.readouterr().err == ""


def test_what_fails_is_an_error_where_it_is_required(monkeypatch, capsys):
    monkeypatch.setattr(_compiled, "_works", True)
    with pytest.raises(RuntimeError, match="OSError: on purpose.*NUMBA_CACHE_DIR, or set kernel='auto'"):
        make_ready(_fails, required=True)
    assert not _compiled.has_kernels()
    assert capsys.readouterr().err == ""


def test_an_interrupt_leaves_the_kernels_to_the_next(monkeypatch):
    monkeypatch.setattr(_compiled, "_works", True)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_ready(interrupted)
    assert _compiled.has_kernels()


BROKEN = """
import os
import warnings

os.environ["NUMBA_DISABLE_JIT"] = "1"  # the kernels are imported, and fail when they are called
import numpy as np
from skrnn import RNNRegressor

X = np.random.RandomState(0).randn(40, 5, 2)
model = RNNRegressor(cell="gru", hidden_size=3, max_epochs=2, batch_size=16, dtype="float32")
"""
FALLS_BACK = """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        assert np.isfinite(model.fit(X, X[:, -1, 0]).predict(X)).all()
assert sum("The kernels cannot be compiled or read here" in str(one.message) for one in caught) == 1, caught
"""
REFUSES = """
warnings.simplefilter("error")
for error, words in ((RuntimeError, "cannot be compiled or read here"), (ValueError, "does not work here")):
    try:
        model.set_params(kernel="fused").fit(X, X[:, -1, 0])
    except error as raised:
        assert words in str(raised), raised
    else:
        raise AssertionError("fitted")
"""
PREDICTS = """
import pickle, sys

model = pickle.loads(sys.stdin.buffer.read())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        assert np.isfinite(model.predict(X)).all()
assert sum("The kernels cannot be compiled or read here" in str(one.message) for one in caught) == 1, caught
"""


@pytest.mark.parametrize("program", [FALLS_BACK, REFUSES, PREDICTS], ids=["auto", "fused", "predict"])
def test_kernels_that_fail_when_they_are_called(program):
    pytest.importorskip("numba")
    X = np.random.RandomState(0).randn(40, 5, 2)
    model = RNNRegressor(cell="gru", hidden_size=3, max_epochs=20, kernel="fused", random_state=0).fit(X, X[:, -1, 0])
    command = [sys.executable, "-W", "ignore", "-c", BROKEN + program]
    subprocess.run(command, check=True, timeout=300, input=pickle.dumps(model))


def _ready_in_child(connection, began):
    make_ready(lambda: None)
    connection.send(list(began))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # of Python 3.12 on
def test_a_fork_waits_for_a_thread_that_compiles():
    compiling, done = threading.Event(), []

    def use():
        compiling.set()
        time.sleep(0.3)
        done.append("compiled")

    thread = threading.Thread(target=make_ready, args=(use,))
    thread.start()
    assert compiling.wait(60)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_ready_in_child, args=(theirs, done))
    process.start()
    try:
        assert ours.poll(60), "the forked process waits for a thread that it does not have"
        assert ours.recv() == ["compiled"]
    finally:
        process.terminate()
        process.join()
        thread.join()
