"""How many threads a net has: in the main process, in workers of every kind, with `n_threads`; same bits."""

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from skorch.callbacks import Callback

from skrnn import RNNRegressor
from skrnn._runtime import torch_threads
from skrnn.nn import _parallel
from skrnn.nn._compiled import has_kernels

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell", "ignore:The training loss")

KERNELS = ["torch"] + ["fused"] * has_kernels()
LARGE = 118  # a hidden size from which on the number of threads is torch's, for batches of 35 rows
needs_numba = pytest.mark.skipif(not has_kernels(), reason="needs numba")


class Record(Callback):
    """Writes into history how many threads torch and the compiled kernels train with."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("torchs", torch.get_num_threads())
        net.history.record("kernels", _parallel._settings.n_threads)


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("on purpose")


def data(n_samples=70):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


def model_of(kernel, callback=Record, **params):
    small = {"cell": "gru", "hidden_size": LARGE, "max_epochs": 1, "batch_size": 35, "dtype": "float32"}
    return RNNRegressor(**small | params, kernel=kernel, random_state=0, net_params={"callbacks": [callback()]})


def seen_by(model, torchs=3):
    """Threads of torch and of the kernels in `fit`, where torch is set to `torchs`, and what torch has afterwards."""
    with torch_threads(torchs):
        row = model.fit(*data()).history_.iloc[0]
        return int(row["torchs"]), int(row["kernels"]), torch.get_num_threads()


def of_net(kernel, n):
    """What `seen_by` is to give for a net of `n` threads."""
    return (n, 1, 3) if kernel == "torch" else (1, n, 3)


def seen_in_child(connection, model):
    connection.send(seen_by(model))


each_kernel = pytest.mark.parametrize("kernel", KERNELS)


@each_kernel
def test_the_main_process_has_as_many_as_torch(kernel):
    assert seen_by(model_of(kernel)) == of_net(kernel, 3)
    assert seen_by(model_of(kernel, hidden_size=LARGE - 1)) == of_net(kernel, 1 if kernel == "torch" else 3)


@each_kernel
def test_n_threads_overrides(kernel):
    assert seen_by(model_of(kernel, n_threads=2)) == of_net(kernel, 2)
    assert seen_by(model_of(kernel, n_threads=2, hidden_size=3)) == of_net(kernel, 2)
    assert seen_by(model_of(kernel, n_threads=4)) == of_net(kernel, 4)
    assert seen_by(model_of(kernel, n_threads=1)) == of_net(kernel, 1)


@each_kernel
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_workers_of_joblib_have_one(kernel, backend):
    models = [model_of(kernel, n_threads=n) for n in (None, None, 2)]
    seen = Parallel(n_jobs=2, backend=backend)(delayed(seen_by)(model) for model in models)
    forked = backend == "multiprocessing"  # where torch would wait for ever for threads of the parent
    assert [counts[:2] for counts in seen] == [of_net(kernel, n)[:2] for n in (1, 1, 1 if forked else 2)]


@each_kernel
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_have_one(kernel, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    with torch_threads(2):
        model_of(kernel).fit(*data())  # a forked process has no threads of its parent's
        process = context.Process(target=seen_in_child, args=(theirs, model_of(kernel)))
        process.start()
    theirs.close()  # so that a child that dies is no wait
    assert ours.recv() == of_net(kernel, 1)
    process.join()


def seen_in_thread(model):
    """What a task of dask sees: it runs in a thread of an executor, in the scheduler's process or a spawned one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(seen_by, model).result()


@each_kernel
def test_threads_of_executors_have_one(kernel):
    assert seen_in_thread(model_of(kernel))[:2] == of_net(kernel, 1)[:2]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        for see in (seen_by, seen_in_thread):
            assert processes.submit(see, model_of(kernel)).result()[:2] == of_net(kernel, 1)[:2]


@each_kernel
def test_the_former_numbers_are_set_again(kernel):
    X, y = data()
    with torch_threads(3):
        model = model_of(kernel, n_threads=2).fit(X, y)
        model.predict(X)
        model.partial_fit(X, y)
        assert torch.get_num_threads() == 3
        with pytest.raises(RuntimeError, match="on purpose"):
            model_of(kernel, Fails, n_threads=2).fit(X, y)
        assert torch.get_num_threads() == 3
        assert _parallel._settings.n_threads == 1


@each_kernel
def test_threads_of_joblib_leave_the_main_threads_number(kernel):
    with torch_threads(3):
        Parallel(n_jobs=2, backend="threading")(delayed(model_of(kernel).fit)(*data()) for _ in range(4))
        assert torch.get_num_threads() == 3


@each_kernel
def test_prediction_has_the_same_threads(kernel, monkeypatch):
    X, y = data()
    model = model_of(kernel, n_threads=2).fit(X, y)
    seen = []
    forward = type(model.net_.module_).forward

    def recorded(self, *args, **kwargs):
        seen.append((torch.get_num_threads(), _parallel._settings.n_threads))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model.net_.module_), "forward", recorded)
    model.predict(X)
    assert set(seen) == {of_net(kernel, 2)[:2]}
    model.set_params(n_threads=None).predict(X)
    assert seen[-1] == of_net(kernel, torch.get_num_threads())[:2]


def fit_and_predict(model, X, y):
    return model.fit(X, y).predict(X)


@each_kernel
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_any_n_jobs_gives_the_same_bits(kernel, backend):
    X, y = data()
    models = [model_of(kernel, cell=cell, n_threads=1) for cell in ("rnn", "lstm", "gru")]
    one, two = (
        Parallel(n_jobs=n_jobs, backend=backend)(delayed(fit_and_predict)(model, X, y) for model in models)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def threads_and_predictions(model, X, y):
    row = model.fit(X, y).history_.iloc[0]
    return (int(row["torchs"]), int(row["kernels"])), model.predict(X)


@each_kernel
def test_a_loaded_machine_changes_neither_threads_nor_bits(kernel, monkeypatch):
    monkeypatch.setattr(_parallel, "WORTH_A_THREAD", 1)
    X, y = data()
    n = 1 if kernel == "torch" else 2  # torch's bits are the same for the same number only
    _, expected = threads_and_predictions(model_of(kernel, n_threads=1), X, y)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        here = threads_and_predictions(model_of(kernel, n_threads=n), X, y)
        there = Parallel(n_jobs=2)(delayed(threads_and_predictions)(model_of(kernel), X, y) for _ in range(3))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert [threads for threads, _ in (here, *there)] == [of_net(kernel, each)[:2] for each in (n, 1, 1, 1)]
    for _, predictions in (here, *there):
        np.testing.assert_array_equal(predictions, expected)


@needs_numba
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_any_number_of_threads_gives_the_same_bits(cell, monkeypatch):
    monkeypatch.setattr(_parallel, "WORTH_A_THREAD", 1)
    X, y = data()
    shares = []
    submit = _parallel.ThreadPoolExecutor.submit
    monkeypatch.setattr(
        _parallel.ThreadPoolExecutor, "submit", lambda self, *args: shares.append(args[1:3]) or submit(self, *args)
    )
    expected = fit_and_predict(model_of("fused", cell=cell, bidirectional=True, batch_size=70, n_threads=1), X, y)
    assert not shares
    for n_threads in (2, 3):  # 70 rows are three chunks
        model = model_of("fused", cell=cell, bidirectional=True, batch_size=70, n_threads=n_threads)
        np.testing.assert_array_equal(fit_and_predict(model, X, y), expected)
        assert shares[-1] == (n_threads - 1, n_threads)
