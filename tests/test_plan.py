import pickle

import pytest

from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.seeds import RunSeeds


def test_every_regularizer_has_every_run_with_its_seeds():
    plan = make_plan(Options(runs=3, seed=7, vary=("init",)), ["none", "dropout"])
    assert plan.regularizers == ("none", "dropout")
    assert [(run.regularizer, run.index) for run in plan.runs] == [
        (label, index) for label in ("none", "dropout") for index in range(3)
    ]
    assert plan.of("dropout")[2].seeds == RunSeeds(base=7, run=2, vary=("init",))


def test_regularizers_share_their_seeds_run_by_run():
    plan = make_plan(Options(runs=4), ["none", "dropout"])
    for plain, dropped in zip(plan.of("none"), plan.of("dropout"), strict=True):
        assert plain.seeds == dropped.seeds


def test_a_run_does_not_depend_on_how_many_there_are():
    few, many = make_plan(Options(runs=2), ["none"]), make_plan(Options(runs=50), ["none", "adam"])
    assert many.of("none")[:2] == few.runs


def test_a_regularizer_that_is_not_planned_has_no_runs():
    assert make_plan(Options(runs=2), ["none"]).of("dropout") == ()


def test_runs_go_to_other_processes_as_they_are():
    plan = make_plan(Options(runs=2), ["weight_decay(0.001)"])
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_a_run_says_how_to_find_it():
    run = make_plan(Options(runs=2, seed=5), ["dropout"]).runs[1]
    assert str(run) == "run 1 of 'dropout' (--repro-seed=5)"


@pytest.mark.parametrize("runs", [2, 5, 7, 12])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_chunks_hold_every_run_once_one_regularizer_each_and_are_about_equal(runs, size):
    plan = make_plan(Options(runs=runs), ["none", "dropout"])
    chunks = plan.chunks(size)
    assert sorted((run.regularizer, run.index) for chunk in chunks for run in chunk) == sorted(
        (run.regularizer, run.index) for run in plan.runs
    )
    for chunk in chunks:
        assert len({run.regularizer for run in chunk}) == 1
    sizes = [len(chunk) for chunk in chunks]
    assert max(sizes) <= size + (size == 2 and runs % 2)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 1 or size == 1, "a run alone takes as long as two"


@pytest.mark.parametrize("size", [2, 3, 4])
def test_chunks_share_out_evenly_among_workers(size):
    plan = make_plan(Options(runs=12), ["none", "dropout", "residual"])
    chunks = plan.chunks(size, workers=2)
    assert len(chunks) % 2 == 0
    assert [run for chunk in chunks for run in chunk] == list(plan.runs)
    assert max(map(len, chunks)) <= 2 * size


@pytest.mark.parametrize(
    ("runs", "workers", "expected"),
    [
        (5, 2, [3, 2]),
        (10, 2, [5, 5]),
        (10, 4, [3, 3, 2, 2]),
        (5, 4, [3, 2]),
        (3, 2, [3]),
        (1, 2, [1]),
    ],
)
def test_no_worker_is_left_without_runs_that_can_be_stacked(runs, workers, expected):
    chunks = make_plan(Options(runs=runs), ["none"]).chunks(10, workers)
    assert list(map(len, chunks)) == expected


def test_several_regularizers_need_not_be_cut_for_the_workers():
    chunks = make_plan(Options(runs=5), ["none", "dropout"]).chunks(5, workers=2)
    assert list(map(len, chunks)) == [5, 5]


def test_chunks_stay_as_they_are_where_no_number_of_them_shares_out():
    plan = make_plan(Options(runs=2), ["none", "dropout", "residual"])
    assert [len(chunk) for chunk in plan.chunks(2, workers=4)] == [2, 2, 2]


def test_a_chunk_holds_at_least_one_run():
    assert [len(chunk) for chunk in make_plan(Options(runs=2), ["none"]).chunks(0)] == [1, 1]
