"""Hypothesis strategies: files that something damaged, by chance or on purpose.

``damaged`` knows nothing of a file's format, so it serves any. ``altered`` takes JSON apart and gives JSON, most of
which a reader that only parses takes for good.
"""

import copy
import json
import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

ASKED = os.environ.get("REPROTEST_FUZZ_CASES")
"""Cases of each fuzz test: so many drawn at random, else a small number that is the same each time."""


def fuzz(cases, shrinks=True, each=1):
    """Hypothesis settings of a fuzz test, of ``cases`` where nothing else is asked for.

    Parameters
    ----------
    shrinks : bool
        Look for the smallest case that fails; not where each takes a session of pytest.
    each : int
        Cases that an example holds.
    """
    phases = (Phase.explicit, Phase.generate, *([Phase.shrink] if shrinks else []))
    return settings(
        max_examples=cases if ASKED is None else max(1, int(ASKED) // each),
        derandomize=ASKED is None,
        database=None,
        phases=phases,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# --- bytes --------------------------------------------------------------------------------------


@st.composite
def damaged(draw, data, most=4):
    """The bytes of a file after 1 to ``most`` accidents: bits that flipped, parts that are gone, written over,
    doubled or moved, and a beginning or an end that is missing.
    """
    data = bytearray(data)
    for _ in range(draw(st.integers(1, most))):
        _ACCIDENTS[draw(st.sampled_from(sorted(_ACCIDENTS)))](draw, data)
    return bytes(data)


def _place(draw, data):
    return draw(st.integers(0, len(data)))


def _part(draw, data, longest=512):
    start = _place(draw, data)
    return slice(start, start + draw(st.integers(0, longest)))


def _flip(draw, data):
    if data:
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))


def _end_early(draw, data):
    del data[_place(draw, data) :]


def _start_late(draw, data):
    del data[: draw(st.integers(0, min(64, len(data))))]


def _lose(draw, data):
    del data[_part(draw, data)]


def _write_over(draw, data):
    part = _part(draw, data, longest=16)
    size = len(data[part])
    data[part] = draw(st.binary(min_size=size, max_size=size))


def _blank(draw, data):
    """A block that was never written."""
    part = _part(draw, data, longest=4096)
    data[part] = bytes(len(data[part]))


def _insert(draw, data):
    place = _place(draw, data)
    data[place:place] = draw(st.sampled_from(_SPLINTERS) | st.binary(max_size=16))


def _move(draw, data):
    part = data[_part(draw, data)]
    place = _place(draw, data)
    data[place : place + draw(st.sampled_from([0, len(part)]))] = part


_ACCIDENTS = {
    "flip": _flip,
    "end early": _end_early,
    "start late": _start_late,
    "lose": _lose,
    "write over": _write_over,
    "blank": _blank,
    "insert": _insert,
    "move": _move,
}
_SPLINTERS = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"\\",
    b"\\ud800",
    b"\x1b[2J",
    b"{",
    b"[",
    b"[" * 2000,
    b"]",
    b",",
    b"-",
    b"9" * 40,
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"null",
    b"../",
]

# --- JSON ---------------------------------------------------------------------------------------

_NAMES = [
    "",
    "a",
    "none",
    "../../away",
    "/away",
    "CON",
    "a\0b",
    "\x1b]0;title\x07\x1b[2J",
    "two\nlines\r\x85",
    "\u202eright to left",
    "\ud800",
    "<script>alert(1)</script>",
    "=1+1",
    "x" * 400,
]
_NUMBERS = [
    *(0, 1, -1, 2, 3, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**400),
    *(0.5, -0.0, 5e-324, 1e308, -1e308, float("nan"), float("inf")),
]
_DEEP = []
for _ in range(300):
    _DEEP = [_DEEP]
_LONG_NUMBER = "a number of 5000 digits"
"""Stands for one, which Python does not write."""

values = st.deferred(
    lambda: (
        st.sampled_from([None, True, False, *_NUMBERS, *_NAMES, _LONG_NUMBER, [], {}, _DEEP])
        | st.integers(-5, 100)
        | st.floats(0, 1)
        | st.text(max_size=8)
        | st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=4), values, max_size=3)
    )
)
"""Whatever JSON may hold, and much that a reader should have thought of."""


@st.composite
def altered(draw, document, most=3):
    """The text of a JSON document, as bytes, in which 1 to ``most`` nodes are others, gone, renamed or doubled."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        place = _walk(draw, document)
        if place is None:
            break
        holder, key = place
        how = draw(
            st.sampled_from(["value", "value", "other", "kind", "gone", "renamed", "doubled"])
        )
        if how == "value":
            holder[key] = copy.deepcopy(draw(values))
        elif how == "other":  # of the same file: what is right elsewhere
            other, its_key = _walk(draw, document)
            holder[key] = copy.deepcopy(other[its_key])
        elif how == "kind":
            holder[key] = copy.deepcopy(draw(_alike(holder[key])))
        elif how == "gone":
            del holder[key]
        elif isinstance(holder, dict):
            name = draw(st.sampled_from(_NAMES) | st.text(max_size=4))
            holder[name] = copy.deepcopy(holder[key])
            if how == "renamed" and name != key:
                del holder[key]
        else:
            holder.insert(draw(st.integers(0, len(holder))), copy.deepcopy(holder[key]))
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    text = text.replace(json.dumps(_LONG_NUMBER), "9" * 5000)
    return text.encode("utf-8", "surrogatepass")


def _walk(draw, node):
    """A node of a document but the first, as what holds it and where: a way down that ends anywhere, so that the
    one list of a thousand numbers is not all that is met. None where there is no such node.
    """
    place = None
    while isinstance(node, (dict, list)) and node:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        place, node = (node, key), node[key]
        if draw(st.integers(0, 5)) == 0:
            break
    return place


def _alike(value):
    """Other values of the same kind: what checks of types let through."""
    if isinstance(value, bool) or value is None:
        return st.sampled_from([True, False, None])
    if isinstance(value, int):
        return st.sampled_from([each for each in _NUMBERS if isinstance(each, int)])
    if isinstance(value, float):
        return st.sampled_from(_NUMBERS) | st.floats()
    if isinstance(value, str):
        return st.sampled_from(_NAMES) | st.text(max_size=40)
    return st.just([]) if isinstance(value, list) else st.just({})
