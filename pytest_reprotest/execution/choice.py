"""Which executor an audit's options mean."""

from __future__ import annotations

from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor, available_cores
from pytest_reprotest.interfaces import Executor
from pytest_reprotest.options import Options
from pytest_reprotest.training.device import resolve_devices
from pytest_reprotest.training.switches import ENVIRONMENT, hash_seed_of


def open_executor(options: Options) -> Executor:
    """The executor of ``workers`` and ``device``; its owner closes it.

    ``auto`` is one worker a GPU, or one a core. Several devices take a worker each. Where determinism is to be
    proven runs have processes of their own: what another run left behind there can't make them agree. Where
    runs have a timeout one worker is a process, too: no thread can end what hangs in this one.
    """
    devices = resolve_devices(options.device)
    workers = options.workers
    if workers == "auto":
        workers = available_cores() if devices == ("cpu",) else len(devices)
    workers = max(int(workers), len(devices))
    if options.deterministic:
        return ProcessExecutor(
            workers, devices, environment=ENVIRONMENT, environment_of=hash_seed_of, fresh=True
        )
    here = workers == 1 and options.timeout is None
    return LocalExecutor() if here else ProcessExecutor(workers, devices)
