"""The bank: what goes in, what comes out, and what may be held against it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.bank import check_comparable, load_bank, next_run, save_bank
from pytest_reprotest.errors import DataError
from pytest_reprotest.result import AuditResult
from pytest_reprotest.results_file import read_results
from pytest_reprotest.verdict import broken

TRUTH = np.array([0, 1, 1, 0])
RUNS = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0]])
SETTINGS = {
    "runs": 3,
    "seed": 0,
    "vary": ["init", "data_order", "noise"],
    "device": "cpu",
    "engine": "stacked",
    "training": {
        "model_factory": "make_mlp",
        "epochs": 20,
        "threads": 1,
        "n_train": 100,
        "data": {"train": "aa", "test": "bb"},
    },
    "versions": {"torch": "2.4"},
    "machine": {"processor": "A CPU"},
    "flags": {"torch.set_default_dtype": "float32"},
    "environment": {"MKL_CBWR": None},
    "initial_weights": {"none": "aa"},
}


def audited(name="test_a", settings=SETTINGS, **labels):
    result = audit_predictions(labels or {"none": RUNS, "dropout": RUNS}, TRUTH, name=name)
    return replace(result, settings=json.loads(json.dumps(settings)))


def failing(result, label):
    found = replace(result[label], verdict=broken("run 1 failed: the loss is NaN"))
    return replace(result, by_regularizer={**result.by_regularizer, label: found})


def changed(**changes):
    settings = json.loads(json.dumps(SETTINGS))
    for key, value in changes.items():
        *path, last = key.split("__")
        inner = settings
        for name in path:
            inner = inner[name]
        inner[last] = value
    return settings


# --- writing and reading ------------------------------------------------------------------------


def test_what_is_saved_is_there_to_be_held_against(tmp_path):
    path = tmp_path / "bank.json"
    assert save_bank(path, [audited("test_b"), audited("test_a")]) == ()
    bank = load_bank(path)
    assert bank.names == ("test_a", "test_b")
    assert bank.reference("test_b") == audited("test_b")
    assert bank.file.complete


def test_a_bank_is_a_file_of_results_too(tmp_path):
    path = tmp_path / "bank.json"
    save_bank(path, [audited()], complete=False)
    assert AuditResult.from_json(path) == audited()
    assert (read_results(path).kind, read_results(path).complete) == ("bank", False)


def test_results_are_no_bank(tmp_path):
    path = tmp_path / "results.json"
    audited().to_json(path)
    with pytest.raises(DataError) as refusal:
        load_bank(path)
    assert str(refusal.value) == (
        f"{path} holds results and is no bank; expected a file written by --repro-save-bank. To hold "
        "today's results against stored ones there is --repro-compare"
    )


def test_a_bank_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"bank\.json can't be read: No such file or directory"):
        load_bank(tmp_path / "bank.json")


def test_a_test_that_is_not_in_the_bank_is_told_with_the_closest(tmp_path):
    path = tmp_path / "bank.json"
    save_bank(path, [audited("test_a.py::test_mlp")])
    with pytest.raises(DataError) as refusal:
        load_bank(path).reference("test_a.py::test_mpl")
    assert str(refusal.value) == (
        f"{path} holds no audit of 'test_a.py::test_mpl'; it holds 'test_a.py::test_mlp'. Did you mean "
        "'test_a.py::test_mlp'?"
    )


def test_runs_that_cannot_be_trusted_are_no_reference(tmp_path):
    path = tmp_path / "bank.json"
    left_out = save_bank(
        path, [failing(audited(), "dropout"), failing(audited("b", none=RUNS), "none")]
    )
    assert left_out == (
        "test_a: 'dropout' did not go into the bank, since its runs can't be trusted",
        "b: 'none' did not go into the bank, since its runs can't be trusted",
    )
    assert load_bank(path).names == ("test_a",)
    assert load_bank(path).reference("test_a").regularizers == ("none",)


@pytest.mark.parametrize(
    ("audits", "reason"),
    [
        ([], "nothing was audited"),
        (
            [failing(audited(none=RUNS), "none")],
            "test_a: 'none' did not go into the bank, since its runs can't be trusted",
        ),
    ],
)
def test_a_bank_of_nothing_is_not_written(tmp_path, audits, reason):
    path = tmp_path / "bank.json"
    path.write_text("as it was")
    with pytest.raises(DataError) as refusal:
        save_bank(path, audits)
    assert str(refusal.value) == f"no bank was written to {path}: {reason}"
    assert path.read_text() == "as it was"


# --- seeds of new runs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "expected"), [(None, 3), (0, 3), (20, 23), (-5, 3), ("20", 3), (True, 3)]
)
def test_new_runs_come_after_those_of_the_bank(first, expected):
    settings = SETTINGS if first is None else {**SETTINGS, "first_run": first}
    assert next_run(audited(settings=settings)) == expected


def test_new_runs_come_after_the_longest_of_the_bank():
    assert next_run(audited(none=RUNS[:2], dropout=RUNS)) == 3
    assert next_run(replace(audited(), by_regularizer={})) == 0


# --- what may be held against it ----------------------------------------------------------------


def checked(settings=SETTINGS, y_true=TRUTH, regularizers=("none",), reference=None):
    return check_comparable(reference or audited(), settings, y_true, regularizers)


def refused(**arguments):
    with pytest.raises(DataError) as refusal:
        checked(**arguments)
    return str(refusal.value)


def test_the_same_training_on_the_same_test_set_is_comparable():
    assert checked() == ()
    assert checked(changed(runs=20)) == ()


@pytest.mark.parametrize(
    ("y_true", "difference"),
    [
        ([0, 1, 1], "another test set: 4 samples there, 3 samples here"),
        ([0, 1, 1, 1], "another test set: true labels differ on 1 of 4 samples"),
        ([0, 1, 2, 0], "another label set: 2 classes (0, 1) there, 3 classes (0, 1, 2) here"),
    ],
)
def test_another_test_set_or_label_set_is_refused(y_true, difference):
    assert refused(y_true=np.array(y_true)) == (
        f"test_a: the bank is of {difference}. Make a new bank with --repro-save-bank"
    )


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"vary": ["init"]}, "vary: init,data_order,noise → init"),
        ({"training__epochs": 10}, "training.epochs: 20 → 10"),
        ({"training__n_train": 90}, "training.n_train: 100 → 90"),
        ({"training__data__train": "cc"}, "the training data changed"),
        (
            {"training__data__test": "cc"},
            "another test set: its inputs are not the same, though their true labels are",
        ),
        (
            {"training__epochs": 10, "training__data__train": "cc"},
            "training.epochs: 20 → 10; the training data changed",
        ),
    ],
)
def test_another_training_is_refused_naming_every_difference(changes, difference):
    assert refused(settings=changed(**changes)) == (
        f"test_a: the bank's runs are not of this training: {difference}. Make a new bank with "
        "--repro-save-bank, or train as before"
    )


def test_a_regularizer_that_is_not_in_the_bank_is_refused():
    assert refused(regularizers=["none", "dropuot"]) == (
        "test_a: the bank holds no runs of 'dropuot'; it holds 'none', 'dropout'. Did you mean "
        "'dropout'? Make a new bank with --repro-save-bank, or audit what it holds: "
        "--repro-regularizers"
    )


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"device": "cuda:0"}, "device: cpu → cuda:0"),
        ({"engine": "sequential"}, "engine: stacked → sequential"),
        ({"training__model_factory": "make_net"}, "training.model_factory: make_mlp → make_net"),
    ],
)
def test_another_device_or_name_is_a_warning(changes, difference):
    assert checked(changed(**changes)) == (f"the bank differs in {difference}",)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"versions__torch": "2.5"}, "software: torch 2.4 → 2.5"),
        ({"machine__processor": "Another"}, "machine: CPU A CPU → Another"),
        ({"training__threads": 2}, "threads 1 → 2"),
        (
            {"flags__torch.set_default_dtype": "float64"},
            "flags: torch.set_default_dtype float32 → float64",
        ),
        ({"environment__MKL_CBWR": "AVX2"}, "environment: MKL_CBWR unset → AVX2"),
        ({"initial_weights__none": "bb"}, "initial weights changed (none)"),
    ],
)
def test_another_fingerprint_is_a_warning(changes, part):
    assert checked(changed(**changes)) == (
        f"fingerprint, bank → now: {part}. PD between old and new runs holds this change itself",
    )


def test_another_base_seed_matters_where_a_source_does_not_vary():
    assert checked(changed(seed=1)) == ()
    some = {"vary": ["init", "noise"]}
    reference = audited(settings=changed(**some))
    assert checked(changed(**some), reference=reference) == ()
    assert "seed: 0 → 1" in refused(settings=changed(seed=1, **some), reference=reference)


def test_old_banks_know_less_and_are_still_read():
    training = {key: value for key, value in SETTINGS["training"].items() if key != "data"}
    old = {key: value for key, value in SETTINGS.items() if key != "machine"}
    assert checked(reference=audited(settings={**old, "training": training})) == ()
    assert checked(reference=audited(settings={})) == ()


def test_runs_of_one_seed_are_no_bank(tmp_path):
    proof = audited("test_proof", {**SETTINGS, "deterministic": True})
    told = (
        "test_proof: did not go into the bank: its runs are of one seed, which say nothing of how much others "
        "differ"
    )
    assert told in save_bank(tmp_path / "bank.json", [proof, audited()])
    assert load_bank(tmp_path / "bank.json").names == ("test_a",)
    with pytest.raises(DataError, match=r"no bank was written to .*: test_proof: did not go"):
        save_bank(tmp_path / "bank.json", [proof])
