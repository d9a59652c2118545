"""Small matrix products inside compiled loops, as fast as the registers allow.

A recurrent step multiplies a few dozen rows by one matrix of weights, the same at every step of a batch. A BLAS would
arrange the weights anew in each call, would have to be kept from starting threads of its own, and is not equally fast
everywhere: measured on an AMD processor with AVX-512, for 64 rows and 66 x 256 weights, 103 GFLOP/s by the MKL that
torch brings along, 194 by scipy's OpenBLAS and 263 by this file. So the weights are arranged once a batch in panels
(`PANEL` columns wide, row after row), and a tile of the result stays in registers while a loop over the depth adds up
products, as in Goto and van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34, 2008.

Addresses are plain integers, since slices of arrays cost more than a small product. Strides count floats.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

FLOAT_BYTES = 4
HAS_AVX512 = llvm.get_host_cpu_features().get("avx512f", False)
LANES = 16 if HAS_AVX512 else 8  # floats in a vector; elsewhere the compiler splits it where a machine's are shorter
TILE_ROWS = 8 if HAS_AVX512 else 4  # TILE_ROWS * 2 vectors of sums, 2 of weights and 1 of inputs fit the registers
PANEL = 2 * LANES

# NaN and infinity keep their meaning; sums may be reordered and contracted to fused multiply-adds
COMPILED: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp", "reassoc"},
}
# What compiled functions call becomes part of them. Otherwise a process that compiles would find several versions of
# the same function, optimised in different company, and take another one than a process that reads them from disk.
INLINED = COMPILED | {"forceinline": True}


def _tile(n_rows: int, n_vectors: int) -> Any:
    """A function that computes ``c = a @ b``, or adds it to c, for `n_rows` rows and `n_vectors` vectors of columns.

    Its arguments are ``a, a_row, a_column, b, b_row, c, c_row, depth, adds``: addresses, each followed by its strides.
    """

    @intrinsic
    def tile(typing_context, a, a_row, a_column, b, b_row, c, c_row, depth, adds):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, a_row, a_column, b, b_row, c, c_row, depth, adds = arguments
            real, integer = ir.FloatType(), ir.IntType(64)
            vector = ir.VectorType(real, LANES)
            undefined = ir.Constant(vector, ir.Undefined)
            first_lane = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

            def at(base: Any, offset: Any, kind: Any) -> Any:
                return builder.inttoptr(builder.add(base, builder.mul(offset, integer(FLOAT_BYTES))), kind.as_pointer())

            def c_at(row: int, v: int) -> Any:
                return at(c, builder.add(builder.mul(integer(row), c_row), integer(v * LANES)), vector)

            cells = [(row, v) for row in range(n_rows) for v in range(n_vectors)]
            zeros = ir.Constant(vector, [0.0] * LANES)
            former = {cell: builder.load(c_at(*cell), align=FLOAT_BYTES) for cell in cells}
            keeps = builder.icmp_signed("!=", adds, integer(0))
            begin = {cell: builder.select(keeps, former[cell], zeros) for cell in cells}
            before = builder.block
            loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(integer)
            sums = {cell: builder.phi(vector) for cell in cells}
            weights_at = builder.mul(k, b_row)
            weights = [
                builder.load(at(b, builder.add(weights_at, integer(v * LANES)), vector), align=FLOAT_BYTES)
                for v in range(n_vectors)
            ]
            inputs_at = builder.mul(k, a_column)
            new = {}
            for row in range(n_rows):
                value = builder.load(at(a, builder.add(inputs_at, builder.mul(integer(row), a_row)), real))
                spread = builder.insert_element(undefined, value, ir.IntType(32)(0))
                spread = builder.shuffle_vector(spread, undefined, first_lane)  # the same value in every lane
                for v in range(n_vectors):
                    product = builder.fmul(spread, weights[v], flags=("contract",))
                    new[row, v] = builder.fadd(product, sums[row, v], flags=("contract",))
            following = builder.add(k, integer(1))
            k.add_incoming(integer(0), before)
            k.add_incoming(following, loop)
            for cell in cells:
                sums[cell].add_incoming(begin[cell], before)
                sums[cell].add_incoming(new[cell], loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for cell in cells:
                builder.store(new[cell], c_at(*cell), align=FLOAT_BYTES)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), generate

    return tile


_rows_wide, _rows_narrow = _tile(TILE_ROWS, 2), _tile(TILE_ROWS, 1)
_row_wide, _row_narrow = _tile(1, 2), _tile(1, 1)


@njit(**INLINED)
def matmul(a, a_row, a_column, b, b_row, b_panel, c, c_row, n_rows, n_columns, depth, adds):
    """``c = a @ b`` of float32 matrices (n_rows, depth) and (depth, n_columns), by their addresses.

    Parameters
    ----------
    a, a_row, a_column : int
        Address, and floats from one row and from one column to the next, so that a may be transposed.
    b, b_row, b_panel : int
        Address, floats from one row to the next, and from `PANEL` columns to the next: (PANEL, depth * PANEL) when b
        is arranged in panels, (row length, PANEL) when it is not.
    c, c_row : int
        Address, and floats from one row to the next.
    n_rows, n_columns, depth : int
        `n_columns` is rounded up to whole vectors (`padded`), in b and in c; `depth` is at least 1.
    adds : int
        1: ``c += a @ b``.
    """
    for column in range(0, n_columns, PANEL):
        wide = n_columns - column > LANES
        row = 0
        while row < n_rows:
            a_at, c_at = a + FLOAT_BYTES * row * a_row, c + FLOAT_BYTES * (row * c_row + column)
            if n_rows - row >= TILE_ROWS:
                if wide:
                    _rows_wide(a_at, a_row, a_column, b, b_row, c_at, c_row, depth, adds)
                else:
                    _rows_narrow(a_at, a_row, a_column, b, b_row, c_at, c_row, depth, adds)
                row += TILE_ROWS
            else:
                if wide:
                    _row_wide(a_at, a_row, a_column, b, b_row, c_at, c_row, depth, adds)
                else:
                    _row_narrow(a_at, a_row, a_column, b, b_row, c_at, c_row, depth, adds)
                row += 1
        b += FLOAT_BYTES * b_panel


@njit(**INLINED)
def padded(n):
    """n rounded up to whole vectors."""
    return (n + LANES - 1) // LANES * LANES
