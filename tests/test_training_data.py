from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from small_training import some_runs, trained, trainer_of
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from pytest_reprotest.errors import DataError
from pytest_reprotest.training.data import DatasetSource, TensorSource, as_source

INPUTS = torch.arange(12.0).reshape(6, 2)
TARGETS = torch.tensor([0, 1, 2, 0, 1, 2])


def source(data, role="train", fixed=False):
    return as_source(data, role, fixed)


def message(data, role="train", fixed=False) -> str:
    with pytest.raises(DataError) as error:
        as_source(data, role, fixed)
    return str(error.value)


class Samples(Dataset):
    """A map-style data set of a function from a number to a sample."""

    def __init__(self, sample, count=6):
        self.sample = sample
        self.count = count
        self.reads = 0

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        self.reads += 1
        return self.sample(number)


# --- pairs ------------------------------------------------------------------------------------------


def test_tensors_stay_as_they_are():
    found = source((INPUTS.double(), TARGETS))
    assert isinstance(found, TensorSource)
    assert found.inputs.dtype == torch.float64
    assert found.n_samples == 6


def test_a_batch_is_gathered_in_the_order_asked_for():
    inputs, targets = source((INPUTS, TARGETS)).take(torch.tensor([4, 0, 4]))
    assert inputs.tolist() == [[8, 9], [0, 1], [8, 9]]
    assert targets.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float64", torch.float32),
        ("float32", torch.float32),
        ("float16", torch.float16),
        (">f4", torch.float32),
        (">f8", torch.float32),
        ("longdouble", torch.float32),
        ("uint8", torch.uint8),
        ("int64", torch.int64),
        (">i4", torch.int32),
        ("bool", torch.bool),
    ],
)
def test_arrays_become_tensors_and_float64_the_default_dtype(dtype, expected):
    array = np.array([[1, 0], [2, 1]]).astype(dtype)
    found = source((array, np.array([0, 1])))
    assert found.inputs.dtype == expected
    assert found.inputs.tolist() == array.astype(float).tolist()


def test_the_default_dtype_is_the_one_at_hand():
    torch.set_default_dtype(torch.float64)
    try:
        assert source((np.zeros((2, 1)), np.array([0, 1]))).inputs.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_read_only_array_is_taken_without_a_warning():
    array = np.ones((2, 3), dtype="float32")
    array.setflags(write=False)
    assert source((array, np.array([0, 1]))).inputs.sum() == 6


def test_a_view_with_gaps_or_backwards_is_taken():
    array = np.arange(12, dtype="float32").reshape(6, 2)
    assert source((array[::-2], np.array([0, 1, 0]))).inputs.tolist() == [[10, 11], [6, 7], [2, 3]]


def test_lists_of_numbers_are_arrays():
    assert source([[[1.0], [2.0]], [0, 1]]).inputs.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "float32", "bool"])
def test_targets_become_int64(dtype):
    found = source((INPUTS[:2], np.array([0, 1]).astype(dtype)))
    assert found.targets.dtype == torch.int64
    assert found.targets.tolist() == [0, 1]


def test_tensors_that_require_a_gradient_are_detached():
    assert not source((INPUTS.clone().requires_grad_(), TARGETS)).inputs.requires_grad


def test_a_tensor_dataset_is_its_tensors():
    found = source(TensorDataset(INPUTS, TARGETS))
    assert found.inputs is not None
    assert torch.equal(found.inputs, INPUTS)


