"""Losses of class scores are torch's own, one number for each target; smoothing is that of Szegedy et al. (2016)."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from skrnn import RNNClassifier
from skrnn.nn._class_losses import ClassLoss, SigmoidLoss, SoftmaxLoss

SMOOTHING = [0.0, 0.1, 0.5, 0.99]


def scores(*shape, seed=0, size=3.0):
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def classes(*shape, n_classes, seed=1):
    return torch.randint(n_classes, shape, generator=torch.Generator().manual_seed(seed))


# -- one of several classes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("axes", [(7,), (7, 3)], ids=["sequences", "steps"])
def test_softmax_loss_is_torchs_cross_entropy(axes, n_classes, smoothing):
    y_pred, y_true = scores(*axes, n_classes), classes(*axes, n_classes=n_classes)
    got = SoftmaxLoss(smoothing)(y_pred, y_true[..., None].double())
    assert got.shape == (*axes, 1)
    expected = functional.cross_entropy(
        y_pred.reshape(-1, n_classes), y_true.reshape(-1), reduction="none", label_smoothing=smoothing
    )
    torch.testing.assert_close(got.reshape(-1), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_gradients_of_the_softmax_loss_are_torchs(smoothing):
    y_true = classes(7, n_classes=5)
    gradients = []
    for loss_of in (
        lambda p: SoftmaxLoss(smoothing)(p, y_true[:, None].double()).sum(),
        lambda p: functional.cross_entropy(p, y_true, reduction="sum", label_smoothing=smoothing),
    ):
        y_pred = scores(7, 5).requires_grad_()
        loss_of(y_pred).backward()
        gradients.append(y_pred.grad)
    assert gradients[0].abs().max() > 0.1
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_smoothing_mixes_the_label_with_all_classes_alike():
    """q(k) = (1 - eps) [k = y] + eps / K, written out for one row."""
    y_pred = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64)
    p = y_pred.softmax(dim=-1)[0]
    expected = -(0.7 + 0.1) * p[1].log() - 0.1 * p[0].log() - 0.1 * p[2].log()
    got = SoftmaxLoss(0.3)(y_pred, torch.tensor([[1.0]], dtype=torch.float64))
    assert got.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_numbers_come_as_floats_of_the_nets_precision(dtype):
    loss = SoftmaxLoss(0.1)(scores(7, 5).to(dtype), classes(7, 1, n_classes=5).to(dtype))
    assert loss.dtype == dtype
    assert torch.isfinite(loss).all()


# -- labels that are there or not ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(7, 3), (7, 2, 3)], ids=["sequences", "steps"])
def test_sigmoid_loss_is_torchs_binary_cross_entropy(axes):
    y_pred, y_true = scores(*axes), classes(*axes, n_classes=2).double()
    got = SigmoidLoss()(y_pred, y_true)
    assert got.shape == axes
    torch.testing.assert_close(got, functional.binary_cross_entropy(y_pred.sigmoid(), y_true, reduction="none"))


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_a_label_is_a_choice_of_two_classes(smoothing):
    """Smoothed alike: the sigmoid of a score is the softmax of (0, score)."""
    y_pred, y_true = scores(7, 3), classes(7, 3, n_classes=2)
    pairs = torch.stack([torch.zeros_like(y_pred), y_pred], dim=-1).reshape(-1, 2)
    expected = functional.cross_entropy(pairs, y_true.reshape(-1), reduction="none", label_smoothing=smoothing)
    got = SigmoidLoss(smoothing)(y_pred, y_true.double())
    torch.testing.assert_close(got.reshape(-1), expected, rtol=1e-10, atol=1e-12)


# -- far from 0 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e3, 1e30])
@pytest.mark.parametrize("loss", [SoftmaxLoss(), SigmoidLoss()], ids=["softmax", "sigmoid"])
def test_scores_without_bound_have_a_finite_loss_and_gradient(loss, size):
    y_pred = (torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64) * size).requires_grad_()
    wrong = torch.tensor([[1.0], [0.0]] if isinstance(loss, SoftmaxLoss) else [[0.0, 1.0], [1.0, 0.0]]).double()
    value = loss(y_pred, wrong)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert value.min() >= size
    assert y_pred.grad.abs().max() == 1


# -- which class -----------------------------------------------------------------------------------------------------


def test_the_likeliest_class_has_the_shape_of_the_targets():
    y_pred = scores(7, 2, 5)
    got = SoftmaxLoss().point(y_pred)
    assert got.shape == (7, 2, 1)
    np.testing.assert_array_equal(got[..., 0], y_pred.numpy().argmax(axis=-1))
    labels = SigmoidLoss().point(y_pred)
    np.testing.assert_array_equal(labels, y_pred.sigmoid() > 0.5)
    assert got.dtype == labels.dtype == y_pred.dtype


def test_both_count_right_rows():
    assert {loss.measure for loss in (ClassLoss, SoftmaxLoss, SigmoidLoss)} == {"accuracy"}
    with pytest.raises(NotImplementedError):
        ClassLoss().point(scores(2, 3))


# -- in the estimator ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("labels", [np.arange(24) % 3, np.stack([np.arange(24) % 2, np.arange(24) % 3 == 1], axis=1)])
def test_loss_of_the_history_is_torchs_of_the_predictions(labels, smoothing):
    """With lr so small that the net stays what it is."""
    X = np.random.RandomState(0).randn(24, 5, 2)
    model = RNNClassifier(
        "gru", hidden_size=3, lr=1e-12, max_epochs=1, label_smoothing=smoothing, random_state=0, early_stopping=False
    ).fit(X, labels, X_val=X[:7], y_val=labels[:7])
    log_odds = torch.from_numpy(
        model.predict_log_proba(X) if labels.ndim == 1 else model.decision_function(X)
    )  # cross entropy takes logarithms of probabilities as scores
    truth = torch.from_numpy(labels.astype(int))
    if labels.ndim == 1:
        loss = functional.cross_entropy(log_odds, truth, reduction="none", label_smoothing=smoothing)
    else:
        smooth = truth * (1 - smoothing) + smoothing / 2
        loss = functional.binary_cross_entropy_with_logits(log_odds, smooth, reduction="none")
    assert model.history_["train_loss"].iloc[0] == pytest.approx(loss.mean().item(), rel=1e-6)
    assert model.history_["valid_loss"].iloc[0] == pytest.approx(loss[:7].mean().item(), rel=1e-6)
