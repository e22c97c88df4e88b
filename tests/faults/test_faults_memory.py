"""Memory that is too short, of the host or of a GPU: a chunk is halved, and the report says so."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.errors import TrainingError
from pytest_reprotest.execution.lost import after_death
from pytest_reprotest.execution.workers import Chunk
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.shortage import out_of_memory

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 4)).astype("float32")
TARGETS = (INPUTS[:, 0] > 0).astype("int64")
DATA = {"train": (INPUTS, TARGETS), "test": (INPUTS, TARGETS), "epochs": 2, "batch_size": 16}
HUGE = 1 << 58  # bytes, more than any address space


def make_mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def python_runs_short():
    raise MemoryError


SHORTAGES = {
    "Python": python_runs_short,
    "NumPy": lambda: np.empty(HUGE, dtype=np.uint8),
    "the system": lambda: mmap.mmap(-1, HUGE),
    "PyTorch on the CPU": lambda: torch.empty(HUGE, dtype=torch.uint8),
}


def shortage(what):
    with pytest.raises((MemoryError, RuntimeError, OSError)) as info:
        SHORTAGES[what]()
    return info.value


@pytest.mark.parametrize("what", SHORTAGES)
def test_each_way_to_run_out_of_memory_is_known(what):
    assert out_of_memory(shortage(what))


def test_a_factory_that_runs_out_of_memory_is_known_by_its_cause():
    error = TrainingError("the model factory raised something")
    assert not out_of_memory(error)
    error.__cause__ = MemoryError()
    assert out_of_memory(error)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_stack_that_runs_out_of_memory_is_halved_until_it_fits_with_the_same_bits(monkeypatch):
    from pytest_reprotest.training import torch_trainer
    from pytest_reprotest.training.stacked.engine import train_stack

    given = {"runs": 6, "regularizers": "none,dropout", **DATA}
    monkeypatch.setattr("pytest_reprotest.training.ladder.best_chunk", lambda *_: 6)
    whole = audit(make_mlp, **given)
    tried = []

    def small_memory(runs, *rest):
        tried.append(len(runs))
        if len(runs) > 2:
            SHORTAGES["PyTorch on the CPU"]()
        return train_stack(runs, *rest)

    monkeypatch.setattr(torch_trainer, "train_stack", small_memory)
    halved = audit(make_mlp, **given)
    assert tried == [6, 3, 1, 2, 3, 1, 2] * 2
    assert "6 runs did not fit into the memory of cpu; trained in halves" in halved.notes
    for label in whole.regularizers:
        assert np.array_equal(whole[label].predictions, halved[label].predictions)
        assert whole[label].losses == halved[label].losses


def test_a_failed_stack_holds_no_memory_while_its_halves_are_trained(monkeypatch):
    import weakref

    from pytest_reprotest.training import torch_trainer
    from pytest_reprotest.training.stacked.engine import train_stack

    held = []

    def small_memory(runs, *rest):
        assert not [each for each in held if each() is not None]
        if len(runs) > 1:
            large = torch.zeros(8)
            held.append(weakref.ref(large))
            raise torch.OutOfMemoryError("planted")
        return train_stack(runs, *rest)

    monkeypatch.setattr(torch_trainer, "train_stack", small_memory)
    monkeypatch.setattr("pytest_reprotest.training.ladder.best_chunk", lambda *_: 4)
    assert audit(make_mlp, runs=4, **DATA)["none"].n_runs == 4
    assert held


def test_one_run_that_does_not_fit_fails_with_the_line_that_asked_for_memory(monkeypatch):
    class Greedy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)
            self.calls = 0

        def forward(self, inputs):
            self.calls += self.training
            if self.calls > 2:
                torch.empty(HUGE, dtype=torch.uint8)
            return self.layer(inputs)

    result = audit(Greedy, runs=2, engine="sequential", **DATA)
    (reason,) = result["none"].verdict.reasons
    assert "run 0 of 'none' (--repro-seed=0) failed: cpu is out of memory for one run: " in reason
    assert "in forward: torch.empty(HUGE, dtype=torch.uint8)" in reason
    assert "make batch_size or the model smaller" in reason


def test_data_that_does_not_fit_is_told_before_anything_trains(monkeypatch):
    from pytest_reprotest.training.torch_trainer import TorchTrainer

    def move(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 90.00 GiB")

    monkeypatch.setattr(TorchTrainer, "_on", move)
    with pytest.raises(TrainingError, match=r"cpu is out of memory before anything trains: OutOf"):
        audit(make_mlp, runs=2, **DATA)


def test_the_size_of_a_stack_is_tried_as_far_as_memory_goes(monkeypatch):
    from pytest_reprotest.training import ladder

    tried = []
    original = ladder.make_stack

    def small_memory(models):
        tried.append(len(models))
        if len(models) > 2:
            raise MemoryError
        return original(models)

    monkeypatch.setattr(ladder, "make_stack", small_memory)
    result = audit(make_mlp, runs=5, **DATA)
    assert tried == [2, 3]
    assert result.settings["chunk"] == 2


def make_wide():
    return nn.Sequential(nn.Linear(4, 100_000), nn.ReLU(), nn.Linear(100_000, 2))


LIMITED = """
    import resource
    import numpy as np
    from torch import nn
    from pytest_reprotest import audit
    from pytest_reprotest.training import ladder

    def make_wide():
        return nn.Sequential(nn.Linear(4, 100_000), nn.ReLU(), nn.Linear(100_000, 2))

    def limited(*_):
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20), resource.RLIM_INFINITY))
        return 16

    ladder.best_chunk = limited
    inputs = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    data = (inputs, (inputs[:, 0] > 0).astype("int64"))
    result = audit(make_wide, train=data, test=data, runs=16, epochs=1, batch_size=4, lr=1e-4)
    print([note for note in result.notes if "memory" in note])
    print(result["none"].losses, result["none"].predictions.tolist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space, and reads its size")
def test_a_process_whose_memory_is_limited_trains_a_wide_net_in_parts_with_the_same_bits(
    monkeypatch, tmp_path
):
    # 16 runs with their gradients take 150 MB, and have 50
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(LIMITED))
    command = [sys.executable, str(script)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert said[0] == "['16 runs did not fit into the memory of cpu; trained in halves']"
    monkeypatch.setattr("pytest_reprotest.training.ladder.best_chunk", lambda *_: 16)
    inputs = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    data = (inputs, (inputs[:, 0] > 0).astype("int64"))
    whole = audit(make_wide, train=data, test=data, runs=16, epochs=1, batch_size=4, lr=1e-4)
    assert said[1] == f"{whole['none'].losses} {whole['none'].predictions.tolist()}"


# --- workers that the kernel kills ----------------------------------------------------------------


def runs_of(count):
    return tuple(Run("none", index, RunSeeds(0, index)) for index in range(count))


def test_a_stack_whose_worker_was_killed_is_trained_again_in_halves():
    first, second = after_death(Chunk(runs_of(5), tries=1), runs_of(5), -9, stacked=True)
    assert [[run.index for run in part.runs] for part in (first, second)] == [[0, 1], [2, 3, 4]]
    assert first.tries == second.tries == 0
    assert (
        first.note
        == second.note
        == (
            "a worker was killed (signal 9: is memory short?) on runs 0, 1, 2, 3, 4 of 'none', trained again "
            "in halves"
        )
    )


@pytest.mark.parametrize(("code", "stacked"), [(-9, False), (-11, True), (7, True)])
def test_what_smaller_chunks_would_not_help_is_trained_again_whole(code, stacked):
    (again,) = after_death(Chunk(runs_of(3), tries=1), runs_of(3)[1:], code, stacked)
    assert [run.index for run in again.runs] == [1, 2]
    assert again.tries == 1
    assert again.note.endswith("on runs 1, 2 of 'none', trained again by another")


def test_one_run_whose_worker_is_killed_twice_fails():
    (again,) = after_death(Chunk(runs_of(1), tries=1), runs_of(1), -9, stacked=True)
    outcome = after_death(Chunk(again.runs, tries=2), runs_of(1), -9, stacked=True)
    assert outcome.failure == (
        "its worker process died twice (signal 9) on run 0 of 'none'. Is memory short? Use fewer "
        "--repro-workers"
    )
    assert after_death(Chunk(runs_of(1), tries=1), (), -9, stacked=True) == ()


def test_a_stack_that_gets_its_worker_killed_is_halved_with_the_same_bits(monkeypatch, tmp_path):
    class Mortal(nn.Linear):
        """Its fourth copy in a process gets the process killed, once."""

        def __init__(self):
            super().__init__(4, 2)
            built.append(os.getpid())
            here = built.count(os.getpid())
            if os.getpid() != main and here > 3 and not list(tmp_path.iterdir()):
                (tmp_path / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)

    built, main = [], os.getpid()
    monkeypatch.setattr("pytest_reprotest.training.ladder.best_chunk", lambda *_: 6)
    result = audit(Mortal, runs=6, timeout=300, **DATA)
    assert {note for note in result.notes if "killed" in note} == {
        "a worker was killed (signal 9: is memory short?) on runs 0, 1, 2, 3, 4, 5 of 'none', trained again "
        "in halves",
    }
    whole = audit(Mortal, runs=6, **DATA)
    assert np.array_equal(result["none"].predictions, whole["none"].predictions)
    assert result["none"].losses == whole["none"].losses
