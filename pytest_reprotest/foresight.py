"""What an audit will not be able to answer, told before anything trains."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_reprotest.options import Options
from pytest_reprotest.statistics.planning import Asked, warnings_of


def foreseen(
    options: Options, labels: Sequence[str], baseline: str, n_samples: int | None = None
) -> tuple[str, ...]:
    """A sentence for each question that so few runs can't answer.

    Parameters
    ----------
    labels : sequence of str
        The regularizers that will be audited.
    n_samples : int, optional
        Size of the test set, where it is known already.
    """
    limits = dict.fromkeys(limit for label in labels for limit in options.bounds.limits(label))
    asked = [Asked(limit.name, limit.kind.metric, limit.value) for limit in limits]
    return warnings_of(
        options.looks[-1],
        len([label for label in labels if label != baseline]) if len(options.looks) == 1 else 0,
        asked,
        n_samples,
    )
