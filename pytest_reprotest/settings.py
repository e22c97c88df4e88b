"""What a pytest session was asked for: command line, ini file and markers, read into Options.

Standard library only until a value is there to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_reprotest.flags import FLAGS

if TYPE_CHECKING:
    from pytest_reprotest.options import Options
    from pytest_reprotest.registry import Registry

MARKER = "reproducibility"
SESSION_KEYS = ("json",)
"""Flags of the session, not of an audit."""


def given(config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The audit options on the command line and in the ini file, where there are any."""
    flags = [flag for flag in FLAGS if flag.ini and flag.key not in SESSION_KEYS]
    command_line = {flag.key: getattr(config.option, flag.dest) for flag in flags}
    ini = {flag.key: config.getini(flag.dest) for flag in flags}
    return (
        {key: value for key, value in command_line.items() if value is not None},
        {key: value for key, value in ini.items() if value not in (None, "")},
    )


def options_of(config: Any, node: Any) -> Options:
    """The options of a test: a nearer marker's keywords win over those of its class and module."""
    from pytest_reprotest.errors import OptionError
    from pytest_reprotest.options import resolve

    keywords: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(MARKER))):
        if marker.args:
            raise OptionError(
                f"{MARKER}() takes keywords only; got {', '.join(map(repr, marker.args))}. Write "
                f"{MARKER}(runs=10), for example"
            )
        keywords.update(marker.kwargs)
    command_line, ini = given(config)
    return resolve(command_line, keywords, ini)


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


def json_path(config: Any) -> Path | None:
    """Where ``--repro-json`` or its ini twin says to write, from the folder pytest was called in."""
    path = config.option.repro_json
    if path is None:
        path = config.getini("repro_json") or None
    return None if path is None else config.invocation_params.dir / path


def header(config: Any, count: int) -> str:
    """What ``count`` audited tests run under, to be copied to another command line."""
    command_line, ini = given(config)
    return (
        f"reproducibility: {_command_line({'seed': 0, **ini, **command_line})} "
        f"({count} audited test{'s' * (count > 1)})"
    )


def rerun_command(config: Any, nodeid: str, options: Options) -> str:
    """The command that runs one test again as it was run, apart from its regularizers."""
    import shlex

    command_line, _ = given(config)
    wanted = {**command_line, "runs": options.runs, "seed": options.seed}
    wanted.pop("regularizers", None)
    return f"pytest {shlex.quote(nodeid)} {_command_line(wanted)}"


def _command_line(wanted: Mapping[str, Any]) -> str:
    import shlex

    from pytest_reprotest.options import COMMAND_LINE, spelled

    return shlex.join(spelled(COMMAND_LINE, key, value) for key, value in wanted.items())
