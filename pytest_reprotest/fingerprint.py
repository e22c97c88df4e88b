"""What computed a result: versions of the packages and the kind of machine. Nothing that names a person."""

from __future__ import annotations

import functools
import importlib.metadata as metadata
import os
import platform
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_LONGEST = 100


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    packages = ("pytest-reprotest", "torch", "numpy", "scipy")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def machine() -> dict[str, str]:
    """The kind of machine: rounding may differ between two, and training amplifies it.

    >>> sorted(machine())
    ['architecture', 'processor', 'system']
    """
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
    }


@functools.cache
def _processor() -> str:
    """The processor's model name, as far as it can be read without starting a process."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "cpu model"):
            return value.strip()[:_LONGEST]
    return os.environ.get("PROCESSOR_IDENTIFIER", "unknown")[:_LONGEST]  # Windows sets it
