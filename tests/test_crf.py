"""Conditional random field: every quantity against all paths written out, and what padding may not change."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn.nn._crf import LinearChainCRF

BATCH, STEPS, TAGS = 5, 4, 3
LENGTHS = (4, 1, 3, 2, 4)


def crf_of(size=1.0, seed=0, n_tags=TAGS):
    generator = torch.Generator().manual_seed(seed)
    crf = LinearChainCRF(n_tags).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return crf


def drawn(*shape, size=1.0, seed=1):
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn_tags(seed=2, low=0):
    return torch.randint(low, TAGS, (BATCH, STEPS), generator=torch.Generator().manual_seed(seed))


def numbers(crf):
    return (parameter.detach().numpy() for parameter in (crf.transitions, crf.start, crf.end))


def all_paths(crf, scores):
    """Every path of one sequence and its score, one addition after the other: scores (steps, n_tags)."""
    transitions, start, end = numbers(crf)
    paths = list(itertools.product(range(scores.shape[1]), repeat=len(scores)))
    totals = []
    for path in paths:
        total = start[path[0]] + end[path[-1]]
        for step, tag in enumerate(path):
            total += scores[step, tag]
        for one, other in itertools.pairwise(path):
            total += transitions[one, other]
        totals.append(total)
    return np.array(paths), np.array(totals)


def log_sum(values):
    return np.logaddexp.reduce(values)


def each_sequence(crf, scores, lengths=LENGTHS):
    for row, length in enumerate(lengths):
        yield row, length, *all_paths(crf, scores[row, :length].numpy())


def agree(paths, known):
    """Which paths have the known tags."""
    return np.array([all(k in (-1, tag) for k, tag in zip(known, path, strict=True)) for path in paths])


each_lengths = pytest.mark.parametrize("lengths", [None, LENGTHS])


def tensor_or_none(lengths):
    return None if lengths is None else torch.tensor(lengths)


@each_lengths
@pytest.mark.parametrize("size", [1.0, 300.0])
def test_log_partition_sums_over_all_paths(lengths, size):
    crf, scores = crf_of(size), drawn(BATCH, STEPS, TAGS, size=size)
    found = crf.log_partition(scores, tensor_or_none(lengths)).detach().numpy()
    assert found.shape == (BATCH,)
    for row, _, _, totals in each_sequence(crf, scores, lengths or (STEPS,) * BATCH):
        np.testing.assert_allclose(found[row], log_sum(totals), rtol=1e-13)


@each_lengths
def test_path_score_adds_up_one_path(lengths):
    crf, scores, tags = crf_of(), drawn(BATCH, STEPS, TAGS), drawn_tags()
    found = crf.path_score(scores, tags, tensor_or_none(lengths)).detach().numpy()
    for row, length, paths, totals in each_sequence(crf, scores, lengths or (STEPS,) * BATCH):
        place = (paths == tags[row, :length].numpy()).all(axis=1)
        np.testing.assert_allclose(found[row], totals[place], rtol=1e-13)


@settings(deadline=None, max_examples=40)
@given(
    size=st.sampled_from([0.0, 0.1, 1.0, 50.0]),
    lengths=st.lists(st.integers(1, STEPS), min_size=BATCH, max_size=BATCH),
    seed=st.integers(0, 10**6),
)
def test_marginals_and_viterbi_are_those_of_all_paths(size, lengths, seed):
    crf, scores = crf_of(size, seed), drawn(BATCH, STEPS, TAGS, size=size, seed=seed)
    with torch.no_grad():
        marginals = crf.marginals(scores, torch.tensor(lengths)).numpy()
        best = crf.viterbi(scores, torch.tensor(lengths))
    assert best.dtype == torch.int64
    for row, length, paths, totals in each_sequence(crf, scores, lengths):
        odds = np.exp(totals - log_sum(totals))
        for step in range(length):
            expected = np.bincount(paths[:, step], weights=odds, minlength=TAGS)
            np.testing.assert_allclose(marginals[row, step], expected, rtol=1e-10, atol=1e-13)
        assert (marginals[row, length:] == 0).all()
        if size > 0:
            assert best[row, :length].tolist() == paths[totals.argmax()].tolist()
        assert (best[row, length:] == 0).all()


def test_viterbi_takes_the_lower_of_tags_that_are_as_good():
    assert crf_of(0.0).viterbi(torch.zeros(2, 5, TAGS, dtype=torch.float64)).tolist() == [[0] * 5] * 2


@each_lengths
@pytest.mark.parametrize("seed", range(3))
def test_unknown_tags_are_summed_over(lengths, seed):
    crf, scores, tags = crf_of(2.0), drawn(BATCH, STEPS, TAGS), drawn_tags(seed, low=-1)
    assert (tags == -1).any()
    found = crf.constrained_log_partition(scores, tags, tensor_or_none(lengths)).detach().numpy()
    loss = crf.negative_log_likelihood(scores, tags, tensor_or_none(lengths)).detach().numpy()
    for row, length, paths, totals in each_sequence(crf, scores, lengths or (STEPS,) * BATCH):
        agreeing = log_sum(totals[agree(paths, tags[row, :length])])
        np.testing.assert_allclose(found[row], agreeing, rtol=1e-12)
        np.testing.assert_allclose(loss[row], log_sum(totals) - agreeing, rtol=1e-10, atol=1e-12)


def test_known_tags_alone_and_none_at_all():
    crf, scores, tags, lengths = crf_of(), drawn(BATCH, STEPS, TAGS), drawn_tags(), torch.tensor(LENGTHS)
    torch.testing.assert_close(
        crf.constrained_log_partition(scores, tags, lengths), crf.path_score(scores, tags, lengths)
    )
    none = torch.full_like(tags, -1)
    assert torch.equal(crf.constrained_log_partition(scores, none, lengths), crf.log_partition(scores, lengths))
    assert (crf.negative_log_likelihood(scores, none, lengths) == 0).all()


@each_lengths
def test_weights_multiply_the_surprise_at_each_tag_given_the_tags_before_it(lengths):
    crf, scores, tags = crf_of(2.0), drawn(BATCH, STEPS, TAGS), drawn_tags(low=-1)
    weights = drawn(BATCH, STEPS, seed=3).abs()
    weights[0, 1] = 0
    found = crf.negative_log_likelihood(scores, tags, tensor_or_none(lengths), weights).detach().numpy()
    known = tags.masked_fill(weights == 0, -1).numpy()
    for row, length, paths, totals in each_sequence(crf, scores, lengths or (STEPS,) * BATCH):
        expected = 0.0
        for step in range(length):
            before, now = np.full(length, -1), np.full(length, -1)
            before[:step], now[: step + 1] = known[row, :step], known[row, : step + 1]
            log_p = log_sum(totals[agree(paths, now)]) - log_sum(totals[agree(paths, before)])
            expected -= weights[row, step].item() * log_p
        np.testing.assert_allclose(found[row], expected, rtol=1e-10)


@pytest.mark.parametrize("low", [0, -1])
def test_equal_weights_scale_the_likelihood(low):
    crf, scores, tags, lengths = crf_of(), drawn(BATCH, STEPS, TAGS), drawn_tags(low=low), torch.tensor(LENGTHS)
    plain = crf.negative_log_likelihood(scores, tags, lengths)
    weights = torch.full((BATCH, STEPS), 2.5, dtype=torch.float64)
    torch.testing.assert_close(crf.negative_log_likelihood(scores, tags, lengths, weights), 2.5 * plain)


def test_weight_0_is_an_unknown_tag():
    crf, scores, tags, lengths = crf_of(), drawn(BATCH, STEPS, TAGS), drawn_tags(), torch.tensor(LENGTHS)
    kept = drawn(BATCH, STEPS, seed=4) > 0
    torch.testing.assert_close(
        crf.negative_log_likelihood(scores, tags, lengths, kept.double()),
        crf.negative_log_likelihood(scores, tags.masked_fill(~kept, -1), lengths),
    )


def test_gradient_is_what_is_expected_less_what_was_seen():
    crf, tags, lengths = crf_of(), drawn_tags(), torch.tensor(LENGTHS)
    scores = drawn(BATCH, STEPS, TAGS).requires_grad_()
    crf.negative_log_likelihood(scores, tags, lengths).sum().backward()
    valid = (torch.arange(STEPS) < lengths[:, None])[..., None]
    seen = torch.nn.functional.one_hot(tags, TAGS) * valid
    torch.testing.assert_close(scores.grad, crf.marginals(scores, lengths).detach() - seen, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("low", [0, -1])
def test_gradients(weighted, low):
    crf, tags, lengths = crf_of(), drawn_tags(low=low), torch.tensor(LENGTHS)
    weights = drawn(BATCH, STEPS, seed=3).abs() if weighted else None
    scores = drawn(BATCH, STEPS, TAGS).requires_grad_()

    def loss(scores, *parameters):
        return torch.func.functional_call(Loss(crf), dict(zip(NAMES, parameters, strict=True)), (scores,))

    class Loss(torch.nn.Module):
        def __init__(self, crf):
            super().__init__()
            self.crf = crf

        def forward(self, scores):
            return self.crf.negative_log_likelihood(scores, tags, lengths, weights)

    NAMES = [name for name, _ in Loss(crf).named_parameters()]
    assert torch.autograd.gradcheck(loss, (scores, *crf.parameters()), fast_mode=True)


@pytest.mark.parametrize("beyond", [0.0, -1e30, 1e30, torch.inf, torch.nan])
def test_what_stands_in_the_padding_does_not_matter(beyond):
    crf, tags, lengths = crf_of(), drawn_tags(low=-1), torch.tensor(LENGTHS)
    weights = drawn(BATCH, STEPS, seed=3).abs()
    scores = drawn(BATCH, STEPS, TAGS)
    valid = torch.arange(STEPS) < lengths[:, None]
    found = []
    for padding, tag in [(7.0, 1), (beyond, -1), (beyond, TAGS + 2)]:
        padded = scores.masked_fill(~valid[..., None], padding).requires_grad_()
        all_tags, known = tags.masked_fill(~valid, tag), tags.clamp(min=0).masked_fill(~valid, tag)
        results = [
            crf.log_partition(padded, lengths),
            crf.path_score(padded, known, lengths),
            crf.negative_log_likelihood(padded, all_tags, lengths),
            crf.negative_log_likelihood(padded, known, lengths),
            crf.negative_log_likelihood(padded, all_tags, lengths, weights.masked_fill(~valid, padding)),
        ]
        gradient = torch.autograd.grad(sum(result.sum() for result in results), [padded, *crf.parameters()])
        assert (gradient[0][~valid] == 0).all()
        found.append([*results, *gradient, crf.viterbi(padded, lengths), crf.marginals(padded, lengths)])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


def test_a_sequence_does_not_depend_on_its_batch():
    crf, scores, tags, lengths = crf_of(), drawn(BATCH, STEPS, TAGS), drawn_tags(), torch.tensor(LENGTHS)
    for row, length in enumerate(LENGTHS):
        alone, own = scores[row : row + 1, :length], tags[row : row + 1, :length]
        for name, args, all_args in [
            ("log_partition", (alone,), (scores, lengths)),
            ("path_score", (alone, own), (scores, tags, lengths)),
            ("negative_log_likelihood", (alone, own), (scores, tags, lengths)),
            ("viterbi", (alone,), (scores, lengths)),
            ("marginals", (alone,), (scores, lengths)),
        ]:
            result = getattr(crf, name)(*all_args)[row]
            expected = getattr(crf, name)(*args)[0]
            torch.testing.assert_close(result[:length] if result.ndim else result, expected, rtol=1e-13, atol=1e-14)


def test_a_sequence_without_steps_has_the_empty_path():
    crf, scores, tags = crf_of(), drawn(2, STEPS, TAGS), drawn_tags()[:2]
    lengths = torch.tensor([0, 3])
    scores.requires_grad_()
    loss = crf.negative_log_likelihood(scores, tags, lengths)
    weighted = crf.negative_log_likelihood(scores, tags, lengths, torch.ones(2, STEPS))
    assert crf.log_partition(scores, lengths)[0] == crf.path_score(scores, tags, lengths)[0] == 0
    assert loss[0] == weighted[0] == 0
    assert (loss[1] > 0) & torch.isclose(loss[1], weighted[1])
    (loss + weighted).sum().backward()
    assert (scores.grad[0] == 0).all()
    assert all(parameter.grad.isfinite().all() for parameter in crf.parameters())
    assert (crf.viterbi(scores, lengths)[0] == 0).all()
    assert (crf.marginals(scores, lengths)[0] == 0).all()


def test_before_training_it_is_a_softmax_at_each_step():
    crf, scores, lengths = LinearChainCRF(TAGS).double(), drawn(BATCH, STEPS, TAGS), torch.tensor(LENGTHS)
    valid = torch.arange(STEPS) < lengths[:, None]
    expected = scores.softmax(dim=2) * valid[..., None]
    torch.testing.assert_close(crf.marginals(scores, lengths), expected, rtol=1e-12, atol=1e-14)
    assert torch.equal(crf.viterbi(scores, lengths), scores.argmax(dim=2) * valid)


def test_it_learns_which_tags_follow_each_other():
    """Scores say nothing; the tags go 0, 1, 2, 0, ... from any first one."""
    tags = (torch.arange(STEPS) + torch.arange(TAGS)[:, None]) % TAGS
    scores = torch.zeros(TAGS, STEPS, TAGS)
    crf = LinearChainCRF(TAGS)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = crf.negative_log_likelihood(scores, tags).mean()
        loss.backward()
        optimizer.step()
    assert loss < np.log(TAGS) + 0.1  # only the first tag is open
    scores[torch.arange(TAGS), 2, tags[:, 2]] = 5.0
    assert torch.equal(crf.viterbi(scores), tags)
