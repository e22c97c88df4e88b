"""Worker processes: the same bits, every factory, deaths and interrupts."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError, TrainingError
from pytest_reprotest.execution import processes
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.options import resolve
from pytest_reprotest.registry import Registry

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(120, 8)).astype("float32")
TARGETS = (INPUTS[:, 0] > 0).astype("int64") + (INPUTS[:, 1] > 0.5)
DATA = {"train": (INPUTS, TARGETS), "test": (INPUTS, TARGETS)}
RECIPE = {"epochs": 2, "batch_size": 16}
WIDTH = 16


class FromTheTestModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 3))

    def forward(self, inputs):
        return self.layers(inputs)


@pytest.fixture(scope="module")
def executor():
    made = ProcessExecutor(2)
    yield made
    made.close()


def audit_on(executor, factory, name="", **settings):
    """An audit by an executor that outlives it."""
    from pytest_reprotest._audit import run_audit
    from pytest_reprotest.api import as_trainer

    options = {key: settings.pop(key) for key in ("runs", "regularizers") if key in settings}
    trainer = as_trainer(factory, settings)
    return run_audit(trainer, resolve(call=options), Registry(), executor=executor)


def same(first, second):
    return all(
        np.array_equal(first[label].predictions, second[label].predictions)
        and first[label].losses == second[label].losses
        for label in first.regularizers
    )


def test_workers_give_the_same_bits_as_this_process(executor):
    given = {"runs": 4, "regularizers": "none,dropout,batch_norm", **DATA, **RECIPE}
    here = audit(FromTheTestModule, **given)
    there = audit_on(executor, FromTheTestModule, **given)
    assert same(here, there)
    assert there.settings["workers"] == 2
    assert there.settings["chunk"] <= 6


def test_lambdas_and_closures_are_sent_by_value(executor):
    width = 12

    def closure():
        return nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 3))

    for factory in (closure, lambda: nn.Linear(8, 3)):
        given = {"runs": 2, **DATA, **RECIPE}
        assert same(audit(factory, **given), audit_on(executor, factory, **given))


def test_a_training_function_is_sent_too(executor):
    def train_fn(run):
        return np.where(run.generator("noise", kind="numpy").random(120) < 0.1, 0, TARGETS)

    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    assert same(audit(trainer, runs=3), audit_on(executor, trainer, runs=3))


def test_what_cannot_be_pickled_is_told(executor):
    lock = threading.Lock()

    def factory():
        assert lock
        return nn.Linear(8, 3)

    with pytest.raises(TrainingError, match=r"can't send the training to worker processes.*lock"):
        audit_on(executor, factory, runs=2, **DATA, **RECIPE)


def test_a_run_that_raises_in_a_worker_names_the_run(executor):
    def train_fn(run):
        if run.index == 1:
            raise ValueError("planted")
        return TARGETS

    result = audit_on(executor, FunctionTrainer(train_fn, y_true=TARGETS), runs=2)
    (reason,) = result["none"].verdict.reasons
    assert reason.startswith("run 1 of 'none' (--repro-seed=0) failed: ValueError: planted")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_fresh_workers_have_their_own_environment_and_the_last_run_follows_the_first(
    workers, tmp_path
):
    def train_fn(run):
        told = f"{os.getpid()} {os.environ['PYTHONHASHSEED']}"
        (tmp_path / str(run.index)).write_text(told)
        return TARGETS

    made = ProcessExecutor(
        workers, environment_of=lambda index: {"PYTHONHASHSEED": f"{index + 7}"}, fresh=True
    )
    result = audit_on(made, FunctionTrainer(train_fn, y_true=TARGETS), runs=4)
    assert result["none"].n_runs == 4
    told = [(tmp_path / str(index)).read_text().split() for index in range(4)]
    assert told[3] == told[0]
    assert len({process for process, _ in told}) == 3
    assert [seed for _, seed in told] == ["7", "8", "9", "7"]
    assert made._workers == []
    made.close()


def test_a_failure_of_the_only_worker_ends_the_audit():
    def train_fn(run):
        raise ValueError("planted")

    made = ProcessExecutor(1, fresh=True)
    result = audit_on(made, FunctionTrainer(train_fn, y_true=TARGETS), runs=3)
    assert "planted" in result["none"].verdict.reasons[0]
    made.close()


def test_a_worker_that_dies_is_reported_and_its_chunk_trained_again(tmp_path):
    marker = tmp_path / "died"

    def train_fn(run):
        if run.index == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.roll(TARGETS, run.index)

    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    result = audit(trainer, runs=3, workers=2)
    assert result["none"].n_runs == 3
    assert result.notes == (
        "a worker died (signal 9) on run 1 of 'none', trained again by another",
    )
    assert same(result, audit(trainer, runs=3))


def test_a_worker_that_dies_twice_fails_the_run(tmp_path):
    def train_fn(run):
        os._exit(7)

    result = audit(FunctionTrainer(train_fn, y_true=TARGETS), runs=2, workers=2)
    assert result["none"].verdict.broken
    assert (
        "its worker process died twice (exit status 7) on run" in result["none"].verdict.reasons[0]
    )


def test_closing_ends_every_worker(executor):
    made = ProcessExecutor(2)
    audit_on(made, lambda: nn.Linear(8, 3), runs=2, **DATA, **RECIPE)
    processes = [worker.process for worker in made._workers]
    data = made._hold().folder
    assert processes
    assert data.is_dir()
    made.close()
    assert all(process.returncode is not None for process in processes)
    assert not data.exists()


def test_data_stays_with_the_workers_from_one_audit_to_the_next(executor):
    inputs = RNG.normal(size=(200, 8)).astype("float32")
    data = {"train": (inputs, TARGETS[:100].repeat(2)), "test": (INPUTS, TARGETS)}
    first = audit_on(executor, lambda: nn.Linear(8, 3), runs=2, **data, **RECIPE)
    kept = sorted(path.name for path in executor._hold().folder.iterdir())
    again = audit_on(executor, lambda: nn.Linear(8, 3), runs=2, **data, **RECIPE)
    assert kept
    assert sorted(path.name for path in executor._hold().folder.iterdir()) == kept
    assert same(first, again)
    inputs[:] = inputs[::-1].copy()
    changed = audit_on(executor, lambda: nn.Linear(8, 3), runs=2, **data, **RECIPE)
    assert not same(first, changed)


SCRIPT = """
    import os, sys, time
    import numpy as np
    from pytest_reprotest import FunctionTrainer, audit

    def train_fn(run):
        with open(os.path.join(os.environ["STARTED"], str(os.getpid())), "w") as file:
            file.write(sys.argv[2])  # the folder of what was shipped
        time.sleep(60)

    audit(FunctionTrainer(train_fn, y_true=np.zeros(3, int)), runs=2, workers=2)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_an_interrupted_or_killed_parent(tmp_path, how):
    # a script without an ``if __name__`` guard, too: workers do not import it
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    started = tmp_path / "started"
    started.mkdir()
    environment = dict(os.environ, STARTED=str(started))
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as parent:
        deadline = time.monotonic() + 60
        while len([1 for path in started.iterdir() if path.read_text()]) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers = [int(path.name) for path in started.iterdir()]
        (folder,) = {Path(path.read_text()) for path in started.iterdir()}
        assert folder.is_dir()
        parent.send_signal(how)
    assert len(workers) == 2
    deadline = time.monotonic() + 2
    while (any(alive(pid) for pid in workers) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    assert not folder.exists()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", True])
def test_impossible_numbers_of_workers_are_refused(value):
    with pytest.raises(OptionError, match="--repro-workers"):
        resolve({"workers": value})


def test_workers_need_a_posix_system(monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(OptionError, match="--repro-workers needs a POSIX system"):
        ProcessExecutor(2)


def test_workers_compute_with_the_flags_of_the_session(executor):
    def train_fn(run):
        import torch as there

        labels = np.array([0, 1] * 10)
        labels[run.index] ^= 1
        wide = there.zeros(1).dtype == there.float64
        return labels if wide else labels * 0

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        result = audit_on(executor, FunctionTrainer(train_fn, y_true=[0, 1] * 10), runs=3)
    finally:
        torch.set_default_dtype(before)
    assert result["none"].accuracy.value == pytest.approx(0.95)
    assert result.settings["flags"]["torch.set_default_dtype"] == "float64"
    assert result.settings["environment"]["OMP_NUM_THREADS"] == "1"


def test_what_is_sent_to_workers_is_in_a_folder_that_nobody_else_can_enter(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_memory_folder", lambda: str(tmp_path))
    made = processes.ProcessExecutor(1)
    folder = made._hold().folder
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == os.getuid()
    made.close()
    assert not folder.exists()
