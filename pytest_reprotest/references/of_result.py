"""The comparison: today's audit of a test held against a stored one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_reprotest.bank import ADAPTIVE
from pytest_reprotest.baseline import LEFT_OUT, BaselineComparison, compare_results, told_task
from pytest_reprotest.conditions import HOLDS, in_words, other_settings
from pytest_reprotest.differences import other_test_set
from pytest_reprotest.errors import DataError
from pytest_reprotest.options import Options
from pytest_reprotest.readers import MIN_RUNS
from pytest_reprotest.references.reference import Reference
from pytest_reprotest.result import AuditResult
from pytest_reprotest.tasks import Array, Task
from pytest_reprotest.thresholds import TOLERANCES
from pytest_reprotest.verdict import Verdict

_AGAIN = "Store new results with --repro-json"


class StoredAudit(Reference):
    """A stored audit of the test.

    Parameters
    ----------
    old : AuditResult
    path : str
        The file it is from, as the user wrote it.
    """

    def __init__(self, old: AuditResult, path: str) -> None:
        self._old = old
        self._path = path

    def asked(self, options: Options) -> Options:
        """The same; with too few runs for a decision they are refused.

        Raises
        ------
        DataError
        """
        if options.looks[0] < MIN_RUNS:
            raise DataError(
                f"{options.runs} runs can't be held against {self._path}: a change is decided with "
                f"confidence, which takes {MIN_RUNS} runs or more. Raise --repro-runs"
            )
        return options

    def check(
        self, task: Task, y_true: Array, settings: Mapping[str, Any], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Refuse a stored audit of another test set, or of too few runs."""
        old = self._old
        if old.task != task:
            raise DataError(
                f"{self._path} is of another task: {told_task(old.task)} there, {told_task(task)} here. "
                f"{_AGAIN}"
            )
        different = other_test_set(old.y_true, y_true)
        if different:
            raise DataError(f"{self._path} is of {different}. {_AGAIN}")
        for label in self._comparable(labels):
            if old[label].left_out:
                raise DataError(
                    f"{self._path} holds no predictions of {label!r}, and a change is told from them: "
                    f"{LEFT_OUT}. {_AGAIN} alone"
                )
            if old[label].n_runs < MIN_RUNS:
                raise DataError(
                    f"{self._path} holds {old[label].n_runs} runs of {label!r}; a change is decided with "
                    f"confidence, which takes {MIN_RUNS} runs or more. {_AGAIN}"
                )
        return ()

    def hold(self, result: AuditResult, options: Options) -> AuditResult:
        """Each regularizer's changes; a fail where one is worse by more than is tolerated."""
        settings = {**result.settings, "compared_with": self._path}
        if not self._comparable(result.regularizers):
            told = (
                f"held against nothing in {self._path}, which has no sound runs of "
                f"{', '.join(map(repr, result.regularizers))}"
            )
            return replace(result, settings=settings, notes=(*result.notes, told))
        tolerances = {name: self._tolerance(name, result, options) for name in TOLERANCES}
        compared = compare_results(result, self._old, tolerances, confidence=options.confidence)
        return replace(
            result,
            settings=settings,
            by_regularizer={
                label: replace(
                    found,
                    changes=compared.by_regularizer.get(label, ()),
                    verdict=self._verdict(found.verdict, compared.breaches(label)),
                )
                for label, found in result.by_regularizer.items()
            },
            notes=(*result.notes, *self._notes(compared)),
        )

    def _comparable(self, labels: Sequence[str]) -> list[str]:
        known = self._old.by_regularizer
        return [label for label in labels if label in known and not known[label].verdict.broken]

    @staticmethod
    def _tolerance(name: str, result: AuditResult, options: Options) -> dict[str, float]:
        return {
            label: limit.value
            for label in result.regularizers
            for limit in options.bounds.tolerances(label)
            if limit.name == name
        }

    def _verdict(self, verdict: Verdict, breaches: Sequence[str]) -> Verdict:
        if verdict.broken or not breaches:
            return verdict
        told = tuple(f"against {self._path}: {sentence}" for sentence in breaches)
        reasons = verdict.reasons if verdict.status == "fail" else ()
        return Verdict("fail", (*reasons, *told))

    def _notes(self, compared: BaselineComparison) -> tuple[str, ...]:
        notes = [f"against {self._path}: {warning}" for warning in compared.warnings]
        notes.extend(
            f"{label!r} {reason}, so it was not compared with {self._path}"
            for label, reason in compared.uncompared.items()
        )
        others = other_settings(compared.differences)
        if compared.status != "same" and others:
            notes.append(f"settings that differ from {self._path}: {'; '.join(map(str, others))}")
        changed = in_words(compared.differences)
        if changed:
            notes.append(f"fingerprint, {self._path} → now: {changed}. {HOLDS}")
        if "looks" in self._old.settings:
            notes.append(f"of {self._path}: {ADAPTIVE}")
        if compared.status == "better":
            notes.append(
                f"better than {self._path} by more than is tolerated: the baseline is stale. Store new "
                "results in its place (--repro-json)"
            )
        return tuple(notes)
