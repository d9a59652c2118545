"""Memory of this process. Needs nothing that is to be installed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

MEGABYTE = 1e6


def memory_in_use() -> float:
    """Bytes of this process in memory now; where the system does not tell, the most it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_memory()
    return pages * resource.getpagesize()


def peak_memory() -> float:
    """The most bytes that this process ever had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
