"""--repro-json-predictions and repro_json_predictions."""

import json

import pytest

from pytest_reprotest import AuditResult

TEST = """
@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference=0.1)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_without_predictions_all_else_is_there(project, workers):
    project.write(TEST)
    options = ("--repro-json=out.json", "--repro-json-predictions=no", *workers)
    project.run(*options).assert_outcomes(failed=1)
    result = AuditResult.from_json(project.path / "out.json")
    found = result["none"]
    assert found.predictions.shape == (0, 10)
    assert found.n_runs == 4
    assert found.prediction_difference.value == pytest.approx(0.2)
    assert found.verdict.status == "fail"
    assert list(result.comparisons) == ["dropout"]
    stored = project.audits()["test_shaky"]["regularizers"]["none"]
    assert "predictions" not in stored
    assert stored["details"]["ambiguity"] == pytest.approx(0.4)


@pytest.mark.parametrize("options", [(), ("--repro-json-predictions=yes",)])
def test_predictions_are_there_where_nobody_says_or_yes_is_said(project, options):
    project.write(TEST)
    project.run("--repro-json=out.json", *options)
    found = AuditResult.from_json(project.path / "out.json")["none"]
    assert found.predictions.shape == (4, 10)


def test_the_ini_file_says_it_and_the_command_line_wins(project):
    project.ini("repro_json = out.json", "repro_json_predictions = no")
    project.write(TEST)
    project.run()
    assert "predictions" not in (project.path / "out.json").read_text(encoding="utf-8")
    project.run("--repro-json-predictions=yes")
    stored = json.loads((project.path / "out.json").read_text(encoding="utf-8"))
    assert "predictions" in stored["audits"][0]["regularizers"]["none"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--repro-json=out.json", "--repro-json-predictions=perhaps"),
            "ERROR: --repro-json-predictions=perhaps: got 'perhaps'; expected yes or no",
        ),
        (
            ("--repro-json-predictions=no",),
            "ERROR: --repro-json-predictions=no: that is of a file of results; name it with --repro-json",
        ),
    ],
)
def test_what_it_cannot_mean_is_refused_before_anything_runs(project, options, message):
    project.write(TEST)
    result = project.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in project.said(result)


def test_a_wrong_word_in_the_ini_file_is_told(project):
    project.ini("repro_json = out.json", "repro_json_predictions = perhaps")
    project.write(TEST)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ini option repro_json_predictions = perhaps: got" in project.said(result)


def test_nothing_is_held_against_results_without_predictions(project):
    project.write(TEST)
    project.run("--repro-json=out.json", "--repro-json-predictions=no")
    result = project.run("--repro-compare=out.json")
    result.assert_outcomes(failed=1)
    assert (
        "out.json holds no predictions of 'none', and a change is told from them: they were left out of the "
        "file (--repro-json-predictions=no)"
    ) in project.said(result)
