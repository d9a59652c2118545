"""Simple and gated recurrent layers over plain torch operations, with their gradients written out.

torch's own loop runs about 45 operations a step, forward and back through autograd. Here a whole layer is one autograd
function that runs 4 (simple) or 8 (gated): the inputs of many steps are projected in one product, the loop works in
place, and one product over many steps gives the gradient of each weight. Values and gradients are those of
`torch.nn.RNN` and `torch.nn.GRU`.

On a CPU torch's sigmoid takes an eighth of the time of its tanh, and tanh(a) = 2 sigmoid(2 a) - 1; in float32 the error
is below 2e-7. The loops of both cells never leave the sigmoids: with g = (h + 1) / 2 in place of the state h,
W h = 2 W g - W 1, whose last term goes into the bias. Afterwards all states are turned into h at once.

``d_name`` is the gradient of the loss for ``name``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from skrnn.nn._warm_memory import warm_empty

CHUNK = 2**19
"""Numbers in the sums of the steps that are worked on together; twice as many no longer stay in a core's cache."""

ONE, MINUS_ONE, HALF = (torch.tensor(n, device="cpu") for n in (1.0, -1.0, 0.5))  # where torch takes no number


def run_unrolled(cell: str, x: Tensor, weights: Sequence[Tensor], begin: Tensor | None) -> tuple[Tensor, Tensor]:
    """Run one layer in one direction.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "gru"}
    x : Tensor of shape (batch, steps, channels)
        In the order in which the layer reads.
    weights : sequence of Tensor
        weight_ih (gates * hidden, channels), weight_hh (gates * hidden, hidden), bias_ih and bias_hh
        (gates * hidden,), as `torch.nn.RNN` and `torch.nn.GRU` hold them.
    begin : Tensor of shape (batch, hidden) or None
        The state before the first step; None means zeros.

    Returns
    -------
    outputs : Tensor of shape (batch, steps, hidden)
        In memory step after step, as the next layer wants it.
    final : Tensor of shape (batch, hidden)
        The state after the last step. A loss on it alone costs no gradient of all outputs.
    """
    return UnrolledLayer.apply(cell, x, begin, *weights)


