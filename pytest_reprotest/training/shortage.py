"""Memory that is too short for all runs of a stack: they are trained in parts."""

from __future__ import annotations

import errno
import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from pytest_reprotest.errors import ReprotestError, TrainingError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.training.faults import tell

_Found = TypeVar("_Found")

_TOLD = re.compile(
    r"can't allocate memory|not enough memory|out of memory|std::bad_alloc|CUBLAS_STATUS_ALLOC_FAILED"
    r"|Cannot allocate memory"
)
"""How PyTorch says so, on the CPU, on Apple's GPUs and through CUDA's libraries, in errors of no type of their own."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, of the host or of a GPU.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
    True
    >>> out_of_memory(ValueError("out of memory"))
    False
    """
    if isinstance(error, ReprotestError):
        return error.__cause__ is not None and out_of_memory(error.__cause__)
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and _TOLD.search(str(error)) is not None


@dataclass(frozen=True)
class Short:
    """Memory was too short: the error, told."""

    told: str


def fitting(what: Callable[[], _Found], device: str) -> _Found | Short:
    """What a function returns, or that memory was too short for it, which is free again then."""
    try:
        return what()
    except Exception as error:
        if not out_of_memory(error):
            raise
        short = Short(tell(error))
    gc.collect()  # outside, where the error holds nothing of it any more
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    return short


def too_large(device: str, short: Short) -> str:
    """The failure of one run that does not fit into memory by itself."""
    return (
        f"{device} is out of memory for one run: {short.told}\n  make batch_size or the model smaller; where "
        "others share that memory, use fewer --repro-workers"
    )


@contextmanager
def short_is_told(device: str) -> Iterator[None]:
    """Raise a TrainingError for memory that is short before anything trains."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ReprotestError) or not out_of_memory(error):
            raise
        raise TrainingError(
            f"{device} is out of memory before anything trains: {tell(error)}\n  use less data, or a smaller "
            "model"
        ) from None


def train_in_parts(
    train: Callable[[Sequence[Run]], list[RunOutcome]], runs: Sequence[Run], device: str
) -> list[RunOutcome]:
    """The outcomes of runs that are trained together, in halves where all do not fit into memory, and so on.

    Ends with the part in which a run failed. What is trained in parts says so in a note.
    """
    outcomes = fitting(lambda: train(runs), device)
    if not isinstance(outcomes, Short):
        return outcomes
    if len(runs) == 1:
        return [RunOutcome(runs[0], failure=too_large(device, outcomes))]
    half = len(runs) // 2
    note = f"{len(runs)} runs did not fit into the memory of {device}; trained in halves"
    found: list[RunOutcome] = []
    for part in (runs[:half], runs[half:]):
        found.extend(train_in_parts(train, part, device))
        if any(outcome.failure is not None for outcome in found):
            break
    return [replace(outcome, note=note) for outcome in found]
