"""A gate on a task's predictions, and its JSON form."""

import json
import math

import numpy as np
import pytest

from pytest_reprotest.errors import DataError
from pytest_reprotest.gates import gate, gate_in, gate_out
from pytest_reprotest.statistics.gate import Gate
from pytest_reprotest.tasks import CLASSIFICATION, make_task

BANK = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0]], dtype=np.uint8)
STORED = gate_out(Gate("rank", 0.05, 0.04, 0.0394, 0.05, True, 1, 19))


def test_new_runs_are_held_against_those_of_the_bank_whatever_their_types():
    found = gate(CLASSIFICATION, np.array([[0, 1, 1, 300]]), BANK)
    assert (found.n_new, found.n_bank) == (1, 3)
    assert found.new == pytest.approx((0.25 + 0.5 + 0.5) / 3)
    assert found.bank == pytest.approx((0.25 + 0.25 + 0.5) / 3)


def test_numbers_are_held_by_their_tolerance():
    task = make_task("regression", tolerance=0.1)
    bank = np.tile([[0.0, 1.0], [0.05, 1.0], [0.0, 1.05]], 100)
    found = gate(task, np.tile([[0.5, 1.0]], 100), bank)
    assert (found.new, found.bank) == (0.5, 0.0)
    assert found.failed


def test_one_sample_more_is_no_alarm_where_no_bank_run_differed():
    bank = np.zeros((5, 300), dtype=int)
    new = bank[:1].copy()
    new[0, 7] = 1
    found = gate(CLASSIFICATION, new, bank)
    assert (found.method, found.bank) == ("t", 0.0)
    assert not found.failed
    new[0, :60] = 1
    assert gate(CLASSIFICATION, new, bank).failed


def test_a_gate_is_json():
    found = gate(CLASSIFICATION, BANK[:1], BANK)
    stored = gate_out(found)
    assert gate_in(json.loads(json.dumps(stored, allow_nan=False))) == found
    assert stored["failed"] is found.failed


def test_what_is_no_number_is_none_in_json():
    stored = gate_out(Gate("t", 0.1, 0.1, math.inf, 0.5, False, 1, 3))
    assert stored["limit"] is None
    assert math.isnan(gate_in(stored).limit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "luck"}, "a gate's method is 'luck'; expected rank or t"),
        ({"n_bank": True}, "n_bank is True"),
        ({"exact": 1}, "exact is 1"),
        ({"new": "0.1"}, "new is '0.1'"),
        ({"p_value": 10**400}, "p_value is"),
    ],
)
def test_a_stored_gate_that_is_none_is_refused(change, message):
    with pytest.raises(DataError) as refusal:
        gate_in({**STORED, **change})
    assert str(refusal.value).startswith(message)
