"""Attention of a decoder over the steps of the encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._pooling import without_padding

ATTENTIONS = ("additive", "dot")


class Attention(nn.Module):
    """Weigh the encoder's steps by how well they answer a query, and return their mean.

    Parameters
    ----------
    kind : {"additive", "dot"}
        The score of the encoder's step h_j for a query s: "additive" is ``v @ tanh(W s + U h_j)`` (Bahdanau et al.
        2015, appendix A.1.2), "dot" is ``s @ h_j`` (Luong et al. 2015, equation 8), or ``s @ U h_j`` ("general")
        where the two have different sizes.
    query_size, memory_size : int
        Features of a query and of an encoder's step.
    generator : torch.Generator
        Draws the weights, Glorot uniform.
    """

    def __init__(self, kind: str, query_size: int, memory_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.kind = kind
        self.project_keys: nn.Module = nn.Identity()
        if kind == "additive" or memory_size != query_size:
            self.project_keys = nn.Linear(memory_size, query_size, bias=kind == "additive")
        if kind == "additive":
            self.project_query = nn.Linear(query_size, query_size, bias=False)
            self.score = nn.Linear(query_size, 1, bias=False)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight, generator=generator)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, query: Tensor, keys: Tensor, steps: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the context of each query and the weights that it has for the steps.

        Parameters
        ----------
        query : Tensor of shape (batch, queries, query_size)
        keys : Tensor of shape (batch, steps, query_size)
            ``project_keys(steps)``, computed once for all queries.
        steps : Tensor of shape (batch, steps, memory_size)
        valid : Tensor of shape (batch, steps) or None
            False at padding, which gets no weight.

        Returns
        -------
        context : Tensor of shape (batch, queries, memory_size)
        weights : Tensor of shape (batch, queries, steps)
            They add up to 1 over the steps.
        """
        if self.kind == "additive":
            both = self.project_query(query)[:, :, None] + keys[:, None]  # (batch, queries, steps, query_size)
            scores = self.score(both.tanh())[..., 0]
        else:
            scores = query @ keys.transpose(1, 2)
        if valid is not None:
            scores = scores.masked_fill(~valid[:, None], -torch.inf)
            steps = without_padding(steps, valid, 0.0)
        weights = scores.softmax(dim=-1)
        return weights @ steps, weights
