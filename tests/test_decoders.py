"""The whole forecasting net against its equations, written out one row and one step at a time.

Encoder and decoder: Sutskever et al. 2014, Cho et al. 2014; attention: Bahdanau et al. 2015 (appendix A.1.2, A.2) and
Luong et al. 2015 (equations 5 and 8); segments: SegRNN, Lin et al. 2023 (section 3.3); feeding the truth: Bengio et
al. 2015. Every row of a ragged batch is compared with the row alone, so padding is tested all along.
"""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, Windows
from skrnn.nn._memory import in_segments, last_steps, own_past
from skrnn.nn._output import LinearSkip
from skrnn.nn._recurrent import CELLS, RecurrentStack
from skrnn.nn._seq2seq import Seq2SeqModel

N_CHANNELS, STEPS, HIDDEN, HORIZON = 3, 7, 6, 5
LENGTHS = (4, 7, 1, 2)
OWN = (2, 0)  # the channel of each output
N_PARAMETERS = {"point": 1, "quantile": 3, "gaussian": 2, "student_t": 3}

NETS = {
    "rnn": {"cell": "rnn"},
    "relu, patches": {"cell": "rnn_relu", "patch_size": 2},
    "lstm of two layers": {"cell": "lstm", "n_layers": 2},
    "gru in both directions": {"cell": "gru", "bidirectional": True},
    "lstm of two layers in both directions": {"cell": "lstm", "n_layers": 2, "bidirectional": True},
    "additive": {"attention": "additive"},
    "dot": {"attention": "dot"},
    "additive, both directions, lstm": {"cell": "lstm", "attention": "additive", "bidirectional": True},
    "dot, both directions, patches": {"attention": "dot", "bidirectional": True, "patch_size": 3, "n_layers": 2},
    "additive, patches": {"cell": "lstm", "attention": "additive", "patch_size": 2, "n_layers": 2},
    "known ahead": {"future_channels": (1,)},
    "known ahead, two of them, patches": {"future_channels": (1, 0), "patch_size": 2},
    "linear skip": {"linear_skip": True, "n_steps": STEPS},
    "linear skip, patches, shorter than the window": {"linear_skip": True, "n_steps": 4, "patch_size": 2},
    "an output without a past": {"target_channels": (1, -1), "patch_size": 2, "linear_skip": True, "n_steps": 4},
    "no output with a past": {"target_channels": (-1, -1), "linear_skip": True, "n_steps": 3},
    "layer norm, convolution": {"layer_norm": True, "conv_channels": 5, "conv_kernel_size": 2},
    "quantiles": {"emission": "quantile", "central": 1, "linear_skip": True, "n_steps": 7},
    "gaussian": {"emission": "gaussian", "attention": "dot", "linear_skip": True, "n_steps": 7},
    "student_t": {"emission": "student_t", "patch_size": 3},
}
DECODERS = ("autoregressive", "direct", "parallel")
CASES = [
    (decoder, name)
    for decoder, name in itertools.product(DECODERS, NETS)
    if decoder != "direct" or "attention" not in NETS[name]
]

each_net = pytest.mark.parametrize("decoder, name", CASES)
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of 2 epochs


def net_of(decoder="autoregressive", *, seed=3, dtype=torch.float64, **options):
    """A net whose every weight is random, biases and positions too."""
    emission = options.get("emission", "point")
    options = {"cell": "gru", "target_channels": OWN, **options}
    outputs = len(options["target_channels"])
    net = Seq2SeqModel(
        n_channels=options.pop("n_channels", N_CHANNELS),
        n_outputs=outputs * HORIZON,
        hidden_size=HIDDEN,
        horizon=HORIZON,
        decoder=decoder,
        n_parameters=N_PARAMETERS[emission],
        seed=seed,
        dtype=dtype,
        **options,
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64).to(dtype)
    return net


