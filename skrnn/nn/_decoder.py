"""From the state of an encoder to the steps of a forecast: at once, in parallel segments, or one after the other.

Each decoder takes a `Memory` and gives parameters of shape (batch, segments, size, n_outputs, n_parameters), the
segments following each other in time, and the weights of its attention (batch, segments, encoder steps) or None.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._attention import Attention
from skrnn.nn._distributions import Emission
from skrnn.nn._memory import Memory, repeated
from skrnn.nn._output import SegmentHead
from skrnn.nn._recurrent import RecurrentStack

DECODERS = ("autoregressive", "direct", "parallel")
Decoded = tuple[Tensor, Tensor | None]


class DirectDecoder(nn.Module):
    """One linear map from the final state (and what is known ahead) to all steps.

    Parameters
    ----------
    memory_size : int
        Features of the encoder's final state.
    horizon, n_outputs, n_future : int
        Steps, outputs and channels known ahead.
    emission, layer_norm, generator
        See `SegmentHead`.
    """

    def __init__(
        self,
        memory_size: int,
        horizon: int,
        n_outputs: int,
        n_future: int,
        emission: Emission,
        layer_norm: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.segment_size = horizon
        n_features = memory_size + horizon * n_future
        self.head = SegmentHead(n_features, horizon, n_outputs, emission, layer_norm, generator)

    def forward(self, memory: Memory, future: Tensor, skip: Tensor | None) -> Decoded:
        """`future` (batch, 1, horizon, n_future), `skip` (batch, 1, horizon, n_outputs): all steps are one segment."""
        features = torch.cat([memory.final, future.flatten(1)], dim=1)[:, None]  # (batch, 1, n_features)
        return self.head(features, skip), None


class ParallelDecoder(nn.Module):
    """All segments at once: one recurrent step each, from the encoder's state and a learned position (SegRNN).

    Lin et al. 2023, section 3.3: the encoder's final state is copied for each segment, whose position embedding is
    the input of the step.

    Parameters
    ----------
    cell, hidden_size, n_layers, dropout, kernel
        See `RecurrentStack`.
    memory_size, n_outputs, n_future : int
    n_segments, segment_size : int
    attention : {"additive", "dot"} or None
        Each segment's state asks for a context, ``tanh(W [context; state])`` (Luong et al. 2015, equation 5).
    emission, layer_norm, generator
        See `SegmentHead`.
    """

    def __init__(
        self,
        cell: str,
        hidden_size: int,
        n_layers: int,
        dropout: float,
        kernel: str,
        memory_size: int,
        n_outputs: int,
        n_future: int,
        n_segments: int,
        segment_size: int,
        attention: str | None,
        emission: Emission,
        layer_norm: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.segment_size = segment_size
        self.position = nn.Parameter(torch.empty(n_segments, hidden_size))
        nn.init.xavier_uniform_(self.position, generator=generator)
        n_inputs = hidden_size + segment_size * n_future
        self.recurrent = RecurrentStack(cell, n_inputs, hidden_size, n_layers, False, dropout, generator, kernel=kernel)
        self.context = None if attention is None else Context(attention, hidden_size, memory_size, generator)
        self.head = SegmentHead(hidden_size, segment_size, n_outputs, emission, layer_norm, generator)

    def forward(self, memory: Memory, future: Tensor, skip: Tensor | None) -> Decoded:
        """`future` (batch, segments, size, n_future), `skip` (batch, segments, size, n_outputs)."""
        batch, n_segments = future.shape[:2]
        position = self.position[:n_segments].expand(batch, -1, -1)
        inputs = torch.cat([position, future.flatten(2)], dim=2).flatten(0, 1)[:, None]  # (batch * segments, 1, ...)
        outputs = self.recurrent(inputs, initial=repeated(memory.states, n_segments))
        states = outputs.final().unflatten(0, (batch, n_segments))  # (batch, segments, hidden)
        weights = None
        if self.context is not None:
            keys = self.context.attention.project_keys(memory.steps)
            states, weights = self.context(states, keys, memory)
        return self.head(states, skip), weights


class AutoregressiveDecoder(nn.Module):
    """Segment by segment, each from the state so far and the values of the segment before it.

    In training a segment's true values may stand in for the net's own (teacher forcing); whether they do is drawn for
    each segment, for the whole batch at once (scheduled sampling, Bengio et al. 2015, with one coin for a batch: rows
    of a batch stay comparable, and forced segments run in one call).

    Parameters
    ----------
    cell, hidden_size, n_layers, dropout, kernel
        See `RecurrentStack`.
    memory_size, n_outputs, n_future : int
    segment_size : int
        Steps of a segment; from 2 on, its values are embedded by a linear map and ReLU before the recurrence.
    attention : {"additive", "dot"} or None
        "additive": the state before a segment asks, and the context is an input of its step and of the head (Bahdanau
        et al. 2015); "dot": the state after it asks, and the head reads ``tanh(W [context; state])`` (Luong et al.
        2015, equation 5).
    emission, layer_norm, generator
        See `SegmentHead`; the generator also tosses the coins.
    """

    def __init__(
        self,
        cell: str,
        hidden_size: int,
        n_layers: int,
        dropout: float,
        kernel: str,
        memory_size: int,
        n_outputs: int,
        n_future: int,
        segment_size: int,
        attention: str | None,
        emission: Emission,
        layer_norm: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.segment_size, self.emission, self.generator = segment_size, emission, generator
        n_inputs, n_features = segment_size * (n_outputs + n_future), hidden_size
        self.embedding: nn.Linear | None = None
        if segment_size > 1:
            self.embedding = nn.Linear(n_inputs, hidden_size)
            nn.init.xavier_uniform_(self.embedding.weight, generator=generator)
            nn.init.zeros_(self.embedding.bias)
            n_inputs = hidden_size
        self.attention: Attention | None = None
        self.context: Context | None = None
        if attention == "additive":
            self.attention = Attention(attention, hidden_size, memory_size, generator)
            n_inputs, n_features = n_inputs + memory_size, n_features + memory_size
        elif attention == "dot":
            self.context = Context(attention, hidden_size, memory_size, generator)
        self.recurrent = RecurrentStack(
            cell, n_inputs, hidden_size, n_layers, False, dropout, generator, keep_states=True, kernel=kernel
        )
        self.head = SegmentHead(n_features, segment_size, n_outputs, emission, layer_norm, generator)

    def forward(
        self,
        memory: Memory,
        future: Tensor,
        skip: Tensor | None,
        *,
        targets: Tensor | None = None,
        teacher_forcing: float = 0.0,
    ) -> Decoded:
        """Decode as many segments as `future` has.

        Parameters
        ----------
        memory : Memory
        future : Tensor of shape (batch, segments, size, n_future)
        skip : Tensor of shape (batch, segments, size, n_outputs) or None
        targets : Tensor of shape (batch, segments, size, n_outputs) or None
            NaN where unknown: there the net's own value goes on.
        teacher_forcing : float
            Probability of a segment to be followed by its true values.
        """
        n_segments = future.shape[1]
        coins = self._toss(n_segments - 1, 0.0 if targets is None else teacher_forcing)
        asks = self.attention if self.context is None else self.context.attention
        keys = None if asks is None else asks.project_keys(memory.steps)  # once for all segments
        states, value = memory.states, memory.start  # (batch, size, n_outputs)
        parameters, weights = [], []
        begin = 0
        while begin < n_segments:
            end = begin + 1  # segments begin to end - 1 have inputs that are known by now
            while self.attention is None and end < n_segments and coins[end - 1] and _all_known(targets, end - 1):
                end += 1
            before = value[:, None]
            if end > begin + 1 and targets is not None:
                # (batch, end - begin, size, n_outputs)
                before = torch.cat([before, targets[:, begin : end - 1]], dim=1)
            features, states, seen = self._step(before, future[:, begin:end], states, memory, keys)
            part = self.head(features, None if skip is None else skip[:, begin:end])
            parameters.append(part)
            weights.append(seen)
            value = self.emission.point(part[:, -1])
            if targets is not None and end < n_segments and coins[end - 1]:
                true = targets[:, end - 1]
                value = torch.where(true.isnan(), value, true)
            begin = end
        attention = None if weights[0] is None else torch.cat([w for w in weights if w is not None], dim=1)
        return torch.cat(parameters, dim=1), attention

    def _toss(self, n_coins: int, teacher_forcing: float) -> list[bool]:
        """Whether each segment but the last is followed by its true values."""
        if teacher_forcing <= 0 or teacher_forcing >= 1:  # certain, so that no coin is drawn
            return [teacher_forcing >= 1] * n_coins
        return (torch.rand(n_coins, generator=self.generator) < teacher_forcing).tolist()

    def _step(
        self, before: Tensor, future: Tensor, states: list, memory: Memory, keys: Tensor | None
    ) -> tuple[Tensor, list, Tensor | None]:
        """Features of segments whose inputs are known, the states after them, and the attention's weights."""
        inputs = torch.cat([before, future], dim=3).flatten(2)  # (batch, segments, size * (n_outputs + n_future))
        if self.embedding is not None:
            inputs = self.embedding(inputs).relu()
        if self.attention is not None:
            context, weights = self.attention(states[-1][0][:, None], keys, memory.steps, memory.valid)
            inputs = torch.cat([inputs, context], dim=2)
        outputs = self.recurrent(inputs, initial=states)
        features = outputs.steps()  # (batch, segments, hidden)
        if self.attention is not None:
            return torch.cat([features, context], dim=2), outputs.states, weights
        if self.context is not None:
            features, weights = self.context(features, keys, memory)
            return features, outputs.states, weights
        return features, outputs.states, None


class Context(nn.Module):
    """A state and what it asks for among the encoder's steps become ``tanh(W [context; state])``.

    Parameters
    ----------
    kind, hidden_size, memory_size, generator
        See `Attention`.
    """

    def __init__(self, kind: str, hidden_size: int, memory_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.attention = Attention(kind, hidden_size, memory_size, generator)
        self.combine = nn.Linear(memory_size + hidden_size, hidden_size, bias=False)
        nn.init.xavier_uniform_(self.combine.weight, generator=generator)

    def forward(self, states: Tensor, keys: Tensor | None, memory: Memory) -> tuple[Tensor, Tensor]:
        """(batch, segments, hidden) -> the same shape, and weights (batch, segments, encoder steps)

        `keys` (batch, encoder steps, hidden) are those steps in the space of the states.
        """
        assert keys is not None
        context, weights = self.attention(states, keys, memory.steps, memory.valid)
        return self.combine(torch.cat([context, states], dim=2)).tanh(), weights


def _all_known(targets: Tensor | None, segment: int) -> bool:
    return targets is not None and not bool(targets[:, segment].isnan().any())
