"""``--repro-plan``: what an audit would take and could show, with a few steps timed and nothing trained."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from pytest_reprotest.attribution.rungs import to_train
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.forecast import Expected, Forecast, Span, Width, width_of
from pytest_reprotest.foresight import foreseen, typical_samples
from pytest_reprotest.interfaces import Executor, Trainer
from pytest_reprotest.options import Options
from pytest_reprotest.pilots import FoundPilots, pilots_in
from pytest_reprotest.plan import Run, make_plan
from pytest_reprotest.readers import HALF_WIDTH
from pytest_reprotest.registry import Registry
from pytest_reprotest.results_file import ResultsFile
from pytest_reprotest.settling import settle
from pytest_reprotest.statistics.planning import typical_sigma

SHOWN = ("prediction_difference", "effective_accuracy")

Chunks = list[tuple[Run, ...]]


def plan_audit(
    trainer: Trainer,
    options: Options,
    registry: Registry,
    *,
    name: str = "",
    workers: int = 1,
    executor: Executor | None = None,
    pilot: ResultsFile | None = None,
    wanted: float = HALF_WIDTH,
    beside: Sequence[str] | None = None,
) -> Forecast:
    """Prepare an audit as if it were to train, time a few steps under each regularizer, and stop there.

    Parameters
    ----------
    workers : int
        Processes that would train side by side, where no executor tells.
    executor : Executor, optional
        That would train it.
    pilot : ResultsFile, optional
        Results that tell the spread over runs.
    wanted : float
        The half-width to reach, a fraction of test samples.
    beside : sequence of str, optional
        As in ``run_audit``.

    Raises
    ------
    ReprotestError
        Where nothing could be trained.
    """
    workers = workers if executor is None else executor.n_workers
    executor = executor or LocalExecutor()
    settled = settle(trainer, options, registry, executor)
    labels, looks = settled.labels, options.looks
    by_look = _chunks(options, labels, settled.placement.chunk, workers)
    rungs = to_train(options, settled.placement.device, trainer.nudges) if options.attribute else ()
    per_run = {
        label: executor.seconds_per_run(
            trainer,
            settled.chosen.regularizers[label],
            settled.placement,
            _usual_size(by_look, label),
        )
        for label in labels
    }
    per_run = {  # with those that attribution adds to each
        label: None if seconds is None else seconds * (1 + len(rungs))
        for label, seconds in per_run.items()
    }
    known, proof = FoundPilots(), options.deterministic
    if pilot is not None and not proof:
        known = pilots_in(pilot, name, labels, trainer.y_true, trainer.describe())
    expected = tuple(
        Expected(
            label,
            None if seconds is None else (seconds * looks[0], seconds * looks[-1]),
            {} if proof else _widths(label, trainer, options, known, wanted),
        )
        for label, seconds in per_run.items()
    )
    timed = {label: seconds for label, seconds in per_run.items() if seconds is not None}
    notes = [*settled.notes, *known.notes]
    if rungs:
        names = ", ".join(rung.name for rung in rungs)
        notes.append(
            f"attribution: times are of {1 + len(rungs)} times as many runs, as many as are listed for each "
            f"of {names}, too"
        )
    if len(timed) < len(labels):
        notes.append(f"{type(trainer).__name__} can't be timed without training")
    if proof:
        notes.append(_PROOF)
    else:
        notes.extend(
            foreseen(options, labels, settled.chosen.baseline, trainer, beside, known.by_metric)
        )
    return Forecast(
        name,
        settled.chosen.baseline,
        looks,
        workers,
        expected,
        _side_by_side(by_look, timed, workers) if len(timed) == len(labels) else None,
        dict(settled.refusals),
        tuple(notes),
        proof,
    )


_PROOF = (
    "a proof of determinism: runs of one seed, in processes of their own, have to agree to the last bit; "
    "there is no spread to expect"
)


def _chunks(options: Options, labels: Sequence[str], size: int, workers: int) -> list[Chunks]:
    """What each look trains, as the executors share it out."""
    found = []
    for before, n_runs in itertools.pairwise((0, *options.looks)):
        plan = make_plan(options, labels, range(before, n_runs))
        share = -(-len(plan.runs) // workers)
        found.append(plan.chunks(min(size, max(share, 1)), workers))
    return found


def _usual_size(by_look: Sequence[Chunks], label: str) -> int:
    """The chunk in which most runs of a regularizer are trained."""
    runs_in: Counter[int] = Counter()
    for runs in itertools.chain.from_iterable(by_look):
        if runs[0].regularizer == label:
            runs_in[len(runs)] += len(runs)
    return runs_in.most_common(1)[0][0]


def _side_by_side(by_look: Sequence[Chunks], seconds: Mapping[str, float], workers: int) -> Span:
    """From start to end, each chunk given to the first worker that is free; a look waits for all."""
    ends = []
    for chunks in by_look:
        free = [0.0] * workers
        for runs in chunks:
            heapq.heapreplace(free, free[0] + len(runs) * seconds[runs[0].regularizer])
        ends.append(max(free))
    return ends[0], sum(ends)


def _widths(
    label: str, trainer: Trainer, options: Options, known: FoundPilots, wanted: float
) -> dict[str, Width]:
    """PD wherever something is known of it; ETA where it has a limit."""
    limits = {limit.kind.metric: limit.value for limit in options.bounds.limits(label)}
    n_runs, n_samples = options.looks[-1], typical_samples(trainer)
    widths = {}
    for metric in SHOWN:
        pilot = known.by_metric.get((label, metric))
        if metric != SHOWN[0] and metric not in limits:
            continue
        if pilot is not None:
            widths[metric] = width_of(pilot.value, pilot.sigma, n_runs, wanted, "pilot")
        elif metric in limits and n_samples is not None:
            sigma = typical_sigma(metric, limits[metric], n_samples)
            widths[metric] = width_of(limits[metric], sigma, n_runs, wanted)
    return widths
