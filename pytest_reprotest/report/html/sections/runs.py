"""What became of each run: its losses, and how far it is from each other run."""

from __future__ import annotations

import math

import numpy as np

from pytest_reprotest.report.html.section import Choice, Picture, Section
from pytest_reprotest.report.html.sections.spread import PD, predicting
from pytest_reprotest.report.plots import Axis, Curves, HeatMap
from pytest_reprotest.result import AuditResult


def curves(result: AuditResult) -> Section | None:
    """The losses of all runs, a regularizer at a time."""
    pictures = {
        label: Picture(
            f"Training loss under {label}",
            Curves(
                "",
                Axis("epoch"),
                Axis("mean training loss"),
                {"mean of runs": _finite(found.losses)},
            ),
        )
        for label, found in result.by_regularizer.items()
        if any(len(run) > 1 and any(map(math.isfinite, run)) for run in found.losses)
    }
    if not pictures:
        return None
    return Section(
        "Learning curves",
        "Mean training loss, epoch by epoch: a thin line for each run, a thick one for their mean, and the "
        "band from the lowest run to the highest. A band that grows narrow while runs still differ in their "
        "predictions says that training has settled, each time somewhere else.",
        [Choice("Learning curves under", pictures)],
    )


def _finite(losses: tuple[tuple[float, ...], ...]) -> list[list[float]]:
    return [[loss if math.isfinite(loss) else math.nan for loss in run] for run in losses]


def pairs(result: AuditResult) -> Section | None:
    """Each run against each other run."""
    pictures = {}
    for label, found in predicting(result).items():
        matrix = np.array(found.pairwise, dtype=float)
        np.fill_diagonal(matrix, math.nan)  # a run and itself would take the darkest colour
        names = [str(run) for run in range(len(matrix))]
        figure = HeatMap("", "run", "run", names, names, list(matrix), PD)
        pictures[label] = Picture(f"Prediction difference of all pairs under {label}", figure)
    if not pictures:
        return None
    return Section(
        "Each run against each other",
        "The prediction difference of two runs, one across and one down; lighter is more. A light row is a "
        "run unlike all others: look at it before you trust the mean. Blocks are groups of runs that ended "
        "in different places.",
        [Choice("Pairs of runs under", pictures)],
    )
