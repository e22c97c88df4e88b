"""The study: one audit for each combination of its factors that the profile holds."""

from __future__ import annotations

from collections.abc import Callable

from pytest_reprotest import AuditResult
from regularizer_study.datasets import DataSet
from regularizer_study.factors import Cell, Profile


def test_study(
    retrain: Callable[..., AuditResult], study: Profile, cell: Cell, data: DataSet
) -> None:
    retrain(cell.net, train=data.train, test=data.test, **study.recipe(cell))
