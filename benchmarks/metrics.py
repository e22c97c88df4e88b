"""What the metrics cost at 1000 runs × 10,000 samples, beside a loop over pairs of runs.

    python benchmarks/metrics.py [--repeats 5] [--runs 1000] [--samples 10000] [--only labels,memory,others]

- labels: mean PD with its jackknife interval (hits, disagreements and ``summarize``), and the full pairwise
  matrix, against ``for i: for j < i: (p[i] != p[j]).mean()`` in NumPy, timed in turn. Of that loop some rows
  over the whole range are timed and taken for all pairs. The labels are of the simulator (10 classes,
  PD 9%), as the package keeps them (uint8) and as an argmax gives them (int64); and drawn at random (PD
  90%), the worst case of the matrix.
- memory: peak resident memory of each beyond the predictions, in a process of its own.
- others: regression with a tolerance, and the same number of cells as ten labels a sample; for information.

Exits with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from simulation import simulate
from tabulate import tabulate

from pytest_reprotest import metrics
from pytest_reprotest.metrics import Fractions, Labels, Tally, multilabel, regression
from pytest_reprotest.statistics.intervals import Summary, summarize

SECONDS_OF_PD, SECONDS_OF_MATRIX, GAIN, MEMORY = 0.5, 4.0, 50.0, 1000.0
_N_LABELS = 10


@dataclass(frozen=True)
class Kind:
    """Labels of one origin, int arrays (n_runs, n_samples) and (n_samples,)."""

    name: str
    predictions: Labels
    y_true: Labels


def kinds(n_runs: int, n_samples: int) -> list[Kind]:
    rng = np.random.default_rng(0)
    labels, y_true = simulate(n_runs, n_samples, rng)
    anything = rng.integers(0, 10, labels.shape, dtype=np.uint8)
    return [
        Kind("uint8", labels, y_true),
        Kind("int64", labels.astype(np.int64), y_true),
        Kind("uint8 at random", anything, y_true),
    ]


def estimates(predictions: Labels, y_true: Labels) -> Summary:
    """Mean PD and accuracy, and all that follows from them, with jackknife intervals."""
    right, differing = metrics.hits(predictions, y_true), metrics.disagreements(predictions)
    return summarize(Tally(right, differing, predictions.shape[1]))


def pair_loop(predictions: Labels) -> float:
    """Seconds of the loop over all pairs, from four of its rows that lie over the whole range."""
    n_runs = len(predictions)
    rows = [n_runs * quarter // 4 - (quarter == 4) for quarter in range(1, 5)]
    kept = []
    started = time.perf_counter()
    for i in rows:
        for j in range(i):
            kept.append((predictions[i] != predictions[j]).mean())
    seconds = time.perf_counter() - started
    return seconds * (n_runs * (n_runs - 1) / 2) / len(kept)


def timed(compute: Callable[[], Any]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started


def in_turn(ways: Sequence[Callable[[], float]], repeats: int) -> list[list[float]]:
    """Seconds of several ways, each turn all of them: one list a way."""
    turns = [[way() for way in ways] for _ in range(repeats)]
    return [list(times) for times in zip(*turns, strict=True)]


def gain(own: Sequence[float], other: Sequence[float]) -> tuple[float, str]:
    """Median of other over own, and that with the extremes."""
    ratios = sorted(b / a for a, b in zip(own, other, strict=True))
    median = statistics.median(ratios)
    return median, f"{median:.0f} ({ratios[0]:.0f} to {ratios[-1]:.0f})"


def check(kind: Kind, matrix: Fractions) -> None:
    """What is timed is right: the mean, and a row against the loop."""
    predictions = kind.predictions
    last = [(predictions[-1] != run).mean() for run in predictions]
    np.testing.assert_allclose(matrix[-1], last, rtol=0, atol=1e-12)
    n_runs = len(predictions)
    found = estimates(predictions, kind.y_true).prediction_difference.value
    np.testing.assert_allclose(found, matrix.sum() / (n_runs * (n_runs - 1)), rtol=0, atol=1e-12)


def labels(n_runs: int, n_samples: int, repeats: int) -> bool:
    """Whether all goals are met."""
    rows, met = [], True
    for kind in kinds(n_runs, n_samples):
        predictions, y_true = kind.predictions, kind.y_true
        check(kind, metrics.pairwise_differences(predictions))
        ways: list[Callable[[], float]] = [
            partial(timed, partial(estimates, predictions, y_true)),
            partial(timed, partial(metrics.pairwise_differences, predictions)),
            partial(pair_loop, predictions),
        ]
        mean, matrix, loop = in_turn(ways, repeats)
        ratio, told = gain(mean, loop)
        middle = statistics.median
        met &= middle(mean) < SECONDS_OF_PD and middle(matrix) < SECONDS_OF_MATRIX and ratio >= GAIN
        rows.append(
            [
                kind.name,
                f"{middle(mean):.3f}",
                f"{middle(matrix):.2f}",
                f"{middle(loop):.1f}",
                told,
                gain(matrix, loop)[1],
            ]
        )
    heads = ["labels", "PD, s", "matrix, s", "pair loop, s", "PD, times", "matrix, times"]
    print(tabulate(rows, headers=heads, disable_numparse=True))
    print(
        f"PD is with jackknife (goal: under {SECONDS_OF_PD} s, {GAIN:g} times the loop); matrix (goal: "
        f"under {SECONDS_OF_MATRIX:g} s). Of the loop's pairs four rows were timed.",
        flush=True,
    )
    return met


def memory(n_runs: int, n_samples: int) -> bool:
    """Measured in processes of their own, this file with --memory-child."""
    met = True
    fresh = {
        **os.environ,
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }  # no array in memory that is left over
    for what in ("PD", "matrix"):
        command = [sys.executable, __file__, "--memory-child", what]
        command += ["--runs", str(n_runs), "--samples", str(n_samples)]
        run = subprocess.run(command, env=fresh, check=True, capture_output=True, text=True)
        met &= float(run.stdout) < MEMORY
        print(
            f"{what}: {float(run.stdout):.0f} MB at the peak beyond the predictions (goal: under "
            f"{MEMORY:g})"
        )
    return met


def memory_child(what: str, n_runs: int, n_samples: int) -> None:
    """Print how far the peak of resident memory rises, MB."""
    kind = kinds(n_runs, n_samples)[1]
    small = kind.predictions[:2, :64].copy()
    estimates(small, kind.y_true[:64])  # imports, tables
    metrics.pairwise_differences(small)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = peak_memory()
    if what == "PD":
        estimates(kind.predictions, kind.y_true)
    else:
        metrics.pairwise_differences(kind.predictions)
    print(peak_memory() - before)


def peak_memory() -> float:
    """The largest resident memory of this process, MB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def others(n_runs: int, n_samples: int, repeats: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=n_samples) + 0.1 * rng.normal(size=(n_runs, n_samples))
    cells = rng.random((n_runs, n_samples // _N_LABELS, _N_LABELS)) < 0.1
    sets = cells.astype(np.uint8)
    ways: dict[str, Callable[[], Any]] = {
        "regression, PD": lambda: regression.disagreements(values, 0.3),
        "regression, matrix": lambda: regression.pairwise_differences(values, 0.3),
        "several labels, PD": lambda: multilabel.disagreements(sets),
        "several labels, matrix": lambda: multilabel.pairwise_differences(sets),
    }
    turns = in_turn([partial(timed, way) for way in ways.values()], repeats)
    for name, times in zip(ways, turns, strict=True):
        print(f"{name}: {statistics.median(times):.2f} s")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--only", default="labels,memory,others")
    parser.add_argument("--memory-child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = options.runs, options.samples
    if options.memory_child:
        memory_child(options.memory_child, *size)
        return 0
    print(f"{platform.machine()}, NumPy {np.__version__}, {size[0]} runs × {size[1]} samples")
    wanted = options.only.split(",")
    met = labels(*size, options.repeats) if "labels" in wanted else True
    met &= memory(*size) if "memory" in wanted else True
    if "others" in wanted:
        others(*size, min(options.repeats, 3))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
