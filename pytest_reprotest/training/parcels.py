"""A trainer in parcels for other machines: code by value, and each large tensor once, by the digest of its bytes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.training.content import tensor_digest
from pytest_reprotest.training.shipping import Place, pickled, unpickled

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Parcel:
    """An object on its way.

    Attributes
    ----------
    code : bytes
        The object without its large tensors.
    data : mapping
        Digest of a tensor → its bytes, uint8 (n_bytes,).
    """

    code: bytes
    data: dict[str, Bytes]


def pack(what: Any, callables: Iterable[Any], else_use: str) -> Parcel:
    """Pack an object; the parameters are those of ``pickled``.

    Raises
    ------
    TrainingError
        Where something in it cannot be pickled.
    """
    data: dict[str, Bytes] = {}

    def place(tensor: torch.Tensor) -> Place:
        found = _named(tensor)
        if found[0] not in data:
            data[found[0]] = tensor.contiguous().view(-1).view(torch.uint8).numpy()
        return found

    return Parcel(pickled(what, callables, place, else_use), data)


class Unpacked:
    """The receiving side: large tensors stay from one parcel to the next, copies that this process may write to."""

    def __init__(self) -> None:
        self._known: dict[Place, torch.Tensor] = {}

    def load(self, code: bytes, fetch: Callable[[str], Bytes]) -> Any:
        """What was packed.

        Parameters
        ----------
        code : bytes
            Of the parcel.
        fetch : callable
            Digest → the tensor's bytes; called for those that are not here yet.
        """

        def find(place: Place) -> torch.Tensor:
            name, dtype, shape = place
            # a copy: an object store's memory is shared, and can't be written to
            return torch.from_numpy(np.array(fetch(name))).view(dtype).view(shape)

        what, self._known = unpickled(code, find, self._known)
        return what


def noted(trainer: Any) -> dict[str, bytes]:
    """Each attribute of a trainer's state as bytes, without large tensors; what can't be pickled is left out."""
    state = trainer.__getstate__() if hasattr(trainer, "__getstate__") else vars(trainer)
    found = {}
    for name, value in (state if isinstance(state, dict) else {}).items():
        with suppress(TrainingError):
            found[name] = pickled(value, (), _named, "")
    return found


def changes(before: dict[str, bytes], trainer: Any) -> dict[str, bytes]:
    """The attributes that a trainer has set since ``noted``."""
    return {name: now for name, now in noted(trainer).items() if before.get(name) != now}


def take_over(trainer: Any, changed: dict[str, bytes]) -> None:
    """Set what a copy of this trainer found out elsewhere; large tensors stay there."""
    for name, value in changed.items():
        with suppress(pickle.UnpicklingError):
            vars(trainer)[name] = pickle.loads(value)


def _named(tensor: torch.Tensor) -> Place:
    return tensor_digest(tensor), tensor.dtype, tuple(tensor.shape)
