"""Batches are the windows themselves, cut in one call; flat parameters change speed and nothing else."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_

from skrnn import Windows
from skrnn._batches import BatchIterator, SequenceDataset, standardized_base
from skrnn._optimizer import OPTIMIZERS, SCHEDULES, FlatParameters, clear_gradients, clip_gradient, make_schedule
from skrnn._scaling import InputScaling
from skrnn._validation import check_sequences
from skrnn.nn._models import SequenceModel


def untouched(n_channels):
    """A scaling that leaves values as they are, so that batches can be compared with the block itself."""
    ones = np.ones(n_channels)
    return InputScaling(np.zeros(n_channels), ones, None, np.arange(n_channels), ones, 0 * ones)


def dataset_of(X, values=None, weights=None, units=None):
    sequences = check_sequences(X)
    scaling = untouched(sequences.n_channels)
    base = standardized_base(sequences, scaling, np.dtype(float), "cpu")
    return SequenceDataset(base, sequences, scaling, values, weights, units)


def windows_of(n_rows=17, n_channels=2, window=5, border=7, seed=0):
    base = np.random.RandomState(seed).randn(n_rows, n_channels)
    ends = np.arange(n_rows)
    return Windows(base, ends, np.where(ends < border, 0, border), (ends >= border).astype(int), window)


# -- batches -------------------------------------------------------------------------------------------------------


@given(
    n_rows=st.integers(1, 20),
    n_channels=st.integers(1, 3),
    window=st.integers(1, 7),
    border=st.integers(0, 20),
    batch_size=st.integers(1, 25),
    seed=st.integers(0, 10**6),
)
def test_batches_are_the_materialised_windows(n_rows, n_channels, window, border, batch_size, seed):
    X = windows_of(n_rows, n_channels, window, border, seed)
    X = X[np.random.RandomState(seed).randint(0, n_rows, size=n_rows)]
    values = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    batches = list(BatchIterator(dataset_of(X, values), batch_size))
    assert len(batches) == len(BatchIterator(dataset_of(X, values), batch_size)) == -(-n_rows // batch_size)
    rows = 0
    for inputs, targets in batches:
        x, lengths = inputs["x"].numpy(), inputs["lengths"]
        block = np.asarray(X[rows : rows + len(x)])
        expected = [part[~np.isnan(part).all(axis=1)] for part in block]
        longest = max(map(len, expected))
        assert x.shape == (len(expected), longest, n_channels)  # trimmed to the longest of the batch
        if lengths is None:
            assert {len(part) for part in expected} == {longest}
        else:
            assert lengths.tolist() == [len(part) for part in expected]
        for row, part in zip(x, expected, strict=True):
            np.testing.assert_array_equal(row[: len(part)], part)
            assert (row[len(part) :] == 0).all()
        np.testing.assert_array_equal(targets, values[rows : rows + len(x)])
        rows += len(x)
    assert rows == n_rows


def test_only_the_last_batch_is_smaller():
    iterator = BatchIterator(dataset_of(windows_of(), np.ones((17, 1))), 5)
    assert [len(values) for _, values in iterator] == [5, 5, 5, 2]


def test_targets_bring_their_weights_and_units():
    values, weights, units = np.random.RandomState(0).randn(3, 17, 2)
    dataset = dataset_of(windows_of(), values, weights, units)
    rows = torch.tensor([3, 11, 0])
    inputs, got = dataset.batch(rows)
    np.testing.assert_array_equal(got, values[rows])
    np.testing.assert_array_equal(inputs["weights"], weights[rows])
    np.testing.assert_array_equal(inputs["units"], units[rows])
    inputs, _ = dataset_of(windows_of(), values, None, units[:1]).batch(rows)
    assert inputs["weights"] is None
    np.testing.assert_array_equal(inputs["units"], units[:1])  # one row for all


def order_of(iterator):
    return [int(v) for _, values in iterator for v in values[:, 0]]


def test_shuffled_order_is_new_in_each_epoch_and_decided_by_the_generator():
    dataset = dataset_of(windows_of(), np.arange(17.0)[:, None])
    before = torch.get_rng_state()
    first, again = (BatchIterator(dataset, 5, True, torch.Generator().manual_seed(3)) for _ in range(2))
    epochs = [order_of(first) for _ in range(3)]
    assert [order_of(again) for _ in range(3)] == epochs
    assert all(sorted(order) == list(range(17)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    assert order_of(BatchIterator(dataset, 5)) == list(range(17))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n_batches", [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize("shuffle", [False, True])
def test_some_batches_at_a_time_are_those_of_whole_passes(shuffle, n_batches):
    """17 rows in batches of 5: passes of four batches, cut elsewhere; each row still comes once a pass."""
    dataset = dataset_of(windows_of(), np.arange(17.0)[:, None])
    whole = BatchIterator(dataset, 5, shuffle, torch.Generator().manual_seed(3))
    expected = [values.ravel().tolist() for _ in range(12) for _, values in whole]
    parts = BatchIterator(dataset, 5, shuffle, torch.Generator().manual_seed(3), n_batches)
    assert len(parts) == n_batches
    assert len(whole) == 4
    got = []
    for _ in range(4):
        part = [values.ravel().tolist() for _, values in parts]
        assert len(part) == n_batches
        got += part
    assert got == expected[: 4 * n_batches]


def test_batches_with_a_target_for_each_step_are_trimmed_alike():
    X = windows_of()
    values, weights = np.random.RandomState(0).randn(2, 17, 5, 3)
    units = np.random.RandomState(1).randn(17, 1, 3)
    dataset = dataset_of(X, values, weights, units)
    inputs, got = dataset.batch(torch.tensor([1, 0, 8, 7]))  # the windows have 2, 1, 2 and 1 steps
    assert inputs["x"].shape == (4, 2, 2)
    assert got.shape == inputs["weights"].shape == (4, 2, 3)
    np.testing.assert_array_equal(got, values[[1, 0, 8, 7], :2])
    np.testing.assert_array_equal(inputs["weights"], weights[[1, 0, 8, 7], :2])
    np.testing.assert_array_equal(inputs["units"], units[[1, 0, 8, 7]])
    inputs, got = dataset.batch(torch.tensor([6, 0]))
    assert got.shape == (2, 5, 3)


def test_windows_are_not_copied_before_their_batch():
    X = windows_of(n_rows=1000, window=96)
    dataset = dataset_of(X)
    assert dataset.base.shape == (1000 + 96, 2)
    held = sum(tensor.numel() for tensor in vars(dataset).values() if isinstance(tensor, torch.Tensor))
    assert held < 3 * X.base.size


def test_a_batch_may_be_changed_without_harm():
    X = windows_of()
    dataset = dataset_of(X)
    dataset.sequences(torch.arange(17))["x"].zero_()
    np.testing.assert_array_equal(dataset.base[:17], X.base)
    assert (X.base != 0).all()


# -- flat parameters -----------------------------------------------------------------------------------------------


def net_and_loss():
    net = SequenceModel("lstm", 2, 3, 5, n_layers=2, bidirectional=True, seed=1, dtype=torch.float64)
    x = torch.randn(7, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return net, lambda: (net(x) - y).square().mean()


def train(name, *, flat, clip=None, n_steps=7, **options):
    net, loss_of = net_and_loss()
    held = FlatParameters(net) if flat else None
    parameters = [held.parameter] if flat else list(net.parameters())
    optimizer = OPTIMIZERS[name](parameters, lr=0.05, **options)
    for _ in range(n_steps):
        optimizer.zero_grad(set_to_none=not flat)
        loss_of().backward()
        if clip is not None:
            clip_gradient(parameters, clip)
        optimizer.step()
    return net, held


def vector_of(net):
    return nn.utils.parameters_to_vector(net.parameters()).detach()


@pytest.mark.parametrize(
    "name, options",
    [
        ("adam", {}),
        ("adam", {"fused": True}),
        ("adam", {"weight_decay": 0.1, "amsgrad": True}),
        ("adamw", {"weight_decay": 0.1}),
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("sgd", {"fused": True}),
        ("rmsprop", {"weight_decay": 0.01}),
    ],
    ids=str,
)
@pytest.mark.parametrize("clip", [None, 0.3])
def test_one_flat_vector_trains_as_separate_parameters_do(name, options, clip):
    separate, _ = train(name, flat=False, clip=clip, **options | {"fused": False} if "fused" in options else options)
    flat, held = train(name, flat=True, clip=clip, **options)
    assert (vector_of(separate) - vector_of(net_and_loss()[0])).abs().max() > 0.02  # has trained
    torch.testing.assert_close(vector_of(flat), vector_of(separate), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(held.parameter.detach(), vector_of(flat), rtol=0, atol=0)


def test_parameters_and_gradients_are_views_of_the_two_vectors():
    net, loss_of = net_and_loss()
    held = FlatParameters(net)
    loss_of().backward()
    gradients = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
    assert torch.equal(held.parameter.grad, gradients)
    assert gradients.abs().max() > 0
    with torch.no_grad():
        held.parameter.zero_()
    assert vector_of(net).abs().max() == 0


def test_released_parameters_have_memory_of_their_own():
    net, held = train("adam", flat=True)
    before = vector_of(net)
    held.release()
    assert torch.equal(vector_of(net), before)
    assert len({p.untyped_storage().data_ptr() for p in net.parameters()}) == len(list(net.parameters()))
    assert all(p.grad is None for p in net.parameters())
    with torch.no_grad():
        held.parameter.zero_()
    assert torch.equal(vector_of(net), before)
    assert torch.equal(vector_of(pickle.loads(pickle.dumps(net.head))), vector_of(copy.deepcopy(net.head)))


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("max_norm", [1e-3, 0.1, 1e3])
def test_clipping_equals_torchs(flat, max_norm):
    net, loss_of = net_and_loss()
    parameters = [FlatParameters(net).parameter] if flat else list(net.parameters())
    loss_of().backward()
    twin, loss_of_twin = net_and_loss()
    loss_of_twin().backward()
    norm = clip_grad_norm_(twin.parameters(), max_norm)
    clip_gradient(parameters, max_norm)
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-15)
    assert 0.1 < norm < 1e3  # some are clipped, some are not


# -- schedules -----------------------------------------------------------------------------------------------------


def rates(name, n_steps, losses=None):
    """The lr of every step; plateau is stepped with losses."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.5)
    schedule = make_schedule(name, optimizer, n_steps)
    seen = []
    for step in range(n_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if name == "plateau":
            schedule.step(losses[step])
        else:
            schedule.step()
    return seen, optimizer.param_groups[0]["lr"]


def test_cosine_anneals_to_zero():
    seen, last = rates("cosine", 7)
    np.testing.assert_allclose(seen, 0.25 * (1 + np.cos(np.pi * np.arange(7) / 7)), rtol=1e-9)
    assert last == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 50])
