"""--repro-pilot and repro_pilot: the spread over runs from earlier results."""

import json

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])

TEST = """
@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference={"dropout": 0.5})
def test_drawn(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))
"""
ITEMS = TEST.replace("(retrain)", "(retrain, regularizer)")


def rows(result):
    """The cells from PD on, by regularizer."""
    lines = [line.replace(" (baseline)", "").split() for line in result.stdout.str().splitlines()]
    return {line[0]: line[3:] for line in lines if line[2:3] == ["?"] and line[3:]}


def stored(project, path="pilot.json"):
    """PD and half its interval, by regularizer."""
    found = {}
    for audit in json.loads((project.path / path).read_text())["audits"]:
        for label, each in audit["regularizers"].items():
            low, value, high = (
                each["prediction_difference"][key] for key in ("low", "value", "high")
            )
            found[label] = [f"{value:.3f}", f"±{(high - low) / 2:.3f}"]
    return found


@WORKERS
@pytest.mark.parametrize("option", ["--repro-json", "--repro-save-bank"])
def test_as_many_runs_are_expected_to_give_the_intervals_of_the_pilot(project, workers, option):
    project.write(TEST)
    project.run(f"{option}=pilot.json", "-n0").assert_outcomes(passed=1)
    result = project.run("--repro-plan", "--repro-pilot=pilot.json", *workers)
    assert result.ret == 0
    found = rows(result)
    assert {label: cells[:2] for label, cells in found.items()} == stored(project)
    assert "PD: as in the pilot, ± half of the 95% interval to expect" in project.said(result)


@pytest.mark.parametrize(("first", "then"), [(TEST, ITEMS), (ITEMS, TEST), (ITEMS, ITEMS)])
def test_a_pilot_may_have_been_one_item_a_regularizer(project, first, then):
    project.write(first)
    project.run("--repro-json=pilot.json", "-n0")
    project.write(then)
    result = project.run("--repro-plan", "--repro-pilot=pilot.json")
    assert {label: cells[:2] for label, cells in rows(result).items()} == stored(project)


def test_the_table_says_which_spread_is_whose(project):
    project.write(TEST)
    project.run("--repro-json=pilot.json", "--repro-regularizers=none", "-n0")
    result = project.run("--repro-plan", "--repro-pilot=pilot.json")
    assert rows(result)["none"][-1] == "pilot"
    assert rows(result)["dropout"][:2] + rows(result)["dropout"][-1:] == [
        "0.500",
        "±0.341",
        "limit",
    ]
    said = project.said(result)
    assert "test_audit.py::test_drawn: the pilot has no runs of 'dropout'" in said
    assert "PD: at the limit or as in the pilot" in said


def test_a_limit_close_to_the_pilot_is_told(project):
    project.write(TEST.replace("0.5", "0.9"))
    project.run("--repro-json=pilot.json", "-n0").assert_outcomes(passed=1)
    value = float(stored(project)["dropout"][0])
    project.write(TEST.replace("0.5", f"{value + 0.001:.3f}"))
    said = project.said(project.run("--repro-plan", "--repro-pilot=pilot.json"))
    assert f"max_prediction_difference={value + 0.001:.3g} is 0.00" in said
    assert "of the pilot, and 4 runs give ±" in said


def test_the_ini_file_says_where_and_an_audit_does_not_care(project):
    project.write(TEST)
    project.run("--repro-json=pilot.json", "-n0")
    project.ini("repro_pilot = pilot.json")
    assert "as in the pilot" in project.said(project.run("--repro-plan"))
    project.run("-n0").assert_outcomes(passed=1)


def test_what_makes_a_pilot_useless_is_told(project):
    project.write(TEST)
    project.run("--repro-json=pilot.json", "--repro-runs=2", "-n0")
    said = project.said(project.run("--repro-plan", "--repro-pilot=pilot.json"))
    assert "the pilot's 2 runs of 'none' have no spread" in said
    project.write(TEST.replace("y_true=y_true", "y_true=1 - y_true"))
    said = project.said(project.run("--repro-plan", "--repro-pilot=pilot.json"))
    assert (
        "test_drawn: the pilot is of another test set: true labels differ on 10 of 10 samples; it is left "
        "out"
    ) in said
    project.write(TEST.replace("y_true=y_true", "y_true=y_true, threads=2"))
    said = project.said(project.run("--repro-plan", "--repro-pilot=pilot.json"))
    assert "test_drawn: the pilot differs in training.threads: 1 → 2" in said


def test_a_file_that_is_no_result_is_refused_before_anything_is_collected(project):
    project.write(TEST)
    result = project.run("--repro-plan", "--repro-pilot=none.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*none.json can't be read: No such file or directory"])


def test_it_is_refused_where_nothing_is_planned(project):
    project.write(TEST)
    result = project.run("--repro-pilot=pilot.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--repro-pilot=pilot.json is for a plan; add --repro-plan, or leave it out"]
    )
