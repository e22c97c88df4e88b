"""What a terminal that has no Unicode shows in place of our signs."""

from __future__ import annotations

from collections.abc import Callable

Spell = Callable[[str], str]
"""A text in the letters that a terminal has."""

_PLAIN = {
    "±": "+/-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "²": "2",
    "→": "->",
    "…": "...",
    "·": "*",
    "’": "'",
    "–": "-",
}


def speller(encoding: str | None) -> Spell:
    r"""The spelling of an encoding: our signs in its letters, and all else that it lacks by its number.

    Parameters
    ----------
    encoding : str or None
        Of the stream that is written to; None, or one that is not known, is taken for UTF-8.

    >>> print(speller("ascii")("0.1 ±0.2, PD≤0.3, ü"))
    0.1 +/-0.2, PD<=0.3, \xfc
    >>> print(speller("latin-1")("0.1 ±0.2, PD≤0.3"))
    0.1 ±0.2, PD<=0.3
    """
    lacking: dict[int, str] = {}
    for sign, plain in _PLAIN.items():
        try:
            sign.encode(encoding or "utf-8")
        except UnicodeEncodeError:
            lacking[ord(sign)] = plain
        except LookupError:
            return str
    if not lacking:
        return str

    def spell(text: str) -> str:
        told = text.translate(lacking)
        return told.encode(str(encoding), "backslashreplace").decode(str(encoding))

    return spell
