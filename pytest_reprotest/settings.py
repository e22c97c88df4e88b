"""What a pytest session was asked for: command line, ini file and markers, read into Options.

Standard library only until a value is there to be read.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    return tuple(  # type: ignore[return-value]
        {key: value for key, value in source.items() if value not in (None, "")}
        for source in (command_line, ini)
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


def registry_of(config: Any) -> Registry:
    """The built-in regularizers and those that the hook adds."""
    from pytest_reprotest.errors import OptionError
    from pytest_reprotest.registry import Registry

    answers = config.hook.pytest_reprotest_regularizers()
    extra: list[Any] = []
    for answer in answers:
        if not isinstance(answer, Iterable) or isinstance(answer, str):
            raise OptionError(
                f"pytest_reprotest_regularizers returned {answer!r}; expected a list of Regularizer classes"
            )
        extra.extend(answer)
    return Registry(extra)


def json_path(config: Any) -> Path | None:
    """Where ``--repro-json`` or its ini twin says to write, from the folder pytest was called in."""
    path = config.option.repro_json or config.getini("repro_json")
    return config.invocation_params.dir / path if path else None
