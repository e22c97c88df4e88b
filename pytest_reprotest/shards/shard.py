"""Which runs of a plan a shard trains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.plan import Plan

_MOST = 10_000


@dataclass(frozen=True)
class Shard:
    """One of ``parts`` parts, counted from 1.

    >>> str(read_shard("2/4"))
    '2/4'
    """

    part: int
    parts: int

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"

    def of(self, plan: Plan, placement: Placement, n_workers: int) -> Plan:
        """The runs of a plan that this part trains: every run is in one part, and parts are equal to a run.

        Neighbours stay together, so that a part sets up few regularizers. Off the CPU the bits of a run hang on
        the stack that it is trained in, so there stacks are shared out as one machine would make them.

        >>> from pytest_reprotest.options import Options
        >>> from pytest_reprotest.plan import make_plan
        >>> plan = make_plan(Options(runs=3), ["none", "dropout"])
        >>> [(run.regularizer, run.index) for run in Shard(2, 4).of(plan, Placement(), 1).runs]
        [('none', 1), ('none', 2)]
        >>> [len(Shard(part, 4).of(plan, Placement(), 1).runs) for part in range(1, 5)]
        [1, 2, 1, 2]
        """
        pieces = placement.pieces(plan, n_workers)
        first, end = (len(pieces) * edge // self.parts for edge in (self.part - 1, self.part))
        mine = pieces[first:end]
        runs = tuple(run for piece in mine for run in piece)
        labels = tuple(dict.fromkeys(run.regularizer for run in runs))
        return Plan(labels, runs, parts=tuple(mine) if len(runs) > len(mine) else ())


def read_shard(value: Any) -> Shard:
    """``"2/4"``: the second of four parts.

    Raises
    ------
    OptionError
    """
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", str(value))
    part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part <= parts <= _MOST:
        raise OptionError(
            f"got {value!r}; expected a part and their number, such as 2/4 for the second of four"
        )
    return Shard(part, parts)


@dataclass(frozen=True)
class PartTrained:
    """What became of an audit's part.

    Attributes
    ----------
    name : str
        The audit's.
    shard : str
        Such as ``"2/4"``.
    planned : int
        Runs of the whole audit.
    mine : int
        Runs of this part; all are in the store.
    notes : tuple of str
        Sentences for the summary.
    """

    name: str
    shard: str
    planned: int
    mine: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PartTrained:
        """The inverse of ``to_dict``, after JSON."""
        return cls(**{**stored, "notes": tuple(stored["notes"])})
