"""What is kept of an audit: how many samples each run had right, and on how many each two runs differed.

All that the study reports follows from these counts; predictions are not kept. From an audit's file to records:

    python -m regularizer_study.records depth2.json depth6.json -o results/published.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest import AuditResult
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.metrics import Tally
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import stored_audit
from pytest_reprotest.results_file import read_results
from pytest_reprotest.statistics import Summary, summarize

KEPT = (
    "seed", "vary", "engine", "device", "n_train", "n_test", "epochs", "batch_size", "optimizer", "lr",
    "momentum", "weight_decay", "versions",
)  # fmt: skip
"""Settings of an audit that a record keeps."""


class RecordsError(ValueError):
    """A file that holds no records, or audits that can't be made into some."""


@dataclass(frozen=True)
class Record:
    """An audit, reduced to counts.

    Attributes
    ----------
    test : str
        What stands in brackets after the test's name: for a cell its ``id``.
    labels : tuple of str
        Regularizers.
    runs : tuple of int
        Finished runs of each.
    n_samples : int
        Of the test set.
    correct : tuple of int
        Samples that each run has right: all runs, regularizer by regularizer.
    differing : tuple of int
        Samples on which two runs differ: each two of them, in the order (0, 1), (0, 2), … (1, 2), ….
    broken : mapping
        Label → why its runs can't be trusted, such as that they predict one class.
    seconds : mapping
        Label → training time.
    settings : mapping
        What determines the result, see ``KEPT``.
    """

    test: str
    labels: tuple[str, ...]
    runs: tuple[int, ...]
    n_samples: int
    correct: tuple[int, ...]
    differing: tuple[int, ...]
    broken: Mapping[str, str]
    seconds: Mapping[str, float]
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        n_runs = sum(self.runs)
        if len(self.labels) != len(self.runs) or len(self.correct) != n_runs:
            raise RecordsError(
                f"{self.test}: {len(self.correct)} counts of right samples and {len(self.labels)} labels for "
                f"{self.runs} runs"
            )
        if len(self.differing) != n_runs * (n_runs - 1) // 2:
            raise RecordsError(
                f"{self.test}: {len(self.differing)} counts of differing samples; expected one for each two "
                f"of {n_runs} runs"
            )
        if not all(0 <= count <= self.n_samples for count in (*self.correct, *self.differing)):
            raise RecordsError(
                f"{self.test}: a count is not between 0 and {self.n_samples} samples"
            )

    @cached_property
    def matrix(self) -> NDArray[np.int64]:
        """Samples on which each two runs differ, (n_runs, n_runs)."""
        n_runs = len(self.correct)
        found = np.zeros((n_runs, n_runs), np.int64)
        found[np.triu_indices(n_runs, 1)] = self.differing
        return found + found.T

    def place(self, label: str) -> slice:
        """Which runs are of a regularizer."""
        at = self.labels.index(label)
        start = sum(self.runs[:at])
        return slice(start, start + self.runs[at])

    def tally(self, label: str | None = None) -> Tally:
        """Counts of one regularizer, by default the first: what the package's estimates take."""
        own = self.place(self.labels[0] if label is None else label)
        return Tally(np.array(self.correct[own]), self.matrix[own, own].sum(axis=1), self.n_samples)

    def summary(self, label: str | None = None) -> Summary:
        """The package's estimates of one regularizer, with their intervals."""
        return summarize(self.tally(label))


def record(audit: AuditResult) -> Record:
    """The record of an audit of a classification.

    Raises
    ------
    RecordsError
    """
    found = [each for each in audit.by_regularizer.values() if each.n_runs]
    if not found:
        raise RecordsError(f"{audit.name}: no run was finished")
    labels = np.concatenate([each.predictions for each in found])
    differing = [
        int(count)
        for first in range(len(labels))
        for count in (labels[first] != labels[first + 1 :]).sum(axis=1)
    ]
    return Record(
        test=_bracketed(audit.name),
        labels=tuple(each.regularizer for each in found),
        runs=tuple(each.n_runs for each in found),
        n_samples=len(audit.y_true),
        correct=tuple(int(count) for count in (labels == audit.y_true).sum(axis=1)),
        differing=tuple(differing),
        broken={each.regularizer: _reasons(each) for each in found if each.verdict.broken},
        seconds={each.regularizer: round(each.seconds, 1) for each in found},
        settings=_kept(audit.settings),
    )


def _kept(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat = {**settings, **settings.get("training", {})}
    return {key: flat[key] for key in KEPT if key in flat}


def _bracketed(name: str) -> str:
    found = re.search(r"\[(.*)\]", name)
    return found[1] if found else name


def _reasons(found: RegularizerResult) -> str:
    return "; ".join(found.verdict.reasons)


def read_records(path: Path) -> tuple[Record, ...]:
    """The records of a file.

    Raises
    ------
    RecordsError
        The message names the file.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_record(each) for each in stored["records"])
    except FileNotFoundError:
        raise RecordsError(
            f"{path} does not exist; python -m regularizer_study.records writes it, see the README"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordsError(
            f"{path} holds no records of the study ({type(error).__name__}: {error}); expected a file that "
            "python -m regularizer_study.records wrote"
        ) from None


def _record(stored: Mapping[str, Any]) -> Record:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
    }
    return Record(**values)


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records by the name of their test, one a line."""
    ordered = sorted(records, key=lambda each: (each.test, each.settings.get("seed", 0)))
    lines = ",\n".join(json.dumps(asdict(each), allow_nan=False) for each in ordered)
    path.write_text(f'{{"records": [\n{lines}\n]}}\n', encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the records of results that ``--repro-json`` wrote."""
    parser = argparse.ArgumentParser(
        prog="python -m regularizer_study.records", description="Keep the counts of audits."
    )
    parser.add_argument("results", nargs="+", type=Path, help="files that --repro-json wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    given = parser.parse_args(arguments)
    records = []
    try:
        for path in given.results:
            file = read_results(path)
            for name in file.audits:
                audit = stored_audit(file, name)
                if any(each.n_runs for each in audit.by_regularizer.values()):
                    records.append(record(audit))
                else:
                    print(f"left out: {name} of {path} finished no run", file=sys.stderr)
        write_records(given.output, records)
    except (ReprotestError, RecordsError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(f"{len(records)} records in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
