"""--repro-save-bank and repro_save_bank."""

import json

import pytest

from pytest_reprotest.bank import load_bank

TEST = """
@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference=0.1)
def test_breach(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3)
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(drawn, y_true=y_true))
"""


def wrong(found):
    return [(run != [0, 1] * 5).nonzero()[0].tolist() for run in found.predictions]


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
def test_the_bank_holds_the_runs_of_every_test_also_of_those_that_breach(project, workers):
    project.write(TEST)
    result = project.run("--repro-save-bank=bank.json", *workers)
    result.assert_outcomes(passed=1, failed=1)
    bank = load_bank(project.path / "bank.json")
    assert bank.names == ("test_audit.py::test_breach", "test_audit.py::test_items[none]")
    reference = bank.reference("test_audit.py::test_breach")
    assert reference.regularizers == ("none", "dropout")
    assert wrong(reference["none"]) == [[0], [1], [2], [3]]
    assert bank.file.complete
    assert [path.name for path in project.path.iterdir() if ".bank" in path.name] == []


def test_the_ini_file_says_where_and_the_command_line_wins(project):
    project.ini("repro_save_bank = ini.json")
    project.write(TEST)
    project.run("-n0")
    assert (project.path / "ini.json").exists()
    (project.path / "ini.json").unlink()
    project.run("--repro-save-bank=bank.json", "--repro-json=out.json")
    assert len(load_bank(project.path / "bank.json").names) == len(project.audits("out.json")) == 2
    assert not (project.path / "ini.json").exists()


def test_runs_that_cannot_be_trusted_do_not_go_in_and_too_few_are_told(project):
    project.write("""
        def one_diverges(run):
            if run.regularizer == "dropout":
                raise ValueError("the loss is NaN")
            return drawn(run)

        @reproducibility(runs=2, regularizers="none,dropout")
        def test_half(retrain):
            retrain(FunctionTrainer(one_diverges, y_true=y_true))
        """)
    result = project.run("--repro-save-bank=bank.json")
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert (
        "test_audit.py::test_half: 'dropout' did not go into the bank, since its runs can't be trusted"
        in said
    )
    assert (
        "test_audit.py::test_half: the bank holds 2 runs of 'none'; new runs are held against 3 or "
        "more, so make it again with more runs" in said
    )
    assert load_bank(project.path / "bank.json").reference(
        "test_audit.py::test_half"
    ).regularizers == ("none",)


def test_where_nothing_is_left_an_old_bank_is_kept_and_the_session_fails(project):
    (project.path / "bank.json").write_text("old")
    project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    result = project.run("--repro-save-bank=bank.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "bank.json: nothing was audited" in project.said(result)
    assert (project.path / "bank.json").read_text() == "old"


def test_an_interrupted_session_leaves_an_incomplete_bank(project):
    project.write("""
        @reproducibility(runs=3)
        def test_first(retrain):
            retrain(FunctionTrainer(drawn, y_true=y_true))

        def test_second(retrain):
            raise KeyboardInterrupt
        """)
    result = project.pytester.runpytest_subprocess(
        "--repro-save-bank=bank.json", "-p", "no:randomly"
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    bank = load_bank(project.path / "bank.json")
    assert (bank.names, bank.file.complete) == (("test_audit.py::test_first",), False)


UNWRITABLE = {
    "--repro-save-bank=": "that is a folder; expected the path of a file to write",
    "--repro-save-bank=absent/bank.json": "absent does not exist; create it, or write elsewhere",
}


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["none", "n2"])
@pytest.mark.parametrize("option", UNWRITABLE)
def test_a_path_that_cannot_be_written_is_a_usage_error(project, option, workers):
    result = project.run(option, *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert line.startswith("ERROR: --repro-save-bank=")
    assert UNWRITABLE[option] in line


def test_a_bank_and_results_are_two_files(project):
    result = project.run("--repro-save-bank=a.json", "--repro-json=./a.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result) == (
        "ERROR: --repro-json=./a.json and --repro-save-bank=a.json name one file; expected two"
    )


@pytest.mark.parametrize("only", ["--collect-only", "--setup-only", "--setup-plan", "--fixtures"])
def test_nothing_is_written_where_no_test_runs(project, only):
    project.write(TEST)
    result = project.run(only, "--repro-save-bank=bank.json", "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    assert not (project.path / "bank.json").exists()


def test_a_file_that_cannot_be_written_at_the_end_is_said(project):
    project.write("""
        import shutil

        @reproducibility(runs=3)
        def test_shaky(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
            shutil.rmtree("banks")
        """)
    (project.path / "banks").mkdir()
    result = project.run("--repro-save-bank=banks/bank.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "bank.json could not be written: No such file or directory" in project.said(result)


def test_the_bank_is_json_of_its_kind(project):
    project.write(TEST)
    project.run("--repro-save-bank=bank.json")
    document = json.loads((project.path / "bank.json").read_text())
    assert (document["schema_version"], document["kind"], document["complete"]) == (2, "bank", True)
