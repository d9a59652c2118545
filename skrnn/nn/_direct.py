"""The training step of a plain net without the autograd engine: one call of compiled code for each batch and thread.

The engine's bookkeeping takes about as long as the arithmetic of a small net. Plain is a net of recurrent layers and a
linear head on their final state, with a squared, absolute or Huber loss, in float32 on the CPU; everything else goes
through autograd, with the same kernels and the same gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from skrnn.nn._compiled import kernels, make_ready
from skrnn.nn._fused import CHUNK_ROWS, NO_ROWS, WEIGHTS
from skrnn.nn._models import SequenceModel
from skrnn.nn._parallel import share
from skrnn.nn._recurrent import N_GATES, RecurrentStack, runs_fused

LOSSES: dict[type[nn.Module], int] = {nn.MSELoss: 0, nn.L1Loss: 1, nn.HuberLoss: 2}  # as `_step_kernels` numbers them
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of modules
KEPT_SHAPES = 4  # of batches, whose arrays are laid out once


def is_plain(module: nn.Module, criterion: nn.Module) -> bool:
    """Whether `DirectStep` can train the net with this loss."""
    if type(module) is not SequenceModel or type(criterion) not in LOSSES:
        return False
    encoder, stack = module.encoder, module.encoder.recurrent
    draws = encoder.input_dropout.p or encoder.input_shift.deviation or (stack.dropout.p and stack.n_layers > 1)
    found, plain = list(module.parameters()), _plain_parameters(module)
    watched = any(getattr(part, hooks) for part in module.modules() for hooks in HOOKS)
    watched = watched or any(one._backward_hooks or one._post_accumulate_grad_hooks for one in found)
    return (
        module.embedding is None
        and len(found) == len(plain)  # nothing in front of the layers, between them or behind
        and all(one is other and one.requires_grad for one, other in zip(found, plain, strict=True))
        and module.pooling is not None
        and module.pooling.kind == "last"
        and module.head.n_quantiles is None
        and encoder.patches is None
        and stack.kernel != "torch"
        and not (draws or watched)
        and runs_fused(found[0])
    )


def uses_kernels(module: nn.Module) -> bool:
    """Whether compiled kernels run the recurrent layers of a net."""
    stacks = (part for part in module.modules() if isinstance(part, RecurrentStack))
    return any(stack.kernel != "torch" and runs_fused(next(stack.parameters())) for stack in stacks)


@cache
def ready(*, required: bool = False) -> None:
    """Have all kernels compiled or read, where this process has not yet; see `make_ready`."""

    def use() -> None:
        model, x = SequenceModel("rnn", 1, 1, 1), torch.zeros(1, 1, 1)
        model(x).sum().backward()
        parameter = nn.Parameter(torch.zeros(6))  # a plain cell with one unit and one channel, and its head
        parameter.grad = torch.zeros(6)
        DirectStep(model, nn.MSELoss(), parameter, None)(x, None, torch.zeros(1, 1), None, None)

    make_ready(use, required=required)


def _plain_parameters(module: SequenceModel) -> list[nn.Parameter]:
    """The parameters of the recurrent layers and the linear head, in the order that `_step_kernels` expects."""
    recurrences = [getattr(one, name) for one in module.encoder.recurrent.recurrences for name in WEIGHTS]
    return [*recurrences, module.head.linear.weight, module.head.linear.bias]


@dataclass(frozen=True)
class _Workspace:
    """Arrays for batches of one shape: see `step_part`."""

    full: np.ndarray
    memory_at: np.ndarray
    memory: np.ndarray
    between: np.ndarray
    d_between: np.ndarray
    final: np.ndarray
    d_final: np.ndarray
    d_weights: np.ndarray
    d_head: np.ndarray
    sums: np.ndarray


class DirectStep:
    """Computes the gradients of one batch after the other for a net that `is_plain`.

    Parameters
    ----------
    module : SequenceModel
    criterion : nn.MSELoss, nn.L1Loss or nn.HuberLoss
    parameter : nn.Parameter of shape (n_parameters,)
        All parameters of the module as one vector, whose gradient is written.
    max_norm : float or None
        Largest norm of the gradient.
    """

    def __init__(
        self, module: SequenceModel, criterion: nn.Module, parameter: nn.Parameter, max_norm: float | None
    ) -> None:
        assert parameter.grad is not None
        self.made_of = (module, criterion, parameter, max_norm)
        self.kernels = kernels()
        stack = module.encoder.recurrent
        self.hidden_size, self.n_channels = stack.hidden_size, module.n_channels
        self.code, self.n_gates = self.kernels.packing.CODES[stack.cell], N_GATES[stack.cell]
        self.n_directions, self.n_layers = stack.n_directions, stack.n_layers
        self.loss, self.criterion = LOSSES[type(criterion)], criterion
        self.max_norm = float(max_norm or 0)
        self.parameters, self.gradient = parameter.detach().numpy(), parameter.grad.numpy()
        self.head_w, self.head_b = (
            part.detach().numpy() for part in (module.head.linear.weight, module.head.linear.bias)
        )
        shape = (self.code, self.n_channels, self.hidden_size, self.n_layers, self.n_directions)
        self.tables = self.kernels.step.weight_tables(*shape)
        self.forward, self.backward = (np.empty(self.tables[i, -1], np.float32) for i in range(2))
        self.n_products = float(self.parameters.size)  # for each step of each row
        self._workspaces: dict[tuple[int, int], _Workspace] = {}
        self._block = NO_ROWS[1]

    def __call__(
        self, x: Tensor, lengths: Tensor | None, y: Tensor, weights: Tensor | None, units: Tensor | None
    ) -> tuple[float, float, float]:
        """Write the gradient of the loss of a batch; return the loss, the absolute errors and their weights, summed.

        Parameters
        ----------
        x : Tensor of shape (batch, steps, channels)
        lengths : LongTensor of shape (batch,) or None
        y, weights : Tensor of shape (batch, n_outputs)
            `weights` is None where all are 1: then the loss is a mean, else a sum divided by the rows.
        units : Tensor that broadcasts to y, or None
            What 1 is in the user's units.
        """
        n_rows, n_steps, _ = x.shape
        work = self._workspace(n_rows, n_steps)
        shape = (self.code, self.n_channels, self.hidden_size, self.n_gates, self.n_directions)
        self.kernels.step.pack_all(*shape, self.parameters, self.tables, self.forward, self.backward)
        share(
            self.kernels.step.step_part,
            len(work.memory),
            3 * n_rows * n_steps * self.n_products,
            CHUNK_ROWS,
            self.code,
            self.hidden_size,
            self.n_directions,
            self.loss,
            np.float32(getattr(self.criterion, "delta", 0)),
            x.contiguous().numpy(),
            work.full if lengths is None else lengths.numpy(),
            y.contiguous().numpy(),
            NO_ROWS[2] if weights is None else weights.contiguous().numpy(),
            NO_ROWS[2] if units is None else units.expand(len(units), y.shape[1]).contiguous().numpy(),
            self.forward,
            self.backward,
            self.tables,
            self.head_w,
            self.head_b,
            work.memory_at,
            work.memory,
            work.between,
            work.d_between,
            work.final,
            work.d_final,
            work.d_weights,
            work.d_head,
            work.sums,
        )
        self.kernels.step.gather_gradients(
            *shape, self.tables, work.d_weights, work.d_head, work.sums, self.max_norm, self.gradient
        )
        loss, error, known = work.sums[0].tolist()
        return loss, error, known

    def _workspace(self, n_rows: int, n_steps: int) -> _Workspace:
        """Arrays for a batch of this shape; all shapes share the large block."""
        found = self._workspaces.get((n_rows, n_steps))
        if found is not None:
            return found
        rows, n_chunks = min(CHUNK_ROWS, n_rows), -(-n_rows // CHUNK_ROWS)
        width, n_outputs = self.n_directions * self.hidden_size, len(self.head_b)
        shape = (self.n_channels, self.hidden_size, self.n_layers, self.n_directions)
        memory_at = self.kernels.step.memory_table(self.code, n_steps, rows, *shape)
        sizes = (n_chunks * memory_at[-1], *2 * ((self.n_layers - 1) * n_rows * n_steps * width,))
        if sum(sizes) > len(self._block):
            self._workspaces.clear()
            self._block = NO_ROWS[1]  # before the new one is there
            self._block = np.empty(sum(sizes), np.float32)
        elif len(self._workspaces) == KEPT_SHAPES:
            self._workspaces.clear()
        memory, between, d_between, _ = np.split(self._block, np.cumsum(sizes))
        steps = (self.n_layers - 1, n_rows, n_steps, width)
        work = self._workspaces[n_rows, n_steps] = _Workspace(
            full=np.full(n_rows, n_steps),
            memory_at=memory_at,
            memory=memory.reshape(n_chunks, -1),
            between=between.reshape(steps),
            d_between=d_between.reshape(steps),
            final=np.empty((2, n_rows, width), np.float32),
            d_final=np.zeros((2, n_rows, width), np.float32),  # the carry's stays 0
            d_weights=np.empty((n_chunks, self.tables[2, -1]), np.float32),
            d_head=np.empty((n_chunks, n_outputs, width + 1), np.float32),
            sums=np.empty((n_chunks, 3)),
        )
        return work
