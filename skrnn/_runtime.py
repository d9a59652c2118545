"""Where and how a net runs: device, precision, threads, seeds."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

MOST_OF_DEVICE = 0.5  # of a GPU's free memory for rows and targets; the rest is for the net and its gradients
AMP_DTYPES = {"bf16": torch.bfloat16}
FEW_STATES = 4096  # hidden values of all rows of a batch; below, torch gains nothing from a second thread (measured)

_initialisation_lock = threading.Lock()
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def resolve_device(device: str) -> str:
    """Turn the parameter `device` into the name of a device that exists.

    Parameters
    ----------
    device : str
        "cpu", "cuda" (or "cuda:1", ...), or "auto": a GPU where there is one, else the CPU.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When the name is unknown or this machine has no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"`device` must be 'cpu', 'cuda' or 'auto', got {device!r}.") from error
    if kind.type == "cpu":
        return "cpu"
    if kind.type != "cuda":
        raise ValueError(
            f"`device` must be 'cpu', 'cuda' or 'auto', got {device!r}, which skrnn does not support. Use device='cpu'."
        )
    if torch.cuda.is_available() and (kind.index or 0) < torch.cuda.device_count():
        return str(kind)
    raise ValueError(
        f"`device` must be one that this machine has, got {device!r}: torch sees "
        f"{torch.cuda.device_count()} GPU(s). Use device='cpu', or device='auto' to take a GPU where there is one."
    )


def resolve_dtype(dtype: object, *, device: str, one_batch: bool) -> np.dtype:
    """Turn the parameter `dtype` into a numpy dtype: float64 for "auto" when one CPU batch holds all rows.

    float64 makes weighted and repeated rows exactly equal there, and such sets are small; elsewhere it is 1.8-3.9
    times slower than float32 in torch.

    Raises
    ------
    ValueError
        When `dtype` is neither "auto" nor a name of float32 or float64.
    """
    if isinstance(dtype, str) and dtype == "auto":
        return np.dtype(np.float64 if device == "cpu" and one_batch else np.float32)
    try:
        resolved = np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        resolved = None
    if dtype is None or resolved is None or resolved not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"`dtype` must be 'auto', 'float32' or 'float64', got {dtype!r}.")
    return resolved


def home_of_data(n_bytes: int, device: str) -> str:
    """Where rows and targets live, of which batches are cut: on the device of the net, or on the host.

    They are on a GPU when they take at most half of its free memory. Else they stay in the memory of the host, where
    batches are cut and sent one by one.
    """
    if torch.device(device).type != "cuda":
        return device
    free, _ = torch.cuda.mem_get_info(device)
    return device if n_bytes <= MOST_OF_DEVICE * free else "cpu"


def mixed_precision(amp: str | None, device: str) -> AbstractContextManager[Any]:
    """Run a block in the precision that `amp` names where that is safe; None changes nothing."""
    if amp is None:
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=AMP_DTYPES[amp])


def in_worker() -> bool:
    """Whether this code runs in a worker of joblib, loky, multiprocessing or dask (a process or a thread)."""
    if (
        _forked
        or multiprocessing.current_process().name != "MainProcess"
        or multiprocessing.parent_process() is not None
    ):
        return True
    return threading.current_thread() is not threading.main_thread()


def thread_count(n_threads: int | None, n_states: int | None = None) -> int:
    """How many threads a net should use here that has so many hidden values at each step of a batch.

    Parameters
    ----------
    n_threads : int or None
        What the user asks for. None: one inside a worker (two processes of two threads each were measured 68 times
        slower than of one), one where a step has few values, otherwise what torch is set to.
        In a forked process one in any case: OpenMP's threads do not outlive a fork, and torch would wait for them for
        ever.
    n_states : int or None
        Rows times hidden size. None for compiled kernels, which see by themselves whether there is enough to do for
        another thread.
    """
    if n_threads is not None and not _forked:
        return n_threads
    if in_worker() or (n_states is not None and n_states < FEW_STATES):
        return 1
    return torch.get_num_threads()


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Run a block with `n_threads` torch threads and set the former number again."""
    before = torch.get_num_threads()
    if before == n_threads:
        yield
        return
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Run a block in which torch's global CPU generator is seeded, one thread at a time; its state is put back.

    skrnn's own modules draw from a generator of their own. This is for parts that a user brings along
    (a torch loss or optimizer with random parts), which know only the global generator.
    """
    with _initialisation_lock:
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(state)


def draw_seed(random_state: object) -> int:
    """Draw one seed for a whole fit from what scikit-learn takes as `random_state`.

    None draws from the operating system, not from numpy's global generator, which stays untouched.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % (2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))
