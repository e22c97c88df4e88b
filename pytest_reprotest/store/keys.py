"""Under which key a run is kept: everything that decides what it predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_reprotest.digests import digest
from pytest_reprotest.interfaces import Executor, Placement, Regularizer, Trainer
from pytest_reprotest.plan import Run
from pytest_reprotest.store.content import parts_of
from pytest_reprotest.store.homes import own_code
from pytest_reprotest.store.unknown import Unknown
from pytest_reprotest.store.unseen import file_behind, unseen_in
from pytest_reprotest.training.surroundings import surroundings_of

_CHANCE = "PYTHONHASHSEED"
"""Decides the order of sets, as chance does where it is not set; a proof of determinism looks for that."""


@dataclass(frozen=True)
class Context:
    """What the runs of one regularizer share.

    Attributes
    ----------
    regularizer : str
        The label.
    ingredients : mapping
        Everything that decides its runs beside their seeds, as JSON primitives.
    """

    regularizer: str
    ingredients: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The ingredients in their one spelling."""
        return json.dumps(self.ingredients, sort_keys=True, separators=(",", ":"))

    @property
    def key(self) -> str:
        """The digest of the ingredients, 32 hexadecimal digits."""
        return digest([self.text.encode()])


def context_of(
    trainer: Trainer,
    regularizer: Regularizer,
    placement: Placement,
    executor: Executor,
    described: Mapping[str, Any],
) -> Context:
    """The context of a regularizer's runs where an executor trains them.

    Parameters
    ----------
    described : mapping
        What the trainer tells of itself, with hashes of its data: asked for once for all regularizers.

    Raises
    ------
    Unknown
        Where something that may decide a run can't be told for certain.
    """
    homes = {getattr(each, "__module__", None) or "" for each in trainer.callables()}
    parts, names, paths = parts_of(
        {**trainer.content(regularizer), "regularizer": regularizer, "trainer": type(trainer)},
        homes,
    )
    unseen = unseen_in(names, trainer.reads_unseen, hasattr(trainer, "depends_on"))
    unseen = unseen or file_behind(paths.get("data", ()))
    if unseen is not None:
        raise Unknown(unseen)
    around = surroundings_of(executor, placement, described.get("threads"))
    around["environment"].pop(_CHANCE, None)
    ingredients = {
        "code": own_code(),
        "trainer": f"{type(trainer).__module__}.{type(trainer).__qualname__}",
        "regularizer": regularizer.label,
        "settings": described,
        "content": parts,
        "device": placement.device.partition(":")[0],
        "engine": placement.engine,
        **around,
    }
    try:
        json.dumps(ingredients, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Unknown(f"describe() of {type(trainer).__name__} is no JSON: {error}") from None
    return Context(regularizer.label, ingredients)


def beside(piece: tuple[Run, ...]) -> tuple[int, ...]:
    """The runs that are part of a run's key: those of its piece, where it is not alone."""
    return tuple(run.index for run in piece) if len(piece) > 1 else ()


def run_key(run: Run, together: tuple[int, ...] = ()) -> str:
    """Which run of its context: its seeds, its rung, and where it matters the runs trained together with it.

    >>> from pytest_reprotest.seeds import RunSeeds
    >>> run_key(Run("none", 3, RunSeeds(0, 3)))
    'seed 0, run 3, vary init,data_order,noise'
    """
    seeds = run.seeds
    parts = [f"seed {seeds.base}", f"run {seeds.run}", f"vary {','.join(seeds.vary) or 'none'}"]
    if run.index != seeds.run:
        parts.append(f"index {run.index}")
    if run.rung:
        parts.append(f"rung {run.rung}")
    if together:
        parts.append(f"together {','.join(map(str, together))}")
    return ", ".join(parts)


def changed_from(before: str, context: Context) -> list[str]:
    """What is different in a context from an earlier one, of which the text is given."""
    try:
        earlier = json.loads(before)
    except (ValueError, RecursionError):
        earlier = None
    if not isinstance(earlier, Mapping):
        return ["everything"]
    return changed(earlier, context.ingredients)


def changed(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    path: str = "",
    sides: tuple[str, str] = ("before", "now"),
) -> list[str]:
    """The ingredients that differ, in words, the values where they are short.

    >>> changed({"settings": {"lr": 0.1}, "engine": "stacked"}, {"settings": {"lr": 0.2}, "engine": "stacked"})
    ['settings.lr: 0.1 before, 0.2 now']
    """
    found: list[str] = []
    for key in dict.fromkeys((*before, *now)):
        name = f"{path}{key}"
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.extend(changed(old, new, f"{name}.", sides))
        elif _is_digest(old) or _is_digest(new):
            found.append(f"{name} (its content)")
        else:
            found.append(f"{name}: {old!r:.40} {sides[0]}, {new!r:.40} {sides[1]}")
    return found


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 32 and set(value) <= set("0123456789abcdef")
