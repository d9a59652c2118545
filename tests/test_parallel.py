"""Threads that share a batch: each part once, the same bits for any number, several at once, and after a fork."""

import multiprocessing
import threading

import pytest
import torch
from torch import nn

from skrnn._optimizer import FlatParameters
from skrnn.nn import _direct, _fused, _parallel
from skrnn.nn._compiled import has_kernels
from skrnn.nn._models import SequenceModel
from skrnn.nn._parallel import kernel_threads, share

N_ROWS, STEPS, N_CHANNELS, HIDDEN, N_OUTPUTS = 3 * _fused.CHUNK_ROWS + 5, 7, 2, 5, 3
PATIENCE = 60  # seconds

needs_numba = pytest.mark.skipif(not has_kernels(), reason="needs numba")
each_cell = pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])


@pytest.fixture
def little_is_shared(monkeypatch):
    monkeypatch.setattr(_parallel, "WORTH_A_THREAD", 1.0)


def parts_of(n_threads, n_chunks, n_products=1e12):
    """The parts that `share` asks for, by number, and the threads that did them."""
    parts, threads = [], {}

    def part(i, n, *arguments):
        assert arguments == ("a", "b")
        parts.append((i, n))
        threads[i] = threading.current_thread()

    with kernel_threads(n_threads):
        share(part, n_chunks, n_products, "a", "b")
    return sorted(parts), threads


def test_each_part_is_done_once_in_a_thread_of_its_own():
    parts, threads = parts_of(3, 7)
    assert parts == [(0, 3), (1, 3), (2, 3)]
    assert threads[0] is threading.current_thread()
    assert all(threads[i].name.startswith("skrnn") for i in (1, 2))


def test_no_more_threads_than_chunks():
    assert parts_of(3, 2)[0] == [(0, 2), (1, 2)]
    assert parts_of(3, 1)[0] == [(0, 1)]


def test_little_work_is_not_shared():
    worth = _parallel.WORTH_A_THREAD
    assert parts_of(3, 7, 1.9 * worth)[0] == [(0, 1)]
    assert parts_of(3, 7, 2.1 * worth)[0] == [(0, 2), (1, 2)]
    assert parts_of(3, 7, 0)[0] == [(0, 1)]


def test_more_threads_than_the_machine_has():
    parts, _ = parts_of(50, 100)
    assert parts == [(i, 50) for i in range(50)]


def test_the_number_holds_in_the_block_and_in_its_thread():
    assert parts_of(1, 7)[0] == [(0, 1)]
    found = []
    with kernel_threads(2):
        with kernel_threads(3):
            pass
        with pytest.raises(RuntimeError, match="on purpose"), kernel_threads(3):
            raise RuntimeError("on purpose")
        assert _parallel._settings.n_threads == 2
        other = threading.Thread(target=lambda: found.append(_parallel._settings.n_threads))
        other.start()
        other.join()
    assert found == [1]
    assert _parallel._settings.n_threads == 1


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_a_part_reaches_the_caller(failing):
    def part(i, n):
        if i == failing:
            raise RuntimeError("on purpose")

    with kernel_threads(3), pytest.raises(RuntimeError, match="on purpose"):
        share(part, 3, 1e12)


def _share_in_child(connection):
    connection.send(parts_of(3, 7)[0])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # of Python 3.12 on
def test_the_pool_works_in_a_forked_process():
    parts = parts_of(3, 7)[0]  # the parent's threads are there
    assert _parallel._pool is not None
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_share_in_child, args=(theirs,))
    process.start()
    try:
        assert ours.poll(PATIENCE), "the forked process waits for threads that it does not have"
        assert ours.recv() == parts
    finally:
        process.terminate()
        process.join()
    assert parts_of(3, 7)[0] == parts


# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.fixture
def threads_seen(monkeypatch):
    """The threads that ran kernels."""
    seen = set()

    def recorded(part, *arguments):
        def run(*inner):
            seen.add(threading.get_ident())
            part(*inner)

        share(run, *arguments)

    monkeypatch.setattr(_fused, "share", recorded)
    monkeypatch.setattr(_direct, "share", recorded)
    return seen


def model_of(cell):
    return SequenceModel(cell, N_CHANNELS, N_OUTPUTS, HIDDEN, n_layers=2, bidirectional=True, seed=1)


def batch_of(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(N_ROWS, *size, generator=generator) for size in ((STEPS, N_CHANNELS), (N_OUTPUTS,)))
    lengths = torch.randint(1, STEPS + 1, (N_ROWS,), generator=generator)
    lengths[seed] = STEPS
    return x, lengths, y


def by_autograd(model, seed=0):
    """Outputs of all steps, and the gradients of x and of the weights."""
    x, lengths, y = batch_of(seed)
    steps = model.encode(x.requires_grad_(), lengths).steps()
    loss = steps.square().mean() + (model(x, lengths) - y).square().mean()
    return steps, *torch.autograd.grad(loss, [x, *model.parameters()])


def directly(model, seed=0):
    x, lengths, y = batch_of(seed)
    flat = FlatParameters(model)
    step = _direct.DirectStep(model, nn.HuberLoss(reduction="none"), flat.parameter, 0.1)
    sums = step(x, lengths, y, None, None)
    found = torch.tensor(sums, dtype=torch.float64), flat.parameter.grad.clone()
    flat.release()
    return found


def same(ours, theirs):
    return len(ours) == len(theirs) and all(torch.equal(our, their) for our, their in zip(ours, theirs, strict=True))


@needs_numba
@each_cell
@pytest.mark.parametrize("run", [by_autograd, directly])
@pytest.mark.usefixtures("little_is_shared")
def test_same_bits_for_any_number_of_threads(cell, run, threads_seen):
    model = model_of(cell)
    found = []
    for n_threads in (1, 2, 3, 4):
        threads_seen.clear()
        with kernel_threads(n_threads):
            found.append(run(model))
        assert (len(threads_seen) > 1) is (n_threads > 1)
    assert all(same(each, found[0]) for each in found[1:])


@needs_numba
@each_cell
@pytest.mark.parametrize("run", [by_autograd, directly])
@pytest.mark.parametrize("n_each", [1, 2])
@pytest.mark.usefixtures("little_is_shared")
def test_same_bits_in_several_threads_at_once(cell, run, n_each):
    models = [model_of(cell) for _ in range(4)]
    alone = [run(model, seed) for seed, model in enumerate(models)]
    found = [[] for _ in models]

    def work(seed):
        with kernel_threads(n_each):
            for _ in range(5):
                found[seed].append(run(models[seed], seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(len(models))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for each, expected in zip(found, alone, strict=True):
        assert len(each) == 5
        assert all(same(one, expected) for one in each)
