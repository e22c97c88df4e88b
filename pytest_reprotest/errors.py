"""The exceptions of pytest-reprotest.

Every message says what happened, what was got and expected, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ReprotestError(Exception):
    """Base of every error that pytest-reprotest raises on purpose."""


class OptionError(ReprotestError, ValueError):
    """An option, marker keyword or ini value that cannot be used."""


class DataError(ReprotestError, ValueError):
    """A data set, label vector or prediction array that cannot be audited."""


class TrainingError(ReprotestError, RuntimeError):
    """A model factory, recipe or training function that cannot be run."""


class RegularizerRefused(ReprotestError):  # noqa: N818 - a refusal is an answer, not a fault
    """A regularizer that does not fit the model or recipe it was asked to change."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest valid name, else ``""``.

    >>> did_you_mean("dropuot", ["dropout", "none"])
    " Did you mean 'dropout'?"
    >>> did_you_mean("zebra", ["dropout", "none"])
    ''
    """
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