class UnrolledLayer(Function):
    """The autograd function behind `run_unrolled`. What it keeps belongs to one call and goes with its graph."""

    @staticmethod
    def forward(ctx: Any, cell: str, x: Tensor, begin: Tensor | None, *weights: Tensor) -> tuple[Tensor, Tensor]:
        n_rows, n_steps, _ = x.shape
        hidden_size = weights[1].shape[1]
        states = warm_empty((n_steps + 1, n_rows, hidden_size), x)  # `begin`, then the state after each step
        states[0] = 0 if begin is None else begin
        inputs = steps_first(x)
        ctx.cell = CELLS[cell]
        kept = [
            ctx.cell.run(inputs[start:stop], states[start : stop + 1], *weights)
            for start, stop in chunks(n_steps, n_rows * hidden_size * ctx.cell.n_blocks)
        ]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, begin, *weights, states, *kept)
        return states[1:].transpose(0, 1), states[-1].clone()

    @staticmethod
    def backward(ctx: Any, d_outputs: Tensor | None, d_final: Tensor | None) -> Any:
        x, begin, weight_ih, weight_hh, bias_ih, bias_hh, states, *kept = ctx.saved_tensors
        needs = ctx.needs_input_grad[1:]
        if d_outputs is None and d_final is None:
            return (None,) * (1 + len(needs))
        if torch.is_grad_enabled():  # the gradients are to be differentiated in turn
            tensors = (x, begin, weight_ih, weight_hh, bias_ih, bias_hh)
            return None, *differentiable_gradients(ctx.cell, tensors, needs, d_outputs, d_final)
        needs_x, needs_begin, needs_weight_ih, needs_weight_hh, *needs_biases = needs
        n_rows, n_steps, _ = x.shape
        n_sums, hidden_size = weight_hh.shape  # sums that see the input, and as many that see the state
        width = hidden_size * ctx.cell.n_blocks

        d_state = torch.zeros_like(states[0])  # (batch, hidden), of the state after the step at hand
        arriving: Sequence[Tensor | None] = [None] * n_steps  # from outside, at the state before each step
        if d_final is not None:
            d_state += d_final
        if d_outputs is not None:
            *earlier, last = d_outputs.unbind(1)
            d_state += last
            arriving = [None, *earlier]

        inputs = steps_first(x)
        d_inputs = torch.empty_like(inputs) if needs_x else None
        d_weight_ih = torch.zeros_like(weight_ih) if needs_weight_ih else None
        d_weight_hh = torch.zeros_like(weight_hh) if needs_weight_hh else None
        d_biases = bias_ih.new_zeros(width) if any(needs_biases) else None
        last_gate_first = weight_ih.roll(hidden_size, 0)
        for (start, stop), part in reversed(list(zip(chunks(n_steps, n_rows * width), kept, strict=True))):
            d_sums = warm_empty((stop - start, n_rows, width), x)
            ctx.cell.run_back(states[start : stop + 1], part, weight_hh, arriving[start:stop], d_state, d_sums)
            d_sums = d_sums.view(-1, width)  # (steps * batch, width), as all matrices from here
            if d_inputs is not None:
                torch.mm(d_sums[:, :n_sums], last_gate_first, out=rows(d_inputs[start:stop]))
            if d_weight_ih is not None:
                d_weight_ih.addmm_(d_sums[:, :n_sums].t(), rows(inputs[start:stop]))
            if d_weight_hh is not None:
                d_weight_hh.addmm_(d_sums[:, -n_sums:].t(), rows(states[start:stop]))
            if d_biases is not None:
                d_biases += d_sums.sum(0)
        return (
            None,
            None if d_inputs is None else d_inputs.transpose(0, 1),
            d_state if needs_begin else None,
            None if d_weight_ih is None else d_weight_ih.roll(-hidden_size, 0),
            d_weight_hh,
            None if d_biases is None else d_biases[:n_sums].roll(-hidden_size),
            None if d_biases is None else d_biases[-n_sums:],
        )


