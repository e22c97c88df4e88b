"""--repro-min-effective-accuracy and repro_min_effective_accuracy."""

import pytest

TEST = """
@reproducibility(runs=3)
def test_open(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3, min_effective_accuracy=0.6)
def test_marked(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def limits(project, test):
    return project.audits()[test]["regularizers"]["none"]["limits"]


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_the_command_line_tightens_a_markers_threshold(project, workers):
    project.write(TEST)
    result = project.run("--repro-min-effective-accuracy=0.8", *workers)
    result.assert_outcomes(failed=2)
    sentence = "effective_accuracy 0.7000 [0.7000, 0.7000] is below min_effective_accuracy=0.8"
    assert project.said(result).count(f"none (3 runs): {sentence}") == 2


def test_the_command_line_does_not_loosen_a_markers_threshold(project):
    project.write(TEST)
    result = project.run("--repro-min-effective-accuracy=-0.5", "--repro-json=out.json")
    result.assert_outcomes(passed=2)
    assert limits(project, "test_open") == {"min_effective_accuracy": -0.5}
    assert limits(project, "test_marked") == {"min_effective_accuracy": 0.6}
    notes = project.audits()["test_marked"]["notes"]
    (note,) = [note for note in notes if "looser" in note]
    assert note.startswith("--repro-min-effective-accuracy=-0.5 is looser than the marker's 0.6")


def test_the_ini_file_holds_where_no_marker_says(project):
    project.ini("repro_min_effective_accuracy = 0.8")
    project.write(TEST)
    result = project.run("--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=1, failed=1)
    assert limits(project, "test_open") == {"min_effective_accuracy": 0.8}
    assert limits(project, "test_marked") == {"min_effective_accuracy": 0.6}
