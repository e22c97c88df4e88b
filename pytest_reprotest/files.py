"""The files of a session, results and banks that it writes or is held against, checked before anything trains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.flags import WRITTEN, Flag
from pytest_reprotest.kinds import KINDS, TOLERANCES
from pytest_reprotest.origins import COMMAND_LINE, spelled
from pytest_reprotest.results_file import check_folder, check_name, check_writable
from pytest_reprotest.settings import PATHS, READ, given, keeps, path_of, paths

if TYPE_CHECKING:
    from pytest_reprotest.references.shelf import Shelf

_RESULTS, _REPLACED = ("json", "save_bank"), ("compare", "pilot")
"""New results may be written in the place of what they were held against or planned from."""
_EITHER = {
    "save_bank": "few runs are trained then, too few for a bank; write it without --repro-bank",
    "compare": "few runs are trained then, too few for a comparison; leave one of the two out",
}
_WHOLE_ONLY = ("bank", "compare", "plan")
_GATE_DECIDES = (
    "runs",
    "max_runs",
    "decision",
    "confidence",
    "on_inconclusive",
    "compat",
    "deterministic",
)


def check_files(config: Any) -> None:
    """Refuse options that contradict each other, and files that can't be written.

    Raises
    ------
    OptionError
    """
    command_line, _ = given(config)
    known = paths(config)
    if config.option.repro_plan and config.option.repro_bank is not None:
        raise OptionError(
            f"--repro-plan and {_told('bank', known)}: a plan is of whole audits; leave one of the two out"
        )
    _check_contradictions(command_line, known)
    if "save_bank" in known and command_line.get("deterministic"):
        raise OptionError(
            f"--repro-deterministic and {_told('save_bank', known)}: runs of one seed say nothing of how much "
            "others differ, so they are no bank; leave one of the two out"
        )
    for flag in WRITTEN:
        if flag.library and flag.key in known:
            from pytest_reprotest.report.plots.output import check_installed

            check_installed(flag.library, _told(flag.key, known))
    for key in ("json_predictions", "pictures"):
        keeps(config, key)
    if config.option.repro_json_predictions is not None and "json" not in known:
        told = spelled(COMMAND_LINE, "json_predictions", config.option.repro_json_predictions)
        raise OptionError(f"{told}: that is of a file of results; name it with --repro-json")
    for key in READ:
        path = path_of(config, key)
        if path is not None:
            check_name(path, _flag(key))
    for flag in WRITTEN:
        path = path_of(config, flag.key)
        if path is not None:
            check_output(flag, path, flag.option)
    store = path_of(config, "store")
    if store is not None:
        check_folder(store, "--repro-store")
    elif config.option.repro_resume:
        raise OptionError(
            "--repro-resume goes on with what a store holds; name it with --repro-store"
        )
    _check_shard(config, command_line, known)
    for first, second in itertools.combinations(PATHS, 2):
        one_is_meant = first in READ or (first in _RESULTS and second in _REPLACED)
        if not one_is_meant and _same(path_of(config, first), path_of(config, second)):
            raise OptionError(
                f"{_told(first, known)} and {_told(second, known)} name one file; expected two"
            )


def check_output(flag: Flag, path: Path, option: str) -> None:
    """Refuse a file or folder that can't be written.

    Parameters
    ----------
    option : str
        As its user spelled the flag.

    Raises
    ------
    OptionError
    """
    check = check_folder if flag.metavar == "DIR" else check_writable
    check(path, option)


def _check_contradictions(command_line: Mapping[str, Any], known: Mapping[str, str]) -> None:
    if "bank" in known:
        for key, reason in _EITHER.items():
            if key in known:
                raise OptionError(f"{_told(key, known)} and {_told('bank', known)}: {reason}")
        for key, value in command_line.items():
            if key in _GATE_DECIDES or (key in KINDS and KINDS[key].needs_pairs):
                raise OptionError(
                    f"{spelled(COMMAND_LINE, key, value)} and {_told('bank', known)}: --repro-bank-runs new "
                    "runs are held against the bank, and nothing else is asked of them; leave one of the two "
                    "out"
                )
    elif "bank_runs" in command_line:
        told = spelled(COMMAND_LINE, "bank_runs", command_line["bank_runs"])
        raise OptionError(f"{told}: new runs are held against a bank; name it with --repro-bank")
    for key, value in command_line.items():
        if key in TOLERANCES and "compare" not in known:
            raise OptionError(
                f"{spelled(COMMAND_LINE, key, value)}: a change is one since a stored result; name that with "
                "--repro-compare"
            )


def _check_shard(config: Any, command_line: Mapping[str, Any], known: Mapping[str, str]) -> None:
    shard = config.option.repro_shard
    if shard is None:
        return
    told = spelled(COMMAND_LINE, "shard", shard)
    if "store" not in known:
        raise OptionError(f"{told} leaves its runs in a store; name it with --repro-store")
    asked = {**command_line, **known, "plan": config.option.repro_plan}
    for key in _WHOLE_ONLY:
        if asked.get(key):
            raise OptionError(
                f"{told} and {spelled(COMMAND_LINE, key, asked[key])}: a part of an audit is not judged, so it "
                "can't be held against anything; leave one of the two out"
            )


def open_shelf(config: Any) -> Shelf | None:
    """What the session's audits are held against; None where that is nothing.

    Raises
    ------
    DataError
        Where the file can't be read, or is no bank.
    """
    from pytest_reprotest.references.shelf import open_bank, open_results

    known = paths(config)
    for key, opened in (("bank", open_bank), ("compare", open_results)):
        path = path_of(config, key)
        if path is not None:
            return opened(path, known[key])
    return None


def _flag(key: str) -> str:
    return f"--repro-{key.replace('_', '-')}"


def _told(key: str, known: Mapping[str, str]) -> str:
    return spelled(COMMAND_LINE, key, known[key])


def _same(first: Path | None, second: Path | None) -> bool:
    return first is not None and second is not None and first.resolve() == second.resolve()
