"""One recurrent layer, forward and backward, compiled: what `nn._fused` and `nn._direct` are made of. float32, CPU.

A batch is cut into chunks of rows, and a chunk runs through all its steps by itself, so that threads which share the
chunks never wait for each other. Its memory, each an array of one step after the other::

    inputs  (steps + 1, rows, S)      [x | 1 | h | 0]: one product a step gives all gates with bias; h of step t stands
                                      where step t + 1 reads it
    gates   (steps, rows, G * P)      activations of the gates; in the way back their gradients
    carry   (steps + 1, rows, P)      c of an LSTM
    squash  (steps, rows, P)          tanh(c) of an LSTM

P is `hidden_size`, S is ``n_channels + 1 + P``, each rounded up to whole vectors; units that only fill up have weights
of 0 and stay 0. G is 1 for a plain cell, 4 for an LSTM (i, f, g, o) and 4 for a GRU: r, z, then what the state and what
the input give to the candidate, kept apart, since r scales the former alone; the latter's place then holds the
candidate n. Without gradients to come, two steps of inputs and carry and one of the others are enough (`keeps=0`).

Equations as in torch's nn.RNN, nn.LSTM and nn.GRU. A row that is shorter than the batch keeps its state from its last
step on; in the backward direction it is read from its last valid step to its first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skrnn.nn._matmul import COMPILED, FLOAT_BYTES, PANEL, matmul, padded

RNN, RNN_RELU, LSTM, GRU = range(4)
CODES = {"rnn": RNN, "rnn_relu": RNN_RELU, "lstm": LSTM, "gru": GRU}

ROWS_OF_GRADIENT = 64  # rows of one step, or of several, in a product for the gradients of the weights

_f = np.float32
ZERO, HALF, ONE = _f(0), _f(0.5), _f(1)


@njit(inline="always", **COMPILED)
def tanh(x):  # type: ignore[no-untyped-def]
    """The rational approximation of the Eigen library: within 4e-7 of tanh, NaN for NaN."""
    limit = _f(7.90531110763549805)
    x = limit if x > limit else x
    x = -limit if x < -limit else x
    y = x * x
    p = _f(-2.76076847742355e-16) * y + _f(2.00018790482477e-13)
    p = p * y + _f(-8.60467152213735e-11)
    p = p * y + _f(5.12229709037114e-08)
    p = p * y + _f(1.48572235717979e-05)
    p = p * y + _f(6.37261928875436e-04)
    p = p * y + _f(4.89352455891786e-03)
    q = _f(1.19825839466702e-06) * y + _f(1.18534705686654e-04)
    q = q * y + _f(2.26843463243900e-03)
    q = q * y + _f(4.89352518554385e-03)
    return x * p / q


@njit(inline="always", **COMPILED)
def sigmoid(x):  # type: ignore[no-untyped-def]
    return HALF + HALF * tanh(HALF * x)


@njit(**COMPILED)
def n_blocks(cell):  # type: ignore[no-untyped-def]
    """Blocks of P columns that the gates of a cell take."""
    return 4 if cell >= LSTM else 1


@njit(**COMPILED)
def row_size(n_channels, hidden_size):  # type: ignore[no-untyped-def]
    """S, the length of a row of inputs."""
    return padded(n_channels + 1 + padded(hidden_size))


# -- weights in panels -------------------------------------------------------------------------------------------------


@njit(**COMPILED)
def panel_floats(n_columns, depth):  # type: ignore[no-untyped-def]
    """Memory of a matrix (depth, n_columns) in panels."""
    return (n_columns + PANEL - 1) // PANEL * PANEL * depth


@njit(**COMPILED)
def forward_floats(cell, n_channels, hidden_size):  # type: ignore[no-untyped-def]
    """Memory of what `pack_forward` writes."""
    p, depth = padded(hidden_size), n_channels + 1 + hidden_size
    if cell == GRU:
        return panel_floats(2 * p, depth) + panel_floats(p, 1 + hidden_size) + panel_floats(p, n_channels + 1)
    return panel_floats(n_blocks(cell) * p, depth)


@njit(**COMPILED)
def backward_floats(cell, n_channels, hidden_size):  # type: ignore[no-untyped-def]
    """Memory of what `pack_backward` writes."""
    p = padded(hidden_size)
    depth = (3 if cell == GRU else n_blocks(cell)) * p
    return panel_floats(p, depth) + panel_floats(n_channels, depth)


@njit(**COMPILED)
def _pack_gate(panels, depth, first_column, w_x, w_h, bias, gate, hidden_size):  # type: ignore[no-untyped-def]
    """Write one gate into its columns of a matrix in panels; w_x or w_h may have no columns."""
    n_channels, n_hidden = w_x.shape[1], w_h.shape[1]
    for unit in range(hidden_size):
        column, source = first_column + unit, gate * hidden_size + unit
        at = column // PANEL * PANEL * depth + column % PANEL
        for k in range(n_channels):
            panels[at + k * PANEL] = w_x[source, k]
        panels[at + n_channels * PANEL] = bias[source]
        for k in range(n_hidden):
            panels[at + (n_channels + 1 + k) * PANEL] = w_h[source, k]


@njit(**COMPILED)
def pack_forward(cell, w_x, w_h, b_x, b_h, panels):  # type: ignore[no-untyped-def]
    """Arrange the weights for the way forward: (n_channels + 1 + hidden_size, G * P), the bias in the middle.

    Of a GRU three matrices: r and z; the state's part of the candidate (1 + hidden_size, P); the input's part
    (n_channels + 1, P).
    """
    n_channels, hidden_size = w_x.shape[1], w_h.shape[1]
    p, depth = padded(hidden_size), n_channels + 1 + hidden_size
    panels[:] = ZERO
    both = b_x + b_h
    for gate in range(2 if cell == GRU else n_blocks(cell)):
        _pack_gate(panels, depth, gate * p, w_x, w_h, both, gate, hidden_size)
    if cell == GRU:
        begin = panel_floats(2 * p, depth)
        middle = begin + panel_floats(p, 1 + hidden_size)
        _pack_gate(panels[begin:middle], 1 + hidden_size, 0, w_x[:, :0], w_h, b_h, 2, hidden_size)
        _pack_gate(panels[middle:], n_channels + 1, 0, w_x, w_h[:, :0], b_x, 2, hidden_size)


@njit(**COMPILED)
def pack_backward(w_x, w_h, panels):  # type: ignore[no-untyped-def]
    """Arrange the weights for the way back: (gates * P, P) from gates to state, then (gates * P, n_channels)."""
    hidden_size = w_h.shape[1]
    p = padded(hidden_size)
    n_gates = len(w_h) // hidden_size
    depth = n_gates * p
    panels[:] = ZERO
    begin = 0
    for weight in (w_h, w_x):
        n_columns = weight.shape[1]
        for gate in range(n_gates):
            for unit in range(hidden_size):
                row = begin + (gate * p + unit) * PANEL
                for column in range(n_columns):
                    value = weight[gate * hidden_size + unit, column]
                    panels[row + column // PANEL * PANEL * depth + column % PANEL] = value
        begin += panel_floats(p, depth)


# -- one row of one step, gate by gate ---------------------------------------------------------------------------------


@njit(**COMPILED)
def _plain_row(relu, a, h):  # type: ignore[no-untyped-def]
    for j in range(len(h)):
        h[j] = (ZERO if a[j] < ZERO else a[j]) if relu else tanh(a[j])


@njit(**COMPILED)
def _plain_row_back(relu, a, h, dh):  # type: ignore[no-untyped-def]
    for j in range(len(h)):
        slope = (ONE if h[j] > ZERO else ZERO) if relu else ONE - h[j] * h[j]
        a[j] = dh[j] * slope


@njit(**COMPILED)
def _lstm_row(i, f, g, o, c, c_new, squash, h):  # type: ignore[no-untyped-def]
    for j in range(len(h)):
        i[j], f[j], g[j], o[j] = sigmoid(i[j]), sigmoid(f[j]), tanh(g[j]), sigmoid(o[j])
        c_new[j] = f[j] * c[j] + i[j] * g[j]
        squash[j] = tanh(c_new[j])
        h[j] = o[j] * squash[j]


@njit(**COMPILED)
def _lstm_row_back(i, f, g, o, c, squash, dh, dc):  # type: ignore[no-untyped-def]
    """Gates become their gradients before the activation, dc that of the step before."""
    for j in range(len(dh)):
        d = dc[j] + dh[j] * o[j] * (ONE - squash[j] * squash[j])
        d_o = dh[j] * squash[j] * o[j] * (ONE - o[j])
        d_i, d_f, d_g = d * g[j] * i[j] * (ONE - i[j]), d * c[j] * f[j] * (ONE - f[j]), d * i[j] * (ONE - g[j] * g[j])
        dc[j] = d * f[j]
        i[j], f[j], g[j], o[j] = d_i, d_f, d_g, d_o


@njit(**COMPILED)
def _gru_row(r, z, from_h, n, h, h_new):  # type: ignore[no-untyped-def]
    """n holds what the input gives to the candidate, then the candidate."""
    for j in range(len(h)):
        r[j], z[j] = sigmoid(r[j]), sigmoid(z[j])
        n[j] = tanh(n[j] + r[j] * from_h[j])
        h_new[j] = n[j] + z[j] * (h[j] - n[j])


@njit(**COMPILED)
def _gru_row_back(r, z, from_h, n, h, dh):  # type: ignore[no-untyped-def]
    """Gates become their gradients before the activation, dh the part that reaches the state directly."""
    for j in range(len(h)):
        d_n = dh[j] * (ONE - z[j]) * (ONE - n[j] * n[j])
        d_z = dh[j] * (h[j] - n[j]) * z[j] * (ONE - z[j])
        d_r = d_n * from_h[j] * r[j] * (ONE - r[j])
        dh[j] *= z[j]
        from_h[j] = d_n * r[j]
        r[j], z[j], n[j] = d_r, d_z, d_n


# -- the memory of a chunk ---------------------------------------------------------------------------------------------


@njit(**COMPILED)
def _part_floats(cell, n_steps, n_rows, n_channels, hidden_size, keeps):  # type: ignore[no-untyped-def]
    """Memory of inputs, gates, carry, squash, and of the gradients of state, carry and one step of inputs."""
    states, held = (n_steps + 1, n_steps) if keeps else (2, 1)
    p, is_lstm, is_kept = padded(hidden_size), 1 if cell == LSTM else 0, 1 if keeps else 0
    return (
        states * n_rows * row_size(n_channels, hidden_size),
        held * n_rows * n_blocks(cell) * p,
        states * n_rows * p * is_lstm,
        held * n_rows * p * is_lstm,
        n_rows * p * is_kept,
        n_rows * p * is_lstm * is_kept,
        n_rows * padded(n_channels) * is_kept,
    )


@njit(**COMPILED)
def chunk_floats(cell, n_steps, n_rows, n_channels, hidden_size, keeps):  # type: ignore[no-untyped-def]
    """Memory that a chunk of `n_rows` rows needs."""
    total = 0
    for size in _part_floats(cell, n_steps, n_rows, n_channels, hidden_size, keeps):
        total += padded(size)  # each part begins where a vector does
    return total


@njit(**COMPILED)
def _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, keeps):  # type: ignore[no-untyped-def]
    """The parts of a chunk's memory as arrays: see the module's docstring, and `_part_floats`."""
    n_in, n_gates, n_carry, n_squash, n_dh, n_dc, n_dx = _part_floats(
        cell, n_steps, n_rows, n_channels, hidden_size, keeps
    )
    p, states, held = padded(hidden_size), n_steps + 1 if keeps else 2, n_steps if keeps else 1
    is_lstm, is_kept = 1 if cell == LSTM else 0, 1 if keeps else 0
    inputs = memory[:n_in].reshape(states, n_rows, row_size(n_channels, hidden_size))
    at = padded(n_in)
    gates = memory[at : at + n_gates].reshape(held, n_rows, n_blocks(cell) * p)
    at += padded(n_gates)
    carry = memory[at : at + n_carry].reshape(states * is_lstm, n_rows, p)
    at += padded(n_carry)
    squash = memory[at : at + n_squash].reshape(held * is_lstm, n_rows, p)
    at += padded(n_squash)
    dh = memory[at : at + n_dh].reshape(n_rows * is_kept, p)
    at += padded(n_dh)
    dc = memory[at : at + n_dc].reshape(n_rows * is_lstm * is_kept, p)
    at += padded(n_dc)
    dx = memory[at : at + n_dx].reshape(n_rows * is_kept, padded(n_channels))
    return inputs, gates, carry, squash, dh, dc, dx


# -- a chunk of rows through all steps ---------------------------------------------------------------------------------


@njit(inline="always", **COMPILED)
def read_at(step, length, backwards):  # type: ignore[no-untyped-def]
    """Where the input of a step stands: a backward direction begins at the last valid step."""
    return length - 1 - step if backwards and step < length else step


@njit(**COMPILED)
def forward_chunk(  # type: ignore[no-untyped-def]
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
        From `pack_forward`.
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
    inputs, gates, carry, squash, _, _, _ = _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, keeps)
    p, s, width, h_at = padded(hidden_size), inputs.shape[2], gates.shape[2], n_channels + 1
    depth = h_at + hidden_size
    weights = panels.ctypes.data
    from_h = weights + FLOAT_BYTES * panel_floats(2 * p, depth)  # of a GRU's candidate
    from_x = from_h + FLOAT_BYTES * panel_floats(p, 1 + hidden_size)
    inputs[0, :, h_at : h_at + p] = ZERO
    for r in range(n_rows if len(h_0) else 0):
        inputs[0, r, h_at : h_at + hidden_size] = h_0[first + r]
    if cell == LSTM:
        carry[0] = ZERO
        for r in range(n_rows if len(c_0) else 0):
            carry[0, r, :hidden_size] = c_0[first + r]
    now, after, held = 0, 1, 0
    for step in range(n_steps):
        row, row_after, a = inputs[now], inputs[after], gates[held]
        for r in range(n_rows):
            t = read_at(step, lengths[first + r], backwards)
            for k in range(n_channels):
                row[r, k] = x[first + r, t, k]
            row[r, n_channels] = ONE
        at, to = row.ctypes.data, a.ctypes.data
        if cell == GRU:
            matmul(at, s, 1, weights, PANEL, depth * PANEL, to, width, n_rows, 2 * p, depth, 0)
            one_at, to = at + FLOAT_BYTES * n_channels, to + FLOAT_BYTES * 2 * p  # [1 | h]
            matmul(one_at, s, 1, from_h, PANEL, (1 + hidden_size) * PANEL, to, width, n_rows, p, 1 + hidden_size, 0)
            to += FLOAT_BYTES * p
            matmul(at, s, 1, from_x, PANEL, h_at * PANEL, to, width, n_rows, p, h_at, 0)  # [x | 1]
        else:
            matmul(at, s, 1, weights, PANEL, depth * PANEL, to, width, n_rows, width, depth, 0)
        for r in range(n_rows):
            h, h_new, u = row[r, h_at : h_at + p], row_after[r, h_at : h_at + p], a[r]
            t, is_padding = read_at(step, lengths[first + r], backwards), step >= lengths[first + r]
            if is_padding:
                h_new[:] = h
                if cell == LSTM:
                    carry[after, r] = carry[now, r]
            elif cell == LSTM:
                c, c_new, q = carry[now, r], carry[after, r], squash[held, r]
                _lstm_row(u[:p], u[p : 2 * p], u[2 * p : 3 * p], u[3 * p :], c, c_new, q, h_new)
            elif cell == GRU:
                _gru_row(u[:p], u[p : 2 * p], u[2 * p : 3 * p], u[3 * p :], h, h_new)
            else:
                _plain_row(cell == RNN_RELU, u, h_new)
            if len(out):
                for j in range(hidden_size):
                    out[first + r, t, column + j] = ZERO if is_padding else h_new[j]
        if keeps:
            now, after, held = step + 1, step + 2, step + 1
        else:
            now, after = after, now
    for r in range(n_rows):
        final[0, first + r, column : column + hidden_size] = inputs[now, r, h_at : h_at + hidden_size]
        if cell == LSTM:
            final[1, first + r, column : column + hidden_size] = carry[now, r, :hidden_size]


@njit(**COMPILED)
def gradient_rows(cell, hidden_size):  # type: ignore[no-untyped-def]
    """Rows of a chunk's gradient of the weights, which has `row_size` columns."""
    return n_blocks(cell) * padded(hidden_size)


