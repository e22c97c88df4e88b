"""What a pytest session was asked for: command line, ini file and markers, read into Options.

Standard library only until a value is there to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_reprotest.flags import FLAGS, WRITTEN

if TYPE_CHECKING:
    from pytest_reprotest.options import Options
    from pytest_reprotest.registry import Registry
    from pytest_reprotest.results_file import ResultsFile
    from pytest_reprotest.shards.shard import Shard

MARKER = "reproducibility"
SESSION = "reprotest-session"
"""The name under which the session's audits are registered."""
READ = ("bank", "compare", "pilot")
"""Flags that name a file that the session reads."""
PATHS = (*(flag.key for flag in WRITTEN), *READ, "store")
"""Flags that name a file or folder that the session writes, or reads."""


def given(config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The audit options on the command line and in the ini file, where there are any."""
    flags = [flag for flag in FLAGS if flag.ini and not flag.of_session and not flag.writer]
    command_line = {flag.key: getattr(config.option, flag.dest) for flag in flags}
    ini = {flag.key: config.getini(flag.dest) for flag in flags}
    return (
        {key: value for key, value in command_line.items() if value is not None},
        {key: value for key, value in ini.items() if value not in (None, "")},
    )


def options_of(config: Any, node: Any, call: Mapping[str, Any] | None = None) -> Options:
    """The options of a test: a nearer marker's keywords win over those of its class and module.

    Parameters
    ----------
    call : mapping, optional
        Options among the keywords of ``retrain``, which win over markers.
    """
    from pytest_reprotest.errors import OptionError, shown
    from pytest_reprotest.options import resolve

    keywords: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(MARKER))):
        if marker.args:
            raise OptionError(
                f"{MARKER}() takes keywords only; got {', '.join(map(shown, marker.args))}. Write "
                f"{MARKER}(runs=10), for example"
            )
        keywords.update(marker.kwargs)
    command_line, ini = given(config)
    return resolve(command_line, keywords, ini, call)


def registry_of(hook: Any) -> Registry:
    """The built-in regularizers and those that plugins add, as far as ``hook`` reaches."""
    import traceback

    from pytest_reprotest.errors import OptionError
    from pytest_reprotest.registry import Registry

    extra: list[Any] = []
    try:
        for answer in hook.pytest_reprotest_regularizers():
            if not isinstance(answer, Iterable) or isinstance(answer, str):
                raise OptionError(
                    f"pytest_reprotest_regularizers returned {answer!r}; expected a list of Regularizer "
                    "classes"
                )
            extra.extend(answer)
    except OptionError:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise OptionError(
            f"pytest_reprotest_regularizers raised {type(error).__name__}: {error}\n"
            f"  at {where.filename}:{where.lineno}: {where.line}"
        ) from error
    return Registry(extra)


def paths(config: Any) -> dict[str, str]:
    """The files of the session, by the key of their flag and as they were written.

    What the command line asks for sets aside what contradicts it in the ini file: a bank that audits are
    held against, and one that is written.
    """
    command_line = {key: getattr(config.option, f"repro_{key}") for key in PATHS}
    asked = {key: path for key, path in command_line.items() if path is not None}
    ini = {key: path for key in PATHS if (path := config.getini(f"repro_{key}"))}
    if "bank" in asked:
        ini = {key: path for key, path in ini.items() if key not in ("save_bank", "compare")}
    elif "save_bank" in asked or "compare" in asked:
        ini.pop("bank", None)
    return {**ini, **asked}


def path_of(config: Any, key: str) -> Path | None:
    """Where one of these files is, from the folder pytest was called in."""
    path = paths(config).get(key)
    return None if path is None else config.invocation_params.dir / path


class Planning(NamedTuple):
    """What ``--repro-plan`` was asked for: a half-width to reach, and results that tell the spread of runs."""

    half_width: float
    pilot: ResultsFile | None = None


def about_session(config: Any) -> bool:
    """Whether the command line says anything of the session itself."""
    dests = ("repro_plan", *(flag.dest for flag in FLAGS if flag.of_session))
    return any(getattr(config.option, dest) is not None for dest in dests)


def keeps(config: Any, key: str) -> bool:
    """Whether ``json_predictions`` or ``pictures`` are to be kept: they are, where nobody says no.

    Raises
    ------
    OptionError
    """
    from pytest_reprotest.errors import OptionError, shown
    from pytest_reprotest.origins import COMMAND_LINE, INI, spelled
    from pytest_reprotest.readers import read_switch

    command_line = getattr(config.option, f"repro_{key}")
    origin = INI if command_line is None else COMMAND_LINE
    value = config.getini(f"repro_{key}") if command_line is None else command_line
    if value in (None, "") and command_line is None:
        return True
    try:
        return read_switch(value)
    except OptionError:
        told = spelled(origin, key, value)
        raise OptionError(f"{told}: got {shown(value)}; expected yes or no") from None


def planning_of(config: Any) -> Planning | None:
    """What ``--repro-plan`` was asked for; None without it.

    Raises
    ------
    OptionError, DataError
        For an impossible half-width, a pilot that can't be read, or either where nothing is planned.
    """
    if not config.option.repro_plan:
        for option in ("half_width", "pilot"):
            value = getattr(config.option, f"repro_{option}")
            if value is not None:
                from pytest_reprotest.errors import OptionError
                from pytest_reprotest.origins import COMMAND_LINE, spelled

                told = spelled(COMMAND_LINE, option, value)
                raise OptionError(f"{told} is for a plan; add --repro-plan, or leave it out")
        return None
    from pytest_reprotest.results_file import read_results

    path = path_of(config, "pilot")
    return Planning(_half_width(config), None if path is None else read_results(path))


def shard_of(config: Any) -> Shard | None:
    """The part that ``--repro-shard`` asks for; None without it.

    Raises
    ------
    OptionError
    """
    value = config.option.repro_shard
    if value is None:
        return None
    from pytest_reprotest.errors import OptionError
    from pytest_reprotest.origins import COMMAND_LINE, spelled
    from pytest_reprotest.shards.shard import read_shard

    try:
        return read_shard(value)
    except OptionError as error:
        raise OptionError(f"{spelled(COMMAND_LINE, 'shard', value)}: {error}") from None


def _half_width(config: Any) -> float:
    from pytest_reprotest.errors import OptionError
    from pytest_reprotest.origins import COMMAND_LINE, INI, spelled
    from pytest_reprotest.readers import HALF_WIDTH, read_half_width

    command_line, ini = config.option.repro_half_width, config.getini("repro_half_width")
    for origin, value in ((COMMAND_LINE, command_line), (INI, ini)):
        if value not in (None, ""):
            try:
                return read_half_width(value)
            except OptionError as error:
                raise OptionError(f"{spelled(origin, 'half_width', value)}: {error}") from None
    return HALF_WIDTH


def header(config: Any, count: int) -> str:
    """What ``count`` audited tests run under, to be copied to another command line."""
    command_line, ini = given(config)
    wanted = {"seed": 0, **ini, **command_line, **_references(config)}
    if "bank" in wanted:
        wanted.pop("runs", None)
    return f"reproducibility: {_command_line(wanted)} ({count} audited test{'s' * (count > 1)})"


def rerun_command(config: Any, nodeid: str, options: Options) -> str:
    """The command that runs one test again as it was run, apart from its regularizers."""
    import shlex

    command_line, _ = given(config)
    references = _references(config)
    gated = "bank" in references and not options.deterministic
    key = "bank_runs" if gated else "runs"
    wanted = {**command_line, **references, key: getattr(options, key), "seed": options.seed}
    wanted.pop("regularizers", None)
    return f"pytest {shlex.quote(nodeid)} {_command_line(wanted)}"


def _references(config: Any) -> dict[str, str]:
    return {key: path for key, path in paths(config).items() if key in ("bank", "compare")}


def _command_line(wanted: Mapping[str, Any]) -> str:
    import shlex

    from pytest_reprotest.origins import COMMAND_LINE, spelled
    from pytest_reprotest.readers import read_switch

    # an ini file has a text for them
    switches = [flag.key for flag in FLAGS if flag.metavar is None]
    shown = {key: read_switch(value) if key in switches else value for key, value in wanted.items()}
    return shlex.join(
        spelled(COMMAND_LINE, key, value) for key, value in shown.items() if value is not False
    )
