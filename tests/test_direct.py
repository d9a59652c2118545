"""The training step without the autograd engine: autograd's loss and gradients, and which nets it is for."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("numba")

from skrnn._optimizer import FlatParameters, clip_gradient
from skrnn.nn import _direct
from skrnn.nn._class_losses import SoftmaxLoss
from skrnn.nn._direct import KEPT_SHAPES, DirectStep, is_plain
from skrnn.nn._embedding import EmbeddingSizes
from skrnn.nn._fused import CHUNK_ROWS
from skrnn.nn._losses import PinballLoss
from skrnn.nn._models import SequenceModel

CELLS = ["rnn", "rnn_relu", "lstm", "gru"]
N_ROWS, STEPS, N_CHANNELS, HIDDEN, N_OUTPUTS = CHUNK_ROWS + 5, 7, 2, 3, 5
LOSSES = {
    "squared": nn.MSELoss(reduction="none"),
    "absolute": nn.L1Loss(reduction="none"),
    "huber": nn.HuberLoss(reduction="none", delta=0.3),
}
each_cell = pytest.mark.parametrize("cell", CELLS)
each_loss = pytest.mark.parametrize("loss", LOSSES)


def model_of(cell="gru", n_layers=1, bidirectional=False, **options):
    sizes = {"n_channels": N_CHANNELS, "n_outputs": N_OUTPUTS, "hidden_size": HIDDEN}
    model = SequenceModel(cell, **sizes | options, n_layers=n_layers, bidirectional=bidirectional, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():  # biases that differ from 0, or a forgotten one would not show
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def batch_of(model, n_rows=N_ROWS, n_steps=STEPS, *, ragged=False, weighted=False, units=None, seed=0):
    """x, lengths, y, weights, units; some targets are unknown when `weighted`."""
    generator = torch.Generator().manual_seed(seed)
    n_outputs = model.head.linear.out_features
    x, y = (
        torch.randn(n_rows, n_steps, model.n_channels, generator=generator),
        torch.randn(n_rows, n_outputs, generator=generator),
    )
    lengths = weights = None
    if ragged:
        lengths = torch.randint(1, n_steps + 1, (n_rows,), generator=generator)
        lengths[0], lengths[-1] = 1, n_steps
        x[torch.arange(n_steps) >= lengths[:, None]] = 0
    if weighted:
        weights = 2 * torch.rand(n_rows, n_outputs, generator=generator)
        weights[torch.rand(n_rows, n_outputs, generator=generator) < 0.3] = 0
        y[weights == 0] = 0
    if units is not None:
        units = 0.5 + torch.rand(n_rows if units == "rows" else 1, n_outputs, generator=generator)
    return x, lengths, y, weights, units


def by_autograd(model, criterion, batch):
    """Loss, summed absolute errors, summed weights and the gradient, as the net has them."""
    x, lengths, y, weights, units = batch
    dtype = next(model.parameters()).dtype
    outputs = model(x.to(dtype), lengths)
    errors = criterion(outputs, y.to(dtype))
    loss = errors.mean() if weights is None else (errors * weights).sum() / len(y)
    size = (outputs - y).abs().detach() * (1 if units is None else units)
    known = torch.ones_like(y) if weights is None else weights
    gradient = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, list(model.parameters()))])
    return (loss.item(), (size * known).sum().item(), known.sum().item()), gradient


def of_torch(model, criterion, batch):
    """The same by torch's own layers in float64."""
    reference = copy.deepcopy(model).double()
    reference.encoder.recurrent.kernel = "torch"
    return by_autograd(reference, criterion, batch)


class Trained:
    """A direct step with the vectors that it writes."""

    def __init__(self, model, criterion, max_norm=None):
        assert is_plain(model, criterion)
        self.flat = FlatParameters(model)
        self.step = DirectStep(model, criterion, self.flat.parameter, max_norm)

    def __call__(self, batch):
        self.flat.parameter.grad.fill_(torch.nan)  # every number is to be written
        return self.step(*batch), self.flat.parameter.grad.clone()


def assert_close(ours, theirs, tolerance):
    """Compare sums one by one, gradients relative to the largest."""
    assert ours[0] == pytest.approx(theirs[0], rel=tolerance)
    atol = tolerance * theirs[1].abs().max().item()
    torch.testing.assert_close(ours[1].double(), theirs[1].double(), rtol=0, atol=atol)


# -- loss and gradients ------------------------------------------------------------------------------------------------


@each_cell
@each_loss
@pytest.mark.parametrize("n_layers, bidirectional", [(1, False), (1, True), (2, False), (2, True), (3, True)])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_loss_and_gradients_are_autograds(cell, loss, n_layers, bidirectional, ragged, weighted):
    model, criterion = model_of(cell, n_layers, bidirectional), LOSSES[loss]
    batch = batch_of(model, ragged=ragged, weighted=weighted, units="row")
    exact, ours = of_torch(model, criterion, batch), by_autograd(model, criterion, batch)
    found = Trained(model, criterion)(batch)
    assert_close(found, exact, 1e-5)
    assert_close(found, ours, 2e-6)


