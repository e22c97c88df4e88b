"""--repro-bank-runs and repro_bank_runs."""

import pytest

from pytest_reprotest import AuditResult

TEST = """
@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference=0.1)
def test_net(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""
WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])


@pytest.fixture
def banked(project):
    """A project with a bank."""
    project.write(TEST)
    project.run("--repro-save-bank=bank.json", "-n0")
    return project


def result_of(project):
    return AuditResult.from_json(project.path / "out.json")


@WORKERS
def test_so_many_new_runs_are_trained_and_none_of_the_bank_again(banked, workers):
    result = banked.run(
        "--repro-bank=bank.json", "--repro-bank-runs=3", "--repro-json=out.json", *workers
    )
    result.assert_outcomes(passed=1)
    found = result_of(banked)
    wrong = [(run != found.y_true).nonzero()[0].tolist() for run in found["dropout"].predictions]
    assert wrong == [[4], [5], [6]]
    assert (found["none"].gate.n_new, found["none"].gate.method) == (3, "rank")
    assert found["none"].prediction_difference.value == pytest.approx(0.2)
    result.stdout.fnmatch_lines(["  none             3 + 4  0.900     0.200       0.200    *pass"])


def test_thresholds_on_pairs_are_not_held_with_more_runs_either(banked):
    banked.run(
        "--repro-bank=bank.json", "--repro-bank-runs=2", "--repro-json=out.json"
    ).assert_outcomes(passed=1)
    assert result_of(banked)["none"].limits == ()
    assert result_of(banked).notes[-1].startswith("max_prediction_difference is not held: ")


def test_the_ini_file_says_how_many_and_the_command_line_wins(banked):
    banked.ini("repro_bank_runs = 2")
    banked.run("--repro-bank=bank.json", "--repro-json=out.json").assert_outcomes(passed=1)
    assert result_of(banked)["none"].n_runs == 2
    result = banked.run(
        "--repro-bank=bank.json", "--repro-bank-runs=1", "--repro-json=out.json", "-vv"
    )
    assert result_of(banked)["none"].n_runs == 1
    assert "    runs = 1 (command line)" in result.outlines
    banked.run("--repro-json=out.json").assert_outcomes(failed=1)  # without a bank it is nothing
    assert result_of(banked)["none"].n_runs == 4


def test_the_default_is_one(banked):
    banked.run("--repro-bank=bank.json", "--repro-json=out.json").assert_outcomes(passed=1)
    assert result_of(banked)["none"].n_runs == 1


IMPOSSIBLE = {
    "--repro-bank-runs=0": "got '0'; expected at least 1 new run to hold against the bank",
    "--repro-bank-runs=-1": "got '-1'; expected at least 1 new run to hold against the bank",
    "--repro-bank-runs=two": "got 'two'; expected an integer",
    "--repro-bank-runs=": "got ''; expected an integer",
    "--repro-bank-runs=2": "new runs are held against a bank; name it with --repro-bank",
}


@pytest.mark.parametrize("option", IMPOSSIBLE)
def test_an_impossible_number_is_a_usage_error(project, option):
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result) == f"ERROR: {option}: {IMPOSSIBLE[option]}"


def test_the_marker_has_no_such_keyword(project):
    project.write(TEST.replace("runs=4", "bank_runs=4"))
    result = project.run()
    assert (
        "reproducibility(bank_runs=...) can't be set on the marker; use --repro-bank-runs, or "
        "repro_bank_runs in the ini file" in project.said(result)
    )
