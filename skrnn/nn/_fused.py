"""A recurrent layer, in all its directions, as one autograd function over the compiled kernels. float32, CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.func import functional_call

from skrnn.nn._compiled import kernels
from skrnn.nn._parallel import most_parts, share
from skrnn.nn._reference import State, join, run_directions, torch_direction
from skrnn.nn._warm_memory import warm_empty

CHUNK_ROWS = 32  # fixed, so that results do not depend on the number of threads
NO_ROWS = {n_axes: np.empty((0,) * n_axes, np.float32) for n_axes in (1, 2, 3)}  # stands for what is not there
WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

_onednn = threading.RLock()


def weights_of(recurrence: nn.Module) -> tuple[Tensor, ...]:
    """Weights and biases of a layer in one direction, in torch's order."""
    return tuple(getattr(recurrence, name) for name in WEIGHTS)


class LayerRun:
    """One batch through one layer: what the way back needs of the way forward.

    Parameters
    ----------
    cell : str
    x : ndarray of shape (batch, steps, channels)
    lengths : int64 ndarray of shape (batch,), or None when all rows are as long as the batch
    begin : list of (ndarray of shape (batch, hidden) or None)
        h and carry of each direction before the first step.
    weights : list of tuple of Tensor
        Those of each direction.
    """

    def __init__(
        self,
        cell: str,
        x: np.ndarray,
        lengths: np.ndarray | None,
        begin: Sequence[np.ndarray | None],
        weights: Sequence[tuple[Tensor, ...]],
    ) -> None:
        self.kernels = kernels()
        self.code = self.kernels.packing.CODES[cell]
        self.x = x
        self.lengths = np.full(len(x), x.shape[1]) if lengths is None else lengths
        self.begin = [NO_ROWS[2] if state is None else state for state in begin]
        self.weights = [tuple(weight.detach().numpy() for weight in each) for each in weights]
        self.hidden_size = self.weights[0][1].shape[1]
        self.n_chunks = -(-len(x) // CHUNK_ROWS)
        self.n_products = float(x.shape[0] * x.shape[1]) * (self.weights[0][0].size + self.weights[0][1].size)
        self.memories: list[np.ndarray] = []
        self.packed_back: list[np.ndarray] = []

    def forward(self, *, wants_steps: bool, keeps: bool) -> tuple[np.ndarray, np.ndarray]:
        """States of each step (batch, steps, directions * hidden), or of no rows, and the last ones.

        The latter, (2, batch, directions * hidden), are h and for an LSTM the carry.
        """
        n_rows, n_steps, n_channels = self.x.shape
        width = len(self.weights) * self.hidden_size
        floats = torch.empty(0)
        out = warm_empty((n_rows, n_steps, width), like=floats).numpy() if wants_steps else NO_ROWS[3]
        final = np.empty((2, n_rows, width), np.float32)
        rows = min(CHUNK_ROWS, n_rows)
        n_floats = self.kernels.layer.chunk_floats(self.code, n_steps, rows, n_channels, self.hidden_size, keeps)
        n_forward, n_backward = self.kernels.packing.weight_floats(self.code, n_channels, self.hidden_size)
        n_memories = self.n_chunks if keeps else min(self.n_chunks, most_parts())
        for direction, weights in enumerate(self.weights):
            packed = np.empty(n_forward, np.float32)
            packed_back = np.empty(n_backward if keeps else 0, np.float32)
            self.kernels.packing.pack_weights(self.code, *weights, packed, packed_back)
            memory = warm_empty((n_memories, n_floats), like=floats).numpy()
            h_0, c_0 = self.begin[2 * direction : 2 * direction + 2]
            column = direction * self.hidden_size
            share(
                self.kernels.layer.forward_part,
                self.n_chunks,
                self.n_products,
                CHUNK_ROWS,
                self.code,
                self.hidden_size,
                self.x,
                self.lengths,
                direction == 1,
                packed,
                h_0,
                c_0,
                memory,
                out,
                final,
                column,
                keeps,
            )
            if keeps:
                self.memories.append(memory)
                self.packed_back.append(packed_back)
        return out, final

    def backward(
        self, d_out: np.ndarray, d_final: np.ndarray, *, wants_x: bool, wants_begin: Sequence[bool]
    ) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Gradients of x, of `begin` and of the weights, where not wanted of no rows; the run's memory is used up.

        Parameters
        ----------
        d_out, d_final : ndarray
            Gradients of what `forward` gave, or of no rows.
        wants_x : bool
        wants_begin : sequence of bool
            As long as `begin`.
        """
        n_rows, _, n_channels = self.x.shape
        d_x = np.empty_like(self.x) if wants_x else NO_ROWS[3]
        d_begin = [np.empty((n_rows, self.hidden_size), np.float32) if wants else NO_ROWS[2] for wants in wants_begin]
        d_weights: list[np.ndarray] = []
        p = self.kernels.padded(self.hidden_size)
        n_blocks, depth = self.kernels.packing.n_blocks(self.code), n_channels + 1 + self.hidden_size
        for direction, weights in enumerate(self.weights):
            memory, self.memories[direction] = self.memories[direction], NO_ROWS[2]
            by_chunk = np.empty((self.n_chunks, n_blocks, depth, p), np.float32)
            share(
                self.kernels.layer.backward_part,
                self.n_chunks,
                2 * self.n_products,
                CHUNK_ROWS,
                self.code,
                self.hidden_size,
                self.x,
                self.lengths,
                direction == 1,
                self.packed_back[direction],
                memory,
                d_out,
                d_final,
                direction * self.hidden_size,
                d_x,
                direction == 1,
                *d_begin[2 * direction : 2 * direction + 2],
                by_chunk,
            )
            del memory  # for the next direction
            gradients = [np.empty_like(weight) for weight in weights]
            self.kernels.layer.unpack_gradients(self.code, by_chunk, *gradients)
            d_weights += gradients
        return d_x, d_begin, d_weights


class FusedLayer(Function):
    """``apply(layer, cell, lengths, wants_steps, x, *begin, *weights)`` gives states of all steps and the last ones.

    `layer` is what torch would run in its place, one recurrence for each direction; the other arguments are those of
    `LayerRun` as tensors, without gradients for `lengths`.
    """

    @staticmethod
    def forward(ctx: Any, layer: Any, cell: str, lengths: Any, wants_steps: bool, x: Tensor, *tensors: Any) -> Any:
        ctx.set_materialize_grads(False)
        run = _run(layer, cell, lengths, x, tensors)
        out, final = run.forward(wants_steps=wants_steps, keeps=True)
        ctx.run, ctx.layer, ctx.cell, ctx.lengths, ctx.wants_steps = run, layer, cell, lengths, wants_steps
        ctx.save_for_backward(x, *tensors)
        return torch.from_numpy(out) if wants_steps else None, torch.from_numpy(final)

    @staticmethod
    def backward(ctx: Any, d_out: Tensor | None, d_final: Tensor | None) -> Any:
        x, *tensors = ctx.saved_tensors
        if torch.is_grad_enabled():  # gradients of these gradients are wanted, which torch's own layers have
            return None, None, None, None, *_by_torch(ctx, x, tensors, d_out, d_final)
        run, ctx.run = ctx.run, None
        if run is None:  # a second time over the same graph: the first has used up what the way forward left
            run = _run(ctx.layer, ctx.cell, ctx.lengths, x, tensors)
            run.forward(wants_steps=False, keeps=True)
        wants_x, *wants = ctx.needs_input_grad[4:]
        n_begin = 2 * len(ctx.layer)
        gradients = [NO_ROWS[3] if d is None else d.contiguous().numpy() for d in (d_out, d_final)]
        d_x, d_begin, d_weights = run.backward(*gradients, wants_x=wants_x, wants_begin=wants[:n_begin])
        found = zip([d_x, *d_begin, *d_weights], [wants_x, *wants], strict=True)
        return None, None, None, None, *(torch.from_numpy(d) if wanted else None for d, wanted in found)


def _run(layer: Any, cell: str, lengths: Tensor | None, x: Tensor, tensors: Sequence[Tensor | None]) -> LayerRun:
    """A run from the arguments of `FusedLayer`."""
    n_begin = 2 * len(layer)
    begin = [None if state is None else state.detach().contiguous().numpy() for state in tensors[:n_begin]]
    weights: Any = [tensors[i : i + len(WEIGHTS)] for i in range(n_begin, len(tensors), len(WEIGHTS))]
    of_rows = None if lengths is None else _checked(lengths, x).numpy()
    return LayerRun(cell, x.detach().contiguous().numpy(), of_rows, begin, weights)


def _checked(lengths: Tensor, x: Tensor) -> Tensor:
    """Lengths that no kernel reads or writes past the end with."""
    if lengths.shape != (len(x),) or int(lengths.min()) < 1 or int(lengths.max()) > x.shape[1]:
        raise IndexError(f"lengths must be {len(x)} numbers from 1 to {x.shape[1]}, the steps of x, got {lengths}.")
    return lengths.long().contiguous()


def _by_torch(ctx: Any, x: Tensor, tensors: Sequence[Tensor | None], *d_outputs: Tensor | None) -> list[Tensor | None]:
    """The gradients that `FusedLayer.backward` owes, as functions that can be differentiated again."""
    # aliases: where x came from the same weights, derivatives are to pass through this layer once
    inputs: list[Any] = [tensor if tensor is None else tensor.view_as(tensor) for tensor in (x, *tensors)]
    x, *tensors = inputs
    n_begin = 2 * len(ctx.layer)
    directions, begin = [], []
    for i, recurrence in enumerate(ctx.layer):
        weights = tensors[n_begin + len(WEIGHTS) * i :][: len(WEIGHTS)]
        by_name: Any = dict(zip(WEIGHTS, weights, strict=True))
        directions.append(torch_direction(partial(_call, recurrence, by_name), exact_carry=ctx.cell == "lstm"))
        begin.append(tuple(_or_zeros(part, x, recurrence.hidden_size) for part in tensors[2 * i : 2 * i + 2]))
    if ctx.cell != "lstm":
        begin = [state[:1] for state in begin]
    with torch.enable_grad(), _without_onednn():  # it has no second derivatives
        steps, states = run_directions(directions, x, ctx.lengths, begin, wants_steps=True)
        h = join([state[0] for state in states])
        carry = join([state[1] for state in states]) if ctx.cell == "lstm" else h.new_zeros(h.shape)
        outputs = zip((steps, torch.stack([h, carry])), d_outputs, strict=True)
        known = [(output, gradient) for output, gradient in outputs if output is not None and gradient is not None]
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[4:]) if needed]
        found = torch.autograd.grad(
            [output for output, _ in known],
            [inputs[i] for i in wanted],
            [gradient for _, gradient in known],
            create_graph=True,
            allow_unused=True,
        )
    gradients: list[Tensor | None] = [None] * len(inputs)
    for i, gradient in zip(wanted, found, strict=True):
        gradients[i] = gradient
    return gradients


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Let torch run its own layers; its `flags` sets more than that, and warns of what a machine lacks."""
    backend: Any = torch.backends.mkldnn
    with _onednn:  # the flag is one for all threads
        before, backend.enabled = backend.enabled, False
        try:
            yield
        finally:
            backend.enabled = before


def _call(recurrence: nn.Module, weights: dict[str, Tensor], x: Tensor, begin: Any) -> Any:
    return functional_call(recurrence, weights, (x, begin))


def _or_zeros(state: Tensor | None, x: Tensor, hidden_size: int) -> Tensor:
    return x.new_zeros(len(x), hidden_size) if state is None else state


def run_fused(
    layer: Any,
    cell: str,
    x: Tensor,
    lengths: Tensor | None,
    begin: Sequence[State] | None,
    *,
    wants_steps: bool,
) -> tuple[Tensor | None, list[State]]:
    """What `run_directions` gives, by the compiled kernels; every carry is the one after a row's last valid step.

    Parameters
    ----------
    layer : sequence of nn.RNN, nn.LSTM or nn.GRU
        One for each direction, of one layer, batch_first.
    """
    layer[0].check_input(x, None)  # channels and dtype, which the kernels trust
    tensors: list[Any] = []
    for i in range(len(layer)):
        tensors += [None, None] if begin is None else [*begin[i], None][:2]
    for recurrence in layer:
        tensors += weights_of(recurrence)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *tensors)):
        steps, final = FusedLayer.apply(layer, cell, lengths, wants_steps, x, *tensors)
    else:
        found = _run(layer, cell, lengths, x, tensors).forward(wants_steps=wants_steps, keeps=False)
        steps, final = (torch.from_numpy(values) for values in found)
    states = final[: 2 if cell == "lstm" else 1].chunk(len(layer), dim=2)  # (1 or 2, batch, hidden) each
    return (steps if wants_steps else None), [tuple(state) for state in states]
