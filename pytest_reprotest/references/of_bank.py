"""The gate: a few new runs of a test held against those of a bank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_reprotest.bank import check_comparable, next_run
from pytest_reprotest.baseline import told_task
from pytest_reprotest.errors import DataError
from pytest_reprotest.gates import gate
from pytest_reprotest.options import Options
from pytest_reprotest.references.reference import Reference
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics.gate import MIN_BANK
from pytest_reprotest.tasks import Array, Task
from pytest_reprotest.verdict import Verdict

_QUESTION = "with --repro-bank the question is whether runs still agree with the bank's"


class BankRuns(Reference):
    """The runs of a test in a bank.

    Parameters
    ----------
    bank : AuditResult
        Of the test, as ``Bank.reference`` gives it.
    """

    compares = False

    def __init__(self, bank: AuditResult) -> None:
        self._bank = bank
        self.first_run = next_run(bank)

    def asked(self, options: Options) -> Options:
        """So many new runs, held against the gate and what else a single run can be held against."""
        bounds, _ = options.bounds.of_single_runs()
        return replace(
            options,
            runs=options.bank_runs,
            max_runs=None,
            decision="point",
            compat=None,
            attribute=False,
            bounds=bounds,
            origins={**options.origins, "runs": options.origin("bank_runs")},
        )

    def check(
        self, task: Task, y_true: Array, settings: Mapping[str, Any], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Refuse a bank of another test set or training, or of too few runs."""
        bank = self._bank
        if bank.task != task:
            raise DataError(
                f"{bank.name}: the bank is of another task: {told_task(bank.task)} there, "
                f"{told_task(task)} here. Make a new bank with --repro-save-bank"
            )
        warnings = check_comparable(bank, settings, y_true, labels)
        for label in labels:
            n_runs = len(bank[label].predictions)
            if n_runs < MIN_BANK:
                raise DataError(
                    f"{bank.name}: the bank holds {n_runs} runs of {label!r}; expected at least "
                    f"{MIN_BANK}, since fewer don't say how much its runs differ. Make a new bank with "
                    "more runs: --repro-save-bank, --repro-runs"
                )
        return warnings

    def hold(self, result: AuditResult, options: Options) -> AuditResult:
        """Each regularizer's verdict by the gate."""
        _, not_held = options.bounds.of_single_runs()
        told = f"{' and '.join(not_held)} {'is' if len(not_held) == 1 else 'are'} not held"
        notes = [
            *([f"{told}: {_QUESTION}"] if not_held else []),
            *([f"nothing is attributed: {_QUESTION}"] if options.attribute else []),
        ]
        return replace(
            result,
            by_regularizer={
                label: self._judged(found) for label, found in result.by_regularizer.items()
            },
            notes=(*result.notes, *notes),
        )

    def _judged(self, found: RegularizerResult) -> RegularizerResult:
        if found.verdict.broken:
            return found
        held = gate(found.task, found.predictions, self._bank[found.regularizer].predictions)
        reasons = (*found.verdict.reasons, *((str(held),) if held.failed else ()))
        verdict = Verdict("fail", reasons) if reasons else Verdict("pass")
        return replace(found, gate=held, verdict=verdict)
