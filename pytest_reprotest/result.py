"""The finished audit: frozen, self-describing, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pytest_reprotest.comparisons import comparison_in, comparison_out
from pytest_reprotest.details import Details, details_of
from pytest_reprotest.errors import DataError, did_you_mean
from pytest_reprotest.fingerprint import versions
from pytest_reprotest.pictures import Pictures
from pytest_reprotest.regularizer_result import NO_SUMMARY, RegularizerResult
from pytest_reprotest.results_file import ResultsFile, no_result, read_result, write_results
from pytest_reprotest.statistics import Comparison
from pytest_reprotest.stored import (
    MAX_ARRAY_BYTES,
    entry,
    pack,
    packed_bytes,
    texts,
    texts_by_name,
    too_large,
    unpack,
)
from pytest_reprotest.tasks import CLASSIFICATION, Array, Task, stored_task

__all__ = ["NO_SUMMARY", "AuditResult", "RegularizerResult", "stored_audit", "versions"]


@dataclass(frozen=True, eq=False)
class AuditResult:
    """A finished audit.

    ``result["dropout"]`` is the RegularizerResult of a label.

    Attributes
    ----------
    name : str
        The test's node id, or empty.
    by_regularizer : mapping
        Label → RegularizerResult, in the order they were asked for.
    y_true : array (n_samples,)
        Labels; of a regression floats, of several labels (n_samples, n_labels).
    baseline : str
        The label that others are held against.
    not_applicable : mapping
        Label → the reason why a regularizer that "all" named does not fit this model.
    settings : mapping
        What determines the result: seed, vary, device, recipe, versions. JSON primitives.
    notes : tuple of str
        Sentences for the report.
    report_only : bool
        Breached thresholds do not count against ``passed``.
    task : Task
    comparisons : mapping
        Label → the regularizer held against the baseline.
    on_inconclusive : {"fail", "pass", "skip"}
        Whether a regularizer whose thresholds could not be decided counts against ``passed``.
    pictures : Pictures or None
        Of the samples that flip most, where inputs look like images.
    """

    name: str
    by_regularizer: Mapping[str, RegularizerResult]
    y_true: Array
    baseline: str
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    report_only: bool = False
    task: Task = CLASSIFICATION
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    on_inconclusive: str = "fail"
    pictures: Pictures | None = None

    def __getitem__(self, regularizer: str) -> RegularizerResult:
        try:
            return self.by_regularizer[regularizer]
        except KeyError:
            raise KeyError(
                f"no regularizer {regularizer!r} in this audit; it has "
                f"{', '.join(self.regularizers)}.{did_you_mean(regularizer, self.regularizers)}"
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuditResult) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.regularizers))

    @property
    def regularizers(self) -> tuple[str, ...]:
        """The audited labels."""
        return tuple(self.by_regularizer)

    @property
    def failed(self) -> tuple[RegularizerResult, ...]:
        """The regularizers that count against the audit: broken ones, and others unless report_only."""
        counting = [] if self.report_only else ["fail"]
        if counting and self.on_inconclusive == "fail":
            counting.append("inconclusive")
        return tuple(
            found
            for found in self.by_regularizer.values()
            if found.verdict.broken or found.verdict.status in counting
        )

    @property
    def inconclusive(self) -> tuple[RegularizerResult, ...]:
        """The regularizers whose thresholds could not be decided."""
        return tuple(
            found
            for found in self.by_regularizer.values()
            if found.verdict.status == "inconclusive"
        )

    def details(self, regularizer: str) -> Details | None:
        """Ambiguity, discrepancy, flips by class and the like; None with fewer than 2 finished runs, or
        where a file holds neither their predictions nor these.
        """
        found = self[regularizer]
        if found.left_out:
            return found.stored_details
        if len(found.predictions) < 2:
            return None
        return details_of(self.task, found.predictions, self.y_true, found.score_distance)

    @property
    def passed(self) -> bool:
        """Whether something was audited and nothing counts against it."""
        return bool(self.by_regularizer) and not self.failed

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        by_regularizer = {name: found.to_dict() for name, found in self.by_regularizer.items()}
        for name, stored in by_regularizer.items():
            details = self.details(name)
            stored["details"] = None if details is None else details.to_dict()
        return {
            "name": self.name,
            "task": self.task.to_dict(),
            "baseline": self.baseline,
            "report_only": self.report_only,
            "passed": self.passed,
            "notes": list(self.notes),
            "settings": dict(self.settings),
            "not_applicable": dict(self.not_applicable),
            "on_inconclusive": self.on_inconclusive,
            "comparisons": {name: comparison_out(c) for name, c in self.comparisons.items()},
            "regularizers": by_regularizer,
            "y_true": pack(self.y_true),
            **({} if self.pictures is None else {"pictures": self.pictures.to_dict()}),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> AuditResult:
        """The inverse of ``to_dict``; entries that it does not know are left alone.

        Raises
        ------
        DataError
            Where it is not what ``to_dict`` gives.
        """
        by_regularizer = entry(stored, "regularizers", dict)
        each = {name: entry(by_regularizer, name, dict) for name in by_regularizer}
        size = sum(packed_bytes(found.get("predictions")) for found in each.values())
        if size > MAX_ARRAY_BYTES:
            raise too_large(size)
        task = stored_task(stored.get("task"))
        y_true = unpack(stored.get("y_true"), task.y_true_dims, task.floats)
        if not len(y_true):
            raise DataError("y_true holds no sample; expected at least 1")
        compared = entry({"comparisons": {}, **stored}, "comparisons", dict)
        by_label = {
            name: RegularizerResult.from_dict(name, found, len(y_true), task)
            for name, found in each.items()
        }
        for found in by_label.values():
            if len(found.predictions):
                task.check_stored(found.predictions, y_true)
        on_inconclusive = entry({"on_inconclusive": "fail", **stored}, "on_inconclusive", str)
        if on_inconclusive not in ("fail", "pass", "skip"):
            raise DataError(
                f"on_inconclusive is {on_inconclusive!r:.40}; expected fail, pass or skip"
            )
        return cls(
            name=entry(stored, "name", str),
            by_regularizer=by_label,
            y_true=y_true if task.floats else y_true.astype(np.int64),
            baseline=entry(stored, "baseline", str),
            not_applicable=texts_by_name(stored, "not_applicable"),
            settings=_settings_in(entry(stored, "settings", dict)),
            notes=texts(stored, "notes"),
            report_only=entry(stored, "report_only", bool),
            task=task,
            comparisons={name: comparison_in(entry(compared, name, dict)) for name in compared},
            on_inconclusive=on_inconclusive,
            pictures=Pictures.from_dict(entry(stored, "pictures", dict), len(y_true))
            if "pictures" in stored
            else None,
        )

    def to_json(self, path: str | Path) -> None:
        """Write this audit to a file, atomically."""
        write_results(path, [self.to_dict()])

    @classmethod
    def from_json(cls, path: str | Path) -> AuditResult:
        """Read a file that holds one audit.

        Raises
        ------
        DataError
            Where the file is no result, or holds several audits.
        """
        return _decoded(path, read_result(path))


def stored_audit(file: ResultsFile, name: str) -> AuditResult:
    """The audit of a test in a file.

    Raises
    ------
    DataError
        Where the test is not in the file, or its audit can't be read.
    """
    if name not in file.audits:
        raise DataError(
            f"{file.path} holds no audit of {name!r}; it holds {', '.join(map(repr, file.audits)) or 'none'}."
            f"{did_you_mean(name, file.audits)}"
        )
    return _decoded(file.path, file.audits[name])


def _settings_in(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings; those that are read by their name are of the kind that is expected there."""
    if "origins" in stored:
        texts_by_name(stored, "origins")
    if "training" in stored:
        entry(stored, "training", dict)
    return stored


def _decoded(path: str | Path, stored: Any) -> AuditResult:
    try:
        return AuditResult.from_dict(stored)
    except DataError as error:
        raise no_result(path, error) from None
