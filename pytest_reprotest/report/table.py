"""Aligned columns of text whose cells may take several lines."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence

from tabulate import tabulate

from pytest_reprotest.report.letters import Spell

Cell = Sequence[str]
"""The lines of a cell."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # Unicode categories


def one_line(text: str) -> str:
    r"""Text for a file: in one line, and what can't be seen or sets a direction is spelled out.

    >>> print(one_line("first\n second\u202e"))
    first second\u202e
    """
    return "".join(
        character
        if unicodedata.category(character) not in _INVISIBLE
        else character.encode("unicode_escape").decode("ascii")
        for character in _joined(text)
    )


def _joined(text: str) -> str:
    """The lines of a text in one, with a space for a break and what blank there is around it."""
    if "\n" not in text:
        return text
    first, *others = text.split("\n")
    *between, last = others
    inner = [stripped for each in between if (stripped := each.strip())]
    return " ".join([first.rstrip(), *inner, last.lstrip()])


def fold(text: str, width: int, indent: str = "") -> list[str]:
    """Break a name into lines after ``+``, a comma or a space; where a part is too long for a line, before
    its parenthesis, or anywhere.

    >>> fold("batch_norm+weight_decay(0.001)", 21, indent="  ")
    ['batch_norm+', '  weight_decay(0.001)']
    """
    lines = [""]
    width = max(width, len(indent) + 1)
    parts: list[str] = []
    for name in re.findall(r"[^+, ]*[+, ]+|[^+, ]+", text):
        too_long = len(name.rstrip()) > width - len(indent)
        parts.extend(re.split(r"(?=\()", name) if too_long else [name])
    for part in parts:
        if len((lines[-1] + part).rstrip()) > width and lines[-1].strip():
            lines.append(indent)
        while len((lines[-1] + part).rstrip()) > width:
            room = width - len(lines[-1])
            lines[-1] += part[:room]
            lines.append(indent)
            part = part[room:]
        lines[-1] += part
    return [line.rstrip() for line in lines]


def wrap(text: str, width: int, indent: str = "  ", spell: Spell = str) -> list[str]:
    """Wrap each line of a sentence; paths and test ids stay in one piece.

    >>> wrap("a threshold is breached", 12)
    ['a threshold', '  is', '  breached']
    """
    return [
        piece
        for line in spell(text).splitlines()
        for piece in textwrap.wrap(
            line,
            max(width, 2 * len(indent) + 1),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: Sequence[int] = (),
    spell: Spell = str,
) -> list[list[str]]:
    """Set rows in columns.

    Parameters
    ----------
    right : sequence of int
        Columns aligned to the right.

    Returns
    -------
    The lines of the heading with its rule, then the lines of each row.

    >>> columns(["name", "runs"], [[["none"], ["5"]], [["drop", " out"], ["5"]]], right=[1])
    [['name  runs', '----  ----'], ['none     5'], ['drop     5', ' out']]
    """
    shown: list[Sequence[Cell]] = [[[heading] for heading in headings], *rows]
    cells = [[[spell(line) for line in cell] for cell in row] for row in shown]
    widths = [
        max(len(line) for row in cells for line in row[number]) for number in range(len(headings))
    ]
    cells.insert(1, [["-" * width] for width in widths])
    heights = [max(len(cell) for cell in row) for row in cells]
    text = tabulate(
        [
            [cell[line] if line < len(cell) else "" for cell in row]
            for row, height in zip(cells, heights, strict=True)
            for line in range(height)
        ],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if number in right else "left" for number in range(len(headings))],
        preserve_whitespace=True,
    ).splitlines()
    lines = iter(line.rstrip() for line in text)
    found = [[next(lines) for _ in range(height)] for height in heights]
    return [found[0] + found[1], *found[2:]]
