"""Threads that share the chunks of a batch among them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

WORTH_A_THREAD = 1.2e7  # products that a thread must have to do: less takes about as long as waking it (measured)


class _Settings(threading.local):
    n_threads = 1


_settings = _Settings()
_pool: ThreadPoolExecutor | None = None
_starting = threading.Lock()


@contextmanager
def kernel_threads(n_threads: int) -> Iterator[None]:
    """Let compiled kernels that this thread calls in the block use so many threads."""
    before = _settings.n_threads
    _settings.n_threads = n_threads
    try:
        yield
    finally:
        _settings.n_threads = before


def most_parts() -> int:
    """Into how many parts `share` cuts its work at most."""
    return _settings.n_threads


def share(part: Callable[..., None], n_chunks: int, n_products: float, *arguments: Any) -> None:
    """Call ``part(i, n, *arguments)`` for i from 0 to n - 1, each in a thread of its own; it must release the GIL.

    Parameters
    ----------
    part : callable
        Does the chunks i, i + n, i + 2 n, ...
    n_chunks : int
    n_products : float
        How much there is to do in all; little is not shared.
    """
    n = min(_settings.n_threads, n_chunks, max(1, int(n_products / WORTH_A_THREAD)))
    others: list[Future] = [_threads().submit(part, i, n, *arguments) for i in range(1, n)]
    part(0, n, *arguments)
    for other in others:
        other.result()


def _threads() -> ThreadPoolExecutor:
    """The threads beside the calling one; they are started when there is work for them."""
    global _pool
    with _starting:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="skrnn")
        return _pool


def _forget_threads() -> None:
    """A forked process has none of its parent's threads, nor what lets go of a lock that one of them held."""
    global _pool, _starting
    _pool, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
