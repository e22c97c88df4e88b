"""--repro-compare and repro_compare."""

import json

import pytest

from pytest_reprotest import AuditResult

TEST = """
def wild(run):
    labels = shaky(run)
    labels[5:8] = 1 - labels[5:8]
    return labels

@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference=0.3)
def test_net(retrain):
    retrain(FunctionTrainer(TRAINED, y_true=y_true))
"""
OLD = TEST.replace("TRAINED", "shaky")
WORSE = TEST.replace(
    "TRAINED", "lambda run: wild(run) if run.regularizer == 'none' else shaky(run)"
)
BETTER = TEST.replace("TRAINED", "exact")
WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
SENTENCES = [
    "accuracy went from 0.9000 to 0.6000, by -0.3000 [-0.3000, -0.3000], beyond max_accuracy_drop=0.005",
    "effective_accuracy went from 0.7000 to 0.4000, by -0.3000 [-0.3000, -0.3000], beyond "
    "max_effective_accuracy_drop=0.01",
    "0.4000 of samples were right before and are wrong now, 0.1000 between old runs: an excess of "
    "+0.3000 [+0.3000, +0.3000], beyond max_negative_flip_excess=0.005",
]


def stored(project, source=OLD, *options):
    """Store results."""
    project.write(source)
    project.run("--repro-json=base.json", "-n0", *options)
    assert (project.path / "base.json").exists()


def verdicts(project):
    found = project.audits()["test_net"]["regularizers"]
    return {label: each["verdict"] for label, each in found.items()}


@WORKERS
def test_what_is_as_it_was_passes_and_the_comparison_is_stored(project, workers):
    stored(project)
    result = project.run("--repro-compare=base.json", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=1)
    found = AuditResult.from_json(project.path / "out.json")
    changes = {change.measure: change for change in found["none"].changes}
    assert list(changes) == [
        "accuracy",
        "effective_accuracy",
        "prediction_difference",
        "negative_flips",
    ]
    assert {change.status for change in changes.values()} == {"same"}
    assert changes["accuracy"].limit.value == 0.005
    assert found.settings["compared_with"] == "base.json"
    assert AuditResult.from_dict(found.to_dict()) == found


@WORKERS
def test_what_is_worse_fails_the_test_with_a_sentence_for_each_measure(project, workers):
    stored(project)
    project.write(WORSE)
    result = project.run("--repro-compare=base.json", "--repro-json=out.json", *workers)
    result.assert_outcomes(failed=1)
    assert verdicts(project) == {
        "none": {
            "status": "fail",
            "reasons": [f"against base.json: {sentence}" for sentence in SENTENCES],
            "broken": False,
        },
        "dropout": {"status": "pass", "reasons": [], "broken": False},
    }
    said = project.said(result)
    assert (
        "reproducibility: 1 of 2 regularizers are worse than the stored result none (4 runs): against "
        f"base.json: {SENTENCES[0]}" in said
    )
    for sentence in SENTENCES:
        assert f"test_audit.py::test_net: none: against base.json: {sentence}" in said
    assert (
        "pytest test_audit.py::test_net --repro-compare=base.json --repro-runs=4 --repro-seed=0 "
        "--repro-regularizers=none" in said
    )
    result.stdout.fnmatch_lines(["  none (baseline) * fail", "  dropout * pass"])
    assert "dropout: against" not in said


def test_a_breach_of_a_threshold_is_said_beside(project):
    stored(project)
    project.write(WORSE.replace("runs=4", "runs=4, min_accuracy=0.8"))
    result = project.run("--repro-compare=base.json", "--repro-json=out.json")
    result.assert_outcomes(failed=1)
    assert verdicts(project)["none"]["reasons"] == [
        "accuracy 0.6000 [0.6000, 0.6000] is below min_accuracy=0.8",
        *(f"against base.json: {sentence}" for sentence in SENTENCES),
    ]


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["none", "n1"])
def test_what_is_better_passes_and_the_baseline_is_called_stale(project, workers):
    stored(project)
    project.write(BETTER)
    result = project.run("--repro-compare=base.json", *workers)
    result.assert_outcomes(passed=1)
    said = project.said(result)
    assert (
        "test_audit.py::test_net: better than base.json by more than is tolerated: the baseline is stale. "
        "Store new results in its place (--repro-json)" in said
    )
    assert (
        "test_audit.py::test_net: none: against base.json: accuracy went from 0.9000 to 1.0000, by "
        "+0.1000 [+0.1000, +0.1000], better by more than max_accuracy_drop=0.005" in said
    )


