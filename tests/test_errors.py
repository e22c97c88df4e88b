import pytest

import pytest_reprotest
from pytest_reprotest import errors


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.OptionError, ValueError),
        (errors.DataError, ValueError),
        (errors.TrainingError, RuntimeError),
        (errors.RegularizerRefused, Exception),
    ],
)
def test_every_error_is_a_reprotest_error_and_a_fitting_builtin(kind, builtin):
    assert issubclass(kind, errors.ReprotestError)
    assert issubclass(kind, builtin)


def test_a_refusal_is_not_a_wrong_value():
    assert not issubclass(errors.RegularizerRefused, (ValueError, RuntimeError))


def test_the_closest_name_is_proposed_and_a_distant_one_is_not():
    assert errors.did_you_mean("weigth_decay", ["dropout", "weight_decay"]) == (
        " Did you mean 'weight_decay'?"
    )
    assert errors.did_you_mean("zebra", ["dropout", "weight_decay"]) == ""
    assert errors.did_you_mean("dropout", iter(["dropout"])) == " Did you mean 'dropout'?"


def test_the_package_gives_its_public_names_on_first_use():
    for name in pytest_reprotest.__all__:
        assert getattr(pytest_reprotest, name).__name__ == name
    assert dir(pytest_reprotest) == sorted(pytest_reprotest.__all__)


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="has no attribute 'adit'"):
        pytest_reprotest.adit  # noqa: B018


@pytest.mark.parametrize(
    "name", ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "a\rb", "\u202eab", "\ud800"]
)
def test_a_message_cannot_steer_the_terminal(name):
    told = str(errors.DataError(f"first {name}\n\tsecond"))
    assert told == f"first {ascii(name)[1:-1]}\n\tsecond"
    assert str(errors.DataError(told)) == told


def test_a_value_is_shown_whatever_its_own_code_does():
    class Nameless:
        def __repr__(self):
            raise RuntimeError

    assert errors.shown(Nameless()) == "an object of type Nameless"
    assert errors.shown(-(10**5000)) == "an integer of 16610 bits"
    assert errors.shown("x" * 1000) == "'" + "x" * 199 + "…"
    assert errors.shown([0.5]) == "[0.5]"
