"""DataLoaders of a user's own loop: generators that two of them share, and workers that draw alike."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler

from pytest_reprotest.trace import Draw
from pytest_reprotest.training.lines import line_of
from pytest_reprotest.training.state import global_states


@dataclass(frozen=True)
class _WorkerInit:
    """Calls the user's ``worker_init_fn``, and leaves a digest of what NumPy and Python will draw."""

    theirs: Callable[[int], Any] | None
    place: Path

    def __call__(self, worker: int) -> None:
        if self.theirs is not None:
            self.theirs(worker)
        with contextlib.suppress(OSError):  # the watch has ended, and its folder is gone
            for name, found in global_states().items():
                (self.place / f"{name}-{worker}").write_text(found)


@dataclass
class _Seen:
    loader: DataLoader[Any]
    line: str
    place: Path | None


class Loaders:
    """Watches the DataLoaders that are made.

    Parameters
    ----------
    folder : Path
        For what workers leave.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[_Seen] = []
        self._read: list[_Seen] = []  # one entry for each time

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch those that are made, or begin an epoch, inside."""
        kind: Any = DataLoader
        make, begin = kind.__init__, kind.__iter__

        def made(loader: DataLoader[Any], *args: Any, **kwargs: Any) -> None:
            make(loader, *args, **kwargs)
            place = self._place(loader)
            self._seen.append(_Seen(loader, line_of(sys._getframe(1)), place))

        def iterated(loader: DataLoader[Any]) -> Any:
            self._read.extend(each for each in self._seen if each.loader is loader)
            return begin(loader)

        kind.__init__ = made
        kind.__iter__ = iterated
        try:
            yield
        finally:
            kind.__init__ = make
            kind.__iter__ = begin

    def _place(self, loader: DataLoader[Any]) -> Path | None:
        if loader.num_workers < 2:
            return None
        place = self._folder / str(len(self._seen))
        place.mkdir()
        loader.worker_init_fn = _WorkerInit(loader.worker_init_fn, place)
        return place

    def found(self) -> Iterator[Draw]:
        """What is wrong with those that were read."""
        used = list({id(seen): seen for seen in self._read}.values())
        for one, other in itertools.combinations(used, 2):
            shared = one.loader.generator is other.loader.generator
            if shared and (_draws(one) or _draws(other)) and self._in_turns(one, other):
                which = (
                    "PyTorch's global generator"
                    if one.loader.generator is None
                    else "one generator"
                )
                yield Draw("loaders", _SHARED.format(which=which, where=one.line), other.line)
        for seen in used:
            for library in ("NumPy", "Python") if seen.place is not None else ():
                assert seen.place is not None
                states = [path.read_text() for path in seen.place.glob(f"{library}-*")]
                if len(set(states)) < len(states):
                    yield Draw("loaders", _ALIKE.format(library=library), seen.line)

    def _in_turns(self, one: _Seen, other: _Seen) -> bool:
        """Whether one was read again after the other was: else neither moves what the other draws."""
        turns = [seen for seen in self._read if seen is one or seen is other]
        return len([*itertools.groupby(turns, key=id)]) > 2


def _draws(seen: _Seen) -> bool:
    """Whether a loader's order is drawn; the order of any other does not move."""
    return not isinstance(seen.loader.sampler, (SequentialSampler, DistributedSampler))


_SHARED = (
    "{which} serves two DataLoaders in turns, so one evaluation more or less changes the order of training; an "
    "unshuffled loader draws from it, too. Give each a generator of its own: generator=. The other is made at "
    "{where}"
)
_ALIKE = (
    "DataLoader workers start from the same state of {library}'s generator, so what they draw is the same. Seed it from "
    "torch.initial_seed() in worker_init_fn, or leave that out: PyTorch seeds each worker by itself"
)
