import numpy as np
import pytest
from torch import nn

from pytest_reprotest import FunctionTrainer, audit, audit_predictions
from pytest_reprotest.api import as_trainer
from pytest_reprotest.errors import (
    DataError,
    OptionError,
    RegularizerRefused,
    ReprotestError,
    TrainingError,
)
from pytest_reprotest.interfaces import RunOutcome, Trainer
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import by_hand, none

TRUTH = np.array([0, 1, 1, 0, 2])
LABELS = np.array([[0, 1, 1, 0, 2], [0, 1, 1, 0, 1], [0, 1, 1, 0, 2]])

inputs = np.linspace(-1, 1, 48, dtype="float32").reshape(24, 2)
DATA = {
    "train": (inputs, (inputs.sum(axis=1) > 0).astype("int64")),
    "test": (inputs[::2], (inputs[::2].sum(axis=1) > 0).astype("int64")),
    "epochs": 2,
    "batch_size": 8,
    "lr": 0.5,
}


def make_mlp():
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))


def audited(model_factory=make_mlp, **settings):
    return audit(model_factory, **{**DATA, "workers": 1, "device": "cpu", **settings})


# --- predictions made elsewhere -----------------------------------------------------------------


def test_predictions_are_judged_as_runs_are():
    result = audit_predictions(
        {"none": LABELS, "dropout": LABELS[::-1]},
        TRUTH,
        name="nightly",
        max_prediction_difference={"dropout": 0.1},
        min_accuracy=0.9,
    )
    assert (result.name, result.baseline, result.regularizers) == (
        "nightly",
        "none",
        ("none", "dropout"),
    )
    assert result["none"].verdict.status == "pass"
    assert result["dropout"].verdict.status == "fail"
    assert result["none"].prediction_difference.value == pytest.approx(2 / 15)
    assert result["none"].effective_accuracy.value == pytest.approx(12 / 15)
    assert result.y_true.tolist() == TRUTH.tolist()
    assert not result.passed


def test_scores_lists_and_labels_give_the_same():
    scores = np.eye(3)[LABELS]
    given = [scores, LABELS.tolist(), list(LABELS), LABELS.astype("uint8")]
    summaries = {audit_predictions({"none": runs}, list(TRUTH))["none"].summary for runs in given}
    assert len(summaries) == 1


@pytest.mark.parametrize(
    ("labels", "baseline", "found"),
    [(("b", "none"), None, "none"), (("b", "a"), None, "b"), (("b", "a"), "a", "a")],
)
def test_the_baseline_of_predictions(labels, baseline, found):
    result = audit_predictions(dict.fromkeys(labels, LABELS), TRUTH, baseline=baseline)
    assert result.baseline == found


def test_only_reporting_passes_what_is_breached():
    result = audit_predictions({"none": LABELS}, TRUTH, min_accuracy=1.0, report_only=True)
    assert result["none"].verdict.status == "fail"
    assert result.passed


def test_predictions_record_their_versions_and_origins():
    settings = audit_predictions({"none": LABELS}, TRUTH, min_accuracy=0.5).settings
    assert settings["versions"]["numpy"] == np.__version__
    assert settings["origins"] == {"min_accuracy": "call"}


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({}, "predictions is dict of length 0; expected a mapping from label to array"),
        (LABELS, "predictions is ndarray of length 3; expected a mapping from label to array"),
        (None, "predictions is None (NoneType); expected a mapping"),
        (
            {"none": LABELS[:1]},
            "'none' holds ndarray of length 1; expected an array (n_runs, n_samples)",
        ),
        (
            {"none": 3},
            "'none' holds 3 (int); expected an array (n_runs, n_samples) of at least 2 runs",
        ),
        ({"none": np.array(3)}, "'none' holds array(3) (ndarray); expected an array"),
        ({"none": TRUTH}, "run 0 of 'none': predictions have shape (); expected labels (5,)"),
        (
            {"none": LABELS[:, :4]},
            "run 0 of 'none': predictions have shape (4,); expected labels (5,)",
        ),
        (
            {"none": LABELS, "adam": [*LABELS, [0, 1]]},
            "run 3 of 'adam': predictions have shape (2,); expected labels (5,)",
        ),
        ({"none": LABELS - 1}, "run 0 of 'none': labels outside the classes"),
        ({"none": LABELS / 2}, "run 0 of 'none': predictions have dtype float64"),
        ({"none": np.full((2, 5, 3), np.nan)}, "run 0 of 'none': scores hold NaN or infinity"),
        (
            {"none": np.zeros((2, 5, 2))},
            "run 0 of 'none': labels outside the classes: y_true holds 2",
        ),
    ],
)
def test_predictions_that_cannot_be_audited_are_refused(predictions, message):
    with pytest.raises(DataError) as refusal:
        audit_predictions(predictions, TRUTH)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_pd": 0.1},
            "audit_predictions() got an unknown keyword 'max_pd'; expected any of max_",
        ),
        ({"min_acuracy": 0.1}, "Did you mean 'min_accuracy'?"),
        ({"runs": 3}, "audit_predictions() got an unknown keyword 'runs'"),
        ({"min_accuracy": 90}, "min_accuracy=90: got 90; expected a fraction of test samples"),
        (
            {"report_only": "perhaps"},
            "report_only='perhaps': got 'perhaps'; expected true or false",
        ),
        (
            {"baseline": "nnoe"},
            "baseline: no predictions of 'nnoe'; expected any of 'none'. Did you mean 'none'?",
        ),
        (
            {"max_accuracy_std": {"none": 0.1, "adam": 0.1}},
            "max_accuracy_std: no predictions of 'adam'; expected any of 'none'.",
        ),
    ],
)
def test_thresholds_that_cannot_be_held_against_predictions_are_refused(settings, message):
    with pytest.raises(OptionError) as refusal:
        audit_predictions({"none": LABELS}, TRUTH, **settings)
    assert message in str(refusal.value)


