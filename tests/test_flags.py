import pytest

from pytest_reprotest.flags import FLAGS
from pytest_reprotest.options import READERS

KEYS = [flag.key for flag in FLAGS]


def test_options_and_ini_twins_are_spelled_alike():
    flag = next(flag for flag in FLAGS if flag.key == "max_prediction_difference")
    assert flag.option == "--repro-max-prediction-difference"
    assert flag.dest == "repro_max_prediction_difference"


def test_no_option_is_listed_twice():
    assert len(set(KEYS)) == len(KEYS)


@pytest.mark.parametrize(
    "key",
    [
        "runs",
        "regularizers",
        "seed",
        "vary",
        "device",
        "max_prediction_difference",
        "min_effective_accuracy",
        "deterministic",
        "attribute",
        "report_only",
        "json",
        "half_width",
        "pilot",
    ],
)
def test_every_promised_option_has_an_ini_twin(key):
    assert next(flag for flag in FLAGS if flag.key == key).ini


@pytest.mark.parametrize("key", ["list", "plan"])
def test_what_a_session_does_in_place_of_auditing_is_no_setting(key):
    assert not next(flag for flag in FLAGS if flag.key == key).ini


@pytest.mark.parametrize("flag", FLAGS, ids=KEYS)
def test_every_option_says_what_it_does(flag):
    assert len(flag.help) > 10
    assert not flag.help.endswith(".")
    assert "%" not in flag.help  # argparse would format it


def test_every_switch_is_one_of_the_audit_or_of_the_session():
    assert {flag.key for flag in FLAGS if flag.metavar is None} <= {
        "deterministic",
        "attribute",
        "report_only",
        "list",
        "resume",
        "plan",
    }
    assert {"deterministic", "attribute", "report_only"} <= set(READERS)