def test_a_test_that_is_new_is_said_and_does_not_fail(project):
    stored(project)
    project.write(OLD.replace("test_net", "test_nets"))
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    assert (
        "test_audit.py::test_nets: is not in base.json, so it was held against nothing. Did you mean "
        "'test_audit.py::test_net'?" in project.said(result)
    )


def test_a_regularizer_that_is_new_is_said_and_does_not_fail(project):
    stored(project)
    adam = OLD.replace("none,dropout", "none,adam")
    project.write(adam)
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    said = project.said(result)
    assert "'adam' is in the new result only, so it was not compared with base.json" in said
    assert "'dropout' is in the old result only, so it was not compared with base.json" in said
    project.write(OLD.replace("none,dropout", "adam"))
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    assert "held against nothing in base.json, which has no sound runs of 'adam'" in project.said(
        result
    )


def test_report_only_waives_the_comparison_and_shows_it(project):
    stored(project)
    project.write(WORSE)
    result = project.run("--repro-compare=base.json", "--repro-report-only")
    result.assert_outcomes(passed=1)
    assert f"none: against base.json: {SENTENCES[0]}" in project.said(result)
    result.stdout.fnmatch_lines(["  none (baseline) * fail (report)"])


def test_verbose_tells_what_did_not_change_and_quiet_nothing(project):
    stored(project)
    result = project.run("--repro-compare=base.json", "-v")
    assert (
        "test_audit.py::test_net: dropout: against base.json: accuracy went from 0.9000 to 0.9000, by "
        "+0.0000 [+0.0000, +0.0000]" in project.said(result)
    )
    assert "against base.json" not in project.said(project.run("--repro-compare=base.json", "-q"))


def test_the_ini_file_names_the_result_and_a_bank_sets_it_aside(project):
    project.ini("repro_compare = base.json")
    stored(project, OLD, "-o", "repro_compare=")
    project.write(WORSE)
    project.run("-n0").assert_outcomes(failed=1)
    project.write(OLD)
    project.run("--repro-compare=", "-n0")  # it is a folder
    project.run("--repro-save-bank=bank.json").assert_outcomes(passed=1)
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(passed=1)
    assert "against base.json" not in project.said(result)


def test_a_bank_is_a_result_too(project):
    project.write(OLD)
    project.run("--repro-save-bank=bank.json").assert_outcomes(passed=1)
    project.write(WORSE)
    result = project.run("--repro-compare=bank.json")
    result.assert_outcomes(failed=1)
    assert f"none (4 runs): against bank.json: {SENTENCES[0]}" in project.said(result)


def test_the_stored_file_may_be_renewed_in_the_same_session(project):
    stored(project)
    project.write(BETTER)
    project.run("--repro-compare=base.json", "--repro-json=base.json").assert_outcomes(passed=1)
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    assert "stale" not in project.said(result)


def test_runs_that_can_no_longer_be_trusted_fail_as_broken(project):
    stored(project)
    project.write(OLD.replace("labels = shaky(run)", "return 1 / 0").replace("(shaky,", "(wild,"))
    result = project.run("--repro-compare=base.json", "--repro-json=out.json")
    result.assert_outcomes(failed=1)
    assert verdicts(project)["none"]["broken"]
    assert len(verdicts(project)["none"]["reasons"]) == 1


def test_settings_that_differ_are_told_where_something_changed(project):
    stored(project)
    project.write(WORSE)
    result = project.run("--repro-compare=base.json", "--repro-seed=3")
    assert "settings that differ from base.json: seed: 0 → 3" in project.said(result)


def test_what_changed_of_the_fingerprint_is_told_in_any_case(project, monkeypatch):
    monkeypatch.delenv("MKL_CBWR", raising=False)
    stored(project)
    said = project.said(project.run("--repro-compare=base.json"))
    assert "fingerprint, base.json" not in said
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    said = project.said(result)
    assert (
        "test_audit.py::test_net: fingerprint, base.json → now: environment: MKL_CBWR unset → AVX2. PD "
        "between old and new runs holds this change itself" in said
    )
    assert "settings that differ" not in said


