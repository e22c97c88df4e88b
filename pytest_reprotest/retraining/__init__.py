"""What the fixture ``retrain`` does."""

from pytest_reprotest.retraining.ends import Breach, DoesNotFit, Planned, Undecided
from pytest_reprotest.retraining.retrain import TAKEN, Executors, Retraining

__all__ = ["TAKEN", "Breach", "DoesNotFit", "Executors", "Planned", "Retraining", "Undecided"]
