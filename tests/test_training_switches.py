"""The switches of determinism: set inside, and whatever they were before outside."""

import warnings

import pytest
import strategies  # noqa: F401 - loads the profile
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_reprotest.training import switches as switches_module
from pytest_reprotest.training.switches import (
    ENVIRONMENT,
    SWITCHES,
    Switch,
    assume,
    hash_seed_of,
    states,
    switched,
    switches,
)

MATMUL = "torch.set_float32_matmul_precision"
ALGORITHMS = "torch.use_deterministic_algorithms"
PRECISIONS = [switch.name for switch in SWITCHES if switch.name.endswith("fp32_precision")]
BY_NAME = {switch.name: switch for switch in SWITCHES}


def values_of(switch):
    """All that a user may have set it to."""
    if switch.name == ALGORITHMS:
        return [(False, False), (True, False), (True, True)]
    if switch.name == MATMUL:
        return ["highest", "high", "medium"]
    if switch.name in PRECISIONS:
        return ["none", "ieee", "tf32", *(["bf16"] if "mkldnn" in switch.name else [])]
    return [True, False]


def readable(switch):
    """Its value; None where PyTorch refuses to read it, since a newer twin says something else."""
    try:
        return switch.get()
    except RuntimeError:
        return None


def state():
    return {switch.name: readable(switch) for switch in SWITCHES}


@pytest.fixture(autouse=True)
def _as_before():
    before = state()
    yield
    for name, value in before.items():
        BY_NAME[name].set(value)
    assert state() == before


mixtures = st.fixed_dictionaries({s.name: st.sampled_from(values_of(s)) for s in SWITCHES})


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, SystemExit])
@given(mixture=mixtures)
def test_any_mixture_of_previous_values_is_restored(error, mixture):
    for switch in SWITCHES:
        switch.set(mixture[switch.name])
    before = state()

    def inside():
        with switched():
            torch.use_deterministic_algorithms(False)  # a user may do so, too
            torch.backends.cudnn.benchmark = True
            if error is not None:
                raise error

    if error is None:
        inside()
    else:
        with pytest.raises(error):
            inside()
    assert state() == before


@given(mixture=mixtures)
def test_inside_every_switch_that_can_be_read_is_as_wanted(mixture):
    for switch in SWITCHES:
        switch.set(mixture[switch.name])
    known = [name for name, value in state().items() if value is not None]
    with switched():
        assert {name: BY_NAME[name].get() for name in known} == {
            name: BY_NAME[name].wanted for name in known
        }
        assert all(BY_NAME[name].get() == "ieee" for name in PRECISIONS)


def test_the_older_interface_can_be_read_inside():
    with switched():
        assert torch.get_float32_matmul_precision() == "highest"
        assert torch.backends.cudnn.allow_tf32 is False
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            pass
        assert torch.backends.cudnn.benchmark is False


def test_a_nondeterministic_operation_raises_inside_and_does_not_warn():
    with warnings.catch_warnings(), switched():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="put_ does not have a deterministic implementation"):
            torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))
    torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))


def test_a_switch_that_cannot_be_set_lets_those_before_it_be_restored():
    seen = {"first": 1}

    def refuse(value):
        if value == "wanted":
            raise ValueError("no")

    table = (
        Switch("first", lambda: seen["first"], lambda value: seen.update(first=value), 2),
        Switch("second", lambda: "before", refuse, "wanted"),
    )
    with pytest.raises(ValueError, match="no"), switched(table):
        pass
    assert seen == {"first": 1}


def test_the_science_s_switches_are_all_there():
    told = switches()
    assert set(ENVIRONMENT) == {
        "CUBLAS_WORKSPACE_CONFIG",
        "MKL_CBWR",
        "TORCHINDUCTOR_DETERMINISTIC",
    }
    assert told[ALGORITHMS] is True
    assert told["torch.utils.deterministic.fill_uninitialized_memory"] is True
    assert told["torch.backends.cudnn.benchmark"] is False
    assert told["torch.backends.cudnn.deterministic"] is True
    assert told["torch.backends.cuda.matmul.fp32_precision"] == "ieee"
    assert told["torch.backends.cudnn.allow_tf32"] is False
    assert told["torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction"] is False
    assert told["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.parametrize(("own", "first", "second"), [("7", "7", "7"), ("random", "1", "2")])
def test_each_process_hashes_texts_in_its_own_way_unless_the_user_s_is_fixed(
    own, first, second, monkeypatch
):
    monkeypatch.setenv("PYTHONHASHSEED", own)
    found = [hash_seed_of(index) for index in (0, 1)]
    assert [each["PYTHONHASHSEED"] for each in found] == [first, second]
    assert switches()["PYTHONHASHSEED"] == (own if own == "7" else "another in each process")


# --- flags of another process -------------------------------------------------------------------


@given(mixture=mixtures, other=mixtures)
def test_what_another_process_had_set_is_set_here(mixture, other):
    for switch in SWITCHES:
        switch.set(mixture[switch.name])
    theirs = states()
    for switch in SWITCHES:
        switch.set(other[switch.name])
    assume(theirs)
    ours = states()
    assert {name: ours.get(name) for name in theirs} == theirs


def test_the_default_type_goes_with_them():
    theirs = {**states(), "torch.set_default_dtype": torch.float64}
    before = states()
    assume(theirs)
    assert torch.get_default_dtype() is torch.float64
    assume(before)
    assert torch.get_default_dtype() is torch.float32


def test_what_is_so_already_is_left_alone(monkeypatch):
    def never(_):
        raise AssertionError

    for switch in SWITCHES:
        monkeypatch.setattr(
            switches_module, "FLAGS", [Switch(switch.name, switch.get, never, None)]
        )
        assume(states())
