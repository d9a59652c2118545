"""From features to numbers: quantiles that never cross, layer norm, and the losses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss
from torch import nn

from skrnn import RNNRegressor
from skrnn.nn._heads import LinearHead
from skrnn.nn._losses import LOSSES, PinballLoss, central_quantile, is_loss_class

N_FEATURES, N_OUTPUTS, BATCH, STEPS = 5, 2, 7, 3
QUANTILES = (0.05, 0.3, 0.5, 0.9)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}

each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
ascending_quantiles = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=7, unique=True).map(sorted)


def head_of(n_quantiles=None, layer_norm=False, dtype=torch.float64, seed=0, size=1.0):
    """A head whose every parameter is random."""
    generator = torch.Generator().manual_seed(seed)
    head = LinearHead(N_FEATURES, N_OUTPUTS, n_quantiles, layer_norm, generator)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return head.to(dtype)


def features_of(*shape, dtype=torch.float64, seed=1):
    return torch.randn(*shape, N_FEATURES, generator=torch.Generator().manual_seed(seed)).to(dtype)


def mapped(head, features):
    """The linear map in numpy."""
    weight, bias = (parameter.detach().numpy().astype(float) for parameter in head.linear.parameters())
    return features @ weight.T + bias


# -- heads ---------------------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("shape", [(BATCH,), (BATCH, STEPS)], ids=["rows", "steps"])
def test_a_head_is_a_linear_map(shape, dtype):
    head, features = head_of(dtype=dtype), features_of(*shape, dtype=dtype)
    expected = mapped(head, features.numpy().astype(float))
    assert expected.shape == (*shape, N_OUTPUTS)
    np.testing.assert_allclose(head(features).detach(), expected, rtol=3 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(BATCH,), (BATCH, STEPS)], ids=["rows", "steps"])
@pytest.mark.parametrize("n_quantiles", [1, 2, 5])
def test_quantiles_of_an_output_are_its_own_numbers_in_order(shape, n_quantiles):
    head, features = head_of(n_quantiles), features_of(*shape)
    outputs = head(features).detach().numpy()
    assert outputs.shape == (*shape, N_OUTPUTS, n_quantiles)
    numbers = mapped(head, features.numpy())  # (..., n_outputs * n_quantiles)
    for output in range(N_OUTPUTS):
        own = numbers[..., output * n_quantiles : (output + 1) * n_quantiles]
        np.testing.assert_allclose(outputs[..., output, :], np.sort(own), rtol=1e-12, atol=1e-12)
    if n_quantiles > 1:
        assert (np.diff(numbers.reshape(-1, n_quantiles)) < 0).any()  # without sorting they would cross


@settings(deadline=None, max_examples=50)
@given(n_quantiles=st.integers(1, 9), size=st.floats(1e-3, 1e6), seed=st.integers(0, 10**6), layer_norm=st.booleans())
def test_quantiles_ascend_whatever_the_weights(n_quantiles, size, seed, layer_norm):
    head = head_of(n_quantiles, layer_norm, torch.float32, seed, size)
    outputs = head(features_of(BATCH, dtype=torch.float32, seed=seed))
    assert (outputs.diff(dim=-1) >= 0).all()


def test_gradients_flow_through_the_order_of_quantiles():
    head, features = head_of(3), features_of(BATCH).requires_grad_()
    assert torch.autograd.gradcheck(head, (features,), fast_mode=True)


@each_dtype
@pytest.mark.parametrize("n_quantiles", [None, 3])
def test_layer_norm_of_each_row(n_quantiles, dtype):
    """(x - mean) / sqrt(variance + 1e-5) * gain + shift over the features of a row (Ba et al. 2016, equation 4)."""
    head, features = head_of(n_quantiles, True, dtype), features_of(BATCH, STEPS, dtype=dtype)
    x = features.numpy().astype(float)
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    gain, shift = (parameter.detach().numpy().astype(float) for parameter in head.norm.parameters())
    expected = mapped(head, (x - mean) / np.sqrt(variance + 1e-5) * gain + shift)
    if n_quantiles is not None:
        expected = np.sort(expected.reshape(BATCH, STEPS, N_OUTPUTS, n_quantiles))
    bar = 5 * TOLERANCE[dtype]  # numbers of up to 5
    np.testing.assert_allclose(head(features).detach(), expected, rtol=bar, atol=bar)


def test_layer_norm_takes_off_level_and_size_of_a_row_and_bears_a_constant_one():
    head, features = head_of(layer_norm=True), features_of(BATCH)
    torch.testing.assert_close(head(100 * features + 1e3), head(100 * features), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(head_of()(features + 1), head_of()(features))
    constant = torch.full((BATCH, N_FEATURES), 3.0, dtype=torch.float64, requires_grad=True)
    head(constant).sum().backward()
    assert constant.grad.isfinite().all()


def test_without_layer_norm_there_are_no_more_weights():
    assert [name for name, _ in head_of().named_parameters()] == ["linear.weight", "linear.bias"]
    assert sum(p.numel() for p in head_of(layer_norm=True).norm.parameters()) == 2 * N_FEATURES


@pytest.mark.parametrize("n_quantiles", [None, 7])
def test_initial_weights_are_glorot_and_come_from_the_generator_only(n_quantiles):
    heads = []
    for seed, global_seed in [(1, 10), (1, 11), (2, 10)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(global_seed)
            heads.append(LinearHead(31, 3, n_quantiles, True, torch.Generator().manual_seed(seed)))
    for head in heads:
        limit = (6 / (31 + 3 * (n_quantiles or 1))) ** 0.5
        assert 0.9 * limit < head.linear.weight.detach().abs().max() <= limit
        assert (head.linear.bias == 0).all()
        assert (head.norm.weight == 1).all()
        assert (head.norm.bias == 0).all()
    assert torch.equal(heads[0].linear.weight, heads[1].linear.weight)
    assert not torch.equal(heads[0].linear.weight, heads[2].linear.weight)


# -- the pinball loss ----------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("shape", [(BATCH, N_OUTPUTS), (BATCH, STEPS, N_OUTPUTS)], ids=["rows", "steps"])
@pytest.mark.parametrize("quantiles", [(0.5,), QUANTILES])
def test_the_pinball_loss_equals_scikit_learns(quantiles, shape, dtype):
    rng = np.random.default_rng(0)
    truth, predicted = rng.normal(size=shape), rng.normal(size=(*shape, len(quantiles)))
    loss = PinballLoss(quantiles)(torch.tensor(predicted, dtype=dtype), torch.tensor(truth, dtype=dtype))
    assert loss.shape == shape  # of each element: weights and unknown targets are applied to it
    assert loss.dtype == dtype
    rows = predicted.reshape(-1, len(quantiles))
    for element, y, row in zip(loss.ravel().tolist(), truth.ravel(), rows, strict=True):
        of_each = [mean_pinball_loss([y], [p], alpha=q) for q, p in zip(quantiles, row, strict=True)]
        assert element == pytest.approx(np.mean(of_each), rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
    whole = [mean_pinball_loss(truth.ravel(), column, alpha=q) for q, column in zip(quantiles, rows.T, strict=True)]
    assert float(loss.mean()) == pytest.approx(np.mean(whole), rel=TOLERANCE[dtype])


def test_the_pinball_loss_by_hand():
    loss = PinballLoss((0.1, 0.8))(torch.tensor([[[1.0, 3.0]]]), torch.tensor([[2.0]]))
    assert loss.item() == pytest.approx((0.1 * 1 + 0.2 * 1) / 2)  # one below by 1, one above by 1


def test_gradients_of_the_pinball_loss_are_its_quantiles():
    predicted = torch.tensor([[-1.0, 1.0, -1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    PinballLoss((0.1, 0.1, 0.7, 0.7))(predicted, torch.zeros(1, dtype=torch.float64)).sum().backward()
    np.testing.assert_allclose(predicted.grad, [[-0.1 / 4, 0.9 / 4, -0.7 / 4, 0.3 / 4]], rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(quantiles=ascending_quantiles, seed=st.integers(0, 10**6))
def test_putting_quantiles_in_order_never_costs(quantiles, seed):
    """Chernozhukov et al. 2010, proposition 4: rearranged quantiles are no further from the truth."""
    rng = np.random.default_rng(seed)
    truth, predicted = torch.from_numpy(rng.normal(size=(5, 2))), torch.from_numpy(rng.normal(size=(5, 2, 1)))
    predicted = predicted + torch.from_numpy(rng.normal(size=(5, 2, len(quantiles))))
    loss = PinballLoss(quantiles)
    assert (loss(predicted.sort(dim=-1).values, truth) <= loss(predicted, truth) + 1e-12).all()


@settings(deadline=None, max_examples=30)
@given(quantile=st.sampled_from([0.05, 0.25, 0.5, 0.9]), n_rows=st.integers(1, 30), seed=st.integers(0, 10**6))
def test_a_constant_that_minimises_the_loss_is_the_quantile(quantile, n_rows, seed):
    sample = np.random.default_rng(seed).normal(size=n_rows)
    candidates = torch.from_numpy(np.append(sample, np.quantile(sample, quantile, method="inverted_cdf")))
    loss = PinballLoss([quantile])(candidates[:, None, None], torch.from_numpy(sample)[None].expand(n_rows + 1, -1))
    total = loss.sum(dim=1)
    assert total[-1] <= total.min() + 1e-12


def test_the_pinball_loss_holds_the_quantiles_as_given():
    """Rounded to float32 they would differ from what the user asked for."""
    loss = PinballLoss((0.1, 0.5, 0.9))
    assert loss.quantiles.tolist() == [0.1, 0.5, 0.9]
    assert "quantiles" in dict(loss.named_buffers())  # moves to the device with the net


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quantiles, position",
    [
        ((0.5,), 0),
        ((0.1, 0.5, 0.9), 1),
        ((0.1, 0.9), 0),  # as near: the lower one
        ((0.4, 0.6), 0),
        ((0.1, 0.4, 0.6, 0.9), 1),
        ((0.05, 0.1, 0.15), 2),
        ((0.6, 0.7, 0.99), 0),
        ((0.1, 0.3, 0.45, 0.9), 2),
        ((0.3, 0.7), 0),  # 0.5 - 0.3 and 0.7 - 0.5 differ in the last bit
        ((0.2, 0.8), 0),
    ],
)
def test_central_quantile(quantiles, position):
    assert central_quantile(quantiles) == position


@given(quantiles=ascending_quantiles)
def test_no_quantile_is_nearer_to_the_median(quantiles):
    distance = np.abs(np.array(quantiles) - 0.5)
    assert distance[central_quantile(quantiles)] <= distance.min() + 1e-11


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_can_give_the_loss_of_each_element(name):
    assert is_loss_class(LOSSES[name])
    y = torch.zeros(3, 2)
    predicted = torch.ones(3, 2, 3) if name == "quantile" else torch.ones(3, 2)
    assert LOSSES[name](reduction="none")(predicted, y).shape == (3, 2)


class WithoutReduction(nn.Module):
    def forward(self, y_pred, y_true):
        return (y_pred - y_true).abs()


@pytest.mark.parametrize(
    "loss, is_one",
    [(nn.SmoothL1Loss, True), (PinballLoss, True), (WithoutReduction, False), (nn.L1Loss(), False), ("huber", False)],
    ids=str,
)
def test_which_classes_are_losses(loss, is_one):
    assert is_loss_class(loss) is is_one


# -- fitted --------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("n_nets", [1, 2])
@pytest.mark.parametrize("quantiles", [(0.4, 0.9), QUANTILES])
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_fitted_quantiles_ascend_and_the_central_one_is_predicted(quantiles, n_outputs, n_nets):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(23, 5, 2))
    y = rng.normal(size=23 if n_outputs is None else (23, n_outputs))
    model = RNNRegressor("gru", hidden_size=3, loss="quantile", quantiles=quantiles, n_nets=n_nets, max_epochs=2)
    predicted = model.set_params(random_state=0).fit(X, y).predict_quantiles(X)
    assert predicted.shape == (*y.shape, len(quantiles))
    assert (np.diff(predicted, axis=-1) >= 0).all()
    np.testing.assert_array_equal(model.predict(X), predicted[..., central_quantile(quantiles)])
    of_nets = [
        net.module_(torch.from_numpy((X - X.mean((0, 1))) / X.std((0, 1)))).detach().numpy() for net in model.nets_
    ]
    expected = np.mean(of_nets, axis=0) * np.reshape(y.std(axis=0), (-1, 1)) + np.reshape(y.mean(axis=0), (-1, 1))
    np.testing.assert_allclose(predicted, expected.reshape(predicted.shape), rtol=1e-9, atol=1e-9)
