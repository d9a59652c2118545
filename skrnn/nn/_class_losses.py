"""Losses of class scores: cross-entropy, with smoothed labels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ClassLoss(nn.Module):
    """Abstract: scores of classes against class numbers; what is counted beside the loss is errors.

    Parameters
    ----------
    label_smoothing : float
        The share of each label that is spread evenly over the classes (Szegedy et al. 2016, section 7).
    reduction : {"none"}
        Only there because every torch loss has it.
    """

    measure = "accuracy"

    def __init__(self, label_smoothing: float = 0.0, reduction: str = "none") -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def point(self, y_pred: Tensor) -> Tensor:
        """The number of the likeliest class, in the shape of the targets."""
        raise NotImplementedError


class SoftmaxLoss(ClassLoss):
    """One of several classes: minus the logarithm of a softmax."""

    def point(self, y_pred: Tensor) -> Tensor:
        """(..., n_classes) -> (..., 1)"""
        return y_pred.argmax(dim=-1, keepdim=True).to(y_pred.dtype)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_classes) and class numbers (..., 1) -> (..., 1)"""
        log_probability = functional.log_softmax(y_pred, dim=-1)
        loss = -log_probability.gather(-1, y_true.long())
        if not self.label_smoothing:
            return loss
        spread = -log_probability.mean(dim=-1, keepdim=True)
        return (1 - self.label_smoothing) * loss + self.label_smoothing * spread


class SigmoidLoss(ClassLoss):
    """Any number of labels, each there or not: minus the logarithm of a logistic function for each."""

    def point(self, y_pred: Tensor) -> Tensor:
        """(..., n_labels) -> (..., n_labels)"""
        return (y_pred > 0).to(y_pred.dtype)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """(..., n_labels) twice -> (..., n_labels)"""
        smooth = y_true * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(y_pred, smooth, reduction="none")
