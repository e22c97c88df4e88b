"""--repro-timeout, repro_timeout and the marker's timeout: a run that takes too long is ended and has failed."""

import re

import pytest

HANGS = """
import time

def hangs(run):
    if run.regularizer == "dropout" and run.index == 1:
        time.sleep(600)  # here it hangs
    return shaky(run)

@reproducibility(runs=3, regularizers="none,dropout,adam")
def test_hangs(retrain):
    retrain(FunctionTrainer(hangs, y_true=y_true))

def test_other():
    pass
"""


def test_a_run_that_hangs_is_ended_and_named_with_its_line_and_others_are_reported(project):
    project.write(HANGS)
    result = project.run("--repro-timeout=0.5s", "--repro-json=out.json", "-vv", "-p", "no:xdist")
    result.assert_outcomes(failed=1, passed=1)
    said = project.said(result)
    assert (
        "run 1 of 'dropout' (--repro-seed=0) failed: it took longer than --repro-timeout=0.5 s and was "
        "ended. Where it was: at "
    ) in said
    assert "in hangs: time.sleep(600) # here it hangs" in said
    assert "timeout = 0.5 (command line)" in said
    (audit,) = project.audits().values()
    found = audit["regularizers"]
    assert {label: each["verdict"]["status"] for label, each in found.items()} == {
        "none": "pass",
        "dropout": "fail",
        "adam": "pass",
    }
    assert audit["settings"]["workers"] == 1


@pytest.mark.parametrize("value", ["0", "5d"])
def test_impossible_timeouts_are_refused(project, value):
    result = project.run(f"--repro-timeout={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert ("expected seconds above 0, such as 60, 90s, 5m or 2h, or none") in project.said(result)


TIMED = """
@reproducibility(runs=2, timeout="2h")
def test_marked(retrain):
    print("marked:", retrain(FunctionTrainer(shaky, y_true=y_true)).settings.get("timeout"))

@reproducibility(runs=2)
def test_plain(retrain):
    print("plain:", retrain(FunctionTrainer(shaky, y_true=y_true)).settings.get("timeout"))
"""


def test_the_marker_wins_over_the_ini_file(project):
    project.write(TIMED)
    project.ini("repro_timeout = none")
    result = project.run("-s", "-n0")
    result.assert_outcomes(passed=2)
    told = re.findall(r"(?:marked|plain): \S+", result.stdout.str())
    assert told == ["marked: 7200.0", "plain: None"]
