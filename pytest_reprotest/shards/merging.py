"""Parts joined: the runs that several stores hold, judged as those of one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_reprotest._audit import collected
from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.measuring import judged, slim
from pytest_reprotest.plan import Run, make_plan
from pytest_reprotest.result import AuditResult
from pytest_reprotest.shards.parts import Part, kept
from pytest_reprotest.shards.shard import Shard
from pytest_reprotest.store.database import Database, StoreError
from pytest_reprotest.store.keys import changed
from pytest_reprotest.store.records import outcome_of, place_of

_MOST_TOLD = 4


def merged(stores: Sequence[Database]) -> list[AuditResult]:
    """The audits of which the stores hold parts, each with its verdict, by name.

    Raises
    ------
    StoreError
        Where a part or a run is missing or damaged, or parts are of different code, data, settings or kinds of
        machines.
    """
    found: dict[str, dict[Shard, tuple[Part, Database]]] = {}
    for store in stores:
        for shard, part in kept(store):
            here = found.setdefault(part.name, {})
            if shard in here and here[shard][0].decides != part.decides:
                raise StoreError(_told_apart(part.name, here[shard], (part, store)))
            here[shard] = (part, store)
    if not found:
        told = ", ".join(str(store.folder) for store in stores)
        raise StoreError(f"no part of an audit is in {told}; expected stores of --repro-shard")
    return [_joined(name, parts, stores) for name, parts in sorted(found.items())]


def _joined(
    name: str, parts: Mapping[Shard, tuple[Part, Database]], stores: Sequence[Database]
) -> AuditResult:
    counts = sorted({shard.parts for shard in parts})
    if len(counts) > 1:
        raise StoreError(
            f"{name!r} was trained in {' and in '.join(map(str, counts))} parts; expected one division of it. "
            "Merge the stores of one pipeline"
        )
    missing = [
        shard
        for number in range(1, counts[0] + 1)
        if (shard := Shard(number, counts[0])) not in parts
    ]
    if missing:
        each = ", ".join(map(str, missing))
        options = " and ".join(f"--repro-shard={shard}" for shard in missing)
        raise StoreError(
            f"{name!r} lacks part {each}; give the store that holds it, or train it: {options}"
            if len(missing) == 1
            else f"{name!r} lacks parts {each}; give the stores that hold them, or train them: {options}"
        )
    first, *others = parts.values()
    for other in others:
        if other[0].decides != first[0].decides:
            raise StoreError(_told_apart(name, first, other))
    return _judged(first[0], stores)


def _told_apart(name: str, first: tuple[Part, Database], other: tuple[Part, Database]) -> str:
    differs = changed(first[0].decides, other[0].decides, sides=("in the first", "in the other"))
    more = f" and {len(differs) - _MOST_TOLD} more" if len(differs) > _MOST_TOLD else ""
    return (
        f"{name!r} is not one audit in {first[1].folder} and in {other[1].folder}: "
        f"{'; '.join(differs[:_MOST_TOLD])}{more}. Train all parts from the same code and data, with the same "
        "options, on machines of one kind"
    )


def _judged(part: Part, stores: Sequence[Database]) -> AuditResult:
    options = part.options
    runs = {
        (run.regularizer, run.index): run for run in make_plan(options, list(part.contexts)).runs
    }
    by_regularizer = {}
    for label, context in part.contexts.items():
        outcomes: list[RunOutcome] = []
        for index, key in enumerate(part.runs[label]):
            run = runs.get((label, index))
            if run is None:
                raise StoreError(f"{part.name!r} names more runs of {label!r} than it plans")
            outcome = _found(part, run, context, key, stores)
            outcomes.append(slim(outcome, len(outcomes)))
        by_regularizer[label] = judged(label, outcomes, part, options, options.runs)
    return collected(
        part.name,
        by_regularizer,
        part.task,
        part.y_true,
        part.baseline,
        options,
        part.settings,
        part.refusals,
        part.notes,
    )


def _found(part: Part, run: Run, context: str, key: str, stores: Sequence[Database]) -> RunOutcome:
    damage: DataError | None = None
    for store in stores:
        try:
            held = store.find(context, key)
            if held is not None:
                return outcome_of(held[0], run, place_of(context, key))
        except DataError as error:
            damage = error
    what = "is in none of the stores" if damage is None else f"is damaged: {damage}"
    raise StoreError(f"{part.name!r}: {run} {what}; train its part again")
