"""One recurrent layer, forward and backward, compiled: what `nn._fused` and `nn._direct` are made of. float32, CPU.

A batch is cut into chunks of rows, and a chunk runs through all its steps by itself, so that threads which share the
chunks never wait for each other. Gates are computed in blocks (see `nn._packing`). The memory of a chunk::

    states  (steps + 1, rows, P)        h before the first step and after each
    gates   (blocks, steps, rows, P)    activations; on the way back their gradients
    carry   (steps + 1, rows, P)        c of an LSTM
    squash  (steps, rows, P)            tanh(c) of an LSTM

P is `hidden_size` rounded up to whole vectors; units that only fill up have weights of 0 and stay 0. So a block of a
step is one stretch of memory for `nn._activations`. Without gradients to come, two states and one step of gates are
enough.

Equations as in torch's nn.RNN, nn.LSTM and nn.GRU. A row that is shorter than the batch keeps its state from its last
step on; a backward direction reads it from its last valid step to its first.
"""

from __future__ import annotations

from numba import njit

from skrnn.nn._activations import (
    ONE,
    ZERO,
    gru,
    gru_back,
    lstm,
    lstm_back,
    plain,
    plain_back,
    relu,
    relu_back,
)
from skrnn.nn._matmul import COMPILED, FLOAT_BYTES, INLINED, PANEL, matmul, padded
from skrnn.nn._packing import GRU, LSTM, RNN_RELU, gate_of, n_blocks, panel_floats, reads

# -- the memory of a chunk ---------------------------------------------------------------------------------------------


@njit(**INLINED)
def _sizes(cell, n_steps, n_rows, n_channels, hidden_size, keeps):
    """Floats of: states, gates, carry, squash, one step of [x | 1], and gradients of one step of h, c and x."""
    states, held = (n_steps + 1, n_steps) if keeps else (2, 1)
    block, is_lstm, is_kept = n_rows * padded(hidden_size), 1 if cell == LSTM else 0, 1 if keeps else 0
    return (
        states * block,
        n_blocks(cell) * held * block,
        states * block * is_lstm,
        held * block * is_lstm,
        n_rows * (n_channels + 1),
        block * is_kept,
        block * is_lstm * is_kept,
        n_rows * padded(n_channels) * is_kept,
    )


@njit(**INLINED)
def chunk_floats(cell, n_steps, n_rows, n_channels, hidden_size, keeps):
    """Memory that a chunk of `n_rows` rows needs."""
    total = 0
    for size in _sizes(cell, n_steps, n_rows, n_channels, hidden_size, keeps):
        total += padded(size)  # each part begins where a vector does
    return total


