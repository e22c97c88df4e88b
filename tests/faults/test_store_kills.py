"""SIGKILL at random moments: no finished run is lost or trained again, and the result is the uninterrupted one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = int(os.environ.get("REPROTEST_KILLS", "10"))  # 200 on demand

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds workers in /proc")


def killed(folder, kills, workers=1):
    """What kills.py tells, in a process of its own: it forks."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV_CORE")}
    environment.pop("COVERAGE_PROCESS_START", None)
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("kills.py"),
            folder,
            f"--kills={kills}",
            f"--workers={workers}",
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_main_process(tmp_path, capsys):
    told = killed(tmp_path, KILLS)
    with capsys.disabled():
        print(f"\n{told['kills']} kills of {told['audits']} audits in {told['seconds']} s")
    assert told["wrong"] == []
    assert told["kills"] == KILLS


def test_a_worker_and_then_the_main_process(tmp_path):
    told = killed(tmp_path, max(1, KILLS // 20), workers=2)
    assert told["wrong"] == []
    assert told["of_workers"] >= 1
