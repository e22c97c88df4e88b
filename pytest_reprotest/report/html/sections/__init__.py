"""The sections of an audit, in the order in which the page has them. A new one is a function and its line here."""

from pytest_reprotest.report.html.section import Make
from pytest_reprotest.report.html.sections.attributed import attribution
from pytest_reprotest.report.html.sections.held import changes, comparison, gate, proof
from pytest_reprotest.report.html.sections.origin import reproduce, settings
from pytest_reprotest.report.html.sections.runs import curves, pairs
from pytest_reprotest.report.html.sections.samples import by_class, flips
from pytest_reprotest.report.html.sections.spread import (
    difference_and_error,
    differences,
    effective,
    scores,
)

SECTIONS: tuple[Make, ...] = (
    proof,
    gate,
    changes,
    comparison,
    differences,
    scores,
    effective,
    difference_and_error,
    attribution,
    curves,
    pairs,
    by_class,
    flips,
    reproduce,
    settings,
)
