"""Memory that a step frees is kept for the next one.

The C library's allocator gives a step's batch and activations back to the system, which clears each page anew
when the next step asks for it: up to a third of the time of a step of a small net.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT = 1 << 30  # bytes
_TOLD = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
_USUAL = {_TRIM_THRESHOLD: 1 << 26, _MMAP_THRESHOLD: 1 << 25}
"""Where glibc's own adjustment ends in a process that has freed a large block; earlier ones can't be asked for."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory inside, and give it back on exit. Does nothing where the allocator is not glibc's, or
    the environment already tells it what to keep.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in _TOLD):
        yield
        return
    for parameter in _USUAL:
        library.mallopt(parameter, _KEPT)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library of this process, or None where it is another or has another allocator before it."""
    if "LD_PRELOAD" in os.environ:  # such as jemalloc, which these calls would pass by
        return None
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - other C libraries have none
    except (OSError, AttributeError, TypeError):  # TypeError: Windows
        return None
    return library
