"""What reports take: each writer of a session's end, and the page in a browser.

    python benchmarks/reports.py [--regularizers 11] [--runs 20] [--samples 10000] [--pictures] [--turns 3]

One audit is made up, written by every writer, and its page opened in chromium (``CHROMIUM`` names one
elsewhere; it takes playwright). Seconds are of the wall and of the processor: on a busy
machine the second is the one to compare. Writers are timed by turns, the median is shown; libraries are
imported once, as in a session, and that is a line of its own.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from pytest_reprotest import audit_predictions
from pytest_reprotest.flags import WRITTEN
from pytest_reprotest.pictures import MOST_SIDE, Pictures
from pytest_reprotest.registry import load
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.result import AuditResult

Seconds = tuple[float, float]
SORTED = "document.querySelectorAll('.sortable tbody tr').length"
DRAWN = "document.querySelector('.plot .main-svg') !== null"


def made_up(n_regularizers: int, n_runs: int, n_samples: int, pictures: bool) -> AuditResult:
    """An audit whose runs are wrong on a tenth of the samples, with losses of 20 epochs."""
    generator = np.random.default_rng(0)
    truth = np.arange(n_samples) % 10

    def runs() -> np.ndarray:
        flips = generator.random((n_runs, n_samples)) < 0.1
        return np.where(flips, generator.integers(0, 10, flips.shape), truth)

    labels = {f"regularizer_{number}": runs() for number in range(n_regularizers)}
    result = audit_predictions(labels, truth, name="tests/test_made_up.py::test_made_up")
    losses = tuple(tuple((generator.random(20) + 1).tolist()) for _ in range(n_runs))
    found = {label: replace(each, losses=losses) for label, each in result.by_regularizer.items()}
    result = replace(result, by_regularizer=found)
    if not pictures:
        return result
    details = [result.details(label) for label in result.regularizers]
    prone = (sample for each in details if each for sample, _ in each.most_flip_prone)
    samples = tuple(dict.fromkeys(prone))
    pixels = generator.integers(0, 256, (len(samples), MOST_SIDE, MOST_SIDE, 3), dtype=np.uint8)
    return replace(result, pictures=Pictures(samples, pixels))


def timed(work: Callable[..., object], *arguments: object) -> Seconds:
    """Seconds of the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - wall, time.process_time() - processor


def opened(page: Path) -> list[tuple[str, float]]:
    """Seconds until the page in chromium is read, its table sorted by a click, and a figure drawn; and those
    of the processor, over all of chromium's processes, less what an empty page takes.
    """
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    sync_api = importlib.import_module("playwright.sync_api")

    def visit(look: Callable[[Any], None]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            look(browser.new_page(viewport={"width": 1100, "height": 900}))
            browser.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    told: list[tuple[str, float]] = []

    def look(tab: Any) -> None:
        started = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        told.append(("read", time.perf_counter() - started))
        tab.click(".sortable th:nth-child(3) button")
        assert tab.evaluate(SORTED)
        told.append(("sorted by a click", time.perf_counter() - started))
        while not tab.evaluate(DRAWN):
            tab.wait_for_timeout(10)
        told.append(("first figure drawn", time.perf_counter() - started))

    empty = visit(lambda tab: tab.goto("about:blank"))
    processor = visit(look) - empty
    return [*told, ("all of it, of the processor", processor)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regularizers", type=int, default=11)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--pictures", action="store_true", help="of noise, which compresses worst")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    stored = made_up(given.regularizers, given.runs, given.samples, given.pictures).to_dict()
    rows: list[tuple[str, float, float, str]] = []
    imports = timed(
        lambda: [
            importlib.import_module(f"pytest_reprotest.report.plots.{name}")
            for name in ("interactive", "static")
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        turns: dict[str, list[Seconds]] = {}
        sizes: dict[str, int] = {}
        for _ in range(given.turns):
            finished = Finished([stored], [""])
            turns.setdefault("decoding", []).append(timed(getattr, finished, "audits"))
            for flag in WRITTEN:
                path = Path(folder, f"out.{flag.key}")
                took = timed(load(flag.writer), path, finished)
                turns.setdefault(flag.option, []).append(took)
                files = path.iterdir() if path.is_dir() else [path]
                sizes[flag.option] = sum(file.stat().st_size for file in files)
        rows.append(("importing Plotly and matplotlib", *imports, ""))
        for name, each in turns.items():
            wall, processor = (statistics.median(took[at] for took in each) for at in (0, 1))
            rows.append((name, wall, processor, f"{sizes[name]:,}" if name in sizes else ""))
        without = [row for row in rows if row[0] != "--repro-plots"]
        for name, summed in (("all but --repro-plots", without), ("all", rows[:])):
            rows.append((name, sum(row[1] for row in summed), sum(row[2] for row in summed), ""))
        print(tabulate(rows, ["", "wall s", "processor s", "bytes"], "github", floatfmt=".2f"))
        print()
        for what, seconds in opened(Path(folder, "out.html")):
            print(f"{what}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
