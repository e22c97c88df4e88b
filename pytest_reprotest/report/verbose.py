"""What ``-v`` adds to the summary, how far and where runs differ, and ``-vv``: settings and fingerprint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pytest_reprotest.conditions import described
from pytest_reprotest.joined import title
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.report.table import wrap
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.thresholds import THRESHOLDS

_CLASSES = 3  # the file has all
_SETTINGS = (
    *("runs", "seed", "vary", "device", "engine", "timeout"),
    *("decision", "confidence", "deterministic"),
)


def blocks(
    audits: Sequence[Audited], width: int, verbosity: int, spell: Spell = str
) -> Iterator[tuple[str, list[str]]]:
    """Each test with the lines below its name, none longer than the width; nothing below ``-v``.

    Items of one test, which differ in their regularizer alone, are one: what holds for all is told once.
    """
    tests: dict[str, list[AuditResult]] = {}
    for audited in audits if verbosity >= 1 else ():
        tests.setdefault(title(audited.result), []).append(audited.result)
    for test, results in tests.items():
        told = [_spread(result, found, verbosity) for result in results for found in result.by_regularizer.values()]  # fmt: skip
        lines = [
            line
            for first, *others in told
            for line in (
                *wrap(f"  {first}", width, "      ", spell),
                *(
                    part
                    for other in others
                    for part in wrap(f"    {other}", width, "      ", spell)
                ),
            )
        ]
        if verbosity >= 2:
            settings = dict.fromkeys(text for result in results for text in _settings(result))
            lines.append("  settings:")
            lines.extend(
                part for text in settings for part in wrap(f"    {text}", width, "      ", spell)
            )
        yield test, lines


def _spread(result: AuditResult, found: RegularizerResult, verbosity: int) -> list[str]:
    """A line with the label and numbers over the runs, then one for each list, and how it was trained."""
    names, details = result.task.names, result.details(found.regularizer)
    over_runs, lists = [], []
    if not math.isnan(found.score_std):
        shown = f"{found.score_std:.4f}" if result.task.in_points else f"{found.score_std:.4g}"
        over_runs.append(f"SD of {names.score_short} {shown}")
    if details is not None:
        over_runs.append(f"ambiguity {details.ambiguity:.4f}")
        over_runs.append(f"discrepancy {details.discrepancy:.4f}")
        if not math.isnan(details.score_distance):
            over_runs.append(f"distance of scores {details.score_distance:.4f}")
        if verbosity >= 2:
            pairs = f"{details.smallest_difference:.4f} to {details.discrepancy:.4f}"
            over_runs.append(f"PD of pairs {pairs}")
        if details.by_class:
            most = sorted(details.by_class, key=lambda each: -each.flip_rate)[:_CLASSES]
            told = ", ".join(f"{each.label} {each.flip_rate:.3f}" for each in most)
            lists.append(f"PD by {names.by_class}, largest first: {told}")
        if details.most_flip_prone:
            told = ", ".join(str(sample) for sample, _ in details.most_flip_prone)
            lists.append(f"samples that flip most: {told}")
    engine = f", engine {result.settings['engine']}" if "engine" in result.settings else ""
    trained = f"{found.seconds:.1f} s of training{engine}"
    if not over_runs:
        return [f"{found.regularizer}: {trained}"]
    return [f"{found.regularizer}: {', '.join(over_runs)}", *lists, trained]


def _settings(result: AuditResult) -> Iterator[str]:
    """Each setting with its origin."""
    origins = result.settings.get("origins", {})
    values = {key: value for key, value in result.settings.items() if key in _SETTINGS}
    if len(result.regularizers) > 1:
        values["baseline"] = result.baseline
    values["report_only"] = result.report_only
    for name in THRESHOLDS:
        limits = [
            limit.value
            for found in result.by_regularizer.values()
            for limit in found.limits
            if limit.name == name
        ]
        if limits:
            values[name] = [f"{limit:g}" for limit in dict.fromkeys(limits)]
    for key, value in values.items():
        shown = (",".join(map(str, value)) or "none") if isinstance(value, list) else value
        yield f"{key} = {shown} ({origins.get(key, 'default')})"
    yield from described(result.settings)
