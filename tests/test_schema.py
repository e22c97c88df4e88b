"""The published JSON Schema: real files of every kind are valid under it, and it describes all that they hold."""

import copy
import importlib.resources
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pytest_reprotest import FunctionTrainer, audit, audit_predictions
from pytest_reprotest.bank import load_bank, save_bank
from pytest_reprotest.baseline import compare_results
from pytest_reprotest.errors import DataError
from pytest_reprotest.gates import gate
from pytest_reprotest.pictures import Pictures
from pytest_reprotest.report.results import outcome_of
from pytest_reprotest.result import AuditResult, stored_audit
from pytest_reprotest.results_file import READABLE, SCHEMA_VERSION, read_results, write_results

DATA = Path(__file__).parent / "data"
SCHEMAS = {
    version: json.loads(
        importlib.resources.files("pytest_reprotest")
        .joinpath(f"schemas/results-{version}.json")
        .read_text(encoding="utf-8")
    )
    for version in READABLE
}
SCHEMA = SCHEMAS[SCHEMA_VERSION]
TRUTH = np.array([0, 1] * 20)


def closed(schema):
    """The schema, refusing entries that it does not describe."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return (
        {"additionalProperties": False, **inner}
        if "required" in inner and "type" in inner
        else inner
    )


OPEN, CLOSED = (jsonschema.Draft202012Validator(each) for each in (SCHEMA, closed(SCHEMA)))


def runs(n_runs, wrong=2, seed=0):
    labels = np.array([TRUTH] * n_runs)
    generator = np.random.default_rng(seed)
    for run in labels:
        run[generator.choice(len(TRUTH), wrong, replace=False)] ^= 1
    return labels


def classification():
    found = {"none": runs(6), "dropout": runs(6, 9, seed=1)}
    return audit_predictions(found, TRUTH, name="labels", max_prediction_difference=0.2)


def numbers(score):
    generator = np.random.default_rng(0)
    truth = generator.normal(size=30)
    each = {label: truth + 0.1 * generator.normal(size=(4, 30)) for label in ("none", "ema")}
    settings = {"task": "regression", "tolerance": 0.1, "score": score}
    return audit_predictions(each, truth, name=f"numbers by {score}", **settings)


def several_labels():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, size=(20, 3))
    predicted = np.array([truth] * 4)
    predicted[0, 0, 0] ^= 1
    return audit_predictions({"none": predicted}, truth, name="several", task="multilabel")


def broken():
    def fails(run):
        return 1 / 0

    return audit(FunctionTrainer(fails, y_true=TRUTH), runs=2)


def of_the_study():
    return audit_predictions({"none": runs(5)}, TRUTH, name="study", compat="study")


def gated():
    old, new = runs(20), runs(2, seed=7)
    result = audit_predictions({"none": new}, TRUTH, name="gated")
    held = gate(result.task, new, old)
    found = replace(result["none"], gate=held)
    return replace(result, by_regularizer={"none": found})


def changed():
    result, old = classification(), classification()
    changes = compare_results(result, old).by_regularizer
    found = {
        label: replace(each, changes=changes[label])
        for label, each in result.by_regularizer.items()
    }
    return replace(result, name="changed", by_regularizer=found)


def not_applicable():
    return replace(classification(), name="fits not", not_applicable={"residual": "no stage"})


def unknown():
    """One run: no pair of runs, so most numbers are NaN."""
    found = audit_predictions({"none": runs(2)}, TRUTH, name="unknown")["none"]
    nothing = replace(found, summary=broken()["none"].summary, losses=((0.5, float("nan")),))
    return replace(classification(), name="unknown", by_regularizer={"none": nothing})


def pictured():
    pixels = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    return replace(classification(), name="pictured", pictures=Pictures((3, 7), pixels))


def undecided():
    return audit_predictions(
        {"none": runs(4)},
        TRUTH,
        name="undecided",
        decision="confidence",
        max_prediction_difference=0.1,
        on_inconclusive="skip",
    )


def attributed():
    def train_fn(run):
        flips = run.generator("init", "numpy").random(len(TRUTH)) < 0.2
        run.generator("data_order"), run.generator("noise")
        return np.where(flips, 1 - TRUTH, TRUTH)

    return audit(FunctionTrainer(train_fn, y_true=TRUTH), runs=3, attribute=True, name="ladder")


AUDITS = (
    attributed,
    classification,
    lambda: numbers("r2"),
    lambda: numbers("mae"),
    several_labels,
    broken,
    of_the_study,
    gated,
    changed,
    not_applicable,
    unknown,
    undecided,
    pictured,
)


def written(tmp_path, *audits, **kwargs):
    path = tmp_path / "out.json"
    write_results(path, audits, **kwargs)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", READABLE)
def test_the_schema_of_each_version_is_one_and_its_frozen_file_is_described_whole(version):
    schema = SCHEMAS[version]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"] == {"const": version}
    document = json.loads((DATA / f"results_v{version}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    jsonschema.Draft202012Validator(closed(schema)).validate(document)


@pytest.mark.parametrize(
    ("where", "value"),
    [("y_true", []), ("y_true", [0.5]), ("regularizers/none/predictions", [0]), ("regularizers/none/limits", [])],
)  # fmt: skip
def test_what_is_no_file_of_version_1_is_refused(where, value):
    document = json.loads((DATA / "results_v1.json").read_text(encoding="utf-8"))
    inner = document["audits"][0]
    *path, last = where.split("/")
    for key in path:
        inner = inner[key]
    inner[last] = value
    assert not jsonschema.Draft202012Validator(SCHEMAS[1]).is_valid(document)


@pytest.mark.parametrize("make", AUDITS)
def test_every_kind_of_audit_is_valid_and_described_whole(tmp_path, make):
    document = written(tmp_path, make().to_dict())
    OPEN.validate(document)
    CLOSED.validate(document)


def test_what_became_of_a_test_is_described(tmp_path):
    stored = classification().to_dict()
    CLOSED.validate(written(tmp_path, {**stored, "outcome": "xfail"}))
    assert not OPEN.is_valid(written(tmp_path, {**stored, "outcome": "lost"}))
    assert outcome_of({**stored, "outcome": ["xfail"]}) == ""


def test_a_bank_is_valid(tmp_path):
    save_bank(tmp_path / "bank.json", [classification()])
    CLOSED.validate(json.loads((tmp_path / "bank.json").read_text(encoding="utf-8")))
    assert load_bank(tmp_path / "bank.json").names == ("labels",)


def test_what_a_later_entry_adds_is_valid(tmp_path):
    document = written(tmp_path, {**classification().to_dict(), "weather": "fair"})
    OPEN.validate(document)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("schema_version", 3),
        ("kind", "cake"),
        ("complete", 1),
        ("audits/0/name", None),
        ("audits/0/y_true/dtype", "i4"),
        ("audits/0/regularizers/none/verdict/status", "perhaps"),
        ("audits/0/regularizers/none/accuracy/value", "0.9"),
        ("audits/0/comparisons/dropout/status", "<"),
    ],
)
def test_what_is_not_as_it_says_is_refused(tmp_path, where, value):
    document = written(tmp_path, classification().to_dict())
    inner = document
    *path, last = where.split("/")
    for key in path:
        inner = inner[int(key) if key.isdigit() else key]
    inner[last] = value
    assert not OPEN.is_valid(document)


@pytest.mark.parametrize("version", READABLE)
def test_a_frozen_file_of_every_version_is_still_read(version):
    file = read_results(DATA / f"results_v{version}.json")
    found = [stored_audit(file, name) for name in file.audits]
    assert len(found) > 1
    assert all(result.regularizers for result in found)


def test_the_frozen_file_of_this_version_is_valid_and_of_every_kind():
    document = json.loads((DATA / f"results_v{SCHEMA_VERSION}.json").read_text(encoding="utf-8"))
    CLOSED.validate(document)
    held = {key for stored in document["audits"] for key in stored["regularizers"]["none"]}
    assert {"gate", "changes", "proof", "study_p_value", "r2", "mae", "accuracy"} <= held


def test_what_the_frozen_file_of_this_version_says_is_read():
    file = read_results(DATA / "results_v2.json")
    proof = stored_audit(file, "proof")["none"].proof
    assert proof.divergence.step == 3
    assert proof.leaks == ("the global generator of NumPy was drawn from",)
    labels = stored_audit(file, "labels")
    assert labels["none"].predictions.tolist() == runs(6).tolist()
    assert labels["dropout"].verdict.status == "fail"
    assert stored_audit(file, "undecided").on_inconclusive == "skip"
    assert stored_audit(file, "fits not").not_applicable == {"residual": "no stage"}


def test_a_version_from_the_future_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "future.json"
    path.write_text(json.dumps({"schema_version": 3, "audits": []}))
    with pytest.raises(DataError) as refusal:
        read_results(path)
    assert str(refusal.value) == (
        f"{path} has schema version 3; this version reads 1 and 2. Upgrade pytest-reprotest"
    )


def test_a_result_without_predictions_is_valid_and_says_the_rest(tmp_path):
    from pytest_reprotest.report.results import without_predictions

    whole = pictured()
    stored = whole.to_dict()
    untouched = copy.deepcopy(stored)
    document = written(tmp_path, without_predictions(stored))
    assert stored == untouched
    CLOSED.validate(document)
    read = AuditResult.from_json(tmp_path / "out.json")
    assert read["none"].predictions.shape == (0, 40)
    assert (read["none"].n_runs, read["none"].summary) == (6, whole["none"].summary)
    assert read["dropout"].verdict == whole["dropout"].verdict
    assert read.comparisons == whole.comparisons
    assert read.details("none") == whole.details("none")
    assert read.pictures is None
    assert not read.passed
    read.to_json(tmp_path / "again.json")
    assert AuditResult.from_json(tmp_path / "again.json") == read


def test_without_predictions_a_number_of_runs_has_to_be_one(tmp_path):
    from pytest_reprotest.report.results import without_predictions

    stored = without_predictions(classification().to_dict())
    for wrong, message in (
        (-1, "n_runs is -1; expected 0 to 10,000"),
        ("6", "expected an integer"),
    ):
        stored["regularizers"]["none"]["n_runs"] = wrong
        with pytest.raises(DataError, match=message):
            AuditResult.from_dict(stored)
    del stored["regularizers"]["none"]["n_runs"]
    with pytest.raises(DataError, match="the entry 'n_runs' is missing"):
        AuditResult.from_dict(stored)


def test_results_without_predictions_are_compared_with_nothing(tmp_path):
    from pytest_reprotest.report.results import without_predictions

    old = AuditResult.from_dict(without_predictions(classification().to_dict()))
    with pytest.raises(DataError) as refusal:
        compare_results(classification(), old)
    assert str(refusal.value).startswith(
        "nothing to compare: 'none' has no predictions in the old result: they were left out of the file "
        "(--repro-json-predictions=no);"
    )
