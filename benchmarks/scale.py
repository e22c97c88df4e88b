"""What long audits cost beside their trainings: the store, answers from it, memory, and workers.

    python benchmarks/scale.py [store] [cached] [memory] [workers] [--repeats 5]

- store: seconds of an audit of the digits that keeps its runs, less those of one that does not, as a share of
  training; by turns, in one process, one thread, medians.
- cached: the audit of the digits under all regularizers, 10 runs each, answered from a store in a fresh process: the
  seconds of the audit, once torch is imported.
- memory: of the controller, with two workers, from 10 to 1,000 tiny runs.
- workers: one against two, the same runs, sequential engine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from tabulate import tabulate
from torch import nn

from pytest_reprotest import AuditResult, FunctionTrainer, audit
from pytest_reprotest.store.executor import StoringExecutor
from pytest_reprotest.store.kept import Kept

y_true = np.arange(100) % 10


def make_mlp() -> nn.Module:
    """The digits example's net."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def digits(**settings: Any) -> tuple[float, AuditResult]:
    """Seconds of an audit of the digits, and its result."""
    inputs, targets = load_digits(return_X_y=True)
    inputs = (inputs / 16.0).astype("float32")
    data: dict[str, Any] = {
        "train": (inputs[:1437], targets[:1437]),
        "test": (inputs[1437:], targets[1437:]),
    }
    started = time.perf_counter()
    found = audit(make_mlp, **data, batch_size=64, device="cpu", **settings)
    return time.perf_counter() - started, found


def drawn(run: Any) -> Any:
    """A training of microseconds."""
    return run.generator("noise", kind="numpy").permutation(y_true)


def of_store(repeats: int) -> list[tuple[str, str]]:
    """The share of training that keeping its runs takes."""
    asked = {"epochs": 20, "runs": 5, "regularizers": "none,dropout", "engine": "sequential"}
    inside: list[float] = []
    for of, name in ((Kept, "keep"), (Kept, "take"), (StoringExecutor, "_context")):
        setattr(of, name, timed(getattr(of, name), inside))
    apart, within = [], []
    for _ in range(repeats + 1):
        inside.clear()
        with tempfile.TemporaryDirectory() as folder:
            plain, _ = digits(**asked)
            kept, found = digits(**asked, store=folder)
        training = sum(each.seconds for each in found.by_regularizer.values())
        apart.append(100 * (kept - plain) / training)
        within.append(100 * sum(inside) / training)
    return [
        ("with a store less without, % of training", told(apart[1:])),
        ("in calls of the store, % of training", told(within[1:])),
    ]


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which notes how long it takes."""

    def run(*given: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*given)
        finally:
            seconds.append(time.perf_counter() - started)

    return run


CACHED = """
import sys, time
sys.path[:0] = {path!r}
import scale
clocks = lambda: (time.perf_counter(), time.process_time())
started = clocks()
# torch imports its compiler with the first optimizer of a process, whoever makes it
scale.torch.optim.SGD([scale.torch.zeros(1, requires_grad=True)], lr=0.1).step()
late = clocks()
scale.digits(regularizers="all", runs=10, epochs=20, store={store!r})
ended = clocks()
print(*(b - a for a, b in ((started[0], late[0]), (late[0], ended[0]), (late[1], ended[1]))))
"""


def of_cached(repeats: int) -> list[tuple[str, str]]:
    """Seconds until a store has answered, in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        script = CACHED.format(path=[str(Path(__file__).parent), *sys.path], store=folder)
        first, *others = [
            [
                float(each)
                for each in subprocess.check_output([sys.executable, "-c", script]).split()
            ]
            for _ in range(repeats + 1)
        ]
    compiler, wall, processor = (list(column) for column in zip(*others, strict=True))
    return [
        ("audit that trains, s", f"{first[1]:.2f}"),
        ("the same from the store, s", told(wall)),
        ("of the processor", told(processor)),
        ("torch's late import of its compiler, s", told(compiler)),
    ]


MEMORY = """
import pathlib, sys
sys.path[:0] = {path!r}
import scale
scale.audit(scale.FunctionTrainer(scale.drawn, y_true=scale.y_true), runs={runs}, workers=2, store={store!r})
held = dict(line.split(":") for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(int(held["VmHWM"].split()[0]) / 1024)
"""


def of_memory(_: int) -> list[tuple[str, str]]:
    """The most that the controller held, in MiB."""
    rows = []
    for runs in (10, 100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            path = [str(Path(__file__).parent), *sys.path]
            script = MEMORY.format(path=path, runs=runs, store=folder)
            held = float(subprocess.check_output([sys.executable, "-c", script], text=True))
        rows.append((f"controller after {runs} runs, MiB", f"{held:.0f}"))
    return rows


def of_workers(repeats: int) -> list[tuple[str, str]]:
    """How much faster two workers are than one, both in worker processes that are warm."""
    from pytest_reprotest._audit import run_audit
    from pytest_reprotest.execution.processes import ProcessExecutor
    from pytest_reprotest.options import Options
    from pytest_reprotest.registry import Registry

    def spin(run: Any) -> Any:
        a = torch.randn(64, 64, generator=run.generator("init"))
        for _ in range(4000):
            a = torch.tanh(a @ a * 0.1)
        return run.generator("noise", kind="numpy").permutation(y_true)

    executors = [ProcessExecutor(count) for count in (1, 2)]
    trainer, ratios = FunctionTrainer(spin, y_true=y_true), []
    for _ in range(repeats + 1):  # the first starts the workers
        seconds = []
        for executor in executors:
            started = time.perf_counter()
            options = Options(runs=20, device="cpu")
            run_audit(trainer, options, Registry(), executor=executor)
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    for executor in executors:
        executor.close()
    return [("two workers against one", told(ratios[1:]))]


def told(found: list[float]) -> str:
    """The median, with the extremes."""
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


PARTS: dict[str, Callable[[int], list[tuple[str, str]]]] = {
    "store": of_store,
    "cached": of_cached,
    "memory": of_memory,
    "workers": of_workers,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.parts or PARTS:
        rows = [*PARTS[name](given.repeats), ("load of the machine", f"{os.getloadavg()[0]:.1f}")]
        print(tabulate(rows), flush=True)


if __name__ == "__main__":
    main()
