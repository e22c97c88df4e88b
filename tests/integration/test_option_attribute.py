"""--repro-attribute, repro_attribute, and attribute=True on the marker and in the call."""

import pytest

PLAIN = """
@reproducibility(runs=3{more})
def test_plain(retrain):
    result = retrain(make_solved{call}, **data)
    assert (result["none"].attribution is not None) == {attributed}
"""


def plain(more="", call="", attributed=True):
    return PLAIN.format(more=more, call=call, attributed=attributed)


@pytest.mark.parametrize(
    ("source", "arguments", "ini"),
    [
        (plain(), ["--repro-attribute"], ""),
        (plain(), [], "repro_attribute = true"),
        (plain(more=", attribute=True"), [], ""),
        (plain(call=", attribute=True"), [], ""),
        (plain(more=", attribute=False", call=", attribute=False"), ["--repro-attribute"], ""),
        (plain(call=", attribute=False", attributed=False), [], "repro_attribute = true"),
        (plain(attributed=False), [], ""),
    ],
)
def test_it_is_asked_for_by_any_source_and_the_nearest_decides(project, source, arguments, ini):
    if ini:
        project.ini(ini)
    project.write(source)
    project.run("-n0", *arguments).assert_outcomes(passed=1)


def test_the_table_and_its_meaning_are_shown_and_stored(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    project.write(plain())
    result = project.run("-n0", "--repro-attribute", "--repro-json=out.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "reproducibility: --repro-seed=0 --repro-attribute (1 audited test)",
            "what varies*runs*PD*share of all",
            "test_audit.py::test_plain: none",
            "  identical *3*0.000*",
            "  one_ulp *3*",
            "  init *3*",
            "  data_order *3*",
            "  noise *3*",
            "  all *3*",
        ]
    )
    stored = project.audits()["test_plain"]["regularizers"]["none"]["attribution"]
    assert [rung["name"] for rung in stored["rungs"]][-1] == "all"
    assert stored["meaning"]


def test_it_is_the_same_under_xdist_and_for_items_of_one_regularizer(project):
    project.write("""
    @reproducibility(runs=3, regularizers="none,adam")
    def test_each(retrain, regularizer):
        retrain(make_solved, attribute=True, **data)
    """)
    result = project.run("-n2", "--repro-json=out.json")
    result.assert_outcomes(passed=2)
    assert "test_each: none" in project.said(result)
    assert "test_each: adam" in project.said(result)
    assert all(
        next(iter(audit["regularizers"].values()))["attribution"]
        for audit in project.audits().values()
    )


def test_what_contradicts_it_is_refused(project):
    project.write(plain(more=", deterministic=True", call=", attribute=True"))
    result = project.run("-n0")
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_plain: reproducibility(deterministic=True) and attribute=True: a proof of "
        "determinism trains one seed again" in project.said(result)
    )
    result = project.run("-n0", "--repro-attribute", "--repro-deterministic")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--repro-deterministic and --repro-attribute: a proof of" in project.said(result)


def test_the_command_to_run_it_again_asks_for_it_too(project):
    project.write("""
    @reproducibility(runs=3, max_prediction_difference=0.01)
    def test_drawn(retrain):
        retrain(FunctionTrainer(drawn, y_true=y_true))
    """)
    result = project.run("-n0", "--repro-attribute")
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert "--repro-attribute" in said.partition("run just this again:")[2].partition("====")[0]
    assert "varying only the noise gives 1" in said


def test_a_plan_counts_its_trainings(project):
    project.write(plain(call=", attribute=True"))
    result = project.run("-n0", "--repro-plan")
    result.assert_outcomes(skipped=1)
    assert (
        "attribution: times are of 6 times as many runs, as many as are listed for each of identical, "
        "one_ulp, init, data_order, noise, too" in project.said(result)
    )


def test_runs_that_are_held_against_a_bank_are_attributed_to_nothing(project):
    project.write(plain(attributed=False))
    project.run("-n0", "--repro-save-bank=bank.json").assert_outcomes(passed=1)
    result = project.run("-n0", "--repro-bank=bank.json", "--repro-attribute")
    result.assert_outcomes(passed=1)
    assert (
        "nothing is attributed: with --repro-bank the question is whether runs still agree with the bank's"
        in project.said(result)
    )
