"""Layers with gradients written out: torch's numbers, to the second derivative, whatever the order of calls."""

import gc
import itertools
import threading

import pytest
import torch
from torch import nn

from skrnn.nn import _unrolled, _warm_memory
from skrnn.nn._unrolled import run_unrolled

BATCH, STEPS, N_CHANNELS, HIDDEN = 7, 5, 2, 3
CELLS = ["rnn", "rnn_relu", "gru"]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}  # relative to the largest number

each_cell = pytest.mark.parametrize("cell", CELLS)
each_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


def torch_layer(cell, n_channels=N_CHANNELS, hidden_size=HIDDEN, dtype=torch.float64, device="cpu"):
    """torch's layer, with biases far from zero."""
    options = {} if cell == "gru" else {"nonlinearity": "relu" if cell == "rnn_relu" else "tanh"}
    layer = {"gru": nn.GRU}.get(cell, nn.RNN)(n_channels, hidden_size, batch_first=True, **options)
    generator = torch.Generator().manual_seed(5)
    for parameter in layer.parameters():
        parameter.data = 0.6 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return layer.to(device, dtype)


def normal(*shape, seed=3, dtype=torch.float64, **options):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.to(dtype).requires_grad_(options.pop("requires_grad", False))


def by_torch(layer, x, begin=None):
    outputs, final = layer(x, None if begin is None else begin[None])
    return outputs, final[0]


def unrolled(cell, layer, x, begin=None):
    return run_unrolled(cell, x, tuple(layer.parameters()), begin)


def assert_close(ours, theirs, tolerance=TOLERANCE[torch.float64]):
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        assert our.dtype == their.dtype
        torch.testing.assert_close(our, their, rtol=0, atol=tolerance * max(1, their.abs().max().item()))


@pytest.fixture
def few_steps_at_once(monkeypatch):
    monkeypatch.setattr(_unrolled, "CHUNK", 2 * BATCH * HIDDEN)  # chunks of 2, 2, 1 steps; with four blocks of 1


@each_cell
@each_dtype
@pytest.mark.parametrize("begins", [False, True], ids=["zeros", "begin"])
@pytest.mark.parametrize("of_x", [False, True], ids=["constant", "x"])
@pytest.mark.parametrize("loss_on", ["outputs", "final", "both"])
@pytest.mark.parametrize("steps_at_once", ["all", "few"])
def test_values_and_gradients_are_those_of_torch(cell, dtype, begins, of_x, loss_on, steps_at_once, request):
    if steps_at_once == "few":
        request.getfixturevalue("few_steps_at_once")
    layer = torch_layer(cell, dtype=dtype)
    x = normal(BATCH, STEPS, N_CHANNELS, dtype=dtype, requires_grad=of_x)
    begin = normal(BATCH, HIDDEN, seed=4, dtype=dtype, requires_grad=True) if begins else None
    directions = [normal(BATCH, STEPS, HIDDEN, seed=8, dtype=dtype), normal(BATCH, HIDDEN, seed=9, dtype=dtype)]
    kept = {"outputs": slice(0, 1), "final": slice(1, 2), "both": slice(0, 2)}[loss_on]
    wanted = [*layer.parameters(), *([x] if of_x else []), *([begin] if begins else [])]
    found = []
    for results in (unrolled(cell, layer, x, begin), by_torch(layer, x, begin)):
        found.append((*results, *torch.autograd.grad(results[kept], wanted, directions[kept])))
    assert_close(*found, TOLERANCE[dtype])


@each_cell
@pytest.mark.parametrize("n_rows, n_steps", [(1, 5), (7, 1), (1, 1)])
def test_one_row_and_one_step(cell, n_rows, n_steps):
    layer, x = torch_layer(cell), normal(n_rows, n_steps, N_CHANNELS, requires_grad=True)
    ours, theirs = unrolled(cell, layer, x), by_torch(layer, x)
    assert_close(ours, theirs)
    wanted = [x, *layer.parameters()]
    assert_close(*(torch.autograd.grad(outputs.sum() + final.sum(), wanted) for outputs, final in (ours, theirs)))


@each_cell
def test_input_may_be_any_view(cell):
    layer = torch_layer(cell)
    series = normal(BATCH + STEPS - 1, N_CHANNELS, requires_grad=True)
    windows = series.unfold(0, STEPS, 1).transpose(1, 2)  # (batch, steps, channels), neighbours share memory
    assert not windows.is_contiguous()
    found = []
    for run in (lambda: unrolled(cell, layer, windows), lambda: by_torch(layer, windows)):
        outputs, final = run()
        found.append((outputs, *torch.autograd.grad((outputs * outputs).sum() + final.sum(), series)))
    assert_close(*found)


@each_cell
def test_layers_stack(cell):
    """The outputs of one layer and their gradient lie in memory step after step."""
    first, second = torch_layer(cell), torch_layer(cell, n_channels=HIDDEN, hidden_size=11)
    x, wanted = normal(BATCH, STEPS, N_CHANNELS), [*first.parameters(), *second.parameters()]
    ours = unrolled(cell, second, unrolled(cell, first, x)[0])[1]
    theirs = by_torch(second, by_torch(first, x)[0])[1]
    assert_close(*(torch.autograd.grad(final.square().sum(), wanted) for final in (ours, theirs)))


