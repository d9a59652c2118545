"""Compiled products and activations: numpy's numbers, whatever the sizes and however matrices lie in memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from numba import njit

from skrnn.nn import _activations as activations
from skrnn.nn import _packing as packing
from skrnn.nn._matmul import COMPILED, FLOAT_BYTES, LANES, PANEL, TILE_ROWS, matmul, padded

F32 = np.float32
NONE = np.empty(0, F32)


def normal(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(F32)


def close(ours, exact, tolerance):
    """Compare with float64 numbers, relative to the largest."""
    np.testing.assert_allclose(ours, exact, rtol=0, atol=tolerance * max(1.0, np.abs(exact).max(initial=0)))


# -- products ----------------------------------------------------------------------------------------------------------


def in_panels(matrix):
    """(depth, n_columns) as (panels, depth, PANEL), filled up with zeros."""
    depth, n_columns = matrix.shape
    n_panels = -(-n_columns // PANEL)
    filled = np.zeros((depth, n_panels * PANEL), F32)
    filled[:, :n_columns] = matrix
    return np.ascontiguousarray(filled.reshape(depth, n_panels, PANEL).swapaxes(0, 1))


around_a_tile = st.sampled_from([1, 2, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 2 * TILE_ROWS, 3 * TILE_ROWS + 2])
around_a_panel = st.sampled_from([1, LANES - 1, LANES, LANES + 1, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL + LANES + 3])


@settings(deadline=None)
@given(
    n_rows=around_a_tile,
    n_columns=around_a_panel,
    depth=st.sampled_from([1, 2, 3, 17]),
    transposed=st.booleans(),
    panels=st.booleans(),
    adds=st.booleans(),
    margin=st.integers(0, 5),
)
def test_products_are_those_of_numpy(n_rows, n_columns, depth, transposed, panels, adds, margin):
    """Rows of all three matrices may be longer than what is read, and nothing beside the result is written."""
    a, b = normal(n_rows, depth, seed=1), normal(depth, n_columns, seed=2)
    a_wide = np.full((depth if transposed else n_rows, (n_rows if transposed else depth) + margin), np.nan, F32)
    a_wide[:, : a_wide.shape[1] - margin] = a.T if transposed else a
    a_strides = (1, a_wide.shape[1]) if transposed else (a_wide.shape[1], 1)
    n_padded = int(padded(n_columns))
    if panels:
        b_laid, b_strides = in_panels(b), (PANEL, depth * PANEL)
    else:
        b_laid = np.full((depth, n_padded + margin), np.nan, F32)
        b_laid[:, :n_columns] = b
        b_strides = (b_laid.shape[1], PANEL)
    c = normal(n_rows + 1, n_padded + margin, seed=3)
    before = c.copy()
    matmul(
        a_wide.ctypes.data, *a_strides, b_laid.ctypes.data, *b_strides,
        c.ctypes.data, c.shape[1], n_rows, n_columns, depth, int(adds),
    )  # fmt: skip
    exact = a.astype(float) @ b.astype(float) + (before[:n_rows, :n_columns] if adds else 0)
    close(c[:n_rows, :n_columns], exact, 1e-6)
    np.testing.assert_array_equal(c[:n_rows, n_padded:], before[:n_rows, n_padded:])
    np.testing.assert_array_equal(c[n_rows], before[n_rows])


def test_columns_that_fill_up_are_zero():
    """What panels are filled up with gives zeros, so that units which do not exist stay 0."""
    n_rows, n_columns, depth = TILE_ROWS + 1, LANES + 3, 5
    a, panels = normal(n_rows, depth), in_panels(normal(depth, n_columns))
    c = np.full((n_rows, 2 * LANES), np.nan, F32)
    matmul(
        a.ctypes.data,
        depth,
        1,
        panels.ctypes.data,
        PANEL,
        depth * PANEL,
        c.ctypes.data,
        PANEL,
        n_rows,
        n_columns,
        depth,
        0,
    )
    assert (c[:, n_columns:] == 0).all()
    assert np.isfinite(c).all()


def test_a_part_of_a_product_begins_in_the_middle():
    """Addresses may point at a column of a and a row of b, as for a gate that reads the bias alone."""
    a, b = normal(3, 7), normal(7, LANES)
    c = np.empty((3, LANES), F32)
    b_address = b.ctypes.data + FLOAT_BYTES * 5 * LANES
    matmul(a.ctypes.data + FLOAT_BYTES * 5, 7, 1, b_address, LANES, PANEL, c.ctypes.data, LANES, 3, LANES, 2, 0)
    close(c, a[:, 5:].astype(float) @ b[5:], 1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_products_keep_what_is_not_finite_in_its_row(bad):
    a, b = normal(TILE_ROWS + 2, 5), np.abs(normal(5, LANES))
    rows = [2, TILE_ROWS + 1]  # in a tile, and behind it
    a[rows, 3] = bad
    c = np.empty((len(a), LANES), F32)
    matmul(a.ctypes.data, 5, 1, b.ctypes.data, LANES, PANEL, c.ctypes.data, LANES, len(a), LANES, 5, 0)
    np.testing.assert_array_equal(c[rows], np.full((2, LANES), bad, F32))
    assert np.isfinite(np.delete(c, rows, axis=0)).all()


def test_padded_rounds_up_to_vectors():
    assert [int(padded(n)) for n in (0, 1, LANES, LANES + 1)] == [0, LANES, LANES, 2 * LANES]
    assert PANEL == 2 * LANES


# -- activations -------------------------------------------------------------------------------------------------------


@njit(**COMPILED)
def over_all(x, of_tanh, of_sigmoid):
    for j in range(len(x)):
        of_tanh[j], of_sigmoid[j] = activations.tanh(x[j]), activations.sigmoid(x[j])


def tanh_and_sigmoid(x):
    found = np.empty_like(x), np.empty_like(x)
    over_all(x, *found)
    return found


def test_tanh_and_sigmoid_are_near_the_exact_ones():
    x = np.concatenate(
        [np.linspace(-12, 12, 300_001), np.geomspace(1e-30, 1e30, 1001), -np.geomspace(1e-30, 1e30, 1001)]
    )
    x = x.astype(F32)
    exact = x.astype(float)
    tanh, sigmoid = tanh_and_sigmoid(x)
    with np.errstate(over="ignore"):
        assert np.abs(tanh - np.tanh(exact)).max() <= 4e-7
        assert np.abs(sigmoid - 1 / (1 + np.exp(-exact))).max() <= 2.5e-7
    small = np.abs(exact) < 1e-3
    np.testing.assert_allclose(tanh[small], np.tanh(exact[small]), rtol=1e-6)  # to the last digits near 0
    assert (np.abs(tanh) <= 1 + 1e-7).all()


def test_tanh_and_sigmoid_of_what_is_not_finite():
    tanh, sigmoid = tanh_and_sigmoid(np.array([np.nan, np.inf, -np.inf], F32))
    assert np.isnan([tanh[0], sigmoid[0]]).all()
    close(tanh[1:], np.array([1.0, -1.0]), 4e-7)
    close(sigmoid[1:], np.array([1.0, 0.0]), 4e-7)


def test_relu_keeps_what_is_not_finite():
    a = np.array([np.nan, np.inf, -np.inf, -2.0, 0.0, 3.0], F32)
    h = np.empty_like(a)
    activations.relu(a, h)
    np.testing.assert_array_equal(h, np.array([np.nan, np.inf, 0, 0, 0, 3], F32))
    sums = np.full_like(a, 9)
    activations.relu_back(sums, h, np.full_like(a, 5))
    np.testing.assert_array_equal(sums[1:], np.array([5, 0, 0, 0, 5], F32))


# -- weights in panels -------------------------------------------------------------------------------------------------


def read_panels(flat, n_columns, depth):
    """The inverse of `in_panels`, and how many floats it took."""
    n_floats = int(packing.panel_floats(n_columns, depth))
    matrix = flat[:n_floats].reshape(-1, depth, PANEL).swapaxes(0, 1).reshape(depth, -1)
    assert (matrix[:, n_columns:] == 0).all()
    return matrix[:, :n_columns], flat[n_floats:]


@pytest.mark.parametrize("hidden_size", [3, LANES, PANEL + 5])
@pytest.mark.parametrize("n_channels", [1, 2, PANEL + 1])
@pytest.mark.parametrize("cell, gates", [("rnn", [0]), ("lstm", [0, 1, 2, 3]), ("gru", [0, 1, 2, 2])])
def test_weights_in_panels(cell, gates, n_channels, hidden_size):
    """Each block holds [x | 1] and h for the way forward, x and h for the way back; a GRU's candidate fills two."""
    n = (max(gates) + 1) * hidden_size
    w_x, w_h, b_x, b_h = normal(n, n_channels), normal(n, hidden_size, seed=1), normal(n, seed=2), normal(n, seed=3)
    n_forward, n_backward = packing.weight_floats(packing.CODES[cell], n_channels, hidden_size)
    forward, backward = np.full(n_forward, np.nan, F32), np.full(n_backward, np.nan, F32)
    packing.pack_weights(packing.CODES[cell], w_x, w_h, b_x, b_h, forward, backward)
    alone = np.full_like(forward, np.nan)
    packing.pack_weights(packing.CODES[cell], w_x, w_h, b_x, b_h, alone, NONE)
    np.testing.assert_array_equal(alone, forward)
    for block, gate in enumerate(gates):
        rows = slice(gate * hidden_size, (gate + 1) * hidden_size)
        from_x, forward = read_panels(forward, hidden_size, n_channels + 1)
        from_h, forward = read_panels(forward, hidden_size, hidden_size)
        to_x, backward = read_panels(backward, n_channels, hidden_size)
        to_h, backward = read_panels(backward, hidden_size, hidden_size)
        bias = {("gru", 2): b_h, ("gru", 3): b_x}.get((cell, block), b_x + b_h)
        np.testing.assert_array_equal(from_x[-1], bias[rows])
        reads_x, reads_h = packing.reads(packing.CODES[cell], block)
        assert (reads_x, reads_h) == {("gru", 2): (False, True), ("gru", 3): (True, False)}.get(
            (cell, block), (True, True)
        )
        if reads_x:
            np.testing.assert_array_equal(from_x[:-1], w_x[rows].T)
            np.testing.assert_array_equal(to_x, w_x[rows])
        if reads_h:
            np.testing.assert_array_equal(from_h, w_h[rows].T)
            np.testing.assert_array_equal(to_h, w_h[rows])
    assert not forward.size
    assert not backward.size