def test_onecycle_warms_up_then_anneals(n_steps):
    seen, last = rates("onecycle", n_steps)
    assert max(seen) <= 0.5
    assert last < 0.5 / 1000
    if n_steps == 50:
        peak = int(np.argmax(seen))
        assert seen[peak] == pytest.approx(0.5, rel=0.01)
        assert 12 <= peak <= 16  # 30 % of the way
        assert (np.diff(seen[: peak + 1]) > 0).all()
        assert (np.diff(seen[peak:]) < 0).all()


@pytest.mark.parametrize("n_steps, n_rising", [(100, 10), (50, 5), (33, 3), (7, 1), (2, 1), (1, 1)])
def test_warmup_cosine_rises_in_a_line_and_anneals_along_half_a_cosine(n_steps, n_rising):
    seen, last = rates("warmup_cosine", n_steps)
    np.testing.assert_allclose(seen[:n_rising], 0.5 * np.arange(1, n_rising + 1) / n_rising, rtol=1e-12)
    falling = np.arange(n_steps - n_rising) / max(1, n_steps - n_rising)
    np.testing.assert_allclose(seen[n_rising:], 0.25 * (1 + np.cos(np.pi * falling)), rtol=1e-12)
    assert max(seen) == 0.5
    assert min(seen) > 0  # each batch has its part
    assert last == pytest.approx(0, abs=1e-12) or n_steps == 1


