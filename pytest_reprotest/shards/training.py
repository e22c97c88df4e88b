"""One part of an audit, trained into a store: nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_reprotest.errors import OptionError, TrainingError
from pytest_reprotest.foresight import foreseen
from pytest_reprotest.interfaces import Executor, Progress, Trainer, silent
from pytest_reprotest.options import Options
from pytest_reprotest.origins import spelled
from pytest_reprotest.plan import Plan, make_plan
from pytest_reprotest.registry import Registry
from pytest_reprotest.settling import settings_of, settle
from pytest_reprotest.shards.parts import Part, keep, run_keys
from pytest_reprotest.shards.shard import PartTrained, Shard
from pytest_reprotest.store.database import Database, StoreError
from pytest_reprotest.store.executor import StoringExecutor
from pytest_reprotest.store.keys import context_of
from pytest_reprotest.store.unknown import Unknown

_WHOLE = {
    "deterministic": "a proof of determinism holds runs against each other as they are trained",
    "attribute": "an attribution judges runs before it trains more",
    "max_runs": "an audit that adds runs judges those it has",
}


def train_part(
    trainer: Trainer,
    options: Options,
    registry: Registry,
    shard: Shard,
    executor: Executor,
    database: Database,
    *,
    name: str = "",
    progress: Callable[[Plan], Progress] | None = None,
    beside: Sequence[str] | None = None,
    own_settings: Mapping[str, Any] | None = None,
) -> PartTrained:
    """Train the runs of one part, and leave them in the store with what judges them.

    Parameters
    ----------
    beside : sequence of str, optional
        As of ``run_audit``.
    own_settings : mapping, optional
        Settings that the result will have beside those of every audit.

    Raises
    ------
    ReprotestError
        Where it can't be trained in parts, a run failed, or could not be kept.
    """
    _check(options)
    settled = settle(trainer, options, registry, executor)
    settings = {**settings_of(settled, options, trainer, executor), **(own_settings or {})}
    plan = make_plan(options, settled.labels)
    placement = settled.placement.shared_out(len(plan.runs), executor.n_workers)
    mine = shard.of(plan, placement, executor.n_workers)
    regularizers, baseline = settled.chosen.regularizers, settled.chosen.baseline
    try:
        contexts = {
            label: context_of(
                trainer, regularizers[label], placement, executor, settings["training"]
            ).key
            for label in settled.labels
        }
    except Unknown as reason:
        raise StoreError(
            f"it can't be trained in parts, since no store takes its runs: {reason}"
        ) from None
    storing = StoringExecutor(executor, database, name)
    report = progress(mine) if progress is not None else silent
    for outcome in storing.run(trainer, mine, regularizers, placement):
        if outcome.failure is not None:
            raise TrainingError(f"{outcome.run} failed: {outcome.failure}")
        report(outcome)
    keys = run_keys(plan, placement, executor.n_workers)
    for run in mine.runs:
        key = keys[run.regularizer][run.index]
        if database.find(contexts[run.regularizer], key) is None:
            raise StoreError(f"{run} could not be kept: {'; '.join(storing.told())}")
    part = Part(
        name,
        baseline,
        trainer.task,
        trainer.y_true,
        options,
        settings,
        settled.refusals,
        (*settled.notes, *foreseen(options, list(settled.labels), baseline, trainer, beside)),
        contexts,
        keys,
    )
    keep(part, shard, database)
    return PartTrained(name, str(shard), len(plan.runs), len(mine.runs), storing.told())


def _check(options: Options) -> None:
    for key, reason in _WHOLE.items():
        value = getattr(options, key)
        if value and (key != "max_runs" or options.adaptive):
            raise OptionError(
                f"{spelled(options.origin(key), key, value)} and --repro-shard: {reason}, so all of it is "
                "trained in one place; leave one of the two out"
            )
