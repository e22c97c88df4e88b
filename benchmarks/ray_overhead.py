"""What Ray costs for each chunk of runs, beside worker processes and this process.

    python benchmarks/ray_overhead.py [--chunks 200] [--repeats 5]

A chunk here is one run that trains nothing and returns the labels of 1,000 test samples, so that what is timed
is the way there and back: the chunk given out, its outcome sent, received and yielded. One worker each, which has
started and has the data; what starting takes is told apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from tabulate import tabulate

from pytest_reprotest import FunctionTrainer
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.execution.ray_cluster import RayExecutor
from pytest_reprotest.interfaces import Executor, Placement
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.regularizers import none

N_SAMPLES = 1_000

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "this process": LocalExecutor,
    "a worker process": lambda: ProcessExecutor(1, ["cpu"]),
    "a Ray actor": lambda: RayExecutor("cpu", 1),
}


def empty() -> FunctionTrainer:
    """A trainer that takes no time."""
    labels = np.arange(N_SAMPLES) % 10
    return FunctionTrainer(lambda run: np.roll(labels, run.index), y_true=labels)


def seconds(executor: Executor, chunks: int) -> float:
    """How long so many chunks of one run take."""
    plan = make_plan(Options(runs=chunks), ["none"])
    started = time.perf_counter()
    for outcome in executor.run(empty(), plan, {"none": none()}, Placement(chunk=1)):
        assert outcome.failure is None, outcome.failure
    return time.perf_counter() - started


def overhead(make: Callable[[], Executor], chunks: int, repeats: int) -> tuple[float, list[float]]:
    """Seconds to the end of the first audit of two chunks, and ms per chunk of each later one."""
    started = time.perf_counter()
    executor = make()
    try:
        seconds(executor, 2)
        first = time.perf_counter() - started
        return first, [seconds(executor, chunks) / chunks * 1e3 for _ in range(repeats)]
    finally:
        executor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    rows = []
    for name, make in EXECUTORS.items():
        first, each = overhead(make, given.chunks, given.repeats)
        rows.append([name, statistics.median(each), min(each), max(each), first])
    headers = ["where", "ms per chunk", "lowest", "highest", "s to the first outcomes"]
    print(tabulate(rows, headers, tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