@each_cell
def test_saturated_gates(cell):
    layer = torch_layer(cell, dtype=torch.float32)
    x = 100 * normal(BATCH, STEPS, N_CHANNELS, dtype=torch.float32)
    found = []
    for outputs, _ in (unrolled(cell, layer, x), by_torch(layer, x)):
        scaled = outputs / outputs.detach().abs().max()
        found.append((outputs, *torch.autograd.grad(scaled.sum(), layer.parameters())))
    assert_close(*found, TOLERANCE[torch.float32])


@each_cell
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_shows_as_with_torch(cell, bad):
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    x[3, 2, 1] = bad
    assert_close_or_equal(unrolled(cell, layer, x)[0], by_torch(layer, x)[0])


def assert_close_or_equal(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10, equal_nan=True)


@each_cell
@pytest.mark.parametrize("trained", [kept for n in (1, 2, 3) for kept in itertools.combinations(range(4), n)])
def test_frozen_weights(cell, trained):
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    weights = list(layer.parameters())
    for i, weight in enumerate(weights):
        weight.requires_grad_(i in trained)
    found = []
    for outputs, _ in (unrolled(cell, layer, x), by_torch(layer, x)):
        found.append(torch.autograd.grad(outputs.square().sum(), [weights[i] for i in trained]))
    assert_close(*found)


@each_cell
def test_gradients_share_no_memory(cell):
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    unrolled(cell, layer, x)[1].sum().backward()
    gradients = [weight.grad for weight in layer.parameters()]
    before = [gradient.clone() for gradient in gradients]
    for i, gradient in enumerate(gradients):
        gradient.add_(1)
        assert_close(gradients[i + 1 :], before[i + 1 :])


@each_cell
def test_loss_on_the_last_state_brings_no_gradient_of_all_outputs(cell, monkeypatch):
    arrived = []
    run_back = type(_unrolled.CELLS[cell]).run_back

    def record(self, states, kept, weight_hh, arriving, d_state, d_sums):
        arrived.append(list(arriving))
        run_back(self, states, kept, weight_hh, arriving, d_state, d_sums)

    monkeypatch.setattr(type(_unrolled.CELLS[cell]), "run_back", record)
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    unrolled(cell, layer, x)[1].sum().backward()
    assert arrived == [[None] * STEPS]


@each_cell
def test_one_graph_twice(cell):
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    loss = unrolled(cell, layer, x)[0].square().sum()
    first, second = (torch.autograd.grad(loss, layer.parameters(), retain_graph=True) for _ in range(2))
    assert_close(first, second, 0)


@each_cell
def test_outputs_changed_before_the_way_back_are_an_error(cell):
    layer = torch_layer(cell)
    outputs, final = unrolled(cell, layer, normal(BATCH, STEPS, N_CHANNELS))
    outputs.detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        final.sum().backward()


@each_cell
@pytest.mark.parametrize("begins", [False, True], ids=["zeros", "begin"])
@pytest.mark.parametrize("loss_on", ["outputs", "final", "both"])
def test_second_derivatives(cell, begins, loss_on):
    layer = torch_layer(cell)
    x = normal(2, 3, N_CHANNELS, requires_grad=True)
    begin = normal(2, HIDDEN, seed=4, requires_grad=True) if begins else None
    kept = {"outputs": slice(0, 1), "final": slice(1, 2), "both": slice(0, 2)}[loss_on]
    inputs = (x, *layer.parameters(), *([begin] if begins else []))

    def run(x, *rest):
        return run_unrolled(cell, x, rest[:4], rest[4] if begins else None)[kept]

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@each_cell
def test_second_derivatives_where_a_layer_is_run_twice(cell):
    """x and the weights depend on the same numbers, which must count once on each way."""
    layer = torch_layer(cell, n_channels=HIDDEN)
    x, weights = normal(BATCH, STEPS, HIDDEN), list(layer.parameters())
    found = []
    for run in (lambda x: unrolled(cell, layer, x), lambda x: by_torch(layer, x)):
        final = run(run(x)[0])[1]
        first = torch.autograd.grad(final.square().sum(), weights, create_graph=True)
        second = torch.autograd.grad(sum(gradient.square().sum() for gradient in first), weights)
        found.append((*first, *second))
    assert_close(*found)


@each_cell
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_history_without_gradients(cell, mode):
    layer, x = torch_layer(cell), normal(BATCH, STEPS, N_CHANNELS)
    with mode():
        outputs, final = unrolled(cell, layer, x)
    assert outputs.grad_fn is None
    assert final.grad_fn is None
    assert not outputs.requires_grad
    assert_close((outputs, final), by_torch(layer, x))


# Large enough for memory to be used again: (256 + 1) * 32 * 16 numbers.
LARGE = {"n_rows": 32, "n_steps": 256, "hidden_size": 16}