@njit(**INLINED)
def _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, keeps):
    """A chunk's memory as arrays, a stretch of (rows * P) for each step: see `_sizes`."""
    sizes = _sizes(cell, n_steps, n_rows, n_channels, hidden_size, keeps)
    states_, held = (n_steps + 1, n_steps) if keeps else (2, 1)
    block = n_rows * padded(hidden_size)
    at = 0
    states = memory[: sizes[0]].reshape(states_, block)
    at += padded(sizes[0])
    gates = memory[at : at + sizes[1]].reshape(n_blocks(cell), held, block)
    at += padded(sizes[1])
    carry = memory[at : at + sizes[2]].reshape(sizes[2] // block, block)
    at += padded(sizes[2])
    squash = memory[at : at + sizes[3]].reshape(sizes[3] // block, block)
    at += padded(sizes[3])
    x_1 = memory[at : at + sizes[4]].reshape(n_rows, n_channels + 1)
    at += padded(sizes[4])
    dh = memory[at : at + sizes[5]]
    at += padded(sizes[5])
    dc = memory[at : at + sizes[6]]
    at += padded(sizes[6])
    dx = memory[at : at + sizes[7]].reshape(sizes[7] // padded(n_channels), padded(n_channels))
    return states, gates, carry, squash, x_1, dh, dc, dx


# -- a chunk of rows through all steps ---------------------------------------------------------------------------------


@njit(**INLINED)
def read_at(step, length, backwards):
    """Where the input of a step stands: a backward direction begins at the last valid step."""
    return length - 1 - step if backwards and step < length else step


@njit(**INLINED)
def _read_step(x, lengths, backwards, first, step, x_1):
    """Copy what the rows of a chunk read at a step into [x | 1]."""
    n_channels = x.shape[2]
    for r in range(len(x_1)):
        t = read_at(step, lengths[first + r], backwards)
        for k in range(n_channels):
            x_1[r, k] = x[first + r, t, k]
        x_1[r, n_channels] = ONE


@njit(**INLINED)
def forward_chunk(
    cell, hidden_size, x, lengths, backwards, panels, h_0, c_0, memory, out, final, column, first, last, keeps
):
    """Run the rows `first` to `last` of a batch through a layer in one direction.

    Parameters
    ----------
    cell : int
        One of `CODES`.
    hidden_size : int
    x : (batch, steps, channels)
    lengths : int64 (batch,)
    backwards : bool
    panels : flat
        `forward` of `pack_weights`.
    h_0, c_0 : (batch, hidden), or of no rows for zeros
    memory : flat
        Of `chunk_floats`, for `backward_chunk`.
    out : (batch, steps, n), or of no rows
        Gets the state of each step, where the step stands in x, in the columns from `column` on; 0 at padding.
    final : (2, batch, n)
        Gets h and the carry after each row's last step, in the same columns.
    column, first, last : int
    keeps : bool
        Whether gradients are to come.
    """
    n_steps, n_channels, n_rows = x.shape[1], x.shape[2], last - first
    states, gates, carry, squash, x_1, _, _, _ = _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, keeps)
    p, depth = padded(hidden_size), n_channels + 1
    shortest = lengths[first:last].min()
    states[0] = ZERO
    for r in range(n_rows if len(h_0) else 0):
        states[0, r * p : r * p + hidden_size] = h_0[first + r]
    if cell == LSTM:
        carry[0] = ZERO
        for r in range(n_rows if len(c_0) else 0):
            carry[0, r * p : r * p + hidden_size] = c_0[first + r]
    now, after, held = 0, 1, 0
    for step in range(n_steps):
        _read_step(x, lengths, backwards, first, step, x_1)
        h, h_new = states[now], states[after]
        from_x = panels.ctypes.data
        for block in range(len(gates)):
            from_h = from_x + FLOAT_BYTES * panel_floats(hidden_size, depth)
            to = gates[block, held].ctypes.data
            reads_x, reads_h = reads(cell, block)
            skip = 0 if reads_x else n_channels  # only the bias
            at, b = x_1.ctypes.data + FLOAT_BYTES * skip, from_x + FLOAT_BYTES * skip * PANEL
            matmul(at, depth, 1, b, PANEL, depth * PANEL, to, p, n_rows, hidden_size, depth - skip, 0)
            if reads_h and (step or len(h_0)):  # nothing comes from a state of zeros
                at = h.ctypes.data
                matmul(at, p, 1, from_h, PANEL, hidden_size * PANEL, to, p, n_rows, hidden_size, hidden_size, 1)
            from_x = from_h + FLOAT_BYTES * panel_floats(hidden_size, hidden_size)
        if cell == LSTM:
            i, f, g, o = gates[0, held], gates[1, held], gates[2, held], gates[3, held]
            lstm(i, f, g, o, carry[now], carry[after], squash[held], h_new)
        elif cell == GRU:
            gru(gates[0, held], gates[1, held], gates[2, held], gates[3, held], h, h_new)
        elif cell == RNN_RELU:
            relu(gates[0, held], h_new)
        else:
            plain(gates[0, held], h_new)
        for r in range(n_rows if step >= shortest else 0):
            if step >= lengths[first + r]:
                h_new[r * p : (r + 1) * p] = h[r * p : (r + 1) * p]
                if cell == LSTM:
                    carry[after, r * p : (r + 1) * p] = carry[now, r * p : (r + 1) * p]
        for r in range(n_rows if len(out) else 0):
            length = lengths[first + r]
            t = read_at(step, length, backwards)
            for j in range(hidden_size):
                out[first + r, t, column + j] = h_new[r * p + j] if step < length else ZERO
        if keeps:
            now, after, held = step + 1, step + 2, step + 1
        else:
            now, after = after, now
    for r in range(n_rows):
        final[0, first + r, column : column + hidden_size] = states[now, r * p : r * p + hidden_size]
        if cell == LSTM:
            final[1, first + r, column : column + hidden_size] = carry[now, r * p : r * p + hidden_size]


@njit(**INLINED)
def _add_gradients(d_out, d_final, column, lengths, backwards, first, step, hidden_size, p, dh, dc):
    """Add what the outputs of a step, and the final state where it is a row's last, pass back to h and c."""
    n_rows = len(dh) // p
    if len(d_out):
        for r in range(n_rows):
            t = read_at(step, lengths[first + r], backwards)
            if step < lengths[first + r]:
                for j in range(hidden_size):
                    dh[r * p + j] += d_out[first + r, t, column + j]
    if len(d_final):
        for r in range(n_rows):
            if step == lengths[first + r] - 1:
                for j in range(hidden_size):
                    dh[r * p + j] += d_final[0, first + r, column + j]
                for j in range(hidden_size if len(dc) else 0):
                    dc[r * p + j] += d_final[1, first + r, column + j]


@njit(**INLINED)
def backward_chunk(
    cell,
    hidden_size,
    x,
    lengths,
    backwards,
    panels,
    memory,
    d_out,
    d_final,
    column,
    first,
    last,
    d_x,
    adds_x,
    d_h_0,
    d_c_0,
    d_weights,
):
    """Gradients of what `forward_chunk` ran, of its inputs and its weights.

    Parameters
    ----------
    cell, hidden_size, x, lengths, backwards, memory, column, first, last
        As in `forward_chunk`; gates in `memory` become their gradients.
    panels : flat
        `backward` of `pack_weights`.
    d_out : (batch, steps, n), or of no rows
        What it holds at padding is ignored.
    d_final : (2, batch, n), or of no rows
    d_x : (batch, steps, channels), or of no rows when it is not asked for
        Gets the gradient, or has it added with `adds_x`.
    d_h_0, d_c_0 : (batch, hidden), or of no rows when they are not asked for
    d_weights : (blocks, n_channels + 1 + hidden, P)
        Gets the gradients of this chunk: rows [x | 1 | h].
    """
    n_steps, n_channels, n_rows = x.shape[1], x.shape[2], last - first
    states, gates, carry, squash, x_1, dh, dc, dx = _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, True)
    p, depth = padded(hidden_size), n_channels + 1
    dh[:] = ZERO
    dc[:] = ZERO
    for step in range(n_steps - 1, -1, -1):
        _add_gradients(d_out, d_final, column, lengths, backwards, first, step, hidden_size, p, dh, dc)
        if cell == LSTM:
            i, f, g, o = gates[0, step], gates[1, step], gates[2, step], gates[3, step]
            lstm_back(i, f, g, o, carry[step], squash[step], dh, dc)
        elif cell == GRU:
            gru_back(gates[0, step], gates[1, step], gates[2, step], gates[3, step], states[step], dh)
        elif cell == RNN_RELU:
            relu_back(gates[0, step], states[step + 1], dh)
        else:
            plain_back(gates[0, step], states[step + 1], dh)
        _read_step(x, lengths, backwards, first, step, x_1)
        adds_h, adds_dx = (1 if cell == GRU else 0), 0
        adds = 0 if step == n_steps - 1 else 1
        to_x = panels.ctypes.data
        for block in range(len(gates)):
            to_h = to_x + FLOAT_BYTES * panel_floats(n_channels, hidden_size)
            a = gates[block, step].ctypes.data
            reads_x, reads_h = reads(cell, block)
            if reads_h and (step or len(d_h_0)):
                d = dh.ctypes.data
                matmul(a, p, 1, to_h, PANEL, hidden_size * PANEL, d, p, n_rows, hidden_size, hidden_size, adds_h)
                adds_h = 1
            if reads_x and len(d_x):
                d, d_row = dx.ctypes.data, dx.shape[1]
                matmul(a, p, 1, to_x, PANEL, hidden_size * PANEL, d, d_row, n_rows, n_channels, hidden_size, adds_dx)
                adds_dx = 1
            d = d_weights[block].ctypes.data
            skip = 0 if reads_x else n_channels
            at, to = x_1.ctypes.data + FLOAT_BYTES * skip, d + FLOAT_BYTES * skip * p
            matmul(at, 1, depth, a, p, PANEL, to, p, depth - skip, hidden_size, n_rows, adds)
            if reads_h:
                at, to = states[step].ctypes.data, d + FLOAT_BYTES * depth * p
                matmul(at, 1, p, a, p, PANEL, to, p, hidden_size, hidden_size, n_rows, adds)
            to_x = to_h + FLOAT_BYTES * panel_floats(hidden_size, hidden_size)
        for r in range(n_rows if len(d_x) else 0):
            t = read_at(step, lengths[first + r], backwards)
            for k in range(n_channels):
                d_x[first + r, t, k] = dx[r, k] + (d_x[first + r, t, k] if adds_x else ZERO)
    for r in range(n_rows if len(d_h_0) else 0):
        d_h_0[first + r] = dh[r * p : r * p + hidden_size]
    for r in range(n_rows if len(d_c_0) else 0):
        d_c_0[first + r] = dc[r * p : r * p + hidden_size]


@njit(**INLINED)
def unpack_gradients(cell, d_weights, d_w_x, d_w_h, d_b_x, d_b_h):
    """Add up the gradients of all chunks, (chunks, blocks, rows, P), in their order, as torch lays out weights.

    The first chunk's are overwritten.
    """
    n_channels, hidden_size = d_w_x.shape[1], d_w_h.shape[1]
    total = d_weights[0]
    for chunk in range(1, len(d_weights)):
        total += d_weights[chunk]
    for block in range(n_blocks(cell)):
        begin = gate_of(cell, block) * hidden_size
        reads_x, reads_h = reads(cell, block)
        for unit in range(hidden_size):
            if reads_x:
                for k in range(n_channels):
                    d_w_x[begin + unit, k] = total[block, k, unit]
                d_b_x[begin + unit] = total[block, n_channels, unit]
            if reads_h:
                d_b_h[begin + unit] = total[block, n_channels, unit]
                for k in range(hidden_size):
                    d_w_h[begin + unit, k] = total[block, n_channels + 1 + k, unit]


# -- what one of several threads does ----------------------------------------------------------------------------------


@njit(**COMPILED)
def forward_part(
    part, n_parts, rows, cell, hidden, x, lengths, backwards, panels, h_0, c_0, memory, out, final, column, keeps
):
    """Every `n_parts`-th chunk of `rows` rows from `part` on.

    `memory` is (chunks, floats); when nothing is kept (parts, floats), so that it stays in the processor's cache.
    """
    for chunk in range(part, (len(x) + rows - 1) // rows, n_parts):
        first, m = chunk * rows, memory[chunk if keeps else part]
        last = min(first + rows, len(x))
        forward_chunk(cell, hidden, x, lengths, backwards, panels, h_0, c_0, m, out, final, column, first, last, keeps)


@njit(**COMPILED)
def backward_part(
    part,
    n_parts,
    rows,
    cell,
    hidden,
    x,
    lengths,
    backwards,
    panels,
    memory,
    d_out,
    d_final,
    column,
    d_x,
    adds_x,
    d_h_0,
    d_c_0,
    d_weights,
):
    """The same for `backward_chunk`; `d_weights` is (chunks, blocks, rows, P)."""
    for chunk in range(part, len(memory), n_parts):
        first, m, d_w = chunk * rows, memory[chunk], d_weights[chunk]
        last = min(first + rows, len(x))
        backward_chunk(
            cell,
            hidden,
            x,
            lengths,
            backwards,
            panels,
            m,
            d_out,
            d_final,
            column,
            first,
            last,
            d_x,
            adds_x,
            d_h_0,
            d_c_0,
            d_w,
        )
