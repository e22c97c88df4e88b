"""What docs/noise.md says: its code runs, its noise follows the run, and its faults are as it tells."""

import importlib
import random

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, some_runs
from test_readme import ROOT, code_blocks
from torch.utils.data import DataLoader, Dataset, get_worker_info

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.data import TensorSource, as_source
from pytest_reprotest.training.function_trainer import RunContext

BLOCKS = code_blocks((ROOT / "docs" / "noise.md").read_text(encoding="utf-8"))
ALL = ("init", "data_order", "noise")
Y_TRUE = np.array([0, 1] * 4)
N_TRAIN = 150

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # machines of one core
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def guide(pytester, monkeypatch, _loaded):
    """The blocks of the guide, files in a folder to import from."""
    for module in ("sklearn.datasets", "sklearn.linear_model"):
        importlib.import_module(module)  # pytester forgets modules that are new; these load once
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.syspath_prepend(pytester.path)
    for name, code in BLOCKS.items():
        (pytester.path / name).write_text(code, encoding="utf-8")
    return pytester


@pytest.fixture
def workers(guide):
    """The guide's module ``test_workers`` on a few samples; ``seen`` has the batches that were read."""
    module = importlib.import_module("test_workers")
    whole = module.Shifted
    module.Shifted = lambda x, y, seed: whole(x[:N_TRAIN], y[:N_TRAIN], seed)

    class Recorded(DataLoader):
        def __iter__(self):
            for batch in super().__iter__():
                module.seen.append(batch)
                yield batch

    module.DataLoader = Recorded
    return module


def read_in_training(module, index, vary=ALL, num_workers=0):
    """Samples of two epochs (2 * N_TRAIN, 8, 8), labels in their order, and scores of a run of the guide's function."""
    module.seen = []
    run = RunContext(some_runs(index + 1, vary=vary)[index], "cpu")
    scores = module.train_fn(run, num_workers=num_workers)
    samples, labels = (torch.cat(parts) for parts in zip(*module.seen, strict=True))
    return samples, labels, scores


def test_every_block_is_a_test_file_or_what_one_imports():
    helpers = [name for name in BLOCKS if not name.startswith("test_")]

    assert helpers == ["augmented.py"]
    assert "from augmented import" in BLOCKS["test_workers.py"]


@pytest.mark.parametrize(
    ("name", "count"),
    [("transform", 2), ("loader", 1), ("workers", 1), ("dataset", 1)],
)
def test_the_blocks_pass_as_they_stand_and_their_runs_differ(guide, name, count):
    result = guide.runpytest_inprocess(f"test_{name}.py", "--repro-device=cpu")

    result.assert_outcomes(passed=count)
    rows = [line.split() for line in result.outlines if line.split()[:1] == ["none"]]
    assert len(rows) == count
    assert all(float(row[3]) > 0 for row in rows)


def test_every_block_that_is_a_test_is_run():
    names = {name for name in BLOCKS if name.startswith("test_")}

    assert names == {f"test_{name}.py" for name in ("transform", "loader", "workers", "dataset")}


# --- noise by (seed, epoch, index) ------------------------------------------------------------------


def test_the_number_of_workers_changes_no_bit(workers):
    alone, one, two = (read_in_training(workers, 1, num_workers=count) for count in (0, 1, 2))

    for other in (one, two):
        assert all(torch.equal(*pair) for pair in zip(alone, other, strict=True))


def test_where_noise_alone_varies_the_same_samples_come_in_the_same_order_with_other_noise(workers):
    (samples, labels, scores), (others, other_labels, other_scores) = (
        read_in_training(workers, index, vary=("noise",)) for index in range(2)
    )

    assert torch.equal(labels, other_labels)
    assert (samples != others).any(dim=(1, 2)).all()
    assert not torch.equal(scores, other_scores)


