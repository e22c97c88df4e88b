"""Bytes of results and banks, damaged in every way: a right value or a sentence, and never anything else."""

import contextlib
import io
import json
import re
import tempfile
from pathlib import Path

import pytest
from damage import altered, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st

from pytest_reprotest.bank import check_comparable, load_bank, next_run
from pytest_reprotest.commands import main
from pytest_reprotest.errors import DataError, ReprotestError
from pytest_reprotest.pilots import pilots_in
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.html.sections import SECTIONS
from pytest_reprotest.report.html.united import united
from pytest_reprotest.report.markdown import render
from pytest_reprotest.report.results_csv import write_csv
from pytest_reprotest.result import AuditResult, stored_audit
from pytest_reprotest.results_file import read_results, write_results

DATA = Path(__file__).parent.parent / "data"
ESTIMATE = {"value": 0.1, "low": 0.05, "high": 0.2}
ATTRIBUTION = {
    "rungs": [
        {
            "name": name,
            "n_runs": 4,
            "prediction_difference": ESTIMATE,
            "share": ESTIMATE,
            "same_bits": False,
            "left_out": "",
        }
        for name in ("identical", "one_ulp", "init", "all")
    ],
    "meaning": [],
}
DIVERGENCE = {
    "step": 2,
    "trainings": 3,
    "phase": "forward",
    "name": "0",
    "what": "the output of module '0'",
    "cause": "threads",
    "line": "train.py:3 in train: x",
}


def documents():
    """Each audit of the files beside the tests as a file of its own, all kinds of entries among them."""
    first = json.loads((DATA / "results_v1.json").read_text(encoding="utf-8"))
    found = [first]
    for audit in json.loads((DATA / "results_v2.json").read_text(encoding="utf-8"))["audits"]:
        for result in audit["regularizers"].values():
            if "proof" in result:
                result["proof"]["divergence"] = DIVERGENCE
        if audit["name"] == "labels":
            audit["regularizers"]["none"]["attribution"] = ATTRIBUTION
        found.append({"schema_version": 2, "kind": "results", "complete": True, "audits": [audit]})
    bank = {**next(each for each in found if each["audits"][0]["name"] == "labels"), "kind": "bank"}
    return [*found, bank]


DOCUMENTS = documents()
TEXTS = [json.dumps(document).encode() for document in DOCUMENTS]
whole = st.sampled_from(DOCUMENTS).flatmap(altered)
files = st.sampled_from(TEXTS).flatmap(damaged) | whole | whole
SOUND = DOCUMENTS[-1]
"""The bank that everything is held against."""


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        (path / "sound.json").write_text(json.dumps(SOUND), encoding="utf-8")
        yield path


@pytest.fixture(scope="module")
def file(folder):
    return folder / "in.json"


def told(error, most=2000):
    """The sentence of an error of ours."""
    sentence = str(error)
    assert sentence
    assert len(sentence) < most
    assert "Traceback" not in sentence
    return sentence


@pytest.mark.filterwarnings("error")
@fuzz(250)
@given(data=files)
def test_a_file_is_read_or_refused_and_what_is_read_is_written_the_same(file, data):
    file.write_bytes(data)
    try:
        found = read_results(file)
    except DataError as error:
        told(error)
        return
    for name in found.audits:
        try:
            result = stored_audit(found, name)
        except DataError as error:
            told(error)
            continue
        write_results(file, [result.to_dict()])
        again = AuditResult.from_json(file)
        assert again == result
        assert again.to_dict() == result.to_dict()


@pytest.mark.filterwarnings("error")
@fuzz(150)
@given(data=files)
def test_a_bank_is_read_and_held_against_or_refused(file, data):
    file.write_bytes(data)
    sound = AuditResult.from_dict(SOUND["audits"][0])
    try:
        bank = load_bank(file)
    except DataError as error:
        told(error)
        return
    for name in bank.names:
        try:
            pilots_in(bank.file, name, sound.regularizers, sound.y_true, {})
        except DataError as error:
            told(error)
        try:
            reference = bank.reference(name)
            assert next_run(reference) >= 0
            check_comparable(reference, sound.settings, sound.y_true, sound.regularizers)
        except DataError as error:
            told(error)


@pytest.mark.filterwarnings("error")
@fuzz(200)
@given(data=files, command=st.sampled_from(["report", "compare old", "compare new", "json"]))
def test_a_command_ends_with_a_sentence(folder, file, data, command):
    file.write_bytes(data)
    sound, given = str(folder / "sound.json"), str(file)
    arguments = {
        "report": ["report", given, sound],
        "compare old": ["compare", given, sound],
        "compare new": ["compare", sound, given],
        "json": ["compare", "--decision=point", "--json", given, sound],
    }[command]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    said = out.getvalue() + err.getvalue()
    assert code in (0, 1, 2, 3)
    assert said.strip()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)


@pytest.mark.filterwarnings("error")
@fuzz(100)
@given(data=files)
def test_what_is_read_can_be_reported_in_every_way(folder, file, data):
    file.write_bytes(data)
    try:
        found = read_results(file)
        stored = [stored_audit(found, name).to_dict() for name in found.audits]
    except DataError:
        return
    finished = Finished(stored, [""] * len(stored), found.complete, True)
    assert render(finished)
    write_csv(folder / "out.csv", finished)
    for shown in united(finished.audits):
        for make in SECTIONS:
            with contextlib.suppress(ReprotestError):
                make(shown.result)
