"""--repro-bank and repro_bank."""

import json
import shutil

import pytest

from pytest_reprotest import AuditResult

TEST = """
def wild(run):
    labels = shaky(run)
    labels[5:8] = 1 - labels[5:8]
    return labels

@reproducibility(runs=4, regularizers="none,dropout")
def test_net(retrain):
    retrain(FunctionTrainer(TRAINED, y_true=y_true))
"""
UNCHANGED = TEST.replace("TRAINED", "shaky")
CHANGED = TEST.replace(
    "TRAINED", "lambda run: wild(run) if run.regularizer == 'none' else shaky(run)"
)
WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
SENTENCE = (
    "1 new run differs from the 4 runs of the bank by 0.5000, and those from each other by 0.2000; "
    "expected at most 0.4422 (p = 0.036 by t, level 0.05)"
)


def banked(project, source=UNCHANGED, *options):
    """Make a bank."""
    project.write(source)
    project.run("--repro-save-bank=bank.json", "-n0", *options)
    assert (project.path / "bank.json").exists()


def stored(project):
    return project.audits()["test_net"]


@WORKERS
def test_unchanged_code_passes_with_a_run_that_the_bank_has_not(project, workers):
    banked(project)
    result = project.run("--repro-bank=bank.json", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    found = AuditResult.from_json(project.path / "out.json")
    assert found.settings["first_run"] == 4
    assert found["none"].n_runs == 1
    assert (found["none"].predictions[0] != found.y_true).nonzero()[0].tolist() == [4]
    gate = found["none"].gate
    assert (gate.new, gate.bank) == pytest.approx((0.2, 0.2))
    assert (gate.n_new, gate.n_bank, gate.failed) == (1, 4, False)
    assert found.comparisons == {}


@WORKERS
def test_a_change_that_disagrees_with_the_bank_fails_with_the_sentence(project, workers):
    banked(project)
    project.write(CHANGED)
    result = project.run("--repro-bank=bank.json", "--repro-json=out.json", *workers)
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert (
        "reproducibility: 1 of 2 regularizers disagree with the bank more than it does with itself "
        f"none (1 run): {SENTENCE}" in said
    )
    assert (
        "pytest test_audit.py::test_net --repro-bank=bank.json --repro-bank-runs=1 --repro-seed=0 "
        "--repro-regularizers=none" in said
    )
    verdicts = {label: found["verdict"] for label, found in stored(project)["regularizers"].items()}
    assert verdicts == {
        "none": {"status": "fail", "reasons": [SENTENCE], "broken": False},
        "dropout": {"status": "pass", "reasons": [], "broken": False},
    }
    assert stored(project)["regularizers"]["none"]["gate"]["failed"] is True


def test_the_rerun_command_that_a_failure_shows_fails_alike(project):
    banked(project)
    project.write(CHANGED)
    result = project.run("--repro-bank=bank.json")
    command = next(line for line in result.outlines if line.startswith("  pytest test_audit"))
    again = project.run(*command.split()[1:])
    again.assert_outcomes(failed=1)
    assert f"none (1 run): {SENTENCE}" in project.said(again)


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["none", "n1"])
def test_the_table_shows_both_sides(project, workers):
    banked(project)
    project.write(CHANGED)
    result = project.run("--repro-bank=bank.json", *workers)
    lines = result.outlines[-20:]
    start = next(n for n, line in enumerate(lines) if line.startswith("test, regularizer"))
    assert lines[start : start + 7] == [
        "test, regularizer   runs  accuracy  PD to bank  in bank  at most  verdict",
        "-----------------  -----  --------  ----------  -------  -------  -------",
        "test_audit.py::test_net",
        "  none             1 + 4  0.600     0.500       0.200    0.442    fail",
        "  dropout          1 + 4  0.900     0.200       0.200    0.442    pass",
        "runs: new + bank. PD to bank: fraction of test samples on which a new run and one of the bank "
        "differ; in bank: two of",
        "  the bank. Above at most it fails.",
    ]


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["none", "n1"])
def test_items_are_held_each_for_itself_and_not_compared(project, workers):
    source = """
        @reproducibility(runs=4, regularizers="none,residual,layer_norm,dropout+batch_norm")
        def test_items(retrain, regularizer):
            retrain(make_solved, **data)

        @reproducibility(runs=4, regularizers="all")
        def test_all(retrain):
            retrain(make_solved, **data)
        """
    source = source.replace("none,residual", "none")
    banked(project, source)
    result = project.run("--repro-bank=bank.json", "--repro-json=out.json", *workers)
    result.assert_outcomes(passed=4)
    audits = project.audits()
    assert all(audit["comparisons"] == {} for audit in audits.values())
    assert "residual" in audits["test_all"]["not_applicable"]
    assert "PD against the baseline" not in project.said(result)
    result.stdout.fnmatch_lines(["test_audit.py::test_items", "  layer_norm * 1 + 4 *"])


