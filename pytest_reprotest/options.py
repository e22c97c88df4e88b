"""Frozen options of an audit: reading values, precedence, and where each value came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean
from pytest_reprotest.seeds import SOURCES, check_sources
from pytest_reprotest.thresholds import THRESHOLDS, Bounds, read_threshold

COMMAND_LINE, CALL, MARKER, INI, DEFAULT = "command line", "call", "marker", "ini", "default"


def read_runs(value: Any) -> int:
    """An integer of at least 2, or its decimal text."""
    number = _integer(value)
    if number < 2:
        raise OptionError(f"got {value!r}; expected at least 2 runs, since a pair is compared")
    return number


def read_seed(value: Any) -> int:
    """An integer of 0 or more, or its decimal text."""
    number = _integer(value)
    if number < 0:
        raise OptionError(f"got {value!r}; expected a seed of 0 or more")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value.strip())
        except ValueError:
            raise OptionError(f"got {value!r}; expected an integer") from None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise OptionError(f"got {value!r} ({type(value).__name__}); expected an integer")
    return int(value)


def read_vary(value: Any) -> tuple[str, ...]:
    """``"all"``, ``"none"``, a comma-separated text or a sequence of sources."""
    if isinstance(value, str):
        names = [name.strip() for name in value.split(",")]
    elif isinstance(value, (list, tuple, set, frozenset)) and all(
        isinstance(name, str) for name in value
    ):
        names = list(value)
    else:
        raise OptionError(
            f"got {value!r}; expected 'all', 'none' or any of {', '.join(SOURCES)}, as text or a list"
        )
    if names == ["all"]:
        return SOURCES
    if names == ["none"]:
        return ()
    if not names:
        raise OptionError("got an empty list; expected 'none' or any of " + ", ".join(SOURCES))
    if "all" in names or "none" in names:
        raise OptionError(f"got {value!r}; expected 'all' or 'none' alone, or any of the others")
    return check_sources(names)


def read_device(value: Any) -> str:
    """The spelling of a device; whether it exists is known once torch is loaded."""
    if not isinstance(value, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+(,\d+)*)?", value):
        raise OptionError(
            f"got {value!r}; expected auto, cpu, cuda, cuda:N, cuda:0,1 or mps."
            + did_you_mean(str(value), ("auto", "cpu", "cuda", "mps"))
        )
    return value


def read_engine(value: Any) -> str:
    """The name of an engine."""
    engines = ("auto", "stacked", "sequential")
    if value not in engines:
        raise OptionError(
            f"got {value!r}; expected {', '.join(engines)}.{did_you_mean(str(value), engines)}"
        )
    return str(value)


def read_workers(value: Any) -> int | str:
    """An integer of at least 1, or ``auto``."""
    if value == "auto":
        return "auto"
    number = _integer(value)
    if number < 1:
        raise OptionError(f"got {value!r}; expected at least 1 worker, or auto")
    return number


def read_regularizers(value: Any) -> tuple[Any, ...]:
    """A non-empty text or sequence of names and regularizer objects; the registry resolves them."""
    if isinstance(value, str):
        if not value.strip():
            raise OptionError("got an empty text; expected names such as 'none,dropout', or 'all'")
        return (value,)
    if not isinstance(value, (list, tuple)):
        value = [value]
    if not value:
        raise OptionError("got an empty list; expected at least one regularizer, such as 'none'")
    return tuple(value)


def read_switch(value: Any) -> bool:
    """True or false, or an ini file's text for them."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise OptionError(f"got {value!r}; expected true or false")


def read_name(value: Any) -> str:
    """A non-empty text."""
    if not isinstance(value, str) or not value.strip():
        raise OptionError(f"got {value!r}; expected the name of a regularizer, such as 'none'")
    return value.strip()


