"""What computed a result: versions, the kind of machine, the environment. Nothing that names a person."""

from __future__ import annotations

import functools
import importlib.metadata as metadata
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_DRIVER = Path("/proc/driver/nvidia/version")
_LONGEST = 100

_NUMBERS = r"[0-9]{1,9}(,[0-9]{1,9}){0,3}"
_YES_NO = r"(?i:0|1|true|false|yes|no|on|off)"
_ISA = r"(?i:all|default|sse4[12_]{0,2}|avx[0-9]{0,3}(_(core|vnni|bf16|fp16|amx|e1|mic|ymm)){0,5}|sve[0-9]{0,3})"

VARIABLES = {
    "PYTHONHASHSEED": r"random|[0-9]{1,10}",
    "OMP_NUM_THREADS": _NUMBERS,
    "OMP_DYNAMIC": _YES_NO,
    "MKL_NUM_THREADS": _NUMBERS,
    "MKL_DYNAMIC": _YES_NO,
    "MKL_CBWR": r"(AUTO|COMPATIBLE|SSE2|SSE3|SSSE3|SSE4_[12]|AVX2?|AVX512(_(E1|MIC))?)(,STRICT)?",
    "MKL_ENABLE_INSTRUCTIONS": _ISA,
    "OPENBLAS_NUM_THREADS": _NUMBERS,
    "ONEDNN_MAX_CPU_ISA": _ISA,
    "ONEDNN_DEFAULT_FPMATH_MODE": r"(?i:strict|bf16|f16|tf32|any)",
    "ATEN_CPU_CAPABILITY": _ISA,
    "CUBLAS_WORKSPACE_CONFIG": r"(:[0-9]{1,7}:[0-9]{1,4}){1,4}",
    "CUBLASLT_WORKSPACE_SIZE": _NUMBERS,
    "NVIDIA_TF32_OVERRIDE": _YES_NO,
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": _YES_NO,
    "TORCHINDUCTOR_DETERMINISTIC": _YES_NO,
}
"""Variables of the environment that decide how numbers are computed → what their values look like."""

OTHER = "another value"
"""In place of a value that looks otherwise: it may be a path or a secret, so it is not repeated."""


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    packages = ("pytest-reprotest", "torch", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


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


def environment(added: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Each of ``VARIABLES`` as it is; None where it is not set.

    Parameters
    ----------
    added : mapping, optional
        Variables that are set for the processes that train.

    >>> environment({"MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "/home/me"})["OMP_NUM_THREADS"]
    'another value'
    """
    found = {**os.environ, **(added or {})}
    return {name: _harmless(found.get(name), expected) for name, expected in VARIABLES.items()}


def _harmless(value: str | None, expected: str) -> str | None:
    return value if value is None or re.fullmatch(expected, value) else OTHER


def driver() -> str | None:
    """The version of NVIDIA's driver, as far as it can be read without starting a process."""
    try:
        text = _DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\s([0-9]{3,4}(?:\.[0-9]{1,4}){1,3})\s", text)
    return found and found[1]


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


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
