"""Signals: what is finished is reported, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_reprotest.execution.signals import Ended, ending, shielded

SESSION = """
import os, sys, time

@reproducibility(runs=2, max_prediction_difference=0.5)
def test_finished(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

def hangs(run):
    folder = sys.argv[2] if sys.argv[0].endswith("worker.py") else ""
    with open(os.path.join(os.environ["STARTED"], str(run.index)), "w") as file:
        file.write(f"{os.getpid()} {folder}")
    time.sleep(120)

@reproducibility(runs=2)
def test_hangs(retrain):
    retrain(FunctionTrainer(hangs, y_true=y_true))
"""


class Session:
    """A pytest of its own, with an audit that is finished and one that hangs."""

    def __init__(self, path, *options):
        self.path = path
        self.started = path / "started"
        self.started.mkdir()
        command = ["--repro-json=out.json", "-p", "no:cacheprovider", "-v", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *command],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "STARTED": str(self.started)},
        )

    def wait_for_runs(self, count):
        """Until so many hang."""
        wait_for(lambda: sum(bool(path.read_text()) for path in self.started.iterdir()) == count)
        told = [path.read_text().split() for path in self.started.iterdir()]
        self.workers = [int(process) for process, *_ in told if int(process) != self.process.pid]
        self.folders = {Path(folder) for process, *rest in told for folder in rest[:1]}

    def said(self):
        text = self.process.communicate(timeout=120)[0]
        for forbidden in ("INTERNALERROR", "Traceback"):
            assert forbidden not in text
        return text

    def left_nothing(self, within=2.0):
        wait_for(lambda: not any(alive(process) for process in self.workers), within)
        wait_for(lambda: not any(folder.exists() for folder in self.folders), 1.0)
        assert not list(self.path.glob(".out.json*"))


@pytest.fixture
def session_of(project):
    """Starts a session, and ends it in any case."""
    made = []

    def start(*options, n_started):
        project.write(SESSION)
        made.append(Session(project.path, *options))
        made[0].wait_for_runs(n_started)
        return made[0]

    yield start
    for session in made:
        session.process.kill()
        session.process.communicate()


def wait_for(holds, seconds=120.0):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def is_reported(session, said):
    """The finished audit is in the summary, and in a file that says that there would be more."""
    document = json.loads((session.path / "out.json").read_text())
    assert document["complete"] is False
    assert [audit["name"] for audit in document["audits"]] == ["test_audit.py::test_finished"]
    assert "= reproducibility =" in said
    assert "1 passed" in said


@pytest.mark.parametrize(
    ("number", "options", "n_started"),
    [(signal.SIGTERM, ["--repro-workers=2"], 2), (signal.SIGHUP, [], 1)],
    ids=["SIGTERM to two workers", "SIGHUP to this process"],
)
def test_a_signal_that_ends_is_an_interrupt_with_a_report(session_of, number, options, n_started):
    session = session_of(*options, n_started=n_started)
    session.process.send_signal(number)
    said = session.said()
    assert session.process.returncode == pytest.ExitCode.INTERRUPTED
    assert f"{number.name} while an audit trained !!!" in said
    is_reported(session, said)
    session.left_nothing()


def test_ctrl_c_twice_leaves_no_process_no_folder_and_no_half_of_a_file(session_of):
    session = session_of("--repro-timeout=1h", n_started=1)
    session.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    session.process.send_signal(signal.SIGINT)
    session.process.communicate(timeout=120)
    session.left_nothing()
    if (session.path / "out.json").exists():
        assert json.loads((session.path / "out.json").read_text())["complete"] is False


def test_a_signal_to_the_controller_of_xdist_reports_what_has_come(session_of):
    session = session_of("-n1", n_started=1)
    time.sleep(0.5)  # for the report of the finished one
    session.process.terminate()
    said = session.said()
    assert session.process.returncode == pytest.ExitCode.INTERRUPTED
    is_reported(session, said)
    session.left_nothing()


# --- handlers -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _handlers():
    """The handlers of before, whatever a test does."""
    known = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [(number, signal.getsignal(number)) for number in known]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_inside_and_left_to_the_system_outside(number):
    signal.signal(number, signal.SIG_DFL)
    with pytest.raises(Ended, match=number.name), ending():
        signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_handler_of_the_users_own_and_what_is_ignored_stay():
    came = []

    def own(number, frame):
        came.append(number)

    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is own
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_handler_that_training_sets_is_not_taken_back():
    def own(number, frame):
        pass

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with ending():
        signal.signal(signal.SIGTERM, own)
    assert signal.getsignal(signal.SIGTERM) is own


def test_nothing_is_set_in_another_thread():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    found = []

    def look():
        with ending(), shielded():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_an_interrupt_waits_for_the_end_of_what_is_shielded():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - what comes after it is the point
        with shielded():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("ended workers")
        done.append("not reached")
    assert done == ["ended workers"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
