import pytest

from pytest_reprotest.errors import OptionError
from pytest_reprotest.options import resolve
from pytest_reprotest.registry import BUILT_IN, Registry
from pytest_reprotest.regularizers import by_hand, weight_decay
from pytest_reprotest.selection import select


def selected(command_line=None, **marker):
    return select(resolve(command_line, marker), Registry())


def test_labels_come_in_the_order_they_were_asked_for():
    chosen = selected(regularizers=["dropout", weight_decay(1e-3), "none"])
    assert list(chosen.regularizers) == ["dropout", "weight_decay(0.001)", "none"]
    assert chosen.regularizers["weight_decay(0.001)"] == weight_decay(1e-3)


@pytest.mark.parametrize(
    ("regularizers", "baseline", "found"),
    [
        ("dropout,none", None, "none"),
        ("dropout,adam", None, "dropout"),
        ("dropout,adam", "adam", "adam"),
        ("none,weight_decay(1e-3)", "weight_decay(0.001)", "weight_decay(0.001)"),
    ],
)
def test_the_baseline_is_none_or_the_first_unless_it_is_named(regularizers, baseline, found):
    assert selected(regularizers=regularizers, baseline=baseline).baseline == found


def test_a_baseline_that_is_not_audited_is_refused():
    with pytest.raises(OptionError) as refusal:
        selected(regularizers="none,dropout", baseline="dropuot")
    assert str(refusal.value) == (
        "baseline='dropuot' is not among the audited regularizers none, dropout. "
        "Did you mean 'dropout'?"
    )


def test_a_command_line_may_leave_the_baseline_out():
    chosen = selected({"regularizers": "adam,dropout"}, regularizers="none,adam", baseline="none")
    assert chosen.baseline == "adam"


@pytest.mark.parametrize(
    ("regularizers", "lenient"),
    [
        ("all", True),
        (["none+dropout", "all, weight_decay(1e-3)"], True),
        (",".join(BUILT_IN), False),
        ([by_hand("overall")], False),
    ],
)
def test_only_all_leaves_out_what_does_not_fit(regularizers, lenient):
    assert selected(regularizers=regularizers).lenient is lenient


def test_a_mapping_may_name_what_the_command_line_did_not_pick():
    limits = {"none": 0.1, "dropout": 0.2, "mixup": 0.3}
    chosen = selected(
        {"regularizers": "none"},
        regularizers=["none", "dropout", by_hand("mixup")],
        max_prediction_difference=limits,
    )
    assert list(chosen.regularizers) == ["none"]


def test_the_command_line_may_pick_a_marker_s_object():
    chosen = selected({"regularizers": "mixup"}, regularizers=["none", by_hand("mixup")])
    assert chosen.regularizers == {"mixup": by_hand("mixup")}
    assert chosen.baseline == "mixup"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dropuot", "max_prediction_difference: unknown regularizer 'dropuot'; expected any of"),
        ("dropuot", "Did you mean 'dropout'?"),
        (
            "weight_decay(1e-3)",
            "max_prediction_difference: 'weight_decay(1e-3)' is reported as 'weight_decay(0.001)'; "
            "write it so",
        ),
        ("all", "max_prediction_difference: 'all' names 12 regularizers; expected one."),
    ],
)
def test_a_mapping_that_names_no_label_is_refused(name, message):
    with pytest.raises(OptionError) as refusal:
        selected(max_prediction_difference={name: 0.1})
    assert message in str(refusal.value)
