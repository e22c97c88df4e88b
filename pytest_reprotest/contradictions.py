"""Options that say something together: what one implies of others, and what contradicts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.origins import CALL, COMMAND_LINE, DEFAULT, MARKER, nearer, spelled
from pytest_reprotest.readers import MIN_RUNS

if TYPE_CHECKING:
    from pytest_reprotest.options import Options

PROOF_TAKES: dict[str, Any] = {"vary": (), "engine": "sequential"}
"""What a proof of determinism fixes: runs of one seed, each trained by itself."""

BY_BOUNDS = (
    "runs are added, and bounds held, where the decision is made with confidence; set "
    "decision='confidence' (--repro-decision=confidence) too"
)


def check_decision(options: Options) -> None:
    """Refuse settings of a decision that contradict each other.

    Raises
    ------
    OptionError
    """

    def told(key: str) -> str:
        return spelled(options.origin(key), key, getattr(options, key))

    if options.decision == "point":
        for key in ("max_runs", "confidence"):
            beside = options.origin("decision")
            set_aside = beside == COMMAND_LINE != options.origin(key)
            if (
                options.origin(key) in (MARKER, CALL, beside)
                and not set_aside
                and key in options.origins
            ):
                raise OptionError(f"{told(key)}: {BY_BOUNDS}")
        return
    if options.runs < MIN_RUNS and options.max_runs is None:
        raise OptionError(
            f"{told('decision')}: {told('runs')} gives no interval; expected at least {MIN_RUNS} runs"
        )
    runs_win = options.origin("runs") == COMMAND_LINE != options.origin("max_runs")
    if options.max_runs is not None and options.max_runs < options.runs and not runs_win:
        raise OptionError(
            f"{told('max_runs')} is below {told('runs')}; expected at least as many. Raise it, or leave "
            "it out to train a fixed number of runs"
        )
    if options.bounds.any("max_accuracy_std"):
        raise OptionError(
            f"{told('decision')}: max_accuracy_std has no bound whose error rate is known, so it can't be "
            "decided with confidence. Leave it out, or decide by the estimate: decision='point'"
        )


def check_executor(options: Options) -> None:
    """Refuse what an executor can't do. What a nearer source says of the executor sets aside a farther one's.

    Raises
    ------
    OptionError
    """

    def told(key: str) -> str:
        return spelled(options.origin(key), key, getattr(options, key))

    def stands(key: str) -> bool:
        return not nearer(options.origin("executor"), options.origin(key))

    executor = options.executor
    if options.ray_address is not None and executor != "ray" and stands("ray_address"):
        raise OptionError(
            f"{told('ray_address')}: that is of a Ray cluster, and {told('executor')} trains elsewhere; add "
            "--repro-executor=ray, or leave the address out"
        )
    if executor == "local":
        if options.workers != 1 and stands("workers"):
            raise OptionError(
                f"{told('executor')} and {told('workers')}: this process is one; use "
                "--repro-executor=processes, or leave the workers out"
            )
        if options.deterministic:
            raise OptionError(
                f"{told('executor')} and {told('deterministic')}: a proof trains runs in processes of their "
                "own; use --repro-executor=processes, or leave the executor out"
            )
    if executor == "ray" and options.device not in ("auto", "cpu", "cuda"):
        raise OptionError(
            f"{told('device')} and {told('executor')}: Ray gives each worker a GPU of its own. Use "
            "--repro-device=cuda, and set CUDA_VISIBLE_DEVICES where Ray starts to leave some out"
        )


def imply(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Set in place what ``deterministic`` implies; it is asked for by the source that asks for the proof.
    Beside ``attribute`` leave one of the two.

    What a farther source says is set aside, as everywhere; what the same or a nearer one says contradicts it.

    Parameters
    ----------
    values, origins : dict
        Option name → its value, and where that came from.

    Raises
    ------
    OptionError

    >>> values, origins = {"deterministic": True, "vary": ("init",)}, {"deterministic": MARKER, "vary": "ini"}
    >>> imply(values, origins)
    >>> values["vary"], origins["vary"], values["engine"]
    ((), 'marker', 'sequential')
    """
    _attributes(values, origins)
    if not values.get("deterministic"):
        return
    asked = origins["deterministic"]
    told = spelled(asked, "deterministic", True)
    for key, taken in PROOF_TAKES.items():
        origin = origins.get(key, DEFAULT)
        value = values.get(key, taken)
        if value not in (taken, "auto") and not nearer(asked, origin):
            raise OptionError(f"{_as_written(origin, key, value)} and {told}: {_REFUSALS[key]}")
        values[key], origins[key] = taken, asked


def _attributes(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Take out what attribution can't stand beside, or the attribution where that was asked for nearer by.

    A call stands in a test as its marker does, so neither of these two is the nearer one.
    """
    for key in ("deterministic", "max_runs"):
        adds_none = key == "max_runs" and values.get("decision", "point") == "point"
        if not values.get("attribute") or not values.get(key) or adds_none:
            continue
        asked, origin = origins["attribute"], origins[key]
        if asked == origin or {asked, origin} == {CALL, MARKER}:
            raise OptionError(
                f"{_as_written(origin, key, values[key])} and {spelled(asked, 'attribute', True)}: "
                f"{_REFUSALS[key]}"
            )
        farther = key if nearer(asked, origin) else "attribute"
        del values[farther], origins[farther]


_REFUSALS = {
    "deterministic": (
        "a proof of determinism trains one seed again, and an attribution what differs between seeds; leave "
        "one of the two out"
    ),
    "max_runs": (
        "an audit that adds runs stops when its runs look alike, and a share of their prediction difference "
        "would be off; leave one of the two out"
    ),
    "vary": "a proof of determinism trains one seed again, so nothing may vary; leave one of the two out",
    "engine": (
        "a proof of determinism trains each run by itself, never in a stack; leave one of the two out"
    ),
}


def _as_written(origin: str, key: str, value: Any) -> str:
    text = ",".join(value) if origin not in (CALL, MARKER) and key == "vary" else value
    return spelled(origin, key, text)
