"""Hooks that a conftest.py or an installed pytest plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_reprotest.interfaces import Regularizer


def pytest_reprotest_regularizers() -> Iterable[type[Regularizer]]:  # type: ignore[empty-body]
    """Return Regularizer classes to register beside the built-in ones, under their ``name``."""
