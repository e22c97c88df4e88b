"""The study's figures, as data: drawn by pytest_reprotest.report.plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_reprotest.metrics import Tally
from pytest_reprotest.report.plots import (
    Axis,
    Boxes,
    Figure,
    Forest,
    Point,
    Points,
    ReferenceLine,
    Row,
)
from pytest_reprotest.statistics import Estimate, summarize
from regularizer_study.analysis import LEVELS, MEASURES, Effect
from regularizer_study.datasets import SPECS
from regularizer_study.factors import Cell
from regularizer_study.records import Record

TITLES = {
    "optimizer": "optimizer",
    "depth": "depth",
    "norm": "normalization",
    "weight_decay": "weight decay",
    "residual": "residual stages",
}
"""Factors in words."""

Tallies = Mapping[Cell, Tally]


def by_factor(tallies: Tallies, factor: str, measure: str) -> Boxes:
    """A measure of all cells by the levels of a factor, a point a cell, coloured by depth."""
    groups: dict[str, dict[str, list[float]]] = {}
    for level in LEVELS[factor]:
        cells = [cell for cell in tallies if getattr(cell, factor) == level]
        if factor == "residual":
            cells = [cell for cell in cells if cell.depth > 2]  # it changes nothing there
        by_depth = {
            f"depth {depth}": [getattr(tallies[c], measure) for c in cells if c.depth == depth]
            for depth in LEVELS["depth"]
        }
        found = {name: values for name, values in by_depth.items() if values}
        if found:
            groups[level_told(factor, level)] = found
    told = MEASURES[measure]
    return Boxes(f"{told} by {TITLES[factor]}", axis(measure), groups, x=TITLES[factor])


def level_told(factor: str, level: object) -> str:
    """A level in a word or two.

    >>> level_told("weight_decay", 1e-4), level_told("residual", True), level_told("norm", "layer")
    ('1e-4', 'yes', 'layer')
    """
    if factor == "weight_decay":
        return "1e-4" if level else "0"
    if factor == "residual":
        return "yes" if level else "no"
    return str(level)


def axis(measure: str) -> Axis:
    """The axis of a measure."""
    plain = measure == "difference_error_ratio"
    return Axis(MEASURES[measure], "plain" if plain else "percent")


def against_error(tallies: Tallies) -> Points:
    """PD against error, a point a cell, beside the line on which the two are equal."""
    series: dict[str, list[Point]] = {}
    for cell, tally in tallies.items():
        summary = summarize(tally)
        score = summary.score
        error = Estimate(1 - score.value, 1 - score.high, 1 - score.low)
        point = Point(error, summary.prediction_difference, cell.id)
        series.setdefault(f"depth {cell.depth}", []).append(point)
    line = ReferenceLine("PD = error", (0, 0), (1, 1))
    return Points(
        "PD against error", Axis("error", "percent"), axis("prediction_difference"), series, line
    )


def reproduced(pairs: Sequence[tuple[str, int, float, Estimate]]) -> Points:
    """Reproduced ETA against the published one: (cell, depth, published, reproduced)."""
    series: dict[str, list[Point]] = {}
    for cell, depth, published, found in pairs:
        series.setdefault(f"depth {depth}", []).append(Point(Estimate(published), found, cell))
    return Points(
        "ETA, published and reproduced",
        Axis("published ETA", "percent"),
        Axis("reproduced ETA", "percent"),
        series,
        ReferenceLine("the same", (0, 0), (1, 1)),
    )


def effect_rows(effects: Sequence[Effect]) -> list[Row]:
    """A row for each effect."""
    return [Row(f"{TITLES[each.factor]}: {_level(each)}", each.change) for each in effects]


def _level(effect: Effect) -> str:
    told = {level: level_told(effect.factor, level) for level in LEVELS[effect.factor]}
    by_text = {str(level): text for level, text in told.items()}
    return f"{by_text[effect.level]} (against {told[LEVELS[effect.factor][0]]})"


def effects_on(effects: Sequence[Effect], measure: str) -> Forest:
    """The effects of all levels on a measure."""
    return Forest(
        f"What changes {MEASURES[measure]}",
        Axis(f"change of {MEASURES[measure]}, in points of 1% of the test set", "percent"),
        effect_rows(effects),
    )


def remedies(record: Record, name: str) -> Boxes:
    """PD of each two runs, by regularizer."""
    groups = {}
    for label in record.labels:
        own = record.place(label)
        matrix = record.matrix[own, own] / record.n_samples
        pairs = [matrix[i, j] for i in range(len(matrix)) for j in range(i)]
        groups[label] = [float(pair) for pair in pairs]
    return Boxes(
        f"Prediction difference of each pair of runs, {SPECS[name].title}",
        Axis("prediction difference", "percent"),
        groups,
        x="regularizer",
    )


def all_figures(tallies: Tallies, effects: Mapping[str, Sequence[Effect]]) -> dict[str, Figure]:
    """The figures over the grid, by the name of their file."""
    found: dict[str, Figure] = {
        f"eta_by_{factor}": by_factor(tallies, factor, "effective_score") for factor in LEVELS
    }
    found["ratio_by_norm"] = by_factor(tallies, "norm", "difference_error_ratio")
    found["pd_against_error"] = against_error(tallies)
    for measure in ("prediction_difference", "score"):
        found[f"effects_on_{MEASURES[measure].lower()}"] = effects_on(effects[measure], measure)
    return found
