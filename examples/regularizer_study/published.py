"""The study's published table, and the cells that its rows are of."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from regularizer_study.factors import Cell, published_cell

TABLE = Path(__file__).parent / "published_mnist.csv"
COLLAPSE = 0.5
"""Below this published effective accuracy runs predicted one class, or several of them different ones."""

_OPTIMIZERS = {"sgd": "sgd", "sgdmom": "momentum", "adam": "adam"}
_DATA = {
    "mnist": "mnist",
    "fmnist": "fashion_mnist",
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "svhn": "svhn",
}
_NORMS = {"false": "none", "layer": "layer", "batch": "batch"}
_DECAYS = {"false": 0.0, "wdecay": 1e-4}
_TRUTH = {"false": False, "true": True}

Value = TypeVar("Value")


class PublishedTableError(ValueError):
    """A table that is not laid out as the study's are."""


@dataclass(frozen=True)
class Published:
    """A row of the table.

    Attributes
    ----------
    cell : Cell
        What was trained, tied stages included.
    effective_accuracy : float
        Mean accuracy less mean prediction difference over the runs' pairs, both fractions of the test set.
    epochs, runs : int
    """

    cell: Cell
    effective_accuracy: float
    epochs: int
    runs: int


def read_published(path: Path = TABLE) -> tuple[Published, ...]:
    """The rows of a table in the study's layout; lines that begin with # are passed over.

    Raises
    ------
    PublishedTableError
        For a column that is missing or a value that has no meaning here; the message names the row.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(_row(row, f"{path}, row {number}") for number, row in enumerate(rows, start=1))


def by_cell(rows: tuple[Published, ...]) -> dict[Cell, Published]:
    """Cell → its row.

    Raises
    ------
    PublishedTableError
        Where two rows are of one cell.
    """
    found = {row.cell: row for row in rows}
    if len(found) < len(rows):
        raise PublishedTableError(
            f"{len(rows)} rows of {len(found)} cells; expected one row a cell"
        )
    return found


def _row(row: Mapping[str, str | None], where: str) -> Published:
    if row.get("noise", "false") != "false":
        raise PublishedTableError(f"{where}: noise is {row['noise']!r}; expected 'false'")
    cell = published_cell(
        _meaning(row, "dataset", _DATA, where),
        int(_number(row, "num_layers", where)),
        _meaning(row, "optim", _OPTIMIZERS, where),
        _meaning(row, "lnoise", _DECAYS, where),
        _meaning(row, "norms", _NORMS, where),
        _meaning(row, "residual", _TRUTH, where),
    )
    return Published(
        cell,
        _number(row, "eff_test_accuracy", where),
        int(_number(row, "epochs", where)),
        int(_number(row, "runs", where)),
    )


def _meaning(
    row: Mapping[str, str | None], column: str, meanings: Mapping[str, Value], where: str
) -> Value:
    value = row.get(column)
    if value is None or value not in meanings:
        expected = ", ".join(map(repr, meanings))
        raise PublishedTableError(f"{where}: {column} is {value!r}; expected one of {expected}")
    return meanings[value]


def _number(row: Mapping[str, str | None], column: str, where: str) -> float:
    value = row.get(column)
    try:
        number = float(value or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PublishedTableError(f"{where}: {column} is {value!r}; expected a number")
    return number
