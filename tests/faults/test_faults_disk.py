"""Disks that are full or can't be written to, and systems that have no room for another process."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import TrainingError

AUDITED = """
@reproducibility(runs=3, max_prediction_difference=0.5)
def test_audited(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""

FULL = """
import resource
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish():
    # nothing fits: as on a disk that is full, writing a file ends in an OSError
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""

FILES = {
    "json": "out.json",
    "csv": "out.csv",
    "markdown": "out.md",
    "save-bank": "bank.json",
    "html": "out.html",
    "plots": "plots",
}


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_leaves_old_files_as_they_are_and_the_table_is_shown(project, monkeypatch):
    pytest.importorskip("matplotlib.font_manager")  # which writes a file of its own
    project.write(AUDITED)
    project.conftest(FULL)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "step.md"))
    files = [project.path / name for name in FILES.values() if "." in name]
    for path in (*files, project.path / "step.md"):
        path.write_text("of before\n")
    options = [f"--repro-{flag}={name}" for flag, name in FILES.items()]
    result = project.run(*options, "-p", "no:cacheprovider", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes(passed=1)
    said = project.said(result)
    for flag, name in FILES.items():
        path = project.path / name
        if flag == "plots":
            assert re.search(rf"{path}/\S+\.png can't be written: File too large; write else", said)
            continue
        assert f"--repro-{flag}={path} could not be written: File too large" in said
    assert "step.md could not be written: File too large" in said
    assert "none (baseline) 3 0.900" in said
    assert "INTERNALERROR" not in said
    for path in (*files, project.path / "step.md"):
        assert path.read_text() == "of before\n"
    assert not list(project.path.glob(".*.*.*"))
    assert not list((project.path / "plots").iterdir())


READ_ONLY = """
import errno
from pathlib import Path
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish():
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        return (yield)
"""


def test_a_folder_that_became_read_only_is_told_and_keeps_no_other_file_from_being_written(project):
    project.write(AUDITED)
    project.conftest(READ_ONLY)
    (project.path / "out.json").write_text("of before\n")
    result = project.run("--repro-json=out.json", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "out.json could not be written: Read-only file system" in project.said(result)
    assert sorted(path.name for path in project.path.glob("*out.json*")) == ["out.json"]
    assert (project.path / "out.json").read_text() == "of before\n"


def test_a_folder_that_is_read_only_is_refused_before_anything_trains(project, monkeypatch):
    project.write(AUDITED)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    result = project.run("--repro-json=out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no permission to write there; write elsewhere" in project.said(result)


@pytest.mark.skipif(sys.platform == "win32", reason="a device file")
@pytest.mark.parametrize("name", ["/dev/null", "/dev/full"])
def test_a_device_is_not_replaced_by_a_file(project, name):
    before = os.stat(name)  # noqa: PTH116
    result = project.run(f"--repro-json={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--repro-json={name}: that is no file; expected" in project.said(result)
    assert os.stat(name).st_rdev == before.st_rdev  # noqa: PTH116


INTERRUPTED = """
import json
import pytest
from pytest_reprotest import results_file

@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish():
    def interrupted(document, file, **_):
        file.write("{")
        raise KeyboardInterrupt
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results_file.json, "dump", interrupted)
        return (yield)
"""


def test_an_interrupt_while_files_are_written_leaves_no_half_of_one_and_shows_the_table(project):
    project.write(AUDITED)
    project.conftest(INTERRUPTED)
    (project.path / "out.json").write_text("of before\n")
    result = project.run("--repro-json=out.json", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    said = project.said(result)
    assert "interrupted while files were written: those not yet written are as they were" in said
    assert "none (baseline) 3 0.900" in said
    assert sorted(path.name for path in project.path.glob("*out.json*")) == ["out.json"]
    assert (project.path / "out.json").read_text() == "of before\n"


# --- worker processes -----------------------------------------------------------------------------


def audited():
    labels = np.array([0, 1] * 5)
    return audit(FunctionTrainer(lambda run: labels, y_true=labels), runs=2, workers=2)


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_for_what_workers_are_handed_is_told(monkeypatch):
    monkeypatch.setattr("pytest_reprotest.training.shipping.Hold.ship", no_room)
    with pytest.raises(
        TrainingError,
        match=r"the training can't be handed to worker processes: No space left on device\. Make room in ",
    ):
        audited()


def test_no_folder_for_temporary_files_is_told(monkeypatch):
    monkeypatch.setattr("pytest_reprotest.execution.processes._memory_folder", lambda: None)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", no_room)
    with pytest.raises(TrainingError, match=r"Make room in the folder of temporary files, or name"):
        audited()


def test_no_room_for_another_process_is_told(monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(
        TrainingError,
        match=r"a worker process can't be started: Resource temporarily unavailable\. Use fewer",
    ):
        audited()
