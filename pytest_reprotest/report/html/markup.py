"""HTML in which every text is escaped: only ``tag`` and ``join`` make markup, and text given to them is text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape

from pytest_reprotest.report.plots.lettering import clean


class Markup(str):
    """HTML that is safe to put into a page."""

    __slots__ = ()


Child = str
"""Markup goes in as it is, any other text escaped."""

_VOID = frozenset({"meta", "link", "br", "img"})
_PARTS = re.compile(r"[^_./:+-]*[_./:+-]+|[^_./:+-]+", re.DOTALL)


def text(given: str) -> Markup:
    r"""A text, its lines kept; what is not seen is spelled, as it could turn what stands beside it around.

    >>> print(text("<b> & \u202e"))
    &lt;b&gt; &amp; \u202e
    """
    if isinstance(given, Markup):
        return given
    return Markup("<br>".join(map(_line, given.split("\n"))))


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    r"""An element; of an attribute's name a trailing ``_`` is dropped, and others are hyphens.

    >>> print(tag("a", "<here>", class_="x", href="#a\"b", data_n=None))
    <a class="x" href="#a&quot;b">&lt;here&gt;</a>
    """
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_value(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Children one after the other.

    >>> print(join([tag("b", "x"), "<"]))
    <b>x</b>&lt;
    """
    return Markup(between.join(map(text, children)))


def label(name: str) -> Markup:
    """A name from outside: its direction stays its own, and lines may break after the signs in it.

    >>> print(label("batch_norm"))
    <bdi>batch_<wbr>norm</bdi>
    """
    return tag("bdi", join(_PARTS.findall(name), between="<wbr>"))


def script(source: str) -> str:
    r"""JavaScript in lines as a page has them, and which ends at nothing but its own end.

    >>> script("'</SCRIPT>'")
    "'<\\/SCRIPT>'"
    """
    return re.sub("</(?=script)", r"<\\/", "\n".join(source.splitlines()), flags=re.IGNORECASE)


def json_text(document: str) -> str:
    r"""JSON for a ``<script>``: the same JSON, in which nothing is a tag.

    >>> json_text('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    for character in "<>&":
        document = document.replace(character, f"\\u{ord(character):04x}")
    return document


def identifier(given: str) -> str:
    """A text as part of an id: what is not a letter or a digit becomes a hyphen.

    >>> identifier("tests/test_a.py::test_mlp[x]")
    'tests-test-a-py-test-mlp-x'
    """
    kept = "".join(
        c if c.isascii() and c.isalnum() else "-" for c in unicodedata.normalize("NFKD", given)
    )
    return "-".join(filter(None, kept.split("-")))[:60]


def _line(line: str) -> str:
    """A line with the space around it, which sets it apart from what stands beside it."""
    around = [" " * (end.isspace()) for end in (line[:1], line[1:][-1:])]
    return f"{around[0]}{escape(clean(line))}{around[1]}"


def _value(value: str | bool) -> str:
    return escape(clean(str(value)), quote=True)
