"""The summary of ``--repro-shard``: what was trained here, and how the parts are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_reprotest.report.rows import NEUTRAL
from pytest_reprotest.report.table import columns, fold, wrap
from pytest_reprotest.report.terminal import HEADING, Line

if TYPE_CHECKING:
    from pytest_reprotest.shards.shard import PartTrained

_NARROWEST_NAME = 20
_HEADINGS = ("test", "runs of this part", "of all")


def render_parts(
    parts: Sequence[PartTrained], width: int, store: str, notes: Sequence[str] = ()
) -> list[Line]:
    """A row for each audit, and the command that gives the verdict.

    Parameters
    ----------
    width : int
        Columns of the terminal.
    store : str
        The folder of this part's store.
    """
    lines: list[Line] = []
    if parts:
        room = max(width - sum(len(each) + 2 for each in _HEADINGS[1:]), _NARROWEST_NAME)
        rows = [[fold(each.name, room), [str(each.mine)], [str(each.planned)]] for each in parts]
        head, *body = columns(_HEADINGS, rows, right=[1, 2])
        lines.extend(Line(text, HEADING) for text in head)
        lines.extend(Line(text) for row in body for text in row)
    told = [f"{each.name}: {note}" for each in parts for note in each.notes]
    if parts:
        told.append(
            f"Part {parts[0].shard} is in {store}; nothing is judged here. The verdict: "
            "python -m pytest_reprotest merge STORE..., with the stores of all parts"
        )
    lines.extend(Line(text, NEUTRAL) for each in (*told, *notes) for text in wrap(each, width))
    return lines
