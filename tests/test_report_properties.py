from pytest_reprotest import audit_predictions
from pytest_reprotest.report.properties import properties, tell_item

TRUTH = [0, 1, 1, 0]


def audited(**runs):
    return audit_predictions(runs or {"none": [[0, 1, 1, 0], [0, 1, 1, 1]]}, TRUTH)


def test_one_regularizer_has_the_plain_names():
    assert properties([audited()]) == [
        ("reprotest.prediction_difference", "0.25"),
        ("reprotest.accuracy", "0.875"),
        ("reprotest.effective_accuracy", "0.625"),
        ("reprotest.verdict", "no limit"),
        ("reprotest.runs", "2"),
    ]


def test_several_regularizers_and_audits_have_names_of_their_own():
    both = audited(none=[TRUTH, [0, 1, 1, 1]], dropout=[TRUTH, TRUTH])
    names = [name for name, _ in properties([both, audited()])]
    assert len(set(names)) == len(names) == 15
    assert {name.partition("[")[2] for name in names} == {"none]", "dropout]", "none #2]"}


def test_an_item_that_runs_again_keeps_the_properties_of_its_last_run_and_of_others():
    told = [("own", 1)]
    tell_item(told, [audited(none=[TRUTH, TRUTH])])
    tell_item(told, [audited()])
    assert told == [("own", 1), *properties([audited()])]


def test_a_forecast_measured_nothing():
    told = []
    tell_item(told, [object()])
    assert told == []
