"""What the differences come from: one source of chance after the other."""

from __future__ import annotations

from pytest_reprotest.report.attributed import share_figure
from pytest_reprotest.report.html.markup import Markup
from pytest_reprotest.report.html.section import Block, Choice, Picture, Section, listed, table
from pytest_reprotest.report.html.sections.spread import PD
from pytest_reprotest.report.plots import Forest, Row
from pytest_reprotest.report.rows import figure
from pytest_reprotest.result import AuditResult


def attribution(result: AuditResult) -> Section | None:
    """The prediction difference where one thing alone varies, from nothing to everything."""
    pictures: dict[str, Markup | Picture] = {}
    rows, told = [], []
    for label, found in result.by_regularizer.items():
        if found.attribution is None:
            continue
        told += [f"{label}: {sentence}" for sentence in found.attribution.meaning]
        climbed = [rung for rung in found.attribution.rungs if not rung.left_out]
        points = [Row(rung.name, rung.prediction_difference) for rung in climbed]
        if points:
            forest = Forest("", PD, points, zero=None)
            pictures[label] = Picture(f"Sources of the difference under {label}", forest)
        for rung in climbed:
            shown = [figure(rung.prediction_difference), share_figure(rung.share)]
            rows.append([label, rung.name, str(rung.n_runs), *shown])
    if not told and not rows:
        return None
    ladder: list[Block] = [Choice("Sources under", pictures)] if pictures else []
    headings = ["regularizer", "what varies", "runs", "PD", "share of all"]
    return Section(
        "Where the difference comes from",
        "The prediction difference where one thing alone varies between runs, with 95% intervals: from "
        "nothing (identical) over one weight moved by its last bit (one_ulp) to everything (all). Sources "
        "saturate: each alone may give nearly all, so shares never add up to 100%.",
        [listed(told), *ladder, table("Sources of the difference", headings, rows)],
    )
