"""A pilot: an earlier audit of the same training, which tells how much its runs spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_reprotest.bank import ONE_SEED
from pytest_reprotest.differences import differences, other_test_set
from pytest_reprotest.foresight import Pilots
from pytest_reprotest.joined import group
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import stored_audit
from pytest_reprotest.results_file import ResultsFile
from pytest_reprotest.statistics.planning import Pilot
from pytest_reprotest.tasks import Array


@dataclass(frozen=True)
class FoundPilots:
    """What a file of results says of one audit.

    Attributes
    ----------
    by_metric : mapping
        Regularizer and metric → Pilot; its spread is finite.
    notes : tuple of str
        What it does not say, and why, a sentence each.
    """

    by_metric: Pilots = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def pilots_in(
    file: ResultsFile,
    name: str,
    labels: Sequence[str],
    y_true: Array,
    training: Mapping[str, Any],
) -> FoundPilots:
    """The pilots of a test's regularizers, whether their runs were of one item or of several.

    Parameters
    ----------
    name : str
        The test's node id.
    labels : sequence of str
        The regularizers to be audited.
    y_true : array (n_samples, …)
        A pilot on another test set tells nothing.
    training : mapping
        As ``Trainer.describe()`` gives it; what differs is said.

    Raises
    ------
    DataError
        Where the file holds an audit of the test that can't be read.
    """
    title = group(name, labels[0]) if len(labels) == 1 else name
    found: dict[tuple[str, str], Pilot] = {}
    notes: list[str] = []
    seen: set[str] = set()
    for stored_name, stored in file.audits.items():
        found_there = stored.get("regularizers")
        held = tuple(found_there) if isinstance(found_there, dict) else ()
        same = group(stored_name, held[0]) if len(held) == 1 else stored_name
        wanted = [label for label in labels if label in held]
        if not wanted or title not in (stored_name, same):
            continue
        audit = stored_audit(file, stored_name)
        seen.update(wanted)
        if "deterministic" in audit.settings:
            notes.append(f"the pilot {stored_name} is left out: {ONE_SEED}")
            continue
        other = other_test_set(audit.y_true, y_true)
        if other is not None:
            notes.append(f"the pilot is of {other}; it is left out")
            continue
        differing = differences(audit.settings, {"training": training})
        notes.extend(f"the pilot differs in {difference}" for difference in differing)
        for label in wanted:
            spread = _spreads(audit[label])
            found.update({(label, metric): pilot for metric, pilot in spread.items()})
            if not spread:
                notes.append(f"the pilot's {audit[label].n_runs} runs of {label!r} have no spread")
    missing = [label for label in labels if label not in seen]
    if missing:
        notes.append(f"the pilot has no runs of {', '.join(map(repr, missing))}")
    return FoundPilots(found, tuple(dict.fromkeys(notes)))


def _spreads(found: RegularizerResult) -> dict[str, Pilot]:
    """Metric → Pilot; none where runs can't be trusted or are too few."""
    summary = found.summary
    estimates = {
        "prediction_difference": summary.prediction_difference,
        "effective_accuracy": summary.effective_score,
        "accuracy": summary.score,
    }
    pilots = {metric: Pilot.of(each, found.n_runs) for metric, each in estimates.items()}
    return {
        metric: pilot
        for metric, pilot in pilots.items()
        if math.isfinite(pilot.sigma) and not found.verdict.broken and found.n_runs > 2
    }
