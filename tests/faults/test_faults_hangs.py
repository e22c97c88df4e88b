"""Trainings that hang, whatever hangs in them, and a clock that jumps meanwhile."""

from __future__ import annotations

import ast
import math
import os
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

import pytest_reprotest
from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.lost import after_timeout
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.execution.workers import patience
from pytest_reprotest.options import resolve
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds

TARGETS = np.array([0, 1] * 10)
SCORE = Path("/proc/self/oom_score_adj")


def jump(monkeypatch):
    """Have the clock of this process jump a day to and fro at each look."""
    ticks, real = iter(range(1, 1 << 20)), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400.0 * (-1) ** next(ticks))


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_what_hangs_in_c_or_in_a_child_is_ended_and_the_others_go_on_while_the_clock_jumps(
    monkeypatch, tmp_path
):
    def train_fn(run):
        ticks, real = iter(range(1, 1 << 20)), time.time
        time.time = lambda: real() + 86400.0 * (-1) ** next(ticks)
        if SCORE.exists():
            (tmp_path / "score").write_text(SCORE.read_text())
        if run.regularizer == "dropout":
            re.match(r"(a+)+$", "a" * 64 + "b")  # never lets another thread run
        if run.regularizer == "adam":
            with subprocess.Popen(["sleep", "600"]) as child:
                (tmp_path / "child").write_text(str(child.pid))
        return np.roll(TARGETS, run.index)

    jump(monkeypatch)
    result = audit(
        FunctionTrainer(train_fn, y_true=TARGETS),
        runs=2,
        workers=2,
        timeout=1.0,
        regularizers="none,dropout,adam,momentum",
    )
    assert [result[label].n_runs for label in result.regularizers] == [2, 0, 0, 2]
    for label, line in (("dropout", "re.match("), ("adam", "with subprocess.Popen(")):
        reason = result[label].verdict.reasons[0]
        took = (
            " failed: it took longer than --repro-timeout=1 s and was ended. Where it was:\n  at "
        )
        assert took in reason
        assert f"in train_fn: {line}" in reason
    assert not alive(int((tmp_path / "child").read_text()))
    assert 0 <= result["none"].seconds < 60
    if SCORE.exists():  # where memory is short the kernel ends workers first
        own, there = int(SCORE.read_text()), int((tmp_path / "score").read_text())
        assert there == min(own + 300, 1000)
    assert {"timeout": 1.0, "workers": 2}.items() <= result.settings.items()


def test_a_stack_has_the_time_of_all_its_runs(monkeypatch):
    main = os.getpid()

    class Slow(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            if os.getpid() != main:
                time.sleep(60)

    inputs = np.linspace(-1, 1, 40, dtype="float32").reshape(20, 2)
    data = (inputs, TARGETS)
    monkeypatch.setattr("pytest_reprotest.training.ladder.best_chunk", lambda *_: 3)
    started = time.monotonic()
    result = audit(Slow, runs=3, timeout="0.3s", train=data, test=data, epochs=1, engine="stacked")
    assert time.monotonic() - started > 0.9
    (reason,) = result["none"].verdict.reasons
    assert (
        "failed: runs 0, 1, 2 of 'none', trained as one stack, took longer than 3 × --repro-timeout=0.3 s "
        "and were ended. Where it was:\n  at "
    ) in reason
    assert reason.endswith("in __init__: time.sleep(60)")


def test_a_lone_run_of_a_stack_is_a_run():
    (run,) = [Run("none", 4, RunSeeds(0, 4))]
    outcome = after_timeout([run], 90.0, stacked=True, where=None)
    assert outcome.run is run
    assert outcome.failure == "it took longer than --repro-timeout=90 s and was ended"


def test_runs_with_a_timeout_are_never_trained_in_this_process():
    assert type(open_executor(resolve({"workers": 1}))) is LocalExecutor
    executor = open_executor(resolve({"workers": 1, "timeout": 60, "device": "cpu"}))
    assert isinstance(executor, ProcessExecutor)
    assert executor.n_workers == 1
    executor.close()


def test_a_timeout_needs_processes_that_can_be_ended(monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(OptionError, match="--repro-timeout ends processes, which needs a POSIX"):
        open_executor(resolve({"timeout": 60, "device": "cpu"}))


def test_the_first_deadline_is_waited_for_and_no_longer_than_the_system_can(monkeypatch):
    def of(*deadlines):
        return patience([SimpleNamespace(deadline=deadline) for deadline in deadlines])

    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert of() is None
    assert of(math.inf, math.inf) is None
    assert of(math.inf, 130.0, 107.5) == 7.5
    assert of(90.0) == 0.0
    assert of(1e12) == 3600.0


# where a date is shown, or what is older than so many days is asked for
DATES = {
    "store/database.py",
    "store/kept.py",
    "store/holdings.py",
    "dashboard/chosen.py",
    "dashboard/index.py",
}
WALL_CLOCK = {"time.time", "time.time_ns", "time.ctime", "time.localtime", "time.gmtime"}


def test_nothing_is_measured_by_a_clock_that_can_jump():
    package = Path(pytest_reprotest.__file__).parent
    calls = {
        f"{path.name}: {ast.unparse(node.func)}"
        for path in package.rglob("*.py")
        if path.relative_to(package).as_posix() not in DATES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) in WALL_CLOCK
            or re.search(r"\bdate(time)?\.(now|utcnow|today)$", ast.unparse(node.func))
        )
    }
    assert calls == set()
