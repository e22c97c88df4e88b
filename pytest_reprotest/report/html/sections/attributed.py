"""What the differences come from: one source of chance after the other."""

from __future__ import annotations

from typing import Any

from pytest_reprotest.report.html.section import Block, Choice, Picture, Section, listed
from pytest_reprotest.report.html.sections.spread import PD
from pytest_reprotest.report.plots import Forest, Row
from pytest_reprotest.result import AuditResult


def attribution(result: AuditResult) -> Section | None:
    """The prediction difference where one thing alone varies, from nothing to everything."""
    pictures, told = {}, []
    for label, found in result.by_regularizer.items():
        climbed: Any = getattr(found, "attribution", None)
        if climbed is None:
            continue
        told += [f"{label}: {sentence}" for sentence in climbed.meaning]
        rows = [Row(rung.name, rung.prediction_difference) for rung in climbed.rungs if rung.n_runs]
        if rows:
            forest = Forest("", PD, rows, zero=None)
            pictures[label] = Picture(f"Sources of the difference under {label}", forest)
    if not told and not pictures:
        return None
    ladder: list[Block] = [Choice("Sources under", pictures)] if pictures else []
    return Section(
        "Where the difference comes from",
        "The prediction difference where one thing alone varies between runs, with 95% intervals: from "
        "nothing (identical) over one weight moved by its last bit (one_ulp) to everything (all). Sources "
        "saturate: each alone may give nearly all, so they never add up.",
        [*ladder, listed(told)],
    )
