"""The limit that fits are measured against: `limit.c`, compiled by gcc and linked with the BLAS that torch ships.

(On AMD processors that BLAS is not the fastest there is.)

    python tests/benchmarks/limit.py [--workloads NAME ...]

prints milliseconds a batch, and how far the gradients are from torch's.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from bare_torch import BareNet
from machine import describe
from torch import Tensor, nn
from workloads import WORKLOADS, Workload, windows

CELLS = ("rnn", "lstm", "gru")  # their numbers in limit.c
LARGEST_ERROR = 1e-4  # of a matrix of gradients, relative to its largest element
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC")


class Unavailable(Exception):
    """It cannot run on this machine; says why."""


@cache
def library() -> ctypes.CDLL:
    """Compile and load limit.c."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise Unavailable("there is no gcc")
    folder = Path(tempfile.mkdtemp(prefix="skrnn_limit_"))
    torch_libraries = Path(torch.__file__).with_name("lib")
    source, compiled = Path(__file__).with_name("limit.c"), folder / "limit.so"
    linked = ["-L", str(torch_libraries), "-ltorch_cpu", f"-Wl,-rpath,{torch_libraries}", "-lm"]
    call = subprocess.run([gcc, *FLAGS, str(source), "-o", str(compiled), *linked], capture_output=True, text=True)
    if call.returncode:
        raise Unavailable(f"gcc fails: {call.stderr.strip()}")
    loaded = ctypes.CDLL(str(compiled))
    shutil.rmtree(folder)  # what is loaded stays loaded
    pointer, integer, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_long
    loaded.create_net.argtypes = [integer] * 8 + [long, pointer, pointer]
    loaded.create_net.restype = pointer
    loaded.train_batch.argtypes = [pointer] * 4 + [integer] * 2
    loaded.train_batch.restype = None
    loaded.free_net.argtypes = [pointer]
    loaded.free_net.restype = None
    return loaded


class Limit:
    """Trains one workload by calls of `train_batch`, on one chunk of each batch for every thread of torch."""

    def __init__(self, workload: Workload) -> None:
        self.workload, self.library = workload, library()
        X, self.y = windows(workload.n_rows, workload.window)
        self.X = np.ascontiguousarray(X)
        self.n_threads = torch.get_num_threads()
        torch.manual_seed(0)
        net = BareNet(workload)
        matrices = as_limit_has_it([p.detach() for p in net.parameters()], workload)
        self.parameters = torch.cat([matrix.flatten() for matrix in matrices]).numpy()
        self.gradient = np.zeros_like(self.parameters)
        self.net = self.library.create_net(
            CELLS.index(workload.cell),
            workload.hidden_size,
            workload.n_layers,
            workload.n_directions,
            workload.window,
            1,
            workload.batch_size,
            self.n_threads,
            len(self.parameters),
            self.parameters.ctypes.data,
            self.gradient.ctypes.data,
        )
        self.error = self.gradient_error(net)
        if not self.error <= LARGEST_ERROR:
            raise RuntimeError(f"gradients of limit.c differ from torch's by {self.error:.1e} for {workload}")

    def __del__(self) -> None:
        if hasattr(self, "net"):
            self.library.free_net(self.net)

    def train_batch(self, rows: np.ndarray, *, update: bool = True) -> None:
        """One step of Adam; without `update` the gradient alone is computed."""
        data = [array.ctypes.data for array in (self.X, self.y, rows)]
        self.library.train_batch(self.net, *data, len(rows), update)

    def gradient_error(self, net: BareNet) -> float:
        """Largest difference from torch's gradients over a batch, relative to the largest of the same matrix."""
        rows = np.arange(self.workload.batch_size - 1)  # not a multiple of the threads
        self.train_batch(rows, update=False)
        x, y = torch.from_numpy(self.X[rows]), torch.from_numpy(self.y[rows])[:, None]
        nn.functional.mse_loss(net(x), y).backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        # a bias that torch has twice has one gradient here
        matrices = as_limit_has_it(gradients, self.workload, join_biases=lambda of_input, of_state: of_input)
        computed = torch.from_numpy(self.gradient).split([matrix.numel() for matrix in matrices])
        pairs = zip(computed, matrices, strict=True)
        return max(float((ours.view_as(torchs) - torchs).abs().max() / torchs.abs().max()) for ours, torchs in pairs)

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        return lambda: self.fit(epochs)

    def fit(self, epochs: int) -> None:
        """Go on training."""
        generator = np.random.default_rng(0)
        for _ in range(epochs):
            order = generator.permutation(len(self.X))
            for begin in range(0, len(order), self.workload.batch_size):
                self.train_batch(order[begin : begin + self.workload.batch_size])

    def describe(self) -> dict[str, object]:
        """Threads."""
        return {"threads": self.n_threads}


def as_limit_has_it(
    tensors: list[Tensor], workload: Workload, join_biases: Callable[[Tensor, Tensor], Tensor] = torch.add
) -> list[Tensor]:
    """Parameters of `BareNet`, or their gradients, as the matrices of limit.c, in its order."""
    matrices = []
    for i in range(0, len(tensors) - 2, 4):
        matrices += direction_as_limit_has_it(workload.cell, *tensors[i : i + 4], join_biases)
    return matrices + tensors[-2:]  # the head


def direction_as_limit_has_it(
    cell: str,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    join_biases: Callable[[Tensor, Tensor], Tensor],
) -> list[Tensor]:
    """torch's (gates * hidden, ...) as the rows [h | x | 1] of limit.c."""
    if cell != "gru":
        return [torch.cat([weight_hh.T, weight_ih.T, join_biases(bias_ih, bias_hh)[None]])]
    hidden = weight_hh.shape[1]
    gates, new = slice(2 * hidden), slice(2 * hidden, None)  # r and z; n
    from_x = torch.cat([weight_ih[gates], torch.zeros_like(weight_ih[new])])
    bias = torch.cat([join_biases(bias_ih[gates], bias_hh[gates]), bias_hh[new]])
    return [
        torch.cat([weight_hh.T, from_x.T, bias[None]]),
        torch.cat([weight_ih[new].T, bias_ih[None, new]]),
    ]


def main() -> None:
    """Print one line a workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workloads", nargs="+", metavar="NAME", help="such as 'rnn 40x2'; all when left out")
    names = parser.parse_args().workloads
    print("| net | ms a batch | error of the gradients |\n| --- | --- | --- |")
    for workload in WORKLOADS:
        if names is None or workload.name in names:
            limit = Limit(workload)
            limit.fit(1)
            start = time.perf_counter()
            limit.fit(1)
            milliseconds = 1e3 * (time.perf_counter() - start) / workload.n_batches
            print(f"| {workload} | {milliseconds:.3f} | {limit.error:.0e} |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
