"""Where in the forward pass the operation was called whose backward raised."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable

import torch

from pytest_reprotest.training.faults import in_backward, nondeterministic, tell, theirs
from pytest_reprotest.training.shortage import Short, out_of_memory, too_large

_FRAME = re.compile(r'  File "(.*)", line (\d+), in (.*)\n(?:    (.*)\n?)?')


def in_words(error: Exception, device: str, again: Callable[[], object]) -> str:
    """A run's error; of an operation that raised in backward with the line of its forward.

    Parameters
    ----------
    again : callable
        Trains the run once more.
    """
    if out_of_memory(error):
        return too_large(device, Short(tell(error)))
    if nondeterministic(error) is None or not in_backward(error):
        return tell(error)
    return tell(error, forward_line(again))


def forward_line(again: Callable[[], object]) -> str | None:
    """Do once more what raised, and let autograd remember who called what; the user's line, if it is found.

    Parameters
    ----------
    again : callable
        Raises in backward.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with torch.autograd.set_detect_anomaly(True, check_nan=False):
                again()
        except Exception:
            pass  # it was told when it was raised first; its forward is in a warning
    for warning in told:
        text = str(warning.message)
        if "Traceback of forward call" in text:
            return theirs(
                traceback.FrameSummary(file, int(number), name, line=line or "")
                for file, number, name, line in _FRAME.findall(text)
            )
    return None
