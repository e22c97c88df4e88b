"""What tensors hold, as one short text: two stored audits, or two runs, can then tell whether theirs were the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pytest_reprotest.digests import digest, of_arrays
from pytest_reprotest.errors import TrainingError
from pytest_reprotest.training.data import Source, TensorSource


def content_hash(source: Source) -> str | None:
    """A hash of types, shapes and bytes of inputs and targets; None for samples that are not held.

    A Dataset whose samples are random has no content to speak of, and a sparse tensor has more than one
    set of bytes for the same content.

    >>> ones = TensorSource(torch.ones(2, 3), torch.tensor([0, 1]))
    >>> content_hash(ones) == content_hash(TensorSource(torch.ones(2, 3), torch.tensor([0, 1])))
    True
    """
    if not has_hash(source):
        return None
    assert isinstance(source, TensorSource)
    return digest(part for each in (source.inputs, source.targets) for part in _parts(each))


def has_hash(source: Source) -> bool:
    """Whether ``content_hash`` is one, without reading the content."""
    if not isinstance(source, TensorSource):
        return False
    return all(each.layout is torch.strided for each in (source.inputs, source.targets))


def tensor_digest(tensor: torch.Tensor) -> str:
    """The digest of a tensor's type, shape and bytes, on whatever device it is.

    >>> tensor_digest(torch.zeros(1)) == tensor_digest(-torch.zeros(1))
    False
    """
    dense = tensor.detach()
    return digest(_parts(dense if dense.layout is torch.strided else dense.to_dense()))


def digest_of(value: Any) -> str:
    """The digest of a tensor, array or number, or of a list, tuple or dict of them.

    Raises
    ------
    TrainingError

    >>> digest_of([1.0, torch.zeros(2)]) == digest_of((1.0, np.zeros(2, np.float32)))
    False
    """
    if isinstance(value, torch.Tensor):
        return tensor_digest(value)
    if isinstance(value, Mapping):
        return digest(f"{key!r} {digest_of(each)} ".encode() for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return digest(digest_of(each).encode() for each in value)
    return of_arrays(_array(value))


def weights_digest(model: nn.Module) -> str:
    """The digest of a model's parameters and their names.

    >>> weights_digest(nn.ReLU()) == weights_digest(nn.Tanh())
    True
    """
    return digest(
        f"{name} {tensor_digest(parameter)} ".encode()
        for name, parameter in model.named_parameters()
    )


def path_content(value: Any) -> Any:
    """A path as the names and digests of the files there; anything else as it is.

    Raises
    ------
    TrainingError
        Where there is nothing, or it can't be read.
    """
    if not isinstance(value, os.PathLike):
        return value
    path = Path(value)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    try:
        return [
            (each.relative_to(path).as_posix(), _file_digest(each))
            for each in files
            if not each.is_dir()
        ]
    except OSError as error:
        raise TrainingError(
            f"depends_on names {str(path)!r}, which can't be read: {error.strerror or error}"
        ) from None


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest(iter(lambda: file.read(1 << 20), b""))


def check_digestible(value: Any) -> None:
    """Refuse what ``digest_of`` would, without reading it.

    Raises
    ------
    TrainingError
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            check_digestible(each)
    elif not isinstance(value, torch.Tensor):
        _array(value)


def _array(value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.kind not in "biufcSU":
        raise TrainingError(
            f"a checkpoint of a {type(value).__name__}; expected a tensor, an array or a number, or a list, "
            "tuple or dict of them"
        )
    return array


def _parts(tensor: torch.Tensor) -> Iterator[Any]:
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    yield f"{plain.dtype} {tuple(plain.shape)} ".encode()
    yield plain.flatten().view(torch.uint8).numpy().data
