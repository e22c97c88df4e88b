"""--repro-on-inconclusive and repro_on_inconclusive."""

import pytest

from .test_option_decision import TEST

SURE = TEST.replace("runs=6", "runs=3, decision='confidence'")
OUTCOMES = [("fail", {"failed": 1}), ("pass", {"passed": 1}), ("skip", {"skipped": 1})]


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
@pytest.mark.parametrize(("what", "outcomes"), OUTCOMES)
def test_what_becomes_of_an_undecided_test(project, what, outcomes, workers):
    project.write(SURE)
    result = project.run(f"--repro-on-inconclusive={what}", *workers)
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines(["*none * 3 *inconclusive*"])
    assert "can't be told from max_prediction_difference=0.4 with 3 runs" in project.said(result)


@pytest.mark.parametrize(("what", "outcomes"), OUTCOMES)
def test_marker_and_ini_file_say_it_too(project, what, outcomes):
    project.write(SURE.replace("runs=3", f"runs=3, on_inconclusive={what!r}"))
    project.run().assert_outcomes(**outcomes)
    project.write(SURE)
    project.ini(f"repro_on_inconclusive = {what}")
    project.run().assert_outcomes(**outcomes)


def test_the_reason_of_a_skip_is_shown(project):
    project.write(SURE)
    result = project.run("--repro-on-inconclusive=skip", "-rs")
    assert "inconclusive: none: prediction_difference 0." in project.said(result)


@pytest.mark.parametrize("what", ["pass", "skip"])
def test_a_breach_fails_all_the_same(project, what):
    project.write(SURE.replace("max_prediction_difference=0.4", "min_accuracy=0.99"))
    project.run(f"--repro-on-inconclusive={what}", "--repro-confidence=0.6").assert_outcomes(
        failed=1
    )
