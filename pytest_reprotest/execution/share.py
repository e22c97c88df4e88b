"""The part of the machine that is this process's where pytest-xdist runs several side by side."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_reprotest.training.device import resolve_devices


@dataclass(frozen=True)
class Share:
    """One part of several that are alike.

    Attributes
    ----------
    index : int
        Which one, from 0.
    count : int
        Processes that share the machine.
    """

    index: int = 0
    count: int = 1

    def cores(self, available: int) -> int:
        """Cores of this part, at least one.

        >>> [Share(index, 3).cores(8) for index in range(3)], Share(1, 4).cores(2)
        ([2, 2, 2], 1)
        """
        return max(available // self.count, 1)

    def devices(self, found: tuple[str, ...]) -> tuple[str, ...]:
        """Devices of this part, in turn; where they are fewer than processes, one that others use as well.

        >>> gpus = ("cuda:0", "cuda:1", "cuda:2", "cuda:3")
        >>> Share(1, 2).devices(gpus), Share(2, 3).devices(gpus[:2]), Share(1, 2).devices(("cpu",))
        (('cuda:1', 'cuda:3'), ('cuda:0',), ('cpu',))
        """
        return found[self.index :: self.count] or (found[self.index % len(found)],)


def own_share(environment: Mapping[str, str] | None = None) -> Share:
    """The share of this process, from the variables that pytest-xdist sets for its workers.

    A worker that takes the place of one that died has the next number; it counts round.

    >>> own_share({"PYTEST_XDIST_WORKER": "gw1", "PYTEST_XDIST_WORKER_COUNT": "2"})
    Share(index=1, count=2)
    >>> own_share({})
    Share(index=0, count=1)
    """
    found = os.environ if environment is None else environment
    worker = re.fullmatch(r"gw(\d{1,6})", found.get("PYTEST_XDIST_WORKER", ""))
    count = re.fullmatch(r"\d{1,6}", found.get("PYTEST_XDIST_WORKER_COUNT", ""))
    if worker is None or count is None or not int(count[0]):
        return Share()
    return Share(int(worker[1]) % int(count[0]), int(count[0]))


def own_devices(spelling: str) -> tuple[str, ...]:
    """The devices that an option means for this process; ``cuda`` is the first GPU of its share.

    Raises
    ------
    OptionError
        Where this machine lacks one.

    >>> own_devices("cpu")
    ('cpu',)
    """
    if spelling == "cuda":
        resolve_devices(spelling)  # refused where there is none
        return own_share().devices(resolve_devices("auto"))[:1]
    return own_share().devices(resolve_devices(spelling))
