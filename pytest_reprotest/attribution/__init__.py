"""Which source gives which share of the prediction difference: the ladder's rungs, and what came of them."""

from pytest_reprotest.attribution.found import Attribution, Climbed

__all__ = ["Attribution", "Climbed"]
