"""Recurrent layers over sequences of unequal length, in one or both directions, exact to the last step.

Short sequences stand at the front of their row and are followed by padding. A recurrence only looks back, so what
comes after the last valid step changes nothing before it: the forward direction needs no mask at all, only the right
last step; the backward direction runs over each row reversed within its own length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skrnn.nn._dropout import Dropout

State = tuple[Tensor, ...]
"""The state of one layer and direction, (h,) or for an LSTM (h, carry), each (batch, hidden)."""

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
N_GATES = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
FORGET_GATE = 1  # of torch's order i, f, g, o


@dataclass(frozen=True)
class LayerOutputs:
    """What the last layer of a stack gives, step by step.

    Attributes
    ----------
    directions : list of Tensor of shape (batch, steps, hidden)
        The outputs of each direction, in the order in which it reads.
    carries : list of Tensor of shape (batch, hidden)
        The carry state of each direction of an LSTM after the last step of the batch, else empty. Exact for rows
        that are as long as the batch.
    lengths : LongTensor of shape (batch,) or None
    reversal : LongTensor of shape (batch, steps) or None
        From `reversed_steps`, where there is a backward direction and lengths differ.
    states : list of State
        With ``keep_states`` of `RecurrentStack`, the state after the last valid step: layer by layer, forward before
        backward.
    """

    directions: list[Tensor]
    carries: list[Tensor]
    lengths: Tensor | None
    reversal: Tensor | None
    states: list[State] = field(default_factory=list)

    def final(self) -> Tensor:
        """The state after the last valid step; of the backward direction, after the first: (batch, features)."""
        return join([last_step(direction, self.lengths) for direction in self.directions])

    def final_and_carry(self) -> Tensor:
        """The final state, and for an LSTM its carry state beside it: (batch, features) or (batch, 2 * features)."""
        return join([self.final(), *self.carries])

    def steps(self) -> Tensor:
        """All outputs in the order of the input, (batch, steps, features); beyond a row's length any number."""
        forward, *backward = self.directions
        return join([forward, *(reverse(direction, self.reversal) for direction in backward)])

    def valid(self) -> Tensor | None:
        """Which steps are no padding, (batch, steps); None when all are valid."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.directions[0].shape[1], device=self.lengths.device)
        return steps < self.lengths[:, None]


class RecurrentStack(nn.Module):
    """`n_layers` recurrent layers, each in one or both directions.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
    n_channels, hidden_size, n_layers : int
    bidirectional : bool
    dropout : float
        Between layers, in training only.
    generator : torch.Generator
        Draws the initial weights and the dropout masks.
    keep_states : bool
        Keep the state of each layer after the last valid step, for a decoder that begins there.
    kernel : {"auto", "torch", "fused"}
        What runs the layers. "torch": torch's own, the reference.
    """

    def __init__(
        self,
        cell: str,
        n_channels: int,
        hidden_size: int,
        n_layers: int,
        bidirectional: bool,
        dropout: float,
        generator: torch.Generator,
        *,
        keep_states: bool = False,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        self.kernel = kernel
        n_directions = 2 if bidirectional else 1
        self.output_size = n_directions * hidden_size
        self.n_directions = n_directions
        self.keep_states = keep_states
        self.recurrences = nn.ModuleList()  # layer by layer, forward before backward
        for layer in range(n_layers):
            n_inputs = n_channels if layer == 0 else self.output_size
            for _ in range(n_directions):
                self.recurrences.append(CELLS[cell](n_inputs, hidden_size, batch_first=True))
        self.dropout = Dropout(dropout, generator)
        for recurrence in self.recurrences:
            initialise(recurrence, cell, generator)

    def forward(self, x: Tensor, lengths: Tensor | None = None, initial: Sequence[State] | None = None) -> LayerOutputs:
        """Return the outputs of the last layer.

        Parameters
        ----------
        x : Tensor of shape (batch, steps, channels)
            Valid steps first, padding (any finite value) after.
        lengths : LongTensor of shape (batch,) or None
            Valid steps of each row; None when all are valid.
        initial : sequence of State or None
            Where each layer and direction begins, in the order of `recurrences`; None means zeros.
        """
        reversal = None
        if self.n_directions == 2 and lengths is not None:
            reversal = reversed_steps(lengths, x.shape[1])
        states: list[State] = []
        last_layer = len(self.recurrences) - self.n_directions
        for layer in range(0, last_layer, self.n_directions):
            directions, carries, after = self.run_layer(layer, x, lengths, reversal, initial)
            states += after
            x = self.dropout(LayerOutputs(directions, carries, lengths, reversal).steps())  # (batch, steps, features)
        directions, carries, after = self.run_layer(last_layer, x, lengths, reversal, initial)
        return LayerOutputs(directions, carries, lengths, reversal, states + after)

    def run_layer(
        self,
        layer: int,
        x: Tensor,
        lengths: Tensor | None,
        reversal: Tensor | None,
        initial: Sequence[State] | None,
    ) -> tuple[list[Tensor], list[Tensor], list[State]]:
        """Outputs (batch, steps, hidden), LSTM carries (batch, hidden) and kept states of each direction of a layer."""
        outputs: list[Tensor] = []
        carries: list[Tensor] = []
        states: list[State] = []
        for direction in range(self.n_directions):
            recurrence = self.recurrences[layer + direction]
            begin = None if initial is None else as_torch_takes_it(initial[layer + direction])
            read = x if direction == 0 else reverse(x, reversal)
            if self.keep_states and lengths is not None and isinstance(recurrence, nn.LSTM):
                output, state = run_packed(recurrence, read, lengths, begin)  # the carry exists at the end only
            else:
                output, state = recurrence(read, begin)
            outputs.append(output)
            if isinstance(state, tuple):
                carries.append(state[1][0])  # (batch, hidden)
            if self.keep_states:
                final = last_step(output, lengths)
                states.append((final, carries[-1]) if isinstance(state, tuple) else (final,))
        return outputs, carries, states


def as_torch_takes_it(state: State) -> Tensor | tuple[Tensor, ...]:
    """A state with torch's axis of layers in front: a tuple for an LSTM, else h alone."""
    with_axis = tuple(part[None].contiguous() for part in state)  # (1, batch, hidden)
    return with_axis if len(with_axis) > 1 else with_axis[0]


