from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from small_training import seeds

from pytest_reprotest.training.state import preserved_state, seed_globals, torch_generator


def state():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2:],
        torch.random.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )


def disturb():
    random.seed(99)
    np.random.seed(99)
    np.random.randn(3)
    torch.manual_seed(99)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_grad_enabled(False)


def test_all_is_restored_after_success():
    before = state()
    with preserved_state():
        disturb()
        assert state() != before
    assert state() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_all_is_restored_after_an_exception(error):
    before = state()

    def fail():
        with preserved_state(threads=torch.get_num_threads() + 1):
            disturb()
            raise error

    with pytest.raises(error):
        fail()
    assert state() == before


def test_threads_are_set_inside_only():
    before = torch.get_num_threads()
    with preserved_state(threads=before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with preserved_state(threads=before):
        assert torch.get_num_threads() == before
    with preserved_state():
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_are_on_inside_and_as_before_outside(off):
    weight = torch.ones(1, requires_grad=True)
    with off():
        before = state()
        with preserved_state():
            (2 * weight).sum().backward()
        assert state() == before
    assert weight.grad.item() == 2


def test_cuda_generators_are_restored_where_cuda_is_in_use(monkeypatch):
    kept = [object()]
    restored = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: kept)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    with preserved_state():
        assert restored == []
    assert restored == [kept]


def drawn():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_global_generators_are_seeded_by_run_and_source():
    with preserved_state():
        seed_globals(seeds(0), "init")
        first = drawn()
        seed_globals(seeds(0), "init")
        again = drawn()
        seed_globals(seeds(1), "init")
        of_another_run = drawn()
        seed_globals(seeds(0), "noise")
        of_another_source = drawn()
        seed_globals(seeds(0, base=1), "init")
        of_another_seed = drawn()
    assert first == again
    drawings = [first, of_another_run, of_another_source, of_another_seed]
    for library in range(3):
        assert len({drawing[library] for drawing in drawings}) == 4


def test_the_libraries_do_not_draw_the_same_numbers():
    with preserved_state():
        seed_globals(seeds(0), "init")
        assert len(set(drawn())) == 3


def test_a_generator_starts_at_its_stream_and_leaves_the_global_one_alone():
    before = state()

    def permutation(run, source, vary=("init", "data_order", "noise")):
        return torch.randperm(20, generator=torch_generator(seeds(run, vary=vary), source)).tolist()

    assert permutation(1, "data_order") == permutation(1, "data_order")
    assert permutation(1, "data_order") != permutation(0, "data_order")
    assert permutation(1, "data_order") != permutation(1, "noise")
    assert permutation(1, "data_order", vary=("init",)) == permutation(0, "data_order")
    assert state() == before
