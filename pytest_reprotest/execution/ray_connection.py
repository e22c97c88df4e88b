"""The connection of this process to Ray: one that is there already, a cluster's, or an instance started for the audit."""

from __future__ import annotations

import faulthandler
import functools
import importlib.util
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.origins import COMMAND_LINE, spelled

INSTALL = 'pip install "pytest-reprotest[ray]"'
_PATIENCE = 30.0  # seconds, for a cluster to answer
_STORE = 256 << 20  # bytes of an object store on this machine; what does not fit goes to files
_SHORT = 24  # characters of a temporary folder in which the paths of sockets fit
_LONGEST = 300  # characters of a reason


def check_installed() -> None:
    """Refuse to go on without Ray.

    Raises
    ------
    OptionError
    """
    if importlib.util.find_spec("ray") is None:
        raise OptionError(f"--repro-executor=ray takes Ray, which is not installed: {INSTALL}")


class Connection:
    """Ray as one audit after another uses it.

    Parameters
    ----------
    address : str or None
        Of a cluster; None: that of ``RAY_ADDRESS``, else an instance on this machine.
    cpus, gpus : int
        Of an instance on this machine.

    Raises
    ------
    OptionError
        Where Ray is not installed or there is no cluster at the address.
    """

    def __init__(self, address: str | None, cpus: int, gpus: int) -> None:
        check_installed()
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        if self._address == "local":
            self._address = None
        self._cpus, self._gpus = cpus, gpus
        self._ours = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def told(self) -> str:
        """Where it leads, in words."""
        if not self._ours:
            return "the Ray that this process is connected to"
        return "this machine" if self._address is None else f"the cluster {self._address}"

    def open(self) -> bool:
        """Connect, unless this process is connected; whether it was not."""
        with _quiet(), _restored({}):
            import ray
        if ray.is_initialized():
            return False
        if self._address is None:
            self._folder = _folder()
            self._init(
                address="local",
                num_cpus=self._cpus,
                num_gpus=self._gpus,
                include_dashboard=False,
                object_store_memory=_STORE,
                _temp_dir=self._folder.name,
            )
        else:
            _check_answers(self._address)
            self._init(address=self._address)
        self._ours = True
        return True

    def _init(self, **arguments: Any) -> None:
        import ray

        local = _LOCAL if self._address is None else {}
        with _quiet(), _restored(local):
            try:
                ray.init(**arguments, log_to_driver=False, configure_logging=False)
            except Exception as error:
                with suppress(Exception):
                    ray.shutdown()
                self.close()
                raise _refused(self._address, str(error)) from None

    def close(self) -> None:
        """Disconnect, and end what was started; a connection that was there before is left alone."""
        if self._ours:
            import ray

            self._ours = False
            with _quiet(), _restored({}):
                ray.shutdown()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for Ray's files, of a short path: its sockets are in it, and theirs may have 107 characters."""
    usual = tempfile.gettempdir()
    place = "/tmp" if len(usual) > _SHORT and os.access("/tmp", os.W_OK) else usual
    return tempfile.TemporaryDirectory(prefix="reprotest-", dir=place, ignore_cleanup_errors=True)


_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@functools.cache
def _token() -> str:
    """Without it no other user of this machine gets in; Ray would write one of its own into the home folder."""
    return secrets.token_hex(32)


@contextmanager
def _restored(added: Mapping[str, str]) -> Iterator[None]:
    """Ray sets variables, a handler of SIGTERM and the fault handler; here they are put back."""
    before, faults = dict(os.environ), faulthandler.is_enabled()
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if main else None
    for name, value in added.items():
        os.environ.setdefault(name, value)
    if added:
        os.environ.setdefault("RAY_AUTH_TOKEN", _token())
    try:
        yield
    finally:
        _put_back(before)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
        if not faults:
            faulthandler.disable()


def _put_back(before: Mapping[str, str]) -> None:
    """The environment as it was, touched as little as can be: threads of Ray read it while it is written."""
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray's warnings are about Ray."""
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _check_answers(address: str) -> None:
    """Refuse an address where no Ray answers, within seconds: Ray itself waits for minutes, and may end the process.

    Raises
    ------
    OptionError
    """
    scheme, _, place = address.rpartition("://")
    if address != "auto":
        host, _, port = place.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=_PATIENCE / 3):
                pass
        except (OSError, ValueError) as error:
            raise _refused(address, str(error)) from None
    if scheme == "ray":
        if importlib.util.find_spec("grpc") is None:
            raise _refused(address, f"the extra client of Ray is not installed: {INSTALL}")
        return
    where = [] if address == "auto" else ["--address", address]
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", *where]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refused(address, f"no Ray answered in {_PATIENCE:g} seconds") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no Ray answered"]
        raise _refused(address, lines[-1])


def _refused(address: str | None, why: str) -> OptionError:
    told = " ".join(why.split())[:_LONGEST].rstrip(".")
    if address is None:
        return OptionError(f"--repro-executor=ray: can't start Ray on this machine: {told}")
    return OptionError(
        f"{spelled(COMMAND_LINE, 'ray_address', address)}: can't connect to a Ray cluster there: {told}. "
        "Expected auto (the cluster of this machine), HOST:PORT from a machine of the cluster, or "
        "ray://HOST:10001 from elsewhere; `ray status` on its head node says whether it runs"
    )
