"""What becomes of a chunk whose worker died, or that took too long."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from pytest_reprotest.execution.chunk import Chunk
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run

_TRIES = 2  # of a chunk whose worker died


def after_death(
    chunk: Chunk, left: Sequence[Run], code: int, stacked: bool
) -> tuple[Chunk, ...] | RunOutcome:
    """What to train again, or the failure of its first run.

    A worker that was killed may have been too large: the kernel kills with signal 9 where memory is short. So
    a stack is trained again in halves, which gives the same bits on a CPU.

    Parameters
    ----------
    chunk : Chunk
    left : sequence of Run
        The runs that did not come back, in their order.
    code : int
        As ``subprocess`` gives it: an exit status, or a signal's number below 0.
    stacked : bool
        Whether runs of a chunk are in memory together.
    """
    if not left:
        return ()
    rest = Chunk(tuple(left), chunk.tries)
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    if code == -signal.SIGKILL and stacked and len(left) > 1:
        half = len(left) // 2
        note = f"a worker was killed ({how}: is memory short?) on {rest}, trained again in halves"
        return Chunk(rest.runs[:half], note=note), Chunk(rest.runs[half:], note=note)
    if chunk.tries < _TRIES:
        rest.note = f"a worker died ({how}) on {rest}, trained again by another"
        return (rest,)
    return RunOutcome(
        left[0],
        failure=f"its worker process died twice ({how}) on {rest}. Is memory short? Use fewer "
        "--repro-workers",
    )


def after_timeout(
    left: Sequence[Run], seconds: float, stacked: bool, where: str | None
) -> RunOutcome:
    """The failure of the run that took too long, or of all runs of a stack.

    Parameters
    ----------
    left : sequence of Run
        The runs that did not come back, in their order.
    seconds : float
        What one run may take.
    where : str or None
        The line at which it was.

    >>> from pytest_reprotest.seeds import RunSeeds
    >>> run = Run("dropout", 3, RunSeeds(base=0, run=3))
    >>> print(after_timeout([run], 60.0, False, "train.py:7 in train_fn: lock.acquire()").failure)
    it took longer than --repro-timeout=60 s and was ended. Where it was:
      at train.py:7 in train_fn: lock.acquire()
    """
    if stacked and len(left) > 1:
        told = (
            f"{Chunk(tuple(left))}, trained as one stack, took longer than {len(left)} × "
            f"--repro-timeout={seconds:g} s and were ended"
        )
    else:
        told = f"it took longer than --repro-timeout={seconds:g} s and was ended"
    return RunOutcome(
        left[0], failure=told if where is None else f"{told}. Where it was:\n  at {where}"
    )
