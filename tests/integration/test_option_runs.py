"""--repro-runs and repro_runs."""

import pytest

TEST = """
@reproducibility(runs=3)
def test_marked(retrain):
    assert retrain(FunctionTrainer(shaky, y_true=y_true))["none"].n_runs == {marked}

def test_plain(retrain):
    assert retrain(FunctionTrainer(shaky, y_true=y_true))["none"].n_runs == {plain}
"""


def origins(project, test):
    settings = project.audits()[test]["settings"]
    return settings["runs"], settings["origins"].get("runs", "default")


def test_five_runs_by_default_and_the_markers_where_it_says(project):
    project.write(TEST.format(marked=3, plain=5))
    project.run("--repro-json=out.json").assert_outcomes(passed=2)
    assert origins(project, "test_marked") == (3, "marker")
    assert origins(project, "test_plain") == (5, "default")


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_the_command_line_wins_over_marker_and_ini(project, workers):
    project.ini("repro_runs = 4")
    project.write(TEST.format(marked=10, plain=10))
    result = project.run("--repro-runs=10", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=2)
    assert origins(project, "test_marked") == (10, "command line")
    assert origins(project, "test_plain") == (10, "command line")


def test_the_marker_wins_over_the_ini_file(project):
    project.ini("repro_runs = 4")
    project.write(TEST.format(marked=3, plain=4))
    project.run("--repro-json=out.json", "-n0").assert_outcomes(passed=2)
    assert origins(project, "test_marked") == (3, "marker")
    assert origins(project, "test_plain") == (4, "ini")
