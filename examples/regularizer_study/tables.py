"""The tables of docs/study.md, from records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from pytest_reprotest.metrics import Tally
from pytest_reprotest.statistics import Estimate, summarize
from regularizer_study.analysis import MEASURES, Effect, ranking
from regularizer_study.factors import Cell
from regularizer_study.figures import effect_rows
from regularizer_study.published import Published
from regularizer_study.records import Record


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: int = 1) -> str:
    """A Markdown table; columns from ``right`` on are numbers."""
    align = ["left"] * right + ["right"] * (len(headers) - right)
    return tabulate(rows, headers, tablefmt="github", colalign=align, disable_numparse=True)


def number(value: float, decimals: int = 4) -> str:
    """A number, with a sign that is one character wide."""
    return "–" if math.isnan(value) else f"{value:.{decimals}f}".replace("-", "−")


def signed(value: float, decimals: int = 4) -> str:
    """A change.

    >>> signed(0.0012), signed(-0.5, 2)
    ('+0.0012', '−0.50')
    """
    return ("+" if value > 0 else "") + number(value, decimals)


def with_interval(estimate: Estimate, decimals: int = 4) -> str:
    """A value and its interval's half-width."""
    if math.isnan(estimate.half_width):
        return number(estimate.value, decimals)
    return f"{number(estimate.value, decimals)} ± {number(estimate.half_width, decimals)}"


def digits(measure: str) -> int:
    """Decimals of a measure."""
    return 2 if measure == "difference_error_ratio" else 4


def change(effect: Effect) -> str:
    """An effect and its interval."""
    value, low, high = (
        signed(each, digits(effect.measure))
        for each in (effect.change.value, effect.change.low, effect.change.high)
    )
    return f"{value} [{low}, {high}]"


def p_told(p_value: float) -> str:
    """A p-value to three decimals.

    >>> p_told(0.0004), p_told(0.0504), p_told(float("nan"))
    ('< 0.001', '0.050', '–')
    """
    if math.isnan(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


@dataclass(frozen=True)
class Reproduced:
    """A published row and what it gave here."""

    cell: Cell
    published: float
    found: Estimate

    @property
    def difference(self) -> float:
        """Found minus published."""
        return self.found.value - self.published


def compared(
    tallies: Mapping[Cell, Tally], published: Mapping[Cell, Published]
) -> tuple[Reproduced, ...]:
    """The published rows that were trained here, in the order of the grid."""
    return tuple(
        Reproduced(cell, published[cell].effective_accuracy, summarize(tally).effective_score)
        for cell, tally in tallies.items()
        if cell in published
    )


def words(cell: Cell) -> list[str]:
    """Depth, optimizer, weight decay, norm, middle stages."""
    stages = "" if cell.depth == 2 else "residual" if cell.residual else "tied"
    if cell.replicate:
        stages = "(replicate)"
    decay = "1e-4" if cell.weight_decay else "0"
    return [str(cell.depth), cell.optimizer, decay, cell.norm, stages]


FACTORS = ["depth", "optimizer", "weight decay", "norm", "middle stages"]


def reproduced_table(rows: Sequence[Reproduced]) -> str:
    """Published beside reproduced."""
    return table(
        [*FACTORS, "published ETA", "reproduced ETA", "difference"],
        [
            [
                *words(row.cell),
                number(row.published),
                with_interval(row.found),
                signed(row.difference),
            ]
            for row in rows
        ],
        right=5,
    )


def collapsed_table(tallies: Mapping[Cell, Tally], published: Mapping[Cell, Published]) -> str:
    """Cells of which a run learnt nothing: the accuracy of each run, PD, and ETA."""
    rows = []
    for cell, tally in tallies.items():
        told = number(published[cell].effective_accuracy) if cell in published else ""
        rows.append([*words(cell), *_runs(tally), told])
    return table([*FACTORS, "accuracy by run", "PD", "ETA", "published ETA"], rows, right=6)


def _runs(tally: Tally) -> list[str]:
    """The accuracy of each run, PD and ETA."""
    accuracies = ", ".join(f"{score:.3f}" for score in sorted(tally.run_scores))
    return [accuracies, number(tally.prediction_difference, 3), number(tally.effective_score, 3)]


def lottery_table(records: Sequence[Record]) -> str:
    """One cell under several base seeds."""
    rows = []
    for each in records:
        rows.append([str(each.settings["seed"]), *_runs(each.tally())])
    return table(["base seed", "accuracy by run", "PD", "ETA"], rows, right=2)


def effects_table(effects: Mapping[str, Sequence[Effect]]) -> str:
    """Each effect on each measure: its interval, in how many pairs the measure is lower, a star where p ≤ 0.05."""
    rows = []
    for number_of, row in enumerate(effect_rows(effects["prediction_difference"])):
        told = [row.label]
        for measure in MEASURES:
            effect = effects[measure][number_of]
            star = " \\*" if effect.p_adjusted <= 0.05 else ""
            lower = f"{effect.n_lower}/{effect.n_pairs}"
            told.append(f"{change(effect)} {lower}{star}")
        rows.append(told)
    return table(["factor", *MEASURES.values()], rows)


def remedies_table(record: Record) -> str:
    """Regularizers by PD, least first, each measure with its interval and its test against none."""
    measures = ("prediction_difference", "effective_score", "difference_error_ratio")
    ranked = {measure: {e.label: e for e in ranking(record, measure)} for measure in measures}
    places = {measure: list(ranked[measure]) for measure in measures}
    rows = []
    for label in ranked["prediction_difference"]:
        told = [f"`{label}`", with_interval(record.summary(label).score)]
        for measure in measures:
            found = ranked[measure][label]
            place = places[measure].index(label) + 1
            told.append(f"{place}. {with_interval(found.value, digits(measure))}")
            told.append(p_told(found.p_adjusted))
        rows.append(told)
    return table(["regularizer", "accuracy", "PD", "p", "ETA", "p", "PD/error", "p"], rows)
