"""What an audit is held against beside its thresholds."""

import numpy as np
import pytest

from pytest_reprotest import AuditResult, FunctionTrainer, audit_predictions
from pytest_reprotest._audit import run_audit
from pytest_reprotest.bank import save_bank
from pytest_reprotest.errors import DataError
from pytest_reprotest.options import resolve
from pytest_reprotest.references import NOTHING, Unheld
from pytest_reprotest.references.of_bank import BankRuns
from pytest_reprotest.references.of_result import StoredAudit
from pytest_reprotest.references.shelf import open_bank, open_results
from pytest_reprotest.registry import Registry

TRUTH = np.array([0, 1] * 50)


def wrong_on(count, seen=None):
    """A training function whose runs are wrong on so many samples, other ones each."""

    def train(run):
        assert run.regularizer
        if seen is not None:
            seen.append(run.index)
        flipped = run.generator("noise", kind="numpy").choice(100, count, replace=False)
        return np.where(np.isin(np.arange(100), flipped), 1 - TRUTH, TRUTH)

    return train


def audited(train=None, reference=NOTHING, y_true=TRUTH, name="test_a", **keywords):
    trainer = FunctionTrainer(train or wrong_on(7), y_true=y_true)
    options = resolve({}, {"runs": 8, **keywords})
    return run_audit(trainer, options, Registry(), name=name, reference=reference)


def gated(train=None, command=(), **keywords):
    trainer = FunctionTrainer(train or wrong_on(7), y_true=TRUTH)
    options = resolve(dict(command), {"runs": 5, **keywords})
    return run_audit(trainer, options, Registry(), name="test_a", reference=BankRuns(audited()))


# --- a bank -------------------------------------------------------------------------------------


def test_one_new_run_is_trained_after_those_of_the_bank():
    seen = []
    result = gated(wrong_on(7, seen))
    assert seen == [8]
    assert result.settings["first_run"] == 8
    assert result.settings["runs"] == 1
    found = result["none"]
    assert (found.n_runs, found.gate.n_new, found.gate.n_bank) == (1, 1, 8)
    assert found.accuracy.value == 0.93
    assert np.isnan(found.prediction_difference.value)
    assert (result.passed, found.verdict.status, found.verdict.reasons) == (True, "pass", ())
    assert result.comparisons == {}


def test_more_new_runs_have_the_indices_that_follow():
    seen = []
    result = gated(wrong_on(7, seen), command={"bank_runs": 3})
    assert sorted(seen) == [8, 9, 10]
    assert result["none"].gate.n_new == 3
    assert not np.isnan(result["none"].prediction_difference.value)


def test_a_worse_training_fails_with_the_sentence_of_the_gate():
    result = gated(wrong_on(30))
    found = result["none"]
    assert found.verdict.reasons == (str(found.gate),)
    assert not result.passed


def test_a_gate_is_stored_with_the_result():
    result = gated(wrong_on(30))
    assert AuditResult.from_dict(result.to_dict()) == result
    assert AuditResult.from_dict(result.to_dict())["none"].gate == result["none"].gate
    assert "gate" not in audited().to_dict()["regularizers"]["none"]


def test_thresholds_of_single_runs_are_held_beside_it_and_the_others_named():
    result = gated(min_accuracy=0.95, max_prediction_difference=0.01)
    assert [str(limit) for limit in result["none"].limits] == ["acc≥0.95"]
    assert result["none"].verdict.reasons == ("accuracy 0.9300 is below min_accuracy=0.95",)
    assert result.notes == (
        "max_prediction_difference is not held: with --repro-bank the question is whether runs still "
        "agree with the bank's",
    )


def test_a_constant_predictor_is_named_by_its_index():
    result = gated(lambda run: np.zeros(100, dtype=int) + 0 * len(run.regularizer))
    (reason,) = result["none"].verdict.reasons
    assert reason.startswith("constant predictor: run 8 (class 0) predicted one class")
    assert result["none"].verdict.broken
    assert result["none"].gate is None


def test_numbers_have_a_gate_too():
    def train(run, shift=0.0):
        assert run.regularizer
        return TRUTH + shift + run.generator("noise", kind="numpy").normal(size=100) * 0.1

    def trainer(shift):
        return FunctionTrainer(
            lambda run: train(run, shift), y_true=TRUTH, task="regression", tolerance=0.3
        )

    bank = run_audit(trainer(0.0), resolve({}, {"runs": 8}), Registry(), name="test_a")
    for shift, passes in ((0.0, True), (1.0, False)):
        result = run_audit(
            trainer(shift), resolve(), Registry(), name="test_a", reference=BankRuns(bank)
        )
        assert result["none"].gate.failed is not passes
        assert result.passed is passes
        assert np.isfinite(result["none"].score.value)


def test_another_task_is_refused():
    bank = audit_predictions(
        {"none": np.zeros((3, 100))}, TRUTH, name="a", task="regression", tolerance=0.1
    )
    with pytest.raises(DataError) as refusal:
        audited(reference=BankRuns(bank))
    assert str(refusal.value) == (
        "a: the bank is of another task: regression(tolerance=0.1, score='r2') there, classification here. "
        "Make a new bank with --repro-save-bank"
    )


