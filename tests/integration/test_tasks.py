"""Regression, several labels and classification in one session."""

import re

from pytest_reprotest import AuditResult

TESTS = """
    numbers = inputs @ np.array([1.0, 2.0], dtype="float32") + np.arange(20) % 3
    sets = np.stack([targets, 1 - targets, np.arange(20) % 2], axis=1)
    own = {"epochs": 3, "batch_size": 4, "lr": 0.05}

    def make(width):
        return lambda: nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, width))

    @reproducibility(runs=3, regularizers=["none", "dropout"], min_r2=-50, max_prediction_difference=1.0)
    def test_kept(retrain):
        result = retrain(
            make(1), train=(inputs, numbers), test=(inputs, numbers), task="regression", tolerance=0.5, **own
        )
        assert result["none"].r2.value - result["none"].prediction_difference.value == (
            result["none"].effective_r2.value
        )

    @reproducibility(runs=3, max_mae={"none": 0.001})
    def test_breached(retrain):
        retrain(
            make(1), train=(inputs, numbers), test=(inputs, numbers), task="regression", tolerance=0.5,
            score="mae", loss="l1", **own,
        )

    @reproducibility(runs=3, min_accuracy=0.3)
    def test_labels(retrain):
        retrain(make(3), train=(inputs, sets), test=(inputs, sets), task="multilabel", **own)

    @reproducibility(runs=3, min_accuracy=1.0)
    def test_labels_breached(retrain):
        def unsure(run):
            found = sets.copy()
            found[run.index, 0] = 1 - found[run.index, 0]
            return found

        retrain(FunctionTrainer(unsure, y_true=sets, task="multilabel"))

    @reproducibility(runs=3, max_prediction_difference=0.3)
    def test_classes(retrain):
        retrain(FunctionTrainer(shaky, y_true=y_true))
    """


def table_of(lines, heading):
    """The lines from a heading to the next empty one."""
    start = next(number for number, line in enumerate(lines) if re.match(heading, line))
    rest = lines[start:]
    return rest[: rest.index("")] if "" in rest else rest


def test_each_task_has_a_table_with_its_own_headings(project):
    project.write(TESTS)
    result = project.run("--repro-json=out.json")

    result.assert_outcomes(passed=3, failed=2)
    said = result.stdout.str()
    summary = said[said.index("= reproducibility =") :].splitlines()
    numbers = table_of(summary, r"test, regularizer +runs +R² +PD +eff. R² +thresholds +verdict$")
    errors = table_of(summary, r"test, regularizer +runs +MAE +PD +thresholds +verdict$")
    labels = table_of(summary, r"test, regularizer +runs +accuracy +PD +ETA +PD/error ")
    assert [line.split("::")[1] for line in numbers if "::" in line] == ["test_kept"]
    assert [line.split("::")[1] for line in errors if "::" in line] == ["test_breached"]
    assert [line.split("::")[1] for line in labels if "::" in line] == [
        "test_labels",
        "test_labels_breached",
    ]
    apart = "two runs' predictions are further apart than the tolerance."
    assert " ".join(numbers).endswith(f"{apart} eff. R²: R² - PD.")
    assert " ".join(" ".join(errors).split()).endswith(f"{apart} MAE: mean absolute error.")
    assert labels[-1].startswith("PD: fraction of cells, the labels of the test samples, on which ")
    assert summary.count("") == 3
    assert said.count("±: 95% over runs.") == 1  # below the last
    assert re.search(r"mae \d+\.\d{4} \[.*\] is above max_mae=0.001", said)
    assert "accuracy 0.9833 [0.9833, 0.9833] is below min_accuracy=1" in said


def test_what_the_file_holds_is_read_as_it_was(project):
    project.write(TESTS)
    project.run("--repro-json=out.json")

    audits = project.audits()
    tasks = {name: stored["task"] for name, stored in audits.items()}
    assert tasks == {
        "test_kept": {"name": "regression", "tolerance": 0.5, "score": "r2"},
        "test_breached": {"name": "regression", "tolerance": 0.5, "score": "mae"},
        "test_labels": {"name": "multilabel", "threshold": 0.5},
        "test_labels_breached": {"name": "multilabel", "threshold": 0.5},
        "test_classes": {"name": "classification"},
    }
    for stored in audits.values():
        assert AuditResult.from_dict(stored).to_dict() == stored
    held = project.run("--repro-compare=out.json", "-k", "kept or classes or labels")
    held.assert_outcomes(passed=3, failed=1)


def test_verbose_lines_use_the_tasks_names(project):
    project.write(TESTS)
    said = project.said(project.run("-vv", "-k", "kept or test_labels or breached"))

    assert re.search(r"test_kept none: SD of R² \d\.\d{4}, ambiguity", said)
    assert re.search(r"test_breached none: SD of MAE \d", said)
    assert re.search(r"test_labels none: .* PD by label, largest first: \d 0\.\d{3}", said)
    assert "max_mae = 0.001 (marker)" in said


def test_a_regression_without_a_tolerance_is_refused_before_it_trains(project):
    project.write("""
        def test_numbers(retrain):
            retrain(make_mlp, task="regression", **data)

        def test_loss(retrain):
            retrain(make_mlp, loss="mse", **data)

        @reproducibility(min_r2=0.5)
        def test_threshold(retrain):
            retrain(make_mlp, **data)
        """)
    result = project.run()
    result.assert_outcomes(failed=3)
    said = project.said(result)
    assert (
        "test_numbers: task='regression' needs tolerance=: the largest difference between two predictions "
        "that does not matter, in the units of the target"
    ) in said
    assert (
        "test_loss: loss='mse' is none for a classification; expected cross_entropy or nll_loss, or a callable"
    ) in said
    assert (
        "test_threshold: min_r2 can't be held for a classification; expected any of "
        "max_prediction_difference, min_effective_accuracy, min_accuracy, max_accuracy_std"
    ) in said


def test_it_is_the_same_in_workers(project):
    project.write(TESTS)
    project.run("--repro-json=one.json")
    project.run("--repro-json=two.json", "--repro-workers=2")
    one, two = project.audits("one.json"), project.audits("two.json")
    for name in one:
        for label, found in one[name]["regularizers"].items():
            assert two[name]["regularizers"][label]["predictions"] == found["predictions"]
