"""What the summary says of audits that are held against a bank, a stored result or their own repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_reprotest.report.rows import (
    Audited,
    Layout,
    Row,
    figure,
    layouts,
    score_figure,
    verdict_word,
)
from pytest_reprotest.report.table import Cell, fold
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import Estimate

GATE_LEGEND = (
    "runs: new + bank. PD to bank: fraction of test samples on which a new run and one of the bank differ; "
    "in bank: two of the bank. Above at most it fails."
)


@dataclass(frozen=True)
class GateLayout:
    """The table of new runs that are held against a bank.

    Attributes
    ----------
    score : str
        Heading of the score's column.
    thresholds : bool
        Whether thresholds have a column.
    folded : bool
        Names may take several lines.
    """

    score: str
    thresholds: bool = True
    folded: bool = False

    @property
    def headings(self) -> list[str]:
        """The first line."""
        shown = ["test, regularizer", "runs", self.score, "PD to bank", "in bank", "at most"]
        return [*shown, *(["thresholds"] if self.thresholds else []), "verdict"]

    def cells(self, row: Row, name_width: int | None) -> list[Cell]:
        """The cells of a row, the name in at most ``name_width`` columns."""
        name = f"  {row.label}"
        names = [name] if name_width is None else fold(name, name_width, indent="    ")
        found = row.found
        if found is None:
            blanks = [["-"]] * (len(self.headings) - 3)
            return [names, ["0"], *blanks, ["does not fit"]]
        gate = found.gate
        runs = f"{found.n_runs} + {gate.n_bank}" if gate is not None else str(found.n_runs)
        shown = ["-"] * 3
        if gate is not None:
            shown = [figure(Estimate(value)) for value in (gate.new, gate.bank, gate.limit)]
        return [
            names,
            [runs],
            [score_figure(found, interval=False)],
            *([value] for value in shown),
            *([[" ".join(map(str, found.limits)) or "-"]] if self.thresholds else []),
            [verdict_word(found, row.audited)],
        ]


def gated(audits: Sequence[Audited]) -> bool:
    """Whether new runs were held against a bank."""
    found = (each for audited in audits for each in audited.result.by_regularizer.values())
    return any(each.gate is not None for each in found)


def layouts_of(shown: Sequence[Row]) -> Sequence[Layout | GateLayout]:
    """The tables to choose from, from rich to poor, for rows of one task."""
    names = shown[0].audited.result.task.names
    if not gated([row.audited for row in shown]):
        return layouts(names)
    score = names.score_short
    limited = any(row.found.limits for row in shown if row.found is not None)
    richest = (GateLayout(score),) if limited else ()
    return (
        *richest,
        GateLayout(score, thresholds=False),
        GateLayout(score, thresholds=False, folded=True),
    )


def sentences(result: AuditResult, verbosity: int) -> Iterator[str]:
    """What came of the gate, of each change and of a proof; at -v also what is as it should be."""
    path = result.settings.get("compared_with", "the stored result")
    for label, found in result.by_regularizer.items():
        if found.proof is not None and not found.proof.differences:
            yield f"{label}: {found.proof}"
        if found.proof is not None:
            yield from (f"{label}: {leak}" for leak in found.proof.leaks)
        if found.gate is not None and (found.gate.failed or verbosity >= 1):
            yield f"{label}: {found.gate}"
        for change in found.changes:
            if change.status != "same" or verbosity >= 1:
                yield f"{label}: against {path}: {change}"


def what_failed(failed: Sequence[RegularizerResult]) -> str | None:
    """Why regularizers fail that a reference or a proof speaks against; None where none does."""
    unproven = [found.proof is not None and bool(found.proof.differences) for found in failed]
    if any(unproven):
        told = "do not give the same bits when one seed is trained again"
        return told if all(unproven) else f"cannot be trusted or {told}"
    gates = [found.gate is not None and found.gate.failed for found in failed]
    if any(gates):
        told = "disagree with the bank more than it does with itself"
        return told if all(gates) else f"breach a threshold or {told}"
    worse = [any(change.status == "worse" for change in found.changes) for found in failed]
    if any(worse):
        told = "are worse than the stored result"
        return told if all(worse) else f"breach a threshold or {told}"
    return None
