"""Text that goes into figures: what it may hold, how wide it is, and where it is broken into lines."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PARTS = re.compile(r"[^ +,/:_-]*[ +,/:_-]+|[^ +,/:_-]+")
_NARROW, _WIDE = frozenset(" !'()*,-./:;I[]fijlrt|"), frozenset("%@MWmw")


def clean(text: str) -> str:
    r"""Text on one line, with nothing in it that is not seen: controls and marks of direction are spelled.

    >>> print(clean("two\n  lines, right to left: \u202e"))
    two lines, right to left: \u202e
    """
    return "".join(
        spelled(character) if unicodedata.category(character) in _UNSEEN else character
        for character in " ".join(text.split())
    )


def spelled(character: str) -> str:
    r"""A character as Python writes it in a string.

    >>> print(spelled("\u200f"), spelled("\N{SNOWMAN}"))
    \u200f \u2603
    """
    return character.encode("unicode_escape").decode()


def width(text: str) -> float:
    """At most so many times the font size is a text wide, in the sans-serif fonts that are used.

    >>> round(width("none"), 2), round(width("MM"), 2)
    (2.56, 2)
    """
    return sum(map(_advance, text))


def _advance(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    if character in _NARROW:
        return 0.42
    if character in _WIDE or unicodedata.east_asian_width(character) in "WF":
        return 1
    return 0.64 if "a" <= character <= "z" or character in "0123456789_$" else 0.86


def fold(text: str, room: float) -> str:
    r"""A text in lines of at most ``room`` times the font size, broken after a space or a sign that joins
    words; where a part is too long for a line, anywhere.

    >>> fold("stochastic_depth", 8)
    'stochastic_\ndepth'
    """
    lines = [""]
    for part in _PARTS.findall(text):
        if lines[-1] and width((lines[-1] + part).rstrip()) > room:
            lines.append("")
        for character in part:
            if lines[-1] and character != " " and width(lines[-1] + character) > room:
                lines.append("")
            lines[-1] += character
    return "\n".join(line.rstrip() for line in lines)


def n_lines(text: str) -> int:
    """How many lines it takes; none where there is no text."""
    return text.count("\n") + 1 if text else 0


def widest(text: str) -> float:
    """The width of its widest line, in font sizes."""
    return max(map(width, text.split("\n")))
