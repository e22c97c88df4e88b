"""The proof of determinism: runs of one seed held against each other to the last bit, and its JSON form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pytest_reprotest.digests import Digests
from pytest_reprotest.divergence import Divergence, leaks
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.stored import entry, texts

_TENSORS = {
    "start": "initial weights differ",
    "weights": "weights after training differ",
    "buffers": "buffers after training differ",
}
_COMPARED = ("weights", "buffers", "losses", "predictions")


@dataclass(frozen=True)
class Proof:
    """What came of training one seed several times.

    Attributes
    ----------
    runs : tuple of Digests
        In the order of the runs.
    differences : tuple of str
        What differs, a sentence each, what comes first in a training first; empty where it is proven.
    divergence : Divergence or None
        Where two trainings first differ, where that was looked for and found.
    leaks : tuple of str
        What the first run took from generators that are not its own, a sentence each; bits may agree.
    """

    runs: tuple[Digests, ...]
    differences: tuple[str, ...] = ()
    divergence: Divergence | None = None
    leaks: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """What all runs left behind: any of weights, buffers, losses and predictions."""
        return tuple(
            name for name in _COMPARED if all(getattr(run, name) is not None for run in self.runs)
        )

    @property
    def n_processes(self) -> int:
        """Processes that trained them."""
        return len({run.process for run in self.runs})

    def __str__(self) -> str:
        names = self.compared
        shown = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
        told = (
            f"{len(self.runs)} runs of one seed agree to the last bit in {shown}, trained in "
            f"{self.n_processes} processes"
        )
        if names == ("predictions",):
            told += "; only predictions were compared, since this trainer returns nothing else"
        return told

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "proven": not self.differences,
            "compared": list(self.compared),
            "processes": self.n_processes,
            "differences": list(self.differences),
            **({} if self.divergence is None else {"divergence": self.divergence.to_dict()}),
            **({"leaks": list(self.leaks)} if self.leaks else {}),
            "runs": [asdict(run) for run in self.runs],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Proof:
        """The inverse of ``to_dict``.

        Raises
        ------
        DataError
        """
        runs = entry(stored, "runs", list)
        found = entry(stored, "divergence", dict) if "divergence" in stored else None
        return cls(
            tuple(map(_digests_in, runs)),
            texts(stored, "differences"),
            None if found is None else Divergence.from_dict(found),
            texts({"leaks": [], **stored}, "leaks"),
        )


def prove(outcomes: Sequence[RunOutcome]) -> Proof:
    """Hold finished runs of one seed against the first.

    Parameters
    ----------
    outcomes : sequence of RunOutcome
        With labels, in the order of the runs.
    """
    left = tuple(outcome.digests for outcome in outcomes if outcome.digests is not None)
    if len(left) < len(outcomes):
        told = f"{len(outcomes) - len(left)} of {len(outcomes)} runs left no digests to compare"
        return Proof(left, (told,))
    draws = [draw for outcome in outcomes if outcome.trace for draw in outcome.trace.draws]
    return Proof(left, tuple(_differences(outcomes, left)), leaks=tuple(leaks(draws)))


def _differences(outcomes: Sequence[RunOutcome], left: Sequence[Digests]) -> Iterator[str]:
    """In the order in which a training makes them."""
    indices = [outcome.run.index for outcome in outcomes]
    if len({run.process for run in left}) < min(2, len(left)) or len(left) < 2:
        runs = f"{len(left)} runs were" if len(left) > 1 else "1 run was"
        yield f"{runs} trained in one process, which proves nothing; expected two at least"
    yield from _tensors("start", indices, left)
    if _others([run.losses for run in left]):
        yield _losses(outcomes)
    yield from _tensors("weights", indices, left)
    yield from _tensors("buffers", indices, left)
    if others := _others([run.predictions for run in left]):
        yield _predictions(outcomes, others)


def _others(digests: Sequence[Any]) -> list[int]:
    """The places of those that are not as the first is."""
    return [place for place, found in enumerate(digests) if found != digests[0]]


def _tensors(key: str, indices: Sequence[int], left: Sequence[Digests]) -> Iterator[str]:
    found: list[Mapping[str, str]] = [getattr(run, key) or {} for run in left]
    names = list(dict.fromkeys(name for digests in found for name in digests))
    differing = [name for name in names if len({digests.get(name) for digests in found}) > 1]
    if differing:
        yield (
            f"{_TENSORS[key]}: {len(differing)} of {_count(len(names), 'tensor')}, first "
            f"{differing[0]!r} ({_which(indices, _others(found))})"
        )


def _losses(outcomes: Sequence[RunOutcome]) -> str:
    """The first epoch whose loss is not the same in all runs."""
    first, n_epochs = outcomes[0], max(len(outcome.losses) for outcome in outcomes)
    for epoch in range(n_epochs):
        shown = [_at(outcome.losses, epoch) for outcome in outcomes]
        if others := _others(shown):
            other = others[0]
            return (
                f"losses differ from epoch {epoch + 1} of {n_epochs} on: {shown[0]} in run "
                f"{first.run.index}, {shown[other]} in run {outcomes[other].run.index}"
            )
    return "losses differ"


def _at(losses: Sequence[float], epoch: int) -> str:
    return repr(losses[epoch]) if epoch < len(losses) else "none"


def _predictions(outcomes: Sequence[RunOutcome], others: Sequence[int]) -> str:
    which = _which([outcome.run.index for outcome in outcomes], others)
    labels = [np.asarray(outcome.labels) for outcome in outcomes]
    unlike = np.stack([labels[other] != labels[0] for other in others])
    n_samples = len(labels[0])
    count = int(unlike.reshape(len(others), n_samples, -1).any(axis=(0, 2)).sum())
    if count:
        return f"predictions differ on {count} of {_count(n_samples, 'sample')} ({which})"
    return f"scores behind the predictions differ, though no prediction does ({which})"


def _which(indices: Sequence[int], others: Sequence[int]) -> str:
    runs = ", ".join(str(indices[other]) for other in others)
    return f"run{'s' * (len(others) > 1)} {runs} against run {indices[0]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _digests_in(stored: Any) -> Digests:
    process, predictions = entry(stored, "process", int), entry(stored, "predictions", str)
    losses = None if stored.get("losses") is None else entry(stored, "losses", str)
    return Digests(
        process,
        predictions,
        losses,
        *(_mapping_in(stored, key) for key in _TENSORS),
    )


def _mapping_in(stored: Mapping[str, Any], key: str) -> dict[str, str] | None:
    if stored.get(key) is None:
        return None
    found = entry(stored, key, dict)
    return {name: entry(found, name, str) for name in found}
