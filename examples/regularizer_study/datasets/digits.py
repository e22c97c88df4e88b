"""scikit-learn's digits, which come with it; the split is fixed, four in five to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from regularizer_study.datasets.spec import ByteSource, MissingDataError, Source, Spec, as_labels


def read(_: Path | None, spec: Spec) -> tuple[Source, Source]:
    """Training and test set; pixels go from 0 to 16. Of each class every fifth picture is tested on."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingDataError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    images, labels = load_digits(return_X_y=True)
    held = images.astype(np.uint8).reshape(-1, *spec.shape)
    classes = as_labels(labels)
    rank = np.zeros(len(classes), int)
    for label in range(spec.n_classes):
        rank[classes == label] = np.arange(int((classes == label).sum()))
    tested = rank % 5 == 4
    train = ByteSource(held[~tested], classes[~tested], scale=16.0)
    return train, ByteSource(held[tested], classes[tested], scale=16.0)
