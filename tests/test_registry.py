from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.registry import BUILT_IN, Registry
from pytest_reprotest.regularizers import (
    adam,
    by_hand,
    dropout,
    group_norm,
    momentum,
    none,
    orthogonal,
    weight_decay,
)
from pytest_reprotest.regularizers.combined import Combined


@dataclass(frozen=True)
class Mixup(Regularizer):
    strength: float
    kinds: tuple[str, ...] = ("input",)
    name: ClassVar[str] = "mixup"
    summary: ClassVar[str] = "convex combinations of samples"

    def __post_init__(self):
        if self.strength < 0:
            raise ValueError("strength is negative")


def resolve(*specifications, **registry):
    return Registry(**registry).resolve(specifications)


# --- names and calls ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_regularizer_is_found_by_the_name_it_has(name):
    registry = Registry()
    (found,) = registry.resolve([name])
    assert (found.name, found.label) == (name, name)
    assert registry.get(name) is type(found)
    assert "\n" not in found.summary


def test_the_regularizers_of_the_study_are_there_and_then_those_of_later_work():
    assert tuple(BUILT_IN) == (
        "none",
        "momentum",
        "adam",
        "weight_decay",
        "orthogonal",
        "dropout",
        "stochastic_depth",
        "batch_norm",
        "layer_norm",
        "group_norm",
        "residual",
        "ema",
    )
    assert [name for name, _ in Registry().summaries()] == list(BUILT_IN)


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("none", (none(),)),
        (" none , dropout,", (none(), dropout())),
        ("(none, dropout)", (none(), dropout())),
        ("weight_decay(1e-3)", (weight_decay(1e-3),)),
        ("weight_decay(coefficient=.001)", (weight_decay(1e-3),)),
        ("dropout()", (dropout(),)),
        ("momentum(lr=0.5)", (momentum(lr=0.5),)),
        ("dropout+weight_decay(1e-3)", (Combined((dropout(), weight_decay(1e-3))),)),
        (
            "adam + dropout(0.1) + orthogonal, none",
            (Combined((adam(), dropout(0.1), orthogonal())), none()),
        ),
    ],
)
def test_text_is_read(text, objects):
    assert resolve(text) == objects


def test_objects_are_taken_as_they_are_beside_text():
    assert resolve(dropout(0.1), "none,adam") == (dropout(0.1), none(), adam())


def test_all_is_every_registered_one_in_order():
    labels = [found.label for found in Registry([_plain("mixup")]).resolve(["all"])]
    assert labels == [*BUILT_IN, "mixup"]


def test_all_may_stand_beside_others():
    labels = [found.label for found in resolve("all, weight_decay(1e-3)", dropout(0.1))]
    assert labels == [*BUILT_IN, "weight_decay(0.001)", "dropout(0.1)"]


# --- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (dropout(), "dropout"),
        (dropout(0.5), "dropout"),
        (dropout(0.25), "dropout(0.25)"),
        (dropout(0), "dropout(0)"),
        (dropout(np.float64(0.25)), "dropout(0.25)"),
        (weight_decay(1e-5), "weight_decay(1e-05)"),
        (weight_decay(1), "weight_decay(1)"),
        (momentum(0.5), "momentum(0.5)"),
        (momentum(lr=0.1), "momentum(lr=0.1)"),
        (momentum(0.5, lr=0.1), "momentum(0.5, lr=0.1)"),
        (group_norm(4), "group_norm(4)"),
        (Combined((dropout(0.1), momentum(lr=0.1))), "dropout(0.1)+momentum(lr=0.1)"),
        (Mixup(0.3), "mixup(0.3)"),
        (Mixup(0.3, ("a", "b")), "mixup(0.3, kinds=('a', 'b'))"),
    ],
)
def test_a_label_read_again_is_the_same_regularizer(regularizer, label):
    assert regularizer.label == label
    assert resolve(label, extra=[Mixup]) == (regularizer,)
    assert Registry([Mixup]).label(label) == label


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_label_read_again_is_the_same(name):
    assert Registry().label(name) == name


def test_several_regularizers_have_no_label_in_common():
    with pytest.raises(OptionError, match="'all' names 12 regularizers; expected one"):
        Registry().label("all")


# --- what a marker offers -----------------------------------------------------------------------


def test_text_may_name_a_marker_s_objects_by_their_label():
    offered = [by_hand("cutout"), "none", Mixup(0.3), Combined((dropout(), by_hand("warmup")))]
    registry = Registry().offering(offered)
    found = registry.resolve(["cutout, mixup(0.3)", "dropout+warmup", "adam+cutout"])
    assert found[:3] == (offered[0], offered[2], offered[3])
    assert [regularizer.label for regularizer in found][3] == "adam+cutout"


def test_a_label_that_is_no_python_is_matched_as_a_whole():
    class Odd(none):
        label = "not a name"

    odd = Odd()
    assert Registry(offered=[odd]).resolve([" not a name "]) == (odd,)


