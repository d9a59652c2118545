"""Recurrent layers over sequences of unequal length, in one or both directions, exact to the last step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from skrnn.nn._compiled import has_kernels
from skrnn.nn._dropout import Dropout
from skrnn.nn._fused import run_fused, weights_of
from skrnn.nn._reference import Direction, State, join, run_directions, torch_direction
from skrnn.nn._unrolled import run_unrolled

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
N_GATES = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
FORGET_GATE = 1  # of torch's order i, f, g, o
KERNELS = ("auto", "torch", "fused")


@dataclass(frozen=True)
class LayerOutputs:
    """What the last layer of a stack gives.

    Attributes
    ----------
    sequence : Tensor of shape (batch, steps, features), or None
        The outputs of all directions where the step stands in the input; None when only the final state was asked for.
    finals : list of State
        The state of each direction after the last valid step (backward: after the first). The carry of an LSTM is
        exact for rows that are as long as the batch; with ``keep_states`` of `RecurrentStack` for all.
    lengths : LongTensor of shape (batch,) or None
    states : list of State
        With ``keep_states`` those of all layers: layer by layer, forward before backward.
    """

    sequence: Tensor | None
    finals: list[State]
    lengths: Tensor | None
    states: list[State] = field(default_factory=list)

    @property
    def carries(self) -> list[Tensor]:
        """The carry state of each direction of an LSTM, (batch, hidden), else empty."""
        return [state[1] for state in self.finals if len(state) > 1]

    def final(self) -> Tensor:
        """The state after the last valid step; of the backward direction, after the first: (batch, features)."""
        return join([state[0] for state in self.finals])

    def final_and_carry(self) -> Tensor:
        """The final state, and for an LSTM its carry state beside it: (batch, features) or (batch, 2 * features)."""
        return join([self.final(), *self.carries])

    def steps(self) -> Tensor:
        """All outputs in the order of the input, (batch, steps, features); beyond a row's length any number."""
        assert self.sequence is not None
        return self.sequence

    def valid(self) -> Tensor | None:
        """Which steps are no padding, (batch, steps); None when all are valid."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.steps().shape[1], device=self.lengths.device)
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
        What runs the layers. "torch": nn.RNN, nn.LSTM or nn.GRU, the reference. Else the compiled kernels where they
        can (see `runs_fused`), otherwise on the CPU the loops of `nn._unrolled` for all cells but the LSTM, and torch.
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
        self.cell = cell
        self.hidden_size = hidden_size
        self.n_layers = n_layers
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

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        initial: Sequence[State] | None = None,
        *,
        final_only: bool = False,
    ) -> LayerOutputs:
        """Return the outputs of the last layer.

        Parameters
        ----------
        x : Tensor of shape (batch, steps, channels)
            Valid steps first, padding (any finite value) after.
        lengths : LongTensor of shape (batch,) or None
            Valid steps of each row; None when all are valid.
        initial : sequence of State or None
            Where each layer and direction begins, in the order of `recurrences`; None means zeros.
        final_only : bool
            The outputs of the single steps are of no interest, which saves time.
        """
        states: list[State] = []
        n_directions, n_recurrences = self.n_directions, len(self.recurrences)
        for first in range(0, n_recurrences, n_directions):
            is_last = first + n_directions == n_recurrences
            begin = None if initial is None else initial[first : first + n_directions]
            outputs, finals = self.run_layer(first, x, lengths, begin, wants_steps=not (is_last and final_only))
            if self.keep_states:
                states += finals
            if not is_last:
                assert outputs is not None
                x = self.dropout(outputs)  # (batch, steps, features)
        return LayerOutputs(outputs, finals, lengths, states)

    def run_layer(
        self,
        first: int,
        x: Tensor,
        lengths: Tensor | None,
        begin: Sequence[State] | None,
        *,
        wants_steps: bool,
    ) -> tuple[Tensor | None, list[State]]:
        """Outputs (batch, steps, features) and final states of the layer that begins with recurrence `first`."""
        layer = list(self.recurrences)[first : first + self.n_directions]
        by_torch = self.kernel == "torch" or any(has_hooks(recurrence) for recurrence in layer)
        if not by_torch and runs_fused(x):
            return run_fused(layer, self.cell, x, lengths, begin, wants_steps=wants_steps)
        loops = not by_torch and self.cell != "lstm" and runs_eagerly(x)  # oneDNN's LSTM is fast by itself
        directions = [self._direction(recurrence, unrolled=loops) for recurrence in layer]
        return run_directions(directions, x, lengths, begin, wants_steps=wants_steps)

    def _direction(self, recurrence: nn.Module, *, unrolled: bool) -> Direction:
        """What runs a recurrence where the kernels do not."""
        if not unrolled:
            return torch_direction(recurrence, exact_carry=self.keep_states and self.cell == "lstm")

        def run(x: Tensor, lengths: Tensor | None, begin: State | None) -> tuple[Tensor, State]:
            outputs, h = run_unrolled(self.cell, x, weights_of(recurrence), None if begin is None else begin[0])
            return outputs, (h,)

        return run


def has_hooks(recurrence: nn.Module) -> bool:
    """Whether something waits for a recurrence to be called, such as pruning or a summary."""
    hooks = (recurrence._forward_hooks, recurrence._forward_pre_hooks)
    return any(hooks) or bool(recurrence._backward_hooks or recurrence._backward_pre_hooks)


def runs_eagerly(x: Tensor) -> bool:
    """Whether x is on the CPU, and torch neither compiles nor traces nor transforms what is done with it."""
    watched = torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()
    return x.device.type == "cpu" and not watched


def runs_fused(x: Tensor) -> bool:
    """Whether the kernels can take x."""
    return x.dtype == torch.float32 and len(x) > 0 and runs_eagerly(x) and has_kernels()


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
