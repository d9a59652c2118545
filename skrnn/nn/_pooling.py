"""One vector for a whole sequence, from the outputs of all its valid steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._recurrent import LayerOutputs

POOLINGS = ("last", "mean", "max", "mean_max", "attention")


class Pooling(nn.Module):
    """Pool the steps of the last recurrent layer; padding counts for nothing.

    Parameters
    ----------
    kind : {"last", "mean", "max", "mean_max", "attention"}
        "last" is the final state of each direction; "mean" and "max" go over the valid steps, channel by channel;
        "mean_max" puts both side by side; "attention" is a mean weighted by a softmax over learned scores
        ``v @ tanh(W h_t + b)`` (Yang et al. 2016, equations 5 to 7).
    n_features : int
        Of each step.
    generator : torch.Generator
        Draws the weights of the attention.

    Attributes
    ----------
    output_size : int
    """

    def __init__(self, kind: str, n_features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.kind = kind
        self.output_size = 2 * n_features if kind == "mean_max" else n_features
        if kind == "attention":
            self.projection = nn.Linear(n_features, n_features)
            self.query = nn.Linear(n_features, 1, bias=False)
            nn.init.xavier_uniform_(self.projection.weight, generator=generator)
            nn.init.zeros_(self.projection.bias)
            nn.init.xavier_uniform_(self.query.weight, generator=generator)

    def forward(self, outputs: LayerOutputs) -> Tensor:
        """(batch, output_size)"""
        if self.kind == "last":
            return outputs.final()
        steps, valid = outputs.steps(), outputs.valid()  # (batch, steps, features), (batch, steps)
        if self.kind == "mean":
            return mean_of_steps(steps, valid)
        if self.kind == "max":
            return max_of_steps(steps, valid)
        if self.kind == "mean_max":
            return torch.cat([mean_of_steps(steps, valid), max_of_steps(steps, valid)], dim=1)
        weights = self.attention(steps, valid)
        return (without_padding(steps, valid, 0.0) * weights).sum(dim=1)

    def attention(self, steps: Tensor, valid: Tensor | None) -> Tensor:
        """The weight of each step, (batch, steps, 1): they add up to 1, and padding has 0."""
        scores = self.query(self.projection(steps).tanh())
        return without_padding(scores, valid, -torch.inf).softmax(dim=1)


def without_padding(steps: Tensor, valid: Tensor | None, value: float) -> Tensor:
    """Steps (batch, steps, features) with `value` at padding, where a state may have grown to infinity."""
    return steps if valid is None else steps.masked_fill(~valid[..., None], value)


def mean_of_steps(steps: Tensor, valid: Tensor | None) -> Tensor:
    """The mean over the valid steps, (batch, features)."""
    if valid is None:
        return steps.mean(dim=1)
    return without_padding(steps, valid, 0.0).sum(dim=1) / valid.sum(dim=1, keepdim=True)


def max_of_steps(steps: Tensor, valid: Tensor | None) -> Tensor:
    """The largest value over the valid steps, (batch, features)."""
    return without_padding(steps, valid, -torch.inf).amax(dim=1)
