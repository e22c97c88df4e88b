"""Frozen options of an audit: reading values, precedence, and where each value came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_reprotest.contradictions import BY_BOUNDS, check_decision, check_executor, imply
from pytest_reprotest.errors import OptionError, did_you_mean
from pytest_reprotest.origins import CALL, COMMAND_LINE, DEFAULT, INI, MARKER, spelled
from pytest_reprotest.readers import (
    CONFIDENCE,
    read_address,
    read_bank_runs,
    read_choice,
    read_confidence,
    read_device,
    read_max_runs,
    read_name,
    read_regularizers,
    read_runs,
    read_seed,
    read_switch,
    read_timeout,
    read_vary,
    read_workers,
)
from pytest_reprotest.seeds import SOURCES
from pytest_reprotest.thresholds import KINDS, THRESHOLDS, TOLERANCES, Bounds, read_threshold

if TYPE_CHECKING:
    from pytest_reprotest.statistics.sequential import Decision


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
    executor : str
        ``auto``, ``local``, ``processes`` or ``ray``: where they are.
    ray_address : str or None
        Of a Ray cluster.
    timeout : float or None
        Seconds that a run may take; one that takes longer is ended and has failed.
    report_only : bool
        Breached thresholds are reported and do not fail.
    decision : {"point", "confidence"}
        Whether estimates are held against thresholds, or their one-sided bounds.
    confidence : float
        Of a decision with confidence: one less the chance of a wrong pass, and of a wrong fail.
    max_runs : int or None
        Runs are added until a decision with confidence is made, up to so many.
    on_inconclusive : {"fail", "pass", "skip"}
        What becomes of a test whose audit decides nothing.
    compat : {"study"} or None
        ``"study"`` adds the study's own p-value.
    deterministic : bool
        Runs of one seed are trained apart and have to agree to the last bit.
    attribute : bool
        Further runs vary one thing alone, and tell its share of the prediction difference.
    bank_runs : int
        Trainings per regularizer where they are held against a bank.
    bounds : Bounds
        The thresholds and tolerances, by source.
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
    executor: str = "auto"
    ray_address: str | None = None
    timeout: float | None = None
    report_only: bool = False
    decision: str = "point"
    confidence: float = CONFIDENCE
    max_runs: int | None = None
    on_inconclusive: str = "fail"
    compat: str | None = None
    deterministic: bool = False
    attribute: bool = False
    bank_runs: int = 1
    bounds: Bounds = field(default_factory=Bounds)
    offered: tuple[Any, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def origin(self, key: str) -> str:
        """Where the value of an option came from."""
        return self.origins.get(key, DEFAULT)

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of runs at which an adaptive audit is judged; the last trains no more."""
        if self.max_runs is None or self.decision == "point":
            return (self.runs,)
        from pytest_reprotest.statistics.sequential import looks

        return looks(self.runs, max(self.max_runs, self.runs))

    @property
    def adaptive(self) -> bool:
        """Whether runs are added until the limits are decided."""
        return len(self.looks) > 1

    def without_effect(self) -> tuple[str, ...]:
        """A sentence for each option of the command line that this audit makes no use of."""
        return tuple(
            f"{spelled(COMMAND_LINE, key, getattr(self, key))} has no effect here: {BY_BOUNDS}"
            for key in ("max_runs", "confidence")
            if self.decision == "point" and self.origin(key) == COMMAND_LINE
        )

    @property
    def rule(self) -> Decision:
        """How limits are decided."""
        from pytest_reprotest.statistics.sequential import Decision

        if self.decision == "point":
            return Decision()
        return Decision("confidence", self.confidence, self.looks)


READERS: dict[str, Callable[[Any], Any]] = {
    "runs": read_runs,
    "regularizers": read_regularizers,
    "baseline": read_name,
    "seed": read_seed,
    "vary": read_vary,
    "device": read_device,
    "engine": partial(read_choice, valid=("auto", "stacked", "sequential")),
    "workers": read_workers,
    "executor": partial(read_choice, valid=("auto", "local", "processes", "ray")),
    "ray_address": read_address,
    "timeout": read_timeout,
    "report_only": read_switch,
    "decision": partial(read_choice, valid=("point", "confidence")),
    "confidence": read_confidence,
    "max_runs": read_max_runs,
    "on_inconclusive": partial(read_choice, valid=("fail", "pass", "skip")),
    "compat": partial(read_choice, valid=("study",)),
    "deterministic": read_switch,
    "attribute": read_switch,
    "bank_runs": read_bank_runs,
    **{name: partial(read_threshold, name) for name in KINDS},
}
MARKER_KEYS = (
    "runs",
    "regularizers",
    "baseline",
    "seed",
    "vary",
    "engine",
    "timeout",
    "decision",
    "confidence",
    "max_runs",
    "on_inconclusive",
    "compat",
    "deterministic",
    "attribute",
    *THRESHOLDS,
    *TOLERANCES,
)


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
    command = {key: given[COMMAND_LINE].get(key) for key in KINDS}
    fallback = {key: value for key, value in given[INI].items() if command.get(key) is None}
    standing = {key: ({**fallback, **given[CALL], **given[MARKER]}).get(key) for key in KINDS}
    imply(merged, origins)
    bounds = Bounds(standing, command, command_wins=bool(merged.get("report_only", False)))
    origins.update(dict.fromkeys(bounds.kept(), MARKER))
    listed = (*given[MARKER].get("regularizers", ()), *given[CALL].get("regularizers", ()))
    offered = tuple(item for item in listed if not isinstance(item, str))
    names = {option.name for option in fields(Options)} - {"bounds", "offered", "origins"}
    chosen = {key: value for key, value in merged.items() if key in names}
    options = Options(**chosen, bounds=bounds, offered=offered, origins=origins)
    check_decision(options)
    check_executor(options)
    return options
