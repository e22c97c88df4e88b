"""The workers of a Ray executor, with actors that are made of nothing: starts, losses, and workers unlike each other."""

import pytest

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.execution import ray_crew
from pytest_reprotest.execution.chunk import Chunk
from pytest_reprotest.execution.ray_actor import Greeting
from pytest_reprotest.execution.ray_crew import Crew
from pytest_reprotest.execution.ray_worker import Lost, _paths
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan

ray = pytest.importorskip("ray")
RUNS = make_plan(Options(runs=4), ["none"]).runs


class Worker:
    """As ``RayWorker``; ``comes`` is what its greeting is, or how it was lost."""

    comes = Greeting("here", "host", {"versions": {"torch": "1"}, "machine": {}})

    def __init__(self, device, environment, meant=None):
        self.meant, self.node, self.chunk, self.greeted = meant, "", None, False
        self.pending, self.ended = object(), False

    @property
    def idle(self):
        return self.greeted and self.pending is None

    def greet(self):
        if isinstance(self.comes, Lost):
            raise self.comes
        self.greeted, self.pending, self.node = True, None, self.comes.node
        return self.comes

    def left(self):
        return self.chunk and Chunk(self.chunk.runs[1:], self.chunk.tries)

    def end(self):
        self.ended = True


@pytest.fixture
def crew(monkeypatch):
    monkeypatch.setattr(ray_crew, "RayWorker", Worker)
    monkeypatch.setattr(ray, "wait", lambda pending, **given: (pending[:1], pending[1:]))
    monkeypatch.setattr(Worker, "comes", Worker.comes)
    return Crew("cpu", 2, "the cluster")


def started(crew, wanted):
    crew.start(wanted, lambda meant: {})
    for _ in crew.workers:
        crew.wait()
    return crew.workers


def lost(text):
    return Lost(RuntimeError(text))


def test_there_is_a_worker_for_each_chunk_as_far_as_there_is_room(crew):
    assert len(started(crew, [None])) == 1
    assert len(started(crew, [None] * 5)) == 2
    assert len(crew.idle) == 2


def test_a_worker_that_is_meant_for_a_run_that_is_not_wanted_any_more_makes_room(crew):
    first, second = started(crew, [0, 1])
    assert [worker.meant for worker in started(crew, [1, 2])] == [1, 2]
    assert (first.ended, second.ended) == (True, False)


def test_workers_that_end_at_their_start_are_told_after_the_third(crew, monkeypatch):
    monkeypatch.setattr(Worker, "comes", lost("No module named 'pytest_reprotest'."))
    started(crew, [None])
    started(crew, [None])
    with pytest.raises(
        TrainingError,
        match=r"Ray workers don't start: No module named 'pytest_reprotest'\. pytest-reprotest and torch",
    ):
        started(crew, [None])


def test_where_others_work_those_that_do_not_start_are_given_up(crew, monkeypatch):
    started(crew, [None])
    monkeypatch.setattr(Worker, "comes", lost("gone"))
    for _ in range(3):
        crew.start([None] * 2, lambda meant: {})
        crew.wait()
    assert crew.size == 1
    assert len(started(crew, [None] * 2)) == 1


def test_a_cluster_without_room_is_told(crew, monkeypatch):
    monkeypatch.setattr(ray, "wait", lambda pending, **given: ([], pending))
    monkeypatch.setattr(ray_crew, "_WAIT", -1.0)
    crew.start([None], lambda meant: {})
    with pytest.raises(
        TrainingError, match=r"no Ray worker could start in -1 seconds: the cluster has no"
    ):
        crew.wait()


def test_workers_that_are_not_alike_are_told(crew, monkeypatch):
    started(crew, [None])
    assert crew.unlike is None
    other = Greeting("there", "host", {"versions": {"torch": "2"}, "machine": {"gpu": "H"}})
    monkeypatch.setattr(Worker, "comes", other)
    started(crew, [None] * 2)
    assert "workers of the Ray cluster are not alike (gpu, torch), so" in crew.unlike


def test_with_a_node_all_its_workers_are_lost_and_what_was_left_is_trained_once_more(crew):
    first, second = started(crew, [None] * 2)
    first.chunk, second.chunk = Chunk(RUNS[:2], 1), Chunk(RUNS[2:], 2)
    again, given_up = crew.bury(first, lost("the actor died because its node has died"))
    assert crew.workers == []
    assert [(chunk.runs, chunk.note) for chunk in again] == [
        (
            RUNS[1:2],
            "a Ray worker was lost (its node can't be reached) on run 1 of 'none', trained again by another",
        )
    ]
    (outcome,) = given_up
    assert outcome.run == RUNS[3]
    assert outcome.failure.startswith(
        "its Ray worker was lost twice (its node can't be reached) on run 3 of 'none'. Its log"
    )


def test_a_lack_of_memory_is_told_with_what_helps(crew):
    first, second = started(crew, [None] * 2)
    second.chunk = Chunk(RUNS[2:], 2)
    again, (outcome,) = crew.bury(second, lost("killed due to memory running low"))
    assert crew.workers == [first]
    assert again == []
    assert outcome.failure.endswith(
        "(its node was out of memory) on run 3 of 'none'. Use fewer --repro-workers, or nodes with more memory"
    )


def test_paths_of_this_python_are_not_sent(monkeypatch, tmp_path):
    import sys

    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    found = _paths()
    assert found[-2:] == [str(tmp_path), "${PYTHONPATH}"]
    assert not any(path.endswith(("site-packages", "lib-dynload")) for path in found)
