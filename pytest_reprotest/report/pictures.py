"""The page's figures as files for papers: ``--repro-plots``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.html.markup import identifier
from pytest_reprotest.report.html.section import Choice, Picture, Section
from pytest_reprotest.report.html.sections import SECTIONS
from pytest_reprotest.report.html.united import Shown, united
from pytest_reprotest.report.plots import Figure, save
from pytest_reprotest.report.plots.output import SUFFIXES


def write_plots(folder: Path, finished: Finished) -> tuple[str, ...]:
    """Write every figure of every audit into a folder, which is made; what else is there is left alone.

    Files are named after the audit, its section and, of several figures there, what each is of:
    ``test-digits-mlp-accuracy-of-each-run.svg``.

    Returns
    -------
    tuple of str
        A sentence for each figure that can't be drawn.

    Raises
    ------
    ReprotestError
        Where matplotlib is not installed.
    """
    folder.mkdir(exist_ok=True)
    taken: set[str] = set()
    told = []
    for shown in united(finished.audits):
        for make in SECTIONS:
            try:
                section = make(shown.result)
                for name, figure in _figures(shown, section) if section is not None else ():
                    start = _free(name, taken)
                    for suffix in SUFFIXES:
                        save(figure, folder / f"{start}{suffix}")
            except DataError as error:
                told.append(f"{shown.name}: a figure of --repro-plots can't be drawn: {error}")
    return tuple(told)


def _figures(shown: Shown, section: Section) -> Iterator[tuple[str, Figure]]:
    """Each figure of a section, and the name of its file."""
    start = f"{identifier(shown.name) or 'audit'}-{identifier(section.title)}"
    for block in section.blocks:
        if isinstance(block, Picture):
            yield start, block.figure
        elif isinstance(block, Choice):
            for name, inner in block.blocks.items():
                if isinstance(inner, Picture):
                    yield f"{start}-{identifier(name)}", inner.figure


def _free(name: str, taken: set[str]) -> str:
    """A name that no earlier file has; in small letters, since some systems hold others for the same.

    >>> taken = set()
    >>> [_free("accuracy", taken), _free("Accuracy", taken)]
    ['accuracy', 'accuracy-2']
    """
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    free = next(n for each in itertools.chain([name], numbered) if (n := each.lower()) not in taken)
    taken.add(free)
    return free
