"""What a training's last bits depend on beside its code, data and seed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from pytest_reprotest.fingerprint import driver, environment, machine, versions
from pytest_reprotest.interfaces import Executor, Placement
from pytest_reprotest.training.switches import SWITCHES, states

_LIBRARIES = {"mkl": r"Math Kernel Library Version ([\w.]+)", "onednn": r"MKL-DNN v([\w.]+)"}


def surroundings(
    device: str,
    threads: int | None = None,
    added: Mapping[str, str] | None = None,
    deterministic: bool = False,
) -> dict[str, Any]:
    """Software, machine, threads, flags and environment, as JSON primitives; what is not known is left out.

    Parameters
    ----------
    device : str
        On which is trained; of a GPU its model is told.
    threads : int, optional
        CPU threads that are known to be set while training.
    added : mapping, optional
        Variables that are set for the processes that train.
    deterministic : bool
        Whether all switches are set while training.

    >>> sorted(surroundings("cpu", threads=1))
    ['environment', 'flags', 'machine', 'threads', 'versions']
    """
    return {
        "versions": {**versions(), **_builds(device)},
        "machine": {**machine(), **_processors(device)},
        "threads": {
            **({} if threads is not None else {"intra_op": torch.get_num_threads()}),
            "inter_op": torch.get_num_interop_threads(),
        },
        "flags": flags(deterministic),
        "environment": environment(added),
    }


def surroundings_of(
    executor: Executor, placement: Placement, threads: int | None = None
) -> dict[str, Any]:
    """The surroundings of runs where an executor trains them."""
    there = executor.surroundings(placement, threads)
    if there is not None:
        return there
    return surroundings(placement.device, threads, executor.environment, placement.deterministic)


def flags(deterministic: bool = False) -> dict[str, Any]:
    """Name → value of every switch of PyTorch as it is, or as it is set for a proof, and the default type.

    >>> flags()["torch.set_default_dtype"]
    'float32'
    """
    found = states()
    if deterministic:
        found.update((switch.name, switch.wanted) for switch in SWITCHES)
    enabled, warns_only = found["torch.use_deterministic_algorithms"]
    found["torch.use_deterministic_algorithms"] = "warn_only" if enabled and warns_only else enabled
    found["torch.set_default_dtype"] = str(found["torch.set_default_dtype"]).removeprefix("torch.")
    return found


def _builds(device: str) -> dict[str, str]:
    """What torch was built with, and on a GPU the cuDNN that is loaded."""
    told = torch.__config__.show()
    found = {"cuda": torch.version.cuda or "none"}
    if torch.version.hip is not None:
        found["hip"] = torch.version.hip
    for name, pattern in _LIBRARIES.items():
        match = re.search(pattern, told)
        found[name] = match[1] if match else "none"
    if device.startswith("cuda"):
        found["cudnn"] = str(torch.backends.cudnn.version() or "none")
    return found


def _processors(device: str) -> dict[str, str]:
    """The instructions that kernels use, and a GPU."""
    found = {"instructions": torch.backends.cpu.get_cpu_capability()}
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
        found["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability(device)))
        version = driver()
        if version is not None:
            found["driver"] = version
    return found
