"""A recurrent layer run direction by direction, by torch's own cells: what every faster way is compared with.

Short sequences stand at the front of their row and are followed by padding. A recurrence only looks back, so what
comes after the last valid step changes nothing before it: the forward direction needs no mask at all, only the right
last step; the backward direction runs over each row reversed within its own length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

State = tuple[Tensor, ...]
"""The state of one layer and direction, (h,) or for an LSTM (h, carry), each (batch, hidden)."""

Direction = Callable[[Tensor, "Tensor | None", "State | None"], tuple[Tensor, State]]
"""Called with x (batch, steps, channels) as it is read, lengths and the state before the first step; gives the outputs
(batch, steps, hidden) and the state after the last step of the batch."""


def run_directions(
    directions: Sequence[Direction],
    x: Tensor,
    lengths: Tensor | None,
    begin: Sequence[State] | None,
    *,
    wants_steps: bool,
) -> tuple[Tensor | None, list[State]]:
    """The outputs of a layer in the order of its input, (batch, steps, features), and the state of each direction.

    Parameters
    ----------
    directions : sequence of Direction
        The backward one second.
    x : Tensor of shape (batch, steps, channels)
        Valid steps first.
    lengths : LongTensor of shape (batch,) or None
    begin : sequence of State or None
        Where each direction begins; None means zeros.
    wants_steps : bool
        None in place of the outputs when False.
    """
    reversal = reversed_steps(lengths, x.shape[1]) if len(directions) == 2 and lengths is not None else None
    outputs, states = [], []
    for i, run in enumerate(directions):
        output, state = run(reverse(x, reversal) if i else x, lengths, None if begin is None else begin[i])
        if lengths is not None:
            state = (last_step(output, lengths), *state[1:])
        states.append(state)
        if wants_steps:
            outputs.append(reverse(output, reversal) if i else output)
    return (join(outputs) if wants_steps else None), states


def torch_direction(recurrence: nn.Module | Callable[..., Any], *, exact_carry: bool) -> Direction:
    """A direction run by nn.RNN, nn.LSTM or nn.GRU.

    With `exact_carry` the carry of short rows, too, is the one after their last valid step; it exists at the end of a
    run only, so each row must run for its own length, which is slow. Otherwise it is that of rows as long as the batch.
    """

    def run(x: Tensor, lengths: Tensor | None, begin: State | None) -> tuple[Tensor, State]:
        first = None if begin is None else as_torch_takes_it(begin)
        if exact_carry and lengths is not None:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            output, state = recurrence(packed, first)
            output = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0]
        else:
            output, state = recurrence(x, first)
        return output, tuple(part[0] for part in (state if isinstance(state, tuple) else (state,)))

    return run


def as_torch_takes_it(state: State) -> Tensor | tuple[Tensor, ...]:
    """A state with torch's axis of layers in front: a tuple for an LSTM, else h alone."""
    with_axis = tuple(part[None].contiguous() for part in state)  # (1, batch, hidden)
    return with_axis if len(with_axis) > 1 else with_axis[0]


def join(directions: list[Tensor]) -> Tensor:
    """Directions side by side on the last axis."""
    return directions[0] if len(directions) == 1 else torch.cat(directions, dim=-1)


def last_step(outputs: Tensor, lengths: Tensor) -> Tensor:
    """The output at each row's last valid step, (batch, hidden)."""
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
