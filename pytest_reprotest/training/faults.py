"""Exceptions in the user's code, told as sentences with the user's own line."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from pytest_reprotest.errors import ReprotestError


def _folder(path: str | Path) -> str:
    return f"{path}{os.sep}"  # so that "torch" is not "torchvision" too


OURS = _folder(Path(__file__).parents[1])
NOT_THEIRS = (OURS, _folder(Path(torch.__file__).parent))
LIBRARIES = tuple(
    _folder(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_AUTOGRAD = _folder(Path(torch.__file__).parent / "autograd")
_NO_DETERMINISTIC = re.compile(r"(.+?) does not have a deterministic implementation")


def tell(error: BaseException, forward: str | None = None) -> str:
    """``ValueError: message, at file.py:12 in make_model: source line``; our own errors as they are.

    The line is the last in the user's own files; where none is, the last in another library's. An operation
    that PyTorch knows to be nondeterministic is named.

    Parameters
    ----------
    forward : str, optional
        Where the operation was called whose backward raised, as ``theirs`` gives it.
    """
    if isinstance(error, ReprotestError):
        return str(error)
    line = theirs(traceback.extract_tb(error.__traceback__))
    operation = nondeterministic(error)
    if operation is not None:
        return _nondeterminism(error, operation, line, forward)
    told = f"{type(error).__name__}: {error}"
    return told if line is None else f"{told}\n  at {line}"


def theirs(frames: Iterable[traceback.FrameSummary]) -> str | None:
    """The innermost of the user's lines, ``file.py:12 in make_model: source line``."""
    known = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    own = [frame for frame in known if not frame.filename.startswith(LIBRARIES)]
    if not known:
        return None
    frame = (own or known)[-1]
    return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"


def nondeterministic(error: BaseException) -> str | None:
    """The operation that PyTorch refused for having no deterministic kernel; None for any other error."""
    found = _NO_DETERMINISTIC.match(str(error)) if isinstance(error, RuntimeError) else None
    return None if found is None else found[1]


def in_backward(error: BaseException) -> bool:
    """Whether an error was raised while gradients were computed."""
    return any(
        frame.filename.startswith(_AUTOGRAD) and "backward" in frame.name
        for frame in traceback.extract_tb(error.__traceback__)
    )


def _nondeterminism(
    error: BaseException, operation: str, line: str | None, forward: str | None
) -> str:
    told = (
        f"the operation {operation} has no deterministic implementation in PyTorch, so one seed does not "
        "decide what it computes"
    )
    if in_backward(error):
        where = f"in backward; forward was at {forward}" if forward else "in backward"
        if forward is None and line is not None:
            where = f"in backward, called at {line}"
    else:
        module = _module(error)
        where = f"at {line}" if line else f"in {module}" if module else ""
    told += f"\n  {where}" if where else ""
    return f"{told}\n  compute it by other operations; docs/determinism.md says which"


def _module(error: BaseException) -> str | None:
    """The type of the innermost module whose forward an error came through."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    callers = [frame.f_locals.get("self") for frame in frames if frame.f_code.co_name == "forward"]
    modules = [type(each).__name__ for each in callers if isinstance(each, nn.Module)]
    return modules[-1] if modules else None
