"""Recurrent layers by compiled kernels: torch's numbers and gradients, for every shape, mask, state and order of calls.

What they are compared with are torch's own layers in float64, so that only one side has rounding errors.
"""

import copy
import itertools
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call, grad
from torch.nn.utils import prune

pytest.importorskip("numba")

from skrnn.nn import _fused, _recurrent
from skrnn.nn._fused import CHUNK_ROWS
from skrnn.nn._recurrent import RecurrentStack, runs_fused
from skrnn.nn._warm_memory import release_memory, spare

TOLERANCE = 1e-5  # relative to the largest number of a tensor
FLOOR = 1.0  # taken for the largest where all are smaller: they are sums of numbers near 1 that cancel out
CELLS = ["rnn", "rnn_relu", "lstm", "gru"]
N_ROWS, STEPS, N_CHANNELS, HIDDEN = 7, 5, 2, 3

each_cell = pytest.mark.parametrize("cell", CELLS)
each_direction = pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])


def normal(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stack_of(
    cell,
    bidirectional=False,
    n_layers=1,
    *,
    n_channels=N_CHANNELS,
    hidden_size=HIDDEN,
    keep_states=False,
    kernel="auto",
):
    generator = torch.Generator().manual_seed(11)
    options = {"keep_states": keep_states, "kernel": kernel}
    stack = RecurrentStack(cell, n_channels, hidden_size, n_layers, bidirectional, 0.0, generator, **options)
    with torch.no_grad():  # biases that differ from 0, or a forgotten one would not show
        for parameter in stack.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return stack


def reference_of(stack):
    """torch's own layers with the same weights."""
    twin = copy.deepcopy(stack).double()
    twin.kernel = "torch"
    return twin


def lengths_of(n_rows, n_steps, seed=7):
    """Lengths from 1 to `n_steps`, both of which occur where there are rows enough."""
    lengths = torch.randint(1, n_steps + 1, (n_rows,), generator=torch.Generator().manual_seed(seed))
    lengths[n_rows // 2] = 1
    lengths[-1] = n_steps
    return lengths


def padding_of(lengths, n_steps):
    return torch.arange(n_steps) >= lengths[:, None]  # (batch, steps)


def states_of(stack, n_rows, seed=5):
    n_parts = 2 if stack.cell == "lstm" else 1
    hidden_size = stack.recurrences[0].hidden_size
    return [
        tuple(normal(n_rows, hidden_size, seed=seed + 2 * i + part) for part in range(n_parts))
        for i in range(len(stack.recurrences))
    ]


def results_of(stack, outputs):
    """All tensors that are the same with and without kernels: torch's carry of short rows is exact in `states` only."""
    kept = outputs.states if stack.keep_states else outputs.finals
    whole = stack.keep_states or outputs.lengths is None
    states = [part for state in kept for part in (state if whole else state[:1])]
    return [] if outputs.sequence is None else [outputs.sequence], states


def inputs_of(stack, x, initial):
    """What gradients are asked of."""
    states = [part for state in initial or [] for part in state]
    return [tensor for tensor in (x, *states, *stack.parameters()) if tensor.requires_grad]


def values_and_gradients(stack, x, lengths=None, initial=None, *, final_only=False, junk=0.0):
    """Outputs, final states, and the gradients of a sum of all of them with random weights (`junk` at padding)."""
    outputs = stack(x, lengths, initial, final_only=final_only)
    sequence, states = results_of(stack, outputs)
    pulls = [normal(*part.shape, seed=20 + i).to(x.dtype) for i, part in enumerate([*sequence, *states])]
    if sequence and lengths is not None:
        pulls[0] = pulls[0].masked_fill(padding_of(lengths, x.shape[1])[..., None], junk)
    reached = [(part, pull) for part, pull in zip([*sequence, *states], pulls, strict=True) if part.requires_grad]
    gradients = torch.autograd.grad(
        [part for part, _ in reached], inputs_of(stack, x, initial), [pull for _, pull in reached]
    )
    return sequence, states, gradients


def assert_close(ours, theirs, tolerance=TOLERANCE):
    assert len(ours) == len(theirs) > 0
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        assert our.dtype == torch.float32
        atol = tolerance * max(FLOOR, their.detach().abs().max().item())
        torch.testing.assert_close(our.double(), their.double(), rtol=0, atol=atol)


def assert_same(ours, theirs):
    for our, their in zip(ours, theirs, strict=True):
        assert torch.equal(our, their)


def compare(stack, x, lengths=None, initial=None, *, final_only=False, tolerance=TOLERANCE):
    """Compare values and gradients with torch's. What stands at padding must not matter."""
    exact_x = x.detach().double()
    exact_initial = None if initial is None else [tuple(p.detach().double() for p in state) for state in initial]
    if lengths is not None:
        exact_x = exact_x.masked_fill(padding_of(lengths, x.shape[1])[..., None], 0)
    exact_x.requires_grad_(x.requires_grad)
    for ours, theirs in zip(initial or [], exact_initial or [], strict=True):
        for our, their in zip(ours, theirs, strict=True):
            their.requires_grad_(our.requires_grad)
    reference = reference_of(stack)
    found = values_and_gradients(stack, x, lengths, initial, final_only=final_only, junk=torch.nan)
    exact = values_and_gradients(reference, exact_x, lengths, exact_initial, final_only=final_only)
    for sequence, other in zip(found[0], exact[0], strict=True):
        assert not final_only
        if lengths is None:
            assert_close([sequence], [other])
        else:
            padding = padding_of(lengths, x.shape[1])
            assert_close([sequence[~padding]], [other[~padding]])
            assert (sequence[padding] == 0).all()
    assert_close(found[1], exact[1])
    assert_close(found[2], exact[2], tolerance)
    if lengths is not None and x.requires_grad:
        assert (found[2][0][padding_of(lengths, x.shape[1])] == 0).all()


@pytest.fixture(autouse=True)
def only_kernels(monkeypatch):
    """A stack that should run by the kernels and does not is an error."""
    seen = []

    def counted(*args, **kwargs):
        seen.append(1)
        return _fused.run_fused(*args, **kwargs)

    monkeypatch.setattr(_recurrent, "run_fused", counted)
    return seen


# -- values and gradients ----------------------------------------------------------------------------------------------


@each_cell
@each_direction
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("begins", [False, True], ids=["zeros", "initial"])
@pytest.mark.parametrize("keep_states, final_only", [(False, False), (True, False), (False, True), (True, True)])
def test_values_and_gradients_are_torchs(
    cell, bidirectional, n_layers, ragged, begins, keep_states, final_only, only_kernels
):
    stack = stack_of(cell, bidirectional, n_layers, keep_states=keep_states)
    x = normal(N_ROWS, STEPS, N_CHANNELS)
    lengths = lengths_of(N_ROWS, STEPS) if ragged else None
    if ragged:
        x[padding_of(lengths, STEPS)] = 1e6
    initial = states_of(stack, N_ROWS) if begins else None
    for tensor in (x, *(part for state in initial or [] for part in state)):
        tensor.requires_grad_()
    compare(stack, x, lengths, initial, final_only=final_only)
    assert len(only_kernels) == n_layers


sizes = {
    "n_rows": st.sampled_from([1, 2, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS + 6]),
    "n_steps": st.sampled_from([1, 2, 7]),
    "n_channels": st.sampled_from([1, 3, 16, 17, 33]),
    "hidden_size": st.sampled_from([1, 5, 16, 17, 37]),
    "n_layers": st.integers(1, 2),
    "bidirectional": st.booleans(),
    "ragged": st.booleans(),
    "begins": st.booleans(),
    "final_only": st.booleans(),
}


@each_cell
@settings(deadline=None, max_examples=25)
@given(**sizes)
def test_any_size(cell, n_rows, n_steps, n_channels, hidden_size, n_layers, bidirectional, ragged, begins, final_only):
    stack = stack_of(cell, bidirectional, n_layers, n_channels=n_channels, hidden_size=hidden_size)
    x = normal(n_rows, n_steps, n_channels).requires_grad_()
    initial = states_of(stack, n_rows) if begins else None
    for part in (part for state in initial or [] for part in state):
        part.requires_grad_()
    lengths = lengths_of(n_rows, n_steps) if ragged else None
    # with a single unit, sums of hundreds of numbers may all but cancel out
    compare(stack, x, lengths, initial, final_only=final_only, tolerance=5e-5)


@each_cell
@each_direction
def test_each_row_alone(cell, bidirectional):
    """A row's outputs are those that it has without the other rows and without padding."""
    n_rows = CHUNK_ROWS + 5
    stack, x, lengths = stack_of(cell, bidirectional, 2), normal(n_rows, STEPS, N_CHANNELS), lengths_of(n_rows, STEPS)
    together = stack(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = stack(x[row : row + 1, :length])
        assert_close([together.steps()[row, :length], together.final()[row]], [alone.steps()[0], alone.final()[0]])


def test_lengths_that_are_all_full_change_nothing():
    stack, x = stack_of("gru", True, 2), normal(N_ROWS, STEPS, N_CHANNELS).requires_grad_()
    without, with_lengths = (values_and_gradients(stack, x, n) for n in (None, torch.full((N_ROWS,), STEPS)))
    for ours, theirs in zip(without, with_lengths, strict=True):
        assert_same(ours, theirs)


@each_cell
@each_direction
def test_input_may_be_any_view(cell, bidirectional):
    stack, reference = stack_of(cell, bidirectional), reference_of(stack_of(cell, bidirectional))
    series = normal(N_ROWS + STEPS - 1, N_CHANNELS).requires_grad_()
    exact = series.detach().double().requires_grad_()
    found = []
    for net, rows in ((stack, series), (reference, exact)):
        windows = rows.unfold(0, STEPS, 1).transpose(1, 2)  # (batch, steps, channels), neighbours share memory
        assert not windows.is_contiguous()
        outputs = net(windows)
        found.append(torch.autograd.grad((outputs.steps() ** 2).sum() + outputs.final().sum(), rows))
    assert_close(*found)


@each_cell
def test_arriving_gradients_may_be_any_view(cell):
    stack, x = stack_of(cell, True), normal(N_ROWS, STEPS, N_CHANNELS).requires_grad_()
    pull = normal(1, 1, 2 * HIDDEN).expand(N_ROWS, STEPS, -1)
    for net, values in ((stack, x), (reference_of(stack), x.detach().double().requires_grad_())):
        (net(values).steps().transpose(0, 1) * pull.transpose(0, 1).to(values.dtype)).sum().backward()
        if net is stack:
            ours = x.grad
    assert_close([ours], [values.grad])


@each_cell
@each_direction
@pytest.mark.parametrize("of_x", [False, True], ids=["constant", "x"])
def test_frozen_weights(cell, bidirectional, of_x):
    for trained in itertools.combinations(range(4), 2):
        stack, x = stack_of(cell, bidirectional), normal(N_ROWS, STEPS, N_CHANNELS).requires_grad_(of_x)
        for i, parameter in enumerate(stack.parameters()):
            parameter.requires_grad_(i % 4 in trained)
        compare(stack, x)
        stack(x).final().sum().backward()
        assert [p.grad is not None for p in stack.parameters()] == [p.requires_grad for p in stack.parameters()]


@each_cell
def test_only_some_states_need_a_gradient(cell):
    stack, x = stack_of(cell, True), normal(N_ROWS, STEPS, N_CHANNELS)
    stack.requires_grad_(False)
    initial = states_of(stack, N_ROWS)
    initial[1][0].requires_grad_()
    compare(stack, x, lengths_of(N_ROWS, STEPS), initial)


@each_cell
def test_only_one_of_the_results_is_used(cell):
    stack, x = stack_of(cell, True), normal(N_ROWS, STEPS, N_CHANNELS)
    for use in (lambda out: out.steps(), lambda out: out.finals[0][0], lambda out: out.finals[1][-1]):
        found = []
        for net, values in ((stack, x), (reference_of(stack), x.double())):
            grads = torch.autograd.grad(use(net(values)).square().sum(), list(net.parameters()), allow_unused=True)
            found.append(
                [torch.zeros_like(p) if g is None else g for g, p in zip(grads, net.parameters(), strict=True)]
            )
        assert_close(*found)


@each_cell
def test_saturated_gates(cell):
    stack, x = stack_of(cell), 100 * normal(N_ROWS, STEPS, N_CHANNELS)
    compare(stack, x.requires_grad_(), tolerance=5e-4)  # of 1 - h * h, about 1e-6 itself, few digits are left


# -- what is not finite ------------------------------------------------------------------------------------------------


@each_cell
@each_direction
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_stays_in_its_row(cell, bidirectional, bad):
    n_rows, row = CHUNK_ROWS + 5, 4
    stack, x = stack_of(cell, bidirectional, 2), normal(n_rows, STEPS, N_CHANNELS)
    x[row, 2, 1] = bad
    for lengths in (None, lengths_of(n_rows, STEPS).index_fill(0, torch.tensor([row]), 4)):
        ours = stack(x.requires_grad_(), lengths)
        with torch.no_grad():
            theirs = reference_of(stack)(x.double(), lengths)
        valid = slice(None) if lengths is None else ~padding_of(lengths, STEPS)
        shown = {"rtol": 0, "atol": TOLERANCE, "equal_nan": True}
        torch.testing.assert_close(ours.steps()[valid].double(), theirs.steps()[valid], **shown)
        torch.testing.assert_close(ours.final().double(), theirs.final(), **shown)
        others = torch.arange(n_rows) != row
        assert ours.steps()[others].isfinite().all()
        (gradient,) = torch.autograd.grad(ours.final().sum(), x)
        assert gradient[others].isfinite().all()


@each_cell
def test_gradients_are_nan_where_torchs_are(cell):
    stack, x = stack_of(cell), normal(N_ROWS, STEPS, N_CHANNELS)
    x[3, 2, 1] = torch.nan
    found = []
    for net in (stack, reference_of(stack)):
        values = x.to(next(net.parameters()).dtype).requires_grad_()
        wanted = [values, *net.parameters()]
        found.append([part.isnan() for part in torch.autograd.grad(net(values).final().square().sum(), wanted)])
    assert_same(*found)


# -- the order of calls ------------------------------------------------------------------------------------------------


@each_cell
@each_direction
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_same_values_without_gradients(cell, bidirectional, mode, ragged):
    stack, x = stack_of(cell, bidirectional, 2), normal(N_ROWS, STEPS, N_CHANNELS)
    lengths = lengths_of(N_ROWS, STEPS) if ragged else None
    initial = states_of(stack, N_ROWS)
    expected = stack(x, lengths, initial)
    with mode():
        found, short = stack(x, lengths, initial), stack(x, lengths, initial, final_only=True)
    assert found.steps().grad_fn is None
    assert not found.final().requires_grad
    assert short.sequence is None
    assert_same([found.steps(), found.final_and_carry()], [expected.steps(), expected.final_and_carry()])
    assert_same([short.final_and_carry()], [expected.final_and_carry()])
    with torch.no_grad():
        assert_same([stack.requires_grad_(False)(x, lengths, initial).steps()], [found.steps()])


LARGE = {"n_rows": CHUNK_ROWS + 5, "n_steps": 40}  # its memory is kept and used again


@each_cell
@each_direction
def test_two_runs_in_flight(cell, bidirectional):
    stack = stack_of(cell, bidirectional, 2)
    batches = [normal(*LARGE.values(), N_CHANNELS, seed=seed).requires_grad_() for seed in (1, 2)]

    def gradients(outputs, x):
        return torch.autograd.grad((outputs.steps() ** 2).sum() + outputs.final().sum(), [x, *stack.parameters()])

    alone = [gradients(stack(x), x) for x in batches]
    for order in ((0, 1), (1, 0)):
        runs = [stack(x) for x in batches]
        with torch.no_grad():
            stack(normal(*LARGE.values(), N_CHANNELS))
        for i in order:
            assert_same(gradients(runs[i], batches[i]), alone[i])


def test_memory_is_kept_and_given_back():
    release_memory()
    stack, x = stack_of("lstm", True), normal(*LARGE.values(), N_CHANNELS)
    expected = stack(x).final()  # in memory of its own
    before = expected.detach().clone()
    expected.sum().backward()
    blocks = {block.data_ptr() for block in spare}
    assert blocks
    stack(x + 1).final().sum().backward()
    assert {block.data_ptr() for block in spare} == blocks  # used again
    assert torch.equal(expected, before)
    release_memory()
    assert not spare


@each_cell
@each_direction
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_a_graph_can_be_used_twice(cell, bidirectional, ragged):
    stack, x = stack_of(cell, bidirectional, 2), normal(N_ROWS, STEPS, N_CHANNELS).requires_grad_()
    lengths, initial = lengths_of(N_ROWS, STEPS) if ragged else None, states_of(stack, N_ROWS)
    for part in (part for state in initial for part in state):
        part.requires_grad_()
    loss = stack(x, lengths, initial).steps().square().sum()
    wanted = inputs_of(stack, x, initial)
    first = torch.autograd.grad(loss, wanted, retain_graph=True)
    second = torch.autograd.grad(loss, wanted, retain_graph=True)
    third = torch.autograd.grad(loss, wanted)
    assert_same(first, second)
    assert_same(first, third)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, wanted)


def test_weights_changed_before_the_way_back_are_told():
    stack = stack_of("gru")
    loss = stack(normal(N_ROWS, STEPS, N_CHANNELS)).final().sum()
    with torch.no_grad():
        next(stack.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@each_cell
@each_direction
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("keep_states", [False, True])
def test_second_derivatives_are_torchs(cell, bidirectional, ragged, n_layers, keep_states):
    stack, found = stack_of(cell, bidirectional, n_layers, keep_states=keep_states), []
    lengths = lengths_of(N_ROWS, STEPS) if ragged else None
    for net, dtype in ((stack, torch.float32), (reference_of(stack), torch.float64)):
        x = normal(N_ROWS, STEPS, N_CHANNELS).to(dtype).requires_grad_()
        initial = [tuple(part.to(dtype).requires_grad_() for part in state) for state in states_of(stack, N_ROWS)]
        wanted = inputs_of(net, x, initial)
        with _fused._without_onednn():
            sequence, states = results_of(net, net(x, lengths, initial))
            if ragged:
                sequence = [sequence[0].masked_fill(padding_of(lengths, STEPS)[..., None], 0)]
            loss = sum(part.square().sum() for part in (*sequence, *states))
            first = torch.autograd.grad(loss, wanted, create_graph=True)
            penalty = sum(gradient.square().sum() for gradient in first)
            found.append((*first, *torch.autograd.grad(penalty, wanted)))
    assert_close(*found)


@each_cell
def test_second_derivatives_where_a_layer_is_run_twice(cell):
    """x and the weights depend on the same numbers, which must count once on each way."""
    stack, found = stack_of(cell, n_channels=HIDDEN), []
    for net, dtype in ((stack, torch.float32), (reference_of(stack), torch.float64)):
        weights = list(net.parameters())
        with _fused._without_onednn():
            final = net(net(normal(N_ROWS, STEPS, HIDDEN).to(dtype)).steps()).final()
            first = torch.autograd.grad(final.square().sum(), weights, create_graph=True)
            penalty = sum(gradient.square().sum() for gradient in first)
            found.append((*first, *torch.autograd.grad(penalty, weights)))
    assert_close(*found)


def test_second_derivatives_of_frozen_layers_reach_the_input():
    """A penalty on the gradient of x alone, as for adversarial training."""
    stack = stack_of("lstm").requires_grad_(False)
    found = []
    for net, dtype in ((stack, torch.float32), (reference_of(stack), torch.float64)):
        x = normal(N_ROWS, STEPS, N_CHANNELS).to(dtype).requires_grad_()
        with _fused._without_onednn():
            (first,) = torch.autograd.grad(net(x).final().square().sum(), x, create_graph=True)
            found.append((first, *torch.autograd.grad(first.square().sum(), x)))
    assert_close(*found)


@each_cell
def test_several_python_threads_at_once(cell):
    stack, n_threads = stack_of(cell, True, 2), 4
    batches = [normal(*LARGE.values(), N_CHANNELS, seed=seed) for seed in range(n_threads)]

    def gradients(x):
        outputs = stack(x)
        return torch.autograd.grad((outputs.steps() ** 2).sum() + outputs.final().sum(), list(stack.parameters()))

    alone = [gradients(x) for x in batches]
    found = [[] for _ in batches]

    def work(i):
        for _ in range(5):
            found[i].append(gradients(batches[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each, expected in zip(found, alone, strict=True):
        assert len(each) == 5
        for gradients_found in each:
            assert_same(gradients_found, expected)


# -- what takes torch's own way ----------------------------------------------------------------------------------------


def test_what_runs_by_the_kernels(only_kernels):
    x = normal(N_ROWS, STEPS, N_CHANNELS)
    assert runs_fused(x)
    assert not runs_fused(x.double())
    assert not runs_fused(x.to("meta"))
    for kernel, n_calls in (("auto", 1), ("fused", 1), ("torch", 0)):
        del only_kernels[:]
        stack_of("gru", kernel=kernel)(x)
        assert len(only_kernels) == n_calls
    del only_kernels[:]
    stack_of("gru").double()(x.double())
    assert not only_kernels


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch looks at its own tensors
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_compiled_by_torch(cell, only_kernels):
    stack, x = stack_of(cell), normal(N_ROWS, STEPS, N_CHANNELS)
    expected = stack(x).steps()
    del only_kernels[:]
    compiled = torch.compile(lambda x: stack(x).steps() if not runs_fused(x) else x.new_zeros(1), backend="eager")
    assert_close([compiled(x)], [expected])
    assert not only_kernels


@each_cell
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_traced_by_torch(cell, only_kernels):
    stack, x = stack_of(cell), normal(N_ROWS, STEPS, N_CHANNELS)
    expected = stack(x).steps()
    del only_kernels[:]
    traced = torch.jit.trace(_Steps(stack), x, check_trace=False)
    assert not only_kernels
    assert_close([traced(x)], [expected])


class _Steps(torch.nn.Module):
    """Tensors only, as tracing asks for."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack

    def forward(self, x):
        return self.stack(x).steps()


def test_without_numba_torch_runs(monkeypatch, only_kernels):
    monkeypatch.setattr(_recurrent, "has_kernels", lambda: False)
    stack, x = stack_of("lstm"), normal(N_ROWS, STEPS, N_CHANNELS)
    assert not runs_fused(x)
    assert_close([stack(x).steps()], [reference_of(stack)(x.double()).steps()])
    assert not only_kernels


@pytest.mark.parametrize("training", [False, True])
def test_no_rows_are_torchs(training):
    with torch.set_grad_enabled(training):
        outputs = stack_of("gru", True)(torch.zeros(0, STEPS, N_CHANNELS))
    assert outputs.steps().shape == (0, STEPS, 2 * HIDDEN)
    assert outputs.final().shape == (0, 2 * HIDDEN)


@each_cell
def test_wrong_input_is_told_as_by_torch(cell):
    for wrong, x in (("size", normal(N_ROWS, STEPS, 4)), ("dtype", normal(N_ROWS, STEPS, N_CHANNELS))):
        messages = []
        for kernel in ("auto", "torch"):
            stack = stack_of(cell, kernel=kernel)
            with pytest.raises((RuntimeError, ValueError), match=wrong) as caught:
                (stack.double() if wrong == "dtype" else stack)(x)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


# -- what the kernels leave to torch, or refuse ------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[6, 5, 5], [0, 5, 5], [5, 5]])
@each_direction
def test_lengths_beyond_the_steps_are_refused(bidirectional, lengths):
    with pytest.raises(IndexError, match="lengths must be 3 numbers from 1 to 5"):
        stack_of("gru", bidirectional)(normal(3, STEPS, N_CHANNELS), torch.tensor(lengths))


@each_cell
def test_hooks_of_a_recurrence_are_called(cell):
    stack, x, calls = stack_of(cell), normal(N_ROWS, STEPS, N_CHANNELS), []
    plain = stack(x).final()
    stack.recurrences[0].register_forward_hook(lambda *arguments: calls.append(len(calls)))
    torch.testing.assert_close(stack(x).final(), plain)
    assert calls == [0]


def test_pruned_weights_are_trained():
    stack, x = stack_of("lstm"), normal(N_ROWS, STEPS, N_CHANNELS)
    prune.l1_unstructured(stack.recurrences[0], "weight_hh_l0", amount=0.5)
    for _ in range(2):
        stack(x).final().sum().backward()
    gradient = stack.recurrences[0].weight_hh_l0_orig.grad
    assert (gradient == 0).float().mean() >= 0.5
    assert gradient.any()


@each_cell
def test_transforms_of_torch_func(cell):
    stack, x = stack_of(cell), normal(N_ROWS, STEPS, N_CHANNELS)
    weights = {name: parameter.detach() for name, parameter in stack.named_parameters()}

    def loss(weights):
        return functional_call(stack, weights, (x,)).final().square().sum()

    with _fused._without_onednn():
        transformed = grad(loss)(weights)
    stack(x).final().square().sum().backward()
    for name, parameter in stack.named_parameters():
        torch.testing.assert_close(transformed[name], parameter.grad, rtol=TOLERANCE, atol=TOLERANCE)