def run_packed(recurrence: nn.Module, x: Tensor, lengths: Tensor, begin: Any) -> tuple[Tensor, Any]:
    """Run each row for its own length only, so that the state is the one after its last valid step."""
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    output, state = recurrence(packed, begin)
    return pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0], state


def join(directions: list[Tensor]) -> Tensor:
    """Directions side by side on the last axis."""
    return directions[0] if len(directions) == 1 else torch.cat(directions, dim=-1)


def last_step(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The output at each row's last valid step, (batch, hidden)."""
    if lengths is None:
        return outputs[:, -1]
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]


def reversed_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """For each row the steps in reverse order within its length, padding staying behind, (batch, steps)."""
    steps = torch.arange(n_steps, device=lengths.device)
    return torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)


def reverse(x: Tensor, reversal: Tensor | None) -> Tensor:
    """Reverse the steps of every row of x (batch, steps, channels), within its length when `reversal` is given."""
    if reversal is None:
        return x.flip(1)
    return x.gather(1, reversal[..., None].expand(-1, -1, x.shape[2]))


@torch.no_grad()
def initialise(recurrence: nn.Module, cell: str, generator: torch.Generator) -> None:
    """Draw input weights Glorot uniform over all gates at once, as Keras does, recurrent ones orthogonal, biases zero.

    Each gate's recurrent block is orthogonal by itself (Saxe et al. 2014), and the forget gate of an LSTM begins at
    1, so that memory lasts from the first update on (Jozefowicz et al. 2015). torch has neither.
    """
    n_gates = N_GATES[cell]
    for name, parameter in recurrence.named_parameters():
        hidden_size = len(parameter) // n_gates
        if name.startswith("weight_hh"):
            for gate in parameter.view(n_gates, hidden_size, hidden_size):
                nn.init.orthogonal_(gate, generator=generator)
        elif name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            parameter.zero_()
            if cell == "lstm" and name.startswith("bias_ih"):
                parameter.view(n_gates, hidden_size)[FORGET_GATE] = 1.0