@njit(**COMPILED)
def backward_chunk(  # type: ignore[no-untyped-def]
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
        From `pack_backward`.
    d_out : (batch, steps, n), or of no rows
    d_final : (2, batch, n), or of no rows
    d_x : (batch, steps, channels), or of no rows when it is not asked for
        Gets the gradient, or has it added with `adds_x`.
    d_h_0, d_c_0 : (batch, hidden), or of no rows when they are not asked for
    d_weights : (`gradient_rows`, `row_size`)
        Gets the gradients of this chunk, in the columns [x | 1 | h].
    """
    n_steps, n_channels, n_rows = x.shape[1], x.shape[2], last - first
    inputs, gates, carry, squash, dh, dc, dx = _parts(cell, n_steps, n_rows, n_channels, hidden_size, memory, True)
    p, s, width, h_at = padded(hidden_size), inputs.shape[2], gates.shape[2], n_channels + 1
    to_h = panels.ctypes.data
    depth = 3 * p if cell == GRU else width
    to_x = to_h + FLOAT_BYTES * panel_floats(p, depth)
    dh[:] = ZERO
    dc[:] = ZERO
    together = max(1, ROWS_OF_GRADIENT // n_rows)  # steps whose gradients of the weights are added up at once
    pending = 0
    for step in range(n_steps - 1, -1, -1):
        a = gates[step]
        for r in range(n_rows):
            length, u, d = lengths[first + r], a[r], dh[r]
            if step >= length:
                u[:] = ZERO
                continue
            t = read_at(step, length, backwards)
            if len(d_out):
                for j in range(hidden_size):
                    d[j] += d_out[first + r, t, column + j]
            if step == length - 1 and len(d_final):
                for j in range(hidden_size):
                    d[j] += d_final[0, first + r, column + j]
                if cell == LSTM:
                    for j in range(hidden_size):
                        dc[r, j] += d_final[1, first + r, column + j]
            if cell == LSTM:
                c, q = carry[step, r], squash[step, r]
                _lstm_row_back(u[:p], u[p : 2 * p], u[2 * p : 3 * p], u[3 * p :], c, q, d, dc[r])
            elif cell == GRU:
                h = inputs[step, r, h_at : h_at + p]
                _gru_row_back(u[:p], u[p : 2 * p], u[2 * p : 3 * p], u[3 * p :], h, d)
            else:
                _plain_row_back(cell == RNN_RELU, u, inputs[step + 1, r, h_at : h_at + p], d)
        at = a.ctypes.data
        if step or len(d_h_0):
            adds = 1 if cell == GRU else 0
            matmul(at, width, 1, to_h, PANEL, depth * PANEL, dh.ctypes.data, p, n_rows, p, depth, adds)
        if len(d_x):
            to = dx.ctypes.data
            if cell == GRU:  # r and z, then the candidate, past what the state gives to it
                n_both, n_at = 2 * p, at + FLOAT_BYTES * 3 * p
                matmul(at, width, 1, to_x, PANEL, depth * PANEL, to, dx.shape[1], n_rows, n_channels, n_both, 0)
                below = to_x + FLOAT_BYTES * n_both * PANEL
                matmul(n_at, width, 1, below, PANEL, depth * PANEL, to, dx.shape[1], n_rows, n_channels, p, 1)
            else:
                matmul(at, width, 1, to_x, PANEL, depth * PANEL, to, dx.shape[1], n_rows, n_channels, depth, 0)
            for r in range(n_rows):
                t = read_at(step, lengths[first + r], backwards)
                for k in range(n_channels):
                    d_x[first + r, t, k] = dx[r, k] + (d_x[first + r, t, k] if adds_x else ZERO)
        pending += 1
        if pending == together or step == 0:
            adds = 0 if step + pending == n_steps else 1
            rows, to, inputs_at = pending * n_rows, d_weights.ctypes.data, inputs[step].ctypes.data
            matmul(at, 1, width, inputs_at, s, PANEL, to, s, depth, h_at + hidden_size, rows, adds)
            if cell == GRU:
                to += FLOAT_BYTES * 3 * p * s
                matmul(at + FLOAT_BYTES * 3 * p, 1, width, inputs_at, s, PANEL, to, s, p, h_at, rows, adds)
            pending = 0
    for r in range(n_rows if len(d_h_0) else 0):
        d_h_0[first + r] = dh[r, :hidden_size]
    for r in range(n_rows if len(d_c_0) else 0):
        d_c_0[first + r] = dc[r, :hidden_size]


@njit(**COMPILED)
def unpack_gradients(cell, d_weights, d_w_x, d_w_h, d_b_x, d_b_h):  # type: ignore[no-untyped-def]
    """Add up the gradients of all chunks, (chunks, rows, columns), in their order, as torch lays out weights."""
    n_channels, hidden_size = d_w_x.shape[1], d_w_h.shape[1]
    p, h_at = padded(hidden_size), n_channels + 1
    for gate in range(len(d_w_h) // hidden_size):
        from_x = gate + 1 if cell == GRU and gate == 2 else gate  # the block that the input's weights belong to
        for unit in range(hidden_size):
            to, row, row_x = gate * hidden_size + unit, gate * p + unit, from_x * p + unit
            d_w_x[to] = d_weights[0, row_x, :n_channels]
            d_b_x[to] = d_weights[0, row_x, n_channels]
            d_b_h[to] = d_weights[0, row, n_channels]
            d_w_h[to] = d_weights[0, row, h_at : h_at + hidden_size]
            for chunk in range(1, len(d_weights)):
                d_w_x[to] += d_weights[chunk, row_x, :n_channels]
                d_b_x[to] += d_weights[chunk, row_x, n_channels]
                d_b_h[to] += d_weights[chunk, row, n_channels]
                d_w_h[to] += d_weights[chunk, row, h_at : h_at + hidden_size]


# -- what one of several threads does ----------------------------------------------------------------------------------


@njit(**COMPILED)
def forward_part(  # type: ignore[no-untyped-def]
    part,
    n_parts,
    chunk_rows,
    cell,
    hidden_size,
    x,
    lengths,
    backwards,
    panels,
    h_0,
    c_0,
    memory,
    out,
    final,
    column,
    keeps,
):
    """Every `n_parts`-th chunk of a batch, from `part` on, through `forward_chunk`; `memory` is (chunks, floats)."""
    for chunk in range(part, len(memory), n_parts):
        first = chunk * chunk_rows
        last = min(first + chunk_rows, len(x))
        forward_chunk(
            cell,
            hidden_size,
            x,
            lengths,
            backwards,
            panels,
            h_0,
            c_0,
            memory[chunk],
            out,
            final,
            column,
            first,
            last,
            keeps,
        )


@njit(**COMPILED)
def backward_part(  # type: ignore[no-untyped-def]
    part,
    n_parts,
    chunk_rows,
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
    d_x,
    adds_x,
    d_h_0,
    d_c_0,
    d_weights,
):
    """The same for `backward_chunk`; `d_weights` is (chunks, rows, columns)."""
    for chunk in range(part, len(memory), n_parts):
        first = chunk * chunk_rows
        last = min(first + chunk_rows, len(x))
        backward_chunk(
            cell,
            hidden_size,
            x,
            lengths,
            backwards,
            panels,
            memory[chunk],
            d_out,
            d_final,
            column,
            first,
            last,
            d_x,
            adds_x,
            d_h_0,
            d_c_0,
            d_weights[chunk],
        )
