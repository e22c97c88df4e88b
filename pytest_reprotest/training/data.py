"""Training and test data: pairs of tensors or arrays, or map-style Datasets, as one kind of source."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset, default_collate

from pytest_reprotest.errors import DataError
from pytest_reprotest.predictions import check_y_true


class Source(ABC):
    """Samples by index."""

    n_samples: int

    @abstractmethod
    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the samples at ``index``, int64 (n,)."""

    @abstractmethod
    def to(self, device: str) -> Source:
        """The same samples on a device."""


class TensorSource(Source):
    """Samples held as two tensors; a batch is one gather, with no per-sample work."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs = inputs
        self.targets = targets
        self.n_samples = len(targets)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Gather a batch on the device."""
        return self.inputs.index_select(0, index), self.targets.index_select(0, index)

    def to(self, device: str) -> TensorSource:
        """Move both tensors, once."""
        return TensorSource(self.inputs.to(device), self.targets.to(device))


class DatasetSource(Source):
    """A Dataset whose samples are random each time (augmentation): read anew for every batch."""

    def __init__(self, dataset: Dataset[Any], device: str = "cpu") -> None:
        self.dataset = dataset
        self.device = device
        self.n_samples = len(dataset)  # type: ignore[arg-type]

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Read and collate a batch."""
        inputs, targets = _collate([self.dataset[i] for i in index.tolist()])
        return inputs.to(self.device), targets.to(self.device)

    def to(self, device: str) -> DatasetSource:
        """Batches will be moved as they are read."""
        return DatasetSource(self.dataset, device)


def as_source(data: Any, role: str, fixed: bool) -> Source:
    """Validate a data set.

    A Dataset is read once, in order, and kept as tensors, unless reading it draws on the global
    generators or two readings of a sample differ: then its samples are random, and a training set is
    read batch by batch.

    Parameters
    ----------
    data : pair (inputs, targets) of tensors or arrays, or a map-style Dataset
        Inputs (n_samples, …); integer class labels (n_samples,). float64 arrays become torch's default
        dtype; tensors stay as they are.
    role : str
        "train" or "test", for messages.
    fixed : bool
        Refuse random samples: every run must predict the same test set.

    Raises
    ------
    DataError
    """
    if isinstance(data, IterableDataset):
        raise DataError(
            f"{role}= is an IterableDataset, which has no sample numbers to order by seed. Pass a "
            "map-style Dataset or tensors, or train in a function of your own: FunctionTrainer"
        )
    if isinstance(data, TensorDataset):
        data = data.tensors
    if isinstance(data, (tuple, list)):
        if len(data) != 2:
            raise DataError(f"{role}= has {len(data)} parts; expected the pair (inputs, targets)")
        inputs, targets = (_as_tensor(part, role) for part in data)
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "shape"):
        _check_count(len(data), role)
        read = _read(data)
        if read is None:
            if fixed:
                raise DataError(
                    f"{role}= gives a different sample each time it is read; expected a fixed test set. "
                    "Remove random transforms from it"
                )
            return DatasetSource(data)
        inputs, targets = read
    else:
        raise DataError(
            f"{role}= is a {type(data).__name__}; expected the pair (inputs, targets) of tensors or "
            "arrays, or a torch.utils.data.Dataset"
        )
    return TensorSource(inputs, _checked_targets(inputs, targets, role))


def _as_tensor(part: Any, role: str) -> Tensor:
    if isinstance(part, Tensor):
        return part.detach()
    array = np.asarray(part)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{role}= holds an array of dtype {array.dtype}; expected numbers. Encode the data first"
        )
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(torch.get_default_dtype()) if tensor.dtype == torch.float64 else tensor


def _check_count(count: int, role: str) -> None:
    if count == 0:
        raise DataError(f"the {role} set is empty: 0 samples; expected at least 1")


def _checked_targets(inputs: Tensor, targets: Tensor, role: str) -> Tensor:
    if inputs.dim() == 0 or targets.dim() == 0 or len(inputs) != len(targets):
        raise DataError(
            f"{role}= has inputs of shape {tuple(inputs.shape)} and targets of shape "
            f"{tuple(targets.shape)}; expected one target for each input"
        )
    _check_count(len(targets), role)
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise DataError(
            f"{role}= holds inputs that are NaN or infinite; clean or impute them before training"
        )
    try:
        labels = check_y_true(targets.cpu().numpy())
    except DataError as error:
        raise DataError(f"{role}=: {error}") from None
    return torch.from_numpy(labels)


def _collate(samples: list[Any]) -> tuple[Tensor, Tensor]:
    try:
        inputs, targets = default_collate(samples)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"the Dataset's samples can't be made a batch: {error}. Expected (input, label) pairs of "
            "equal shapes; give it a transform to tensors"
        ) from None
    if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
        raise DataError(
            f"the Dataset's samples are ({type(inputs).__name__}, {type(targets).__name__}); expected "
            "(tensor or array, integer label) pairs; use FunctionTrainer for other shapes"
        )
    return inputs, targets


def _read(dataset: Any) -> tuple[Tensor, Tensor] | None:
    """All samples, or None where they are random."""
    before = _generator_states()
    samples = [dataset[i] for i in range(len(dataset))]
    if _generator_states() != before:
        return None
    inputs, targets = _collate(samples)
    again, _ = _collate([dataset[i] for i in range(min(32, len(dataset)))])
    return (inputs, targets) if torch.equal(inputs[: len(again)], again) else None


def _generator_states() -> tuple[Any, ...]:
    numpy_state: Any = np.random.get_state(legacy=False)
    torch_state = torch.random.get_rng_state().numpy().tobytes()
    return (
        random.getstate(),
        numpy_state["state"]["pos"],
        numpy_state["state"]["key"].tobytes(),
        torch_state,
    )
