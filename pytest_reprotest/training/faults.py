"""Exceptions in the user's code, told as sentences with the user's own line."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

import torch

from pytest_reprotest.errors import ReprotestError


def _folder(path: str | Path) -> str:
    return f"{path}{os.sep}"  # so that "torch" is not "torchvision" too


_NOT_THEIRS = (_folder(Path(__file__).parents[1]), _folder(Path(torch.__file__).parent))
_LIBRARIES = tuple(
    _folder(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def tell(error: BaseException) -> str:
    """``ValueError: message, at file.py:12 in make_model: source line``; our own errors as they are.

    The line is the last in the user's own files; where none is, the last in another library's.
    """
    if isinstance(error, ReprotestError):
        return str(error)
    told = f"{type(error).__name__}: {error}"
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THEIRS)
    ]
    own = [frame for frame in theirs if not frame.filename.startswith(_LIBRARIES)]
    if not theirs:
        return told
    frame = (own or theirs)[-1]
    return f"{told}\n  at {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
