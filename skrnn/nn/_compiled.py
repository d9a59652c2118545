"""Whether there are compiled kernels, and making them ready: they are compiled once on a machine.

That takes about half a minute, which is announced and reported. numba keeps the result on disk, beside the sources or
in the user's cache folder, and later processes read it in a second or two.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

ANNOUNCED_AFTER = 1.5  # seconds

_loading = threading.RLock()


@cache
def has_kernels() -> bool:
    """Whether numba is installed, works with what else is, and finds a folder to keep what it compiles."""
    try:
        import skrnn.nn._step_kernels  # noqa: F401
    except (ImportError, RuntimeError):  # the latter without a folder
        return False
    return True


@cache
def kernels() -> Any:
    """The modules `packing`, `layer` and `step` of compiled functions, and `padded`."""
    from skrnn.nn import _kernels, _packing, _step_kernels
    from skrnn.nn._matmul import padded

    return SimpleNamespace(packing=_packing, layer=_kernels, step=_step_kernels, padded=padded)


def make_ready(use: Callable[[], Any]) -> None:
    """Call something that uses kernels for the first time, and tell the user on the error stream when it takes long."""
    with _loading:
        begin = time.perf_counter()
        timer = threading.Timer(ANNOUNCED_AFTER, _tell, ["compiling its kernels for this machine, once ..."])
        timer.daemon = True
        timer.start()
        try:
            use()
        finally:
            timer.cancel()
        seconds = time.perf_counter() - begin
        if seconds > ANNOUNCED_AFTER:
            _tell(f"compiled its kernels in {seconds:.0f} s.")


def _tell(what: str) -> None:
    print(f"skrnn: {what}", file=sys.stderr, flush=True)
