"""Audits of one test that are spread over items, one a regularizer: they are compared once all are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_reprotest.comparisons import compare
from pytest_reprotest.differences import differences
from pytest_reprotest.plan import baseline_among
from pytest_reprotest.result import AuditResult


def group(name: str, label: str) -> str:
    """The test's name without the parameter that the fixture ``regularizer`` gave it.

    >>> group("test_a.py::test_mlp[dropout-small]", "dropout"), group("test_a.py::test_mlp[dropout]", "dropout")
    ('test_a.py::test_mlp[small]', 'test_a.py::test_mlp')
    """
    found = re.fullmatch(r"((?:(?!::).)*::[^\[]*)\[(.*)\]( #\d+)?", name, flags=re.DOTALL)
    if not found:
        return name
    stem, parameters, count = found[1], found[2], found[3] or ""
    kept = f"-{parameters}-".replace(f"-{label}-", "-", 1)[1:-1]
    return f"{stem}[{kept}]{count}" if kept else f"{stem}{count}"


ASKED_BASELINE = "baseline"
"""The setting that holds the baseline of a test whose regularizers are spread over items."""


TEST = "test"
"""The setting that holds the test of an item, where its regularizers are spread over items."""


FILE = "file"
"""The setting that holds the file of results that an audit is from, where there are several."""


def title(result: AuditResult) -> str:
    """The test of an audit, whichever regularizer its item had."""
    return str(result.settings.get(TEST, result.name))


def compared_across(results: Sequence[AuditResult]) -> list[AuditResult]:
    """The same audits, those of several items of a test with their comparisons against the baseline's item.

    Items are compared where nothing but the regularizer differs between them, runs were not added until a
    limit was decided, and are not of one seed.
    """
    by_test: dict[str, list[AuditResult]] = {}
    for result in results:
        each = result.by_regularizer.values()
        gated = any(found.gate is not None or found.left_out for found in each)
        incomparable = gated or "looks" in result.settings or "deterministic" in result.settings
        if len(result.regularizers) == 1 and not incomparable:
            by_test.setdefault(title(result), []).append(result)
    compared: dict[str, AuditResult] = {}
    for name, items in by_test.items():
        by_label = {item.regularizers[0]: item for item in items}
        labels = tuple(by_label)
        baseline = str(items[0].settings.get(ASKED_BASELINE, baseline_among(labels)))
        if not name or len(items) < 2 or len(by_label) < len(items) or baseline not in by_label:
            continue
        base = by_label[baseline]
        alike = [item for item in items if _alike(base, item)]
        found = {label: each for item in alike for label, each in item.by_regularizer.items()}
        comparisons = compare(base.task, found, baseline, base.y_true)
        for item in items:
            own = {label: c for label, c in comparisons.items() if label in item.by_regularizer}
            notes = item.notes if item in alike else (*item.notes, _unlike(base, item))
            compared[item.name] = replace(item, comparisons=own, baseline=baseline, notes=notes)
    return [compared.get(result.name, result) for result in results]


def _unlike(base: AuditResult, item: AuditResult) -> str:
    told = "; ".join(map(str, differences(base.settings, item.settings))) or "another test set"
    return f"not compared with {base.regularizers[0]!r}, from which more differs: {told}"


def _alike(first: AuditResult, other: AuditResult) -> bool:
    return (
        first.task == other.task
        and np.array_equal(first.y_true, other.y_true)
        and not differences(first.settings, other.settings)
    )
