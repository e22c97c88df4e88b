"""--repro-seed and repro_seed."""

import pytest

TEST = """
@reproducibility(runs=3)
def test_open(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))

@reproducibility(runs=3, seed=7)
def test_marked(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))
"""


def predictions(project, test="test_open"):
    return project.audits()[test]["regularizers"]["none"]["predictions"]


def test_the_same_seed_gives_the_same_predictions_and_another_one_others(project):
    project.write(TEST)
    seen = []
    for seed in ("0", "0", "1"):
        project.run(f"--repro-seed={seed}", "--repro-json=out.json").assert_outcomes(passed=2)
        seen.append(predictions(project))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_the_command_line_wins_over_marker_and_ini(project, workers):
    project.ini("repro_seed = 3")
    project.write(TEST)
    project.run("--repro-json=out.json", *workers).assert_outcomes(passed=2)
    assert project.audits()["test_open"]["settings"]["seed"] == 3
    assert project.audits()["test_marked"]["settings"]["seed"] == 7
    assert predictions(project, "test_open") != predictions(project, "test_marked")
    result = project.run("--repro-seed=11", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=2)
    assert project.audits()["test_marked"]["settings"]["origins"]["seed"] == "command line"
    assert predictions(project, "test_open") == predictions(project, "test_marked")


def test_the_header_names_the_seed_to_copy(project):
    project.write(TEST)
    project.run("--repro-seed=5", "--collect-only").stdout.fnmatch_lines(
        ["reproducibility: --repro-seed=5 (2 audited tests)"]
    )
    project.run("--collect-only", "-k", "open").stdout.fnmatch_lines(
        ["reproducibility: --repro-seed=0 (1 audited test)"]
    )