@each_cell
@pytest.mark.parametrize("n_rows", [1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS + 6])
@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (17, 18, 2), (3, 37, 19)], ids=str)
def test_any_size(cell, n_rows, n_steps, sizes):
    n_channels, hidden_size, n_outputs = sizes
    model = model_of(cell, 2, True, n_channels=n_channels, hidden_size=hidden_size, n_outputs=n_outputs)
    batch = batch_of(model, n_rows, n_steps, ragged=True)
    assert_close(Trained(model, LOSSES["squared"])(batch), of_torch(model, LOSSES["squared"], batch), 1e-5)


@pytest.mark.parametrize("units", [None, "row", "rows"])
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_in_the_users_units(units, weighted):
    model, criterion = model_of("lstm"), LOSSES["huber"]
    batch = batch_of(model, weighted=weighted, units=units)
    assert_close(Trained(model, criterion)(batch), of_torch(model, criterion, batch), 1e-5)


def test_units_of_one_column():
    model, criterion = model_of("lstm"), LOSSES["squared"]
    x, lengths, y, weights, _ = batch_of(model)
    batch = x, lengths, y, weights, torch.full((1, 1), 7.0)
    assert_close(Trained(model, criterion)(batch), of_torch(model, criterion, batch), 1e-5)


@each_loss
def test_errors_of_exactly_zero_have_no_gradient(loss):
    model, criterion = model_of("rnn"), LOSSES[loss]
    x, _, y, _, _ = batch_of(model)
    with torch.no_grad():
        model.head.linear.weight.zero_()  # else rounding decides the sign
        y[:3] = model.head.linear.bias
    found = Trained(model, criterion)((x, None, y, None, None))
    assert_close(found, by_autograd(model, criterion, (x, None, y, None, None)), 1e-5)


def test_arguments_may_be_any_view():
    model, criterion = model_of("gru", 2), LOSSES["squared"]
    batch = batch_of(model, weighted=True, units="rows")
    views = [None if part is None else part.transpose(0, 1).contiguous().transpose(0, 1) for part in batch]
    assert not views[0].is_contiguous()
    trained = Trained(model, criterion)
    sums, gradient = trained(batch)
    sums_of_views, gradient_of_views = trained(views)
    assert sums == sums_of_views
    assert torch.equal(gradient, gradient_of_views)


@each_cell
@each_loss
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_loss_that_is_not_finite_shows(cell, loss, bad):
    model, criterion = model_of(cell), LOSSES[loss]
    batch = batch_of(model)
    batch[2][3, 2] = bad
    expected, exact = by_autograd(model, criterion, batch)
    found, gradient = Trained(model, criterion)(batch)
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert gradient[exact.isnan()].isnan().all()


