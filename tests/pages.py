"""Audits of known numbers, and a browser, for the tests of the page."""

import contextlib
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.report.rows import Audited

TRUTH = np.arange(200) % 4
TEST = "tests/test_digits.py::test_mlp"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def runs(wrong, n_runs=4, truth=TRUTH, seed=0):
    """Labels that are wrong as often as is said."""
    generator = np.random.default_rng(seed)
    flips = generator.random((n_runs, len(truth))) < wrong
    classes = int(truth.max()) + 1
    return np.where(flips, generator.integers(0, classes, flips.shape), truth)


def audited(name=TEST, settings=None, losses=True, **given):
    """An audit of two regularizers, as if they had been trained."""
    labels = given.pop("labels", {"none": runs(0.2), "dropout": runs(0.1, seed=1)})
    truth = given.pop("truth", TRUTH)
    result = audit_predictions(labels, truth, name=name, **given)
    found = {
        label: replace(each, losses=curves(each.n_runs) if losses else ())
        for label, each in result.by_regularizer.items()
    }
    known = {"runs": 4, "seed": 0, "vary": ["init"], "training": {"epochs": 3}}
    told = {**result.settings, **known, **(settings or {})}
    return replace(result, by_regularizer=found, settings=told)


def curves(n_runs, epochs=3):
    """Losses of all runs."""
    return tuple(
        tuple(1 / (epoch + 1) + run / 50 for epoch in range(epochs)) for run in range(n_runs)
    )


def page_of(*results, **arguments):
    """The page of results."""
    from pytest_reprotest.report.html import page

    return page([Audited(result) for result in results], **arguments)


@contextlib.contextmanager
def browser():
    """Chromium; skips where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()
