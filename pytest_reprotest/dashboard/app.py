"""The page as a WSGI application: Dash with a policy, and the pages of single results."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from dash import Dash
from flask import Flask, Response, abort, request

from pytest_reprotest.dashboard.callbacks import register
from pytest_reprotest.dashboard.index import Index
from pytest_reprotest.dashboard.layout import layout
from pytest_reprotest.dashboard.opened import Opened
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.report.html import page
from pytest_reprotest.report.rows import Audited

_HERE = Path(__file__).parent
_ASSETS = _HERE / "assets"
_STYLES = (_HERE.parent / "report" / "html" / "page.css", _ASSETS / "dashboard.css")
_PAGE = "page of a test"
_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>{%metas%}<title>{%title%}</title><link rel="icon" href="data:,">{%css%}<style>STYLES</style></head>
<body>{%app_entry%}<noscript>The dashboard takes JavaScript.</noscript>
<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>
"""


def made(index: Index, host: str | None) -> Flask:
    """The application for a folder.

    Parameters
    ----------
    index : Index
    host : str or None
        Where it is served to this machine alone, the name that it is asked for by beside localhost: a page
        from elsewhere that gives this machine a name of its own is refused. None asks for no name.
    """
    opened = Opened(index)
    app = Dash(
        "reprotest-dashboard",
        assets_folder=str(_ASSETS),
        assets_ignore=r".*\.css",  # it stands in the page itself, behind that of the page of a result
        title="Reproducibility over time",
        update_title="",
        serve_locally=True,
        index_string=_FRAME.replace("STYLES", "\n".join(map(_read, _STYLES))),
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
        on_error=_wrong,
    )
    app.logger.setLevel(logging.ERROR)
    app.layout = layout
    register(app, index, opened)
    _guard(app.server, app.csp_hashes(), host)
    _pages(app.server, index, opened)
    server: Flask = app.server
    return server


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _wrong(error: Exception) -> None:
    """What no check foresaw is told on the terminal in a line; the page stays as it was."""
    logging.getLogger("pytest_reprotest").error("%s: %s", type(error).__name__, error)


def _guard(server: Flask, hashes: Iterable[str], host: str | None) -> None:
    """Nothing is loaded from elsewhere, no script runs but Dash's, and no other name is answered."""
    scripts = " ".join(f"{each}" for each in hashes)
    policy = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    names = {"localhost", "127.0.0.1", "::1", (host or "").lower()}

    @server.before_request
    def known() -> None:
        if host is not None and _name(request.host) not in names:
            abort(403, "This is a dashboard for this machine; ask for it as localhost.")

    @server.after_request
    def told(response: Response) -> Response:
        # the page of a result has a policy of its own, and needs no more than that
        if request.endpoint != _PAGE:
            response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _name(host: str) -> str | None:
    """The name in what a browser asked for, without the port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _pages(server: Flask, index: Index, opened: Opened) -> None:
    @server.get("/page/<key>", endpoint=_PAGE)
    def whole(key: str) -> Response:
        entry = index.snapshot.by_key.get(key)
        if entry is None:
            return Response("This result is not in the folder, or not any more.", 404, mimetype="text/plain")  # fmt: skip
        try:
            text = page([Audited(opened.test(entry).result)])
        except ReprotestError as error:
            return Response(f"This result can't be shown: {error}", 404, mimetype="text/plain")
        return Response(text, mimetype="text/html")
