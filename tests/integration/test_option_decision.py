"""--repro-decision and repro_decision."""

import pytest

TEST = """
def wobbly(run):
    # run k is wrong on 1, 2 or 3 of the ten samples
    run.regularizer
    labels = y_true.copy()
    wrong = [(3 * run.index + i) % 10 for i in range(1 + run.index % 3)]
    labels[wrong] = 1 - labels[wrong]
    return labels

@reproducibility(runs=6, max_prediction_difference=0.4)
def test_wobbly(retrain):
    retrain(FunctionTrainer(wobbly, y_true=y_true))
"""
WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])


@WORKERS
def test_an_estimate_inside_passes_and_is_not_enough_with_confidence(project, workers):
    project.write(TEST)
    project.run(*workers).assert_outcomes(passed=1)
    result = project.run("--repro-decision=confidence", *workers)
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert "reproducibility: 1 of 1 regularizers can't be decided with so few runs" in said
    assert (
        "can't be told from max_prediction_difference=0.4 with 6 runs: the bounds that decide"
        in said
    )
    assert "runs would decide it, if the estimate holds" in said
    result.stdout.fnmatch_lines(["*none * 6 *PD≤0.4*inconclusive*"])


def test_far_from_the_limit_confidence_decides(project):
    project.write(TEST.replace("max_prediction_difference=0.4", "max_prediction_difference=0.05"))
    result = project.run("--repro-decision=confidence")
    result.assert_outcomes(failed=1)
    assert "is above max_prediction_difference=0.05, and so is its one-sided bound" in project.said(
        result
    )


def test_the_marker_wins_over_the_ini_file_and_the_command_line_over_both(project):
    project.ini("repro_decision = confidence")
    project.write(TEST)
    project.run().assert_outcomes(failed=1)
    project.write(TEST.replace("runs=6", "runs=6, decision='point'"))
    project.run().assert_outcomes(passed=1)
    project.run("--repro-decision=confidence").assert_outcomes(failed=1)


def test_an_unknown_one_is_refused_at_start(project):
    project.write(TEST)
    result = project.run("--repro-decision=sure")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--repro-decision=sure: got 'sure'; expected point, confidence." in project.said(result)


def test_report_only_shows_what_is_undecided_and_passes(project):
    project.write(TEST)
    result = project.run("--repro-decision=confidence", "--repro-report-only")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*none *inconclusive (report)*"])
    assert "test_wobbly: none: prediction_difference 0." in project.said(result)
