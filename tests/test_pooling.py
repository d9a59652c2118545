"""Pooling against a loop over each row's valid steps; padding counts for nothing."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skrnn.nn._models import SequenceModel
from skrnn.nn._pooling import POOLINGS, Pooling
from skrnn.nn._recurrent import CELLS, LayerOutputs, RecurrentStack
from skrnn.nn._reference import last_step

BATCH, STEPS, N_FEATURES, N_CHANNELS = 5, 7, 3, 2
LENGTHS = torch.tensor([4, 7, 1, 2, 7])
VALID = torch.arange(STEPS) < LENGTHS[:, None]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}

each_kind = pytest.mark.parametrize("kind", POOLINGS)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])


def pooling_of(kind, dtype=torch.float64, n_features=N_FEATURES):
    """A pooling whose weights are large enough to tell steps apart, and whose bias is not zero."""
    generator = torch.Generator().manual_seed(2)
    pooling = Pooling(kind, n_features, generator)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    return pooling.to(dtype)


def steps_of(dtype=torch.float64, n_steps=STEPS, seed=1):
    return torch.randn(BATCH, n_steps, N_FEATURES, generator=torch.Generator().manual_seed(seed)).to(dtype)


def outputs_of(steps, lengths=LENGTHS):
    final = steps[:, -1] if lengths is None else last_step(steps, lengths)
    return LayerOutputs(steps, [(final,)], lengths)


def pooled_by_loop(pooling, rows):
    """`rows`: the valid steps of each row, arrays (length, features)."""
    weights = {name: value.detach().numpy().astype(float) for name, value in pooling.named_parameters()}
    pooled = []
    for row in rows:
        if pooling.kind == "last":
            pooled.append(row[-1])
        elif pooling.kind == "mean":
            pooled.append(sum(row) / len(row))
        elif pooling.kind == "max":
            pooled.append([max(column) for column in row.T])
        elif pooling.kind == "mean_max":
            pooled.append(np.concatenate([row.mean(axis=0), row.max(axis=0)]))
        else:  # Yang et al. 2016: u_t = tanh(W h_t + b), a_t = exp(u_t v) / sum, s = sum of a_t h_t
            u = [np.tanh(weights["projection.weight"] @ h + weights["projection.bias"]) for h in row]
            e = np.exp([(weights["query.weight"] @ u_t).item() for u_t in u])
            pooled.append(sum(a * h for a, h in zip(e / e.sum(), row, strict=True)))
    return np.array(pooled)


@each_dtype
@each_kind
@pytest.mark.parametrize("lengths", [LENGTHS, None], ids=["ragged", "full"])
def test_each_pooling_equals_a_loop_over_valid_steps(kind, dtype, lengths):
    pooling, steps = pooling_of(kind, dtype), steps_of(dtype)
    rows = [row[:length].numpy().astype(float) for row, length in zip(steps, LENGTHS, strict=True)]
    if lengths is None:
        rows = list(steps.numpy().astype(float))
    ours = pooling(outputs_of(steps, lengths)).detach()
    assert ours.dtype == dtype
    assert ours.shape == (BATCH, pooling.output_size) == (BATCH, 6 if kind == "mean_max" else 3)
    np.testing.assert_allclose(ours, pooled_by_loop(pooling, rows), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@each_dtype
@each_kind
@pytest.mark.parametrize("filling", [1e6, -1e6, 1e30], ids=str)
def test_padding_does_not_matter_whatever_it_holds(kind, dtype, filling):
    pooling, steps = pooling_of(kind, dtype), steps_of(dtype)
    filled = torch.where(VALID[..., None], steps, filling)
    assert torch.equal(pooling(outputs_of(filled)), pooling(outputs_of(steps)))


@each_kind
def test_a_row_in_a_batch_is_pooled_as_the_row_alone(kind):
    pooling, steps = pooling_of(kind), steps_of()
    together = pooling(outputs_of(steps))
    for row, length in enumerate(LENGTHS):
        alone = pooling(outputs_of(steps[row : row + 1, :length], None))[0]
        torch.testing.assert_close(together[row], alone, rtol=1e-12, atol=1e-12)


@each_kind
def test_negative_steps_are_not_outdone_by_masked_ones(kind):
    """A mask that puts zeros in place of padding would be the maximum of negative steps."""
    pooling, steps = pooling_of(kind), -1 - steps_of().abs()
    assert (pooling(outputs_of(steps)) < -1).all()


# -- attention -----------------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("valid", [VALID, None], ids=["ragged", "full"])
def test_attention_is_shared_among_valid_steps(dtype, valid):
    pooling, steps = pooling_of("attention", dtype), steps_of(dtype)
    share = pooling.attention(steps, valid).detach()
    assert share.shape == (BATCH, STEPS, 1)
    np.testing.assert_allclose(share.sum(dim=1), np.ones((BATCH, 1)), rtol=TOLERANCE[dtype])
    valid = torch.ones_like(VALID) if valid is None else valid
    assert (share[~valid] == 0).all()
    assert (share[valid] > 0).all()
    assert share[1].max() > 1.5 * share[1].min()


def test_attention_without_scores_is_the_mean():
    pooling, steps = pooling_of("attention"), steps_of()
    with torch.no_grad():
        pooling.query.weight.zero_()
    mean = pooling_of("mean")(outputs_of(steps))
    torch.testing.assert_close(pooling(outputs_of(steps)), mean, rtol=1e-12, atol=1e-12)


def test_attention_goes_where_the_score_is_high():
    pooling, steps = pooling_of("attention"), steps_of()
    with torch.no_grad():
        pooling.query.weight *= 1e4
    scores = pooling.query(pooling.projection(steps).tanh())[..., 0].masked_fill(~VALID, -torch.inf)
    best = steps[torch.arange(BATCH), scores.argmax(dim=1)]
    torch.testing.assert_close(pooling(outputs_of(steps)), best)


def test_only_attention_has_weights_and_they_are_drawn_glorot():
    for kind in POOLINGS:
        vectors = []
        for seed in (1, 1, 2):
            pooling = Pooling(kind, 40, torch.Generator().manual_seed(seed))
            vectors.append([parameter.detach() for parameter in pooling.parameters()])
        if kind != "attention":
            assert vectors == [[], [], []]
            continue
        weight, bias, query = vectors[0]
        assert (bias == 0).all()
        for value, fans in [(weight, 40 + 40), (query, 40 + 1)]:
            assert 0.9 * (6 / fans) ** 0.5 < value.abs().max() <= (6 / fans) ** 0.5
        assert all(torch.equal(*pair) for pair in zip(vectors[0], vectors[1], strict=True))
        assert not torch.equal(vectors[0][0], vectors[2][0])
        assert not torch.equal(vectors[0][2], vectors[2][2])


# -- gradients -----------------------------------------------------------------------------------------------------


@each_kind
def test_gradients_reach_valid_steps_only(kind):
    pooling, steps = pooling_of(kind), steps_of().requires_grad_()
    assert torch.autograd.gradcheck(lambda steps: pooling(outputs_of(steps)), (steps,), fast_mode=True)
    (gradient,) = torch.autograd.grad(pooling(outputs_of(steps)).sum(), steps)
    assert (gradient[~VALID] == 0).all()
    assert gradient[VALID].isfinite().all()
    reached = (gradient != 0).any(dim=2)
    expected = torch.arange(STEPS) == LENGTHS[:, None] - 1 if kind == "last" else VALID
    if kind == "max":
        assert (reached.sum(dim=1) <= N_FEATURES).all()
        assert reached[VALID].any()
    else:
        assert torch.equal(reached, expected)


# -- behind recurrent layers ---------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_of_both_directions_are_pooled_where_they_stand(cell, kind):
    """Against torch's own bidirectional layer over packed sequences."""
    generator = torch.Generator().manual_seed(4)
    stack = RecurrentStack(cell, N_CHANNELS, N_FEATURES, 1, True, 0.0, generator).double()
    theirs = CELLS[cell](N_CHANNELS, N_FEATURES, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for ours_p, theirs_p in zip(stack.parameters(), theirs.parameters(), strict=True):
            theirs_p.copy_(ours_p)
    x = torch.randn(BATCH, STEPS, N_CHANNELS, generator=generator).double()
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    padded, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)  # (batch, steps, 2 * features)
    rows = [row[:length].detach().numpy() for row, length in zip(padded, LENGTHS, strict=True)]
    pooling = pooling_of(kind, n_features=2 * N_FEATURES)
    expected = pooled_by_loop(pooling, rows)
    if kind == "last":  # each direction where it ends, the backward one at the first step
        expected[:, N_FEATURES:] = [row[0, N_FEATURES:] for row in rows]
    outputs = stack(torch.where(VALID[..., None], x, 1e6), LENGTHS)
    np.testing.assert_allclose(pooling(outputs).detach(), expected, rtol=1e-12, atol=1e-12)