def test_moving_a_source_moves_both_parts():
    moved = source((INPUTS, TARGETS)).to("meta")
    assert (moved.inputs.device.type, moved.targets.device.type) == ("meta", "meta")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            (INPUTS, TARGETS, TARGETS),
            "train= has 3 parts; expected the pair (inputs, targets)",
        ),
        (
            TensorDataset(INPUTS),
            "train= has 1 parts; expected the pair (inputs, targets)",
        ),
        (
            (INPUTS, TARGETS[:5]),
            "train= has inputs of shape (6, 2) and targets of shape (5,); expected one target for each input",
        ),
        (
            (INPUTS, torch.tensor(1)),
            "train= has inputs of shape (6, 2) and targets of shape (); expected one target for each input",
        ),
        (
            (torch.tensor(1.0), TARGETS),
            "train= has inputs of shape () and targets of shape (6,); expected one target for each input",
        ),
        (
            (INPUTS[:0], TARGETS[:0]),
            "the train set is empty: 0 samples; expected at least 1",
        ),
        (
            (np.array(["a", "b"]), np.array([0, 1])),
            "train= holds an array of dtype <U1; expected numbers. Encode the data first",
        ),
        (
            (INPUTS[:2], np.array(["cat", "dog"])),
            "train= holds an array of dtype <U3; expected numbers. Encode the data first",
        ),
        (
            (np.ones((2, 2), dtype=complex), np.array([0, 1])),
            "train= holds an array of dtype complex128; expected numbers. Encode the data first",
        ),
        (
            (np.array([[1.0, np.nan]]), np.array([0])),
            "train= holds inputs that are NaN or infinite; clean or impute them before training",
        ),
        (
            (torch.tensor([[1.0, torch.inf]]), torch.tensor([0])),
            "train= holds inputs that are NaN or infinite; clean or impute them before training",
        ),
        (
            (INPUTS, torch.tensor([0, 1, 2, 0, 1, -1])),
            "train=: y_true holds the label -1; expected classes 0 … n_classes - 1. Drop or re-encode "
            "samples without a class.",
        ),
        (
            (INPUTS, torch.rand(6)),
            "train=: y_true has dtype float32; expected integer class labels 0 … n_classes - 1. Encode class "
            "names as integers.",
        ),
        (
            (INPUTS, torch.eye(6)),
            "train=: y_true has shape (6, 6); expected (n_samples,), one class label a test sample. Turn "
            "one-hot rows into labels with argmax(axis=1).",
        ),
    ],
)
def test_a_pair_that_cannot_be_trained_on_is_refused(data, told):
    assert message(data) == told


def test_rows_of_unequal_length_are_refused():
    told = message(([[1.0], [2.0, 3.0]], [0, 1]))
    assert told.startswith("train= holds rows of unequal shapes (")
    assert told.endswith("expected the pair (inputs, targets) of arrays")


