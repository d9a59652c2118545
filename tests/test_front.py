"""In front of the recurrent layers: the convolution and the patches against plain loops, and where each stands."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn import RNNRegressor
from skrnn.nn._encoder import Encoder
from skrnn.nn._front import CausalConvolution, PatchEmbedding

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
BATCH, STEPS, N_CHANNELS, HIDDEN = 5, 7, 2, 3
LENGTHS = torch.tensor([4, 7, 1, 2, 7])

each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])


def generator_of(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(*shape, dtype=torch.float64, seed=1):
    return torch.randn(*shape, generator=generator_of(seed)).to(dtype)


def with_bias(part, dtype=torch.float64):
    """Biases begin at zero; a forgotten one would not show."""
    with torch.no_grad():
        for name, parameter in part.named_parameters():
            if name.endswith("bias"):
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator_of(7))
    return part.to(dtype)


def numbers(tensor):
    return tensor.detach().numpy().astype(float)


def encoder_of(seed=3, **params):
    shape = {"n_channels": N_CHANNELS, "hidden_size": HIDDEN, "n_layers": 1, "bidirectional": False, "dropout": 0.0}
    front = {"input_dropout": 0.0, "conv_channels": None, "conv_kernel_size": 3, "patch_size": 1}
    return with_bias(Encoder("gru", **{**shape, **front, **params}, generator=generator_of(seed)))


# -- convolution ---------------------------------------------------------------------------------------------------


def convolved(x, weight, bias):
    """Each filter at each step: ReLU of its weights times the steps up to this one, zeros in front of the first."""
    n_rows, n_steps, n_channels = x.shape
    n_filters, _, kernel_size = weight.shape
    out = np.zeros((n_rows, n_steps, n_filters))
    for row in range(n_rows):
        for step in range(n_steps):
            for f in range(n_filters):
                total = bias[f]
                for back in range(kernel_size):  # `back` steps ago, under the weight `back` from the last
                    if step - back >= 0:
                        total += weight[f, :, kernel_size - 1 - back] @ x[row, step - back]
                out[row, step, f] = max(total, 0.0)
    return out


@each_dtype
@settings(deadline=None, max_examples=25)
@given(
    n_rows=st.integers(1, 3),
    n_steps=st.integers(1, 7),
    n_channels=st.integers(1, 3),
    n_filters=st.integers(1, 5),
    kernel_size=st.integers(1, 9),  # longer than the sequence, too
    seed=st.integers(0, 10**6),
)
def test_the_convolution_equals_a_loop(dtype, n_rows, n_steps, n_channels, n_filters, kernel_size, seed):
    part = with_bias(CausalConvolution(n_channels, n_filters, kernel_size, generator_of(seed)), dtype)
    x = batch_of(n_rows, n_steps, n_channels, dtype=dtype, seed=seed)
    expected = convolved(numbers(x), numbers(part.convolution.weight), numbers(part.convolution.bias))
    np.testing.assert_allclose(numbers(part(x)), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("step", range(STEPS))
def test_the_convolution_looks_back_only(step):
    part = with_bias(CausalConvolution(N_CHANNELS, 5, 3, generator_of()))
    x = batch_of(3, STEPS, N_CHANNELS)
    changed = x.clone()
    changed[:, step] += 10.0
    moved = (part(changed) != part(x)).any(dim=2).any(dim=0)  # (steps,)
    assert not moved[:step].any()
    assert moved[step]
    assert not moved[step + 3 :].any()  # nor further back than its kernel


def test_the_convolution_begins_with_zeros_and_is_no_circle():
    part = CausalConvolution(1, 1, 2, generator_of()).double()
    with torch.no_grad():
        part.convolution.weight[:] = torch.tensor([10.0, 1.0])  # before, now
    x = torch.tensor([1.0, 2.0, 3.0, -50.0], dtype=torch.float64).view(1, 4, 1)
    assert part(x).flatten().tolist() == [1.0, 12.0, 23.0, 0.0]


# -- patches -------------------------------------------------------------------------------------------------------


def patches_of(x, patch_size, weight, bias):
    """One sequence (steps, channels) -> (patches, size): counted from the last step, the first filled up with zeros."""
    rows = []
    for end in range(len(x), 0, -patch_size):
        steps = [x[step] if step >= 0 else np.zeros_like(x[0]) for step in range(end - patch_size, end)]
        rows.append(np.maximum(weight @ np.concatenate(steps) + bias, 0.0))
    return np.array(rows[::-1])


def assert_equal_to_the_loop(part, x, lengths):
    out, n_patches = part(x, None if lengths is None else torch.tensor(lengths))
    bar = TOLERANCE[x.dtype]
    weight, bias = numbers(part.embedding.weight), numbers(part.embedding.bias)
    assert out.shape == (len(x), -(-x.shape[1] // part.patch_size), len(bias))
    for row, length in enumerate([x.shape[1]] * len(x) if lengths is None else lengths):
        expected = patches_of(numbers(x[row, :length]), part.patch_size, weight, bias)
        np.testing.assert_allclose(numbers(out[row, : len(expected)]), expected, rtol=bar, atol=bar)
        assert n_patches is None if lengths is None else n_patches[row] == len(expected)


@each_dtype
@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    further=st.integers(0, 3),
    n_channels=st.integers(1, 3),
    patch_size=st.integers(1, 11),  # longer than a row, and than all of them
    seed=st.integers(0, 10**6),
)
def test_patches_equal_a_loop_over_each_row(dtype, lengths, further, n_channels, patch_size, seed):
    part = with_bias(PatchEmbedding(n_channels, patch_size, 3, generator_of(seed)), dtype)
    x = batch_of(len(lengths), max(lengths) + further, n_channels, dtype=dtype, seed=seed)
    assert_equal_to_the_loop(part, x, lengths)
    assert_equal_to_the_loop(part, x, None)


@pytest.mark.parametrize("patch_size", [2, 3, 4, 5, 7, 8])
def test_a_row_in_a_batch_has_the_patches_of_the_row_alone(patch_size):
    part = with_bias(PatchEmbedding(N_CHANNELS, patch_size, 5, generator_of()))
    x = batch_of(BATCH, STEPS, N_CHANNELS)
    together, n_patches = part(x, LENGTHS)
    other = torch.where((torch.arange(STEPS) < LENGTHS[:, None])[..., None], x, 1e6)  # whatever stands in the padding
    for row, length in enumerate(LENGTHS):
        alone, none = part(x[row : row + 1, :length], None)
        assert none is None
        assert n_patches[row] == alone.shape[1]
        torch.testing.assert_close(together[row, : n_patches[row]], alone[0], rtol=1e-12, atol=1e-12)
        assert torch.equal(part(other, LENGTHS)[0][row, : n_patches[row]], together[row, : n_patches[row]])


def test_the_last_patch_ends_on_the_last_valid_step():
    part = PatchEmbedding(1, 3, 1, generator_of()).double()
    with torch.no_grad():
        part.embedding.weight[:] = torch.tensor([100.0, 10.0, 1.0])
    x = torch.tensor([[1.0, 2, 3, 4, 5], [6, 7, 9, 9, 9]], dtype=torch.float64)[..., None]
    out, n_patches = part(x, torch.tensor([5, 2]))
    assert n_patches.tolist() == [2, 1]
    assert out[0].flatten().tolist() == [12.0, 345.0]  # 0 1 2 | 3 4 5
    assert out[1, 0].item() == 67.0  # 0 6 7


# -- gradients and weights -----------------------------------------------------------------------------------------


def test_gradients_flow_through_the_convolution():
    part = with_bias(CausalConvolution(N_CHANNELS, 3, 3, generator_of()))
    x = batch_of(2, 5, N_CHANNELS).requires_grad_()
    assert torch.autograd.gradcheck(part, (x,), fast_mode=True)
    part(x).sum().backward()
    assert all(parameter.grad.abs().min() > 0 for parameter in part.parameters())


def test_gradients_flow_through_patches_and_not_into_padding():
    part = with_bias(PatchEmbedding(N_CHANNELS, 3, 5, generator_of()))
    x = batch_of(BATCH, STEPS, N_CHANNELS).requires_grad_()
    n_patches = -(-LENGTHS // 3)
    inside = (torch.arange(3) < n_patches[:, None])[..., None]

    def valid_patches(x):
        return part(x, LENGTHS)[0] * inside

    assert torch.autograd.gradcheck(valid_patches, (x,), fast_mode=True)
    valid_patches(x).sum().backward()
    valid = torch.arange(STEPS) < LENGTHS[:, None]
    assert (x.grad[~valid] == 0).all()
    assert (x.grad[valid].abs().sum(dim=1) > 0).all()
    assert all(parameter.grad.abs().max() > 0 for parameter in part.parameters())


@pytest.mark.parametrize(
    "make, fans",
    [
        (lambda generator: CausalConvolution(3, 7, 5, generator), 3 * 5 + 7 * 5),
        (lambda generator: PatchEmbedding(3, 5, 7, generator), 3 * 5 + 7),
    ],
    ids=["convolution", "patches"],
)
def test_initial_weights_are_glorot_and_come_from_the_generator_only(make, fans):
    vectors = []
    for seed, global_seed in [(1, 10), (1, 11), (2, 10)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(global_seed)
            weights = dict(make(generator_of(seed)).named_parameters())
        (weight,) = (value.detach() for name, value in weights.items() if name.endswith("weight"))
        (bias,) = (value.detach() for name, value in weights.items() if name.endswith("bias"))
        assert (bias == 0).all()
        limit = (6 / fans) ** 0.5
        assert 0.85 * limit < weight.abs().max() <= limit
        vectors.append(weight)
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])


# -- in the encoder ------------------------------------------------------------------------------------------------


def test_the_convolution_stands_before_the_patches():
    encoder = encoder_of(conv_channels=5, patch_size=2, bidirectional=True).eval()
    assert encoder.recurrent.recurrences[0].input_size == HIDDEN
    x = batch_of(BATCH, STEPS, N_CHANNELS)
    patches, n_patches = encoder.patches(encoder.convolution(x), LENGTHS)
    expected = encoder.recurrent(patches, n_patches)
    outputs = encoder(x, LENGTHS)
    assert torch.equal(outputs.final(), expected.final())
    assert outputs.lengths.tolist() == [2, 4, 1, 1, 4]
    assert outputs.steps().shape == (BATCH, 4, 2 * HIDDEN)
    assert outputs.valid().sum(dim=1).tolist() == [2, 4, 1, 1, 4]


def test_nothing_stands_in_front_unless_asked_for():
    encoder = encoder_of()
    assert encoder.convolution is None
    assert encoder.patches is None
    x = batch_of(BATCH, STEPS, N_CHANNELS)
    assert torch.equal(encoder(x, LENGTHS).final(), encoder.recurrent(x, LENGTHS).final())


@pytest.mark.parametrize("front", [{}, {"conv_channels": 5}, {"patch_size": 3}, {"conv_channels": 5, "patch_size": 3}])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_encoded_row_does_not_see_padding_or_its_neighbours(front, bidirectional):
    encoder = encoder_of(**front, bidirectional=bidirectional, n_layers=2).eval()
    x = batch_of(BATCH, STEPS, N_CHANNELS)
    together = encoder(x, LENGTHS).final()
    for row, length in enumerate(LENGTHS):
        alone = encoder(x[row : row + 1, :length]).final()[0]
        torch.testing.assert_close(together[row], alone, rtol=1e-12, atol=1e-12)
    other = torch.where((torch.arange(STEPS) < LENGTHS[:, None])[..., None], x, 1e6)
    assert torch.equal(encoder(other, LENGTHS).final(), together)


def test_input_dropout_acts_in_training_only():
    encoder, plain = encoder_of(input_dropout=0.5), encoder_of()
    x = batch_of(BATCH, STEPS, N_CHANNELS)
    assert torch.equal(encoder.eval()(x).final(), plain(x).final())  # drawn from the same seed
    encoder.train()
    assert not torch.equal(encoder(x).final(), encoder(x).final())
    seen = []
    encoder.recurrent.register_forward_pre_hook(lambda part, inputs: seen.append(inputs[0]))
    encoder(x)
    dropped = seen[0] == 0
    assert 0.3 < dropped.double().mean() < 0.7
    torch.testing.assert_close(seen[0][~dropped], 2 * x[~dropped])


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("given, kernel_size", [(None, 5), ({"module__conv_kernel_size": 2}, 2)])
def test_the_estimator_passes_its_parameters_on(given, kernel_size):
    X = np.random.default_rng(0).normal(size=(17, STEPS, N_CHANNELS))
    model = RNNRegressor(
        "gru", hidden_size=3, conv_channels=4, patch_size=2, max_epochs=2, net_params=given, random_state=0
    ).fit(X, X[:, -1, 0])
    encoder = model.net_.module_.encoder
    assert encoder.convolution.convolution.weight.shape == (4, N_CHANNELS, kernel_size)
    assert encoder.patches.embedding.weight.shape == (3, 2 * 4)
    assert encoder.recurrent.recurrences[0].input_size == 3
