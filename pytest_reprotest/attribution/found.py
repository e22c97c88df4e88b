"""What came of the ladder under one regularizer: frozen, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_reprotest.attribution.wording import meaning
from pytest_reprotest.errors import did_you_mean
from pytest_reprotest.statistics import UNKNOWN, Estimate
from pytest_reprotest.stored import entry, estimate_in, estimate_out


@dataclass(frozen=True)
class Climbed:
    """One rung, as it was found.

    Attributes
    ----------
    name : str
        What varied: ``"identical"`` (nothing), ``"one_ulp"``, ``"init"``, ``"data_order"``, ``"noise"``,
        ``"all"``; on a GPU ``"kernels"``.
    n_runs : int
        Finished runs; 0 where the rung was left out.
    prediction_difference : Estimate
        Fraction of test samples; NaN where it was left out.
    share : Estimate
        Of the prediction difference of ``all``: 1 is as much. It may be above 1; NaN where that is 0 or unknown,
        and without an interval where too little differs.
    same_bits : bool
        Whether all runs agree to the last bit in predictions and losses.
    left_out : str
        Why the rung was left out, else empty.
    """

    name: str
    n_runs: int = 0
    prediction_difference: Estimate = UNKNOWN
    share: Estimate = UNKNOWN
    same_bits: bool = False
    left_out: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives; NaN becomes None."""
        return {
            "name": self.name,
            "n_runs": self.n_runs,
            "prediction_difference": estimate_out(self.prediction_difference),
            "share": estimate_out(self.share),
            "same_bits": self.same_bits,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Climbed:
        """The inverse of ``to_dict``.

        Raises
        ------
        DataError
        """
        return cls(
            entry(stored, "name", str),
            entry(stored, "n_runs", int),
            estimate_in(stored, "prediction_difference"),
            estimate_in(stored, "share"),
            entry(stored, "same_bits", bool),
            entry(stored, "left_out", str),
        )


@dataclass(frozen=True)
class Attribution:
    """Which share of the prediction difference each thing gives that varies alone.

    ``attribution["init"]`` is the rung of that name.

    Attributes
    ----------
    rungs : tuple of Climbed
        From nothing that varies to everything.
    """

    rungs: tuple[Climbed, ...]

    def __getitem__(self, name: str) -> Climbed:
        for rung in self.rungs:
            if rung.name == name:
                return rung
        names = [rung.name for rung in self.rungs]
        raise KeyError(
            f"no rung {name!r} in this attribution; it has {', '.join(names)}.{did_you_mean(name, names)}"
        )

    @property
    def meaning(self) -> tuple[str, ...]:
        """What follows from the rungs, and which were left out why: sentences, the first says most."""
        return meaning(self.rungs)

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "rungs": [rung.to_dict() for rung in self.rungs],
            "meaning": list(self.meaning),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Attribution:
        """The inverse of ``to_dict``; entries that it does not know are left alone.

        Raises
        ------
        DataError

        >>> found = Attribution((Climbed("identical", 3, Estimate(0.0, 0.0, 0.0), Estimate(0.0), True),))
        >>> Attribution.from_dict(found.to_dict())["identical"].same_bits
        True
        """
        return cls(tuple(map(Climbed.from_dict, entry(stored, "rungs", list))))
