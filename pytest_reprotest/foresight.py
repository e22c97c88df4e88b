"""What an audit will not be able to answer, told before anything trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_reprotest.interfaces import Trainer
from pytest_reprotest.options import Options
from pytest_reprotest.plan import baseline_among
from pytest_reprotest.statistics.planning import Asked, Pilot, warnings_of

Pilots = Mapping[tuple[str, str], Pilot]
"""Regularizer and metric → what an earlier audit found."""


def foreseen(
    options: Options,
    labels: Sequence[str],
    baseline: str,
    trainer: Trainer,
    beside: Sequence[str] | None = None,
    pilots: Pilots | None = None,
) -> tuple[str, ...]:
    """A sentence for each question that was asked and that so few runs can't answer.

    Regularizers are compared where several have a fixed number of runs each; where runs are added until a
    limit is decided, they are not.

    Parameters
    ----------
    labels : sequence of str
        The regularizers that will be audited.
    beside : sequence of str, optional
        Those of all items of the test, where each item has one of them, for the item that tells of all; none
        for the others.
    """
    if beside is not None:
        labels = beside
        baseline = baseline_among(labels) if labels else ""
    asked = [
        Asked(
            limit.name,
            limit.kind.metric,
            limit.value,
            label,
            (pilots or {}).get((label, limit.kind.metric)),
        )
        for label in labels
        for limit in options.bounds.limits(label)
    ]
    others = 0 if options.adaptive else sum(label != baseline for label in labels)
    return warnings_of(options.looks[-1], others, asked, typical_samples(trainer))


def typical_samples(trainer: Trainer) -> int | None:
    """Size of the test set, where what is typical of one is known: of labels, one a sample."""
    return len(trainer.y_true) if trainer.task.name == "classification" else None