def test_true_labels_are_checked_first():
    with pytest.raises(DataError, match="the test set is empty"):
        audit_predictions({"none": np.zeros((2, 0))}, [])


# --- training -----------------------------------------------------------------------------------


def test_an_audit_trains_every_run_and_judges():
    outcomes = []
    result = audited(
        runs=3,
        regularizers="none,weight_decay(1e-3)",
        min_accuracy=0.5,
        seed=4,
        vary="init",
        name="tiny",
        progress=lambda plan: outcomes.append,
    )
    assert result.name == "tiny"
    assert result.regularizers == ("none", "weight_decay(0.001)")
    assert [result[label].n_runs for label in result.regularizers] == [3, 3]
    assert len(outcomes) == 6
    settings = result.settings
    assert (settings["runs"], settings["seed"], settings["vary"]) == (3, 4, ["init"])
    assert settings["training"]["lr"] == 0.5
    assert settings["origins"]["seed"] == "call"


def test_an_audit_repeats_to_the_last_bit_and_its_seed_matters():
    first, again = audited(runs=3), audited(runs=3)
    other = audited(runs=3, seed=1)
    assert (first["none"].predictions == again["none"].predictions).all()
    assert first["none"].losses == again["none"].losses
    assert first["none"].losses != other["none"].losses


def test_where_nothing_varies_runs_are_the_same():
    result = audited(runs=2, vary="none")
    assert result["none"].prediction_difference.value == 0.0
    assert result["none"].losses[0] == result["none"].losses[1]


def test_all_audits_what_fits_and_says_what_does_not():
    result = audited(lambda: nn.Linear(2, 2), runs=2, regularizers="all")
    assert "none" in result.regularizers
    assert "residual" in result.not_applicable
    assert "residual" not in result.regularizers


def test_a_regularizer_that_is_named_and_does_not_fit_is_refused():
    with pytest.raises(RegularizerRefused, match="'residual' needs a hidden"):
        audited(lambda: nn.Linear(2, 2), runs=2, regularizers="none,residual")


def test_a_registry_of_one_s_own():
    class Mine(none):
        name = "mine"
        summary = "mine"

    result = audited(runs=2, regularizers="none,mine", registry=Registry([Mine]))
    assert result.regularizers == ("none", "mine")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"run": 3},
            OptionError,
            "unknown training setting 'run'; expected any of train, test, task, tolerance, score, epochs",
        ),
        ({"run": 3}, OptionError, "Did you mean 'runs'?"),
        ({"epoch": 3}, OptionError, "Did you mean 'epochs'?"),
        ({"zzz": 3}, OptionError, "threads."),
        ({"runs": 1}, OptionError, "runs=1: got 1; expected at least 2 runs"),
        ({"device": "gpu"}, OptionError, "device='gpu': got 'gpu'; expected auto, cpu"),
        ({"vary": "inti"}, OptionError, "vary='inti': unknown variance source 'inti'"),
        ({"min_accuracy": {"adam?": 1}}, OptionError, "min_accuracy: can't read the regularizers"),
        ({"regularizers": "nnoe"}, OptionError, "unknown regularizer 'nnoe'"),
        (
            {"baseline": "adam"},
            OptionError,
            "baseline='adam' is not among the audited regularizers",
        ),
        (
            {"train": None},
            OptionError,
            "train= is missing; expected the pair (inputs, targets), or a",
        ),
        (
            {"test": None},
            OptionError,
            "test= is missing; expected the pair (inputs, targets), or a",
        ),
        ({"epochs": 0}, OptionError, "epochs=0; expected an integer of at least 1"),
        ({"model_factory": 3}, TrainingError, "3"),
    ],
)
def test_impossible_arguments_are_refused(settings, error, message):
    with pytest.raises(error) as refusal:
        audited(**settings)
    assert message in str(refusal.value)
    assert isinstance(refusal.value, ReprotestError)


