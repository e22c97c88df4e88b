"""The results that the study's document is made from, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_reprotest.metrics import Tally
from regularizer_study.analysis import MEASURES, Effect, effects
from regularizer_study.factors import Cell, published_cells
from regularizer_study.published import by_cell, read_published
from regularizer_study.records import Record, RecordsError, read_records

LEARNT = 0.5
"""A run below this accuracy collapsed, and with it its cell; so did one that predicts a single class."""


@dataclass(frozen=True)
class Results:
    """What was trained.

    Attributes
    ----------
    grid : mapping
        Cell of the published grid → its record.
    lottery : tuple of Record
        One cell under several base seeds.
    remedies : mapping
        Data set → the audit of regularizers on it.
    """

    grid: Mapping[Cell, Record]
    lottery: tuple[Record, ...]
    remedies: Mapping[str, Record]

    @cached_property
    def tallies(self) -> dict[Cell, Tally]:
        """Every cell's runs."""
        return {cell: found.tally() for cell, found in self.grid.items()}

    @cached_property
    def collapsed(self) -> dict[Cell, Tally]:
        """Cells with a run that collapsed."""
        return {cell: tally for cell, tally in self.tallies.items() if _collapsed(self.grid[cell])}

    @cached_property
    def trained(self) -> dict[Cell, Tally]:
        """The other cells."""
        return {cell: tally for cell, tally in self.tallies.items() if cell not in self.collapsed}

    @cached_property
    def compared(self) -> dict[Cell, Tally]:
        """Those that effects are over: without the replicates of depth 2, which would count twice."""
        return {cell: tally for cell, tally in self.trained.items() if not cell.replicate}

    @cached_property
    def effects(self) -> dict[str, tuple[Effect, ...]]:
        """Measure → the effects on it."""
        return {measure: effects(self.compared, measure) for measure in MEASURES}


def _collapsed(record: Record) -> bool:
    return bool(record.broken) or min(record.correct) < LEARNT * record.n_samples


def read_results(folder: Path) -> Results:
    """The results of a folder.

    Raises
    ------
    RecordsError
    """
    cells = {cell.id: cell for cell in published_cells()}
    grid, lottery, remedies = (
        read_records(folder / f"{name}.json") for name in ("grid", "lottery", "remedies")
    )
    names = [each.test for each in grid]
    _check(
        folder / "grid.json",
        not set(names) - set(cells),
        "a test that is no cell of the grid",
        names,
    )
    _check(folder / "grid.json", len(set(names)) == len(names), "a cell twice", names)
    seeded = [each.test for each in lottery]
    one = len(set(seeded)) == 1 and cells.get(seeded[0]) in by_cell(read_published())
    _check(folder / "lottery.json", one, "something else than one published cell", seeded)
    for each in remedies:
        whole = "none" in each.labels and "none" not in each.broken
        _check(folder / "remedies.json", whole, "an audit without a sound 'none'", [each.test])
    by_id = {each.test: each for each in grid}
    found = Results(
        {cell: by_id[name] for name, cell in cells.items() if name in by_id},
        lottery,
        {each.test: each for each in remedies},
    )
    told = [f"{len(found.trained)} cells that learnt"]
    _check(folder / "grid.json", len(found.compared) > 1, "too little to compare", told)
    return found


def _check(path: Path, holds: bool, what: str, found: Sequence[str]) -> None:
    if not holds:
        raise RecordsError(f"{path} holds {what}: {', '.join(sorted(set(found)))}")
