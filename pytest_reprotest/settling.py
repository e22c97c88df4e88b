"""What is settled before an audit trains: its regularizers, device, engine and chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_reprotest.bank import FIRST_RUN
from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Executor, Placement, Trainer
from pytest_reprotest.options import Options
from pytest_reprotest.registry import Registry
from pytest_reprotest.selection import Selection, select
from pytest_reprotest.thresholds import check_task


@dataclass(frozen=True)
class Settled:
    """An audit that can be trained.

    Attributes
    ----------
    chosen : Selection
        As asked for.
    labels : tuple of str
        The regularizers that fit the model.
    refusals : mapping
        Label of each that does not → the reason.
    placement : Placement
    notes : tuple of str
        Sentences for the report.
    initial_weights : mapping
        Label → digest of the weights it starts from, where the trainer knows them.
    """

    chosen: Selection
    labels: tuple[str, ...]
    refusals: Mapping[str, str]
    placement: Placement
    notes: tuple[str, ...] = ()
    initial_weights: Mapping[str, str] = field(default_factory=dict)


def settle(trainer: Trainer, options: Options, registry: Registry, executor: Executor) -> Settled:
    """Check everything that can be checked before anything trains.

    Raises
    ------
    ReprotestError
        Where nothing can be trained: an impossible option, device, data set, factory, or a regularizer
        that was named and does not fit.
    """
    from pytest_reprotest.execution.share import own_devices

    check_task(options.bounds, trainer.task.title, trainer.task.thresholds)
    device = executor.device or own_devices(options.device)[0]
    asked = Placement(device, options.engine, deterministic=options.deterministic)
    chosen = select(options, registry)
    regularizers = tuple(chosen.regularizers.values())
    prepared = executor.prepare(trainer, regularizers, asked, options.runs)
    refusals = prepared.refusals
    if refusals and not chosen.lenient:
        raise RegularizerRefused("; ".join(refusals.values()))
    labels = tuple(label for label in chosen.regularizers if label not in refusals)
    placement = replace(prepared.placement, timeout=options.timeout)
    if options.deterministic:  # whatever a trainer makes of it: never stacked, each run by itself
        placement = replace(placement, engine="sequential", chunk=1, deterministic=True)
    starts = prepared.initial_weights
    return Settled(chosen, labels, refusals, placement, prepared.notes, starts)


def settings_of(
    settled: Settled, options: Options, trainer: Trainer, executor: Executor, first_run: int = 0
) -> dict[str, Any]:
    """What determines the result, as JSON primitives."""
    from pytest_reprotest.training.surroundings import surroundings_of

    placement, described = settled.placement, trainer.describe()
    return {
        "runs": options.runs,
        "seed": options.seed,
        "vary": list(options.vary),
        "device": placement.device,
        "engine": placement.engine,
        "chunk": placement.chunk,
        "workers": executor.n_workers,
        **({"timeout": options.timeout} if options.timeout is not None else {}),
        "decision": options.decision,
        **({"confidence": options.confidence} if options.decision == "confidence" else {}),
        **({"looks": list(options.looks)} if options.adaptive else {}),
        **(_as_proof() if options.deterministic else {}),
        **({FIRST_RUN: first_run} if first_run else {}),
        "training": described,
        "origins": dict(options.origins),
        **surroundings_of(executor, placement, described.get("threads")),
        **({"initial_weights": dict(settled.initial_weights)} if settled.initial_weights else {}),
    }


def _as_proof() -> dict[str, Any]:
    """The settings of a proof of determinism: under which switches it holds."""
    from pytest_reprotest.training.switches import switches

    return {"deterministic": True, "switches": switches()}
