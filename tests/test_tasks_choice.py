"""Tasks by name, and from files."""

import numpy as np
import pytest

from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.tasks import (
    CLASSIFICATION,
    TASKS,
    Classification,
    MultiLabel,
    Regression,
    make_task,
    stored_task,
)


class Ranking(Regression):
    """A task of a user's own."""


EACH = [CLASSIFICATION, Regression(0.5), Regression(0.1, "mae"), MultiLabel(), MultiLabel(0.3)]


def test_tasks_by_name():
    assert TASKS == ("classification", "regression", "multilabel")
    assert make_task() is make_task("classification") is CLASSIFICATION
    assert make_task("regression", 0.5, "mae") == Regression(0.5, "mae")
    assert make_task("multilabel") == MultiLabel()
    own = Regression(2)
    assert make_task(own) is own


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            ("regresion",),
            "task='regresion'; expected one of classification, regression, multilabel. Did you mean "
            "'regression'?",
        ),
        (
            ("regression",),
            "task='regression' needs tolerance=: the largest difference between two predictions that does "
            "not matter, in the units of the target",
        ),
        (
            (None, 0.1),
            "tolerance=0.1 belongs to task='regression', and task is 'classification'; leave it out",
        ),
        (
            ("multilabel", None, "mae"),
            "score='mae' belongs to task='regression', and task is 'multilabel'; leave it out",
        ),
        (
            (Regression(0.2), 0.1),
            "tolerance=0.1 belongs to task='regression', and task is a Task, which holds its own; leave it "
            "out",
        ),
        (
            (Ranking(0.2),),
            "task=Ranking(tolerance=0.2, score='r2') can't be read back from a stored result; expected a "
            "Classification, Regression or MultiLabel",
        ),
        ((3,), "task=3; expected one of classification, regression, multilabel."),
    ],
)
def test_what_is_no_task_is_refused(given, told):
    with pytest.raises(OptionError) as error:
        make_task(*given)
    assert str(error.value) == told


@pytest.mark.parametrize("task", EACH)
def test_a_stored_task_is_the_task(task):
    assert stored_task(task.to_dict()) == task


def test_audits_from_before_tasks_are_classifications():
    assert stored_task(None) is CLASSIFICATION


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"name": "ranking"}, "a task is {'name': 'ranking'}; expected one of classification, "),
        ("regression", "a task is 'regression'; expected one of classification, regression, mult"),
        ({}, "a task is {}; expected one of"),
        ({"name": ["regression"]}, "a task is {'name': ['regression']}; expected one of"),
        ({"name": "regression"}, "a task can't be read: tolerance=None; expected a finite number"),
        (
            {"name": "regression", "tolerance": -1, "score": "r2"},
            "a task can't be read: tolerance=-1; expected a finite number above 0",
        ),
        (
            {"name": "regression", "tolerance": 10**400, "score": "r2"},
            "a task can't be read: ",
        ),
        (
            {"name": "regression", "tolerance": 1, "score": {"a": 1}},
            "a task can't be read: score={'a': 1}; expected one of r2, mae.",
        ),
        (
            {"name": "multilabel", "threshold": "x" * 9},
            "a task can't be read: threshold='xxxxxxxxx'; expected a probability between 0 and 1",
        ),
    ],
)
def test_a_file_may_hold_anything(stored, told):
    with pytest.raises(DataError) as error:
        stored_task(stored)
    assert str(error.value).startswith(told)


def test_how_many_classes_there_are_makes_no_other_task():
    assert Classification(10) == CLASSIFICATION
    assert hash(Classification(10)) == hash(CLASSIFICATION)


def test_kept_scores_are_finite():
    kept = CLASSIFICATION.scores_kept(np.array([[1e300, -1e300]]))
    assert kept.dtype == np.float32
    assert np.isfinite(kept).all()
    assert CLASSIFICATION.scores_kept(np.array([0, 1])) is None
    assert Regression(1).scores_kept(np.zeros((3, 1))) is None
