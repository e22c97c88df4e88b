"""What an installed pytest-reprotest adds to every start of pytest, on a project that does not use it.

    python benchmarks/startup.py [--pairs 40]

Runs pytest on one empty test by turns with the plugin and with ``-p no:reprotest``. Neighbours are
compared, so that a machine that is busy for a while disturbs both. A fresh process a session is what users
see, and its noise is often larger than 5 ms; so what is held to the goal is the sum of two parts that can be
measured well: the import in fresh processes, and the hooks in sessions of one process. Times are of the
processor.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

GOAL = 5.0  # ms
WITHOUT = ("-p", "no:reprotest")
QUIET = ("-q", "-p", "no:cacheprovider")

SESSIONS = """
import contextlib, gc, io, json, sys, time
import pytest

def session(*options):
    gc.collect()
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        assert pytest.main(["-q", "-p", "no:cacheprovider", *options]) == 0
    return (time.process_time() - started) * 1e3

session(), session("-p", "no:reprotest")
pairs = [(session(), session("-p", "no:reprotest")) for _ in range(int(sys.argv[1]))]
print(json.dumps([with_it - without for with_it, without in pairs]))
"""


def environment() -> dict[str, str]:
    """The caller's, with bytecode cached as in any installation."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")
    return {key: value for key, value in os.environ.items() if key not in unwanted}


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )


def fresh_session(project: Path, *options: str) -> tuple[float, float]:
    """Milliseconds of wall-clock and of processor time of one pytest in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    python("-m", "pytest", *QUIET, *options, cwd=project)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1e3, processor * 1e3


def fresh_pairs(project: Path, pairs: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Sessions with and without the plugin, by turns."""
    taken = []
    for number in range(pairs + 1):
        order = ((), WITHOUT) if number % 2 else (WITHOUT, ())
        measured = {options: fresh_session(project, *options) for options in order}
        taken.append((measured[()], measured[WITHOUT]))
    return taken[1:]  # the first wrote the bytecode


def added_by_hooks(project: Path, pairs: int) -> list[float]:
    """Milliseconds that the plugin's hooks add to a session, import apart."""
    found: list[float] = json.loads(python("-c", SESSIONS, str(pairs), cwd=project).stdout)
    return found


def added_by_import() -> float:
    """Milliseconds that importing the plugin takes once pytest is there (``python -X importtime``)."""
    script = "import pytest, pytest_reprotest.plugin, pytest_reprotest.hookspecs"
    told = python("-X", "importtime", "-c", script).stderr
    lines = re.findall(r"\|\s*(\d+) \| (\s*)(\S+)$", told, flags=re.MULTILINE)
    top = [
        int(microseconds)
        for microseconds, indent, name in lines
        if not indent and name.partition(".")[0] == "pytest_reprotest"
    ]
    return sum(top) / 1e3


def row(name: str, milliseconds: list[float]) -> list[str]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(milliseconds, n=4)
    return [name, f"{middle:.1f}", f"{low:.1f} to {high:.1f}"]


def main() -> int:
    """Measure, print, and exit with 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description="Added milliseconds of pytest's start")
    parser.add_argument("--pairs", type=int, default=30, help="sessions of each kind")
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "test_empty.py").write_text("def test_empty() -> None:\n    pass\n")
        fresh = fresh_pairs(project, pairs)
        hooks = added_by_hooks(project, 3 * pairs)
        imports = [added_by_import() for _ in range(pairs)]
    rows = [
        row("a fresh pytest, with the plugin: wall-clock", [with_it[0] for with_it, _ in fresh]),
        row("a fresh pytest, -p no:reprotest: wall-clock", [without[0] for _, without in fresh]),
        row("a fresh pytest, with the plugin: processor", [with_it[1] for with_it, _ in fresh]),
        row("a fresh pytest, -p no:reprotest: processor", [without[1] for _, without in fresh]),
        row(
            "added to a fresh pytest: processor", [first[1] - second[1] for first, second in fresh]
        ),
        row("added by the plugin's import", imports),
        row("added by the plugin's hooks: processor", hooks),
    ]
    print(tabulate(rows, headers=["milliseconds", "median", "middle half"]))
    added = statistics.median(imports) + statistics.median(hooks)
    print(f"\nimport and hooks together add {added:.1f} ms (goal: under {GOAL:g} ms)")
    return int(added >= GOAL)


if __name__ == "__main__":
    sys.exit(main())
