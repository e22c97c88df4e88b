"""The dashboard's server: checked before anything is loaded, bound to this machine unless told otherwise."""

from __future__ import annotations

import importlib.util
import ipaddress
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path

from pytest_reprotest.errors import OptionError

_PACKAGES = ("dash", "plotly")


def check_installed() -> None:
    """Refuse to start without the libraries of the extra.

    Raises
    ------
    OptionError
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise OptionError(
            f"the dashboard takes {' and '.join(missing)}, which {are} not installed; install "
            "what it takes: pip install 'pytest-reprotest[dashboard]'"
        )


def check_folder(folder: Path) -> Path:
    """The folder, if it is one.

    Raises
    ------
    OptionError
    """
    if folder.is_dir():
        return folder
    if folder.exists():
        raise OptionError(f"{folder} is a file; expected a folder of results: {folder.parent}?")
    raise OptionError(f"the folder {folder} does not exist; expected a folder of results")


def serve(folder: Path, host: str, port: int, browse: bool, tell: Callable[[str], None]) -> None:
    """Serve a folder until Ctrl-C.

    Parameters
    ----------
    host : str
        An address of this machine, or a name of one.
    port : int
        0 takes one that is free.
    browse : bool
        Open a browser.
    tell : callable
        Is told what happens, a sentence at a time.

    Raises
    ------
    OptionError
        Where nothing can be served there.
    """
    listening = _bound(host, port)
    with listening:
        from werkzeug.serving import make_server

        from pytest_reprotest.dashboard.app import made
        from pytest_reprotest.dashboard.index import Index

        number, port = listening.getsockname()[:2]
        address, local = _address(host, port), is_local(number)
        app = made(Index(folder), None if not local else host)
        server = make_server(
            number, port, app, threaded=True, fd=listening.fileno(), request_handler=_quiet()
        )
        tell(f"The results of {folder} are at {address} until Ctrl-C.")
        if not local:
            tell("Whoever reaches this address can read them: there is no password.")
        if browse and not webbrowser.open(address):
            tell("No browser could be opened: open that address yourself.")
        server.serve_forever()  # Ctrl-C makes it return


def is_local(address: str) -> bool:
    """Whether no other machine reaches an address.

    >>> is_local("127.0.0.1"), is_local("0.0.0.0")
    (True, False)
    """
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise OptionError(
            f"--host={host} is no address of this machine ({error}); expected one such as 127.0.0.1"
        ) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise OptionError(
            f"nothing can be served at {host}, port {port}: {error.strerror or error}; choose another "
            "with --port, or let --port=0 take one that is free"
        ) from None
    return listening


def _address(host: str, port: int) -> str:
    shown = "localhost" if host in ("", "0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def _quiet() -> type:
    """A handler that does not tell each request on the terminal."""
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            return

    return Quiet