def test_a_trainer_decides_by_itself_how_it_trains():
    trainer = FunctionTrainer(lambda run: TRUTH, y_true=TRUTH)
    with pytest.raises(TrainingError) as refusal:
        audit(trainer, epochs=3, train=(1, 2))
    assert str(refusal.value) == (
        "epochs, train can't be set beside a FunctionTrainer, which decides by itself how it trains"
    )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("runs", "It belongs on the marker: @reproducibility(...)"),
        ("workers", "It is set by --repro-workers, or repro_workers in the ini file"),
        ("y_true", "is wrapped: FunctionTrainer(train_fn, y_true=...)"),
        ("epoch", "Did you mean 'epochs'?"),
    ],
)
def test_a_setting_that_retrain_does_not_take_is_sent_where_it_belongs(key, hint):
    with pytest.raises(OptionError) as refusal:
        as_trainer(make_mlp, {key: 3})
    assert str(refusal.value).startswith(f"unknown training setting '{key}'; expected any of train")
    assert str(refusal.value).endswith(hint)


# --- what trainers may give ---------------------------------------------------------------------


class Given(Trainer):
    """Gives what it was given, run by run."""

    def __init__(self, *outputs):
        self.outputs = outputs

    @property
    def y_true(self):
        return TRUTH

    def train(self, runs, regularizer, placement):
        for run in runs:
            output = self.outputs[run.index]
            if isinstance(output, str):
                yield RunOutcome(run, failure=output, losses=(1.0,), seconds=2.0)
            elif output is not None:
                yield RunOutcome(run, np.array(output), losses=(0.5, 0.25), seconds=1.0)


def given(*outputs, **settings):
    runs = len(outputs)
    return audit(Given(*outputs), runs=runs, workers=1, device="cpu", **settings)["none"]


def test_the_outcomes_of_runs_become_one_result():
    found = given(*LABELS, min_accuracy=0.5)
    assert found.predictions.tolist() == LABELS.tolist()
    assert found.predictions.dtype == np.uint8
    assert found.losses == ((0.5, 0.25),) * 3
    assert found.seconds == 3.0
    assert found.verdict.status == "pass"


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ((LABELS[0], "it diverged"), "run 1 of 'none' (--repro-seed=0) failed: it diverged"),
        ((LABELS[0], None), "only 1 of 2 runs of 'none' came back"),
        (
            (LABELS[0], LABELS[0][:3]),
            "run 1 of 'none' (--repro-seed=0) failed: predictions have shape (3,); expected labels (5,)",
        ),
        (
            (LABELS[0], LABELS[0] - 1),
            "failed: labels outside the classes: predictions go from -1 to 1",
        ),
        ((LABELS[0], [1] * 5), "constant predictor: run 1 (class 1) predicted one class"),
    ],
)
def test_a_run_that_cannot_be_trusted_breaks_the_audit_also_where_it_only_reports(outputs, reason):
    found = given(*outputs, min_accuracy=0.1, report_only=True)
    assert found.verdict.broken
    assert found.verdict.status == "fail"
    assert found.verdict.reasons[0].startswith(reason) or reason in found.verdict.reasons[0]


def test_a_lost_run_leaves_no_estimate():
    found = given(LABELS[0], "it diverged", min_accuracy=0.1)
    assert found.n_runs == 0
    assert found.predictions.shape == (0, 5)
    assert np.isnan(found.accuracy.value)
    assert [str(limit) for limit in found.limits] == ["acc≥0.1"]
    assert found.seconds == 3.0


def test_a_function_gets_the_label_that_is_built_by_hand():
    def train_fn(run):
        flipped = TRUTH.copy()
        if run.regularizer == "cutout":
            flipped[run.index] = (flipped[run.index] + 1) % 3
        return flipped

    result = audit(
        FunctionTrainer(train_fn, y_true=TRUTH),
        regularizers=["none", by_hand("cutout")],
        max_prediction_difference={"cutout": 0.5},
        runs=2,
        workers=1,
    )
    assert result["none"].prediction_difference.value == 0.0
    assert result["cutout"].prediction_difference.value == pytest.approx(0.4)
    assert result.passed