def test_warmup_cosine_of_several_groups():
    """Each group of parameters keeps its share of the highest rate."""
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": lr} for lr in (0.5, 0.02)]
    optimizer = torch.optim.SGD(groups)
    schedule = make_schedule("warmup_cosine", optimizer, 30)
    seen = []
    for _ in range(30):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(np.array(seen)[:, 1], 0.04 * np.array(seen)[:, 0], rtol=1e-9)


def test_plateau_halves_after_five_epochs_without_a_better_loss():
    seen, _ = rates("plateau", 12, losses=[3, 2, 1] + [1] * 9)
    assert seen == [0.5] * 9 + [0.25] * 3


def test_no_schedule():
    assert make_schedule(None, None, 5) is None
    assert SCHEDULES == ("cosine", "onecycle", "warmup_cosine", "plateau")


def test_cleared_gradients_of_a_flat_vector_stay_where_its_views_are():
    module = torch.nn.Linear(3, 2)
    flat = FlatParameters(module)
    flat.parameter.grad += 1
    clear_gradients([flat.parameter])
    assert all((parameter.grad == 0).all() for parameter in module.parameters())
    parameters = list(torch.nn.Linear(3, 2).parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    clear_gradients(parameters)
    assert [parameter.grad for parameter in parameters] == [None, None]
