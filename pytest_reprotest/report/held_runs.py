"""What a store holds, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_reprotest.report.table import columns, fold

if TYPE_CHECKING:
    from pytest_reprotest.store.holdings import Holding

_HEADINGS = ("entry", "test", "regularizer", "runs", "size", "finished")
_WIDEST_LABEL, _NARROWEST_NAME = 24, 16
_SHOWN = 8  # digits of a key


def list_held(held: Sequence[Holding], width: int) -> list[str]:
    """A row for each regularizer of each test.

    Parameters
    ----------
    width : int
        Columns of the terminal.
    """
    rows = []
    for each in held:
        rows.append(
            [
                each.key[:_SHOWN],
                ", ".join(each.tests) or "-",
                each.regularizer,
                str(each.n_runs),
                size(each.size),
                day(each.last),
            ]
        )
    fixed = sum(max(len(row[n]) for row in [_HEADINGS, *rows]) + 2 for n in (0, 3, 4, 5))
    label = min(max(len(row[2]) for row in [_HEADINGS, *rows]), _WIDEST_LABEL)
    name = max(width - fixed - label - 2, _NARROWEST_NAME)
    cells = [
        [[row[0]], fold(row[1], name), fold(row[2], label), *([each] for each in row[3:])]
        for row in rows
    ]
    lines = [line for group in columns(_HEADINGS, cells, right=[3, 4]) for line in group]
    runs, total = sum(each.n_runs for each in held), sum(each.size for each in held)
    return [*lines, f"{runs} run{'s' * (runs != 1)}, {size(total)}"]


def show_held(held: Holding, runs: Sequence[tuple[str, int, float]]) -> list[str]:
    """One entry: what its runs depend on, and each of them."""
    lines = [f"entry {held.key}", f"regularizer {held.regularizer}"]
    lines += [f"test {name}" for name in held.tests]
    lines += ["", "depends on"]
    lines += [f"  {line}" for line in _flat(held.told)]
    rows = [[[key], [size(count)], [moment(when)]] for key, count, when in runs]
    table = columns(("run", "size", "finished"), rows, right=[1])
    return [*lines, "", *(line for group in table for line in group)]


def _flat(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif value is not None:  # a variable that is not set
        yield f"{path}: {value}"


def size(count: int) -> str:
    """Bytes in a unit that fits.

    >>> size(500), size(2_500_000)
    ('500 B', '2.5 MB')
    """
    number, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def day(when: float) -> str:
    """The date of a moment in seconds since 1970; ``-`` of none."""
    return moment(when).partition(" ")[0]


def moment(when: float) -> str:
    """Date and time of a moment in seconds since 1970; ``-`` of none."""
    try:
        return datetime.fromtimestamp(when).isoformat(" ", "seconds")
    except (OverflowError, OSError, ValueError):
        return "-"