def test_too_few_runs_and_other_labels_are_refused_before_anything_trains():
    few = audited(runs=2)
    with pytest.raises(DataError, match="the bank holds 2 runs of 'none'; expected at least 3"):
        audited(pytest.fail, BankRuns(few))
    with pytest.raises(DataError, match="true labels differ on 100 of 100 samples"):
        audited(pytest.fail, BankRuns(audited()), y_true=1 - TRUTH)


# --- a stored result ----------------------------------------------------------------------------


def stored(old=None, **keywords):
    return StoredAudit(old or audited(**keywords), "old.json")


def test_what_is_as_it_was_keeps_its_verdict():
    result = audited(reference=stored(), max_prediction_difference=0.3)
    assert [change.status for change in result["none"].changes] == ["same"] * 4
    assert result["none"].verdict.status == "pass"
    assert result.settings["compared_with"] == "old.json"
    assert result.notes == ()


def test_what_is_worse_fails_beside_a_breach():
    result = audited(wrong_on(20), stored(), max_prediction_difference=0.1)
    breach, *worse = result["none"].verdict.reasons
    assert breach.startswith("prediction_difference 0.")
    assert [reason.split()[:2] for reason in worse] == [["against", "old.json:"]] * 4
    assert AuditResult.from_dict(result.to_dict())["none"].changes == result["none"].changes


def test_what_is_undecided_by_thresholds_and_worse_fails_for_being_worse():
    result = audited(wrong_on(20), stored(), max_prediction_difference=0.32, decision="confidence")
    assert result["none"].verdict.status == "fail"
    assert all("against old.json: " in reason for reason in result["none"].verdict.reasons)


def test_what_is_better_is_a_note():
    result = audited(wrong_on(1), stored())
    assert result.passed
    assert result.notes[-1] == (
        "better than old.json by more than is tolerated: the baseline is stale. Store new results in its "
        "place (--repro-json)"
    )


def test_tolerances_are_those_that_hold_for_the_regularizer():
    tolerant = {
        "max_accuracy_drop": {"none": 0.5},
        "max_effective_accuracy_drop": 0.5,
        "max_prediction_difference_increase": 0.5,
        "max_negative_flip_excess": 0.5,
    }
    assert audited(wrong_on(20), stored(), **tolerant).passed
    other = {**tolerant, "max_accuracy_drop": {"dropout": 0.5}}
    assert not audited(wrong_on(20), stored(), **other).passed


def test_runs_that_can_no_longer_be_trusted_stay_broken():
    result = audited(lambda run: 1 // 0 * len(run.regularizer), stored())
    assert result["none"].verdict.broken
    assert len(result["none"].verdict.reasons) == 1


def test_stored_runs_that_could_not_be_trusted_are_compared_with_nothing():
    old = audited(lambda run: 1 // 0 * len(run.regularizer))
    result = audited(reference=stored(old))
    assert result.passed
    assert result.notes == ("held against nothing in old.json, which has no sound runs of 'none'",)


def test_another_test_set_task_or_too_few_runs_are_refused_before_anything_trains():
    with pytest.raises(
        DataError, match=r"old.json is of another test set: true labels differ on 1"
    ):
        audited(pytest.fail, stored(), y_true=1 - TRUTH)
    with pytest.raises(DataError, match=r"2 runs can't be held against old.json: a change is dec"):
        audited(pytest.fail, stored(), runs=2)
    with pytest.raises(DataError, match=r"old.json holds 2 runs of 'none'; a change is decided"):
        audited(pytest.fail, stored(runs=2))
    numbers = audit_predictions(
        {"none": np.zeros((3, 100))}, TRUTH, task="regression", tolerance=0.1
    )
    with pytest.raises(DataError) as refusal:
        audited(pytest.fail, stored(numbers))
    assert str(refusal.value) == (
        "old.json is of another task: regression(tolerance=0.1, score='r2') there, classification here. "
        "Store new results with --repro-json"
    )


# --- the file -----------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    save_bank(tmp_path / "bank.json", [audited(name=f"test_{n}") for n in range(7)])
    return tmp_path / "bank.json"


def test_a_shelf_has_a_reference_for_each_test(path):
    assert isinstance(open_bank(path, "bank.json").of("test_3"), BankRuns)
    assert isinstance(open_results(path, "bank.json").of("test_3"), StoredAudit)
    assert isinstance(open_results(path, "bank.json").of("test_a"), Unheld)


def test_a_bank_names_what_it_holds_and_no_end_of_it(path):
    with pytest.raises(DataError) as refusal:
        open_bank(path, "bank.json").of("test_33")
    assert str(refusal.value) == (
        "test_33: not in the bank bank.json; it holds 'test_0', 'test_1', 'test_2', 'test_3', 'test_4' "
        "and 2 more. Did you mean 'test_3'? Make a new bank with --repro-save-bank, or leave the test out"
    )


def test_a_damaged_audit_is_found_by_the_check(path):
    path.write_text(path.read_text().replace('"status": "pass"', '"status": "fine"', 1))
    shelf = open_bank(path, "bank.json")
    with pytest.raises(DataError, match="a verdict is 'fine'"):
        shelf.check()