@dataclass(frozen=True)
class Options:
    """Everything an audit was asked for, apart from what is trained.

    Attributes
    ----------
    runs : int
        Trainings per regularizer.
    regularizers : tuple
        Names, specifications such as ``"weight_decay(1e-3)"``, or Regularizer objects.
    baseline : str or None
        The regularizer that others are held against; None: ``none`` where it is audited, else the first.
    seed : int
        Base seed.
    vary : tuple of str
        Variance sources that differ between runs.
    device : str
    engine : str
        ``auto``, ``stacked`` or ``sequential``.
    workers : int or "auto"
        Processes that train chunks of runs side by side.
    report_only : bool
        Breached thresholds are reported and do not fail.
    bounds : Bounds
        The thresholds, by source.
    offered : tuple
        The Regularizer objects that a marker lists, whichever of them are audited: text may name them.
    origins : mapping
        Option name → "command line", "call" (of ``audit``), "marker", "ini" or "default".
    """

    runs: int = 5
    regularizers: tuple[Any, ...] = ("none",)
    baseline: str | None = None
    seed: int = 0
    vary: tuple[str, ...] = SOURCES
    device: str = "auto"
    engine: str = "auto"
    workers: int | str = 1
    report_only: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    offered: tuple[Any, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def origin(self, key: str) -> str:
        """Where the value of an option came from."""
        return self.origins.get(key, DEFAULT)


READERS: dict[str, Callable[[Any], Any]] = {
    "runs": read_runs,
    "regularizers": read_regularizers,
    "baseline": read_name,
    "seed": read_seed,
    "vary": read_vary,
    "device": read_device,
    "engine": read_engine,
    "workers": read_workers,
    "report_only": read_switch,
    **{name: partial(read_threshold, name) for name in THRESHOLDS},
}
MARKER_KEYS = ("runs", "regularizers", "baseline", "seed", "vary", "engine", *THRESHOLDS)


def spelled(origin: str, key: str, value: Any) -> str:
    """An option as its user wrote it, to begin an error message with.

    >>> spelled("command line", "max_accuracy_std", 2)
    '--repro-max-accuracy-std=2'
    """
    if origin == COMMAND_LINE:
        flag = f"--repro-{key.replace('_', '-')}"
        return flag if value is True else f"{flag}={value}"
    if origin == INI:
        return f"ini option repro_{key} = {value}"
    return f"{key}={value!r}" if origin == CALL else f"reproducibility({key}={value!r})"


def read(origin: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Validate one source of options; None means not given there.

    Raises
    ------
    OptionError
        For an unknown name (with the closest valid one) or an impossible value.

    >>> read("marker", {"runs": "3", "seed": None})
    {'runs': 3}
    """
    valid = MARKER_KEYS if origin == MARKER else tuple(READERS)
    checked = {}
    for key, value in values.items():
        if key not in valid and key in READERS:
            raise OptionError(
                f"reproducibility({key}=...) can't be set on the marker; use "
                f"--repro-{key.replace('_', '-')}, or repro_{key} in the ini file"
            )
        if key not in valid:
            raise OptionError(
                f"reproducibility() got an unknown keyword {key!r}; expected any of "
                f"{', '.join(valid)}.{did_you_mean(key, valid)}"
            )
        if value is None:
            continue
        try:
            checked[key] = READERS[key](value)
        except OptionError as error:
            raise OptionError(f"{spelled(origin, key, value)}: {error}") from None
    return checked


def resolve(
    command_line: Mapping[str, Any] | None = None,
    marker: Mapping[str, Any] | None = None,
    ini: Mapping[str, Any] | None = None,
    call: Mapping[str, Any] | None = None,
) -> Options:
    """Merge the sources, command line > marker > ini > default, and remember each value's origin.

    Thresholds differ: a command line may tighten a marker's, and loosens it only with ``report_only``.
    ``call`` holds the arguments of ``audit``, where there are no other sources.

    >>> options = resolve({"runs": "10"}, {"runs": 3, "seed": 1})
    >>> options.runs, options.origin("runs"), options.seed, options.origin("vary")
    (10, 'command line', 1, 'default')
    """
    sources = [
        (origin, read(origin, values or {}))
        for origin, values in (
            (INI, ini),
            (MARKER, marker),
            (CALL, call),
            (COMMAND_LINE, command_line),
        )
    ]
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in sources:
        merged.update(values)
        origins.update(dict.fromkeys(values, origin))
    given = dict(sources)
    command = {key: given[COMMAND_LINE].get(key) for key in THRESHOLDS}
    fallback = {key: value for key, value in given[INI].items() if command.get(key) is None}
    standing = {key: ({**fallback, **given[CALL], **given[MARKER]}).get(key) for key in THRESHOLDS}
    bounds = Bounds(standing, command, command_wins=bool(merged.get("report_only", False)))
    origins.update(dict.fromkeys(bounds.kept(), MARKER))
    listed = (*given[MARKER].get("regularizers", ()), *given[CALL].get("regularizers", ()))
    offered = tuple(item for item in listed if not isinstance(item, str))
    names = {option.name for option in fields(Options)} - {"bounds", "offered", "origins"}
    chosen = {key: value for key, value in merged.items() if key in names}
    return Options(**chosen, bounds=bounds, offered=offered, origins=origins)
