"""Threads of a net: its compiled kernels have them where they run, else torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skrnn._runtime import thread_count, torch_threads
from skrnn.nn._compiled import has_kernels
from skrnn.nn._direct import ready
from skrnn.nn._parallel import kernel_threads
from skrnn.nn._recurrent import runs_fused


@contextmanager
def net_threads(module: Any, n_threads: int | None, n_rows: int) -> Iterator[None]:
    """Run a net in the block with so many threads as `thread_count` says, and set torch's number again.

    The kernels share the rows of a batch among their threads. torch has one beside them: two pools would fight, and
    what torch adds up would depend on the number.

    Parameters
    ----------
    module : SequenceModel or Seq2SeqModel
    n_threads : int or None
        The parameter of the estimator.
    n_rows : int
        Of a batch.
    """
    stack = module.encoder.recurrent
    in_kernels = stack.kernel != "torch" and runs_fused(stack.recurrences[0].weight_hh_l0)
    if in_kernels:
        ready()  # a net that was unpickled comes here first
        in_kernels = has_kernels()
    n = thread_count(n_threads, None if in_kernels else n_rows * stack.hidden_size)
    with torch_threads(1 if in_kernels else n), kernel_threads(n if in_kernels else 1):
        yield
