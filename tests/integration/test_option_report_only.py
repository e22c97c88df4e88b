"""--repro-report-only and repro_report_only."""

import pytest

TEST = """
@reproducibility(runs=3, max_prediction_difference=0.1)
def test_marked(retrain):
    result = retrain(FunctionTrainer(shaky, y_true=y_true))
    assert result["none"].verdict.status == "fail"
    assert result.passed
"""


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_a_breach_is_reported_and_fails_nothing(project, workers):
    project.write(TEST)
    result = project.run("--repro-report-only", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*none * 0.200 * fail (report)*"])
    stored = project.audits()["test_marked"]
    assert stored["report_only"]
    assert stored["passed"]
    assert stored["regularizers"]["none"]["verdict"] == {
        "status": "fail",
        "broken": False,
        "reasons": [
            "prediction_difference 0.2000 [0.2000, 0.2000] is above max_prediction_difference=0.1"
        ],
    }


@pytest.mark.parametrize(
    ("value", "outcome"), [("true", {"passed": 1}), ("no", {"failed": 1}), ("1", {"passed": 1})]
)
def test_the_ini_file_turns_it_on_or_off(project, value, outcome):
    project.ini(f"repro_report_only = {value}")
    project.write(TEST)
    result = project.run("-n0")
    result.assert_outcomes(**outcome)
    switch = " --repro-report-only" if "passed" in outcome else ""
    result.stdout.fnmatch_lines([f"reproducibility: --repro-seed=0{switch} (1 audited test)"])


def test_the_command_line_may_loosen_a_threshold_with_it(project):
    project.write(TEST.replace('"fail"', '"pass"'))
    result = project.run(
        "--repro-report-only", "--repro-max-prediction-difference=0.3", "--repro-json=out.json"
    )
    result.assert_outcomes(passed=1)
    stored = project.audits()["test_marked"]
    assert stored["regularizers"]["none"]["limits"] == {"max_prediction_difference": 0.3}
    assert not any("looser" in note for note in stored["notes"])


def test_a_run_that_cannot_be_trusted_still_fails(project):
    project.write("""
        def constant(run):
            return np.zeros(10, dtype=int)

        @reproducibility(runs=2)
        def test_constant(retrain):
            retrain(FunctionTrainer(constant, y_true=y_true))
        """)
    result = project.run("--repro-report-only")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*constant predictor: run 0 (class 0), run 1 (class 0)*"])
