"""The summary's tables of attribution: the rungs under each regularizer, their shares, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pytest_reprotest.attribution import Climbed
from pytest_reprotest.attribution.wording import percent
from pytest_reprotest.joined import title
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import Audited, figure
from pytest_reprotest.report.table import columns, wrap
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics import Estimate

_HEADINGS = ("what varies", "runs", "PD", "share of all")
_LEGEND = (
    "share: PD where one thing alone varies over PD where all does, [95% over runs]. Sources saturate: each "
    "alone may give nearly all, so shares never add up to 100%."
)


def attributions(audits: Sequence[Audited], width: int, spell: Spell = str) -> Iterator[str]:
    """The lines of every audit's attribution, none longer than the width but for names.

    Parameters
    ----------
    width : int
        Columns of the terminal.
    spell : callable
        Gives texts the letters that the terminal has.
    """
    found = [
        (audited.result, label, each.attribution)
        for audited in audits
        for label, each in audited.result.by_regularizer.items()
        if each.attribution is not None
    ]
    if not found:
        return
    rows = [_cells(rung) for _, _, each in found for rung in each.rungs]
    (heading, rule), *texts = columns(_HEADINGS, rows, right=[1], spell=spell)
    yield ""
    yield from (heading, rule)
    remaining = iter(texts)
    for result, label, each in found:
        yield spell(_name(result, label))
        for _ in each.rungs:
            yield from next(remaining)
    yield from wrap(_LEGEND, width, spell=spell)
    for result, label, each in found:
        for sentence in each.meaning:
            yield from wrap(f"{_name(result, label)}: {sentence}", width, spell=spell)


def _name(result: AuditResult, label: str) -> str:
    return ": ".join(filter(None, (title(result), label)))


def _cells(rung: Climbed) -> list[list[str]]:
    if rung.left_out:
        return [[f"  {rung.name}"], ["0"], ["left out"], ["-"]]
    return [
        [f"  {rung.name}"],
        [str(rung.n_runs)],
        [figure(rung.prediction_difference, interval=rung.prediction_difference.value > 0)],
        [share_figure(rung.share)],
    ]


def share_figure(share: Estimate) -> str:
    """A share with its interval.

    >>> share_figure(Estimate(0.96, 0.9, 1.02))
    '96% [90%, 102%]'
    """
    if math.isnan(share.value):
        return "-"
    if math.isnan(share.low):
        return percent(share.value)
    return f"{percent(share.value)} [{percent(share.low)}, {percent(share.high)}]"
