"""Where the numbers come from: how to have them again, the settings, the versions, the machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_reprotest.conditions import FINGERPRINT
from pytest_reprotest.joined import title
from pytest_reprotest.origins import COMMAND_LINE, spelled
from pytest_reprotest.report.html.markup import tag
from pytest_reprotest.report.html.section import Block, Section, folded, listed, table
from pytest_reprotest.result import AuditResult

_ALWAYS = ("runs", "seed")
_WHERE_ASKED = ("vary", "device", "engine", "decision", "confidence")
_HIDDEN = ("origins",)
_FINGERPRINT = (*(key for key in FINGERPRINT if "." not in key), "switches")
_DEEPEST = 5


def reproduce(result: AuditResult) -> Section | None:
    """The command that trains all of it again; none where no test did."""
    command = command_of(result)
    if command is None:
        return None
    return Section(
        "Run it again",
        "Run in the folder that pytest was called in, with the versions below, this trains the same runs. "
        "The same seed gives the same bits on the same hardware, versions, engine and thread count.",
        [
            tag(
                "div",
                tag("pre", tag("code", command), tabindex="0"),
                tag("button", "Copy", type="button", class_="copy", hidden=True),
                class_="command",
            )
        ],
    )


def command_of(result: AuditResult) -> str | None:
    """The command line that audits the same again; None for an audit that no test made."""
    test = re.sub(r" #\d+$", "", title(result))
    if "::" not in test:
        return None
    found, origins = result.settings, result.settings.get("origins", {})
    asked = {key for key in _WHERE_ASKED if origins.get(key) == COMMAND_LINE}
    wanted: dict[str, Any] = {
        key: found[key]
        for key in (*_ALWAYS, *_WHERE_ASKED)
        if key in found and (key in _ALWAYS or key in asked)
    }
    wanted["regularizers"] = ",".join(result.regularizers)
    if "deterministic" in found:
        wanted["deterministic"] = True
    if any(each.attribution is not None for each in result.by_regularizer.values()):
        wanted["attribute"] = True
    for each in result.by_regularizer.values():
        for limit in each.limits:
            if origins.get(limit.name) == COMMAND_LINE:
                wanted[limit.name] = f"{limit.value:g}"
    options = [
        spelled(
            COMMAND_LINE,
            key,
            (",".join(map(str, value)) or "none") if isinstance(value, list) else value,
        )
        for key, value in wanted.items()
    ]
    return shlex.join(["pytest", test, *options])


def settings(result: AuditResult) -> Section | None:
    """What determines the result, with where each setting came from; the fingerprint is folded."""
    origins = result.settings.get("origins", {})
    asked, found = [], []
    for key, value in _leaves(result.settings):
        top = key.split(".")[0]
        if top in _FINGERPRINT:
            found.append([key, value])
        else:
            asked.append([key, value, str(origins.get(top, ""))])
    if not asked and not found:
        return None
    blocks: list[Block] = [listed(result.notes)] if result.notes else []
    if asked:
        blocks.append(table("Settings", ["setting", "value", "set by"], asked, "settings"))
    if found:
        fingerprint = table("Fingerprint", ["what", "value"], found, "settings")
        blocks.append(folded(f"Fingerprint: {', '.join(_told(result.settings))}", fingerprint))
    return Section(
        "Settings, versions and machine",
        "All that determines the result, and where it was set: on the command line, in a call, by the "
        "marker or in the ini file.",
        blocks,
    )


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    return (key.replace("_", " ") for key in _FINGERPRINT if key in found)


def _leaves(found: Mapping[str, Any], start: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if key in _HIDDEN and not start:
            continue
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            yield from _leaves(value, f"{start}{key}.", depth + 1)
        elif isinstance(value, list):
            yield f"{start}{key}", ", ".join(map(str, value)) or "none"
        else:
            yield f"{start}{key}", str(value)