class Cell(ABC):
    """The equations of one cell: steps forward, steps back, and torch's own step.

    The sums within the activations stand in `n_blocks` blocks of `hidden` columns. Those of the inputs come first, with
    torch's last gate in front of the others; those of the state come last, in torch's order.
    """

    n_blocks: int
    step: Callable[..., Tensor]

    @abstractmethod
    def run(
        self,
        inputs: Tensor,
        states: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> Tensor | None:
        """Fill in the states after the first and return what `run_back` needs besides.

        Parameters
        ----------
        inputs : Tensor of shape (steps, batch, channels)
        states : Tensor of shape (steps + 1, batch, hidden)
        weight_ih, weight_hh, bias_ih, bias_hh : Tensor
        """

    @abstractmethod
    def run_back(
        self,
        states: Tensor,
        kept: Tensor | None,
        weight_hh: Tensor,
        arriving: Sequence[Tensor | None],
        d_state: Tensor,
        d_sums: Tensor,
    ) -> None:
        """Fill in the gradients of the sums, and turn `d_state` from the state after the steps to the one before them.

        Parameters
        ----------
        states : Tensor of shape (steps + 1, batch, hidden)
        kept : Tensor or None
            From `run`.
        weight_hh : Tensor
        arriving : sequence of (Tensor of shape (batch, hidden) or None)
            Gradients of the state before each step that come from the loss directly.
        d_state : Tensor of shape (batch, hidden)
        d_sums : Tensor of shape (steps, batch, n_blocks * hidden)
        """


@dataclass(frozen=True)
class SimpleCell(Cell):
    """``h' = act(W_ih x + b_ih + W_hh h + b_hh)``"""

    step: Callable[..., Tensor]
    is_tanh: bool  # else relu
    derivative: Callable[..., Tensor]  # from the activated state
    n_blocks = 1

    def run(
        self,
        inputs: Tensor,
        states: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> None:
        scale, bias, recurrent, activate_ = 1, bias_ih + bias_hh, weight_hh, torch.relu_
        before, *after = states.unbind(0)
        if self.is_tanh:
            scale, bias, recurrent, activate_ = 2, 2 * (bias - weight_hh.sum(1)), 4 * weight_hh, torch.sigmoid_
            before = torch.add(HALF, before, alpha=0.5)
        torch.addmm(bias, rows(inputs), weight_ih.t(), alpha=scale, out=rows(states[1:]))
        recurrent = recurrent.t()
        for state in after:  # until now the projected input
            before = activate_(state.addmm_(before, recurrent))
        if self.is_tanh:
            from_sigmoid_(states[1:])

    def run_back(
        self,
        states: Tensor,
        kept: Tensor | None,
        weight_hh: Tensor,
        arriving: Sequence[Tensor | None],
        d_state: Tensor,
        d_sums: Tensor,
    ) -> None:
        self.derivative(states[1:], out=d_sums)
        for d_sum, d_before in zip(reversed(d_sums.unbind(0)), reversed(arriving), strict=True):
            d_sum.mul_(d_state)
            if d_before is None:
                torch.mm(d_sum, weight_hh, out=d_state)
            else:
                torch.addmm(d_before, d_sum, weight_hh, out=d_state)


class GatedCell(Cell):
    """``r, z = sigmoid(W x + b + W' h + b')``, ``u = W_hn h + b_hn``, ``n = tanh(W_in x + b_in + r * u)`` and
    ``h' = n + z * (h - n)``, the blocks in the order n, r, z, u.
    """

    n_blocks = 4
    step = staticmethod(torch.gru_cell)

    def run(
        self,
        inputs: Tensor,
        states: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> Tensor:
        n_steps, n_rows, hidden_size = states[1:].shape
        sums = warm_empty((n_steps, n_rows, 4 * hidden_size), states)
        nrz, rzu, rz = sums[..., : 3 * hidden_size], sums[..., hidden_size:], sums[..., hidden_size : 3 * hidden_size]
        n, r, z, u = sums.view(n_steps, n_rows, 4, hidden_size).unbind(2)
        weight_r, weight_z, weight_n = weight_ih.chunk(3)
        bias_r, bias_z, bias_n = bias_ih.chunk(3)
        bias_hr, bias_hz, bias_hn = (bias_hh - weight_hh.sum(1)).chunk(3)
        weight = torch.cat([2 * weight_n, weight_r, weight_z])  # of n twice the sum
        bias = torch.cat([2 * bias_n, bias_r + bias_hr, bias_z + bias_hz])
        torch.addmm(bias, rows(inputs), weight.t(), out=rows(nrz))
        u.copy_(bias_hn)
        recurrent = (2 * weight_hh).t()
        before = torch.add(HALF, states[0], alpha=0.5)
        for state, rzu_t, rz_t, n_t, r_t, z_t, u_t in zip(
            *(each.unbind(0) for each in (states[1:], rzu, rz, n, r, z, u)), strict=True
        ):
            rzu_t.addmm_(before, recurrent)
            rz_t.sigmoid_()
            n_t.addcmul_(r_t, u_t, value=2).sigmoid_()
            before = torch.lerp(n_t, before, z_t, out=state)
        from_sigmoid_(n)
        from_sigmoid_(states[1:])
        return sums

    def run_back(
        self,
        states: Tensor,
        kept: Tensor | None,
        weight_hh: Tensor,
        arriving: Sequence[Tensor | None],
        d_state: Tensor,
        d_sums: Tensor,
    ) -> None:
        assert kept is not None
        n_steps, n_rows, hidden_size = states[1:].shape
        n, r, z, u = kept.view(n_steps, n_rows, 4, hidden_size).unbind(2)
        blocks = d_sums.view(n_steps, n_rows, 4, hidden_size)
        d_n, d_r, d_z, d_u = blocks.unbind(2)
        # first what each sum does to the state after its step, for all steps at once
        derivative_of_tanh(n, out=d_n)
        d_n.addcmul_(d_n, z, value=-1)  # (1 - z)(1 - n^2)
        torch.mul(d_n, r, out=d_u)
        torch.mul(d_u, u, out=d_r)
        d_r.addcmul_(d_r, r, value=-1)  # (1 - z)(1 - n^2) u r (1 - r)
        torch.sub(states[:-1], n, out=d_z)
        d_z.mul_(z)
        d_z.addcmul_(d_z, z, value=-1)  # (h - n) z (1 - z)
        d_rzu = d_sums[..., hidden_size:]
        d_each_block = d_state[:, None]  # (batch, 1, hidden)
        for z_t, blocks_t, d_rzu_t, d_before in zip(
            *(reversed(each.unbind(0)) for each in (z, blocks, d_rzu)), reversed(arriving), strict=True
        ):
            blocks_t.mul_(d_each_block)
            if d_before is None:
                d_state.mul_(z_t)
            else:
                torch.addcmul(d_before, d_state, z_t, out=d_state)
            d_state.addmm_(d_rzu_t, weight_hh)


def from_sigmoid_(values: Tensor) -> Tensor:
    """tanh(a) from sigmoid(2 a), in place."""
    return torch.add(MINUS_ONE, values, alpha=2, out=values)


def derivative_of_tanh(values: Tensor, *, out: Tensor) -> Tensor:
    """1 - tanh^2"""
    return torch.addcmul(ONE, values, values, value=-1, out=out)


def derivative_of_relu(values: Tensor, *, out: Tensor) -> Tensor:
    return torch.gt(values, 0, out=out)


CELLS: dict[str, Cell] = {
    "rnn": SimpleCell(torch.rnn_tanh_cell, True, derivative_of_tanh),
    "rnn_relu": SimpleCell(torch.rnn_relu_cell, False, derivative_of_relu),
    "gru": GatedCell(),
}


def differentiable_gradients(
    cell: Cell,
    tensors: Sequence[Tensor | None],
    needs: Sequence[bool],
    d_outputs: Tensor | None,
    d_final: Tensor | None,
) -> list[Tensor | None]:
    """Gradients of x, begin and the weights through torch's own steps, which can be differentiated again."""
    # aliases: where one tensor was computed from another, or is the same, the gradient of each stops at its own
    aliases: list[Any] = [None if tensor is None else tensor.view_as(tensor) for tensor in tensors]
    x, begin, *weights = aliases
    state = x.new_zeros(len(x), weights[1].shape[1]) if begin is None else begin
    outputs = []
    for inputs in x.unbind(1):
        state = cell.step(inputs, state, *weights)
        outputs.append(state)
    arriving = zip((torch.stack(outputs, 1), state), (d_outputs, d_final), strict=True)
    values, d_values = zip(*((value, d) for value, d in arriving if d is not None), strict=True)
    wanted = [alias for alias, needed in zip(aliases, needs, strict=True) if needed]
    found = iter(torch.autograd.grad(values, wanted, d_values, create_graph=True))
    return [next(found) if needed else None for needed in needs]


def chunks(n_steps: int, n_numbers: int) -> list[tuple[int, int]]:
    """First and last plus one of the steps that are worked on together, of `n_numbers` sums each."""
    length = max(1, CHUNK // max(1, n_numbers))
    return [(start, min(start + length, n_steps)) for start in range(0, n_steps, length)]


def steps_first(x: Tensor) -> Tensor:
    """(batch, steps, channels) to (steps, batch, channels), in one piece of memory."""
    return x.transpose(0, 1).contiguous()


def rows(sequence: Tensor) -> Tensor:
    """(steps, batch, n) to (steps * batch, n), sharing memory."""
    return sequence.view(-1, sequence.shape[2])
