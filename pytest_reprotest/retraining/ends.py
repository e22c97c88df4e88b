"""How a test with audits ends, other than by passing; ``plugin`` turns each into an outcome of pytest's."""

from __future__ import annotations

from pytest_reprotest.errors import ReprotestError


class Breach(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A threshold that does not hold, or runs that cannot be trusted; the message is the test's."""


class Undecided(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """Thresholds that so few runs can't decide, where such a test is to be skipped."""


class Planned(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """An audit that is not judged here: it was planned, or a part of it was trained."""


class DoesNotFit(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A regularizer that only ``all`` named and that the model has no place for."""