def test_report_only_waives_the_gate(project):
    banked(project)
    project.write(CHANGED)
    result = project.run("--repro-bank=bank.json", "--repro-report-only")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*none * 0.500 * fail (report)"])
    assert f"test_audit.py::test_net: none: {SENTENCE}" in project.said(result)


def test_the_ini_file_names_the_bank_and_a_new_one_sets_it_aside(project):
    project.ini("repro_bank = bank.json", "repro_runs = 3")
    banked(project)
    result = project.run("-n0", "--repro-json=out.json")
    result.assert_outcomes(passed=1)
    assert stored(project)["settings"]["first_run"] == 4
    assert (
        "reproducibility: --repro-seed=0 --repro-bank=bank.json (1 audited test)" in result.outlines
    )
    project.write(CHANGED)
    project.run("--repro-save-bank=bank.json").assert_outcomes(passed=1)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert stored(project)["regularizers"]["none"]["gate"]["bank"] == pytest.approx(0.2)


# --- what is still held, and what is not --------------------------------------------------------


def test_thresholds_on_pairs_are_not_held_which_is_said_and_accuracy_is(project):
    limited = UNCHANGED.replace(
        "runs=4,", "runs=4, max_prediction_difference=0.1, max_accuracy_std=0.1, min_accuracy=0.95,"
    )
    banked(project, limited)
    result = project.run("--repro-bank=bank.json", "--repro-json=out.json")
    result.assert_outcomes(failed=1)
    found = stored(project)
    assert found["notes"] == [
        "max_prediction_difference and max_accuracy_std are not held: with --repro-bank the question is "
        "whether runs still agree with the bank's"
    ]
    assert found["regularizers"]["none"]["limits"] == {"min_accuracy": 0.95}
    assert found["regularizers"]["none"]["verdict"]["reasons"] == [
        "accuracy 0.9000 is below min_accuracy=0.95"
    ]


def test_what_the_marker_says_of_decisions_is_left_to_the_gate(project):
    banked(project, UNCHANGED.replace("runs=4", "runs=4, compat='study'"))
    project.write(
        UNCHANGED.replace("runs=4", "runs=4, max_runs=8, decision='confidence', min_accuracy=0.5")
    )
    result = project.run("--repro-bank=bank.json", "--repro-json=out.json")
    result.assert_outcomes(passed=1)
    assert stored(project)["settings"]["decision"] == "point"
    assert stored(project)["regularizers"]["none"]["n_runs"] == 1


GUARDED = {
    "raise ValueError('the loss is NaN')": (
        "run 4 of 'none' (--repro-seed=0) failed: ValueError: the loss is NaN"
    ),
    "return np.zeros(10, dtype=int)": "constant predictor: run 4 (class 0) predicted one class for all",
    "return np.full((10, 2), np.nan)": "scores hold NaN or infinity; expected finite numbers",
}


