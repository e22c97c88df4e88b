import math

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import audits

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.details import details_of
from pytest_reprotest.metrics import ClassFlips
from pytest_reprotest.tasks import CLASSIFICATION

RUNS = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 2], [0, 0, 1, 2]])
TRUTH = np.array([0, 1, 1, 0])


def test_every_measure_of_four_runs():
    found = details_of(CLASSIFICATION, RUNS, TRUTH)
    assert found.ambiguity == 0.75
    assert found.discrepancy == 0.75  # run 1 against run 3
    assert found.smallest_difference == 0.25
    assert math.isnan(found.score_distance)
    assert found.by_class == (ClassFlips(0, 1 / 3, 2), ClassFlips(1, 0.5, 2))
    assert found.most_flip_prone == ((3, 2 / 3), (1, 0.5), (2, 0.5))


@given(audits(min_runs=2))
def test_the_most_and_the_least_different_pair_are_pairs(audit):
    predictions, y_true = audit
    pairs = [
        float(reference.difference(predictions[i], predictions[j]))
        for i in range(len(predictions))
        for j in range(i)
    ]
    found = details_of(CLASSIFICATION, predictions, y_true)
    assert found.discrepancy == pytest.approx(max(pairs), abs=1e-12)
    assert found.smallest_difference == pytest.approx(min(pairs), abs=1e-12)
    assert found.ambiguity == float((predictions != predictions[0]).any(axis=0).mean())


def test_at_most_twenty_samples_are_named():
    runs = np.stack([np.zeros(50, dtype=int), np.ones(50, dtype=int)])
    found = details_of(CLASSIFICATION, runs, np.zeros(50, dtype=int))
    assert [sample for sample, _ in found.most_flip_prone] == list(range(20))


def test_a_result_has_them_and_so_has_its_file():
    result = audit_predictions({"none": RUNS}, TRUTH)
    stored = result.to_dict()["regularizers"]["none"]["details"]
    assert stored == {
        "ambiguity": 0.75,
        "discrepancy": 0.75,
        "smallest_difference": 0.25,
        "score_distance": None,
        "by_class": [
            {"label": 0, "flip_rate": pytest.approx(1 / 3), "n_samples": 2},
            {"label": 1, "flip_rate": 0.5, "n_samples": 2},
        ],
        "most_flip_prone": [
            {"sample": 3, "flip_rate": pytest.approx(2 / 3)},
            {"sample": 1, "flip_rate": 0.5},
            {"sample": 2, "flip_rate": 0.5},
        ],
    }


def test_scores_give_a_distance_and_labels_none():
    certain = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    result = audit_predictions({"scores": certain, "labels": certain.argmax(2)}, [0, 1])
    assert result.details("scores").score_distance == 2.0
    assert math.isnan(result.details("labels").score_distance)
