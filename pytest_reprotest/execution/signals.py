"""Signals that end a session: as Ctrl-C does while an audit trains, and not before workers are ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Ended(KeyboardInterrupt):
    """A signal that ends the process, where Ctrl-C would have been raised; its name is the message."""


@contextmanager
def ending() -> Iterator[None]:
    """Raise Ended in the main thread where SIGTERM or SIGHUP comes, which would end the process at once.

    A handler of the user's own is left alone, and so is a signal that is ignored, as ``nohup`` does.
    """

    def end(number: int, _: Any) -> None:
        raise Ended(signal.Signals(number).name)

    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    with _handled((each for each in known if signal.getsignal(each) is signal.SIG_DFL), end):
        yield


@contextmanager
def shielded() -> Iterator[None]:
    """Keep Ctrl-C, SIGTERM and SIGHUP for the end of what is inside."""
    came: list[int] = []
    known = [getattr(signal, name) for name in ("SIGINT", *_ENDING) if hasattr(signal, name)]
    heard = (each for each in known if signal.getsignal(each) not in (signal.SIG_IGN, None))
    try:
        with _handled(heard, lambda number, _: came.append(number)):
            yield
    finally:
        for number in came[:1]:
            signal.raise_signal(number)


@contextmanager
def _handled(numbers: Iterable[int], handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Have signals handled inside; elsewhere than in the main thread Python has no handlers to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, own in before.items():
            if signal.getsignal(number) is handler:  # else it was set anew inside
                signal.signal(number, own)
