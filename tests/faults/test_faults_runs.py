"""One run of a session goes wrong: its regularizer fails in a sentence, and all else is reported."""

from __future__ import annotations

import re

import pytest

PROJECT = """
import itertools
import sys

def wrong_on(index, what):
    def train_fn(run):
        labels = shaky(run)
        return what(labels) if (run.regularizer, run.index) == ("dropout", index) else labels
    return FunctionTrainer(train_fn, y_true=y_true)

def raises(labels):
    raise OSError("the third run found no data")

def exits(labels):
    sys.exit(3)

faults = {
    "raises": (2, raises),
    "exits": (0, exits),
    "shape": (1, lambda labels: labels[:4]),
    "nothing": (2, lambda labels: None),
    "nan": (1, lambda labels: np.full((10, 2), np.nan)),
    "floats": (0, lambda labels: labels + 0.5),
    "negative": (0, lambda labels: labels - 1),
}

@reproducibility(runs=3, regularizers="none,dropout,adam")
@pytest.mark.parametrize("fault", faults)
def test_function(retrain, fault):
    retrain(wrong_on(*faults[fault]))

def factory_of():
    made = itertools.count()
    def make():
        if next(made) == 3 * 3 + 2:  # after three that are tried of each, the third that is trained
            raise OSError("no third model")
        return make_solved()
    return make

@reproducibility(runs=3, regularizers="none,weight_decay,adam", engine="sequential")
def test_sequential(retrain):
    retrain(factory_of(), **data)

@reproducibility(runs=3, regularizers="none,weight_decay,adam", engine="stacked")
def test_stacked(retrain):
    retrain(factory_of(), **data)

@reproducibility(runs=2)
def test_numbers(retrain):
    def train_fn(run):
        run.regularizer
        return np.where(run.index == 1, np.nan, y_true + 0.01 * run.index)
    retrain(FunctionTrainer(train_fn, y_true=y_true * 1.0, task="regression", tolerance=0.1))

def test_sound(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""

FAULTS = {
    "raises": "run 2 of 'dropout' (--repro-seed=0) failed: OSError: the third run found no data at ",
    "exits": "run 0 of 'dropout' (--repro-seed=0) failed: SystemExit: 3 at ",
    "shape": "run 1 of 'dropout' (--repro-seed=0) failed: predictions have shape (4,); expected labels",
    "nothing": "run 2 of 'dropout' (--repro-seed=0) failed: predictions have shape (); expected labels",
    "nan": "run 1 of 'dropout' (--repro-seed=0) failed: scores hold NaN or infinity",
    "floats": "run 0 of 'dropout' (--repro-seed=0) failed: predictions have dtype float64; expected",
    "negative": "run 0 of 'dropout' (--repro-seed=0) failed: labels outside the classes: predictions go from",
}


@pytest.fixture(scope="module")
def told():
    return {}


@pytest.fixture
def session(project, told):
    """What one session with all of them said, and its audits."""
    if not told:
        project.write(PROJECT)
        result = project.run("--repro-json=out.json", "--tb=short", "-p", "no:cacheprovider")
        said = project.said(result)
        for forbidden in ("INTERNALERROR", "Traceback", "During handling", "direct cause"):
            assert forbidden not in said
        assert not re.search(r"pytest_reprotest/\w", said)
        told.update(said=said, audits=project.audits(), outcomes=result.parseoutcomes())
    return told


def verdicts(session, name):
    found = session["audits"][name]["regularizers"]
    return {label: each["verdict"]["status"] for label, each in found.items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_of_a_training_function_that_goes_wrong_fails_its_regularizer_alone(session, fault):
    assert FAULTS[fault] in session["said"]
    assert verdicts(session, f"test_function[{fault}]") == {
        "none": "pass",
        "dropout": "fail",
        "adam": "pass",
    }


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_a_factory_that_raises_on_the_third_run_fails_its_regularizer_alone(session, engine):
    found = session["audits"][f"test_{engine}"]["regularizers"]
    told = " ".join(found["none"]["verdict"]["reasons"])
    assert (
        "run 2 of 'none' (--repro-seed=0) failed: the model factory 'make' raised OSError: no"
        in told
    )
    assert 'in make: raise OSError("no third model")' in told
    assert verdicts(session, f"test_{engine}") == {
        "none": "fail",
        "weight_decay": "pass",
        "adam": "pass",
    }


def test_numbers_that_are_none_fail_their_run(session):
    assert "run 1 of 'none' (--repro-seed=0) failed: predictions hold NaN" in session["said"]


def test_everything_else_in_the_session_is_reported(session):
    assert session["outcomes"]["failed"] == len(FAULTS) + 3
    assert session["outcomes"]["passed"] == 1
    assert len(session["audits"]) == len(FAULTS) + 4