@pytest.mark.parametrize("share", [0.5, 2.0], ids=["clipped", "small"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_gradient_is_clipped_as_elsewhere(cell, share):
    model, criterion = model_of(cell, 2), LOSSES["squared"]
    batch = batch_of(model)
    whole = Trained(model, criterion)(batch)[1]
    max_norm = share * whole.norm().item()
    parameter = nn.Parameter(torch.zeros_like(whole))
    parameter.grad = whole.clone()
    clip_gradient([parameter], max_norm)
    _, clipped = Trained(model, criterion, max_norm)(batch)
    torch.testing.assert_close(clipped, parameter.grad, rtol=1e-6, atol=0)
    assert torch.equal(clipped, whole) is (share > 1)


def test_clipping_spreads_what_is_nan_as_elsewhere():
    model, criterion = model_of("rnn"), LOSSES["squared"]
    batch = batch_of(model)
    batch[2][3, 2] = torch.nan
    assert Trained(model, criterion, 1.0)(batch)[1].isnan().all()


# -- one batch after the other -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_batches_of_changing_shape(cell):
    """Nothing of a former batch is left in the memory that all shapes share."""
    model, criterion = model_of(cell, 2, True), LOSSES["squared"]
    trained = Trained(model, criterion)
    shapes = [(37, 7), (5, 7), (37, 3), (70, 9), (1, 1), (32, 2), (33, 5), (37, 7), (5, 7), (70, 9)]
    assert len(set(shapes)) > KEPT_SHAPES
    for seed, shape in enumerate(shapes):
        batch = batch_of(model, *shape, ragged=seed % 2 == 1, seed=seed)
        assert_close(trained(batch), by_autograd(model, criterion, batch), 2e-6)
        assert 1 <= len(trained.step._workspaces) <= KEPT_SHAPES


def test_a_shape_seen_before_is_laid_out_once(monkeypatch):
    model = model_of("gru", 2)
    trained, batches = Trained(model, LOSSES["squared"]), [batch_of(model, *shape) for shape in ((37, 7), (5, 7))]
    first = [trained(batch) for batch in batches]
    monkeypatch.setattr(_direct, "_Workspace", None)  # a new one would be an error
    for batch, (sums, gradient) in zip(batches, first, strict=True):
        again, gradient_again = trained(batch)
        assert again == sums
        assert torch.equal(gradient_again, gradient)


@each_cell
def test_it_follows_the_weights(cell):
    """Updates in place are seen: the vector is the net's memory."""
    model, criterion = model_of(cell, 2), LOSSES["squared"]
    trained, batch = Trained(model, criterion), batch_of(model)
    optimizer = torch.optim.SGD([trained.flat.parameter], lr=0.1)
    losses = []
    for _ in range(3):
        sums, _ = trained(batch)
        losses.append(sums[0])
        optimizer.step()
    assert losses[2] < losses[1] < losses[0]
    assert_close(trained(batch), by_autograd(model, criterion, batch), 2e-6)


# -- which nets are plain ----------------------------------------------------------------------------------------------


class OtherLoss(nn.MSELoss):
    def forward(self, outputs, targets):
        return 3 * super().forward(outputs, targets)


class OtherModel(SequenceModel):
    pass


@each_cell
@each_loss
def test_plain_nets(cell, loss):
    assert is_plain(model_of(cell), LOSSES[loss])
    assert is_plain(model_of(cell, 3, True), LOSSES[loss])


@pytest.mark.parametrize(
    "options, plain",
    [
        ({"dropout": 0.1}, True),  # between layers, of which there is one
        ({"dropout": 0.1, "n_layers": 2}, False),
        ({"input_dropout": 0.1}, False),
        ({"input_shift": 0.1}, False),
        ({"pooling": "mean"}, False),
        ({"pooling": "attention"}, False),
        ({"pooling": None}, False),
        ({"layer_norm": True}, False),
        ({"conv_channels": 3}, False),
        ({"patch_size": 2}, False),
        ({"n_quantiles": 3}, False),
        ({"crf": True, "pooling": None}, False),
        ({"kernel": "torch"}, False),
        ({"kernel": "fused"}, True),
        ({"dtype": torch.float64}, False),
    ],
    ids=str,
)
def test_what_a_net_must_not_have(options, plain):
    assert is_plain(model_of(**options), LOSSES["squared"]) is plain


def test_a_net_that_reads_tokens_is_not_plain():
    sizes = EmbeddingSizes(tables=((11, N_CHANNELS),), n_buckets=None, trainable=False)
    model = SequenceModel("gru", N_CHANNELS, N_OUTPUTS, HIDDEN, embedding=sizes)
    assert not is_plain(model, LOSSES["squared"])


@pytest.mark.parametrize(
    "criterion",
    [
        OtherLoss(reduction="none"),
        nn.SmoothL1Loss(reduction="none"),
        PinballLoss(),
        nn.CrossEntropyLoss(reduction="none"),
        SoftmaxLoss(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_other_losses_are_not_plain(criterion):
    assert not is_plain(model_of(), criterion)


def test_subclasses_and_other_modules_are_not_plain():
    assert not is_plain(OtherModel("gru", N_CHANNELS, N_OUTPUTS, HIDDEN), LOSSES["squared"])
    assert not is_plain(nn.Linear(2, 3), LOSSES["squared"])


@pytest.mark.parametrize(
    "name",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
@pytest.mark.parametrize("part", ["", "encoder.recurrent", "encoder.recurrent.recurrences.0", "head.linear"])
def test_hooks_are_called_by_the_engine_only(name, part):
    model = model_of()
    handle = getattr(model.get_submodule(part), name)(lambda *args: None)
    assert not is_plain(model, LOSSES["squared"])
    handle.remove()
    assert is_plain(model, LOSSES["squared"])


def test_hooks_of_weights_are_called_by_the_engine_only():
    model = model_of()
    handle = model.head.linear.weight.register_hook(lambda gradient: 2 * gradient)
    assert not is_plain(model, LOSSES["squared"])
    handle.remove()
    assert is_plain(model, LOSSES["squared"])


@pytest.mark.parametrize("name", ["encoder.recurrent.recurrences.0.weight_hh_l0", "head.linear.bias"])
def test_frozen_weights_are_not_plain(name):
    model = model_of()
    model.get_parameter(name).requires_grad_(False)
    assert not is_plain(model, LOSSES["squared"])


def test_weights_made_of_others_are_not_plain():
    model = model_of()
    nn.utils.parametrizations.orthogonal(model.encoder.recurrent.recurrences[0], "weight_hh_l0")
    assert not is_plain(model, LOSSES["squared"])


def test_without_numba_nothing_is_plain(monkeypatch):
    monkeypatch.setattr("skrnn.nn._recurrent.has_kernels", lambda: False)
    assert not is_plain(model_of(), LOSSES["squared"])
