"""--repro-confidence and repro_confidence."""

import pytest

from .test_option_decision import TEST

LIMIT = TEST.replace(
    "max_prediction_difference=0.4", "decision='confidence', max_prediction_difference=0.2"
)


def reasons(project):
    return project.audits()["test_wobbly"]["regularizers"]["none"]["verdict"]


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_a_lower_level_decides_sooner(project, workers):
    project.write(LIMIT)
    found = {}
    for level in ("0.6", "0.999"):
        project.run(f"--repro-confidence={level}", "--repro-json=out.json", *workers)
        found[level] = reasons(project)["status"]
        assert project.audits()["test_wobbly"]["settings"]["confidence"] == float(level)
    assert found == {"0.6": "fail", "0.999": "inconclusive"}


def test_the_ini_file_says_it_too(project):
    project.ini("repro_confidence = 0.6")
    project.write(LIMIT)
    project.run("--repro-json=out.json").assert_outcomes(failed=1)
    assert reasons(project)["status"] == "fail"


def test_it_is_for_those_tests_that_decide_by_bounds(project):
    project.write(TEST)
    result = project.run("--repro-confidence=0.9")
    result.assert_outcomes(passed=1)
    assert "--repro-confidence=0.9 has no effect here: runs are added" in project.said(result)
    result = project.run("--repro-confidence=0.9", "--repro-decision=point")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--repro-confidence=0.9: runs are added" in project.said(result)
