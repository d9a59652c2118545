"""Recurrent layers over sequences of unequal length, in one or both directions, exact to the last step.

Short sequences stand at the front of their row and are followed by padding. A recurrence only looks back, so what
comes after the last valid step changes nothing before it: the forward direction needs no mask at all, only the right
last step; the backward direction runs over each row reversed within its own length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skrnn.nn._dropout import Dropout

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
N_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
FORGET_GATE = 1  # of torch's order i, f, g, o


class RecurrentStack(nn.Module):
    """`n_layers` recurrent layers, each in one or both directions.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
    n_channels, hidden_size, n_layers : int
    bidirectional : bool
    dropout : float
        Between layers, in training only.
    generator : torch.Generator
        Draws the initial weights and the dropout masks.
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
    ) -> None:
        super().__init__()
        n_directions = 2 if bidirectional else 1
        self.output_size = n_directions * hidden_size
        self.n_directions = n_directions
        self.recurrences = nn.ModuleList()  # layer by layer, forward before backward
        for layer in range(n_layers):
            n_inputs = n_channels if layer == 0 else self.output_size
            for _ in range(n_directions):
                self.recurrences.append(CELLS[cell](n_inputs, hidden_size, batch_first=True))
        self.dropout = Dropout(dropout, generator)
        for recurrence in self.recurrences:
            initialise(recurrence, cell, generator)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the final state of the last layer.

        Parameters
        ----------
        x : Tensor of shape (batch, steps, channels)
            Valid steps first, padding (any finite value) after.
        lengths : LongTensor of shape (batch,) or None
            Valid steps of each row; None when all are valid.

        Returns
        -------
        Tensor of shape (batch, directions * hidden)
            The state after the last valid step; of the backward direction, after the first.
        """
        reversal = None
        if self.n_directions == 2 and lengths is not None:
            reversal = reversed_steps(lengths, x.shape[1])
        last_layer = len(self.recurrences) - self.n_directions
        for layer in range(0, last_layer, self.n_directions):
            outputs = self.run_layer(layer, x, reversal)
            if self.n_directions == 2:
                outputs[1] = reverse(outputs[1], reversal)
            x = self.dropout(join(outputs))  # (batch, steps, directions * hidden)
        return join([last_step(output, lengths) for output in self.run_layer(last_layer, x, reversal)])

    def run_layer(self, layer: int, x: Tensor, reversal: Tensor | None) -> list[Tensor]:
        """Outputs of each direction of a layer, each (batch, steps, hidden), in the order in which it reads."""
        outputs = [self.recurrences[layer](x)[0]]
        if self.n_directions == 2:
            outputs.append(self.recurrences[layer + 1](reverse(x, reversal))[0])
        return outputs


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
