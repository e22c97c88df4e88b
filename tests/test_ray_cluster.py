"""A Ray cluster of two nodes on one machine: the same bits, a node that goes, GPUs handed out, and what is told."""

import os
import warnings
from collections import defaultdict

import numpy as np
import pytest
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest._audit import run_audit
from pytest_reprotest.api import as_trainer
from pytest_reprotest.errors import OptionError, TrainingError
from pytest_reprotest.options import resolve
from pytest_reprotest.registry import Registry

pytest.importorskip("ray")

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(600, 8)).astype("float32")
TARGETS = (INPUTS[:, 0] > 0).astype("int64") + (INPUTS[:, 1] > 0.5)
DATA = {"train": (INPUTS, TARGETS), "test": (INPUTS, TARGETS)}
SOME = {"runs": 4, "regularizers": "none,dropout"}


class FromTheTestModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, inputs):
        return self.layers(inputs)


@pytest.fixture(scope="module")
def cluster():
    """A head without cores, so that workers are on two others: a core each, one GPU and two that aren't there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "num_gpus": 0, "include_dashboard": False},
        )
        made.add_node(num_cpus=1, num_gpus=1)
        made.add_node(num_cpus=1, num_gpus=2)
        yield made
        made.shutdown()


def executor_of(cluster, device, **given):
    from pytest_reprotest.execution.ray_cluster import RayExecutor

    return RayExecutor(device, address=cluster.address, **given)


@pytest.fixture
def on_cores(cluster):
    made = executor_of(cluster, "cpu")
    yield made
    made.close()


def audit_on(executor, factory, progress=None, **settings):
    """An audit by an executor that outlives it."""
    options = {key: settings.pop(key) for key in (*SOME, "deterministic") if key in settings}
    trainer = as_trainer(factory, settings)
    settled = resolve(call=options)
    return run_audit(trainer, settled, Registry(), executor=executor, progress=progress)


def same(first, second):
    return all(
        np.array_equal(first[label].predictions, second[label].predictions)
        and first[label].losses == second[label].losses
        for label in first.regularizers
    )


def test_each_worker_has_a_gpu_of_its_own_and_calls_it_the_first(cluster, tmp_path):
    def train_fn(run):
        import time

        import ray

        node = ray.get_runtime_context().get_node_id()
        told = f"{node} {os.environ['CUDA_VISIBLE_DEVICES']} {run.device} {os.getpid()}"
        (tmp_path / f"{run.index}").write_text(told)
        while len(list(tmp_path.iterdir())) < 3:  # as long as it takes for all workers to have one
            time.sleep(0.02)
        return np.roll(TARGETS, run.index)

    executor = executor_of(cluster, "auto")
    try:
        result = audit_on(executor, FunctionTrainer(train_fn, y_true=TARGETS), runs=6)
    finally:
        executor.close()
    assert (result.settings["device"], result.settings["workers"]) == ("cuda:0", 3)
    assert result["none"].n_runs == 6
    gpus, processes = defaultdict(set), set()
    for path in tmp_path.iterdir():
        node, visible, device, process = path.read_text().split()
        assert device == "cuda:0"
        gpus[node].add(visible)
        processes.add(process)
    assert sorted(map(sorted, gpus.values())) == [["0"], ["0", "1"]]
    assert len(processes) == 3  # they live on from chunk to chunk


def test_a_gpu_that_torch_does_not_see_is_told_before_anything_trains(cluster):
    executor = executor_of(cluster, "cuda", workers=1)
    try:
        with pytest.raises(
            TrainingError,
            match=r"Ray gave the worker on \S+ a GPU, and torch \S+ there sees none",
        ):
            audit_on(executor, FromTheTestModule, **SOME, **DATA, epochs=1, batch_size=16)
    finally:
        executor.close()


def test_a_proof_has_a_process_and_a_hash_seed_for_each_run(cluster, tmp_path):
    from pytest_reprotest.training.switches import ENVIRONMENT, hash_seed_of

    def train_fn(run):
        told = (
            f"{os.getpid()} {os.environ['PYTHONHASHSEED']} {os.environ['CUBLAS_WORKSPACE_CONFIG']}"
        )
        (tmp_path / str(run.index)).write_text(told)
        return TARGETS

    executor = executor_of(
        cluster, "cpu", environment=ENVIRONMENT, environment_of=hash_seed_of, fresh=True
    )
    try:
        trainer = FunctionTrainer(train_fn, y_true=TARGETS)
        result = audit_on(executor, trainer, runs=3, deterministic=True)
    finally:
        executor.close()
    assert result.passed, result["none"].verdict
    told = [(tmp_path / str(index)).read_text().split() for index in range(3)]
    assert [(seed, config) for _, seed, config in told] == [
        ("1", ":4096:8"),
        ("2", ":4096:8"),
        ("1", ":4096:8"),
    ]
    assert told[2] == told[0]
    assert len({process for process, *_ in told}) == 2
    assert len({run.process for run in result["none"].proof.runs}) == 2


def test_a_node_that_goes_changes_no_bit(cluster, on_cores):
    given = {**SOME, **DATA, "epochs": 8, "batch_size": 4}
    settings = {"engine": "sequential"}
    here = audit(FromTheTestModule, **given, **settings)
    removed = []

    def progress(plan):
        def finished(outcome):
            busy = on_cores._crew.busy
            under_way = [worker for worker in busy if worker.left() is not None]
            if removed or len({worker.node for worker in busy}) < 2 or not under_way:
                return
            gone = next(n for n in cluster.worker_nodes if n.node_id == under_way[0].node)
            removed.append(str(under_way[0].left()))
            cluster.remove_node(gone, allow_graceful=False)

        return finished

    options = resolve(call={**SOME, **settings})
    trainer = as_trainer(FromTheTestModule, {k: given[k] for k in given if k not in SOME})
    there = run_audit(trainer, options, Registry(), executor=on_cores, progress=progress)
    assert there.settings["workers"] == 2
    assert there.notes == (
        f"a Ray worker was lost (its node can't be reached) on {removed[0]}, trained again by another",
    )
    assert same(here, there)
    assert here.settings["machine"] == there.settings["machine"]
    assert there.settings["environment"]["OMP_NUM_THREADS"] == "1"


def test_data_is_put_once_for_all_audits_that_have_it(cluster, on_cores):
    given = {**SOME, **DATA, "epochs": 1, "batch_size": 64}
    first = audit_on(on_cores, FromTheTestModule, **given)
    held = dict(on_cores._shipped.data)
    assert held
    assert same(first, audit_on(on_cores, FromTheTestModule, **given))
    assert on_cores._shipped.data == held


def test_a_port_without_ray_is_refused_within_seconds(monkeypatch):
    import socket

    from pytest_reprotest.execution import ray_connection

    monkeypatch.setattr(ray_connection, "_PATIENCE", 3.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            OptionError,
            match=f"--repro-ray-address={address}: can't connect to a Ray cluster there: no Ray answered in 3 ",
        ):
            ray_connection.Connection(address, 1, 0).open()
