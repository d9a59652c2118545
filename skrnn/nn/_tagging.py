"""Scores of tags that a conditional random field judges together, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from skrnn.nn._crf import UNKNOWN, LinearChainCRF


@dataclass(frozen=True)
class TagScores:
    """What a net with a CRF gives for a batch.

    Attributes
    ----------
    scores : Tensor of shape (batch, steps, n_tags)
        Of each step by itself.
    lengths : Tensor of shape (batch,) or None
    crf : LinearChainCRF
    """

    scores: Tensor
    lengths: Tensor | None
    crf: LinearChainCRF

    def detach(self) -> TagScores:
        """The same without gradients, as tensors have it."""
        return replace(self, scores=self.scores.detach())

    def float(self) -> TagScores:
        """The same in float32, as tensors have it."""
        return replace(self, scores=self.scores.float())


class CRFLoss(nn.Module):
    """Minus the log-likelihood of whole sequences of tags (`LinearChainCRF.negative_log_likelihood`).

    It weighs the steps itself, since the loss of a sequence is no sum over steps that are independent.

    Parameters
    ----------
    reduction : {"none"}
        Only there because every torch loss has it.
    """

    measure = "accuracy"
    weighs = True

    def __init__(self, reduction: str = "none") -> None:
        super().__init__()

    @torch.no_grad()
    def point(self, y_pred: TagScores) -> Tensor:
        """The best path, (batch, steps, 1)."""
        return y_pred.crf.viterbi(y_pred.scores, y_pred.lengths)[..., None].to(y_pred.scores.dtype)

    def forward(self, y_pred: TagScores, y_true: Tensor, weights: Tensor | None) -> Tensor:
        """Tag numbers (batch, steps, 1) and their weights, 0 where unknown -> (batch,)"""
        scores, lengths, crf = y_pred.scores, y_pred.lengths, y_pred.crf
        tags = y_true[..., 0].long()
        if weights is None:  # every step of every sequence is known
            return crf.negative_log_likelihood(scores, tags, lengths) / tags.shape[1]
        weights = weights[..., 0]
        unknown = weights == 0
        largest = weights.amax(dim=1)
        if bool((unknown | (weights == largest[:, None])).all()):  # a sum over fewer terms is enough
            tags = tags.masked_fill(unknown, UNKNOWN)
            return largest * crf.negative_log_likelihood(scores, tags, lengths)
        return crf.negative_log_likelihood(scores, tags, lengths, weights)


def mean_crf(crfs: Sequence[LinearChainCRF]) -> LinearChainCRF:
    """One field with the mean of several ones' numbers, float64: with the mean of the scores it is an ensemble."""
    mean = LinearChainCRF(len(crfs[0].start)).double().cpu()
    with torch.no_grad():
        for name, parameter in mean.named_parameters():
            parameter.copy_(torch.stack([crf.get_parameter(name).double().cpu() for crf in crfs]).mean(dim=0))
    return mean
