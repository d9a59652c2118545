"""The line under each table: on what it was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("numpy", "pandas", "scikit-learn", "skorch", "torch", "numba")


def describe() -> str:
    """Return the processor, the number of cores, and the versions that matter."""
    versions = ", ".join(f"{name} {version_or_none(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def settings() -> str:
    """Return the environment variables that choose threads or kernels of linear algebra."""
    prefixes = ("OMP_", "MKL_", "OPENBLAS_", "NUMBA_NUM_")
    return ", ".join(f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(prefixes))


def version_or_none(name: str) -> str:
    """Return the version of a package, "none" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def processor() -> str:
    """Return the name of the processor as the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
