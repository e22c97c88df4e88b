import json

import numpy as np
import pytest

from pytest_reprotest.differences import differences, other_test_set

SETTINGS = {
    "runs": 5,
    "seed": 0,
    "vary": ["init", "noise"],
    "device": "cpu",
    "engine": "stacked",
    "chunk": 5,
    "workers": 1,
    "training": {
        "model_factory": "make_mlp",
        "epochs": 20,
        "max_grad_norm": None,
        "loss": "<Loss object at 0x7f0123456789>",
        "data": {"train": "aa", "test": "bb"},
    },
    "origins": {"seed": "marker"},
    "versions": {"torch": "2.4", "numpy": "2.0"},
    "machine": {"processor": "A CPU"},
    "environment": {"MKL_CBWR": None},
    "initial_weights": {"none": "aa"},
}


def changed(**changes):
    """The settings with entries changed by dotted key (``__`` for a dot)."""
    settings = json.loads(json.dumps(SETTINGS))
    for key, value in changes.items():
        *path, last = key.split("__")
        inner = settings
        for name in path:
            inner = inner[name]
        inner[last] = value
    return settings


def told(old, new):
    return [str(difference) for difference in differences(old, new)]


def test_the_same_settings_have_no_difference():
    assert told(SETTINGS, changed()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seed": 1}, "seed: 0 → 1"),
        ({"vary": []}, "vary: init,noise → none"),
        ({"device": "cuda:0"}, "device: cpu → cuda:0"),
        ({"engine": "sequential"}, "engine: stacked → sequential"),
        ({"training__epochs": 10}, "training.epochs: 20 → 10"),
        ({"training__max_grad_norm": 1.0}, "training.max_grad_norm: none → 1.0"),
        ({"training__data__train": "cc"}, "the training data changed"),
        ({"training__data__test": "cc"}, "the inputs of the test set changed"),
        ({"initial_weights__none": "cc"}, "the initial weights of 'none' changed"),
        ({"environment__MKL_CBWR": "AVX2"}, "environment.MKL_CBWR: none → AVX2"),
        ({"training__loss": "nll_loss"}, "training.loss: <Loss object> → nll_loss"),
        ({"versions__torch": "2.5"}, "versions.torch: 2.4 → 2.5"),
        ({"machine__processor": "x" * 90}, f"machine.processor: A CPU → {'x' * 60}…"),
    ],
)
def test_what_can_change_a_result_is_told(changes, expected):
    assert told(SETTINGS, changed(**changes)) == [expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"runs": 10},
        {"chunk": 2},
        {"workers": 4},
        {"origins": {}},
        {"vary": ("init", "noise")},
        {"training__loss": "<Loss object at 0xdeadbeef>"},
        {"training__data__test": None},
    ],
)
def test_what_changes_no_result_is_not(changes):
    assert told(SETTINGS, changed(**changes)) == []
    assert told(changed(**changes), SETTINGS) == []


def test_what_only_one_of_them_knows_is_not_compared():
    older = changed(training__data={})
    del older["machine"]
    assert told(older, SETTINGS) == []
    assert told(SETTINGS, older) == []
    assert told({}, {}) == []


def test_a_function_in_place_of_a_factory_is_told():
    function = {"training": {"train_fn": "train"}}
    assert told(SETTINGS, function) == [
        "training.model_factory: make_mlp → none",
        "training.train_fn: none → train",
    ]


def test_settings_of_any_shape_are_borne():
    one, other = 1, 2
    for _ in range(3000):  # deeper than Python calls functions
        one, other = {"epochs": one}, {"epochs": other}
    assert told({"training": one}, {"training": other}) == []
    assert told({"training": 3}, {"training": [{}]}) == ["training: 3 → {}"]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ([0, 1, 1, 2], None),
        ([0, 1, 1], "another test set: 4 samples there, 3 samples here"),
        ([0, 1, 2, 2], "another test set: true labels differ on 1 of 4 samples"),
        ([0, 1, 1, 1], "another label set: 3 classes (0, 1, 2) there, 2 classes (0, 1) here"),
    ],
)
def test_another_test_set_is_told_by_its_true_labels(new, expected):
    assert other_test_set(np.array([0, 1, 1, 2]), np.array(new)) == expected


def test_true_values_of_regression_and_of_several_labels_are_told_apart_too():
    values = np.array([0.5, 1.5])
    assert other_test_set(values, values.copy()) is None
    assert other_test_set(values, values + 1) == (
        "another test set: true labels differ on 2 of 2 samples"
    )
    labels = np.array([[0, 1, 1], [1, 0, 1]])
    assert other_test_set(labels, labels[::-1]) == (
        "another test set: true labels differ on 2 of 2 samples"
    )
    assert other_test_set(labels, labels[:, :2]) == (
        "another test set: 2 × 3 samples there, 2 × 2 samples here"
    )


def test_of_many_classes_the_first_are_told():
    assert other_test_set(np.arange(9), np.zeros(9, dtype=int)) == (
        "another label set: 9 classes (0, 1, 2, 3, 4, …) there, 1 classes (0) here"
    )