def test_an_empty_test_set_is_named():
    assert message((INPUTS[:0], TARGETS[:0]), role="test") == (
        "the test set is empty: 0 samples; expected at least 1"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (INPUTS, "Tensor"),
        (np.ones(3), "ndarray"),
        (3, "int"),
        ("digits", "str"),
        ({"inputs": INPUTS, "targets": TARGETS}, "dict"),
        (torch.utils.data.DataLoader(TensorDataset(INPUTS, TARGETS)), "DataLoader"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_data_set_is_refused(data, kind):
    assert message(data) == (
        f"train= is a {kind}; expected the pair (inputs, targets) of tensors or arrays, or a "
        "torch.utils.data.Dataset"
    )


def test_an_iterable_dataset_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([])

    assert message(Stream()) == (
        "train= is an IterableDataset, which has no sample numbers to order by seed. Pass a map-style "
        "Dataset or tensors, or train in a function of your own: FunctionTrainer"
    )


# --- Datasets ---------------------------------------------------------------------------------------


def test_a_fixed_dataset_is_read_into_tensors_in_order():
    found = source(Samples(lambda i: (torch.tensor([float(i), -float(i)]), i % 3)))
    assert isinstance(found, TensorSource)
    assert found.inputs.tolist() == [[i, -i] for i in range(6)]
    assert found.targets.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_fixed_dataset_is_not_read_again_to_train():
    data = Samples(lambda i: (torch.full((6,), float(i)), i % 3), count=40)
    trainer = trainer_of(train=data, test=data)
    reads = data.reads
    trained(trainer, some_runs(2))
    assert data.reads == reads


def test_a_subset_of_a_dataset_is_a_dataset():
    found = source(Subset(TensorDataset(INPUTS, TARGETS), [5, 1]))
    assert found.inputs.tolist() == [[10, 11], [2, 3]]


def test_a_list_of_samples_is_no_pair():
    samples = [(INPUTS[i].numpy(), int(TARGETS[i])) for i in range(6)]
    assert message(samples) == "train= has 6 parts; expected the pair (inputs, targets)"


@pytest.mark.parametrize(
    "sample",
    [np.float64([1, 2]), [1.0, 2.0], np.float32([1, 2])],
    ids=["float64", "list", "float32"],
)
def test_arrays_in_a_dataset_become_the_default_dtype(sample):
    def read(i):
        return np.asarray(sample), np.int32(i % 2)

    found = source(Samples(read))
    assert (found.inputs.dtype, found.targets.dtype) == (torch.float32, torch.int64)


def test_double_tensors_in_a_dataset_stay_double():
    found = source(Samples(lambda i: (torch.ones(2, dtype=torch.float64), 0)))
    assert found.inputs.dtype == torch.float64


def augmented(draw):
    return Samples(lambda i: (torch.full((6,), float(i)) + draw(), i % 3), count=12)


DRAWS = {
    "torch": lambda: torch.rand(()),
    "numpy": lambda: torch.tensor(np.random.rand(), dtype=torch.float32),
    "random": lambda: random.random(),
}


@pytest.mark.parametrize("library", DRAWS)
def test_a_random_train_set_is_read_anew_for_every_batch(library):
    found = source(augmented(DRAWS[library]))
    assert isinstance(found, DatasetSource)
    index = torch.tensor([3, 1])
    first, targets = found.take(index)
    second, _ = found.take(index)
    assert targets.tolist() == [0, 1]
    assert targets.dtype == torch.int64
    assert not torch.equal(first, second)
    assert first.floor().tolist() == [[3.0] * 6, [1.0] * 6]


@pytest.mark.parametrize("library", DRAWS)
def test_a_random_train_set_is_reproducible_run_by_run(library):
    trainer = trainer_of(train=augmented(DRAWS[library]), batch_size=4)
    first = trained(trainer, some_runs(3))
    backwards = trained(trainer, some_runs(3)[::-1])
    assert len({outcome.losses for outcome in first.values()}) == 3
    for run, outcome in first.items():
        assert outcome.losses == backwards[run].losses


def test_augmentation_belongs_to_the_noise_stream():
    seen = []

    def read(i):
        drawn = torch.rand(())
        seen.append((i, drawn.item()))
        return torch.full((6,), float(i)) + drawn, i % 3

    trainer = trainer_of(train=Samples(read, count=12), batch_size=4, epochs=1)

    def drawn(vary):
        readings = []
        for run in some_runs(2, vary=vary):
            seen.clear()
            trained(trainer, [run])
            readings.append(list(seen))
        return readings

    first, second = drawn(("noise",))
    assert [i for i, _ in first] == [i for i, _ in second]
    assert [value for _, value in first] != [value for _, value in second]
    first, second = drawn(("data_order",))
    assert [i for i, _ in first] != [i for i, _ in second]
    assert [value for _, value in first] == [value for _, value in second]


@pytest.mark.parametrize("library", DRAWS)
def test_a_random_test_set_is_refused(library):
    assert message(augmented(DRAWS[library]), role="test", fixed=True) == (
        "test= gives a different sample each time it is read; expected a fixed test set. Remove random "
        "transforms from it"
    )


def own_generator():
    generator = np.random.default_rng()
    return augmented(lambda: float(generator.random()))


def test_a_train_set_with_a_generator_of_its_own_is_refused():
    assert message(own_generator()) == (
        "train= gives other samples at each reading, and they do not follow the generators of random, "
        "numpy.random and torch, so no seed reaches them. Draw from those generators, which are seeded for "
        "each run"
    )


def test_random_labels_are_found_as_well():
    generator = np.random.default_rng(0)
    data = Samples(lambda i: (torch.zeros(2), int(generator.integers(1000))))
    assert "so no seed reaches them" in message(data)


def test_a_set_whose_samples_change_shape_is_refused():
    state = {"reads": 0}

    def read(i):
        state["reads"] += 1
        return torch.zeros(2 if state["reads"] <= 6 else 3), 0

    assert "so no seed reaches them" in message(Samples(read))


def test_a_test_set_with_a_generator_of_its_own_is_refused_as_random():
    assert message(own_generator(), role="test", fixed=True).startswith(
        "test= gives a different sample each time it is read"
    )


def test_nan_in_a_dataset_is_told_as_nan_not_as_randomness():
    data = Samples(lambda i: (torch.tensor([1.0, torch.nan]), 0))
    assert message(data, role="test", fixed=True) == (
        "test= holds inputs that are NaN or infinite; clean or impute them before training"
    )


def test_targets_of_a_random_train_set_are_checked():
    data = Samples(lambda i: (torch.rand(2), -1))
    assert message(data).startswith("train=: y_true holds the label -1")


def test_an_empty_dataset_is_refused():
    assert message(Samples(None, count=0), role="test", fixed=True) == (
        "the test set is empty: 0 samples; expected at least 1"
    )


def test_an_exception_in_a_dataset_tells_sample_and_line():
    def read(i):
        if i == 4:
            raise OSError("no such image")
        return torch.zeros(2), 0

    told = message(Samples(read))
    assert told.startswith("reading sample 4 of train= raised OSError: no such image\n  at ")
    assert told.endswith('in read: raise OSError("no such image")')
    assert "test_training_data.py:" in told


def test_an_exception_in_a_random_dataset_in_training_fails_the_run_with_its_line():
    state = {"broken": False}

    def read(i):
        if state["broken"]:
            raise OSError("disk is gone")
        return torch.rand(6), i % 3

    trainer = trainer_of(train=Samples(read, count=12))
    state["broken"] = True
    outcome = trained(trainer, some_runs(1))[0]
    assert outcome.labels is None
    assert outcome.failure.startswith("OSError: disk is gone\n  at ")
    assert outcome.failure.endswith('in read: raise OSError("disk is gone")')


def test_samples_of_unequal_shapes_are_refused():
    told = message(Samples(lambda i: (torch.zeros(i + 1), 0)))
    assert told.startswith("the Dataset's samples can't be made a batch: stack expects each tensor")
    assert told.endswith(
        "Expected (input, label) pairs of equal shapes; give it a transform to tensors"
    )


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        (("text", 1), "(tuple, Tensor)"),
        ((torch.zeros(2), "label"), "(Tensor, tuple)"),
        (({"image": torch.zeros(2)}, 1), "(dict, Tensor)"),
    ],
)
def test_samples_that_are_no_pairs_of_numbers_are_refused(sample, shown):
    assert message(Samples(lambda i: sample)) == (
        f"the Dataset's samples are {shown}; expected (tensor or array, integer label) pairs; use "
        "FunctionTrainer for other shapes"
    )


def test_samples_without_a_label_are_refused():
    assert message(Samples(lambda i: torch.zeros(2))).startswith(
        "the Dataset's samples can't be made a batch: too many values to unpack"
    )


def test_pictures_are_refused_with_the_way_out():
    class Picture:
        pass

    told = message(Samples(lambda i: (Picture(), 0)))
    assert "can't be made a batch" in told
    assert "give it a transform to tensors" in told


def test_reading_data_leaves_the_global_generators_alone():
    states = (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.random.get_rng_state().tolist(),
    )
    trainer_of(train=augmented(DRAWS["torch"]))
    assert states == (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.random.get_rng_state().tolist(),
    )


def test_a_model_that_works_in_place_does_not_change_the_data():
    inputs = -torch.ones(12, 6)
    targets = torch.arange(12) % 3
    trainer = trainer_of(
        lambda: nn.Sequential(nn.ReLU(inplace=True), nn.LazyLinear(3)),
        train=(inputs, targets),
        test=(inputs, targets),
    )
    trainer_outcome = trained(trainer, some_runs(1))[0]
    assert trainer_outcome.failure is None
    assert (inputs == -1).all()