@pytest.mark.parametrize("report", [[], ["--repro-report-only"]], ids=["held", "report"])
@pytest.mark.parametrize("body", GUARDED)
def test_guards_are_held_whatever_is_waived(project, body, report):
    banked(project)
    project.write(UNCHANGED.replace("labels = shaky(run)", body).replace("(shaky,", "(wild,"))
    result = project.run("--repro-bank=bank.json", *report)
    result.assert_outcomes(failed=1)
    assert GUARDED[body] in project.said(result)
    result.stdout.fnmatch_lines(["*none * broken*"])


def test_the_result_is_there_for_assertions(project):
    banked(project)
    project.write("""
        @reproducibility(runs=4, regularizers="none,dropout")
        def test_net(retrain):
            result = retrain(FunctionTrainer(shaky, y_true=y_true))
            assert result["none"].gate.n_bank == 4
            assert result["none"].predictions.shape == (1, 10)
        """)
    project.run("--repro-bank=bank.json").assert_outcomes(passed=1)


# --- what may not be held against it ------------------------------------------------------------


def test_a_second_audit_of_a_test_is_another_one(project):
    banked(project)
    again = "    retrain(FunctionTrainer(shaky, y_true=y_true))\n"
    project.write(UNCHANGED + again)
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert "test_audit.py::test_net #2: not in the bank bank.json; it holds" in project.said(result)


def test_a_test_that_is_not_in_the_bank_fails_and_is_told_the_closest(project):
    banked(project)
    project.write(UNCHANGED.replace("test_net", "test_nets"))
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_nets: not in the bank bank.json; it holds 'test_audit.py::test_net'. Did you "
        "mean 'test_audit.py::test_net'? Make a new bank with --repro-save-bank, or leave the test out"
        in project.said(result)
    )


OTHERS = {
    "y_true=y_true[::-1]": (
        "the bank is of another test set: true labels differ on 10 of 10 samples. Make a new bank with "
        "--repro-save-bank"
    ),
    "y_true=y_true % 1": (
        "the bank is of another label set: 2 classes (0, 1) there, 1 classes (0) here. Make a new bank "
        "with --repro-save-bank"
    ),
    "y_true=y_true), 'init'": (
        "the bank's runs are not of this training: vary: init,data_order,noise → init. Make a new bank "
        "with --repro-save-bank, or train as before"
    ),
    "y_true=y_true), 'none,adam'": (
        "the bank holds no runs of 'adam'; it holds 'none', 'dropout'. Make a new bank with "
        "--repro-save-bank, or audit what it holds: --repro-regularizers"
    ),
}


@pytest.mark.parametrize("changed", OTHERS)
def test_a_bank_of_another_test_set_or_training_is_refused_before_anything_trains(project, changed):
    banked(project)
    data, _, keyword = changed.partition("), ")
    source = UNCHANGED.replace("y_true=y_true)", data + ")").replace(
        "labels = shaky(run)", "raise SystemExit"
    )
    source = source.replace("(shaky,", "(wild,")
    if "adam" in keyword:
        source = source.replace("'none,dropout'", keyword).replace('"none,dropout"', keyword)
    elif keyword:
        source = source.replace("runs=4", f"runs=4, vary={keyword}")
    project.write(source)
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert f"test_audit.py::test_net: {OTHERS[changed]}" in project.said(result)
    assert project.said(result).count("test_audit.py::test_net: test_audit.py::test_net") == 0


def test_a_changed_recipe_is_named(project):
    source = """
        @reproducibility(runs=3)
        def test_net(retrain):
            retrain(make_solved, **{**data, "epochs": EPOCHS})
        """
    banked(project, source.replace("EPOCHS", "2"))
    project.run("--repro-bank=bank.json").assert_outcomes(passed=1)
    project.write(source.replace("EPOCHS", "1"))
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_net: the bank's runs are not of this training: training.epochs: 2 → 1. Make "
        "a new bank with --repro-save-bank, or train as before" in project.said(result)
    )


