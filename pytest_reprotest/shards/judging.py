"""The options by which an audit is judged, as JSON: where runs are joined there is no test to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.kinds import KINDS
from pytest_reprotest.options import READERS, Options
from pytest_reprotest.origins import NEAREST_FIRST
from pytest_reprotest.stored import entry
from pytest_reprotest.thresholds import Bounds

_JUDGING = (
    "runs",
    "seed",
    "vary",
    "decision",
    "confidence",
    "on_inconclusive",
    "compat",
    "report_only",
)


def options_out(options: Options) -> dict[str, Any]:
    """What judges: everything but regularizers and where is trained."""
    own = {name: getattr(options, name) for name in _JUDGING}
    bounds = {each.name: getattr(options.bounds, each.name) for each in fields(Bounds)}
    plain = {
        name: {key: value for key, value in each.items() if value is not None}
        if isinstance(each, Mapping)
        else each
        for name, each in bounds.items()
    }
    return {
        **own,
        "vary": list(options.vary) or "none",
        "bounds": plain,
        "origins": dict(options.origins),
    }


def options_in(stored: Any) -> Options:
    """The inverse of ``options_out``.

    Raises
    ------
    DataError
    """
    bounds, origins = entry(stored, "bounds", dict), entry(stored, "origins", dict)
    if any(origin not in NEAREST_FIRST for origin in origins.values()):
        raise DataError("an option's origin is none that there is")
    try:
        own = {
            name: READERS[name](stored[name]) for name in _JUDGING if stored.get(name) is not None
        }
        standing, command = (
            {
                name: READERS[name](value)
                for name, value in entry(bounds, key, dict).items()
                if name in KINDS
            }
            for key in ("standing", "command")
        )
    except OptionError as error:
        raise DataError(f"an option can't be read: {error}") from None
    wins = entry(bounds, "command_wins", bool)
    return Options(**own, bounds=Bounds(standing, command, wins), origins=origins)
