"""pytest-xdist: the summary, the verdicts and the JSON are those of one process.

What an audit can't answer is told as it starts in one process and in the summary of several, so there are
runs enough here.
"""

import json

import pytest

TESTS = """
@reproducibility(runs=6, regularizers=["none", "dropout", weight_decay(1e-3)])
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=6, regularizers="none,residual,dropout+batch_norm")
def test_does_not_fit(retrain):
    retrain(make_solved, **data)

@reproducibility(runs=6, regularizers="all", min_accuracy=0.5)
def test_trained(retrain):
    retrain(make_solved, **data)

@reproducibility(runs=10, max_prediction_difference=0.19)
def test_breach(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@pytest.mark.xfail(strict=True)
@reproducibility(runs=10, max_prediction_difference=0.19)
def test_expected_breach(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=6)
def test_broken(retrain):
    retrain(FunctionTrainer(lambda run: 1 / 0, y_true=y_true))

def test_twice(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))
    retrain(FunctionTrainer(exact, y_true=y_true))

def test_plain():
    pass
"""


def summary(result):
    """The lines of our section."""
    lines = result.stdout.str().splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip("= ") == "reproducibility")
    end = next(n for n, line in enumerate(lines) if n > start and line.startswith("==="))
    return lines[start:end]


def told(result):
    """The section without its title and empty lines."""
    return [line for line in summary(result)[1:] if line]


def timeless(value):
    """A JSON document without its timings."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key != "seconds"}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def document(project, path):
    return json.loads((project.path / path).read_text(encoding="utf-8"))


def test_two_workers_give_the_summary_the_verdicts_and_the_json_of_one_process(project):
    project.ini("repro_vary = all", "repro_max_prediction_difference = 0.9")
    project.write(TESTS)
    options = ("--repro-seed=3", "--repro-min-effective-accuracy=-0.9", "--repro-device=cpu")
    alone = project.run(*options, "--repro-json=alone.json")
    shared = project.run(*options, "--repro-json=shared.json", "-n2")
    assert alone.ret == shared.ret == pytest.ExitCode.TESTS_FAILED
    outcomes = {"passed": 6, "failed": 3, "xfailed": 1}
    alone.assert_outcomes(**outcomes)
    shared.assert_outcomes(**outcomes)
    assert summary(alone) == summary(shared)
    assert len(summary(alone)) > 30
    assert timeless(document(project, "alone.json")) == timeless(document(project, "shared.json"))
    assert list(project.audits("shared.json")) == [
        "test_breach",
        "test_broken",
        "test_expected_breach",
        "test_items[dropout]",
        "test_items[none]",
        "test_items[weight_decay(0.001)]",
        "test_trained",
        "test_twice",
        "test_twice #2",
    ]


SPREAD = """
def better(run):
    return exact(run) if run.regularizer == "dropout" else shaky(run)

@reproducibility(runs=10, regularizers=["none", "dropout", "adam"])
@pytest.mark.xdist_group("{group}")
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(better, y_true=y_true))

@pytest.mark.parametrize("place", [0, 1])
def test_workers(retrain, place):
    retrain(FunctionTrainer(drawn, y_true=y_true))
"""


@pytest.mark.parametrize("dist", ["load", "loadgroup", "loadscope", "worksteal"])
def test_items_of_one_test_are_compared_however_they_are_dealt_out(project, dist):
    project.ini("markers = xdist_group")
    project.write(SPREAD.format(group="one"))
    shared = project.run("--repro-json=shared.json", "-n2", f"--dist={dist}")
    shared.assert_outcomes(passed=5)
    alone = project.run("--repro-json=alone.json", "-p", "no:xdist")
    compared = [line for line in summary(shared) if "lowers the prediction difference" in line]
    assert [line.partition(" lowers ")[0] for line in compared] == [
        "test_audit.py::test_items[dropout]: dropout"
    ]
    assert told(alone) == told(shared)
    assert list(project.audits("shared.json")) == list(project.audits("alone.json"))


def test_the_group_that_is_appended_to_a_name_is_not_the_audits_name(project):
    project.conftest("""
        def pytest_collection_modifyitems(items):
            for item in items:  # as pytest-xdist does before it runs them
                kind = type(item)
                nodeid = f"{item.nodeid}@one"
                item.__class__ = type(kind.__name__, (kind,), {"nodeid": nodeid})
        """)
    project.write(SPREAD.format(group="one"))
    project.ini("markers = xdist_group")
    result = project.run("--repro-json=out.json", "--repro-max-prediction-difference=0.19")
    assert list(project.audits()) == [
        "test_items[adam]",
        "test_items[dropout]",
        "test_items[none]",
        "test_workers[0]",
        "test_workers[1]",
    ]
    assert {each["settings"].get("test") for each in project.audits().values()} == {
        "test_audit.py::test_items",
        None,
    }
    assert "pytest 'test_audit.py::test_items[none]' --repro-" in project.said(result)


CRASH = """
import os

@reproducibility(runs=2)
def test_finished(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))

@reproducibility(runs=2)
def test_dies(retrain):
    retrain(FunctionTrainer(lambda run: os._exit(3), y_true=y_true))

@reproducibility(runs=2)
def test_after(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))

def test_plain():
    pass
"""


def test_a_process_that_dies_leaves_a_true_report(project):
    project.write(CRASH)
    result = project.run("-n1", "--repro-json=out.json", "--junitxml=out.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, failed=1)
    lost = (
        "test_audit.py::test_dies began and never ended, so its audit is missing here: its process died, or the "
        "session was stopped"
    )
    assert project.said(result).count(lost) == 1
    assert list(project.audits()) == ["test_after", "test_finished"]
    assert not document(project, "out.json")["complete"]
    assert "reprotest.verdict" in (project.path / "out.xml").read_text(encoding="utf-8")
