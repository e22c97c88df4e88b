"""--repro-json and repro_json."""

import json

import pytest

from pytest_reprotest import AuditResult

TEST = """
@reproducibility(runs=3, max_prediction_difference=0.5)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
def test_the_file_holds_every_number_and_prediction(project, workers):
    project.write(TEST)
    project.run("--repro-json=out.json", *workers).assert_outcomes(passed=1)
    document = json.loads((project.path / "out.json").read_text())
    assert (document["schema_version"], document["complete"]) == (2, True)
    result = AuditResult.from_json(project.path / "out.json")
    assert result.name == "test_audit.py::test_shaky"
    assert result.y_true.tolist() == [0, 1] * 5
    found = result["none"]
    assert found.prediction_difference.value == pytest.approx(0.2, abs=1e-15)
    assert found.accuracy.value == pytest.approx(0.9, abs=1e-15)
    assert found.effective_accuracy.value == pytest.approx(0.7, abs=1e-15)
    assert [(run != result.y_true).nonzero()[0].tolist() for run in found.predictions] == [
        [0],
        [1],
        [2],
    ]
    assert found.flip_rates.tolist() == pytest.approx([2 / 3] * 3 + [0.0] * 7)
    assert found.verdict.status == "pass"


def test_the_ini_file_says_where_and_the_command_line_wins(project):
    project.ini("repro_json = ini.json")
    project.write(TEST)
    project.run("-n0").assert_outcomes(passed=1)
    assert list(project.audits("ini.json")) == ["test_shaky"]
    (project.path / "ini.json").unlink()
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert list(project.audits("out.json")) == ["test_shaky"]
    assert not (project.path / "ini.json").exists()


def test_audits_are_sorted_by_name_and_a_second_one_in_a_test_is_numbered(project):
    project.write("""
        def test_b(retrain):
            retrain(FunctionTrainer(exact, y_true=y_true))
            retrain(FunctionTrainer(shaky, y_true=y_true))

        def test_a(retrain):
            retrain(FunctionTrainer(exact, y_true=y_true))
        """)
    project.run("--repro-json=out.json").assert_outcomes(passed=2)
    assert list(project.audits()) == ["test_a", "test_b", "test_b #2"]


def test_a_session_without_audits_writes_a_file_without_audits(project):
    project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    document = json.loads((project.path / "out.json").read_text())
    assert document == {
        "schema_version": 2,
        "kind": "results",
        "complete": True,
        "audits": [],
    }


@pytest.mark.parametrize(
    "only",
    ["--collect-only", "--setup-only", "--setup-plan", "--fixtures", "--markers", "--help"],
)
def test_nothing_is_trained_or_written_where_no_test_runs(project, only):
    project.write("""
        def test_never(retrain):
            raise SystemExit("trained")
        """)
    before = sorted(project.path.iterdir())
    project.run(only, "--repro-json=out.json", "-p", "no:cacheprovider")
    assert [path for path in sorted(project.path.iterdir()) if path.suffix != ".pyc"] == before


def test_no_half_a_file_is_left_and_an_old_one_is_replaced(project):
    (project.path / "out.json").write_text("old")
    project.write(TEST)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert list(project.audits()) == ["test_shaky"]
    assert [path.name for path in project.path.iterdir() if ".out" in path.name] == []


def test_a_file_that_cannot_be_written_at_the_end_is_said_and_the_numbers_are_shown(project):
    project.write("""
        import shutil

        def test_shaky(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
            shutil.rmtree("results")
        """)
    (project.path / "results").mkdir()
    result = project.run("--repro-json=results/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*none * 0.200 *", "*= 1 passed in *"])
    assert "out.json could not be written: No such file or directory" in project.said(result)