def batch_of(lengths=LENGTHS, n_channels=N_CHANNELS, n_steps=STEPS, seed=1):
    """x (batch, steps, channels) with zeros behind the valid steps, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(lengths), n_steps, n_channels, generator=generator, dtype=torch.float64)
    lengths = torch.tensor(lengths)
    return x * (torch.arange(n_steps) < lengths[:, None])[..., None], lengths


# -- the equations, one row at a time ------------------------------------------------------------------------------


def one_step(recurrence, x, state):
    """torch's cell: x (features,), state (h,) or (h, c) -> the next state."""
    weights = [getattr(recurrence, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    h, *carry = (part[None] for part in state)
    if isinstance(recurrence, torch.nn.LSTM):
        return tuple(part[0] for part in torch.lstm_cell(x[None], (h, *carry), *weights))
    if isinstance(recurrence, torch.nn.GRU):
        return (torch.gru_cell(x[None], h, *weights)[0],)
    cell = torch.rnn_relu_cell if recurrence.nonlinearity == "relu" else torch.rnn_tanh_cell
    return (cell(x[None], h, *weights)[0],)


def encode(encoder, x):
    """Steps of one row -> outputs of the last layer (list), the final state of each layer and direction."""
    if encoder.convolution is not None:
        convolution = encoder.convolution.convolution
        before = torch.zeros(convolution.kernel_size[0] - 1, x.shape[1], dtype=x.dtype)
        padded = torch.cat([before, x])
        taps = [padded[k : k + len(x)] @ convolution.weight[..., k].T for k in range(len(before) + 1)]
        x = (sum(taps) + convolution.bias).relu()
    if encoder.patches is not None:
        size = encoder.patches.patch_size
        x = torch.cat([torch.zeros(-len(x) % size, x.shape[1], dtype=x.dtype), x])
        x = encoder.patches.embedding(x.reshape(len(x) // size, -1)).relu()
    stack, finals, outputs = encoder.recurrent, [], list(x)
    for layer in range(0, len(stack.recurrences), stack.n_directions):
        by_direction = []
        for direction in range(stack.n_directions):
            recurrence = stack.recurrences[layer + direction]
            n_parts = 2 if isinstance(recurrence, torch.nn.LSTM) else 1
            state, seen = (torch.zeros(HIDDEN, dtype=x.dtype),) * n_parts, []
            for x_t in outputs if direction == 0 else outputs[::-1]:
                state = one_step(recurrence, x_t, state)
                seen.append(state[0])
            finals.append(state)
            by_direction.append(seen if direction == 0 else seen[::-1])
        outputs = [torch.cat(parts) for parts in zip(*by_direction, strict=True)]
    return outputs, finals


def bridge(module, finals):
    """One state for each layer, h = tanh(W [forward; backward] + b) and c without tanh."""
    if not len(module.maps):
        return finals
    maps, states = iter(module.maps), []
    for forward, backward in zip(finals[::2], finals[1::2], strict=True):
        both = [next(maps)(torch.cat(parts)) for parts in zip(forward, backward, strict=True)]
        states.append((both[0].tanh(), *both[1:]))
    return states


def look(attention, query, steps):
    """The context of a query (hidden,), and the weight of each step."""
    keys = [attention.project_keys(h) for h in steps]
    if attention.kind == "additive":
        scores = [(attention.score.weight @ (attention.project_query(query) + key).tanh())[0] for key in keys]
    else:
        scores = [query @ key for key in keys]
    odds = torch.stack(scores).exp()
    return sum(a * h for a, h in zip(odds / odds.sum(), steps, strict=True)), odds / odds.sum()


def parameters_of(head, features, size, emission):
    """(size, n_outputs, n_parameters)"""
    raw = head.linear_head.linear(head.linear_head.norm(features)).reshape(size, head.n_outputs, -1)
    if emission == "quantile":
        return raw.sort(dim=-1).values
    if emission == "point":
        return raw
    above = [0.0, 1e-4, 2.01][: raw.shape[-1]]
    return torch.cat(
        [raw[..., :1], *(torch.log1p(raw[..., k : k + 1].exp()) + above[k] for k in range(1, len(above)))], dim=-1
    )


def last_of(x, n_steps):
    """The last steps of a row, zeros in front where it has fewer."""
    return torch.cat([torch.zeros(n_steps, x.shape[1], dtype=x.dtype), x])[-n_steps:]


def reference(net, x, *, horizon=HORIZON, fed=None):
    """One row x (length, channels) -> parameters (horizon, n_outputs, n_parameters), weights of the attention.

    `fed` (segments, size, n_outputs) holds what follows each segment instead of its own values, NaN for those.
    """
    decoder, kind, own = net.decoder, net.emission.kind, list(net.target_channels)
    memory, finals = encode(net.encoder, x)
    states = bridge(net.bridge, finals)
    size = decoder.segment_size
    n_segments = -(-max(horizon, HORIZON) // size)
    ahead = torch.zeros(n_segments * size, len(net.future_channels), dtype=x.dtype)
    if net.future_channels:
        ahead[:HORIZON] = last_of(x, HORIZON)[:, net.future_channels]
    blocks, seen = [], []
    if type(decoder).__name__ == "DirectDecoder":
        final = torch.cat([state[0] for state in finals[-net.encoder.recurrent.n_directions :]])
        blocks.append(parameters_of(decoder.head, torch.cat([final, ahead.ravel()]), size, kind))
    for k in range(n_segments if not blocks else 0):
        known = ahead[k * size : (k + 1) * size]
        if type(decoder).__name__ == "ParallelDecoder":
            inputs, before = torch.cat([decoder.position[k], known.ravel()]), states
        else:
            if k == 0:
                value = last_of(x, size)[:, own]
                if net.start is not None:
                    value = torch.where(torch.tensor(own) < 0, net.start, value)
            inputs = torch.cat([value, known], dim=1).ravel()
            if decoder.embedding is not None:
                inputs = decoder.embedding(inputs).relu()
            before = states
            if decoder.attention is not None:
                context, weights = look(decoder.attention, states[-1][0], memory)
                inputs = torch.cat([inputs, context])
        after = []
        for recurrence, state in zip(decoder.recurrent.recurrences, before, strict=True):
            after.append(one_step(recurrence, inputs, state))
            inputs = after[-1][0]
        features = inputs
        if getattr(decoder, "attention", None) is not None:
            features = torch.cat([features, context])
            seen.append(weights)
        elif decoder.context is not None:
            context, weights = look(decoder.context.attention, features, memory)
            features = (decoder.context.combine.weight @ torch.cat([context, features])).tanh()
            seen.append(weights)
        block = parameters_of(decoder.head, features, size, kind)
        if net.skip is not None:
            block = shifted(block, skip_of(net.skip, x, n_segments * size)[k * size : (k + 1) * size], kind)
        blocks.append(block)
        if type(decoder).__name__ == "AutoregressiveDecoder":
            states, value = after, block[..., net.emission.central]
            if fed is not None and k < len(fed):
                value = torch.where(fed[k].isnan(), value, fed[k])
    if type(decoder).__name__ == "DirectDecoder" and net.skip is not None:
        blocks[0] = shifted(blocks[0], skip_of(net.skip, x, size), kind)
    return torch.cat(blocks)[:horizon], seen


def skip_of(skip, x, n_rows):
    """(n_rows, n_outputs): each output a linear map of its own past, or of everything where none has one."""
    past, out = last_of(x, skip.n_steps), torch.zeros(n_rows, skip.n_outputs, dtype=x.dtype)
    for k, output in enumerate(skip.known or range(skip.n_outputs)):
        read = past[:, skip.channels[k]] if skip.known else past.ravel()
        out[: skip.horizon, output] = skip.weight[k] @ read + skip.bias[k]
    return out


def shifted(parameters, offset, kind):
    if kind in ("point", "quantile"):
        return parameters + offset[..., None]
    return torch.cat([parameters[..., :1] + offset[..., None], parameters[..., 1:]], dim=-1)


def columns_of(net, x, lengths, **how):
    """The reference for all rows of a batch, in the shape that the net gives."""
    rows = [reference(net, row[:length], **how)[0] for row, length in zip(x, lengths, strict=True)]
    columns = torch.stack(rows).flatten(1, 2)  # (batch, horizon * outputs, n_parameters)
    return columns[..., 0] if net.emission.kind == "point" else columns


def assert_close(ours, theirs, bar=1e-12):
    torch.testing.assert_close(ours, theirs, rtol=bar, atol=bar)


# -- the net -------------------------------------------------------------------------------------------------------


@each_net
def test_nets_follow_the_equations(decoder, name):
    net = net_of(decoder, **NETS[name])
    x, lengths = batch_of()
    ours = net(x, lengths)
    assert ours.shape[:2] == (len(LENGTHS), HORIZON * 2)
    theirs = columns_of(net, x, lengths)
    assert theirs.std() > 0.01
    assert_close(ours, theirs)
    full = batch_of((STEPS,) * 4)[0]
    assert_close(net(full), columns_of(net, full, [STEPS] * 4))


@each_net
def test_gradients_of_a_ragged_batch_are_those_of_its_rows_alone(decoder, name):
    """Padding does not train, and a fit does not depend on which rows share a batch."""
    net = net_of(decoder, **NETS[name])
    x, lengths = batch_of()
    x.requires_grad_()
    weights = [x, *net.parameters()]

    def gradients(outputs):
        pull = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).view_as(outputs)
        return torch.autograd.grad((outputs * pull).sum(), weights, allow_unused=True)

    ours, theirs = gradients(net(x, lengths)), gradients(columns_of(net, x, lengths))
    for a, b in zip(ours, theirs, strict=True):
        assert a is not None
        assert_close(a, torch.zeros_like(a) if b is None else b, 1e-10)
    beyond = torch.arange(STEPS) >= lengths[:, None]
    assert (ours[0][beyond] == 0).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_single_precision(decoder):
    options = {"cell": "lstm", "n_layers": 2, "bidirectional": True, "linear_skip": True, "n_steps": 4}
    options["attention"] = None if decoder == "direct" else "additive"
    double, single = (net_of(decoder, dtype=dtype, **options) for dtype in (torch.float64, torch.float32))
    x, lengths = batch_of()
    ours = single(x.float(), lengths)
    assert ours.dtype == torch.float32
    assert_close(ours.double(), double(x, lengths), 2e-6)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("patch_size", [1, 2])
def test_a_shorter_horizon_is_the_beginning(decoder, patch_size):
    net = net_of(decoder, future_channels=(1,), linear_skip=True, n_steps=4, patch_size=patch_size)
    x, lengths = batch_of()
    assert_close(net(x, lengths, horizon=3), net(x, lengths)[:, : 3 * 2])


@pytest.mark.parametrize("patch_size", [1, 3])
@pytest.mark.parametrize("attention", [None, "additive", "dot"])
def test_a_longer_horizon_goes_on(attention, patch_size):
    net = net_of(attention=attention, patch_size=patch_size, cell="lstm")
    x, lengths = batch_of()
    longer = net(x, lengths, horizon=11)
    assert longer.shape == (4, 11 * 2)
    assert_close(longer, columns_of(net, x, lengths, horizon=11))
    assert_close(longer[:, : HORIZON * 2], net(x, lengths))


@pytest.mark.parametrize("decoder", ["autoregressive", "parallel"])
@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("patch_size", [1, 2])
def test_weights_of_the_attention(decoder, attention, patch_size):
    net = net_of(decoder, attention=attention, patch_size=patch_size, bidirectional=True)
    x, lengths = batch_of()
    weights = net.attend(x, lengths)
    n_segments, n_patches = -(-HORIZON // patch_size), -(-STEPS // patch_size)
    assert weights.shape == (4, n_segments, n_patches)
    for row, sequence, length in zip(weights, x, lengths, strict=True):
        seen = torch.stack(reference(net, sequence[:length])[1])
        assert_close(row[:, : seen.shape[1]], seen)
        assert (row[:, seen.shape[1] :] == 0).all()
    assert weights.std(dim=2)[:2].min() > 1e-3  # steps are told apart


def test_the_start_is_learned_only_for_outputs_without_a_past():
    assert net_of().start is None
    assert net_of("direct", target_channels=(-1,)).start is None
    net = net_of(target_channels=(1, -1), patch_size=2)
    assert net.start.shape == (2, 2)
    outputs = net(*batch_of())
    gradient = torch.autograd.grad(outputs.sum(), net.start)[0]
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1] != 0).any()


def test_positions_tell_parallel_segments_apart():
    net = net_of("parallel", patch_size=2)
    x, lengths = batch_of()
    with torch.no_grad():
        net.decoder.position[:] = net.decoder.position[:1].clone()
    segments = net(x, lengths)[:, : 2 * 2 * 2].unflatten(1, (2, -1))
    assert_close(segments[:, 0], segments[:, 1])


# -- teacher forcing -----------------------------------------------------------------------------------------------

FORCED = {
    "plain": {},
    "lstm of two layers": {"cell": "lstm", "n_layers": 2},
    "patches": {"patch_size": 2},
    "additive": {"attention": "additive", "cell": "lstm"},
    "dot, patches": {"attention": "dot", "patch_size": 2},
    "known ahead, skip": {"future_channels": (1,), "linear_skip": True, "n_steps": 4},
    "gaussian": {"emission": "gaussian"},
    "quantiles": {"emission": "quantile", "central": 1, "patch_size": 2},
}


def targets_of(n_unknown=0, seed=5):
    """Targets (batch, horizon * outputs), some unknown."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(len(LENGTHS), HORIZON * 2, generator=generator, dtype=torch.float64)
    unknown = torch.randperm(targets.numel(), generator=generator)[:n_unknown]
    targets.view(-1)[unknown] = torch.nan
    return targets


def forced(net, x, lengths, targets, coins):
    """The reference where the segments with coins[k] True are followed by their true values."""
    size = net.decoder.segment_size
    rows = []
    for row, length, own in zip(x, lengths, targets.unflatten(1, (HORIZON, -1)), strict=True):
        filled = torch.cat([own, torch.full((-HORIZON % size, own.shape[1]), torch.nan, dtype=own.dtype)])
        fed = filled.unflatten(0, (-1, size)).clone()
        fed[[k for k, coin in enumerate(coins) if not coin]] = torch.nan
        rows.append(reference(net, row[:length], fed=fed)[0])
    columns = torch.stack(rows).flatten(1, 2)
    return columns[..., 0] if net.emission.kind == "point" else columns


@pytest.mark.parametrize("name", FORCED)
@pytest.mark.parametrize("n_unknown", [0, 9])
def test_ratio_1_feeds_what_is_known_of_the_truth(name, n_unknown):
    net, targets = net_of(**FORCED[name]), targets_of(n_unknown)
    x, lengths = batch_of()
    ours = net(x, lengths, targets=targets, teacher_forcing=1.0)
    assert not ours.isnan().any()
    n_segments = -(-HORIZON // net.decoder.segment_size)
    assert_close(ours, forced(net, x, lengths, targets, [True] * n_segments))
    assert (ours - net(x, lengths)).abs().max() > 0.01
    gradients = torch.autograd.grad(ours.square().sum(), list(net.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", FORCED)
def test_ratio_0_feeds_the_net_itself(name):
    net = net_of(**FORCED[name])
    x, lengths = batch_of()
    assert torch.equal(net(x, lengths, targets=targets_of(), teacher_forcing=0.0), net(x, lengths))
    unknown = torch.full((len(LENGTHS), HORIZON * 2), torch.nan, dtype=torch.float64)
    assert_close(net(x, lengths, targets=unknown, teacher_forcing=1.0), net(x, lengths))


@pytest.mark.parametrize("name", FORCED)
def test_gradients_of_a_forced_run_are_those_of_its_steps(name):
    net, targets = net_of(**FORCED[name]), targets_of(4)
    x, lengths = batch_of()
    n_segments = -(-HORIZON // net.decoder.segment_size)
    ours = net(x, lengths, targets=targets, teacher_forcing=1.0)
    theirs = forced(net, x, lengths, targets, [True] * n_segments)
    weights = list(net.parameters())
    for a, b in zip(*(torch.autograd.grad(out.square().sum(), weights) for out in (ours, theirs)), strict=True):
        assert_close(a, b, 1e-10)


@pytest.mark.parametrize("name", FORCED)
def test_a_coin_for_each_step_is_shared_by_the_batch(name):
    net, targets = net_of(**FORCED[name]), targets_of()
    x, lengths = batch_of()
    n_coins = -(-HORIZON // net.decoder.segment_size) - 1
    patterns = list(itertools.product([False, True], repeat=n_coins))
    expected = torch.stack([forced(net, x, lengths, targets, pattern) for pattern in patterns])
    tossed = []
    for _ in range(25):
        ours = net(x, lengths, targets=targets, teacher_forcing=0.5)
        distance = (expected - ours).flatten(1).abs().amax(dim=1)  # of each pattern, over all rows
        assert distance.min() < 1e-10
        tossed.append(patterns[int(distance.argmin())])
    assert len(set(tossed)) > 2
    assert 0.25 < np.mean(tossed) < 0.75


def test_coins_come_from_the_seed_alone_and_fall_as_often_as_asked():
    def tossed(seed, ratio, n_times):
        net = net_of(seed=seed)
        return [net.decoder._toss(HORIZON - 1, ratio) for _ in range(n_times)]

    assert tossed(1, 0.3, 20) == tossed(1, 0.3, 20)
    assert tossed(1, 0.3, 20) != tossed(2, 0.3, 20)
    assert np.mean(tossed(1, 0.3, 1000)) == pytest.approx(0.3, abs=0.03)  # 4 standard errors
    assert np.all(tossed(1, 1.0, 50))
    net, state = net_of(), torch.get_rng_state()
    net(*batch_of(), targets=targets_of(), teacher_forcing=0.5)
    assert torch.equal(torch.get_rng_state(), state)  # torch's own generator is left alone


@pytest.mark.parametrize(
    "attention, n_unknown, n_calls", [(None, 0, 1), ("dot", 0, 1), ("additive", 0, HORIZON), (None, 1, 2)]
)
def test_forced_steps_run_in_one_call(attention, n_unknown, n_calls):
    """But where an unknown value asks for the net's own, or the attention for the state."""
    net, targets = net_of(attention=attention), targets_of()
    targets[1, 3] = torch.nan if n_unknown else targets[1, 3]  # step 1 of 5
    calls = []
    net.decoder.recurrent.register_forward_hook(lambda *_: calls.append(1))
    net(*batch_of(), targets=targets, teacher_forcing=1.0)
    assert len(calls) == n_calls
    calls.clear()
    net(*batch_of())
    assert len(calls) == HORIZON


@pytest.mark.parametrize("decoder", ["direct", "parallel"])
def test_decoders_that_read_no_value_before_take_no_targets(decoder):
    net = net_of(decoder)
    assert torch.equal(net(*batch_of(), targets=targets_of(), teacher_forcing=1.0), net(*batch_of()))


# -- parts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [LENGTHS, (STEPS,) * 4], ids=["ragged", "full"])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
def test_kept_states_equal_packed_sequences(cell, bidirectional, n_layers, lengths):
    """Of every layer and direction, the carry of an LSTM included."""
    generator = torch.Generator().manual_seed(2)
    stack = RecurrentStack(cell, N_CHANNELS, HIDDEN, n_layers, bidirectional, 0.0, generator, keep_states=True).double()
    twin = CELLS[cell](N_CHANNELS, HIDDEN, num_layers=n_layers, bidirectional=bidirectional, batch_first=True).double()
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), stack.parameters(), strict=True):
            ours += 0.1 * torch.randn(ours.shape, generator=generator, dtype=torch.float64)
            theirs.copy_(ours)
    x, lengths = batch_of(lengths)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    theirs = twin(packed)[1]
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    states = stack(x, None if lengths.min() == STEPS else lengths).states
    assert len(states) == n_layers * (1 + bidirectional)
    for k, state in enumerate(states):
        assert len(state) == len(theirs)
        for ours, whole in zip(state, theirs, strict=True):
            assert_close(ours, whole[k])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_initial_states_are_where_each_layer_begins(cell):
    """A sequence cut in two, the second part begun where the first ended."""
    stack = RecurrentStack(cell, N_CHANNELS, HIDDEN, 2, False, 0.0, torch.Generator(), keep_states=True).double()
    x = batch_of((STEPS,) * 4)[0]
    whole, first = stack(x), stack(x[:, :3])
    second = stack(x[:, 3:], initial=first.states)
    assert_close(torch.cat([first.steps(), second.steps()], dim=1), whole.steps())
    for ours, theirs in zip(second.states, whole.states, strict=True):
        for part, of_whole in zip(ours, theirs, strict=True):
            assert_close(part, of_whole)


def test_without_keep_states_none_are_kept():
    stack = RecurrentStack("lstm", N_CHANNELS, HIDDEN, 2, True, 0.0, torch.Generator())
    assert stack(batch_of()[0].float()).states == []


@pytest.mark.parametrize("n_steps", [1, 3, 7, 10])
def test_last_steps(n_steps):
    x, lengths = batch_of()
    for row, sequence, length in zip(last_steps(x, lengths, n_steps), x, lengths, strict=True):
        assert torch.equal(row, last_of(sequence[:length], n_steps))
    full = batch_of((STEPS,) * 4)[0]
    assert torch.equal(last_steps(full, None, n_steps), torch.stack([last_of(row, n_steps) for row in full]))
    past = own_past(x, lengths, (2, -1, 0), n_steps)
    assert past.shape == (4, n_steps, 3)
    assert torch.equal(past[..., [0, 2]], last_steps(x, lengths, n_steps)[..., [2, 0]])
    assert (past[..., 1] == 0).all()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_in_segments(size):
    values = torch.arange(30.0).reshape(3, 5, 2)
    segments = in_segments(values, size, fill=-1.0)
    assert segments.shape == (3, -(-5 // size), size, 2)
    assert torch.equal(segments.flatten(1, 2)[:, :5], values)
    assert (segments.flatten(1, 2)[:, 5:] == -1).all()


@pytest.mark.parametrize("channels", [(2, 0), (1, -1), (-1, -1)], ids=str)
def test_the_linear_skip_is_zero_at_first(channels):
    skip = LinearSkip(channels, N_CHANNELS, 4, HORIZON).double()
    outputs = skip(*batch_of())
    assert outputs.shape == (4, HORIZON, 2)
    assert (outputs == 0).all()
    shape = {(2, 0): (2, HORIZON, 4), (1, -1): (1, HORIZON, 4), (-1, -1): (2, HORIZON, 4 * N_CHANNELS)}[channels]
    assert skip.weight.shape == shape
    with_skip, without = (
        Seq2SeqModel("gru", N_CHANNELS, HORIZON * 2, HIDDEN, HORIZON, target_channels=channels, seed=1, **more)
        for more in ({"linear_skip": True, "n_steps": 4}, {})
    )
    x, lengths = batch_of()
    assert torch.equal(with_skip(x.float(), lengths), without(x.float(), lengths))


def test_short_rows_stand_at_the_end_of_the_linear_skip():
    skip = LinearSkip((2, 0), N_CHANNELS, 4, HORIZON).double()
    with torch.no_grad():
        skip.weight[:, :, -1] = 1.0  # the last step of the window
        skip.weight[1, :, -2] = 10.0  # for the second output the one before too
    x, lengths = batch_of()
    outputs = skip(x, lengths)
    for row, sequence, length in zip(outputs, x, lengths, strict=True):
        before = sequence[length - 2, 0] if length > 1 else 0.0
        assert_close(row[:, 0], sequence[length - 1, 2].expand(HORIZON))
        assert_close(row[:, 1], (sequence[length - 1, 0] + 10 * before).expand(HORIZON))


# -- one net for all channels --------------------------------------------------------------------------------------

SHARED = {
    "autoregressive, lstm": {"cell": "lstm"},
    "attention": {"attention": "additive", "bidirectional": True},
    "patches, known ahead, skip": {"patch_size": 2, "future_channels": (1,), "linear_skip": True, "n_steps": 4},
    "direct": {"decoder": "direct", "future_channels": (3,)},
    "parallel": {"decoder": "parallel", "patch_size": 2, "emission": "gaussian"},
    "quantiles": {"emission": "quantile", "central": 1},
}


def columns_of_each(columns, n_outputs=2):
    """(batch, horizon * outputs, ...) -> each output's columns (batch, horizon, ...)."""
    return columns.unflatten(1, (HORIZON, n_outputs)).unbind(2)


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_net_is_run_on_each_channel_alone(name):
    """With the channels that are no target beside it."""
    net = net_of(n_channels=4, shared=True, target_channels=(2, 0), **SHARED[name])
    x, lengths = batch_of(n_channels=4)
    alone = net_of(  # the same weights, made for one series
        n_channels=3,
        target_channels=(0,),
        **SHARED[name] | {"future_channels": tuple({1: 1, 3: 2}[c] for c in SHARED[name].get("future_channels", ()))},
    )
    alone.load_state_dict(net.state_dict())
    for channel, columns in zip((2, 0), columns_of_each(net(x, lengths)), strict=True):
        assert_close(columns, alone(x[..., [channel, 1, 3]], lengths))
    assert_close(alone(x[..., [2, 1, 3]], lengths), columns_of(alone, x[..., [2, 1, 3]], lengths))


@pytest.mark.parametrize("patch_size", [1, 2])
def test_a_shared_net_is_fed_the_truth_of_its_own_channel(patch_size):
    options = {"patch_size": patch_size}
    net = net_of(n_channels=4, shared=True, target_channels=(2, 0), **options)
    alone = net_of(n_channels=3, target_channels=(0,), **options)
    alone.load_state_dict(net.state_dict())
    x, lengths = batch_of(n_channels=4)
    targets = targets_of(5)
    outputs = net(x, lengths, targets=targets, teacher_forcing=1.0)
    of_each = zip((2, 0), columns_of_each(outputs), columns_of_each(targets), strict=True)
    for channel, columns, truth in of_each:
        assert_close(columns, alone(x[..., [channel, 1, 3]], lengths, targets=truth, teacher_forcing=1.0))


def test_attention_of_a_shared_net_stands_channel_by_channel():
    net = net_of(n_channels=4, shared=True, target_channels=(2, 0), attention="dot")
    alone = net_of(n_channels=3, target_channels=(0,), attention="dot")
    alone.load_state_dict(net.state_dict())
    x, lengths = batch_of(n_channels=4)
    weights = net.attend(x, lengths)
    assert weights.shape == (4, 2 * HORIZON, STEPS)
    assert_close(weights[:, :HORIZON], alone.attend(x[..., [2, 1, 3]], lengths))
    assert_close(weights[:, HORIZON:], alone.attend(x[..., [0, 1, 3]], lengths))


# -- the estimator -------------------------------------------------------------------------------------------------

WINDOW = 5


def two_series(n_first=17, n_second=9):
    """Windows of two series in one base, the second at another level."""
    base = np.random.RandomState(0).randn(n_first + n_second, N_CHANNELS).cumsum(axis=0)
    base[n_first:] += 10.0
    ends = np.arange(len(base))
    return Windows(base, ends, np.where(ends < n_first, 0, n_first), (ends >= n_first).astype(int), WINDOW)


def parts_of(windows):
    return [block[~np.isnan(block).all(axis=1)] for block in windows]


ESTIMATORS = {
    "lstm": {},
    "attention, both directions": {"cell": "gru", "attention": "additive", "bidirectional": True, "n_layers": 2},
    "dot, shared, patches": {"cell": "gru", "attention": "dot", "channels": "shared", "patch_size": 2},
    "direct, skip": {"cell": "rnn", "decoder": "direct", "linear_skip": True, "conv_channels": 4},
    "parallel, gaussian": {"decoder": "parallel", "loss": "gaussian", "bidirectional": True},
    "skip, quantiles, two nets": {"loss": "quantile", "linear_skip": True, "n_nets": 2, "layer_norm": True},
    "known ahead": {"cell": "gru", "future_channels": [2], "channels": "shared", "window_scaling": "last_standard"},
    "student_t, standard": {"cell": "gru", "loss": "student_t", "window_scaling": "standard"},
}
patches_are_padded = pytest.mark.filterwarnings("ignore:patch_size=2 does not divide")


@patches_are_padded
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_row_in_company_predicts_what_it_predicts_alone(name, dtype):
    X = two_series()
    model = Seq2SeqForecaster(hidden_size=HIDDEN, horizon=3, max_epochs=2, random_state=0, dtype=dtype)
    model.set_params(**ESTIMATORS[name]).fit(X, X.base[:, [1, 0]])
    assert model.target_channels_.tolist() == [1, 0]
    parts, ways = parts_of(X), [model.predict]
    assert {len(part) for part in parts} == {1, 2, 3, 4, 5}
    if model.loss != "squared_error":
        ways += [model.predict_quantiles, lambda rows: np.stack(model.predict(rows, return_std=True), axis=-1)]
    for predict in ways:
        alone = np.concatenate([predict(part[None]) for part in parts])
        assert alone.shape[:3] == (len(X), 3, 2)
        bar = (1e-10 if dtype == "float64" else 2e-6) * max(1.0, np.ptp(alone))
        for rows in (X, parts, np.asarray(X)):
            np.testing.assert_allclose(predict(rows), alone, rtol=bar, atol=bar)
        np.testing.assert_allclose(predict(X[::-3]), alone[::-3], rtol=bar, atol=bar)


@pytest.mark.parametrize("window_scaling", [None, "last", "standard", "last_standard"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_forecasts_of_windows_follow_the_equations(cell, window_scaling):
    """From the data to the forecast: a decoder reads its own values in the units of the window, at any step."""
    series = np.random.default_rng(4).normal(size=31).cumsum() + 5
    X = SlidingWindowTransformer(WINDOW).fit_transform(series[:, None])
    model = Seq2SeqForecaster(cell, hidden_size=HIDDEN, horizon=HORIZON, max_epochs=2, dtype="float64", random_state=0)
    model.set_params(attention="additive", window_scaling=window_scaling).fit(X, series)
    windows = [series[max(0, t + 1 - WINDOW) : t + 1] for t in range(len(series))]
    learns = windows[:-1]  # the last row has no future
    every_step = np.concatenate(learns)
    mean, sd = every_step.mean(), every_step.std()
    offset, unit = np.full(len(series), mean), np.full(len(series), sd)
    if window_scaling is not None:
        offset = np.array([w.mean() if window_scaling == "standard" else w[-1] for w in windows])
        if window_scaling == "last":
            unit[:] = np.sqrt(np.mean(np.concatenate([w - w[-1] for w in learns]) ** 2))
        else:
            least = 0.2 * np.median([w.std() for w in learns])
            unit = np.array([max(w.std(), least) for w in windows])
    net = model.net_.module_
    expected = []
    for w, a, b in zip(windows, offset, unit, strict=True):
        scaled = torch.from_numpy((w - a) / b)[:, None]
        expected.append(reference(net, scaled)[0].detach().numpy().ravel() * b + a)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)


def noisy_rows(n_rows=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, STEPS, N_CHANNELS)), rng.normal(size=(n_rows, HORIZON))


def test_no_truth_is_fed_where_rows_are_judged():
    """valid_mae is the error of `predict`, though training feeds every true value."""
    (X, y), (X_val, y_val) = noisy_rows(), noisy_rows(23)
    model = Seq2SeqForecaster("gru", hidden_size=HIDDEN, teacher_forcing=1.0, max_epochs=4, lr=0.03, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    best = model.history_["valid_loss"].idxmin()
    error = np.abs(model.predict(X_val) - y_val).mean()
    assert error == pytest.approx(model.history_.loc[best, "valid_mae"], rel=1e-6)
    model.net_.module_.train()  # as a callback may have left it
    np.testing.assert_array_equal(model.predict(X), model.predict(X))


@pytest.mark.parametrize("teacher_forcing", [0.0, 0.3, 1.0, "linear", "exponential", "inverse_sigmoid"])
def test_the_ratio_falls_update_by_update(teacher_forcing, monkeypatch):
    seen = []
    forward = Seq2SeqModel.forward

    def recorded(self, *args, **how):
        if self.training and "teacher_forcing" in how:
            seen.append(how["teacher_forcing"])
        return forward(self, *args, **how)

    monkeypatch.setattr(Seq2SeqModel, "forward", recorded)
    X, y = noisy_rows()
    model = Seq2SeqForecaster("rnn", hidden_size=3, teacher_forcing=teacher_forcing, batch_size=8, max_epochs=4)
    model.set_params(random_state=0).fit(X, y)
    share = np.arange(20) / 20
    expected = {
        "linear": 1 - share,
        "exponential": 0.01**share,
        "inverse_sigmoid": 1 / (1 + np.exp(10 * (share - 0.5))),
    }.get(teacher_forcing, np.full(20, teacher_forcing))
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


def test_fits_bear_unknown_targets_and_feed_none():
    X, y = noisy_rows()
    y[::3, 1] = np.nan
    y[1::3, 3:] = np.nan
    model = Seq2SeqForecaster("gru", hidden_size=HIDDEN, teacher_forcing=1.0, max_epochs=3, dtype="float64")
    model.set_params(random_state=0).fit(X, y)
    module, sequences = model.net_.module_, torch.from_numpy((X - X.mean((0, 1))) / X.std((0, 1)))
    assert np.isfinite(model.predict(X)).all()
    known = torch.from_numpy(y)
    zeros = known.nan_to_num(0.0)
    with torch.no_grad():
        fed = [module(sequences, targets=values, teacher_forcing=1.0) for values in (known, zeros)]
    assert not fed[0].isnan().any()
    assert not torch.allclose(*fed)  # a zero in place of NaN would be fed


@pytest.mark.parametrize("horizon", [2, 9])
def test_other_horizons_of_a_fitted_net(horizon):
    series = np.random.default_rng(4).normal(size=(31, 2)).cumsum(axis=0)
    X = SlidingWindowTransformer(WINDOW).fit_transform(series)
    model = Seq2SeqForecaster("gru", hidden_size=HIDDEN, horizon=HORIZON, max_epochs=2, random_state=0).fit(X, series)
    forecast, usual = model.predict(X, horizon=horizon), model.predict(X)
    assert forecast.shape == (31, horizon, 2)
    both = min(horizon, HORIZON)
    np.testing.assert_allclose(forecast[:, :both], usual[:, :both], rtol=1e-12)
    assert np.ptp(forecast[:, -1]) > 0.1