def test_where_noise_does_not_vary_runs_are_the_same(workers):
    first, second = (read_in_training(workers, index, vary=()) for index in range(2))

    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_where_the_order_alone_varies_a_sample_is_moved_alike_wherever_it_stands(workers):
    (samples, labels, _), (others, other_labels, _) = (
        read_in_training(workers, index, vary=("data_order",)) for index in range(2)
    )

    assert not torch.equal(labels, other_labels)
    first_epoch, of_the_other = (
        {bytes(one.numpy()) for one in x[:N_TRAIN]} for x in (samples, others)
    )
    assert len(first_epoch) == N_TRAIN
    assert first_epoch == of_the_other


def test_the_noise_is_another_in_each_epoch(workers):
    samples, _, _ = read_in_training(workers, 0, num_workers=2)

    first, second = ({bytes(one.numpy()) for one in x} for x in samples.split(N_TRAIN))
    assert not first & second


def test_without_workers_the_global_generator_is_left_alone(guide):
    augmented = importlib.import_module("augmented")
    dataset = augmented.Shifted(np.zeros((3, 8, 8), dtype="float32"), [0, 1, 0], seed=2**63 - 1)
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    dataset[1]

    assert torch.rand(()) == expected


def test_the_torch_trainer_takes_noise_by_index_as_fixed(guide):
    augmented = importlib.import_module("augmented")
    pictures = np.zeros((6, 8, 8), dtype="float32")

    source = as_source(augmented.Shifted(pictures, [0, 1] * 3, seed=0), "train", fixed=False)

    assert isinstance(source, TensorSource)


def test_initial_weights_follow_init_alone(guide):
    module = importlib.import_module("test_transform")
    starts = []

    class Watched(torch.optim.SGD):
        def __init__(self, parameters, lr):
            parameters = list(parameters)
            starts.append(parameters[0].tolist())
            super().__init__(parameters, lr)

    def start(index, vary):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.optim, "SGD", Watched)
            train = FunctionTrainer(module.with_torch, y_true=module.y[1400:]).train
            next(train(some_runs(index + 1, vary=vary)[index:], none(), SEQUENTIAL))
        return starts[-1]

    first = start(0, ALL)
    assert start(1, ("data_order", "noise")) == first
    assert start(1, ("init",)) != first


def test_workers_that_are_spawned_give_the_same_bits(guide):
    augmented = importlib.import_module("augmented")
    seed = RunContext(some_runs(1)[0], "cpu").seed_of("noise")
    dataset = augmented.Shifted(np.zeros((6, 8, 8), dtype="float32"), [0, 1] * 3, seed)
    dataset.epoch.fill_(3)
    loader = DataLoader(dataset, 3, num_workers=1, multiprocessing_context="spawn")

    spawned = torch.cat([pictures for pictures, _ in loader])

    assert torch.equal(spawned, torch.stack([dataset[index][0] for index in range(6)]))


# --- what loaders and workers draw ------------------------------------------------------------------


class Drawing(Dataset):
    """(index, number that is drawn); top-level, so that it can be pickled."""

    def __init__(self, draw):
        self.draw = draw

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return index, self.draw()


def by_numpy():
    return np.random.randint(2**31)


def worker_seed_holds():
    """Whether this worker's generators are where its seed puts them."""
    seed = get_worker_info().seed
    as_seeded = random.getstate() == random.Random(seed).getstate()
    return as_seeded and torch.initial_seed() == seed


def column(loader, number):
    return torch.cat([batch[number] for batch in loader]).tolist()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_workers_are_seeded_by_base_seed_and_number():
    loader = DataLoader(Drawing(worker_seed_holds), 4, num_workers=2, generator=seeded(0))

    assert column(loader, 1) == [True] * 8


def test_numpy_in_workers_follows_the_loaders_generator_not_the_global_one():
    drawn = []
    for global_seed, own in ((0, 5), (1, 5), (1, 6)):
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)
        loader = DataLoader(Drawing(by_numpy), 2, num_workers=2, generator=seeded(own))
        drawn.append(column(loader, 1))

    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 8


def test_numpy_seeded_alike_in_all_workers_repeats_itself():
    loader = DataLoader(
        Drawing(by_numpy), 2, num_workers=2, worker_init_fn=lambda number: np.random.seed(0)
    )

    first, second = column(loader, 1), column(loader, 1)

    assert first == second
    assert first[:2] == first[2:4]


