from __future__ import annotations

import json
import os

import pytest
import torch

import pytest_reprotest
from pytest_reprotest.errors import DataError
from pytest_reprotest.training import faults
from pytest_reprotest.training.faults import tell


def raised(function) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 - whatever it is, it is told
        function()
    return info.value


def test_our_own_errors_are_told_as_they_are():
    assert tell(DataError("the test set is empty")) == "the test set is empty"


def test_an_error_that_was_never_raised_is_told_by_type_and_message():
    assert tell(ValueError("no frames")) == "ValueError: no frames"


def test_the_users_line_is_told():
    def train():
        raise ValueError("too deep")

    told = tell(raised(train))
    assert told.startswith("ValueError: too deep\n  at ")
    line = train.__code__.co_firstlineno + 1
    assert told.endswith(f'test_training_faults.py:{line} in train: raise ValueError("too deep")')


def test_lines_inside_torch_are_passed_over():
    def forward():
        return torch.nn.Linear(2, 3)(torch.ones(1, 5))

    assert "in forward: return torch.nn.Linear(2, 3)(torch.ones(1, 5))" in tell(raised(forward))


def test_lines_inside_other_libraries_are_passed_over():
    def parse():
        return json.loads("{")

    assert "in parse: return json.loads" in tell(raised(parse))


def test_a_library_is_named_where_no_line_is_the_users(monkeypatch):
    def parse():
        return json.loads("{")

    monkeypatch.setattr(faults, "LIBRARIES", (*faults.LIBRARIES, os.path.dirname(__file__)))  # noqa: PTH120
    told = tell(raised(parse))
    assert "decoder.py" in told
    assert "in raw_decode" in told


def test_nothing_but_our_own_lines_leaves_type_and_message(monkeypatch):
    monkeypatch.setattr(faults, "NOT_THEIRS", ("",))
    assert tell(raised(lambda: 1 / 0)) == "ZeroDivisionError: division by zero"


def test_a_package_that_begins_like_ours_is_not_ours():
    ours = os.path.dirname(pytest_reprotest.__file__)  # noqa: PTH120
    assert f"{ours}{os.sep}_audit.py".startswith(faults.NOT_THEIRS)
    assert not f"{ours}_extras{os.sep}models.py".startswith(faults.NOT_THEIRS)
    torchs = os.path.dirname(torch.__file__)  # noqa: PTH120
    assert not f"{torchs}vision{os.sep}models.py".startswith(faults.NOT_THEIRS)
