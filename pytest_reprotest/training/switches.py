"""The switches of PyTorch that decide whether the same computation gives the same bits, and their wanted values.

Set while a run is trained whose determinism is to be proven, and put back afterwards. What has to be known
before a process starts is in ``ENVIRONMENT``, for the processes that train.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

ENVIRONMENT = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS reduces in one order then
    "MKL_CBWR": "AUTO",  # and so does MKL
    "TORCHINDUCTOR_DETERMINISTIC": "1",  # torch.compile chooses no kernel by its time
}
"""Variables that are read when a process or a library starts."""

_HASH_SEED = "PYTHONHASHSEED"


@dataclass(frozen=True)
class Switch:
    """One switch.

    Attributes
    ----------
    name : str
        As PyTorch documents it.
    get, set : callable
        Read and write it. What can't be read is left alone.
    wanted : object
        Its value while determinism is proven.
    """

    name: str
    get: Callable[[], Any]
    set: Callable[[Any], None]
    wanted: Any


def _attribute(owner: Any, path: str, wanted: Any) -> list[Switch]:
    """The switch that is an attribute; none where this version of PyTorch lacks it.

    Parameters
    ----------
    path : str
        Of the attribute, from ``torch`` on.
    """
    name = path.rpartition(".")[2]
    try:
        getattr(owner, name)
    except AttributeError:
        return []
    except RuntimeError:  # there, and at odds with its newer twin at the moment
        pass
    return [
        Switch(
            f"torch.{path}",
            lambda: getattr(owner, name),
            lambda value: setattr(owner, name, value),
            wanted,
        )
    ]


def _deterministic_algorithms() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _use_deterministic_algorithms(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _precisions() -> list[Switch]:
    """float32 as it is, without TF32 or bfloat16 in its place.

    PyTorch has two interfaces for it, and refuses to read the older where the newer says something else. So
    the older is set first, to the same meaning; both can be read inside then.
    """
    backends: Any = torch.backends
    newer = [
        (getattr(getattr(backends, backend), operation, None), f"{backend}.{operation}")
        for backend, operations in (
            ("cuda", ["matmul"]),
            ("cudnn", ["conv", "rnn"]),
            ("mkldnn", ["matmul", "conv", "rnn"]),
        )
        for operation in operations
    ]
    return [
        Switch(
            "torch.set_float32_matmul_precision",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
            "highest",
        ),
        *_attribute(backends.cudnn, "backends.cudnn.allow_tf32", False),
        *(
            switch
            for owner, path in newer
            if owner is not None
            for switch in _attribute(owner, f"backends.{path}.fp32_precision", "ieee")
        ),
    ]


def _table() -> tuple[Switch, ...]:
    backends: Any = torch.backends
    matmul = backends.cuda.matmul
    return (
        Switch(  # an error where an operation has no deterministic kernel, not a warning
            "torch.use_deterministic_algorithms",
            _deterministic_algorithms,
            _use_deterministic_algorithms,
            (True, False),
        ),
        *_attribute(
            torch.utils.deterministic, "utils.deterministic.fill_uninitialized_memory", True
        ),
        *_attribute(backends.cudnn, "backends.cudnn.benchmark", False),
        *_attribute(backends.cudnn, "backends.cudnn.deterministic", True),
        *_attribute(backends.mkldnn, "backends.mkldnn.deterministic", True),
        *_attribute(matmul, "backends.cuda.matmul.allow_fp16_reduced_precision_reduction", False),
        *_attribute(matmul, "backends.cuda.matmul.allow_bf16_reduced_precision_reduction", False),
        *_attribute(matmul, "backends.cuda.matmul.allow_fp16_accumulation", False),
        *_precisions(),
    )


SWITCHES = _table()
"""In the order in which they are set, and set back: one that moves others comes before them."""


FLAGS = (
    *SWITCHES,
    Switch(
        "torch.set_default_dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32
    ),
)
"""What is told of a training, and set in every process that trains; a proof holds in whatever default type."""


def switches() -> dict[str, Any]:
    """Name → wanted value of every switch, and of every variable of the environment, as JSON primitives."""
    found = {switch.name: switch.wanted for switch in SWITCHES}
    found["torch.use_deterministic_algorithms"] = True
    return {**found, **ENVIRONMENT, _HASH_SEED: _own_hash_seed() or "another in each process"}


def hash_seed_of(index: int) -> dict[str, str]:
    """The variable of the process that trains a run that decides how it hashes texts.

    Where yours does not fix the order of sets of texts, each process of a proof has another, so that what
    depends on it shows.
    """
    return {_HASH_SEED: _own_hash_seed() or str(index + 1)}


def _own_hash_seed() -> str | None:
    own = os.environ.get(_HASH_SEED, "random")
    return None if own == "random" else own


@contextmanager
def switched(table: Sequence[Switch] = SWITCHES) -> Iterator[None]:
    """Set every switch, and set all back on exit, also after an exception or an interrupt."""
    before = [(switch, value) for switch in table if (value := read(switch)) is not None]
    try:
        for switch, _ in before:
            switch.set(switch.wanted)
        yield
    finally:
        for switch, value in before:
            switch.set(value)


def states() -> dict[str, Any]:
    """Name → value of each of ``FLAGS`` as it is here; without those that can't be read."""
    return {flag.name: value for flag in FLAGS if (value := read(flag)) is not None}


def assume(found: Mapping[str, Any]) -> None:
    """Set what ``states`` found in another process, and leave alone what is so already."""
    for flag in FLAGS:
        if flag.name in found and read(flag) != found[flag.name]:
            flag.set(found[flag.name])


def read(switch: Switch) -> Any:
    """Its value; None where it can't be read, for which PyTorch raises a RuntimeError."""
    try:
        return switch.get()
    except RuntimeError:
        return None
