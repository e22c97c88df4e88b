"""How a test with audits ends, other than by passing; ``plugin`` turns each into an outcome of pytest's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from pytest_reprotest.errors import ReprotestError


class Breach(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A threshold that does not hold, or runs that cannot be trusted; the message is the test's."""


class Undecided(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """Thresholds that so few runs can't decide, where such a test is to be skipped."""


class Planned(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """An audit that is not judged here: it was planned, or a part of it was trained."""


class PartOnly(Planned):
    """A part of an audit was trained; the test may go on to others, as long as it looks at no result."""


class Unjudged:
    """Stands for the result of an audit of which a part was trained: a test that looks at it ends there.

    Parameters
    ----------
    end : callable
        Ends the test.
    """

    def __init__(self, end: Callable[[], NoReturn]) -> None:
        self._end = end

    def __getattr__(self, name: str) -> NoReturn:
        self._end()

    def __getitem__(self, label: Any) -> NoReturn:
        self._end()

    def __iter__(self) -> NoReturn:
        self._end()

    def __bool__(self) -> NoReturn:
        self._end()


class DoesNotFit(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A regularizer that only ``all`` named and that the model has no place for."""
