"""Figures drawn: the right library for each way out, imported only then."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_reprotest.errors import DataError, OptionError, ReprotestError
from pytest_reprotest.report.plots.figure import Figure
from pytest_reprotest.results_file import replacing

if TYPE_CHECKING:
    import plotly.graph_objects

SUFFIXES = (".png", ".svg")
_HERE = "pytest_reprotest.report.plots"
_RENDERERS = {"plotly": "interactive", "matplotlib": "static"}


def to_plotly(figure: Figure) -> plotly.graph_objects.Figure:
    """A figure for a page, to look at with a mouse.

    Raises
    ------
    DataError
        Where it is no figure.
    ReprotestError
        Where Plotly is not installed.

    Examples
    --------
    ``to_plotly(Boxes("Digits", Axis("PD", "percent"), {"none": [0.03, 0.02]})).write_html("digits.html")``
    """
    _check(figure)
    return _renderer("plotly").rendered(figure)


def plotly_js() -> str:
    """The JavaScript that draws Plotly's figures in a page.

    Raises
    ------
    ReprotestError
        Where Plotly is not installed.
    """
    source: str = _renderer("plotly").library()
    return source


def check_installed(library: str, what: str) -> None:
    """Refuse what takes a library where that is not installed, or can't be imported: it is imported here.

    Parameters
    ----------
    library : str
        ``plotly`` or ``matplotlib``.
    what : str
        What was asked for, as its user wrote it.

    Raises
    ------
    OptionError
    """
    if importlib.util.find_spec(library) is None:
        raise OptionError(
            f"{what}: its figures take {library}, which is not installed; install it: "
            "pip install 'pytest-reprotest[report]'"
        )
    try:
        importlib.import_module(f"{_HERE}.{_RENDERERS[library]}")
    except Exception as error:  # a library that is broken may raise anything
        raise OptionError(
            f"{what}: its figures take {library}, which is installed and can't be imported "
            f"({type(error).__name__}: {error}); repair it: pip install --force-reinstall {library}"
        ) from error


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure into a file, atomically; the same figure gives the same bytes.

    Parameters
    ----------
    path : str or path
        It ends in ``.png`` or ``.svg``, and its folder exists.

    Raises
    ------
    DataError
        Where it is no figure.
    OptionError
        Where nothing can be written to this path.
    ReprotestError
        Where matplotlib is not installed.

    >>> from pytest_reprotest.report.plots import Axis, Boxes
    >>> save(Boxes("Digits", Axis("PD", "percent"), {"none": [0.03, 0.02]}), "digits.pdf")
    Traceback (most recent call last):
    pytest_reprotest.errors.OptionError: digits.pdf cannot be written as '.pdf'; expected a path that ends in .png or .svg
    """
    _check(figure)
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in SUFFIXES:
        raise OptionError(
            f"{target} cannot be written as {kind!r}; expected a path that ends in "
            + " or ".join(SUFFIXES)
        )
    if target.is_dir():
        raise OptionError(f"{target} is a folder; expected the path of a file to write")
    if not target.parent.is_dir():
        raise OptionError(
            f"{target}: the folder {target.parent} does not exist; create it, or write elsewhere"
        )
    content: bytes = _renderer("matplotlib").rendered(figure, kind[1:])
    try:
        with replacing(target) as scratch:
            scratch.write_bytes(content)
    except OSError as error:
        raise OptionError(
            f"{target} can't be written: {error.strerror or error}; write elsewhere"
        ) from None


def _check(figure: Any) -> None:
    if not isinstance(figure, Figure):
        raise DataError(
            f"{figure!r:.80} is no figure; expected Boxes, Curves, Forest, HeatMap or Points"
        )


def _renderer(library: str) -> Any:
    try:
        return importlib.import_module(f"{_HERE}.{_RENDERERS[library]}")
    except ImportError as error:
        raise ReprotestError(
            f"drawing this takes {library}, which can't be imported ({error}); install it: "
            "pip install 'pytest-reprotest[report]'"
        ) from error
