"""--repro-markdown and repro_markdown, and the summary of a step of GitHub Actions."""

import pytest

from pytest_reprotest.flags import STEP_SUMMARY

TEST = """
@reproducibility(runs=3, regularizers="none,dropout", max_prediction_difference={"none": 0.1, "dropout": 0.5})
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3)
def test_exact(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
"""


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_verdict_sentence_table_and_reasons(project, workers):
    project.write(TEST)
    project.run("--repro-markdown=out.md", *workers).assert_outcomes(passed=1, failed=1)
    lines = (project.path / "out.md").read_text(encoding="utf-8").splitlines()
    assert lines[:6] == [
        "## Reproducibility: fail",
        "",
        "1 of 3 regularizers in 2 tests does not pass.",
        "",
        "| test | regularizer | runs | accuracy | PD | ETA | PD/error | thresholds | verdict |",
        "| --- | --- | ---: | --- | --- | --- | --- | --- | --- |",
    ]
    assert [line.split(" | ")[1] for line in lines[6:9]] == [
        "none (baseline)",
        "dropout",
        "none (baseline)",
    ]
    assert [line.split(" | ")[-1] for line in lines[6:9]] == ["**fail** |", "pass |", "no limit |"]
    assert lines[lines.index("<details><summary>Why</summary>") + 2].startswith(
        "- in test_audit.py::test_shaky, none (3 runs): prediction_difference 0.2000"
    )


def test_the_ini_file_says_where_and_nothing_else_is_written(project):
    project.ini("repro_markdown = ini.md")
    project.write(TEST)
    project.run("-k", "exact")
    text = (project.path / "ini.md").read_text(encoding="utf-8")
    assert text.startswith("## Reproducibility: no limit\n\n1 regularizer in 1 test: no limit was")
    assert "<details>" not in text


def test_a_session_without_audits_says_so(project):
    project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    project.run("--repro-markdown=out.md").assert_outcomes(passed=1)
    text = (project.path / "out.md").read_text(encoding="utf-8")
    assert text == "## Reproducibility: no limit\n\nNothing was audited.\n"


def test_an_expected_failure_is_none(project):
    project.write("""
        @pytest.mark.xfail
        @reproducibility(runs=3, max_prediction_difference=0.1)
        def test_shaky(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-markdown=out.md").assert_outcomes(xfailed=1)
    text = (project.path / "out.md").read_text(encoding="utf-8")
    assert text.startswith("## Reproducibility: pass\n")
    assert "fail (xfail)" in text


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["none", "n1"])
def test_the_summary_of_a_step_is_appended_once(project, monkeypatch, workers):
    path = project.path / "step.md"
    path.write_text("# Of another step\n", encoding="utf-8")
    monkeypatch.setenv(STEP_SUMMARY, str(path))
    project.write(TEST)
    project.run(*workers)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Of another step\n\n## Reproducibility: fail\n")
    assert text.count("## Reproducibility") == 1


def test_a_file_that_is_both_is_appended_to_and_never_truncated(project, monkeypatch):
    path = project.path / "step.md"
    path.write_text("# Of another step\n", encoding="utf-8")
    monkeypatch.setenv(STEP_SUMMARY, str(path))
    project.write(TEST)
    project.run(f"--repro-markdown={path}")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Of another step\n")
    assert text.count("## Reproducibility") == 1


@pytest.mark.parametrize("only", [["--collect-only"], ["--repro-plan"]])
def test_where_nothing_is_audited_the_summary_of_a_step_stays_as_it_is(project, monkeypatch, only):
    path = project.path / "step.md"
    monkeypatch.setenv(STEP_SUMMARY, str(path))
    project.write(TEST)
    project.run(*only)
    project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    project.run("test_plain.py").assert_outcomes(passed=1)
    assert not path.exists()


def test_a_summary_that_cannot_be_written_is_told_and_fails_nothing(project, monkeypatch):
    monkeypatch.setenv(STEP_SUMMARY, "no/step.md")
    project.write(TEST)
    result = project.run("-k", "exact")
    assert result.ret == pytest.ExitCode.OK
    assert (
        "GITHUB_STEP_SUMMARY=no/step.md could not be written: No such file or directory"
    ) in project.said(result)