def test_results_of_earlier_versions_know_less_and_are_compared(project):
    stored(project)
    path = project.path / "base.json"
    document = json.loads(path.read_text())
    for key in ("machine", "threads", "flags", "environment"):
        del document["audits"][0]["settings"][key]
    path.write_text(json.dumps(document))
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(passed=1)
    assert "fingerprint, base.json" not in project.said(result)


# --- what can't be compared ---------------------------------------------------------------------


def test_another_test_set_fails_before_anything_trains(project):
    stored(project)
    other = OLD.replace("labels = shaky(run)", "raise SystemExit").replace("(shaky,", "(wild,")
    project.write(other.replace("y_true=y_true", "y_true=y_true[::-1]"))
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_net: base.json is of another test set: true labels differ on 10 of 10 "
        "samples. Store new results with --repro-json" in project.said(result)
    )


def test_too_few_runs_on_either_side_fail_before_anything_trains(project):
    stored(project)
    result = project.run("--repro-compare=base.json", "--repro-runs=2")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_net: 2 runs can't be held against base.json: a change is decided with "
        "confidence, which takes 3 runs or more. Raise --repro-runs" in project.said(result)
    )
    stored(project, OLD, "--repro-runs=2")
    result = project.run("--repro-compare=base.json")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_net: base.json holds 2 runs of 'none'; a change is decided with confidence, "
        "which takes 3 runs or more. Store new results with --repro-json" in project.said(result)
    )


def first(document):
    return document["audits"][0]["regularizers"]["none"]


def edited(change):
    """A file, damaged by a function of its document."""

    def damage(path):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return damage


DAMAGES = {
    "missing": (lambda path: path.unlink(), "base.json can't be read: No such file or directory"),
    "empty": (
        lambda path: path.write_text(""),
        "base.json is not a result of pytest-reprotest (JSON",
    ),
    "kind": (
        edited(lambda d: d.update(kind="cake")),
        "is not a result of pytest-reprotest (its kind",
    ),
    "verdict": (
        edited(lambda d: first(d)["verdict"].update(status="fine")),
        "is not a result of pytest-reprotest (a verdict is 'fine'; expected pass, fail, inconclusive)",
    ),
    "gate": (
        edited(lambda d: first(d).update(gate={"method": "luck"})),
        "is not a result of pytest-reprotest (a gate's method is 'luck'; expected rank or t)",
    ),
    "gate number": (
        edited(lambda d: first(d).update(gate={"method": "t", "new": "x"})),
        "is not a result of pytest-reprotest (new is 'x'",
    ),
    "changes": (
        edited(
            lambda d: first(d).update(changes=[{"measure": "luck", "status": "same", "limit": {}}])
        ),
        "is not a result of pytest-reprotest (a change is of 'luck', held against [])",
    ),
    "no changes": (
        edited(lambda d: first(d).update(changes=[7])),
        "is not a result of pytest-reprotest (there is",
    ),
}


@pytest.mark.parametrize(
    ("damage", "workers"), [*((damage, []) for damage in DAMAGES), ("empty", ["-n1"])]
)
def test_an_unusable_file_is_a_usage_error_at_the_start(project, damage, workers):
    stored(project)
    change, message = DAMAGES[damage]
    change(project.path / "base.json")
    project.write("raise SystemExit('collected')")
    result = project.run("--repro-compare=base.json", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = project.said(result)
    assert said.startswith("ERROR: ")
    assert message in said
    assert "Traceback" not in said


def test_what_a_file_holds_cannot_steer_the_terminal(project):
    evil = "\x1b]0;title\x07\x1b[2J\u202e"
    stored(project)
    path = project.path / "base.json"
    document = json.loads(path.read_text())
    (audit,) = document["audits"]
    audit["settings"]["device"] = evil
    audit["regularizers"][evil] = audit["regularizers"]["none"]
    path.write_text(json.dumps(document))
    project.write(WORSE)
    result = project.run("--repro-compare=base.json", "-n0", "-vv")
    out = f"{result.stdout}{result.stderr}"
    assert r"device: \x1b]0;title\x07\x1b[2J\u202e → cpu" in project.said(result)
    assert not set(evil) - set("]0;title[2J") & set(out)
    audit["name"], audit["baseline"] = evil, 3
    path.write_text(json.dumps(document))
    result = project.run("--repro-compare=base.json", "-n0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not set(evil) - set("]0;title[2J") & set(f"{result.stdout}{result.stderr}")