def test_another_machine_or_version_is_a_warning(project):
    banked(project)
    path = project.path / "bank.json"
    document = json.loads(path.read_text())
    document["audits"][0]["settings"]["versions"]["torch"] = "2.0"
    path.write_text(json.dumps(document))
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(passed=1)
    assert (
        "test_audit.py::test_net: fingerprint, bank → now: software: torch 2.0 → "
        in project.said(result)
    )


def test_a_bank_of_too_few_runs_is_refused_before_anything_trains(project):
    banked(project, UNCHANGED.replace("runs=4", "runs=2"))
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_net: the bank holds 2 runs of 'none'; expected at least 3, since fewer don't "
        "say how much its runs differ. Make a new bank with more runs: --repro-save-bank, --repro-runs"
        in project.said(result)
    )


def test_an_interrupted_bank_says_why_a_test_is_missing(project):
    banked(project)
    path = project.path / "bank.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "complete": False, "audits": []}))
    result = project.run("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    assert (
        "not in the bank bank.json, of a session that was interrupted; it holds nothing. Make a new bank"
        in project.said(result)
    )


# --- files that are no bank ---------------------------------------------------------------------


def edited(change):
    """A bank, damaged by a function of its document."""

    def damage(path):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return damage


def first(document):
    return document["audits"][0]["regularizers"]["none"]


DAMAGES = {
    "missing": (lambda path: path.unlink(), "bank.json can't be read: No such file or directory"),
    "folder": (
        lambda path: (path.unlink(), path.mkdir()),
        "bank.json is a folder; expected a file of results",
    ),
    "empty": (
        lambda path: path.write_text(""),
        "is not a result of pytest-reprotest (JSONDecodeError",
    ),
    "binary": (
        lambda path: path.write_bytes(b"\x80\x04"),
        "is not a result of pytest-reprotest (UnicodeDecodeError",
    ),
    "cut": (
        lambda path: path.write_text(path.read_text()[:200]),
        "is not a result of pytest-reprotest (JSONDecodeError",
    ),
    "list": (lambda path: path.write_text("[]"), "is not a result of pytest-reprotest (TypeError"),
    "deep": (
        lambda path: path.write_text("[" * 100_000),
        "is not a result of pytest-reprotest (it is nested more than 50 deep)",
    ),
    "future": (edited(lambda d: d.update(schema_version=99)), "bank.json has schema version 99;"),
    "results": (
        edited(lambda d: d.update(kind="results")),
        "bank.json holds results and is no bank; expected a file written by --repro-save-bank. To hold "
        "today's results against stored ones there is --repro-compare",
    ),
    "twice": (edited(lambda d: d.update(audits=d["audits"] * 2)), "holds two audits of the name"),
    "nameless": (edited(lambda d: d["audits"][0].pop("name")), "an audit has no name"),
    "labels": (
        edited(lambda d: first(d)["predictions"].update(zlib="AAAA")),
        "is not a result of pytest-reprotest (an array can't be unpacked",
    ),
    "shape": (
        edited(lambda d: first(d)["predictions"].update(shape=[2, 20])),
        "is not a result of pytest-reprotest (runs of 20 samples stand beside 10 in y_true)",
    ),
    "huge": (
        edited(lambda d: first(d)["predictions"].update(shape=[10**9, 10**9])),
        "bytes; expected at most 4,294,967,296)",
    ),
    "settings": (
        edited(lambda d: d["audits"][0].update(settings=[])),
        "is not a result of pytest-reprotest (settings is a list; expected an object)",
    ),
}


