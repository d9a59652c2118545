"""Recurrent layers: torch's own numbers, exact masks, initial weights, dropout."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from skrnn.nn._dropout import Dropout
from skrnn.nn._models import SequenceModel
from skrnn.nn._recurrent import CELLS, RecurrentStack

N_CHANNELS, HIDDEN, BATCH, STEPS = 2, 3, 5, 7
LENGTHS = torch.tensor([4, 7, 1, 2, 7])
SHAPES = list(itertools.product(["rnn", "lstm", "gru"], [False, True], [1, 2, 3]))
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}

each_shape = pytest.mark.parametrize("cell, bidirectional, n_layers", SHAPES)
each_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


def stack_of(cell, bidirectional=False, n_layers=1, *, dtype=torch.float64, dropout=0.0, seed=11):
    generator = torch.Generator().manual_seed(seed)
    stack = RecurrentStack(cell, N_CHANNELS, HIDDEN, n_layers, bidirectional, dropout, generator).to(dtype)
    with torch.no_grad():  # biases that differ from 0, or a forgotten one would not show
        for parameter in stack.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator).to(dtype)
    return stack


def torch_twin(stack, cell, bidirectional, n_layers):
    """torch's module of the same shape that holds the same weights."""
    twin = CELLS[cell](N_CHANNELS, HIDDEN, num_layers=n_layers, bidirectional=bidirectional, batch_first=True).to(
        next(stack.parameters()).dtype
    )
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), stack.parameters(), strict=True):
            theirs.copy_(ours)
    return twin


def final_state(twin, inputs, bidirectional):
    """(batch, directions * hidden): the final state of each direction of the last layer."""
    state = twin(inputs)[1]
    state = state[0] if isinstance(state, tuple) else state  # (layers * directions, batch, hidden)
    return torch.cat([state[-2], state[-1]], dim=1) if bidirectional else state[-1]


def batch_of(dtype, seed=3):
    return torch.randn(BATCH, STEPS, N_CHANNELS, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_close(ours, theirs, dtype):
    torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@each_dtype
@each_shape
def test_full_batches_equal_torch(cell, bidirectional, n_layers, dtype):
    stack = stack_of(cell, bidirectional, n_layers, dtype=dtype)
    twin = torch_twin(stack, cell, bidirectional, n_layers)
    x = batch_of(dtype)
    ours = stack(x).final()
    assert ours.shape == (BATCH, (2 if bidirectional else 1) * HIDDEN)
    assert_close(ours, final_state(twin, x, bidirectional), dtype)


@each_dtype
@each_shape
def test_ragged_batches_equal_packed_sequences(cell, bidirectional, n_layers, dtype):
    stack = stack_of(cell, bidirectional, n_layers, dtype=dtype)
    twin = torch_twin(stack, cell, bidirectional, n_layers)
    ours_x, theirs_x = batch_of(dtype).requires_grad_(), batch_of(dtype).requires_grad_()
    ours = stack(ours_x, LENGTHS).final()
    packed = pack_padded_sequence(theirs_x, LENGTHS, batch_first=True, enforce_sorted=False)
    theirs = final_state(twin, packed, bidirectional)
    assert_close(ours, theirs, dtype)

    pull = torch.linspace(-1, 1, ours.numel(), dtype=dtype).view_as(ours)
    (ours * pull).sum().backward()
    (theirs * pull).sum().backward()
    assert_close(ours_x.grad, theirs_x.grad, dtype)
    beyond = torch.arange(STEPS) >= LENGTHS[:, None]
    assert (ours_x.grad[beyond] == 0).all()
    for ours_p, theirs_p in zip(stack.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours_p.grad, theirs_p.grad, rtol=10 * TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])


@each_shape
def test_a_padded_row_equals_the_row_alone(cell, bidirectional, n_layers):
    stack = stack_of(cell, bidirectional, n_layers)
    x = batch_of(torch.float64)
    together = stack(x, LENGTHS).final()
    for i, length in enumerate(LENGTHS):
        assert_close(together[i], stack(x[i : i + 1, :length]).final()[0], torch.float64)


