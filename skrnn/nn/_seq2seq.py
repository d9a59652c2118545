"""The whole net of a forecaster: encoder, bridge, decoder; one net for all channels, or one for each alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skrnn.nn._decoder import AutoregressiveDecoder, Decoded, DirectDecoder, ParallelDecoder
from skrnn.nn._distributions import Emission
from skrnn.nn._embedding import EmbeddingSizes, TokenBatch, TokenEmbedding, as_vectors
from skrnn.nn._encoder import Encoder
from skrnn.nn._memory import Bridge, Memory, in_segments, last_steps, own_past
from skrnn.nn._output import LinearSkip
from skrnn.nn._recurrent import LayerOutputs

FIRST_START = 0.1  # not 0, where the ReLU that embeds a segment has no gradient


class Seq2SeqModel(nn.Module):
    """Reads a window and forecasts `horizon` steps of `n_outputs / horizon` outputs.

    Parameters
    ----------
    cell, n_channels, hidden_size, n_layers, bidirectional, dropout, input_dropout
        See `Encoder`, which has the next two and `patch_size` too.
    conv_channels, conv_kernel_size
        A convolution in front of the encoder.
    n_outputs : int
        Columns of the targets: horizon times outputs, the outputs of a step side by side.
    horizon : int
    decoder : {"autoregressive", "direct", "parallel"}
    attention : {"additive", "dot"} or None
    patch_size : int
        Steps embedded as one in the encoder, and steps of a segment of the decoder (at most `horizon`).
    decoder_patch_size : int or None
        Steps of a segment of the decoder, where they are not `patch_size`.
    shared : bool
        Apply one net to each target channel as a series of its own, the other channels beside it.
    linear_skip : bool
    n_steps : int
        Length of the window that the linear skip reads.
    target_channels : tuple of int
        The channel that holds the past of each output, -1 for none: a learned vector stands in its place.
    future_channels : tuple of int
        Channels that hold, `horizon` rows early, what is known ahead; the decoder reads their last `horizon` steps.
    layer_norm : bool
    emission : str
    n_parameters, central : int
        See `Emission`.
    kernel : {"auto", "torch", "fused"}
        See `RecurrentStack`.
    embedding : EmbeddingSizes or None
        Sequences are of tokens, whose vectors have `n_channels` values.
    seed : int
        Decides the initial weights, the dropout masks and the coins of teacher forcing.
    dtype : torch.dtype
    """

    def __init__(
        self,
        cell: str,
        n_channels: int,
        n_outputs: int,
        hidden_size: int,
        horizon: int,
        decoder: str = "autoregressive",
        attention: str | None = None,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        conv_channels: int | None = None,
        conv_kernel_size: int = 5,
        patch_size: int = 1,
        decoder_patch_size: int | None = None,
        shared: bool = False,
        linear_skip: bool = False,
        n_steps: int = 1,
        target_channels: tuple[int, ...] = (-1,),
        future_channels: tuple[int, ...] = (),
        layer_norm: bool = False,
        emission: str = "point",
        n_parameters: int = 1,
        central: int = 0,
        kernel: str = "auto",
        embedding: EmbeddingSizes | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embedding = None if embedding is None else TokenEmbedding(embedding)
        self.n_channels = n_channels
        self.horizon = horizon
        self.attends = attention is not None
        self.shared = shared
        self.series = list(target_channels)  # with `shared`: those that become series of their own
        self.beside = [channel for channel in range(n_channels) if channel not in target_channels]
        if shared:
            n_channels = 1 + len(self.beside)
            future_channels = tuple(1 + self.beside.index(channel) for channel in future_channels)
            target_channels = (0,)
        self.target_channels, self.future_channels = target_channels, list(future_channels)
        self.emission = Emission(emission, n_parameters, central)
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
            keep_states=decoder != "direct",
            kernel=kernel,
        )
        self.bridge = Bridge(cell, hidden_size, n_layers, bidirectional and decoder != "direct", generator)
        # steps beyond the horizon would never be trained
        self.segment_size = min(decoder_patch_size or patch_size, horizon)
        self.start: nn.Parameter | None = None
        if decoder == "autoregressive" and min(target_channels) < 0:
            self.start = nn.Parameter(torch.full((self.segment_size, len(target_channels)), FIRST_START))
        self.skip = LinearSkip(target_channels, n_channels, n_steps, horizon) if linear_skip else None
        n_series, n_future = len(target_channels), len(future_channels)
        last: dict[str, Any] = {"emission": self.emission, "layer_norm": layer_norm, "generator": generator}
        memory_size = self.encoder.output_size
        self.decoder: DirectDecoder | ParallelDecoder | AutoregressiveDecoder
        if decoder == "direct":
            self.decoder = DirectDecoder(memory_size, horizon, n_series, n_future, **last)
        else:
            sizes: dict[str, Any] = {
                "cell": cell,
                "hidden_size": hidden_size,
                "n_layers": n_layers,
                "dropout": dropout,
                "kernel": kernel,
                "memory_size": memory_size,
                "n_outputs": n_series,
                "n_future": n_future,
                "segment_size": self.segment_size,
                "attention": attention,
            }
            if decoder == "parallel":
                self.decoder = ParallelDecoder(n_segments=-(-horizon // self.segment_size), **sizes, **last)
            else:
                self.decoder = AutoregressiveDecoder(**sizes, **last)
        self.to(dtype)

    def forward(
        self,
        x: Tensor | TokenBatch,
        lengths: Tensor | None = None,
        *,
        targets: Tensor | None = None,
        teacher_forcing: float = 0.0,
        horizon: int | None = None,
    ) -> Tensor:
        """Forecast from windows x (batch, steps, channels), or from as many tokens.

        Parameters
        ----------
        x : Tensor of shape (batch, steps, channels), or TokenBatch
            Valid steps first, zeros after.
        lengths : LongTensor of shape (batch,) or None
        targets : Tensor of shape (batch, n_outputs) or None
            In training, what an autoregressive decoder may be fed; NaN where unknown.
        teacher_forcing : float
            How often it is.
        horizon : int or None
            Steps to forecast, where they are not those of the training.

        Returns
        -------
        Tensor of shape (batch, horizon * outputs), with an axis of parameters behind it where there are several
        """
        horizon = self.horizon if horizon is None else horizon
        forced: dict[str, Any] = {}
        if targets is not None and isinstance(self.decoder, AutoregressiveDecoder):
            by_step = targets.unflatten(1, (self.horizon, -1))  # (batch, horizon, outputs)
            by_step = self._split_outputs(by_step)
            segments = in_segments(by_step, self.decoder.segment_size, fill=torch.nan)
            forced = {"targets": segments, "teacher_forcing": teacher_forcing}
        parameters, _ = self._decode(x, lengths, horizon, **forced)
        return self._columns(parameters, horizon)

    def attend(self, x: Tensor | TokenBatch, lengths: Tensor | None) -> Tensor:
        """Weights of the attention, (batch, [n_series *] segments, encoder steps)."""
        weights = self._decode(x, lengths, self.horizon)[1]
        assert weights is not None
        return weights.unflatten(0, (len(x), -1)).flatten(1, 2)

    def encode(self, x: Tensor | TokenBatch, lengths: Tensor | None) -> LayerOutputs:
        """What the encoder gives for each row; with `shared` for each series of each row, (batch * n_series, ...)."""
        return self.encoder(*self._split_channels(x, lengths))

    def _decode(self, x: Tensor | TokenBatch, lengths: Tensor | None, horizon: int, **how: Any) -> Decoded:
        """Parameters (rows, segments, size, outputs, n_parameters), and the attention."""
        series, lengths = self._split_channels(x, lengths)  # (rows, steps, channels)
        outputs = self.encoder(series, lengths, final_only=not self.attends)
        start = own_past(series, lengths, self.target_channels, self.segment_size)
        if self.start is not None:
            known = torch.tensor([channel >= 0 for channel in self.target_channels], device=series.device)
            start = torch.where(known, start, self.start)
        steps, valid = (outputs.steps(), outputs.valid()) if self.attends else (None, None)
        memory = Memory(outputs.final(), self.bridge(outputs), steps, valid, start)
        future = series.new_zeros(len(series), max(horizon, self.horizon), 0)  # fewer steps are cut off afterwards
        if self.future_channels:
            future = last_steps(series, lengths, self.horizon)[..., self.future_channels]
        segments = in_segments(future, self.decoder.segment_size)
        skips = None if self.skip is None else in_segments(self.skip(series, lengths), self.decoder.segment_size)
        return self.decoder(memory, segments, skips, **how)

    def _split_channels(self, x: Tensor | TokenBatch, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """With `shared`, (batch, steps, channels) -> (batch * n_series, steps, 1 + channels beside the targets)."""
        x = as_vectors(x, self.embedding)
        if not self.shared:
            return x, lengths
        each = [torch.cat([x[..., channel : channel + 1], x[..., self.beside]], dim=2) for channel in self.series]
        if lengths is not None:
            lengths = lengths.repeat_interleave(len(self.series))
        return torch.stack(each, dim=1).flatten(0, 1), lengths

    def _split_outputs(self, by_step: Tensor) -> Tensor:
        """With `shared`, (batch, horizon, n_series) -> (batch * n_series, horizon, 1)."""
        return by_step.transpose(1, 2).flatten(0, 1)[..., None] if self.shared else by_step

    def _columns(self, parameters: Tensor, horizon: int) -> Tensor:
        """(rows, segments, size, outputs, n_parameters) -> (batch, horizon * outputs[, n_parameters])"""
        by_step = parameters.flatten(1, 2)[:, :horizon]  # (rows, horizon, outputs, n_parameters)
        if self.shared:
            by_step = by_step[:, :, 0].unflatten(0, (-1, len(self.series))).transpose(1, 2)
        columns = by_step.flatten(1, 2)
        return columns[..., 0] if self.emission.kind == "point" else columns
