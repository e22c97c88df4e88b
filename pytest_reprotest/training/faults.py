"""Exceptions in the user's code, told as sentences with the user's own line."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

import pytest_reprotest
from pytest_reprotest.errors import ReprotestError

_NOT_THEIRS = (str(Path(pytest_reprotest.__file__).parent), str(Path(torch.__file__).parent))


def tell(error: BaseException) -> str:
    """``ValueError: message, at file.py:12 in make_model: source line``; our own errors as they are."""
    if isinstance(error, ReprotestError):
        return str(error)
    told = f"{type(error).__name__}: {error}"
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THEIRS)
    ]
    if not theirs:
        return told
    frame = theirs[-1]
    return f"{told}\n  at {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
