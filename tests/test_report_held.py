"""The table of new runs that are held against a bank, and sentences of what changed."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest import audit_predictions
from pytest_reprotest.baseline import compare_results
from pytest_reprotest.digests import Digests
from pytest_reprotest.proof import Proof
from pytest_reprotest.report.failure import explain
from pytest_reprotest.report.held import what_failed
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.report.terminal import render
from pytest_reprotest.statistics.gate import Gate
from pytest_reprotest.thresholds import Limit
from pytest_reprotest.verdict import Verdict, broken

TRUTH = np.arange(10) % 2
PASSES = Gate("rank", 0.21, 0.2, 0.25, 0.4, True, 1, 19)
FAILS = Gate("rank", 0.3, 0.2, 0.25, 0.05, True, 1, 19)
NAME = "tests/test_a.py::test_net"


def gated(limits=(), **gates):
    """An audit of one new run under each label."""
    runs = np.tile(TRUTH, (2, 1))
    result = audit_predictions(dict.fromkeys(gates, runs), TRUTH, name=NAME)
    found = {}
    for label, gate in gates.items():
        if gate is None:
            verdict = broken("run 19 of 'none' failed: no")
            found[label] = replace(result[label], predictions=runs[:0], verdict=verdict)
        else:
            verdict = Verdict("fail", (str(gate),)) if gate.failed else Verdict("pass")
            found[label] = replace(
                result[label], predictions=runs[:1], gate=gate, verdict=verdict, limits=limits
            )
    return replace(result, by_regularizer=found, comparisons={})


def texts(result, width=100, verbosity=0):
    return [line.text for line in render([Audited(result)], width, verbosity)]


def test_the_table_has_the_runs_and_disagreements_of_both_sides():
    result = gated(none=PASSES, dropout=FAILS, adam=None)
    lines = render([Audited(replace(result, not_applicable={"residual": "no place"}))], 100)
    assert [line.text for line in lines][:8] == [
        "test, regularizer    runs  accuracy  PD to bank  in bank  at most  verdict",
        "-----------------  ------  --------  ----------  -------  -------  ------------",
        NAME,
        "  none             1 + 19  1.000     0.210       0.200    0.250    pass",
        "  dropout          1 + 19  1.000     0.300       0.200    0.250    fail",
        "  adam                  0  1.000     -           -        -        broken",
        "  residual              0  -         -           -        -        does not fit",
        "runs: new + bank. PD to bank: fraction of test samples on which a new run and one of the bank",
    ]
    assert [line.style for line in lines[3:7]] == ["green", "red", "red", "yellow"]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    label = "batch_norm+weight_decay"
    result = gated((Limit("min_accuracy", 0.9),), none=PASSES, **{label: FAILS})
    lines = texts(result, width)
    assert max(len(line) for line in lines if NAME not in line) <= max(width, 79)
    assert ("thresholds" in lines[0]) == (width >= 100)
    assert ("  thresholds: acc≥0.9" in lines) == (width < 100)


def test_quiet_shows_what_fails_and_verbose_every_gate():
    result = gated(none=PASSES, dropout=FAILS)
    quiet = texts(result, verbosity=-1)
    assert [line for line in quiet if "none" in line] == []
    assert any("dropout" in line for line in quiet)
    said = " ".join(" ".join(texts(result)).split())
    assert f"{NAME}: dropout: {FAILS}" in said
    assert str(PASSES) not in said
    assert f"{NAME}: none: {PASSES}" in " ".join(" ".join(texts(result, verbosity=1)).split())


def test_a_failures_message_says_which_question_failed():
    message = explain(gated(none=PASSES, dropout=FAILS), "pytest x")
    assert message.splitlines()[0] == (
        "reproducibility: 1 of 2 regularizers disagree with the bank more than it does with itself"
    )
    assert "  dropout (1 run): 1 new run differs from the 19 runs of the bank by 0.3000" in message


def found(gate=None, reasons=("accuracy 0.8 is below min_accuracy=0.9",)):
    result = gated(none=PASSES)["none"]
    return replace(result, gate=gate, verdict=Verdict("fail", reasons))


def changed(new):
    """A result with its changes since a perfect one."""
    runs = np.tile(TRUTH, (3, 1))
    old = audit_predictions({"none": runs}, TRUTH, name=NAME)
    worse = np.tile(new, (3, 1))
    result = audit_predictions({"none": worse}, TRUTH, name=NAME)
    changes = compare_results(result, old).by_regularizer["none"]
    return replace(result, by_regularizer={"none": replace(result["none"], changes=changes)})


WORSE = changed([0, 1, 0, 1, 0, 1, 0, 1, 1, 1])["none"]


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ([found(FAILS)], "disagree with the bank more than it does with itself"),
        (
            [found(FAILS), found(PASSES)],
            "breach a threshold or disagree with the bank more than it does with itself",
        ),
        ([WORSE], "are worse than the stored result"),
        ([WORSE, found()], "breach a threshold or are worse than the stored result"),
        ([found()], None),
        ([found(PASSES)], None),
    ],
)
def test_what_failed_is_told_apart(failed, told):
    assert what_failed(failed) == told


def test_changes_are_sentences_and_those_within_bounds_at_v():
    result = changed([0, 1, 0, 1, 0, 1, 0, 1, 1, 1])
    settings = {**result.settings, "compared_with": "base.json"}
    result = replace(result, settings=settings)
    said = " ".join(" ".join(texts(result)).split())
    assert (
        f"{NAME}: none: against base.json: accuracy went from 1.0000 to 0.9000, by -0.1000 [-0.1000, "
        "-0.1000], beyond max_accuracy_drop=0.005" in said
    )
    assert "prediction_difference went" not in said
    verbose = " ".join(" ".join(texts(result, verbosity=1)).split())
    assert "none: against base.json: prediction_difference went from 0.0000 to 0.0000" in verbose


# --- proofs of determinism ----------------------------------------------------------------------


def proven(**proofs):
    """An audit of two runs of one seed under each label."""
    runs = np.tile(TRUTH, (2, 1))
    result = audit_predictions(dict.fromkeys(proofs, runs), TRUTH, name=NAME)
    found = {
        label: replace(
            result[label],
            proof=proof,
            verdict=broken(*proof.differences) if proof.differences else Verdict("pass"),
        )
        for label, proof in proofs.items()
    }
    return replace(result, by_regularizer=found, comparisons={})


AGREE = Proof(tuple(Digests(process, "a", "b", {}, {}, {}) for process in (1, 2)))
DIFFER = replace(
    AGREE, differences=("losses differ from epoch 1 of 2 on: 0.5 in run 0, 0.6 in run 1",)
)


def test_a_proof_is_a_pass_and_a_sentence():
    lines = texts(proven(none=AGREE), width=200)
    assert any(line.split()[-1] == "pass" for line in lines)
    assert lines[-1] == (
        f"{NAME}: none: 2 runs of one seed agree to the last bit in weights, buffers, losses and predictions, "
        "trained in 2 processes"
    )
    assert not any("agree to the last bit" in line for line in texts(proven(none=DIFFER)))


def test_the_message_says_that_one_seed_gives_other_bits():
    result = proven(none=DIFFER, adam=AGREE)
    assert not result.passed
    message = explain(replace(result, report_only=True), "pytest")
    assert message.startswith(
        "reproducibility: 1 of 2 regularizers do not give the same bits when one seed is trained again\n"
        "  none (2 runs): losses differ from epoch 1 of 2 on: 0.5 in run 0, 0.6 in run 1"
    )
    other = replace(result["adam"], proof=None, verdict=broken("no"))
    both = replace(result, by_regularizer={**result.by_regularizer, "adam": other})
    assert "2 of 2 regularizers cannot be trusted or do not give the same bits" in explain(both, "")
