"""--repro-half-width and repro_half_width: what a plan counts runs for."""

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])

TEST = """
@reproducibility(runs=5, max_prediction_difference=0.1)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


@WORKERS
@pytest.mark.parametrize(("wanted", "runs"), [("0.05", "13"), ("0.1", "6"), ("0.00001", ">10000")])
def test_the_runs_that_reach_it(project, workers, wanted, runs):
    project.write(TEST)
    result = project.run("--repro-plan", f"--repro-half-width={wanted}", *workers)
    result.stdout.fnmatch_lines(
        [f"*for ±{float(wanted):g}", f"  none (baseline) * 5 *[?]  0.100 ±0.105 * {runs}"]
    )
    assert f"for ±{float(wanted):g}: runs that make it that narrow" in project.said(result)


def test_half_a_percent_is_the_default(project):
    project.write(TEST)
    project.run("--repro-plan").stdout.fnmatch_lines(["*for ±0.005"])


def test_the_ini_file_says_and_the_command_line_wins(project):
    project.ini("repro_half_width = 0.02")
    project.write(TEST)
    project.run("--repro-plan").stdout.fnmatch_lines(["*for ±0.02"])
    project.run("--repro-plan", "--repro-half-width=0.03").stdout.fnmatch_lines(["*for ±0.03"])
    project.run().assert_outcomes(failed=1)  # nothing to an audit


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0", "got '0'; expected a fraction of test samples above 0 and below 1, such as 0.005."),
        ("nan", "got 'nan'; expected a fraction of test samples above 0 and below 1, such as 0.005."),
        ("2", "got '2'; expected a fraction of test samples above 0 and below 1, such as 0.005. "
              "For 2% write 0.02."),
        ("wide", "got 'wide' (str); expected a fraction of test samples above 0 and below 1, such as 0.005"),
    ],
)  # fmt: skip
def test_impossible_widths_are_refused(project, value, told):
    project.write(TEST)
    result = project.run("--repro-plan", f"--repro-half-width={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--repro-half-width={value}: {told}"])
    project.ini(f"repro_half_width = {value}")
    result = project.run("--repro-plan")
    result.stderr.fnmatch_lines([f"*ini option repro_half_width = {value}: {told}"])


def test_it_is_refused_where_nothing_is_planned(project):
    project.write(TEST)
    result = project.run("--repro-half-width=0.01")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--repro-half-width=0.01 is for a plan; add --repro-plan, or leave it out"]
    )
