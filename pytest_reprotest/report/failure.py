"""Why regularizers fail, in words, and the message of a failed test."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pytest_reprotest.report.held import what_failed
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.report.table import wrap
from pytest_reprotest.report.terminal import remarks_on, shown_rows, table_of
from pytest_reprotest.result import AuditResult, RegularizerResult


def failure_in_words(failed: Sequence[RegularizerResult]) -> str:
    """Why regularizers fail, to follow their number."""
    told = what_failed(failed)
    unproven = any(found.proof is not None and found.proof.differences for found in failed)
    if any(found.verdict.broken for found in failed) and not unproven:
        return "cannot be trusted or breach a threshold"
    if told is not None:
        return told
    undecided = [found.verdict.status == "inconclusive" for found in failed]
    if all(undecided):
        return "can't be decided with so few runs"
    return "breach a threshold" + (" or can't be decided" if any(undecided) else "")


def explain(result: AuditResult, rerun: str, width: int = 100, spell: Spell = str) -> str:
    """The message of a failing test: each failing regularizer, why, and how to run just that.

    Parameters
    ----------
    rerun : str
        The command, without ``--repro-regularizers``.
    width : int
        Columns that nothing but names and commands exceeds.
    spell : callable
        Gives texts the letters that the terminal has.
    """
    failed = result.failed
    count = f"{len(failed)} of {len(result.by_regularizer)} regularizers"
    lines = [f"reproducibility: {count} {failure_in_words(failed)}"]
    for found in failed:
        for reason in found.verdict.reasons:
            runs = "1 run" if found.n_runs == 1 else f"{found.n_runs} runs"
            text = f"  {found.regularizer} ({runs}): {reason}"
            lines.extend(wrap(text, width, indent="    ", spell=spell))
    audits = [Audited(result)]
    lines.append("")
    lines.extend(line.text for line in table_of(shown_rows(audits, verbosity=0), width, spell))
    for remark in remarks_on(audits, verbosity=0):
        lines.extend(wrap(remark.text, width, spell=spell))
    lines.append("")
    lines.append("run just this again:")
    lines.extend(f"  {rerun} --repro-regularizers={shlex.quote(f.regularizer)}" for f in failed)
    return "\n".join(lines)
