"""The ladder's rungs, what they mean, and their JSON form."""

import math

import pytest

from pytest_reprotest import audit_predictions
from pytest_reprotest.attribution import Attribution, Climbed
from pytest_reprotest.attribution.rungs import ladder, own_rung, plan_of, to_train
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.options import Options, resolve
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.seeds import ONE_ULP, SOURCES, RunSeeds
from pytest_reprotest.statistics import Estimate


def names(rungs):
    return [rung.name for rung in rungs]


# --- rungs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vary", "device", "own"),
    [
        (SOURCES, "cpu", "all"),
        (SOURCES, "cuda:0", "all"),
        (("init",), "cpu", "init"),
        ((), "cpu", "identical"),
        ((), "cuda:0", None),
        (("init", "noise"), "cpu", None),
    ],
)
def test_the_audits_own_runs_are_a_rung_that_is_not_trained_again(vary, device, own):
    options = Options(vary=vary)
    found = own_rung(options, device)
    assert (found.name if found else None) == own
    trained = names(to_train(options, device, nudges=True))
    assert trained == [name for name in names(ladder(device)) if name != own]


def test_a_trainer_that_cannot_nudge_trains_no_rung_for_it():
    assert names(to_train(Options(), "cpu", nudges=False)) == [
        "identical",
        "init",
        "data_order",
        "noise",
    ]


def test_rungs_in_which_a_source_varies_share_no_run_with_each_other_or_the_audit():
    options = Options(runs=4)
    varied = [rung for rung in ladder("cuda") if set(rung.vary) & set(SOURCES)]
    indices = [run.index for rung in varied for run in plan_of(rung, ["none"], options).runs]
    assert len(set(indices)) == len(indices) == 16
    assert min(indices) >= 4


def test_what_does_not_vary_in_a_rung_is_that_of_run_0():
    plan = plan_of(ladder("cpu")[2], ["none", "adam"], Options(runs=3, seed=7))
    assert [run.regularizer for run in plan.runs] == ["none"] * 3 + ["adam"] * 3
    run, first = plan.runs[1].seeds, RunSeeds(7, 0)
    assert run.seed("data_order") == first.seed("data_order")
    assert run.seed("init") != first.seed("init")


def test_one_ulp_is_a_stream_and_no_source_to_choose():
    seeds = [RunSeeds(0, run, (ONE_ULP,)) for run in range(3)]
    assert len({each.seed(ONE_ULP) for each in seeds}) == 3
    assert len({each.seed("init") for each in seeds}) == 1
    assert seeds[1].seed(ONE_ULP) not in {seeds[1].seed(source) for source in SOURCES}
    with pytest.raises(OptionError, match="unknown variance source 'one_ulp'"):
        resolve({"vary": "one_ulp"})


# --- what may not stand beside it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "beside"),
    [
        ("deterministic", {"deterministic": True}),
        ("max_runs", {"decision": "confidence", "max_runs": 20}),
    ],
)
def test_what_contradicts_an_attribution_is_refused_or_the_farther_is_set_aside(key, beside):
    asked = {"attribute": True}
    for sources in (
        {"marker": {**asked, **beside}},
        {"marker": beside, "call": asked},
        {"ini": {**asked, **beside}},
    ):
        with pytest.raises(OptionError, match="leave one of the two out"):
            resolve(**sources)
    nearer = resolve({"attribute": "true"}, beside)
    assert nearer.attribute
    assert not nearer.deterministic
    assert nearer.max_runs is None
    farther = resolve(beside, asked)
    assert not farther.attribute
    assert getattr(farther, key)


def test_max_runs_that_has_no_effect_contradicts_nothing():
    assert resolve({"attribute": True, "max_runs": 20}).attribute


# --- what it means ------------------------------------------------------------------------------


def rung(name, share=0.0, low=math.nan, high=math.nan, *, same=False, n_runs=10):
    return Climbed(name, n_runs, Estimate(0.05 * share), Estimate(share, low, high), same)


IDENTICAL, ALL = rung("identical", same=True), rung("all", 1.0)


def meaning(*rungs):
    return Attribution((IDENTICAL, *rungs, ALL)).meaning


def test_one_source_that_gives_all_leaves_the_others_no_help():
    found = meaning(
        rung("init", 0.3, 0.2, 0.4), rung("data_order", 0.958, 0.85, 1.08), rung("noise", same=True)
    )
    assert found == (
        "varying only the data order gives 96% of the full prediction difference: fixing the seed of the "
        "initial weights alone will not help, and fixing that of the data order leaves the 30% of the "
        "initial weights",
        "varying only the noise changes nothing, to the last bit: nothing draws from it",
    )


