import numpy as np
import pytest

from pytest_reprotest.errors import OptionError
from pytest_reprotest.seeds import SOURCES, RunSeeds, check_sources


def test_sources_come_back_in_one_order_and_once():
    assert check_sources(["noise", "init", "noise"]) == ("init", "noise")
    assert check_sources(iter(SOURCES[::-1])) == SOURCES
    assert check_sources([]) == ()


def test_an_unknown_source_is_refused_with_the_closest():
    with pytest.raises(OptionError) as refusal:
        check_sources(["init", "data_ordre"])
    assert str(refusal.value) == (
        "unknown variance source 'data_ordre'; expected any of init, data_order, noise, "
        "or 'all' or 'none'. Did you mean 'data_order'?"
    )


def test_every_run_source_and_base_has_a_stream_of_its_own():
    seeds = [
        RunSeeds(base, run).seed(source)
        for base in range(4)
        for run in range(20)
        for source in SOURCES
    ]
    assert len(set(seeds)) == len(seeds)


def test_seeds_fit_a_signed_64_bit_integer():
    seeds = [RunSeeds(0, run).seed("init") for run in range(200)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_does_not_vary_takes_run_0_s_stream_and_the_others_do_not(source):
    vary = tuple(other for other in SOURCES if other != source)
    first, fifth = RunSeeds(7, 0), RunSeeds(7, 5, vary)
    assert fifth.seed(source) == first.seed(source)
    for other in vary:
        assert fifth.seed(other) == RunSeeds(7, 5).seed(other) != first.seed(other)


def test_run_0_does_not_depend_on_what_varies():
    assert len({RunSeeds(3, 0, vary).seed("init") for vary in ((), ("noise",), SOURCES)}) == 1


def test_a_run_can_be_replayed_alone():
    beside_others = [RunSeeds(0, run) for run in range(10)][6]
    alone = RunSeeds(0, 6)
    draws = [
        np.random.default_rng(seeds.sequence("data_order")).random(5)
        for seeds in (beside_others, alone)
    ]
    assert (draws[0] == draws[1]).all()


def test_published_streams_stay_as_they_are():
    # a change here changes every number that anyone has published with a seed
    assert [RunSeeds(0, 0).seed(source) for source in SOURCES] == GOLDEN[:3]
    assert [RunSeeds(1, 2).seed("init"), RunSeeds(1, 2).combined] == GOLDEN[3:]


GOLDEN = [
    1_317_536_309_490_288_386,
    7_449_029_282_396_566_744,
    6_732_180_131_098_485_628,
    6_346_925_148_561_671_428,
    5_464_283_449_182_725_445,
]


def test_one_seed_for_a_run_differs_between_runs_and_from_the_sources_seeds():
    seeds = RunSeeds(0, 1)
    assert seeds.combined != RunSeeds(0, 0).combined
    assert seeds.combined not in [seeds.seed(source) for source in SOURCES]


def test_one_seed_is_run_0_s_where_nothing_varies():
    assert RunSeeds(0, 4, ()).combined == RunSeeds(0, 0).combined


@pytest.mark.parametrize("vary", [("init",), ("init", "noise")])
def test_one_seed_cannot_say_that_some_sources_vary(vary):
    with pytest.raises(OptionError) as refusal:
        _ = RunSeeds(0, 1, vary).combined
    assert str(refusal.value) == (
        f"run.seed is one number, so it cannot vary only {', '.join(vary)}. Use "
        "run.generator(source) for each source, or vary='all' or 'none'."
    )
