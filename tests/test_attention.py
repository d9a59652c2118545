"""Attention of a decoder over the steps of the encoder: its equations, its mask, its weights in the user's hands."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer
from skrnn.nn._attention import Attention

BATCH, QUERIES, STEPS, QUERY_SIZE = 3, 2, 7, 5
LENGTHS = (7, 1, 4)

each_kind = pytest.mark.parametrize("kind", ["additive", "dot"])
each_size = pytest.mark.parametrize("memory_size", [QUERY_SIZE, 2 * QUERY_SIZE])
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of 2 epochs


def attention_of(kind, memory_size, size=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    attention = Attention(kind, QUERY_SIZE, memory_size, generator).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return attention


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask_of(lengths=LENGTHS):
    return torch.arange(STEPS) < torch.tensor(lengths)[:, None]


@each_size
@each_kind
@pytest.mark.parametrize("masked", [False, True])
def test_contexts_follow_the_equations(kind, memory_size, masked):
    """Bahdanau et al. 2015, appendix A.1.2 (with a bias); Luong et al. 2015, equations 7 and 8."""
    attention = attention_of(kind, memory_size)
    query, steps = drawn(BATCH, QUERIES, QUERY_SIZE), drawn(BATCH, STEPS, memory_size, seed=2)
    with torch.no_grad():
        keys = attention.project_keys(steps)
        context, weights = (part.numpy() for part in attention(query, keys, steps, mask_of() if masked else None))
    weight = {name: parameter.detach().numpy() for name, parameter in attention.named_parameters()}
    if kind == "dot":
        assert set(weight) == (set() if memory_size == QUERY_SIZE else {"project_keys.weight"})
    for row in range(BATCH):
        for k, s in enumerate(query[row].numpy()):
            odds = np.zeros(STEPS)
            for j, h in enumerate(steps[row].numpy()[: LENGTHS[row] if masked else STEPS]):
                if kind == "additive":
                    U, b, W = weight["project_keys.weight"], weight["project_keys.bias"], weight["project_query.weight"]
                    odds[j] = np.exp(weight["score.weight"][0] @ np.tanh(W @ s + U @ h + b))
                else:
                    odds[j] = np.exp(s @ weight.get("project_keys.weight", np.eye(QUERY_SIZE)) @ h)
            np.testing.assert_allclose(weights[row, k], odds / odds.sum(), rtol=1e-10)
            mean = (odds / odds.sum()) @ steps[row].numpy()
            np.testing.assert_allclose(context[row, k], mean, rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(["additive", "dot"]),
    size=st.floats(1e-3, 1e4),
    lengths=st.lists(st.integers(1, STEPS), min_size=BATCH, max_size=BATCH),
    seed=st.integers(0, 10**6),
)
def test_weights_add_up_to_1_and_padding_has_none(kind, size, lengths, seed):
    attention, valid = attention_of(kind, 2 * QUERY_SIZE, size, seed), mask_of(lengths)
    query, steps = size * drawn(BATCH, QUERIES, QUERY_SIZE, seed=seed), drawn(BATCH, STEPS, 2 * QUERY_SIZE)
    context, weights = attention(query, attention.project_keys(steps), steps, valid)
    assert weights.shape == (BATCH, QUERIES, STEPS)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(BATCH, QUERIES, dtype=torch.float64))
    assert (weights.transpose(1, 2)[~valid] == 0).all()
    assert context.isfinite().all()


@each_kind
@pytest.mark.parametrize("beyond", [1e30, torch.inf, torch.nan])
def test_what_stands_in_the_padding_does_not_matter(kind, beyond):
    attention, valid = attention_of(kind, 2 * QUERY_SIZE), mask_of()
    query, steps = drawn(BATCH, QUERIES, QUERY_SIZE), drawn(BATCH, STEPS, 2 * QUERY_SIZE)
    other = torch.where(valid[..., None], steps, beyond)
    for a, b in zip(
        attention(query, attention.project_keys(steps), steps, valid),
        attention(query, attention.project_keys(other), other, valid),
        strict=True,
    ):
        assert torch.equal(a, b)


@each_size
@each_kind
def test_gradients(kind, memory_size):
    attention, valid = attention_of(kind, memory_size), mask_of()

    def context(query, steps):
        return attention(query, attention.project_keys(steps), steps, valid)[0]

    query, steps = drawn(BATCH, QUERIES, QUERY_SIZE), drawn(BATCH, STEPS, memory_size)
    assert torch.autograd.gradcheck(context, (query.requires_grad_(), steps.requires_grad_()), fast_mode=True)


@each_kind
def test_initial_weights_come_from_the_generator_only(kind):
    found = []
    for seed, global_seed in [(1, 10), (1, 11), (2, 10)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(global_seed)
            attention = Attention(kind, QUERY_SIZE, 2 * QUERY_SIZE, torch.Generator().manual_seed(seed))
            found.append(torch.cat([parameter.detach().ravel() for parameter in attention.parameters()]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


# -- fitted --------------------------------------------------------------------------------------------------------


def fitted(X, y, **params):
    model = Seq2SeqForecaster("gru", hidden_size=4, attention="dot", max_epochs=2, random_state=0, dtype="float64")
    return model.set_params(**params).fit(X, y)


@pytest.mark.parametrize("decoder", ["autoregressive", "parallel"])
@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_weights_of_windows_stand_where_their_steps_stand(decoder, attention, n_outputs):
    series = np.random.default_rng(0).normal(size=(29, 2)).cumsum(axis=0)
    X = SlidingWindowTransformer(7).fit_transform(series)
    model = fitted(X, series[:, :n_outputs], horizon=3, decoder=decoder, attention=attention)
    weights = model.attention_weights(X)
    assert weights.shape == (29, 3, 7)
    padding = np.isnan(X).all(axis=2)
    assert padding.any()
    np.testing.assert_array_equal(np.isnan(weights), np.broadcast_to(padding[:, None], weights.shape))
    np.testing.assert_allclose(np.nansum(weights, axis=2), 1.0)
    alone = np.concatenate([model.attention_weights(row[~np.isnan(row).all(axis=1)][None]) for row in X[2:3]])
    np.testing.assert_allclose(weights[2:3, :, -3:], alone, rtol=1e-9)


def test_weights_of_patches_and_of_a_shared_net():
    series = np.random.default_rng(0).normal(size=(29, 2)).cumsum(axis=0)
    X = SlidingWindowTransformer(6).fit_transform(series)
    model = fitted(X, series, horizon=3, patch_size=2, channels="shared")
    weights = model.attention_weights(X)
    assert weights.shape == (29, 2 * 2, 3)  # two channels of two segments each
    np.testing.assert_allclose(np.nansum(weights, axis=2), 1.0)
    assert np.isnan(weights[0]).sum() == 4 * 2  # of a window of one step only the last patch is there
    assert np.abs(weights[:, :2] - weights[:, 2:])[5:].max() > 1e-3


def test_ragged_rows_stand_from_0_on():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)) for length in (3, 5, 2, 5, 1)]
    weights = fitted(X, rng.normal(size=(5, 4))).attention_weights(X)
    assert weights.shape == (5, 4, 5)
    for row, sequence in zip(weights, X, strict=True):
        np.testing.assert_allclose(row[:, : len(sequence)].sum(axis=1), 1.0)
        assert np.isnan(row[:, len(sequence) :]).all()


@pytest.mark.parametrize("params", [{"attention": None}, {"attention": "dot", "decoder": "direct"}], ids=str)
def test_without_attention_there_are_no_weights(params):
    model = Seq2SeqForecaster(**params)
    assert not hasattr(model, "attention_weights")
    with pytest.raises(AttributeError) as raised:
        _ = model.attention_weights
    assert "attention_weights needs attention='additive' or 'dot'" in str(raised.value.__cause__)


def test_a_net_learns_where_to_look():
    """The answer to each row is the step that is marked, wherever it stands: a state of two numbers holds it not."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(size=(300, 7)), np.eye(7)[rng.integers(7, size=300)]], axis=2)
    y = (X[..., 0] * X[..., 1]).sum(axis=1)
    model = Seq2SeqForecaster("gru", hidden_size=8, attention="additive", lr=0.03, max_epochs=60, random_state=0)
    model.set_params(batch_size=50, dtype="float32").fit(X, y)
    assert model.score(X, y) > 0.9
    weights = model.attention_weights(X)[:, 0]
    assert weights[X[..., 1] == 1].mean() > 3 / 7
