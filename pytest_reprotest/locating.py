"""Where runs of one seed part: two of them are trained again and recorded, and the first once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_reprotest.divergence import locate
from pytest_reprotest.interfaces import Executor, Placement, Progress, Regularizer, Trainer, silent
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.proof import Proof
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.trace import Trace
from pytest_reprotest.verdict import broken


def located(
    found: RegularizerResult,
    runs: Sequence[Run],
    trainer: Trainer,
    regularizers: Mapping[str, Regularizer],
    placement: Placement,
    executor: Executor,
    progress: Callable[[Plan], Progress] | None = None,
) -> RegularizerResult:
    """The result of a proof that failed, with the first divergence; as it is where none can be found.

    Parameters
    ----------
    runs : sequence of Run
        All that were trained under this regularizer.
    """
    proof = found.proof
    if proof is None or len(proof.runs) < len(runs) or not (pair := _unlike(proof)):
        return found
    first, other = runs[0], runs[pair]
    tracing = replace(placement, traced=True, chunk=1)

    together = proof.runs[0].process == proof.runs[pair].process
    recorded: list[Trace] = []
    for wanted in ((first, other), (first,)):
        plan = Plan((found.regularizer,), wanted, together=together and len(wanted) > 1)
        report = progress(plan) if progress is not None else silent
        outcomes = {}
        for outcome in executor.run(trainer, plan, regularizers, tracing):
            outcomes[outcome.run.index] = outcome
            report(outcome)
            if outcome.failure is not None:
                return _with(found, f"{_UNRECORDED}: {outcome.failure}")
        traces = [outcomes[run.index].trace for run in wanted if run.index in outcomes]
        recorded.extend(trace for trace in traces if trace is not None)
    if len(recorded) < _TRACES:
        return found
    divergence = locate(*recorded, in_one_process=together)
    told = str(divergence) if divergence is not None else _NOT_AGAIN
    return _with(replace(found, proof=replace(proof, divergence=divergence)), told)


def _with(found: RegularizerResult, told: str) -> RegularizerResult:
    """The result with one more reason, the first."""
    return replace(found, verdict=broken(told, *found.verdict.reasons))


def _unlike(proof: Proof) -> int:
    """The place of a run that is not as the first is, one of another process before one of the same; 0 where
    there is none.
    """
    first = replace(proof.runs[0], process=0)
    unlike = [place for place, run in enumerate(proof.runs) if replace(run, process=0) != first]
    elsewhere = [place for place in unlike if proof.runs[place].process != proof.runs[0].process]
    return next(iter([*elsewhere, *unlike]), 0)


_TRACES = 3
_UNRECORDED = "trained again to find where, a run that was recorded failed"
_NOT_AGAIN = (
    "trained twice more to find where, the runs agreed: what differs does so now and then, as races between "
    "threads do"
)
