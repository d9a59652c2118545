"""Recurrent layers: torch's own numbers, exact masks, initial weights, dropout."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skrnn import RNNRegressor
from skrnn.nn._dropout import Dropout
from skrnn.nn._models import SequenceModel
from skrnn.nn._pooling import POOLINGS
from skrnn.nn._recurrent import CELLS, RecurrentStack
from skrnn.nn._summary import COLUMNS, parts_of

N_CHANNELS, HIDDEN, BATCH, STEPS = 2, 3, 5, 7
LENGTHS = torch.tensor([4, 7, 1, 2, 7])
SHAPES = list(itertools.product(["rnn", "rnn_relu", "lstm", "gru"], [False, True], [1, 2, 3]))
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


@each_dtype
@each_shape
def test_steps_equal_packed_sequences(cell, bidirectional, n_layers, dtype):
    """Both directions of a step stand where the step stands in the input."""
    stack = stack_of(cell, bidirectional, n_layers, dtype=dtype)
    twin = torch_twin(stack, cell, bidirectional, n_layers)
    x = batch_of(dtype)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    theirs, _ = pad_packed_sequence(twin(packed)[0], batch_first=True)
    ours = stack(x, LENGTHS)
    valid = torch.arange(STEPS) < LENGTHS[:, None]
    assert torch.equal(ours.valid(), valid)
    assert_close(ours.steps()[valid], theirs[valid], dtype)
    full = stack(x)
    assert full.valid() is None
    assert_close(full.steps(), twin(x)[0], dtype)


@each_dtype
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_carries_of_an_lstm_equal_torchs(bidirectional, n_layers, dtype):
    stack = stack_of("lstm", bidirectional, n_layers, dtype=dtype)
    twin = torch_twin(stack, "lstm", bidirectional, n_layers)
    x = batch_of(dtype)
    outputs = stack(x)
    n_directions = 2 if bidirectional else 1
    theirs = twin(x)[1][1][-n_directions:]  # (directions, batch, hidden) of the last layer
    assert len(outputs.carries) == n_directions
    for ours, carry in zip(outputs.carries, theirs, strict=True):
        assert_close(ours, carry, dtype)
    assert_close(outputs.final_and_carry(), torch.cat([outputs.final(), *theirs], dim=1), dtype)

    ragged = stack(x, LENGTHS).carries  # exact for rows as long as the batch
    for ours, carry in zip(ragged, theirs, strict=True):
        assert_close(ours[LENGTHS == STEPS], carry[LENGTHS == STEPS], dtype)


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "gru"])
def test_other_cells_have_no_carry(cell):
    outputs = stack_of(cell, bidirectional=True)(batch_of(torch.float64))
    assert outputs.carries == []
    assert torch.equal(outputs.final_and_carry(), outputs.final())


def test_relu_lets_states_grow_where_tanh_bounds_them():
    x = 100 * batch_of(torch.float64).abs()
    for cell, grows in [("rnn", False), ("rnn_relu", True)]:
        steps = stack_of(cell)(x).steps()
        assert (steps.abs().max() > 1) == grows
        assert (steps.min() >= 0) == grows


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


@pytest.mark.parametrize("cell, n_gates", [("rnn", 1), ("rnn_relu", 1), ("gru", 3), ("lstm", 4)])
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


# -- the parts of a whole net --------------------------------------------------------------------------------------

WHOLE = {
    "plain": {},
    "relu": {"cell": "rnn_relu"},
    "both directions": {"bidirectional": True, "n_layers": 2},
    "convolution": {"conv_channels": 4, "cell": "lstm"},
    "patches": {"patch_size": 3},
    "convolution and patches": {"conv_channels": 4, "patch_size": 2, "bidirectional": True},
    "quantiles": {"n_quantiles": 3, "layer_norm": True},
    "steps": {"pooling": None, "layer_norm": True},
    **{pooling: {"pooling": pooling, "bidirectional": True} for pooling in POOLINGS},
}


def whole_net(seed=1, **params):
    return SequenceModel(**{"cell": "gru", **params}, n_channels=N_CHANNELS, n_outputs=2, hidden_size=5, seed=seed)


@pytest.mark.parametrize("name", WHOLE)
def test_every_initial_weight_comes_from_the_seed_only(name):
    nets = []
    for seed, global_seed in [(1, 10), (1, 11), (2, 10)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(global_seed)
            nets.append(dict(whole_net(seed, **WHOLE[name]).named_parameters()))
    for key, weight in nets[0].items():
        assert torch.equal(weight, nets[1][key]), key
        if weight.ndim > 1:
            assert not torch.equal(weight, nets[2][key]), key
        elif "recurrent" not in key:  # biases begin at 0, and the gain of a norm at 1
            assert (weight == float(key == "head.norm.weight")).all(), key
        assert weight.isfinite().all()


def test_parts_are_drawn_one_after_the_other():
    """What comes later leaves the weights of what comes before as they are."""
    plain, pooled = whole_net(), whole_net(pooling="attention", layer_norm=True, n_quantiles=3)
    for (name, ours), theirs in zip(plain.encoder.named_parameters(), pooled.encoder.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("name", WHOLE)
def test_parts_of_a_net_account_for_every_weight(name):
    net = whole_net(**WHOLE[name])
    rows = parts_of(net, n_steps=STEPS)
    assert sum(row[-1] for row in rows) == sum(parameter.numel() for parameter in net.parameters())
    named = dict(net.named_modules())
    for part, kind, _, n_parameters in rows:
        assert type(named[part]).__name__ == kind
        assert sum(parameter.numel() for parameter in named[part].parameters()) == n_parameters > 0
    assert len({row[0] for row in rows}) == len(rows)
    assert all(not part._forward_hooks for part in net.modules())


def test_parts_of_a_net_by_hand():
    net = whole_net(cell="lstm", conv_channels=4, patch_size=2, bidirectional=True, pooling="attention", n_quantiles=3)
    assert parts_of(net, n_steps=STEPS) == [
        ("encoder.convolution.convolution", "Conv1d", "(batch, 7, 4)", 4 * 2 * 5 + 4),
        ("encoder.patches.embedding", "Linear", "(batch, 4, 5)", 5 * 4 * 2 + 5),
        ("encoder.recurrent.recurrences.0", "LSTM", "(batch, 4, 5)", 4 * (5 * 5 + 5 * 5 + 2 * 5)),
        ("encoder.recurrent.recurrences.1", "LSTM", "(batch, 4, 5)", 4 * (5 * 5 + 5 * 5 + 2 * 5)),
        ("pooling.projection", "Linear", "(batch, 4, 10)", 10 * 10 + 10),
        ("pooling.query", "Linear", "(batch, 4, 1)", 10),
        ("head.linear", "Linear", "(batch, 6)", 6 * 10 + 6),
    ]
    norm, linear = parts_of(whole_net(pooling=None, layer_norm=True), n_steps=STEPS)[-2:]
    assert norm == ("head.norm", "LayerNorm", "(batch, 7, 5)", 10)
    assert linear == ("head.linear", "Linear", "(batch, 7, 2)", 12)


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ragged", [False, True])
def test_summary_of_a_fitted_estimator(ragged, dtype):
    X = np.random.default_rng(0).normal(size=(17, STEPS, N_CHANNELS))
    X = [x[:length] for x, length in zip(X, np.resize(LENGTHS, 17), strict=True)] if ragged else X
    y = np.array([[x.sum(), x[-1, 0], x[0, 1]] for x in X])
    model = RNNRegressor("rnn_relu", hidden_size=5, patch_size=3, layer_norm=True, pooling="mean_max", dtype=dtype)
    model.set_params(n_nets=2, max_epochs=2, random_state=0).fit(X, y)
    before = model.predict(X)
    table = model.summary()
    assert tuple(table.columns) == COLUMNS
    assert table["part"].tolist() == [
        "encoder.patches.embedding",
        "encoder.recurrent.recurrences.0",
        "head.norm",
        "head.linear",
        "total",
    ]
    assert table["kind"].tolist() == ["Linear", "RNN", "LayerNorm", "Linear", ""]
    assert table["output_shape"].tolist() == ["(batch, 3, 5)", "(batch, 3, 5)", "(batch, 10)", "(batch, 3)", ""]
    n_weights = sum(parameter.numel() for parameter in model.net_.module_.parameters())
    assert table["n_parameters"].tolist() == [6 * 5 + 5, 5 * 5 + 5 * 5 + 10, 20, 10 * 3 + 3, n_weights]
    np.testing.assert_array_equal(model.predict(X), before)


def test_dropout_inside_a_whole_net_sleeps_while_its_parts_are_listed():
    net = whole_net(n_layers=2, dropout=0.5, input_dropout=0.5).train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    drawn = net.encoder.input_dropout.generator.get_state()
    parts_of(net, n_steps=STEPS)
    assert torch.equal(net.encoder.input_dropout.generator.get_state(), drawn)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