def large_layer(cell):
    return torch_layer(cell, hidden_size=LARGE["hidden_size"])


def large_batch(seed):
    return normal(LARGE["n_rows"], LARGE["n_steps"], N_CHANNELS, seed=seed)


def gradients_of(results, layer):
    return torch.autograd.grad(results[0].square().sum() + results[1].sum(), list(layer.parameters()))


@each_cell
def test_two_runs_in_flight(cell):
    layer, (a, b) = large_layer(cell), (large_batch(1), large_batch(2))
    alone = [gradients_of(unrolled(cell, layer, x), layer) for x in (a, b)]
    for first, second in ((0, 1), (1, 0)):
        runs = [unrolled(cell, layer, x) for x in (a, b)]
        with torch.no_grad():
            unrolled(cell, layer, large_batch(3))
        for i in (first, second):
            assert_close(gradients_of(runs[i], layer), alone[i], 0)


@each_cell
def test_runs_in_several_threads(cell):
    layer, n_threads = large_layer(cell), 4
    alone = [gradients_of(unrolled(cell, layer, large_batch(seed)), layer) for seed in range(n_threads)]
    found = [[] for _ in range(n_threads)]

    def work(seed):
        for _ in range(5):
            found[seed].append(gradients_of(unrolled(cell, layer, large_batch(seed)), layer))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for gradients, expected in zip(found, alone, strict=True):
        assert len(gradients) == 5
        for each in gradients:
            assert_close(each, expected)


def addresses():
    return {block.data_ptr() for block in _warm_memory.spare}


@pytest.fixture
def no_spare_memory():
    gc.collect()
    _warm_memory.spare.clear()
    yield
    _warm_memory.spare.clear()


@each_cell
@pytest.mark.usefixtures("no_spare_memory")
def test_memory_is_used_again_however_a_run_ends(cell):
    layer = large_layer(cell)
    results = unrolled(cell, layer, large_batch(1))
    gradients_of(results, layer)
    del results
    known = addresses()
    assert known

    for end in ("backward", "forgotten", "no_grad", "inference_mode"):
        mode = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}.get(end, torch.enable_grad)
        with mode():
            results = unrolled(cell, layer, large_batch(1))
        assert addresses() < known  # some are in use
        if end == "backward":
            gradients_of(results, layer)
        del results
        assert addresses() == known


@each_cell
@pytest.mark.usefixtures("no_spare_memory")
def test_outputs_keep_their_memory(cell):
    layer = large_layer(cell)
    with torch.no_grad():
        outputs = unrolled(cell, layer, large_batch(1))[0][:, 3:]
        before = outputs.clone()
        for seed in range(2, 5):
            unrolled(cell, layer, large_batch(seed))
    assert_close([outputs], [before], 0)


@pytest.mark.usefixtures("no_spare_memory")
def test_spare_memory_is_bounded(monkeypatch):
    like = torch.empty(0)
    tensors = [_warm_memory.warm_empty((2**15,), like) for _ in range(_warm_memory.MOST_BLOCKS + 3)]
    del tensors
    assert [len(block) for block in _warm_memory.spare] == [4 * 2**15] * _warm_memory.MOST_BLOCKS
    monkeypatch.setattr(_warm_memory, "MOST_BYTES", 4 * 2**15 * 7)
    del like
    _warm_memory.give_back(torch.empty(4 * 2**15 * 2, dtype=torch.uint8))
    assert [len(block) for block in _warm_memory.spare] == [4 * 2**15] * 5 + [8 * 2**15]  # the oldest went
    _warm_memory.release_memory()
    assert not _warm_memory.spare


@pytest.mark.usefixtures("no_spare_memory")
def test_spare_memory_is_neither_too_small_nor_much_too_large():
    like = torch.empty((), dtype=torch.float64)
    for n_numbers in (2**14, 2**16):
        _warm_memory.warm_empty((n_numbers,), like)  # given back at once
    tensor = _warm_memory.warm_empty((3, 5000), like)
    assert tensor.shape == (3, 5000)
    assert tensor.dtype == torch.float64
    assert len(_warm_memory.spare) == 1  # 2**14 numbers were enough
    assert _warm_memory.warm_empty((2**15 - 1,), like).data_ptr() not in addresses()
    assert sorted(len(block) for block in _warm_memory.spare) == [8 * (2**15 - 1), 8 * 2**16]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_cell
def test_on_a_graphics_card(cell):
    layer = torch_layer(cell)
    on_card = torch_layer(cell, device="cuda")
    x = normal(BATCH, STEPS, N_CHANNELS)
    ours, theirs = unrolled(cell, on_card, x.cuda()), by_torch(layer, x)
    assert_close([values.cpu() for values in ours], theirs)
    for create_graph in (False, True):
        found = []
        for (outputs, final), weights in ((ours, on_card.parameters()), (theirs, layer.parameters())):
            loss = outputs.square().sum() + final.sum()
            found.append(torch.autograd.grad(loss, list(weights), retain_graph=True, create_graph=create_graph))
        assert_close([gradient.cpu() for gradient in found[0]], found[1])
