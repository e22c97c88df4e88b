"""--repro-max-runs and repro_max_runs."""

import re

import pytest

from .test_option_decision import TEST

SURE = TEST.replace("runs=6", "runs=3, decision='confidence'")


def audit(project):
    return project.audits()["test_wobbly"]


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_runs_are_added_until_the_limit_is_decided(project, workers):
    project.write(SURE)
    project.run("--repro-json=out.json", *workers).assert_outcomes(failed=1)
    assert audit(project)["regularizers"]["none"]["n_runs"] == 3
    result = project.run("--repro-max-runs=200", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=1)
    found = audit(project)
    assert 12 <= found["regularizers"]["none"]["n_runs"] < 200
    assert found["settings"]["looks"][:6] == [3, 5, 8, 12, 20, 30]
    assert found["regularizers"]["none"]["verdict"]["status"] == "pass"
    assert "so its intervals (±) cover less than 95%: about 90%" in project.said(result)


def test_no_run_is_trained_twice(project):
    project.write(
        SURE.replace("run.regularizer", "print(f'<{run.index}>')\n    run.regularizer").replace(
            "max_prediction_difference=0.4", "max_prediction_difference=0.4, max_runs=200"
        )
    )
    result = project.run("-s")
    result.assert_outcomes(passed=1)
    indices = [int(index) for index in re.findall(r"<(\d+)>", result.stdout.str())]
    assert len(indices) >= 12
    assert indices == list(range(len(indices)))


def test_runs_are_added_for_the_undecided_regularizers_only(project):
    project.write("""
        def mixed(run):
            labels = y_true.copy()
            wrong = 1 + run.index % 3 if run.regularizer == "dropout" else 0
            places = [(3 * run.index + i) % 10 for i in range(wrong)]
            labels[places] = 1 - labels[places]
            return labels

        @reproducibility(runs=3, regularizers=["none", "dropout"], decision="confidence", max_runs=8,
                         max_prediction_difference=0.4)
        def test_mixed(retrain):
            retrain(FunctionTrainer(mixed, y_true=y_true))
        """)
    result = project.run("--repro-json=out.json")
    result.assert_outcomes(failed=1)
    found = project.audits()["test_mixed"]
    assert {label: one["n_runs"] for label, one in found["regularizers"].items()} == {
        "none": 5,
        "dropout": 8,
    }
    assert found["comparisons"] == {}
    assert "with 8 runs: the bounds that decide are" in project.said(result)


def test_fewer_than_the_first_look_are_refused(project):
    project.write(SURE.replace("runs=3", "runs=8"))
    result = project.run("--repro-max-runs=5")
    result.assert_outcomes(errors=1)
    assert (
        "--repro-max-runs=5 is below reproducibility(runs=8); expected at least as many"
        in project.said(result)
    )


def test_the_ini_file_says_it_for_tests_that_decide_with_confidence(project):
    project.ini("repro_max_runs = 200")
    project.write(SURE)
    project.run().assert_outcomes(passed=1)
    project.write(TEST)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert audit(project)["regularizers"]["none"]["n_runs"] == 6
