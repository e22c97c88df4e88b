"""Which executor an audit's options mean."""

from __future__ import annotations

from typing import Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor, available_cores
from pytest_reprotest.execution.share import own_devices, own_share
from pytest_reprotest.interfaces import Executor
from pytest_reprotest.options import Options
from pytest_reprotest.origins import DEFAULT, spelled
from pytest_reprotest.training.device import visible_gpus
from pytest_reprotest.training.switches import ENVIRONMENT, hash_seed_of


def open_executor(options: Options, threads: int = 1) -> Executor:
    """The executor of ``workers`` and ``device``; its owner closes it.

    ``auto`` is one worker a GPU, or as many as have a core for each of a run's ``threads``; a worker of
    pytest-xdist takes its share of either. Several devices take a worker each. Where determinism is to be proven
    runs have processes of their own: what another run left behind there can't make them agree. Where runs have a
    timeout one worker is a process, too: no thread can end what hangs in this one. Ray's actors are one a GPU, or
    one a core, where no number of workers was asked for.

    Raises
    ------
    OptionError
    """
    _check_timeout(options)
    if options.executor == "ray":
        return _on_ray(options)
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
    here = workers == 1 and options.timeout is None
    if options.executor == "local" or (here and options.executor == "auto"):
        return LocalExecutor()
    return ProcessExecutor(workers, devices)


def _check_timeout(options: Options) -> None:
    if options.timeout is not None and options.executor in ("local", "ray"):
        told = [
            spelled(options.origin(key), key, getattr(options, key))
            for key in ("timeout", "executor")
        ]
        raise OptionError(
            f"{told[0]} and {told[1]}: runs that hang are ended in worker processes of this machine only; leave "
            "one of the two out"
        )


def _on_ray(options: Options) -> Executor:
    from pytest_reprotest.execution.ray_cluster import RayExecutor

    workers = "auto" if options.origin("workers") == DEFAULT else options.workers
    cores = available_cores() if workers == "auto" else int(workers)
    gpus = 0 if options.device == "cpu" else len(visible_gpus())
    proving: dict[str, Any] = {}
    if options.deterministic:
        proving = {"environment": ENVIRONMENT, "environment_of": hash_seed_of, "fresh": True}
    return RayExecutor(
        options.device, workers, options.ray_address, cpus=cores, gpus=gpus, **proving
    )
