"""What the runs were held against: the baseline, a bank, a stored result, their own repetition."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_reprotest.proof import Proof
from pytest_reprotest.report.html.markup import Markup, join, label, tag
from pytest_reprotest.report.html.section import Block, Picture, Section, folded, listed, table
from pytest_reprotest.report.plots import Axis, Forest, Row
from pytest_reprotest.report.rows import MARKS
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics import in_words

_WORDS = {"better": "lower", "worse": "higher", "undecided": "undecided"}


def comparison(result: AuditResult) -> Section | None:
    """The change of prediction difference against the baseline."""
    found = {
        name: each
        for name, each in result.comparisons.items()
        if not math.isnan(each.prediction_difference.value)
    }
    if not result.comparisons:
        return None
    rows = [
        Row(name, each.prediction_difference, _WORDS[each.status]) for name, each in found.items()
    ]
    change = Axis("change of prediction difference", "percent")
    figure: list[Block] = [Picture("Change against the baseline", Forest("", change, rows))] if rows else []  # fmt: skip
    names, in_points = result.task.names, result.task.in_points
    told: dict[bool, list[str]] = {True: [], False: []}
    for name, each in result.comparisons.items():
        sentence = in_words(name, each, names.score_short, in_points)
        told[each.status != "undecided"].append(sentence)
    decided: list[Block] = [listed(told[True])] if told[True] else []
    undecided = f"{len(told[False])} undecided, in words"
    open_: list[Block] = [folded(undecided, listed(told[False]))] if told[False] else []
    return Section(
        f"Against the baseline ({result.baseline})",
        "How much more (right of the dashed line) or less (left) the runs of a regularizer differ than "
        "those of the baseline, in points of the test samples, with 95% intervals. Lower and higher are "
        "what a permutation test over runs finds, at 5% after Holm's correction; undecided does not say "
        "that nothing changed. In the table "
        + ", ".join(f"{MARKS[key]} is {word}" for key, word in _WORDS.items())
        + ".",
        [*figure, *decided, *open_],
    )


def gate(result: AuditResult) -> Section | None:
    """New runs against those of a bank."""
    told = [
        f"{name}: {found.gate}"
        for name, found in result.by_regularizer.items()
        if found.gate is not None
    ]
    if not told:
        return None
    return Section(
        "Against the bank",
        "Whether the new runs disagree with the runs of the bank more than those do with each other. A "
        "small p says that they are not of the same kind.",
        [listed(told)],
    )


def changes(result: AuditResult) -> Section | None:
    """What became of each measure since a stored result."""
    rows = [
        [
            name,
            change.measure.replace("_", " "),
            f"{change.old:.4f}",
            f"{change.new:.4f}",
            _interval(change.change.value, change.change.low, change.change.high),
            f"{change.limit.value:g}",
            change.status,
        ]
        for name, found in result.by_regularizer.items()
        for change in found.changes
    ]
    if not rows:
        return None
    path = str(result.settings.get("compared_with", "the stored result"))
    headings = ["regularizer", "measure", "old", "new", "change", "tolerated", "status"]
    return Section(
        "Against the stored result",
        f"Each measure, held against {path}. The change is new minus old, with its 95% interval; it counts "
        "as worse or better where it is beyond what is tolerated. Negative flips are samples that were "
        "right before and are wrong now; old is between two old runs.",
        [table("Changes", headings, rows)],
    )


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.4f}" if math.isnan(low) else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def proof(result: AuditResult) -> Section | None:
    """Runs of one seed against each other."""
    found = {
        name: each.proof for name, each in result.by_regularizer.items() if each.proof is not None
    }
    if not found:
        return None
    return Section(
        "Proof of determinism",
        "One seed was trained several times, in processes of their own, and weights, buffers, losses and "
        "predictions were compared to the last bit. What differs is told in the order in which a training "
        "makes it; the first divergence is where to look.",
        [join(_told(name, each) for name, each in found.items())],
    )


def _told(name: str, found: Proof) -> Markup:
    head = "the same bits" if not found.differences else "not the same bits"
    return tag("div", tag("h4", label(name), f": {head}"), listed([*_sentences(found)]))


def _sentences(found: Proof) -> Iterator[str]:
    yield from found.differences or (str(found),)
    if found.divergence is not None:
        yield str(found.divergence)
    yield from found.leaks
