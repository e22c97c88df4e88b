"""How long the dashboard takes over a folder of many results; the figures of docs/dashboard.md.

Run as ``python benchmarks/dashboard.py [files]``. Each file holds one audit of three regularizers.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pytest_reprotest import audit_predictions
from pytest_reprotest.dashboard.app import made
from pytest_reprotest.dashboard.index import Index
from pytest_reprotest.results_file import write_results

TRUTH = np.arange(500) % 10
NOTHING = {"test": [], "regularizer": [], "verdict": [], "period": ""}


def write(folder: Path, files: int) -> None:
    """Audits of labels that are wrong at random."""
    rng = np.random.default_rng(0)
    for number in range(files):
        labels = {
            name: np.where(rng.random((5, len(TRUTH))) < wrong, rng.integers(0, 10), TRUTH)
            for name, wrong in (("none", 0.2), ("dropout", 0.15), ("layer_norm", 0.1))
        }
        result = audit_predictions(labels, TRUTH, name="tests/test_net.py::test_net")
        write_results(folder / f"{number:05d}.json", [result.to_dict()])


def timed(what: str, call: Callable[[], Any]) -> Any:
    """Tell how long a call takes."""
    start = time.perf_counter()
    found = call()
    size = f", {len(found.data) / 1e6:.2f} MB" if hasattr(found, "data") else ""
    print(f"{what}: {time.perf_counter() - start:.3f} s{size}")
    return found


def main(files: int) -> None:
    """Time what a page asks for."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), files)
        index = Index(Path(name))
        print(f"{files} files")
        timed("all files read", index.refresh)
        timed("nothing changed", index.refresh)
        client = made(index, None).test_client()
        callbacks: list[dict[str, Any]] = client.get("/_dash-dependencies").json or []

        def ask(output: str, **values: Any) -> Any:
            (found,) = [each for each in callbacks if output in each["output"]]
            names = [each.rsplit(".", 1) for each in found["output"].strip(".").split("...")]

            def filled(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
                return [{**part, "value": values.get(part["id"])} for part in parts]

            return client.post(
                "/_dash-update-component",
                json={
                    "output": found["output"],
                    "outputs": [{"id": id_, "property": prop} for id_, prop in names],
                    "inputs": filled(found["inputs"]),
                    "state": filled(found["state"]),
                    "changedPropIds": [],
                },
            )

        key = index.snapshot.entries[-1].key
        ask("effective.figure", filters=NOTHING)  # libraries are loaded
        timed("figures and table", lambda: ask("effective.figure", filters=NOTHING))
        one = {**NOTHING, "regularizer": ["none"]}
        timed("one regularizer", lambda: ask("effective.figure", filters=one))
        opened = {"open": key, "beside": ""}
        timed("controls of a result", lambda: ask("open.options", opened=opened))
        timed("a result", lambda: ask("opened-body.children", opened=opened))
        timed("the same again", lambda: ask("opened-body.children", opened=opened))
        print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