@pytest.mark.parametrize(
    ("rungs", "said"),
    [
        (
            [rung("init", 0.97, 0.8, 1.2), rung("data_order", 0.9, 0.7, 1.1)],
            "varying only the initial weights or only the data order gives 97% or 90% of the full "
            "prediction difference: fixing one of the seeds alone will not help",
        ),
        (
            [rung("init", 1.0, 0.8, 1.2), rung("data_order", 0.0)],
            "varying only the initial weights gives 100% of the full prediction difference, and no other "
            "source any: fix the seed of the initial weights",
        ),
        (
            [rung("init", 0.9, 0.3, 2.7, n_runs=5)],
            "varying only the initial weights gives 90% of the full prediction difference, and with 5 runs "
            "its lower end is 30%: it takes more runs to tell which seed matters",
        ),
        (
            [rung("init", 0.9, n_runs=2)],
            "varying only the initial weights gives 90% of the full prediction difference, and with 2 runs "
            "its lower end is unknown: it takes more runs to tell which seed matters",
        ),
        (
            [rung("init", 0.6, 0.5, 0.7), rung("data_order", 0.4, 0.3, 0.5)],
            "no source alone gives more than 60% of the full prediction difference (init): "
            "--repro-vary=data_order,noise tells what is left where its seed is fixed",
        ),
        (
            [rung("init"), rung("data_order")],
            "no source alone changes a prediction, only several together",
        ),
        (
            [rung("one_ulp", 0.88, 0.7, 1.1)],
            "one initial weight moved by one ulp gives 88% already: this training amplifies whatever "
            "differs, so another machine, version or number of threads may change as many predictions as "
            "another seed",
        ),
        ([rung("one_ulp")], "one initial weight moved by one ulp changes no prediction"),
    ],
)
def test_each_finding_has_its_sentence(rungs, said):
    assert meaning(*rungs) == (said,)


def test_runs_of_one_seed_that_differ_come_first():
    found = Attribution((rung("identical", 0.2), ALL)).meaning
    assert found[0].startswith(
        "runs of one seed differ (PD 0.010), in bits at least: something besides"
    )


def test_without_any_difference_there_is_nothing_to_attribute():
    still = Climbed("all", 5, Estimate(0.0), Estimate(math.nan), same_bits=True)
    assert Attribution((IDENTICAL, still)).meaning == (
        "no two runs differ though everything varies, so there is nothing to attribute",
    )


def test_rungs_that_were_left_out_are_told_once_a_reason():
    out = [Climbed(name, left_out="no reason") for name in ("init", "noise")]
    assert meaning(*out) == ("init, noise left out: no reason",)
    assert Attribution((Climbed("all", left_out="it fell"),)).meaning == (
        "without runs in which everything varies no share can be told",
        "all left out: it fell",
    )


# --- JSON ---------------------------------------------------------------------------------------

STORED = Attribution(
    (IDENTICAL, rung("init", 0.9, 0.7, 1.1), Climbed("noise", left_out="why"), ALL)
)


def test_a_rung_is_found_by_its_name():
    assert STORED["init"].share.value == 0.9
    with pytest.raises(
        KeyError, match="no rung 'nosie' in this attribution; it has identical, init"
    ):
        STORED["nosie"]


def test_it_comes_back_from_json_as_it_was():
    stored = STORED.to_dict()
    found = Attribution.from_dict({**stored, "more": 1})
    assert found.to_dict() == stored
    assert found.meaning == tuple(stored["meaning"])


def test_it_is_stored_with_its_regularizer_and_old_files_have_none():
    result = audit_predictions({"none": [[0, 1, 1], [0, 1, 0]]}, y_true=[0, 1, 1])["none"]
    old = result.to_dict()
    assert "attribution" not in old
    assert RegularizerResult.from_dict("none", old, 3).attribution is None
    new = {**old, "attribution": STORED.to_dict()}
    assert RegularizerResult.from_dict("none", new, 3).to_dict() == new


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rungs": {}}, "rungs is an object; expected a list"),
        ({"rungs": [1]}, "there is 1 .*; expected an object"),
        ({"rungs": [{**IDENTICAL.to_dict(), "n_runs": "5"}]}, "n_runs is '5'"),
        ({"rungs": [{**IDENTICAL.to_dict(), "share": {"value": "a"}}]}, "share is 'a'"),
        ({}, "the entry 'rungs' is missing"),
    ],
)
def test_what_is_no_attribution_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        Attribution.from_dict(change)