def test_what_is_offered_keeps_what_plugins_registered():
    assert Registry([Mixup]).offering([]).names == (*BUILT_IN, "mixup")


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("dropuot", "unknown regularizer 'dropuot'; expected any of none, momentum"),
        ("dropuot", "Did you mean 'dropout'?"),
        ("al", "Did you mean 'all'?"),
        ("dropout+mixpu", "unknown regularizer 'mixpu'"),
        ("weight-decay", "can't read the regularizers 'weight-decay'"),
        ("weight-decay", "Did you mean 'weight_decay'?"),
        ("none,,dropout", "can't read the regularizers 'none,,dropout'; expected names such as"),
        ("(none,),dropout", "can't read the regularizers '(none,),dropout'"),
        ("dropout(", "can't read the regularizers 'dropout('"),
        ("none\0", "can't read the regularizers"),
        ("3", "can't read the regularizers '3'"),
        ("None", "can't read the regularizers 'None'"),
        ("nn.Dropout(0.5)", "can't read the regularizers 'nn.Dropout(0.5)'"),
        ("()", "no regularizer is named; expected at least one, such as 'none'"),
        ("dropout(p)", "can't read the parameters of 'dropout' in 'dropout(p)'; expected numbers"),
        ("dropout({[]: 1})", "can't read the parameters of 'dropout'"),
        ("dropout(0.1, 0.2)", "the regularizer 'dropout' can't be built: "),
        ("dropout(q=0.1)", "the regularizer 'dropout' can't be built: "),
        ("dropout(1.5)", "dropout(p=1.5); expected a probability from 0 to below 1"),
        ("dropout(True)", "dropout(p=True); expected a probability"),
        ("weight_decay(-1)", "weight_decay(coefficient=-1); expected a finite number above 0"),
        ("weight_decay(1e999)", "weight_decay(coefficient=inf); expected a finite number above 0"),
        ("weight_decay(1" + "0" * 400 + ")", "expected a finite number above 0"),
        ("group_norm(2.0)", "group_norm(groups=2.0); expected an integer of at least 1"),
        ("mixup", "the regularizer 'mixup' can't be built: "),
        ("mixup(-1)", "the regularizer 'mixup' can't be built: strength is negative"),
        ("none,none", "the regularizer 'none' is listed twice; name each one once"),
        ("dropout,dropout(0.5)", "the regularizer 'dropout' is listed twice"),
        ("dropout+dropout(0.1)", "'dropout+dropout(0.1)' names a regularizer twice"),
        ("adam+momentum", "'adam+momentum' sets the optimizer twice (adam and momentum); keep one"),
        (3, "got 3 as a regularizer; expected a name, or an object such as weight_decay(1e-3)"),
        (dropout, "as a regularizer; expected a name, or an object such as"),
    ],
)
def test_what_names_no_regularizer_is_refused(specification, message):
    with pytest.raises(OptionError) as refusal:
        resolve(specification, extra=[Mixup])
    assert message in str(refusal.value)


def test_all_names_none_too():
    with pytest.raises(OptionError, match="the regularizer 'none' is listed twice"):
        resolve("all,none")


def test_all_says_which_registered_one_needs_parameters():
    with pytest.raises(OptionError, match=r"^the regularizer 'mixup' can't be built: .*'strength'"):
        resolve("all", extra=[Mixup])


@pytest.mark.parametrize("tag", ["not a name", "", 3, "a-b"])
def test_a_label_of_one_s_own_is_an_identifier(tag):
    with pytest.raises(
        OptionError, match=r"^by_hand\(.*\); expected an identifier, such as 'mixup'$"
    ):
        by_hand(tag)


# --- registering --------------------------------------------------------------------------------


def _plain(name="mixup", summary="one line"):
    members = {"name": name, "summary": summary}
    return type("Plain", (Regularizer,), {key: value for key, value in members.items() if value})


def test_a_registered_class_is_found_and_listed_last():
    registry = Registry([Mixup])
    assert registry.get("mixup") is Mixup
    assert registry.summaries()[-1] == ("mixup", "convex combinations of samples")


def test_registering_a_class_twice_is_no_conflict():
    assert Registry([Mixup, Mixup]).names.count("mixup") == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (Mixup(0.1), "pytest_reprotest_regularizers returned "),
        (int, "returned <class 'int'>; expected subclasses of pytest_reprotest.Regularizer"),
        ("mixup", "returned 'mixup'; expected subclasses of"),
        (_plain(name=None), "Plain has name=None; expected an identifier such as 'mixup'"),
        (_plain(name="mix up"), "Plain has name='mix up'; expected an identifier"),
        (_plain(name="lambda"), "Plain has name='lambda'; expected an identifier"),
        (_plain(name="all"), "Plain has name='all'; expected an identifier"),
        (_plain(summary=None), "the regularizer 'mixup' has no summary; give it one line for"),
        (_plain(name="dropout"), "the regularizer name 'dropout' is taken; give Plain another"),
    ],
)
def test_what_cannot_be_registered_is_refused(extra, message):
    with pytest.raises(OptionError) as refusal:
        Registry([extra])
    assert message in str(refusal.value)


def test_two_plugins_cannot_share_a_name():
    with pytest.raises(OptionError, match="the regularizer name 'mixup' is taken"):
        Registry([Mixup, _plain()])


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "-" * 9000 + "1",
        "none" + "+none" * 1900,
        "[" * 90 + "]" * 90,
        "a," * 6000,
        "a\0b",
        "~" * 5000,
    ],
    ids=lambda text: text[:4],
)
def test_texts_that_exhaust_a_parser_are_refused(text):
    with pytest.raises(
        OptionError, match=r"^can't read the regularizers '|sets|twice|unknown"
    ) as refusal:
        Registry().resolve([text])
    assert len(str(refusal.value)) < 40_000
