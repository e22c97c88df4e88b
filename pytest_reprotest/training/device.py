"""Which device an option's spelling means on this machine."""

from __future__ import annotations

import torch

from pytest_reprotest.errors import OptionError


def resolve_device(spelling: str) -> str:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that is there.

    Raises
    ------
    OptionError
        Where this machine lacks it.

    >>> resolve_device("cpu")
    'cpu'
    """
    if spelling == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if spelling == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device 'mps' is not available on this machine; use --repro-device=cpu")
    if spelling.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(spelling.partition(":")[2] or 0)
        if index >= count:
            raise OptionError(
                f"device {spelling!r} is not available: torch {torch.__version__} sees {count} CUDA "
                "devices; use --repro-device=cpu, or auto"
            )
        return f"cuda:{index}"
    return spelling
