"""Memory that stays in the process from one batch to the next.

The C library gives large blocks back to the system as soon as a batch is done, and the next batch pays for each page
of them again: measured, up to 40 % of the time of a training step.
"""

from __future__ import annotations

import math
import weakref
from collections import deque

import torch
from torch import Tensor

SMALLEST = 2**16  # bytes; smaller blocks the C library keeps itself
MOST_BLOCKS, MOST_BYTES = 32, 2**29  # that are kept while nobody uses them

spare: deque[Tensor] = deque(maxlen=MOST_BLOCKS)
"""Blocks (bytes,) that nobody uses, the latest last. Each thread takes from it and gives back without a lock: appending
and popping are atomic, and a block that was popped belongs to the thread that did it."""


def warm_empty(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return an uninitialised tensor with the dtype and device of `like`, on the CPU in memory used before.

    The memory goes back when the last tensor that shares it is gone, views and what a graph has saved included.
    """
    n_bytes = math.prod(shape) * like.element_size()
    if like.device.type != "cpu" or n_bytes < SMALLEST:
        return like.new_empty(shape)
    block = take(n_bytes)
    array = block.numpy()[:n_bytes]  # a new object that lives as long as the storage of the tensor made of it
    weakref.finalize(array, give_back, block).atexit = False
    return torch.from_numpy(array).view(like.dtype).view(shape)


def take(n_bytes: int) -> Tensor:
    """Return the latest spare block that is large enough and at most half empty, or a new one."""
    for _ in range(len(spare)):
        try:
            block = spare.pop()
        except IndexError:  # another thread took the last one
            break
        if n_bytes <= len(block) <= 2 * n_bytes:
            return block
        spare.appendleft(block)
    return torch.empty(n_bytes, dtype=torch.uint8, device="cpu")


def give_back(block: Tensor) -> None:
    """Keep a block that nobody uses any more, and let go of those unused for longest where there are too many."""
    spare.append(block)
    try:
        while sum(map(len, tuple(spare))) > MOST_BYTES:
            spare.popleft()
    except IndexError:  # another thread took the last one
        pass


def release_memory() -> None:
    """Give all spare blocks back to the system."""
    spare.clear()
