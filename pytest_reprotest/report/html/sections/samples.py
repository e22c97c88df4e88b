"""Which samples differ: by class, and those on which runs disagree most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from pytest_reprotest.report.html.markup import Markup, join, tag
from pytest_reprotest.report.html.png import data_uri
from pytest_reprotest.report.html.section import Choice, Picture, Section, table
from pytest_reprotest.report.html.sections.spread import PD, predicting, spreading
from pytest_reprotest.report.plots import HeatMap
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.tasks import Array

_CLASSES = 30
_LEAST_SHOWN = 48  # pixels of the screen
_VOTES = "predictions of the runs"


def by_class(result: AuditResult) -> Section | None:
    """Flip rates by class, for each regularizer."""
    details = {label: result.details(label) for label in spreading(result)}
    rates = {
        label: {each.label: each.flip_rate for each in found.by_class}
        for label, found in details.items()
        if found is not None and found.by_class
    }
    if not rates:
        return None
    kind = result.task.names.by_class
    classes = list(dict.fromkeys(name for each in rates.values() for name in each))
    largest = sorted(classes, key=lambda name: -max(each.get(name, 0.0) for each in rates.values()))
    kept = sorted(largest[:_CLASSES])
    values = [[each.get(name, math.nan) for name in kept] for each in rates.values()]
    plural = "classes" if kind == "class" else f"{kind}s"
    left_out = f" Of {len(classes)} {plural} the {_CLASSES} that flip most are shown."
    figure = HeatMap("", kind, "regularizer", list(map(str, kept)), list(rates), values, PD)
    return Section(
        f"Flips by {kind}",
        f"The prediction difference on the samples of each {kind}, one row a regularizer; lighter is more. "
        f"A light column is a {kind} that no regularizer settles: its samples are hard, few, or labelled "
        "in more than one way." + (left_out if len(classes) > len(kept) else ""),
        [Picture(f"Flips by {kind}", figure)],
    )


def flips(result: AuditResult) -> Section | None:
    """The samples on which runs disagree most, with their pictures and the votes of the runs."""
    tables: dict[str, Markup | Picture] = {}
    for label, found in spreading(result).items():
        details = result.details(label)
        if details is not None and details.most_flip_prone:
            tables[label] = _table(result, label, found, details.most_flip_prone)
    if not tables:
        return None
    voted = _voted(result) and bool(predicting(result))
    told = "What most runs predict stands first; ✓ marks the truth. " if voted else ""
    return Section(
        "Samples that flip most",
        "The flip rate is the fraction of pairs of runs that disagree on a sample, whose place in the test "
        f"set is given, counted from 0. {told}A sample on which all runs make the same mistake is wrong, "
        "not unstable, and is not here.",
        [Choice("Samples under", tables)],
    )


def _table(
    result: AuditResult, label: str, found: RegularizerResult, prone: Sequence[tuple[int, float]]
) -> Markup:
    pictured = any(_picture(result, sample) for sample, _ in prone)
    voted = len(found.predictions) > 0  # a file may leave them out
    headings = ["sample", "picture" * pictured, "truth", "flip rate", _VOTES * voted]
    rows = [
        [
            str(sample),
            *([_picture(result, sample)] * pictured),
            _true(result, sample),
            f"{rate:.3f}",
            *([_votes(result, found, sample)] if voted else []),
        ]
        for sample, rate in prone
    ]
    return table(f"Samples that flip most under {label}", list(filter(None, headings)), rows)


def _picture(result: AuditResult, sample: int) -> str:
    pixels = None if result.pictures is None else result.pictures.of(sample)
    if pixels is None:
        return ""
    height, width = pixels.shape[:2]
    times = math.ceil(_LEAST_SHOWN / max(height, width))
    return tag(
        "img",
        src=data_uri(pixels),
        alt=f"test sample {sample}, in truth {_true(result, sample)}",
        width=str(times * width),
        height=str(times * height),
        class_="sample",
    )


def _voted(result: AuditResult) -> bool:
    """Whether runs predict one of several classes for a sample."""
    return not result.task.floats and result.y_true.ndim == 1


def _true(result: AuditResult, sample: int) -> str:
    value = result.y_true[sample]
    if result.task.floats:
        return f"{float(value):.4g}"
    return " ".join(map(str, value.tolist())) if value.ndim else str(int(value))


def _votes(result: AuditResult, found: RegularizerResult, sample: int) -> Markup:
    votes, truth = found.predictions[:, sample], result.y_true[sample]
    if result.task.floats:
        low, middle, high = (f"{float(at):.4g}" for at in np.percentile(votes, [0, 50, 100]))
        return tag("span", f"{low} to {high}, median {middle}")
    if votes.ndim > 1:
        return join(_of_labels(votes, truth), "; ")
    counted = Counter(votes.tolist())
    return tag("span", *(_vote(name, n, len(votes), name == truth) for name, n in counted.most_common()), class_="votes")  # fmt: skip


def _vote(name: int, number: int, of: int, right: bool) -> Markup:
    mark = " ✓" if right else ""
    kind = "vote right" if right else "vote"
    return tag(
        "span", f"{name}{mark} × {number}", class_=kind, style=f"flex-grow:{number / of:.3f}"
    )


def _of_labels(votes: Array, truth: Array) -> Iterator[str]:
    for place in np.flatnonzero((votes != votes[0]).any(axis=0)).tolist():
        right = int((votes[:, place] == truth[place]).sum())
        yield f"label {place}: {right} of {len(votes)} runs right"
