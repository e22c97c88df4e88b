"""Which device an option's spelling means on this machine."""

from __future__ import annotations

import torch

from pytest_reprotest.errors import OptionError


def resolve_devices(spelling: str) -> tuple[str, ...]:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``cuda:0,1`` or ``mps`` into devices that are there.

    ``auto`` is every visible GPU, else the CPU; ``cuda`` is the first GPU.

    Raises
    ------
    OptionError
        Where this machine lacks one.

    >>> resolve_devices("cpu")
    ('cpu',)
    """
    if spelling == "auto":
        return visible_gpus() or ("cpu",)
    if spelling == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device 'mps' is not available on this machine; use --repro-device=cpu")
    if not spelling.startswith("cuda"):
        return (spelling,)
    count = len(visible_gpus())
    indices = [int(index) for index in (spelling.partition(":")[2] or "0").split(",")]
    for index in indices:
        if index >= count:
            raise OptionError(
                f"device 'cuda:{index}' is not available: torch {torch.__version__} sees {count} CUDA "
                "devices; use --repro-device=cpu, or auto"
            )
    return tuple(f"cuda:{index}" for index in indices)


def visible_gpus() -> tuple[str, ...]:
    """The CUDA devices that PyTorch sees on this machine."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return tuple(f"cuda:{index}" for index in range(count))
