"""Whole nets: what skorch trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._recurrent import RecurrentStack


class SequenceToVector(nn.Module):
    """Recurrent layers, and a linear head on their final state.

    Parameters
    ----------
    cell, n_channels, hidden_size, n_layers, bidirectional, dropout
        See `RecurrentStack`.
    n_outputs : int
    seed : int
        Decides the initial weights and the dropout masks.
    dtype : torch.dtype
    """

    def __init__(
        self,
        cell: str,
        n_channels: int,
        n_outputs: int,
        hidden_size: int,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.recurrent = RecurrentStack(cell, n_channels, hidden_size, n_layers, bidirectional, dropout, generator)
        self.head = nn.Linear(self.recurrent.output_size, n_outputs)
        nn.init.xavier_uniform_(self.head.weight, generator=generator)
        nn.init.zeros_(self.head.bias)
        self.to(dtype)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        *,
        future: Tensor | None = None,
        targets: Tensor | None = None,
        teacher_forcing: float = 0.0,
    ) -> Tensor:
        """Return (batch, n_outputs) for x (batch, steps, channels); `future`, `targets` and forcing do not apply."""
        return self.head(self.recurrent(x, lengths))
