"""The line under each table: on what it was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

PACKAGES = ("numpy", "pandas", "scikit-learn", "skorch", "torch")


def describe() -> str:
    """Return the processor, the number of cores, and the versions that matter."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def processor() -> str:
    """Return the name of the processor as the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