@each_kind
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_head_reads_what_is_pooled(kind, bidirectional):
    shape = {"n_channels": N_CHANNELS, "n_outputs": 5, "hidden_size": N_FEATURES, "bidirectional": bidirectional}
    net = SequenceModel("gru", **shape, pooling=kind, seed=1, dtype=torch.float64)
    n_features = N_FEATURES * (2 if bidirectional else 1) * (2 if kind == "mean_max" else 1)
    assert net.head.linear.in_features == n_features
    x = torch.randn(BATCH, STEPS, N_CHANNELS, generator=torch.Generator().manual_seed(1)).double()
    features = net.pooling(net.encoder(x, LENGTHS))
    assert features.shape == (BATCH, n_features)
    assert torch.equal(net(x, LENGTHS), net.head(features))


def test_without_pooling_the_head_reads_each_step():
    net = SequenceModel("gru", N_CHANNELS, 5, N_FEATURES, bidirectional=True, pooling=None, dtype=torch.float64)
    x = torch.randn(BATCH, STEPS, N_CHANNELS, generator=torch.Generator().manual_seed(1)).double()
    outputs = net(x, LENGTHS)
    assert outputs.shape == (BATCH, STEPS, 5)
    assert torch.equal(outputs, net.head(net.encoder(x, LENGTHS).steps()))


@pytest.mark.parametrize("kind", POOLINGS)
def test_a_state_that_grows_to_infinity_in_the_padding_does_not_matter(kind):
    net = SequenceModel("rnn_relu", 1, 1, 2, pooling=kind, seed=0)
    recurrence = net.encoder.recurrent.recurrences[0]
    with torch.no_grad():
        recurrence.weight_hh_l0.copy_(1.5 * torch.eye(2))
        recurrence.weight_ih_l0.fill_(1.0)
    x = torch.full((2, 300, 1), -10.0)
    x[1] = 0
    x[1, 0] = 1.0
    together = net(x, torch.tensor([300, 1]))[1]
    assert torch.isfinite(together).all()
    assert torch.allclose(together, net(x[1:, :1])[0])
