"""Verdicts and results do not hang on any of pytest's own plugins, nor on xdist."""

import json

import pytest

TESTS = """
@reproducibility(runs=3, regularizers="none,dropout", max_prediction_difference={"dropout": 0.1})
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=2, min_accuracy=0.5)
def test_trained(retrain):
    retrain(make_solved, **data)
"""


@pytest.mark.parametrize(
    "plugin",
    [
        *("terminal", "cacheprovider", "capture", "xdist", "junitxml", "logging", "unittest"),
        *("randomly", "skipping", "warnings"),
    ],
)
def test_the_audits_and_the_exit_status_are_the_same_without(project, plugin):
    project.write(TESTS)
    result = project.run("-p", f"no:{plugin}", "--repro-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in project.said(result)
    assert json.loads((project.path / "out.json").read_text())["complete"]
    assert {name: stored["passed"] for name, stored in project.audits().items()} == {
        "test_items[none]": True,
        "test_items[dropout]": False,
        "test_trained": True,
    }
    if plugin == "terminal":
        assert result.outlines == []
    else:
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(
            ["test_audit.py::test_items", "  none * 0.200 *", "  dropout *fail"]
        )


def test_a_usage_error_is_one_without_a_terminal_too(project):
    result = project.run("-p", "no:terminal", "--repro-runs=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0].startswith("ERROR: --repro-runs=1: got '1'; expected at least 2 runs")


def test_without_this_plugin_its_options_are_unknown_and_its_marker_does_nothing(project):
    project.write("""
        @reproducibility(runs=2)
        def test_plain():
            pass
        """)
    result = project.run("-p", "no:reprotest", "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result.assert_outcomes(passed=1)
    assert project.run("-p", "no:reprotest", "--repro-runs=3").ret == pytest.ExitCode.USAGE_ERROR
