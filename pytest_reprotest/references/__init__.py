"""What an audit is held against beside its thresholds: nothing, a bank, or a stored result."""

from pytest_reprotest.references.reference import NOTHING, Reference, Unheld

__all__ = ["NOTHING", "Reference", "Unheld"]