@pytest.mark.parametrize(
    ("damage", "workers"), [*((damage, []) for damage in DAMAGES), ("cut", ["-n1"])]
)
def test_a_file_that_is_no_bank_is_a_usage_error_at_the_start(project, damage, workers, bank_file):
    shutil.copy(bank_file, project.path / "bank.json")
    change, message = DAMAGES[damage]
    change(project.path / "bank.json")
    project.write("raise SystemExit('collected')")
    result = project.run("--repro-bank=bank.json", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = project.said(result)
    assert said.startswith("ERROR: ")
    assert message in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said


@pytest.fixture(scope="module")
def bank_file(tmp_path_factory):
    """A bank of one test."""
    import numpy as np

    from pytest_reprotest import audit_predictions
    from pytest_reprotest.bank import save_bank

    y_true = np.array([0, 1] * 5)
    labels = np.array([np.where(np.arange(10) == run, 1 - y_true, y_true) for run in range(4)])
    path = tmp_path_factory.mktemp("banks") / "bank.json"
    save_bank(path, [audit_predictions({"none": labels}, y_true, name="test_audit.py::test_net")])
    return path


HOSTILE = {
    "first_run": lambda d: d["audits"][0]["settings"].update(first_run=10**30),
    "vary": lambda d: d["audits"][0]["settings"].update(vary={"a": [1]}),
    "training": lambda d: d["audits"][0]["settings"].update(training=[["deep"] * 5]),
    "seed": lambda d: d["audits"][0]["settings"].update(seed="x\x1b[2J"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_settings_of_any_kind_end_in_a_verdict_or_a_sentence(project, hostile):
    source = UNCHANGED.replace("TRAINED", "shaky").replace("(shaky,", "(drawn,")
    banked(project, source)
    edited(HOSTILE[hostile])(project.path / "bank.json")
    result = project.run("--repro-bank=bank.json")
    said = project.said(result)
    refused = result.ret == pytest.ExitCode.USAGE_ERROR and "is not a result" in said
    assert refused or result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert "\x1b" not in said


def test_a_bank_that_is_gone_once_workers_ask_is_a_sentence(project):
    banked(project)
    project.conftest("""
        from pathlib import Path

        def pytest_collection_finish(session):
            Path("bank.json").unlink(missing_ok=True)
        """)
    result = project.run("--repro-bank=bank.json", "-n2")
    result.assert_outcomes(failed=1)
    assert "bank.json can't be read: No such file or directory" in project.said(result)


# --- contradictions -----------------------------------------------------------------------------

CONTRADICTIONS = {
    "--repro-save-bank=b.json": (
        "--repro-save-bank=b.json and --repro-bank=bank.json: few runs are trained then, too few for a "
        "bank; write it without --repro-bank"
    ),
    "--repro-compare=b.json": (
        "--repro-compare=b.json and --repro-bank=bank.json: few runs are trained then, too few for a "
        "comparison; leave one of the two out"
    ),
    "--repro-json=bank.json": (
        "--repro-json=bank.json and --repro-bank=bank.json name one file; expected two"
    ),
    **{
        option: f"{option} and --repro-bank=bank.json: --repro-bank-runs new runs are held against the "
        "bank, and nothing else is asked of them; leave one of the two out"
        for option in (
            "--repro-runs=10",
            "--repro-decision=confidence",
            "--repro-on-inconclusive=pass",
            "--repro-compat=study",
            "--repro-max-prediction-difference=0.1",
            "--repro-min-effective-accuracy=0.5",
            "--repro-max-accuracy-drop=0.1",
        )
    },
    "--repro-plan": (
        "--repro-plan and --repro-bank=bank.json: a plan is of whole audits; leave one of the two out"
    ),
}


@pytest.mark.parametrize("option", CONTRADICTIONS)
def test_contradictions_are_a_usage_error(project, option):
    result = project.run("--repro-bank=bank.json", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result) == f"ERROR: {CONTRADICTIONS[option]}"


def test_two_ini_lines_contradict_each_other_too(project):
    project.ini("repro_bank = bank.json", "repro_compare = base.json")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "too few for a comparison; leave one of the two out" in project.said(result)
