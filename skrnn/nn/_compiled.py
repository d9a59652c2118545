"""Whether there are compiled kernels, and making them ready: they are compiled once on a machine.

That takes about half a minute, which is announced and reported. numba keeps the result on disk, beside the sources or
in the user's cache folder, and later processes read it in a second or two. Where it fails (a full disk, a broken cache,
an LLVM that cannot compile for the processor), the process has no kernels from then on.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

ANNOUNCED_AFTER = 1.5  # seconds
REMEDY = "Name a folder that is empty and can be written in NUMBA_CACHE_DIR"

_works: bool | None = None  # not known yet
_loading = threading.RLock()

if hasattr(os, "register_at_fork"):
    # A process that is forked while another thread compiles would wait for ever for locks of that thread, numba's among
    # them. So the fork waits until it is done.
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def has_kernels() -> bool:
    """Whether numba is installed, works with what else is, and has compiled what it was asked to."""
    global _works
    if _works is None:
        try:
            import skrnn.nn._step_kernels  # noqa: F401
        except (ImportError, RuntimeError):  # the latter without a folder to keep what is compiled
            _works = False
        else:
            _works = True
    return _works


@cache
def kernels() -> Any:
    """The modules `packing`, `layer` and `step` of compiled functions, and `padded`."""
    from skrnn.nn import _kernels, _packing, _step_kernels
    from skrnn.nn._matmul import padded

    return SimpleNamespace(packing=_packing, layer=_kernels, step=_step_kernels, padded=padded)


def make_ready(use: Callable[[], Any], *, required: bool = False) -> None:
    """Call something that uses kernels for the first time, and tell the user on the error stream when it takes long.

    Where it fails there are no kernels any more, which a warning says, or with `required` a RuntimeError.
    """
    global _works
    with _loading:
        begin = time.perf_counter()
        timer = threading.Timer(ANNOUNCED_AFTER, _tell, ["compiling its kernels for this machine, once ..."])
        timer.daemon = True
        timer.start()
        try:
            use()
        except Exception as error:  # numba's, LLVM's, the disk's
            _works = False
            message = f"The kernels cannot be compiled or read here: {type(error).__name__}: {error}."
            if required:
                raise RuntimeError(f"{message} {REMEDY}, or set kernel='auto'.") from error
            warnings.warn(f"{message} Nets run without them, slower. {REMEDY}, or set kernel='torch'.", stacklevel=2)
            return
        finally:
            timer.cancel()
        seconds = time.perf_counter() - begin
        if seconds > ANNOUNCED_AFTER:
            _tell(f"compiled its kernels in {seconds:.0f} s.")


def _tell(what: str) -> None:
    print(f"skrnn: {what}", file=sys.stderr, flush=True)
