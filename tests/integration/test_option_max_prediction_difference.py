"""--repro-max-prediction-difference and repro_max_prediction_difference."""

import pytest

TEST = """
@reproducibility(runs=3)
def test_open(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3, max_prediction_difference=0.3)
def test_marked(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def limits(project, test):
    return project.audits()[test]["regularizers"]["none"]["limits"]


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_the_command_line_tightens_a_markers_threshold(project, workers):
    project.write(TEST)
    result = project.run("--repro-max-prediction-difference=0.1", *workers)
    result.assert_outcomes(failed=2)
    sentence = (
        "prediction_difference 0.2000 [0.2000, 0.2000] is above max_prediction_difference=0.1"
    )
    assert project.said(result).count(f"none (3 runs): {sentence}") == 2


def test_the_command_line_does_not_loosen_a_markers_threshold_and_says_so(project):
    project.write(TEST.replace("0.3", "0.15"))
    result = project.run("--repro-max-prediction-difference=0.4", "--repro-json=out.json")
    result.assert_outcomes(passed=1, failed=1)
    assert limits(project, "test_open") == {"max_prediction_difference": 0.4}
    assert limits(project, "test_marked") == {"max_prediction_difference": 0.15}
    notes = project.audits()["test_marked"]["notes"]
    (note,) = [note for note in notes if "looser" in note]
    assert note == (
        "--repro-max-prediction-difference=0.4 is looser than the marker's 0.15, which stands; "
        "--repro-report-only reports against it without failing."
    )


def test_a_threshold_that_is_met_exactly_holds(project):
    project.write(TEST)
    project.run("--repro-max-prediction-difference=0.2").assert_outcomes(passed=2)


def test_the_ini_file_holds_where_no_marker_says(project):
    project.ini("repro_max_prediction_difference = 0.1")
    project.write(TEST)
    result = project.run("--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=1, failed=1)
    assert limits(project, "test_open") == {"max_prediction_difference": 0.1}
    assert limits(project, "test_marked") == {"max_prediction_difference": 0.3}


def test_a_mapping_holds_for_the_regularizers_it_names(project):
    project.write("""
        @reproducibility(
            runs=3, regularizers="none,dropout", max_prediction_difference={"dropout": 0.1}
        )
        def test_marked(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    result = project.run("--repro-json=out.json")
    result.assert_outcomes(failed=1)
    stored = project.audits()["test_marked"]["regularizers"]
    assert stored["none"]["verdict"]["status"] == "pass"
    assert stored["dropout"]["verdict"]["status"] == "fail"
    result.stdout.fnmatch_lines(["*1 of 2 regularizers*", "*dropout (3 runs): prediction_diff*"])
