"""Pictures of the samples that flip most, asked of the trainer once the runs are there."""

from __future__ import annotations

import itertools
from dataclasses import replace

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import Trainer
from pytest_reprotest.metrics import most_flip_prone
from pytest_reprotest.pictures import MOST_PICTURES, Pictures
from pytest_reprotest.result import AuditResult


def illustrated(result: AuditResult, trainer: Trainer) -> AuditResult:
    """The result with pictures, where the trainer has any; one that fails at it costs no audit."""
    samples = _most_flip_prone(result)
    if not samples:
        return result
    try:
        pixels = trainer.pictures(samples)
        return result if pixels is None else replace(result, pictures=Pictures(samples, pixels))
    except DataError as error:
        told = str(error)
    except Exception as error:  # a trainer of somebody's own
        told = f"{type(error).__name__}: {error}"
    note = f"no pictures of samples: {type(trainer).__name__}.pictures gave none ({told})"
    return replace(result, notes=(*result.notes, note))


def _most_flip_prone(result: AuditResult) -> tuple[int, ...]:
    """The samples that details name, the first of each regularizer first."""
    ranked = [
        most_flip_prone(found.flip_rates).tolist()
        for found in result.by_regularizer.values()
        if len(found.predictions) > 1
    ]
    by_rank = (sample for rank in itertools.zip_longest(*ranked) for sample in rank)
    samples = dict.fromkeys(int(sample) for sample in by_rank if sample is not None)
    return tuple(samples)[:MOST_PICTURES]
