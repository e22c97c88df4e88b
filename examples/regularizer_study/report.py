"""Writes docs/study.md and its figures from the results in this folder:

PYTHONPATH=examples python -m regularizer_study.report
"""

from __future__ import annotations

import argparse
import statistics
import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.metrics import Tally
from pytest_reprotest.report.plots import save
from pytest_reprotest.statistics import study_wilcoxon
from regularizer_study import figures, tables
from regularizer_study.analysis import Effect, replicated
from regularizer_study.factors import Cell, published_cells
from regularizer_study.published import COLLAPSE, Published, by_cell, read_published
from regularizer_study.records import Record, RecordsError
from regularizer_study.stored import LEARNT, Results, read_results

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
TEMPLATE = HERE / "paper.md"
NEAR = 0.9
"""Published rows above this effective accuracy are those that ought to come out alike."""
INSIDE = 0.90
"""How often an equally noisy number lies within the interval of five runs: P(|t| < 1.1 · 2.776 / √2), 4 degrees of freedom."""


def numbers(results: Results) -> dict[str, str]:
    """All that the template asks for, by name."""
    published = by_cell(read_published())
    return {
        **_of_rows(results, published),
        **_of_grid(results),
        **_of_replicates(results.trained),
        **_of_effects(results.effects["prediction_difference"]),
        **_of_lottery(results.lottery, published),
        **_of_remedies(results.remedies),
        "table_effects": tables.effects_table(results.effects),
        "table_collapsed": tables.collapsed_table(results.collapsed, published),
    }


def _of_rows(results: Results, published: Mapping[Cell, Published]) -> dict[str, str]:
    rows = tables.compared(results.tallies, published)
    near = [row for row in rows if row.published > NEAR]
    fallen = [row for row in near if row.cell in results.collapsed]
    sound = [row for row in near if row not in fallen]
    shallow = [row for row in rows if row.cell.depth == 2]
    far = max(sound, key=lambda row: abs(row.difference))
    low = [cell for cell, row in published.items() if row.effective_accuracy < COLLAPSE]
    return {
        "published_collapsed": str(len(low)),
        "published_tied": str(sum(cell.tied for cell in low)),
        "published_batch": str(sum(cell.norm == "batch" for cell in low) or "none"),
        "published_deep": str(sum(cell.depth == 20 for cell in published)),
        "published_deep_batch": str(
            sum(cell.depth == 20 and cell.norm == "batch" for cell in published)
        ),
        "table_reproduced": tables.reproduced_table(rows),
        "rows": str(len(rows)),
        "rows_near": str(len(near)),
        "median_difference": tables.number(statistics.median(abs(row.difference) for row in near)),
        "rows_shallow": str(len(shallow)),
        "largest_shallow": tables.number(max(abs(row.difference) for row in shallow)),
        "largest_cell": f"`{far.cell.id}`",
        "largest_difference": tables.signed(far.difference),
        "largest_interval": tables.with_interval(far.found),
        "rows_sound": str(len(sound)),
        "fallen": ", ".join(f"`{row.cell.id}`" for row in fallen) or "none",
        "inside": str(sum(row.found.low <= row.published <= row.found.high for row in sound)),
        "inside_expected": f"{INSIDE * len(sound):.0f}",
        "copies": str(len(near) - len({(_settings(row.cell), row.published) for row in near})),
    }


def _settings(cell: Cell) -> Cell:
    return replace(cell, residual=False) if cell.replicate else cell


def _of_replicates(trained: Mapping[Cell, Tally]) -> dict[str, str]:
    found = replicated(trained, "prediction_difference")
    mean = statistics.fmean(each.change.value for each in found)
    return {
        "replicates": str(len(found)),
        "replicates_mean": tables.signed(mean),
        "replicates_below": str(sum(each.p_value <= 0.05 for each in found)),
    }


