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


def test_what_sessions_write_is_valid_under_the_schema(project):
    from test_schema import CLOSED

    project.write("""
        import random

        def noisy(run):
            run.regularizer
            return inputs[:, 0] + run.generator("noise", kind="numpy").normal(size=20)

        def cells(run):
            run.regularizer
            return run.generator("noise", kind="numpy").integers(0, 2, size=(20, 3))

        def unseeded(run):
            run.regularizer
            random.random()
            return np.array([0, 1, random.SystemRandom().randrange(2)])

        @reproducibility(runs=2, regularizers="all")
        def test_trained(retrain):
            retrain(make_solved, **data)

        @reproducibility(runs=4, regularizers="none,dropout")
        @pytest.mark.parametrize("score", ["r2", "mae"])
        def test_numbers(retrain, score):
            retrain(
                FunctionTrainer(
                    noisy, y_true=inputs[:, 0], task="regression", tolerance=0.1, score=score
                )
            )

        @reproducibility(runs=3, compat="study")
        def test_cells(retrain):
            retrain(FunctionTrainer(cells, y_true=np.eye(20, 3, dtype=int), task="multilabel"))

        @reproducibility(runs=2)
        def test_broken(retrain):
            retrain(FunctionTrainer(lambda run: 1 / 0, y_true=y_true))

        @reproducibility(runs=2, deterministic=True)
        def test_proof(retrain):
            retrain(FunctionTrainer(unseeded, y_true=np.array([0, 1, 1])))
        """)
    project.run("--repro-json=out.json")
    document = json.loads((project.path / "out.json").read_text())
    CLOSED.validate(document)
    audits = project.audits()
    assert "residual" in audits["test_trained"]["not_applicable"]
    assert "proof" in audits["test_proof"]["regularizers"]["none"]
    assert audits["test_broken"]["regularizers"]["none"]["accuracy"]["value"] is None
    assert {"r2", "mae"} <= {
        name for stored in audits.values() for name in stored["regularizers"]["none"]
    }


def test_a_session_held_against_results_or_a_bank_writes_what_is_valid(project):
    from test_schema import CLOSED

    project.write("""
        @reproducibility(runs=10)
        def test_drawn(retrain):
            retrain(FunctionTrainer(drawn, y_true=y_true))
        """)
    project.run("--repro-json=old.json", "--repro-save-bank=bank.json")
    project.run("--repro-compare=old.json", "--repro-json=compared.json")
    project.run("--repro-bank=bank.json", "--repro-json=gated.json")
    for name, key in (("compared.json", "changes"), ("gated.json", "gate")):
        CLOSED.validate(json.loads((project.path / name).read_text()))
        assert key in project.audits(name)["test_drawn"]["regularizers"]["none"]
