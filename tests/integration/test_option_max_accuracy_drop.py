"""The tolerances: --repro-max-accuracy-drop and the like, ini twins and marker keywords."""

import pytest

from pytest_reprotest.kinds import TOLERANCES

TEST = """
def wild(run):
    labels = shaky(run)
    labels[5] = 1 - labels[5]
    return labels

@reproducibility(runs=3KEYWORDS)
def test_net(retrain):
    retrain(FunctionTrainer(TRAINED, y_true=y_true))
"""
FLAGS = (
    "--repro-max-accuracy-drop",
    "--repro-max-effective-accuracy-drop",
    "--repro-max-prediction-difference-increase",
    "--repro-max-negative-flip-excess",
)
LOOSE = "".join(f", {name}=0.15" for name in TOLERANCES)


def source(trained, keywords=""):
    return TEST.replace("TRAINED", trained).replace("KEYWORDS", keywords)


@pytest.fixture
def changed(project):
    """A project whose accuracy and ETA are 0.1 lower than stored; PD is as it was."""
    project.write(source("shaky"))
    project.run("--repro-json=base.json", "-n0")
    project.write(source("wild"))
    return project


def limits(project):
    found = project.audits()["test_net"]["regularizers"]["none"]["changes"]
    return {name: value for change in found for name, value in change["limit"].items()}


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_the_command_line_says_what_is_tolerated(changed, workers):
    changed.run("--repro-compare=base.json", *workers).assert_outcomes(failed=1)
    options = [f"{flag}=0.1" for flag in FLAGS]
    result = changed.run("--repro-compare=base.json", "--repro-json=out.json", *options, *workers)
    result.assert_outcomes(passed=1)
    assert set(limits(changed).values()) == {0.1}


@pytest.mark.parametrize("flag", FLAGS)
def test_each_tolerance_is_held_for_itself(changed, flag):
    options = [f"{other}=0.1" for other in FLAGS if other != flag]
    result = changed.run("--repro-compare=base.json", *options, f"{flag}=0.05")
    beyond = flag != "--repro-max-prediction-difference-increase"
    result.assert_outcomes(**{"failed" if beyond else "passed": 1})
    if beyond:
        name = flag.removeprefix("--repro-").replace("-", "_")
        assert f"beyond {name}=0.05" in changed.said(result)


def test_the_command_line_tightens_a_markers_tolerance(changed):
    changed.write(source("wild", LOOSE))
    changed.run("--repro-compare=base.json").assert_outcomes(passed=1)
    result = changed.run("--repro-compare=base.json", "--repro-max-accuracy-drop=0.05")
    result.assert_outcomes(failed=1)
    assert "beyond max_accuracy_drop=0.05" in changed.said(result)


def test_it_does_not_loosen_one_and_says_so(changed):
    changed.write(source("wild", LOOSE.replace("max_accuracy_drop=0.15", "max_accuracy_drop=0.02")))
    result = changed.run("--repro-compare=base.json", "--repro-max-accuracy-drop=0.5")
    result.assert_outcomes(failed=1)
    said = changed.said(result)
    assert "beyond max_accuracy_drop=0.02" in said
    assert (
        "--repro-max-accuracy-drop=0.5 is looser than the marker's 0.02, which stands; "
        "--repro-report-only reports against it without failing." in said
    )


def test_the_ini_file_holds_where_no_marker_says(changed):
    changed.ini(
        *(f"repro_{name} = 0.15" for name in TOLERANCES if "r2" not in name and "mae" not in name)
    )
    changed.run("--repro-compare=base.json", "--repro-json=out.json").assert_outcomes(passed=1)
    assert set(limits(changed).values()) == {0.15}
    changed.write(source("wild", ", max_accuracy_drop=0.02"))
    result = changed.run("--repro-compare=base.json", "--repro-json=out.json")
    result.assert_outcomes(failed=1)
    assert limits(changed)["max_accuracy_drop"] == 0.02
    assert limits(changed)["max_negative_flip_excess"] == 0.15


def test_a_mapping_holds_for_the_regularizers_it_names(changed):
    changed.write(
        source("wild", LOOSE.replace("max_accuracy_drop=0.15", "max_accuracy_drop={'none': 0.2}"))
    )
    changed.run("--repro-compare=base.json", "--repro-json=out.json").assert_outcomes(passed=1)
    assert limits(changed)["max_accuracy_drop"] == 0.2


def test_a_marker_may_say_what_is_tolerated_where_nothing_is_compared(changed):
    changed.write(source("wild", LOOSE))
    changed.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("flag", FLAGS)
def test_without_a_stored_result_the_command_line_says_nothing(project, flag):
    result = project.run(f"{flag}=0.1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result) == (
        f"ERROR: {flag}=0.1: a change is one since a stored result; name that with --repro-compare"
    )


def test_impossible_values_and_names_are_refused(project):
    result = project.run("--repro-max-accuracy-drop=5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result) == (
        "ERROR: --repro-max-accuracy-drop=5: got '5'; expected a fraction of test samples between 0 and "
        "1. For 5% write 0.05."
    )
    project.write(source("shaky", ", max_acuracy_drop=0.1"))
    result = project.run()
    assert "Did you mean 'max_accuracy_drop'?" in project.said(result)
