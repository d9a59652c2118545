"""The weights of a recurrent layer, arranged for `matmul`, block of gates after block; compiled.

Gates are computed in blocks: 1 for a plain cell, 4 for an LSTM (i, f, g, o), and 4 for a GRU: r, z, then what the state
and what the input give to the candidate, kept apart since r scales the former alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skrnn.nn._matmul import INLINED, PANEL

RNN, RNN_RELU, LSTM, GRU = range(4)
CODES = {"rnn": RNN, "rnn_relu": RNN_RELU, "lstm": LSTM, "gru": GRU}
FROM_STATE, FROM_INPUT = 2, 3  # blocks of a GRU's candidate, both of gate 2
ZERO = np.float32(0)


@njit(**INLINED)
def n_blocks(cell):
    return 4 if cell >= LSTM else 1


@njit(**INLINED)
def gate_of(cell, block):
    """The gate whose weights a block is computed with."""
    return 2 if cell == GRU and block == FROM_INPUT else block


@njit(**INLINED)
def reads(cell, block):
    """Whether a block reads the input, and whether it reads the state."""
    return not (cell == GRU and block == FROM_STATE), not (cell == GRU and block == FROM_INPUT)


@njit(**INLINED)
def panel_floats(n_columns, depth):
    """Memory of a matrix (depth, n_columns) in panels."""
    return (n_columns + PANEL - 1) // PANEL * PANEL * depth


@njit(**INLINED)
def _pack(matrix, panels):
    """Arrange (depth, n_columns) in panels."""
    depth, n_columns = matrix.shape
    for k in range(depth):
        for column in range(n_columns):
            panels[column // PANEL * PANEL * depth + k * PANEL + column % PANEL] = matrix[k, column]


@njit(**INLINED)
def weight_floats(cell, n_channels, hidden_size):
    """Memory of what `pack_weights` writes, for the way forward and for the way back."""
    forward = panel_floats(hidden_size, n_channels + 1) + panel_floats(hidden_size, hidden_size)
    backward = panel_floats(n_channels, hidden_size) + panel_floats(hidden_size, hidden_size)
    return n_blocks(cell) * forward, n_blocks(cell) * backward


@njit(**INLINED)
def pack_weights(cell, w_x, w_h, b_x, b_h, forward, backward):
    """Arrange a layer's weights in panels, block after block.

    Parameters
    ----------
    w_x, w_h, b_x, b_h : as in torch
    forward : flat
        Gets (n_channels + 1, hidden) for [x | 1] and (hidden, hidden) for h.
    backward : flat, may be empty
        Gets (hidden, n_channels) for the gradient of x and (hidden, hidden) for that of h.
    """
    n_channels, hidden_size = w_x.shape[1], w_h.shape[1]
    forward[:] = ZERO
    backward[:] = ZERO
    at, back_at = 0, 0
    for block in range(n_blocks(cell)):
        rows = slice(gate_of(cell, block) * hidden_size, (gate_of(cell, block) + 1) * hidden_size)
        reads_x, reads_h = reads(cell, block)
        to_x, to_h = forward[at:], forward[at + panel_floats(hidden_size, n_channels + 1) :]
        for unit in range(hidden_size):
            row, column = rows.start + unit, unit // PANEL * PANEL * (n_channels + 1) + unit % PANEL
            for k in range(n_channels):
                to_x[column + k * PANEL] = w_x[row, k]
            bias = (b_x[row] if reads_x else ZERO) + (b_h[row] if reads_h else ZERO)
            to_x[column + n_channels * PANEL] = bias
        _pack(w_h[rows].T, to_h)
        at += panel_floats(hidden_size, n_channels + 1) + panel_floats(hidden_size, hidden_size)
        if len(backward):
            _pack(w_x[rows], backward[back_at:])
            _pack(w_h[rows], backward[back_at + panel_floats(n_channels, hidden_size) :])
            back_at += panel_floats(n_channels, hidden_size) + panel_floats(hidden_size, hidden_size)
