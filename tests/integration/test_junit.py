"""Properties of test cases in pytest's own --junitxml."""

from xml.etree import ElementTree

import pytest

TEST = """
@reproducibility(runs=3, max_prediction_difference=0.5)
def test_one(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3, regularizers="none,dropout", max_prediction_difference=0.1)
def test_breach(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3, regularizers="none,dropout")
def test_item(retrain, regularizer):
    retrain(FunctionTrainer(exact, y_true=y_true))

@reproducibility(runs=2)
def test_twice(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=2)
def test_broken(retrain):
    retrain(FunctionTrainer(lambda run: 1 / 0, y_true=y_true))

def test_plain(record_property):
    record_property("own", "kept")
"""


def read(project):
    found = {}
    for case in ElementTree.parse(project.path / "junit.xml").getroot().iter("testcase"):
        pairs = [(each.get("name"), each.get("value")) for each in case.iter("property")]
        assert len(dict(pairs)) == len(pairs)
        found[case.get("name")] = dict(pairs)
    return found


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
def test_each_test_case_has_its_numbers(project, workers):
    project.write(TEST)
    result = project.run("--junitxml=junit.xml", "-o", "junit_family=xunit1", *workers)
    result.assert_outcomes(passed=5, failed=2)
    found = read(project)
    one = found["test_one"]
    assert {key.removeprefix("reprotest.") for key in one} == {
        "prediction_difference",
        "accuracy",
        "effective_accuracy",
        "verdict",
        "runs",
    }
    assert float(one["reprotest.prediction_difference"]) == pytest.approx(0.2)
    assert float(one["reprotest.accuracy"]) == pytest.approx(0.9)
    assert float(one["reprotest.effective_accuracy"]) == pytest.approx(0.7)
    assert (one["reprotest.verdict"], one["reprotest.runs"]) == ("pass", "3")
    assert found["test_breach"]["reprotest.verdict[none]"] == "fail"
    assert float(found["test_breach"]["reprotest.prediction_difference[dropout]"]) > 0.1
    assert found["test_item[dropout]"]["reprotest.verdict"] == "no limit"
    assert found["test_twice"]["reprotest.prediction_difference[none]"] == "0.0"
    assert float(found["test_twice"]["reprotest.prediction_difference[none #2]"]) > 0
    assert found["test_broken"] == {"reprotest.verdict": "broken", "reprotest.runs": "0"}
    assert found["test_plain"] == {"own": "kept"}


def test_a_regression_has_r2_in_place_of_accuracy(project):
    project.write("""
        def noisy(run):
            run.regularizer
            return inputs[:, 0] + run.generator("noise", kind="numpy").normal(size=20)

        @reproducibility(runs=2)
        def test_numbers(retrain):
            retrain(FunctionTrainer(noisy, y_true=inputs[:, 0], task="regression", tolerance=0.1))
        """)
    project.run("--junitxml=junit.xml")
    names = set(read(project)["test_numbers"])
    assert {"reprotest.r2", "reprotest.effective_r2"} <= names
    assert "reprotest.accuracy" not in names


def test_a_plan_has_no_numbers(project):
    project.write(TEST)
    project.run("--junitxml=junit.xml", "--repro-plan")
    assert read(project)["test_one"] == {}
