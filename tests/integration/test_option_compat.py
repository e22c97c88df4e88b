"""--repro-compat and repro_compat."""

import pytest

TEST = """
@reproducibility(runs=5)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""
TOLD = (
    "test_shaky: p-values of the study's Wilcoxon test: none 0.002 - uninformative: pairwise differences can't be "
    "negative, so this p-value says how many pairs there are, not whether runs differ"
)


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_the_study_s_p_value_is_shown_where_it_was_asked_for(project, workers):
    project.write(TEST)
    result = project.run("--repro-compat=study", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=1)
    assert TOLD in project.said(result)
    stored = project.audits()["test_shaky"]["regularizers"]["none"]["study_p_value"]
    assert stored == 2 / 2**10
    assert "Wilcoxon" not in project.said(project.run(*workers))


def test_marker_and_ini_file_say_it_too(project):
    project.write(TEST.replace("runs=5", "runs=5, compat='study'"))
    assert TOLD in project.said(project.run())
    project.write(TEST)
    project.ini("repro_compat = study")
    assert TOLD in project.said(project.run())
