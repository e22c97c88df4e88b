"""A Ray on this machine: one that the audit starts and ends, and one of the user's that it leaves alone."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError

pytest.importorskip("ray")

TARGETS = np.array([0, 1] * 10)


def shaky(run):
    labels = TARGETS.copy()
    labels[run.index] ^= 1
    return labels


@pytest.fixture(scope="module")
def of_the_user():
    """Ray as a user's own conftest starts it."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray writes a token into the home folder
        import ray

        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 << 20,
        )
        yield ray
        ray.shutdown()


def test_what_is_connected_is_used_and_left_alone(of_the_user):
    result = audit(FunctionTrainer(shaky, y_true=TARGETS), runs=4, executor="ray")
    assert result["none"].accuracy.value == pytest.approx(0.95)
    assert result.settings["workers"] == 2
    assert of_the_user.is_initialized()


def test_a_gpu_that_no_node_has_is_refused(of_the_user):
    with pytest.raises(
        OptionError,
        match=r"--repro-device=cuda: the Ray that this process is connected to has no GPU that Ray knows of "
        r"\(2 cores\)",
    ):
        audit(FunctionTrainer(shaky, y_true=TARGETS), runs=2, executor="ray", device="cuda")


@pytest.mark.parametrize("always", [False, True], ids=["once", "twice"])
def test_a_worker_that_ends_is_told_and_its_chunk_trained_again_once(of_the_user, tmp_path, always):
    marker = tmp_path / "died"

    def train_fn(run):
        if run.index == 1 and (always or not marker.exists()):
            marker.touch()
            os._exit(7)
        return shaky(run)

    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    result = audit(trainer, runs=3, executor="ray", workers=1)
    note = "a Ray worker was lost (its process ended) on run 1 of 'none', trained again by another"
    if always:
        told = "its Ray worker was lost twice (its process ended) on run 1 of 'none'"
        assert told in result["none"].verdict.reasons[0]
    else:
        assert result.notes == (note,)
        assert result["none"].n_runs == 3


def test_code_that_no_worker_can_import_is_told(of_the_user, monkeypatch):
    module = type(sys)("of_this_process_alone")
    exec("def labels(run): return run", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    function = module.labels
    result = audit(
        FunctionTrainer(lambda run: function(run), y_true=TARGETS),
        runs=2,
        executor="ray",
        workers=1,
    )
    (reason,) = result["none"].verdict.reasons
    assert "ModuleNotFoundError: No module named 'of_this_process_alone'" in reason
    assert "Code that is trained has to be importable on every node" in reason


SCRIPT = """
    import os, sys, tempfile, time
    import numpy as np
    from pytest_reprotest import FunctionTrainer, audit

    started = os.environ["STARTED"]

    def train_fn(run):
        with open(os.path.join(started, str(os.getpid())), "w"):
            pass
        time.sleep(float(os.environ["SLEEP"]))
        labels = np.array([0, 1] * 10)
        labels[run.index] ^= 1
        return labels

    before = dict(os.environ)
    result = audit(FunctionTrainer(train_fn, y_true=np.array([0, 1] * 10)), runs=4, executor="ray", workers=2)
    changed = {name for name in os.environ.keys() | before.keys() if os.environ.get(name) != before.get(name)}
    print(result.settings["workers"], result["none"].n_runs, sorted(changed), os.listdir(tempfile.gettempdir()))
"""


@pytest.mark.parametrize("interrupted", [False, True], ids=["to the end", "Ctrl-C"])
def test_the_audits_own_ray_ends_with_it_and_leaves_nothing(tmp_path, interrupted):
    script, started, home = (tmp_path / name for name in ("script.py", "started", "home"))
    script.write_text(textwrap.dedent(SCRIPT))
    for folder in (started, home):
        folder.mkdir()
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short, for sockets
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "STARTED": str(started),
        "SLEEP": "60" if interrupted else "0",
        "HOME": str(home),
        "TMPDIR": str(temporary),
    }
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        deadline = time.monotonic() + 120
        while interrupted and len(list(started.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        if interrupted:
            parent.send_signal(signal.SIGINT)
        out, err = parent.communicate(timeout=120)
    workers = [int(path.name) for path in started.iterdir()]
    if interrupted:
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert len(workers) == 2
    else:
        assert (out, err) == ("2 4 [] []\n", "")
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    assert list(temporary.iterdir()) == list(home.iterdir()) == []
    temporary.rmdir()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
