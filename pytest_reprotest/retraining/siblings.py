"""The items of one test, where its regularizers are spread over items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_reprotest.joined import group

if TYPE_CHECKING:
    from pytest_reprotest.session import Place, SessionAudits


def beside(session: SessionAudits, item: Any, regularizer: str) -> tuple[str, ...]:
    """The regularizers of a test's items for the first of them, which tells of all; none for the others.

    The first in the order of the files: a plugin may shuffle items.
    """
    own = session.place_of(item)
    test = group(own.name, regularizer)
    found: dict[Place, str] = {}
    for other in item.session.items:
        label = getattr(other, "callspec", None) and other.callspec.params.get("regularizer")
        place = session.place_of(other)
        if isinstance(label, str) and group(place.name, label) == test:
            found[place] = label
    ordered = sorted(found)
    return tuple(found[place] for place in ordered) if ordered[:1] == [own] else ()
