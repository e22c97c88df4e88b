"""What the fixture ``retrain`` does."""

from pytest_reprotest.retraining.ends import (
    Breach,
    DoesNotFit,
    PartOnly,
    Planned,
    Undecided,
    Unjudged,
)
from pytest_reprotest.retraining.retrain import TAKEN, Executors, Retraining

__all__ = [
    "TAKEN",
    "Breach",
    "DoesNotFit",
    "Executors",
    "PartOnly",
    "Planned",
    "Retraining",
    "Undecided",
    "Unjudged",
]
