"""The marker as a decorator with a typed signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_reprotest.settings import MARKER

if TYPE_CHECKING:
    from typing_extensions import Never

    from pytest_reprotest.interfaces import Regularizer


def reproducibility(
    *positional: Never,
    runs: int | None = None,
    regularizers: str | Sequence[str | Regularizer] | None = None,
    baseline: str | None = None,
    seed: int | None = None,
    vary: str | Sequence[str] | None = None,
    engine: str | None = None,
    timeout: float | str | None = None,
    decision: str | None = None,
    confidence: float | None = None,
    max_runs: int | None = None,
    on_inconclusive: str | None = None,
    compat: str | None = None,
    deterministic: bool | None = None,
    attribute: bool | None = None,
    max_prediction_difference: float | Mapping[str, float] | None = None,
    min_effective_accuracy: float | Mapping[str, float] | None = None,
    min_accuracy: float | Mapping[str, float] | None = None,
    max_accuracy_std: float | Mapping[str, float] | None = None,
    min_r2: float | Mapping[str, float] | None = None,
    min_effective_r2: float | Mapping[str, float] | None = None,
    max_mae: float | Mapping[str, float] | None = None,
    max_accuracy_drop: float | Mapping[str, float] | None = None,
    max_effective_accuracy_drop: float | Mapping[str, float] | None = None,
    max_prediction_difference_increase: float | Mapping[str, float] | None = None,
    max_negative_flip_excess: float | Mapping[str, float] | None = None,
    max_r2_drop: float | Mapping[str, float] | None = None,
    max_effective_r2_drop: float | Mapping[str, float] | None = None,
    max_mae_increase: float | Mapping[str, float] | None = None,
    **unknown: Never,
) -> pytest.MarkDecorator:
    """Mark a test as an audit: ``pytest.mark.reproducibility`` with a typed signature, keywords only.

    Parameters
    ----------
    runs : int
        Trainings per regularizer, at least 2.
    regularizers : str or sequence
        Names, combinations (``"batch_norm+dropout"``), Regularizer objects (``weight_decay(1e-3)``), or
        ``"all"``.
    baseline : str
        The regularizer that others are held against.
    seed : int
        Base seed, 0 or more.
    vary : str or sequence
        Any of ``init``, ``data_order``, ``noise``; ``"all"`` or ``"none"``.
    engine : str
        ``"auto"``, ``"stacked"`` or ``"sequential"``.
    timeout : float or str
        Seconds that a run may take, or a text such as ``"5m"``; one that takes longer is ended and has failed.
    decision : str
        ``"point"``: estimates are held against thresholds; ``"confidence"``: their one-sided bounds are.
    confidence : float
        Of ``decision="confidence"``, 0.5 to 1.
    max_runs : int
        With ``decision="confidence"``: add runs until the thresholds are decided, up to so many.
    on_inconclusive : str
        What becomes of a test whose audit decides nothing: ``"fail"``, ``"pass"`` or ``"skip"``.
    compat : str
        ``"study"`` shows the study's own p-value, labelled as what it is worth.
    deterministic : bool
        Train runs of one seed apart, in processes of their own; they have to agree to the last bit.
    attribute : bool
        Train further runs that vary one thing alone, and tell its share of the prediction difference.
    max_prediction_difference, min_effective_accuracy, min_accuracy, max_accuracy_std : float or mapping
        Thresholds, fractions of test samples; one for all, or a mapping from regularizer to number.
    min_r2, min_effective_r2, max_mae : float or mapping
        Thresholds of a regression.
    max_accuracy_drop, max_effective_accuracy_drop, max_prediction_difference_increase : float or mapping
        With ``--repro-compare``: how much worse than the stored result it may be.
    max_negative_flip_excess : float or mapping
        Likewise, by how much what old runs have right and new runs wrong may exceed that among old runs.
    max_r2_drop, max_effective_r2_drop, max_mae_increase : float or mapping
        Likewise, of a regression.

    Unknown names and impossible values are refused when the test is collected.
    """
    keywords = {
        "runs": runs,
        "regularizers": regularizers,
        "baseline": baseline,
        "seed": seed,
        "vary": vary,
        "engine": engine,
        "timeout": timeout,
        "decision": decision,
        "confidence": confidence,
        "max_runs": max_runs,
        "on_inconclusive": on_inconclusive,
        "compat": compat,
        "deterministic": deterministic,
        "attribute": attribute,
        "max_prediction_difference": max_prediction_difference,
        "min_effective_accuracy": min_effective_accuracy,
        "min_accuracy": min_accuracy,
        "max_accuracy_std": max_accuracy_std,
        "min_r2": min_r2,
        "min_effective_r2": min_effective_r2,
        "max_mae": max_mae,
        "max_accuracy_drop": max_accuracy_drop,
        "max_effective_accuracy_drop": max_effective_accuracy_drop,
        "max_prediction_difference_increase": max_prediction_difference_increase,
        "max_negative_flip_excess": max_negative_flip_excess,
        "max_r2_drop": max_r2_drop,
        "max_effective_r2_drop": max_effective_r2_drop,
        "max_mae_increase": max_mae_increase,
        **unknown,
    }
    given = {key: value for key, value in keywords.items() if value is not None}
    marker: pytest.MarkDecorator = getattr(pytest.mark, MARKER)
    return marker(*positional, **given)
