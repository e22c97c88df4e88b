"""Which parts of the fingerprint changed between two results, in words."""

import json

import pytest

from pytest_reprotest.conditions import changed_parts, described, in_words, other_settings
from pytest_reprotest.differences import differences

SETTINGS = {
    "seed": 0,
    "device": "cuda:0",
    "engine": "stacked",
    "training": {"epochs": 20, "threads": 1, "data": {"train": "aa", "test": "bb"}},
    "versions": {"python": "3.12.1", "torch": "2.12.0", "cuda": "12.8", "onednn": "3.11"},
    "machine": {
        "processor": "AMD EPYC",
        "instructions": "AVX2",
        "gpu": "A100",
        "driver": "535.104",
    },
    "threads": {"inter_op": 8},
    "flags": {"torch.backends.cudnn.benchmark": False, "torch.set_default_dtype": "float32"},
    "environment": {"MKL_CBWR": None, "OMP_NUM_THREADS": "4"},
    "initial_weights": {"none": "cc", "dropout": "cc"},
}


def changed(**changes):
    """The settings with entries changed by key (``__`` for each step)."""
    settings = json.loads(json.dumps(SETTINGS))
    for key, value in changes.items():
        *path, last = key.split("__")
        inner = settings
        for name in path:
            inner = inner[name]
        inner[last] = value
    return settings


def told(new, old=SETTINGS):
    return in_words(differences(old, new))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("versions__python", "3.13.0", "software: python 3.12.1 → 3.13.0"),
        ("versions__cuda", "13.0", "software: CUDA 12.8 → 13.0"),
        ("versions__onednn", "3.12", "software: oneDNN 3.11 → 3.12"),
        ("machine__processor", "Xeon", "machine: CPU AMD EPYC → Xeon"),
        ("machine__instructions", "AVX512", "machine: instruction set AVX2 → AVX512"),
        ("machine__gpu", "H100", "machine: GPU A100 → H100"),
        ("machine__driver", "560.35", "machine: driver 535.104 → 560.35"),
        ("training__threads", 4, "threads 1 → 4"),
        ("threads__inter_op", 2, "threads inter-op 8 → 2"),
        (
            "flags__torch.backends.cudnn.benchmark",
            True,
            "flags: torch.backends.cudnn.benchmark False → True",
        ),
        ("environment__MKL_CBWR", "AVX2", "environment: MKL_CBWR unset → AVX2"),
        ("environment__OMP_NUM_THREADS", None, "environment: OMP_NUM_THREADS 4 → unset"),
        ("training__data__train", "dd", "data: train changed"),
        ("training__data__test", "dd", "data: test changed"),
        ("initial_weights__dropout", "dd", "initial weights changed (dropout)"),
    ],
)
def test_each_entry_that_changed_is_found_and_named(key, value, expected):
    assert told(changed(**{key: value})) == expected
    assert other_settings(differences(SETTINGS, changed(**{key: value}))) == ()


def test_nothing_is_told_of_the_same():
    assert told(changed()) == ""
    assert changed_parts(()) == {}


def test_parts_come_in_a_fixed_order_whatever_the_order_of_a_file():
    new = changed(
        initial_weights={"none": "dd", "dropout": "dd"},
        training__data={"train": "dd", "test": "dd"},
        environment__MKL_CBWR="AVX2",
        threads__inter_op=2,
        training__threads=4,
        machine__processor="Xeon",
        versions__torch="2.13.0",
        training__epochs=10,
        device="cpu",
    )
    expected = (
        "software: torch 2.12.0 → 2.13.0; machine: CPU AMD EPYC → Xeon; threads 1 → 4, inter-op 8 → 2; "
        "environment: MKL_CBWR unset → AVX2; data: train changed, test changed; initial weights changed "
        "(none, dropout)"
    )
    assert told(new) == expected
    backwards = dict(reversed(SETTINGS.items()))
    assert told(new, backwards).split("; ")[:2] == expected.split("; ")[:2]
    others = other_settings(differences(SETTINGS, new))
    assert [str(each) for each in others] == ["device: cuda:0 → cpu", "training.epochs: 20 → 10"]


def test_of_many_regularizers_a_few_are_named():
    labels = ["none", "adam", "dropout", "ema"]
    old, new = ({"initial_weights": dict.fromkeys(labels, value)} for value in ("aa", "bb"))
    assert told(new, old) == "initial weights changed (none, adam, dropout, …)"


@pytest.mark.parametrize("part", SETTINGS)
def test_what_an_old_file_lacks_is_unknown_and_no_change(part):
    old = {key: value for key, value in SETTINGS.items() if key != part}
    assert told(SETTINGS, old) == told(old) == ""
    assert told(changed(versions={}, machine={}, environment={}, flags={})) == ""


def test_data_that_cannot_be_known_is_no_change():
    assert told(changed(training__data={"train": None, "test": "bb"})) == ""


# --- the fingerprint of one result --------------------------------------------------------------


def test_a_fingerprint_is_a_few_lines():
    settings = changed(**{"flags__torch.backends.cudnn.benchmark": True})
    assert list(described(settings)) == [
        "software: python 3.12.1, torch 2.12.0, CUDA 12.8, oneDNN 3.11",
        "machine: CPU AMD EPYC, instruction set AVX2, GPU A100, driver 535.104",
        "threads 1, inter-op 8",
        "flags: cudnn.benchmark, set_default_dtype float32",
        "environment: OMP_NUM_THREADS=4",
    ]


def test_flags_that_are_off_and_variables_that_are_not_set_take_no_room():
    flags = {"torch.a": True, "torch.b": False, "torch.backends.mkldnn.conv.fp32_precision": "none"}
    settings = {"flags": flags, "environment": {"MKL_CBWR": None}}
    assert list(described(settings)) == ["flags: a", "environment: nothing is set"]


@pytest.mark.parametrize(
    ("device", "expected"), [("cpu", []), ("cuda:1", ["flags: cudnn.benchmark"])]
)
def test_flags_of_a_gpu_are_told_where_there_is_one(device, expected):
    flags = {"torch.backends.cudnn.benchmark": True}
    assert list(described({"flags": flags, "device": device})) == expected


@pytest.mark.parametrize(
    "settings",
    [{}, {"training": 3, "versions": "x", "flags": [], "environment": None, "machine": {}}],
)
def test_of_nothing_known_nothing_is_said(settings):
    assert list(described(settings)) == []
