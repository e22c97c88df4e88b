"""Runs held against each other to the last bit: what differs first, in words, and the JSON form."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.digests import Digests, digest, of_arrays, of_losses
from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.proof import Proof, prove
from pytest_reprotest.seeds import RunSeeds

WEIGHTS = {"0.weight": "a", "0.bias": "b"}


def outcome(index, labels=(0, 1, 1), curve=(0.5, 0.25), **changed):
    """A run; ``changed`` are digests."""
    labels = np.array(labels)
    found = Digests(
        100 + index,
        of_arrays(labels, None),
        of_losses(curve),
        {**WEIGHTS, "1.count": "c"},
        WEIGHTS,
        {"1.count": "d"},
    )
    run = Run("none", index, RunSeeds(0, index, ()))
    return RunOutcome(run, labels, tuple(curve), digests=replace(found, **changed))


def test_runs_that_agree_are_a_proof():
    proof = prove([outcome(index) for index in range(3)])
    assert proof.differences == ()
    assert proof.compared == ("weights", "buffers", "losses", "predictions")
    assert str(proof) == (
        "3 runs of one seed agree to the last bit in weights, buffers, losses and predictions, trained in 3 "
        "processes"
    )


def test_predictions_alone_are_said_to_be_alone():
    bare = {"losses": None, "start": None, "weights": None, "buffers": None}
    proof = prove([outcome(index, curve=(), **bare) for index in range(2)])
    assert proof.differences == ()
    assert str(proof) == (
        "2 runs of one seed agree to the last bit in predictions, trained in 2 processes; only predictions "
        "were compared, since this trainer returns nothing else"
    )


def test_everything_that_differs_is_named_in_the_order_of_a_training():
    other = outcome(
        2,
        labels=(0, 1, 0),
        curve=(0.5, 0.2500000001),
        start={**WEIGHTS, "1.count": "x"},
        weights={"0.weight": "a", "0.bias": "x"},
        buffers={"1.count": "x"},
    )
    proof = prove([outcome(0), outcome(1), other])
    assert proof.differences == (
        "initial weights differ: 1 of 3 tensors, first '1.count' (run 2 against run 0)",
        "losses differ from epoch 2 of 2 on: 0.25 in run 0, 0.2500000001 in run 2",
        "weights after training differ: 1 of 2 tensors, first '0.bias' (run 2 against run 0)",
        "buffers after training differ: 1 of 1 tensor, first '1.count' (run 2 against run 0)",
        "predictions differ on 1 of 3 samples (run 2 against run 0)",
    )


def test_samples_are_counted_once_however_many_runs_and_labels_differ():
    runs = [
        outcome(0, [[0, 1], [1, 1]]),
        outcome(1, [[1, 0], [1, 1]]),
        outcome(2, [[1, 1], [1, 1]]),
    ]
    assert prove(runs).differences == (
        "predictions differ on 1 of 2 samples (runs 1, 2 against run 0)",
    )


def test_scores_may_differ_where_no_prediction_does():
    proof = prove([outcome(0), outcome(1, predictions="x")])
    assert proof.differences == (
        "scores behind the predictions differ, though no prediction does (run 1 against run 0)",
    )


def test_a_zero_of_another_sign_is_another_loss():
    assert prove([outcome(0, curve=(0.0,)), outcome(1, curve=(-0.0,))]).differences == (
        "losses differ from epoch 1 of 1 on: 0.0 in run 0, -0.0 in run 1",
    )


def test_a_loss_curve_that_ends_early_differs_from_there():
    proof = prove([outcome(0), outcome(1, curve=(0.5,))])
    assert proof.differences == (
        "losses differ from epoch 2 of 2 on: 0.25 in run 0, none in run 1",
    )


def test_one_process_proves_nothing():
    proof = prove([outcome(index, process=7) for index in range(2)])
    assert proof.differences == (
        "2 runs were trained in one process, which proves nothing; expected two at least",
    )
    assert prove([outcome(0)]).differences == (
        "1 run was trained in one process, which proves nothing; expected two at least",
    )


def test_runs_without_digests_prove_nothing():
    proof = prove([outcome(0), replace(outcome(1), digests=None)])
    assert proof.differences == ("1 of 2 runs left no digests to compare",)


@pytest.mark.parametrize("changed", [{}, {"losses": None, "weights": None}, {"predictions": "x"}])
def test_a_proof_is_read_back_equal(changed):
    proof = prove([outcome(0), outcome(1, **changed)])
    stored = json.loads(json.dumps(proof.to_dict()))
    assert Proof.from_dict(stored) == proof
    assert stored["proven"] is not bool(proof.differences)
    assert stored["processes"] == 2


@pytest.mark.parametrize(
    "damage", [{"runs": [3]}, {"runs": None}, {"differences": [1]}, {"runs": [{"process": 1}]}]
)
def test_a_damaged_proof_is_refused(damage):
    stored = prove([outcome(0), outcome(1)]).to_dict()
    with pytest.raises(DataError):
        Proof.from_dict({**stored, **damage})


def test_a_damaged_digest_is_refused():
    stored = prove([outcome(0), outcome(1)]).to_dict()
    for key, value in {"losses": 3, "weights": {"a": 3}, "predictions": None}.items():
        run = {**stored["runs"][0], key: value}
        with pytest.raises(DataError):
            Proof.from_dict({**stored, "runs": [run]})


def test_digests_tell_types_shapes_and_every_bit():
    ones = np.ones(4, dtype="float32")
    assert of_arrays(ones) == of_arrays(ones.copy())
    assert (
        len({of_arrays(each) for each in (ones, ones.reshape(2, 2), ones.astype("float64"))}) == 3
    )
    assert of_arrays(ones) != of_arrays(np.nextafter(ones, 2))
    assert of_arrays(ones, None) != of_arrays(None, ones)
    assert of_arrays(ones[::2]) == of_arrays(ones[:2])
    assert len(digest([])) == 32
