"""A whole training step of a plain net, compiled: recurrent layers, linear head, loss, and the way back.

The arrays of all layers and directions ("recurrences", forward before backward) stand behind each other in flat memory;
tables say where each begins.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skrnn.nn._activations import HALF, ONE, ZERO
from skrnn.nn._kernels import backward_chunk, chunk_floats, forward_chunk, unpack_gradients
from skrnn.nn._matmul import COMPILED, INLINED, padded
from skrnn.nn._packing import n_blocks, pack_weights, weight_floats

SQUARED, ABSOLUTE, HUBER = range(3)

_f = np.float32


@njit(**INLINED)
def n_inputs(recurrence, n_channels, hidden_size, n_directions):
    """Channels that a recurrence reads."""
    return n_channels if recurrence < n_directions else n_directions * hidden_size


@njit(**INLINED)
def memory_table(cell, n_steps, n_rows, n_channels, hidden_size, n_layers, n_directions):
    """Where in the memory of a chunk each recurrence begins, and its end."""
    starts = np.zeros(n_layers * n_directions + 1, np.int64)
    for i in range(n_layers * n_directions):
        reads = n_inputs(i, n_channels, hidden_size, n_directions)
        starts[i + 1] = starts[i] + chunk_floats(cell, n_steps, n_rows, reads, hidden_size, True)
    return starts


@njit(**INLINED)
def weight_tables(cell, n_channels, hidden_size, n_layers, n_directions):
    """Where each recurrence begins: packed forward, packed backward, gradients of a chunk; and the ends."""
    starts = np.zeros((3, n_layers * n_directions + 1), np.int64)
    for i in range(n_layers * n_directions):
        reads = n_inputs(i, n_channels, hidden_size, n_directions)
        n_forward, n_backward = weight_floats(cell, reads, hidden_size)
        starts[0, i + 1] = starts[0, i] + padded(n_forward)
        starts[1, i + 1] = starts[1, i] + padded(n_backward)
        starts[2, i + 1] = starts[2, i] + n_blocks(cell) * (reads + 1 + hidden_size) * padded(hidden_size)
    return starts


@njit(**INLINED)
def _views(flat, at, reads, hidden_size, n_gates):
    """Weights and biases of a recurrence in the flat vector of all parameters, and where the next begins."""
    rows = n_gates * hidden_size
    h_at, b_at = at + rows * reads, at + rows * (reads + hidden_size)
    w_x, w_h = flat[at:h_at].reshape(rows, reads), flat[h_at:b_at].reshape(rows, hidden_size)
    return w_x, w_h, flat[b_at : b_at + rows], flat[b_at + rows : b_at + 2 * rows], b_at + 2 * rows


@njit(**COMPILED)
def pack_all(cell, n_channels, hidden_size, n_gates, n_directions, parameters, tables, forward, backward):
    """`pack_weights` for every recurrence."""
    at = 0
    for i in range(tables.shape[1] - 1):
        reads = n_inputs(i, n_channels, hidden_size, n_directions)
        w_x, w_h, b_x, b_h, at = _views(parameters, at, reads, hidden_size, n_gates)
        to, to_back = forward[tables[0, i] : tables[0, i + 1]], backward[tables[1, i] : tables[1, i + 1]]
        pack_weights(cell, w_x, w_h, b_x, b_h, to, to_back)


@njit(**INLINED)
def _judge(loss, delta, features, y, weights, units, head_w, head_b, first, last, d_features, d_head, sums):
    """The linear head on the rows of a chunk, the loss, and their gradients.

    `weights` and `units` have no rows where they are all 1, `units` one row where all rows are alike. `sums` gets the
    loss, the absolute error in the user's units and the weights, added up over the chunk.
    """
    n_outputs, n_features = head_w.shape
    d_head[:] = ZERO
    sums[:] = 0
    scale = ONE / _f(len(y)) if len(weights) else ONE / _f(y.size)
    for r in range(first, last):
        for j in range(n_features):
            d_features[r, j] = ZERO
        for k in range(n_outputs):
            value = head_b[k]
            for j in range(n_features):
                value += features[r, j] * head_w[k, j]
            error = value - y[r, k]
            size = abs(error)
            weight = weights[r, k] if len(weights) else ONE
            if loss == SQUARED:
                cost, slope = error * error, error + error
            elif loss == ABSOLUTE or size > delta:
                sign = ONE if error > ZERO else (-ONE if error < ZERO else error)  # NaN stays NaN
                cost, slope = (size, sign) if loss == ABSOLUTE else (delta * (size - HALF * delta), delta * sign)
            else:
                cost, slope = HALF * error * error, error
            unit = units[min(r, len(units) - 1), k] if len(units) else ONE
            sums[0] += scale * weight * cost
            sums[1] += weight * unit * size
            sums[2] += weight
            d = scale * weight * slope
            d_head[k, n_features] += d
            for j in range(n_features):
                d_head[k, j] += d * features[r, j]
                d_features[r, j] += d * head_w[k, j]


@njit(**COMPILED)
def step_part(
    part,
    n_parts,
    rows,
    cell,
    hidden_size,
    n_directions,
    loss,
    delta,
    x,
    lengths,
    y,
    weights,
    units,
    forward,
    backward,
    tables,
    head_w,
    head_b,
    memory_at,
    memory,
    between,
    d_between,
    final,
    d_final,
    d_weights,
    d_head,
    sums,
):
    """Every `n_parts`-th chunk of `rows` rows from `part` on, through the whole net and back.

    Parameters
    ----------
    x, lengths, y, weights, units
        Of the batch; see `_judge`.
    forward, backward, tables
        From `pack_all` and `weight_tables`.
    head_w, head_b : (n_outputs, features), (n_outputs,)
    memory_at, memory
        From `memory_table`; (chunks, floats).
    between, d_between : (n_layers - 1, batch, steps, features)
        What each layer but the last gives to the next, and its gradients.
    final, d_final : (2, batch, features)
    d_weights : (chunks, floats)
    d_head : (chunks, n_outputs, features + 1)
        Gets the gradients of weights and bias.
    sums : float64 (chunks, 3)
    """
    n_layers, n_channels = len(between) + 1, x.shape[2]
    no_rows, no_steps = np.empty((0, 0), np.float32), np.empty((0, 0, 0), np.float32)  # for what is not there
    for chunk in range(part, len(memory), n_parts):
        first, last = chunk * rows, min(chunk * rows + rows, len(x))
        for layer in range(n_layers):
            reads = x if layer == 0 else between[layer - 1]
            out = between[layer] if layer < n_layers - 1 else no_steps
            for direction in range(n_directions):
                i, column = layer * n_directions + direction, direction * hidden_size
                m, w = memory[chunk, memory_at[i] : memory_at[i + 1]], forward[tables[0, i] : tables[0, i + 1]]
                forward_chunk(
                    cell,
                    hidden_size,
                    reads,
                    lengths,
                    direction == 1,
                    w,
                    no_rows,
                    no_rows,
                    m,
                    out,
                    final,
                    column,
                    first,
                    last,
                    True,
                )
        _judge(
            loss,
            delta,
            final[0],
            y,
            weights,
            units,
            head_w,
            head_b,
            first,
            last,
            d_final[0],
            d_head[chunk],
            sums[chunk],
        )
        for layer in range(n_layers - 1, -1, -1):
            reads = x if layer == 0 else between[layer - 1]
            is_last = layer == n_layers - 1
            d_out, d_x = no_steps if is_last else d_between[layer], no_steps if layer == 0 else d_between[layer - 1]
            for direction in range(n_directions):
                i, column = layer * n_directions + direction, direction * hidden_size
                m, w = memory[chunk, memory_at[i] : memory_at[i + 1]], backward[tables[1, i] : tables[1, i + 1]]
                depth = n_inputs(i, n_channels, hidden_size, n_directions) + 1 + hidden_size
                d_w = d_weights[chunk, tables[2, i] : tables[2, i + 1]]
                backward_chunk(
                    cell,
                    hidden_size,
                    reads,
                    lengths,
                    direction == 1,
                    w,
                    m,
                    d_out,
                    d_final if is_last else no_steps,
                    column,
                    first,
                    last,
                    d_x,
                    direction == 1,
                    no_rows,
                    no_rows,
                    d_w.reshape(n_blocks(cell), depth, padded(hidden_size)),
                )


@njit(**COMPILED)
def gather_gradients(
    cell, n_channels, hidden_size, n_gates, n_directions, tables, d_weights, d_head, sums, max_norm, gradient
):
    """Write the gradients of all chunks, added up, into the flat vector, scaled down to `max_norm` (0: not at all).

    What is of the first chunk becomes that of all.
    """
    for chunk in range(1, len(d_weights)):
        d_weights[0] += d_weights[chunk]
        d_head[0] += d_head[chunk]
        sums[0] += sums[chunk]
    at = 0
    for i in range(tables.shape[1] - 1):
        reads = n_inputs(i, n_channels, hidden_size, n_directions)
        total = d_weights[0, tables[2, i] : tables[2, i + 1]]
        blocks = total.reshape(1, n_blocks(cell), reads + 1 + hidden_size, padded(hidden_size))
        d_w_x, d_w_h, d_b_x, d_b_h, at = _views(gradient, at, reads, hidden_size, n_gates)
        unpack_gradients(cell, blocks, d_w_x, d_w_h, d_b_x, d_b_h)
    n_outputs, n_features = d_head.shape[1], d_head.shape[2] - 1
    for k in range(n_outputs):
        gradient[at + k * n_features : at + (k + 1) * n_features] = d_head[0, k, :n_features]
        gradient[at + n_outputs * n_features + k] = d_head[0, k, n_features]
    if max_norm > 0:
        norm = _f(np.sqrt((gradient * gradient).sum()))
        scale = _f(max_norm) / (norm + _f(1e-6))
        if not scale >= ONE:  # NaN scales too, as torch's clipping does
            gradient *= scale