def test_a_generator_that_is_kept_in_the_dataset_is_copied_to_workers():
    loader = DataLoader(Drawing(np.random.default_rng(0).random), 2, num_workers=2)

    first, second = column(loader, 1), column(loader, 1)

    assert first == second
    assert first[:2] == first[2:4]


@pytest.mark.parametrize("count", [0, 2])
def test_a_loader_draws_a_base_seed_also_in_order(count):
    torch.manual_seed(0)
    drawn = torch.empty((), dtype=torch.int64).random_()
    expected = torch.rand(())
    torch.manual_seed(0)
    list(DataLoader(Drawing(int), 4, num_workers=count))

    assert torch.rand(()) == expected
    generator = seeded(0)
    list(DataLoader(Drawing(int), 4, num_workers=count, generator=generator))
    assert generator.get_state().tolist() != seeded(0).get_state().tolist()
    assert drawn == torch.empty((), dtype=torch.int64).random_(generator=seeded(0))


def orders(evaluations=0, **settings):
    """The orders of three epochs."""
    generator = seeded(0)
    loader = DataLoader(Drawing(int), 4, shuffle=True, generator=generator, **settings)
    test_loader = DataLoader(Drawing(int), 4, generator=generator)
    found = []
    for _ in range(3):
        found.append(column(loader, 0))
        for _ in range(evaluations):
            list(test_loader)
    return found


def test_an_evaluation_by_a_shared_generator_moves_the_order_on():
    without, with_one = orders(), orders(evaluations=1)

    assert without[0] == with_one[0]
    assert without[1:] != with_one[1:]


def test_workers_that_are_kept_change_the_order_where_base_seeds_share_its_generator():
    fresh, kept = (orders(num_workers=1, persistent_workers=kept) for kept in (False, True))

    assert fresh == orders()
    assert fresh[0] == kept[0]
    assert fresh[1:] != kept[1:]


# --- what the tool says of it -----------------------------------------------------------------------


def read_by(run, count, generator, **settings):
    """Labels that the first eight numbers of a loader decide."""
    loader = DataLoader(
        Drawing(by_numpy), 4, num_workers=count, generator=run.generator(generator), **settings
    )
    return np.array(column(loader, 1)) % 2


def test_numpy_in_workers_of_a_loader_of_the_order_is_told_where_noise_alone_varies():
    trainer = FunctionTrainer(lambda run: read_by(run, 2, "data_order"), y_true=Y_TRUE)

    outcome = next(trainer.train(some_runs(1, vary=("noise",)), none(), SEQUENTIAL))

    assert outcome.failure.startswith(
        "only noise may vary, and train_fn never asked for run.generator('noise')"
    )


def test_a_lambda_for_workers_that_are_spawned_fails_the_run():
    def train_fn(run):
        return read_by(
            run, 1, "noise", multiprocessing_context="spawn", worker_init_fn=lambda number: None
        )

    outcome = next(FunctionTrainer(train_fn, y_true=Y_TRUE).train(some_runs(1), none(), SEQUENTIAL))

    assert "pickle" in outcome.failure


def difference(train_fn, vary, y_true=Y_TRUE):
    result = audit(FunctionTrainer(train_fn, y_true=y_true), runs=3, vary=vary, device="cpu")
    return result["none"].prediction_difference.value


def test_numpy_seeded_in_workers_is_seen_where_noise_alone_varies():
    def train_fn(run):
        return read_by(run, 2, "noise", worker_init_fn=lambda number: np.random.seed(0))

    assert difference(train_fn, "noise") == 0
    assert difference(lambda run: read_by(run, 2, "noise"), "noise") > 0


def test_a_generator_without_a_seed_is_seen_where_nothing_varies():
    y_true = np.arange(200) % 2

    assert difference(lambda run: np.random.default_rng().integers(2, size=200), "none", y_true) > 0
    assert difference(lambda run: np.random.randint(2, size=200), "none", y_true) == 0
