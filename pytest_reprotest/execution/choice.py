"""Which executor an audit's options mean."""

from __future__ import annotations

from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor, available_cores
from pytest_reprotest.execution.share import own_devices, own_share
from pytest_reprotest.interfaces import Executor
from pytest_reprotest.options import Options
from pytest_reprotest.training.switches import ENVIRONMENT, hash_seed_of


def open_executor(options: Options, threads: int = 1) -> Executor:
    """The executor of ``workers`` and ``device``; its owner closes it.

    ``auto`` is one worker a GPU, or as many as have a core for each of a run's ``threads``; a worker of
    pytest-xdist takes its share of either. Several devices take a worker each. Where determinism is to be proven
    runs have processes of their own: what another run left behind there can't make them agree.
    """
    devices = own_devices(options.device)
    workers = options.workers
    if workers == "auto":
        cores = own_share().cores(available_cores()) // threads
        workers = max(cores, 1) if devices == ("cpu",) else len(devices)
    workers = max(int(workers), len(devices))
    if options.deterministic:
        return ProcessExecutor(
            workers, devices, environment=ENVIRONMENT, environment_of=hash_seed_of, fresh=True
        )
    return LocalExecutor() if workers == 1 else ProcessExecutor(workers, devices)