def _of_grid(results: Results) -> dict[str, str]:
    trained = results.trained
    smallest = 2 / 2**10  # of ten pairs
    p_values = [
        study_wilcoxon(np.array(record.differing) / record.n_samples).p_value
        for record in results.grid.values()
    ]
    vacuous = sum(p == smallest for p in p_values)
    accuracy = [tally.score for tally in trained.values()]
    eta = [tally.effective_score for tally in trained.values()]
    pd = [tally.prediction_difference for tally in trained.values()]
    ratios = [tally.difference_error_ratio for tally in trained.values()]
    spreads = [tally.prediction_difference / tally.score_std for tally in trained.values()]
    some = next(iter(results.grid.values()))
    return {
        "cells": str(len(results.grid)),
        "cells_whole": str(len(published_cells())),
        "deeper": str(sum(cell.depth > 2 for cell in results.grid)),
        "cells_trained": str(len(trained)),
        "cells_collapsed": str(len(results.collapsed)),
        "vacuous": str(vacuous),
        "vacuous_p": f"{smallest:.9f}",
        "cells_compared": str(len(results.compared)),
        "spread_median": f"{statistics.median(spreads):.0f}",
        "rank_accuracy": f"{stats.spearmanr(accuracy, eta).statistic:.2f}",
        "rank_pd": tables.number(stats.spearmanr(pd, eta).statistic, 2),
        "ratio_low": f"{np.nanmin(ratios):.2f}",
        "ratio_median": f"{np.nanmedian(ratios):.2f}",
        "ratio_high": f"{np.nanmax(ratios):.2f}",
        "hours": f"{sum(sum(r.seconds.values()) for r in results.grid.values()) / 3600:.1f}",
        "torch": str(some.settings["versions"].get("torch")),
    }


def _of_effects(found: Sequence[Effect]) -> dict[str, str]:
    """``pd_norm_layer``, ``pd_weight_decay`` and so on: an effect on PD in one clause."""
    told = {}
    for effect in found:
        level = effect.level.replace("0.0001", "").replace("True", "")
        told["_".join(filter(None, ("pd", effect.factor, level)))] = (
            f"{tables.change(effect)}, p {_p(effect.p_adjusted)}, lower in {effect.n_lower} of "
            f"{effect.n_pairs} pairs"
        )
    return told


def _p(p_value: float) -> str:
    told = tables.p_told(p_value)
    return told if told.startswith("<") else f"= {told}"


def _of_lottery(lottery: Sequence[Record], published: Mapping[Cell, Published]) -> dict[str, str]:
    name = lottery[0].test
    (row,) = [row for cell, row in published.items() if cell.id == name]
    tallies = [each.tally() for each in lottery]
    etas = [tally.effective_score for tally in tallies]
    fallen = [int((tally.run_scores < LEARNT).sum()) for tally in tallies]
    return {
        "lottery_fallen": str(sum(fallen)),
        "lottery_runs": str(sum(tally.n_runs for tally in tallies)),
        "lottery_whole": str(fallen.count(0) or "none"),
        "lottery_cell": f"`{name}`",
        "lottery_seeds": str(len(lottery)),
        "lottery_low": tables.number(min(etas), 3),
        "lottery_high": tables.number(max(etas), 3),
        "lottery_published": tables.number(row.effective_accuracy, 3),
        "table_lottery": tables.lottery_table(lottery),
    }


def _of_remedies(remedies: Mapping[str, Record]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, record in remedies.items():
        sound = [label for label in record.labels if label not in record.broken]
        pd = {label: record.tally(label).prediction_difference for label in sound}
        best = min(sound, key=pd.__getitem__)
        told[f"table_{name}"] = tables.remedies_table(record)
        told[f"tests_{name}"] = str(len(sound) - 1)
        told[f"best_{name}"] = f"`{best}`"
        told[f"best_{name}_less"] = f"{100 * (1 - pd[best] / pd['none']):.0f}%"
    return told


def write(results: Results, folder: Path, template: str) -> list[Path]:
    """Write the document and its figures; returns the files.

    Raises
    ------
    RecordsError
        Where the template asks for what there is not.
    """
    drawn = figures.all_figures(results.trained, results.effects)
    rows = tables.compared(results.trained, by_cell(read_published()))
    drawn["reproduced"] = figures.reproduced(
        [(row.cell.id, row.cell.depth, row.published, row.found) for row in rows]
    )
    for name, record in results.remedies.items():
        drawn[f"remedies_{name}"] = figures.remedies(record, name)
    (folder / "study").mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in drawn.items():
        written.append(folder / "study" / f"{name}.svg")
        save(figure, written[-1])
    try:
        text = string.Template(template).substitute(numbers(results))
    except KeyError as missing:
        raise RecordsError(f"paper.md asks for {missing}, which the results do not give") from None
    written.append(folder / "study.md")
    written[-1].write_text(text, encoding="utf-8")
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the study's document."""
    parser: Any = argparse.ArgumentParser(
        prog="python -m regularizer_study.report",
        description="Write docs/study.md and its figures.",
    )
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of records")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder to write to")
    given = parser.parse_args(arguments)
    try:
        written = write(
            read_results(given.results), given.docs, TEMPLATE.read_text(encoding="utf-8")
        )
    except (ReprotestError, RecordsError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(f"{len(written)} files in {given.docs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
