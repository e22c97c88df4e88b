"""Processes of pytest-xdist share out cores and GPUs, and compute what one process does."""

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError
from pytest_reprotest.execution import choice
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.execution.share import Share, own_devices, own_share
from pytest_reprotest.options import resolve

INPUTS = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
DATA = (INPUTS, (INPUTS[:, 0] > 0).astype("int64"))


def make_mlp():
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def machine(monkeypatch):
    """A machine of so many cores and GPUs, on which this process is one of several."""

    def make(cores=8, gpus=0, worker="", count=""):
        monkeypatch.setattr(choice, "available_cores", lambda: cores)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(count))

    return make


def opened(threads=1, **options):
    """Workers, and the devices they take in turn."""
    executor = open_executor(resolve(call=options), threads)
    devices = executor._devices if executor.n_workers > 1 else ()
    executor.close()
    return executor.n_workers, devices


@pytest.mark.parametrize(
    ("cores", "count", "threads", "workers"),
    [(8, "", 1, 8), (8, 2, 1, 4), (8, 3, 1, 2), (8, 16, 1, 1), (8, "", 3, 2), (8, 2, 4, 1)],
)
def test_cores_are_shared_by_processes_and_by_the_threads_of_a_run(
    machine, cores, count, threads, workers
):
    machine(cores, worker="gw1" if count else "", count=count)
    assert opened(threads, workers="auto", device="cpu")[0] == workers
    assert max(count or 1, 1) * workers * threads <= max(cores, (count or 1) * threads)


def test_a_number_of_workers_is_taken_as_it_was_said(machine):
    machine(4, worker="gw0", count=2)
    assert opened(workers=3, device="cpu")[0] == 3


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_every_gpu_goes_to_a_process_and_to_as_few_as_can_be(machine, count):
    taken = []
    for index in range(count):
        machine(gpus=4, worker=f"gw{index}", count=count)
        own = own_devices("auto")
        assert own_devices("cuda") == own[:1]
        assert opened(workers="auto")[0] == len(own)
        taken.extend(own)
    times = [taken.count(f"cuda:{index}") for index in range(4)]
    assert min(times) >= 1
    assert max(times) == -(-max(count, 4) // 4)


@pytest.mark.parametrize(
    ("spelling", "worker", "devices"),
    [
        ("auto", "gw1", ("cuda:1", "cuda:3")),
        ("cuda", "gw1", ("cuda:1",)),
        ("cuda:3", "gw1", ("cuda:3",)),
        ("cuda:0,2", "gw0", ("cuda:0",)),
        ("cuda:0,2", "gw1", ("cuda:2",)),
        ("cpu", "gw1", ("cpu",)),
        ("auto", "gw3", ("cuda:1", "cuda:3")),  # in place of one that died
        ("auto", "master", ("cuda:0", "cuda:1", "cuda:2", "cuda:3")),
    ],
)
def test_one_of_two_processes_takes_its_share(machine, spelling, worker, devices):
    machine(gpus=4, worker=worker, count=2)
    assert own_devices(spelling) == devices


def test_both_gpus_of_a_process_get_a_worker_each(machine):
    machine(gpus=4, worker="gw1", count=2)
    assert opened() == (2, ("cuda:1", "cuda:3"))


def test_a_gpu_that_is_not_there_is_refused_in_a_process_too(machine):
    machine(gpus=0, worker="gw1", count=2)
    with pytest.raises(OptionError, match=r"^device 'cuda:0' is not available"):
        own_devices("cuda")


@pytest.mark.parametrize(
    ("worker", "count"), [("gw1", "0"), ("gw1", "two"), ("gw", "2"), ("", ""), ("gw-1", "2")]
)
def test_what_is_no_share_is_the_whole_machine(worker, count):
    environment = {"PYTEST_XDIST_WORKER": worker, "PYTEST_XDIST_WORKER_COUNT": count}
    assert own_share(environment) == Share(0, 1)


def test_a_run_computes_with_its_own_threads_in_a_process_too_and_leaves_the_tests_ones(machine):
    seen = []

    def train_fn(run):
        assert run.regularizer == "none"
        seen.append(torch.get_num_threads())
        return np.array([0, 1] * 2)

    before = torch.get_num_threads()
    found = []
    for worker, count in (("", ""), ("gw0", 64)):
        machine(2, worker=worker, count=count)
        audit(FunctionTrainer(train_fn, y_true=[0, 1] * 2, threads=2), runs=2)
        given = {"train": DATA, "test": DATA, "epochs": 2, "batch_size": 8, "threads": 2}
        result = audit(make_mlp, runs=2, workers="auto", device="cpu", **given)
        found.append(
            (result["none"].losses, result.settings["training"], result.settings["threads"])
        )
    assert seen == [2] * 4
    assert found[0] == found[1]
    assert torch.get_num_threads() == before
