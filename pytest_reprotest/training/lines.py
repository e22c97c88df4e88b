"""The user's own lines in a stack of calls."""

from __future__ import annotations

import linecache
import sysconfig
from pathlib import Path
from types import FrameType

from pytest_reprotest.training.faults import LIBRARIES, NOT_THEIRS, OURS

_PASSED_OVER = tuple(
    str(Path(sysconfig.get_path("stdlib")) / name)
    for name in ("tempfile.py", "multiprocessing", "socket.py")
)
"""Standard library that draws for names of files and sockets."""


def line_of(frame: FrameType | None) -> str:
    """The innermost of the user's lines, ``file.py:12 in train: source``.

    Empty where there is none, where the call is the standard library's own business, and where a module is being
    imported. Paths are told from the working directory on, or by the file's name alone.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith((*_PASSED_OVER, OURS, "<frozen importlib")):
            return ""
        if is_theirs(frame):
            text = linecache.getline(file, frame.f_lineno).strip()
            return f"{_short(file)}:{frame.f_lineno} in {frame.f_code.co_name}: {text}"
        frame = frame.f_back
    return ""


def is_theirs(frame: FrameType) -> bool:
    """Whether a frame is of the user's own code."""
    return not frame.f_code.co_filename.startswith((*NOT_THEIRS, *LIBRARIES, "<frozen"))


def under(frame: FrameType | None, function: str, place: str) -> bool:
    """Whether a frame was called, through however many others, by a function of a file or folder."""
    while frame is not None:
        if frame.f_code.co_name == function and frame.f_code.co_filename.startswith(place):
            return True
        frame = frame.f_back
    return False


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
