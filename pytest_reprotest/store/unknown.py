"""The answer that something's content can't be established."""

from pytest_reprotest.errors import ReprotestError


class Unknown(ReprotestError):  # noqa: N818 - an answer, not a fault
    """Something whose content can't be established; the message says what."""
