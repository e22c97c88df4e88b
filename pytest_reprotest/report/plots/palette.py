"""How series are told apart: by colour and, as colour is not seen by everyone or in print, by shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_reprotest.errors import DataError

# M. Okabe, K. Ito, Color Universal Design, 2008, without yellow, whose lines are not seen on white.
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
# The same shapes in Plotly's words and in matplotlib's; not as many as colours, so that pairs repeat late.
_SHAPES = (
    ("circle", "o"),
    ("square", "s"),
    ("triangle-up", "^"),
    ("diamond", "D"),
    ("cross", "P"),
    ("triangle-down", "v"),
    ("x", "X"),
    ("star", "*"),
    ("pentagon", "p"),
)
MOST = len(_COLOURS) * len(_SHAPES)


@dataclass(frozen=True)
class Sign:
    """The colour of a series and its shape, by its names in both libraries."""

    colour: str
    plotly: str
    matplotlib: str


def signs(names: Iterable[str]) -> dict[str, Sign]:
    """A sign for each name, in their order.

    Raises
    ------
    DataError
        Where there are more names than signs.

    >>> signs(["none", "dropout", "none"])["dropout"]
    Sign(colour='#D55E00', plotly='square', matplotlib='s')
    """
    distinct = list(dict.fromkeys(names))
    if len(distinct) > MOST:
        raise DataError(
            f"{len(distinct)} series cannot be told apart in one figure; expected at most {MOST}. "
            "Draw several figures"
        )
    return {
        name: Sign(_COLOURS[number % len(_COLOURS)], *_SHAPES[number % len(_SHAPES)])
        for number, name in enumerate(distinct)
    }
