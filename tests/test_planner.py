from dataclasses import replace

import pytest

from pytest_reprotest import audit_predictions
from pytest_reprotest.interfaces import Placement, Prepared, Trainer
from pytest_reprotest.options import Options, resolve
from pytest_reprotest.pilots import pilots_in
from pytest_reprotest.planner import plan_audit
from pytest_reprotest.registry import Registry
from pytest_reprotest.results_file import ResultsFile
from pytest_reprotest.statistics.planning import half_width, typical_sigma


class Slow(Trainer):
    """Takes a second a run of a regularizer with one letter, two with two; it never trains."""

    def __init__(self, chunk=1, seconds=len, n_samples=100):
        self.chunk, self.seconds, self.asked = chunk, seconds, []
        self.n_samples = n_samples

    @property
    def y_true(self):
        import numpy as np

        return np.arange(self.n_samples) % 2

    def prepare(self, regularizers, asked, n_runs):
        return Prepared(Placement("cpu", "stacked", self.chunk), notes=("prepared",))

    def seconds_per_run(self, regularizer, placement, n_runs):
        self.asked.append((regularizer.label, n_runs))
        return self.seconds(regularizer.label)

    def train(self, runs, regularizer, placement):
        raise AssertionError("trained")


def plan(trainer, options, **settings):
    return plan_audit(trainer, options, Registry(), **settings)


def by_label(seconds):
    return lambda label: seconds[label]


def test_times_are_those_of_all_runs_and_nothing_is_trained():
    trainer = Slow(seconds=by_label({"none": 1.0, "adam": 2.0}))
    found = plan(trainer, Options(runs=4, regularizers=("none", "adam")), name="a")
    assert [(each.regularizer, each.seconds) for each in found.expected] == [
        ("none", (4.0, 4.0)),
        ("adam", (8.0, 8.0)),
    ]
    assert (found.name, found.seconds, found.looks, found.workers) == ("a", (12.0, 12.0), (4,), 1)
    assert found.notes == ("prepared",)


@pytest.mark.parametrize(
    ("runs", "chunk", "workers", "asked", "seconds"),
    [
        (10, 10, 1, 10, 10.0),
        (10, 4, 1, 3, 10.0),  # 4, 3, 3: most runs are in threes
        (10, 10, 2, 5, 5.0),
        (10, 2, 2, 3, 5.0),  # 3, 3, 2, 2, as the executor shares out
        (3, 1, 2, 2, 2.0),  # 2, 1: one of two workers waits
    ],
)
def test_runs_are_timed_and_shared_out_as_they_would_be_trained(
    runs, chunk, workers, asked, seconds
):
    trainer = Slow(chunk, seconds=lambda label: 1.0)
    found = plan(trainer, Options(runs=runs), workers=workers)
    assert found.seconds == (seconds, seconds)
    assert found.expected[0].seconds == (float(runs), float(runs))
    assert trainer.asked == [("none", asked)]


def test_a_long_regularizer_holds_up_one_worker_only():
    trainer = Slow(seconds=by_label({"none": 1.0, "adam": 5.0}))
    found = plan(trainer, Options(runs=2, regularizers=("adam", "none")), workers=3)
    assert found.seconds == (5.0, 5.0)


def test_an_adaptive_audit_takes_from_its_first_look_to_its_last():
    options = resolve(marker={"decision": "confidence", "runs": 3, "max_runs": 8})
    found = plan(Slow(10, seconds=lambda label: 1.0), options)
    assert found.looks == (3, 5, 8)
    assert found.seconds == found.expected[0].seconds == (3.0, 8.0)


def test_what_cannot_be_timed_has_no_time_and_neither_has_the_whole():
    trainer = Slow(seconds=by_label({"none": 1.0, "adam": None}))
    found = plan(trainer, Options(runs=4, regularizers=("none", "adam")))
    assert [each.seconds for each in found.expected] == [(4.0, 4.0), None]
    assert found.seconds is None
    assert "Slow can't be timed without training" in found.notes


def test_widths_are_typical_at_the_limits():
    options = resolve(
        marker={
            "runs": 5,
            "regularizers": "none,adam",
            "max_prediction_difference": {"none": 0.2},
            "min_effective_accuracy": {"none": 0.7},
        }
    )
    none, adam = plan(Slow(seconds=lambda label: 1.0), options).expected
    assert adam.widths == {}
    assert list(none.widths) == ["prediction_difference", "effective_accuracy"]
    for metric, limit in (("prediction_difference", 0.2), ("effective_accuracy", 0.7)):
        sigma = typical_sigma(metric, limit, 100)
        assert none.widths[metric].half_width == half_width(sigma, 5)
        assert none.widths[metric].value == limit


def test_items_beside_are_told_of_in_place_of_the_own():
    options = Options(runs=3, regularizers=("adam",))
    assert plan(Slow(seconds=lambda label: 1.0), options).notes == ("prepared",)
    (_, told) = plan(
        Slow(seconds=lambda label: 1.0), options, beside=("adam", "none", "dropout")
    ).notes
    assert told.endswith("the smallest p-value is 0.1, and the level is 0.05; 5 runs can")
    assert plan(Slow(seconds=lambda label: 1.0), options, beside=()).notes == ("prepared",)


def test_a_proof_is_timed_run_by_run_and_expects_no_interval():
    trainer = Slow(chunk=5)
    options = resolve({"deterministic": True, "max_prediction_difference": "0.1"})
    found = plan(trainer, options)
    assert trainer.asked == [("none", 1)]
    assert found.proof
    assert [each.widths for each in found.expected] == [{}]
    assert found.notes == (
        "prepared",
        "a proof of determinism: runs of one seed, in processes of their own, have to agree to the last "
        "bit; there is no spread to expect",
    )
    assert type(found).from_dict(found.to_dict()) == found


def test_a_pilot_of_one_seed_is_left_out():
    truth = [0, 1, 1, 0]
    pilot = audit_predictions({"none": [truth] * 4}, truth, name="test_a")
    pilot = replace(pilot, settings={**pilot.settings, "deterministic": True})
    file = ResultsFile("pilot.json", "results", True, {"test_a": pilot.to_dict()})
    found = pilots_in(file, "test_a", ["none"], pilot.y_true, {})
    assert found.by_metric == {}
    assert found.notes == (
        "the pilot test_a is left out: its runs are of one seed, which say nothing of how much others differ",
    )
