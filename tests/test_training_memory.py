"""Freed memory is kept while something trains, and given back afterwards."""

import ctypes
import subprocess
import sys

import pytest

from pytest_reprotest.training import memory
from pytest_reprotest.training.memory import kept_memory
from pytest_reprotest.training.state import preserved_state


class Recorder:
    """Stands in for the C library."""

    def __init__(self):
        self.calls = []

    def mallopt(self, parameter, value):
        self.calls.append((parameter, value))

    def malloc_trim(self, room):
        self.calls.append(("trim", room))


@pytest.fixture
def library(monkeypatch):
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    recorder = Recorder()
    monkeypatch.setattr(memory, "_glibc", lambda: recorder)
    return recorder


KEPT = [(-1, 1 << 30), (-3, 1 << 30)]
GIVEN_BACK = [(-1, 1 << 26), (-3, 1 << 25), ("trim", 0)]


def test_thresholds_are_set_and_put_back(library):
    with kept_memory():
        assert library.calls == KEPT
    assert library.calls == KEPT + GIVEN_BACK


def test_they_are_put_back_after_an_exception(library):
    with pytest.raises(KeyboardInterrupt), kept_memory():
        raise KeyboardInterrupt
    assert library.calls == KEPT + GIVEN_BACK


def test_what_the_environment_says_is_left_alone(library, monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    with kept_memory():
        pass
    assert library.calls == []


def test_what_the_environment_says_of_something_else_changes_nothing(library, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    with kept_memory():
        assert library.calls == KEPT


def test_only_what_computes_keeps_memory(library):
    with preserved_state():
        assert library.calls == []
    with preserved_state(1):
        assert library.calls == KEPT


@pytest.mark.parametrize("why", ["another allocator", "another C library"])
def test_it_does_nothing_elsewhere(why, monkeypatch):
    if why == "another allocator":
        monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so.2")
    else:
        monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory._glibc.cache_clear()
    try:
        assert memory._glibc() is None
        with kept_memory():
            pass
    finally:
        memory._glibc.cache_clear()


_FAULTS = """
import resource
import torch
from pytest_reprotest.training.memory import kept_memory

def faults():
    # page faults of filling 64 MB, where they were fewest: the system may take any page away at times
    found = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(1 << 24).fill_(1.0)
        found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(found)

def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * resource.getpagesize()

usual = faults()
with kept_memory():
    kept, inside = faults(), resident()
print(usual, kept, inside - resident())
"""


@pytest.mark.skipif(memory._glibc() is None, reason="glibc's allocator only")
def test_the_system_does_not_clear_the_same_pages_again(monkeypatch):
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    # a process of its own: what earlier tests left free in this one's heap is filled without a fault
    told = subprocess.run(
        [sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True
    )
    usual, kept, given_back = map(int, told.stdout.split())
    assert kept < usual / 4
    assert given_back > 32e6
