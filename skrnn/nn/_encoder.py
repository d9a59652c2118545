"""What reads a sequence: input dropout, an optional convolution and patches, recurrent layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._dropout import Dropout, RandomShift
from skrnn.nn._front import CausalConvolution, PatchEmbedding
from skrnn.nn._recurrent import LayerOutputs, RecurrentStack


class Encoder(nn.Module):
    """Everything up to the outputs of the last recurrent layer.

    Parameters
    ----------
    cell, n_channels, hidden_size, n_layers, bidirectional, dropout, keep_states, kernel
        See `RecurrentStack`.
    input_dropout : float
        Share of the input values set to zero in training.
    input_shift : float
        See `RandomShift`.
    conv_channels : int or None
        Filters of a `CausalConvolution` in front; None leaves it out.
    conv_kernel_size : int
    patch_size : int
        See `PatchEmbedding`; 1 leaves it out.
    generator : torch.Generator
        Draws the initial weights and the dropout masks.

    Attributes
    ----------
    output_size : int
        Features of each step.
    """

    def __init__(
        self,
        cell: str,
        n_channels: int,
        hidden_size: int,
        n_layers: int,
        bidirectional: bool,
        dropout: float,
        input_dropout: float,
        conv_channels: int | None,
        conv_kernel_size: int,
        patch_size: int,
        generator: torch.Generator,
        *,
        keep_states: bool = False,
        input_shift: float = 0.0,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        self.input_shift = RandomShift(input_shift, generator)
        self.input_dropout = Dropout(input_dropout, generator)
        self.convolution: CausalConvolution | None = None
        if conv_channels is not None:
            self.convolution = CausalConvolution(n_channels, conv_channels, conv_kernel_size, generator)
            n_channels = conv_channels
        self.patches: PatchEmbedding | None = None
        if patch_size > 1:
            self.patches = PatchEmbedding(n_channels, patch_size, hidden_size, generator)
            n_channels = hidden_size
        self.recurrent = RecurrentStack(
            cell,
            n_channels,
            hidden_size,
            n_layers,
            bidirectional,
            dropout,
            generator,
            keep_states=keep_states,
            kernel=kernel,
        )
        self.output_size = self.recurrent.output_size

    def forward(self, x: Tensor, lengths: Tensor | None = None, *, final_only: bool = False) -> LayerOutputs:
        """Read x (batch, steps, channels), padding being zeros behind the valid steps; see `RecurrentStack`."""
        x = self.input_dropout(self.input_shift(x, lengths))
        if self.convolution is not None:
            x = self.convolution(x)  # (batch, steps, conv_channels)
        if self.patches is not None:
            x, lengths = self.patches(x, lengths)  # (batch, patches, hidden)
        return self.recurrent(x, lengths, final_only=final_only)
