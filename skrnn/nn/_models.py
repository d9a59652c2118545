"""Whole nets: what skorch trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._crf import LinearChainCRF
from skrnn.nn._embedding import EmbeddingSizes, TokenBatch, TokenEmbedding, as_vectors
from skrnn.nn._encoder import Encoder
from skrnn.nn._heads import LinearHead
from skrnn.nn._pooling import Pooling
from skrnn.nn._recurrent import LayerOutputs
from skrnn.nn._tagging import TagScores


class SequenceModel(nn.Module):
    """An encoder, and a linear head on its pooled outputs (sequence to vector) or on each step (to sequence).

    Parameters
    ----------
    cell, n_channels, hidden_size, n_layers, bidirectional, dropout, input_dropout
        See `Encoder`, which has the next three and `input_shift` too.
    conv_channels, conv_kernel_size, patch_size, input_shift
        What stands in front of the recurrent layers.
    kernel : {"auto", "torch", "fused"}
        See `RecurrentStack`.
    n_outputs : int
    pooling : str or None
        See `Pooling`. None keeps the steps.
    layer_norm, n_quantiles
        See `LinearHead`.
    crf : bool
        Outputs of the steps are scores of tags, which a `LinearChainCRF` judges together.
    embedding : EmbeddingSizes or None
        Sequences are of tokens, whose vectors have `n_channels` values.
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
        input_dropout: float = 0.0,
        conv_channels: int | None = None,
        conv_kernel_size: int = 5,
        patch_size: int = 1,
        pooling: str | None = "last",
        layer_norm: bool = False,
        n_quantiles: int | None = None,
        input_shift: float = 0.0,
        crf: bool = False,
        kernel: str = "auto",
        embedding: EmbeddingSizes | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embedding = None if embedding is None else TokenEmbedding(embedding)
        self.n_channels = n_channels
        self.encoder = Encoder(
            cell,
            n_channels,
            hidden_size,
            n_layers,
            bidirectional,
            dropout,
            input_dropout,
            conv_channels,
            conv_kernel_size,
            patch_size,
            generator,
            input_shift=input_shift,
            kernel=kernel,
        )
        n_features = self.encoder.output_size
        self.pooling = None if pooling is None else Pooling(pooling, n_features, generator)
        n_features = n_features if self.pooling is None else self.pooling.output_size
        self.head = LinearHead(n_features, n_outputs, n_quantiles, layer_norm, generator)
        self.crf = LinearChainCRF(n_outputs) if crf else None
        self.to(dtype)

    def forward(self, x: Tensor | TokenBatch, lengths: Tensor | None = None) -> Tensor | TagScores:
        """Read x (batch, steps, channels), or as many tokens, and return outputs.

        Returns
        -------
        Tensor of shape (batch, n_outputs), or (batch, steps, n_outputs) without pooling
            With quantiles there is one more axis. With a field they come as `TagScores`.
        """
        outputs = self.outputs(x, lengths)
        return outputs if self.crf is None else TagScores(outputs, lengths, self.crf)

    def outputs(self, x: Tensor | TokenBatch, lengths: Tensor | None = None) -> Tensor:
        """What the head gives: without a field all there is, else the scores of each step by itself."""
        encoded = self.encode(x, lengths, final_only=self.pooling is not None and self.pooling.kind == "last")
        outputs: Tensor = self.head(encoded.steps() if self.pooling is None else self.pooling(encoded))
        return outputs

    def encode(self, x: Tensor | TokenBatch, lengths: Tensor | None, *, final_only: bool = False) -> LayerOutputs:
        """What the encoder gives for each row."""
        return self.encoder(as_vectors(x, self.embedding), lengths, final_only=final_only)
