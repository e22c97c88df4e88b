"""Training and test data: pairs of tensors or arrays, or map-style Datasets, as one kind of source."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset, default_collate

from pytest_reprotest.errors import DataError
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.faults import tell
from pytest_reprotest.training.heads import CLASSES, Head
from pytest_reprotest.training.state import seed_globals
from pytest_reprotest.training.watching import unseeded_calls

_REREAD = 32  # samples read again to find out whether they are random


class Source(ABC):
    """Samples by index."""

    n_samples: int
    head: Head
    """What targets are, and what is made of a model's outputs."""

    @abstractmethod
    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the samples at ``index``, int64 (n,)."""

    @abstractmethod
    def to(self, device: str) -> Source:
        """The same samples on a device."""


class TensorSource(Source):
    """Samples held as two tensors; a batch is one gather, with no per-sample work."""

    def __init__(self, inputs: Tensor, targets: Tensor, head: Head = CLASSES) -> None:
        self.head = head
        self.inputs = inputs
        self.targets = targets
        self.n_samples = len(targets)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Gather a batch on the device."""
        return self.inputs.index_select(0, index), self.targets.index_select(0, index)

    def to(self, device: str) -> TensorSource:
        """Move both tensors, once."""
        return TensorSource(self.inputs.to(device), self.targets.to(device), self.head)


class DatasetSource(Source):
    """A Dataset whose samples are random each time (augmentation): read anew for every batch."""

    def __init__(
        self,
        dataset: Dataset[Any],
        device: str = "cpu",
        head: Head = CLASSES,
        dtype: torch.dtype = torch.int64,
    ) -> None:
        self.head = head
        self.dtype = dtype
        self.dataset = dataset
        self.device = device
        self.n_samples = len(dataset)  # type: ignore[arg-type]

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Read and collate a batch."""
        inputs, targets = _collate([self.dataset[i] for i in index.tolist()])
        return inputs.to(self.device), targets.to(self.device, self.dtype)

    def to(self, device: str) -> DatasetSource:
        """Batches will be moved as they are read."""
        return DatasetSource(self.dataset, device, self.head, self.dtype)


def as_source(data: Any, role: str, fixed: bool, head: Head = CLASSES) -> Source:
    """Validate a data set.

    A Dataset is read once, in order, and kept as tensors, unless reading it draws on the global
    generators of Python, NumPy or torch: then its samples are random, and a training set is read batch by
    batch. Randomness from elsewhere is refused, since no seed of a run would reach it. Changes the state
    of the global generators.

    Parameters
    ----------
    data : pair (inputs, targets) of tensors or arrays, or a map-style Dataset
        Inputs (n_samples, …); targets (n_samples, …) as the task has them: integer class labels,
        numbers, or 0 and 1 for each label. float64 arrays become torch's default dtype, in a Dataset too;
        tensors stay as they are.
    role : str
        "train" or "test", for messages.
    fixed : bool
        Refuse random samples: every run must predict the same test set.
    head : Head
        What targets are.

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
    elif _is_map_style(data):
        _check_count(len(data), role)
        inputs, targets, randomness = _read(data, role)
        if randomness is not None and fixed:
            raise DataError(
                f"{role}= gives a different sample each time it is read; expected a fixed test set. "
                "Remove random transforms from it"
            )
        if randomness == "elsewhere":
            raise DataError(
                f"{role}= gives other samples at each reading, and they do not follow the generators of "
                "random, numpy.random and torch, so no seed reaches them"
                f"{unseeded_calls(lambda: _samples(data, 1, role))}. Draw from those generators, "
                "which are seeded for each run"
            )
        if randomness is not None:
            dtype = _checked_targets(inputs, targets, role, head).dtype
            return DatasetSource(data, head=head, dtype=dtype)
    else:
        raise DataError(
            f"{role}= is a {type(data).__name__}; expected the pair (inputs, targets) of tensors or "
            "arrays, or a torch.utils.data.Dataset"
        )
    return TensorSource(inputs, _checked_targets(inputs, targets, role, head), head)


def _is_map_style(data: Any) -> bool:
    return (
        hasattr(data, "__getitem__")
        and hasattr(data, "__len__")
        and not hasattr(data, "shape")
        and not isinstance(data, (str, bytes, Mapping))
    )


def _as_tensor(part: Any, role: str) -> Tensor:
    if isinstance(part, Tensor):
        return part.detach()
    try:
        array = np.asarray(part)
    except ValueError as error:
        raise DataError(
            f"{role}= holds rows of unequal shapes ({error}); expected the pair (inputs, targets) of "
            "arrays"
        ) from None
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{role}= holds an array of dtype {array.dtype}; expected numbers. Encode the data first"
        )
    if array.dtype.kind == "f" and array.dtype.itemsize >= 8:
        return torch.tensor(array.astype(np.float64), dtype=torch.get_default_dtype())
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(native if native.flags.writeable else native.copy())


def _check_count(count: int, role: str) -> None:
    if count == 0:
        raise DataError(f"the {role} set is empty: 0 samples; expected at least 1")


def _checked_targets(inputs: Tensor, targets: Tensor, role: str, head: Head) -> Tensor:
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
        return head.targets(targets.cpu().numpy(), inputs)
    except DataError as error:
        raise DataError(f"{role}=: {error}") from None


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
    if inputs.dtype == torch.float64 and not isinstance(samples[0][0], Tensor):
        inputs = inputs.to(torch.get_default_dtype())
    return inputs, targets


def _read(dataset: Any, role: str) -> tuple[Tensor, Tensor, Literal["seeded", "elsewhere"] | None]:
    """All samples, and where randomness in them comes from: generators we seed, or elsewhere."""
    before = _generator_states()
    inputs, targets = _collate(_samples(dataset, len(dataset), role))
    drawn = _generator_states() != before
    count = min(_REREAD, len(dataset))
    readings = []
    for _ in range(2):
        seed_globals(RunSeeds(base=0, run=0), "noise")
        readings.append(_collate(_samples(dataset, count, role)))
    if not _equal(*readings) or not (drawn or _equal((inputs, targets), readings[0])):
        return inputs, targets, "elsewhere"
    return inputs, targets, "seeded" if drawn else None


def _samples(dataset: Any, count: int, role: str) -> list[Any]:
    samples = []
    for number in range(count):
        try:
            samples.append(dataset[number])
        except Exception as error:
            raise DataError(f"reading sample {number} of {role}= raised {tell(error)}") from error
    return samples


def _equal(full: tuple[Tensor, Tensor], part: tuple[Tensor, Tensor]) -> bool:
    """Whether the first samples of one reading are those of another, NaN like NaN."""
    return all(
        len(some) <= len(every)
        and every.shape[1:] == some.shape[1:]
        and _same_values(every[: len(some)], some)
        for every, some in zip(full, part, strict=True)
    )


def _same_values(one: Tensor, other: Tensor) -> bool:
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _generator_states() -> tuple[Any, ...]:
    numpy_state: Any = np.random.get_state(legacy=False)
    torch_state = torch.random.get_rng_state().numpy().tobytes()
    return (
        random.getstate(),
        numpy_state["state"]["pos"],
        numpy_state["state"]["key"].tobytes(),
        torch_state,
    )