@each_shape
def test_what_stands_in_the_padding_does_not_matter(cell, bidirectional, n_layers):
    stack = stack_of(cell, bidirectional, n_layers)
    x = batch_of(torch.float64)
    other = torch.where((torch.arange(STEPS) < LENGTHS[:, None])[..., None], x, 1e6)
    assert torch.equal(stack(x, LENGTHS).final(), stack(other, LENGTHS).final())


def test_the_backward_direction_ends_on_the_first_step():
    """`out[:, -1]` would be a backward net that has seen one step."""
    stack = stack_of("gru", bidirectional=True)
    x = batch_of(torch.float64)
    changed = x.clone()
    changed[:, 0] += 1.0
    forward, backward = (stack(changed).final() - stack(x).final()).abs().split(HIDDEN, dim=1)
    assert backward.mean() > 2 * forward.mean() > 0


@pytest.mark.parametrize("cell, n_gates", [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_initial_weights(cell, n_gates):
    generator = torch.Generator().manual_seed(5)
    stack = RecurrentStack(cell, N_CHANNELS, HIDDEN, 2, True, 0.0, generator)
    assert len(stack.recurrences) == 4
    limits = []
    for recurrence in stack.recurrences:
        for gate in recurrence.weight_hh_l0.view(n_gates, HIDDEN, HIDDEN):
            torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-6)
        glorot = (6 / (n_gates * HIDDEN + recurrence.input_size)) ** 0.5  # over all gates at once
        limits.append(float(recurrence.weight_ih_l0.detach().abs().max() / glorot))
        expected = torch.zeros(n_gates * HIDDEN)
        if cell == "lstm":
            expected[HIDDEN : 2 * HIDDEN] = 1.0  # torch's order: input, forget, cell, output
        assert torch.equal(recurrence.bias_ih_l0 + recurrence.bias_hh_l0, expected)
    assert 0.8 < max(limits) <= 1  # fills the range of Glorot's distribution


def test_initial_weights_come_from_the_generator_only():
    nets = []
    for seed, global_seed in [(1, 10), (1, 11), (2, 10)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(global_seed)
            nets.append(SequenceModel("lstm", N_CHANNELS, 5, HIDDEN, seed=seed))
    weights = [torch.cat([p.detach().ravel() for p in net.parameters()]) for net in nets]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_head_reads_the_final_state():
    net = SequenceModel("gru", N_CHANNELS, 5, HIDDEN, bidirectional=True, seed=1, dtype=torch.float64)
    x = batch_of(torch.float64)
    expected = net.encoder(x, LENGTHS).final() @ net.head.linear.weight.T + net.head.linear.bias
    assert_close(net(x, LENGTHS), expected, torch.float64)
    assert expected.shape == (BATCH, 5)


def test_dropout_keeps_the_mean_and_zeroes_its_share():
    dropout = Dropout(0.3, torch.Generator().manual_seed(0)).train()
    dropped = dropout(torch.full((100, 70, 3), 2.0))
    assert float(dropped.mean()) == pytest.approx(2.0, abs=0.05)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(np.unique(dropped), [0.0, 2.0 / 0.7], rtol=1e-6)


def test_dropout_does_nothing_in_eval_mode_or_for_p_zero():
    x = batch_of(torch.float32)
    assert Dropout(0.3, torch.Generator()).eval()(x) is x
    assert Dropout(0.0, torch.Generator()).train()(x) is x


def test_dropout_draws_from_its_generator_only():
    x, before = batch_of(torch.float32), torch.get_rng_state()
    first, again, other = (Dropout(0.5, torch.Generator().manual_seed(s)).train()(x) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_acts_between_layers_and_not_after_the_last():
    x = batch_of(torch.float64)
    one_layer = stack_of("gru", n_layers=1, dropout=0.9).train()
    assert torch.equal(one_layer(x).final(), one_layer(x).final())
    two_layers = stack_of("gru", n_layers=2, dropout=0.9).train()
    assert not torch.equal(two_layers(x).final(), two_layers(x).final())
    assert torch.equal(two_layers.eval()(x).final(), two_layers(x).final())
