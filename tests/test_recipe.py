import json
import math

import pytest

from pytest_reprotest.errors import OptionError
from pytest_reprotest.recipe import LEARNING_RATES, SCHEDULES, Recipe


def halving(progress):
    return 1.0 - progress / 2


def my_optimizer(parameters):
    raise NotImplementedError


# --- defaults and names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("sgd", 0.1), ("momentum", 0.01), ("adam", 3e-4), ("adamw", 3e-4)]
)
def test_the_study_s_learning_rates_are_the_defaults(optimizer, rate):
    assert Recipe(optimizer=optimizer).learning_rate == rate


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_a_given_learning_rate_is_taken(optimizer):
    assert Recipe(optimizer=optimizer, lr=0.5).learning_rate == 0.5


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1]),
        ("linear", [1, 0.5, 0]),
        ("cosine", [1, 0.5, 0]),
        ("warmup_cosine", [1 / 11, 0.5 * (1 + math.cos(math.pi * 4 / 9)), 0]),
        (halving, [1, 0.75, 0.5]),
    ],
)
def test_schedules_go_from_the_first_step_to_the_last(schedule, factors):
    factor = Recipe(schedule=schedule).learning_rate_factor
    assert [factor(progress) for progress in (0.0, 0.5, 1.0)] == pytest.approx(factors, abs=1e-12)


def test_the_warm_up_rises_to_the_full_rate_without_a_jump():
    factor = SCHEDULES["warmup_cosine"]
    assert factor(0.1 - 1e-9) == pytest.approx(1.0, abs=1e-6)
    assert factor(0.1) == 1.0
    rise = [factor(step / 1000) for step in range(100)]
    assert rise == sorted(rise)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "warmup_cosine"])
def test_no_schedule_exceeds_the_rate_or_goes_below_zero(schedule):
    factors = [SCHEDULES[schedule](step / 500) for step in range(501)]
    assert min(factors) >= 0
    assert max(factors) <= 1


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs=0; expected an integer of at least 1"),
        ({"epochs": True}, "epochs=True; expected an integer of at least 1"),
        ({"epochs": 2.0}, "epochs=2.0; expected an integer of at least 1"),
        ({"batch_size": -8}, "batch_size=-8; expected an integer of at least 1"),
        ({"threads": "2"}, "threads='2'; expected an integer of at least 1"),
        ({"lr": 0}, "lr=0; expected a finite number above 0"),
        ({"lr": -0.1}, "lr=-0.1; expected a finite number above 0"),
        ({"lr": math.nan}, "lr=nan; expected a finite number above 0"),
        ({"lr": math.inf}, "lr=inf; expected a finite number above 0"),
        ({"lr": 10**400}, "0; expected a finite number above 0"),
        ({"lr": "0.1"}, "lr='0.1'; expected a finite number above 0"),
        ({"lr": True}, "lr=True; expected a finite number above 0"),
        ({"max_grad_norm": 0.0}, "max_grad_norm=0.0; expected a finite number above 0"),
        ({"momentum": -0.5}, "momentum=-0.5; expected a finite number of 0 or more"),
        ({"weight_decay": math.inf}, "weight_decay=inf; expected a finite number of 0 or more"),
        ({"drop_last": 1}, "drop_last=1; expected True or False"),
        ({"ema_decay": 1.0}, "ema_decay=1.0; expected a number above 0 and below 1"),
        (
            {"optimizer": "adm"},
            "optimizer='adm'; expected one of sgd, momentum, nesterov, adam, adamw",
        ),
        ({"optimizer": "adm"}, "or a callable. Did you mean 'adam'?"),
        ({"optimizer": None}, "optimizer=None; expected one of sgd"),
        (
            {"loss": "mae"},
            "loss='mae'; expected one of cross_entropy, nll_loss, mse, l1, bce_with_logits, or a callable.",
        ),
        ({"schedule": "cosin"}, "Did you mean 'cosine'?"),
        ({"schedule": 3}, "schedule=3; expected one of constant, linear, cosine"),
        (
            {"optimizer": my_optimizer, "lr": 0.1},
            "lr=0.1 has no effect on an optimizer given as a callable; set the learning rate inside",
        ),
        (
            {"optimizer": my_optimizer, "weight_decay": 0.1},
            "weight_decay=0.1 has no effect on an optimizer given as a callable; set it inside",
        ),
    ],
)
def test_what_cannot_be_trained_with_is_refused(settings, message):
    with pytest.raises(OptionError) as refusal:
        Recipe(**settings)
    assert message in str(refusal.value)


# --- description --------------------------------------------------------------------------------


def test_a_recipe_describes_itself_in_json():
    described = Recipe(optimizer="adam", schedule=halving).describe()
    assert json.loads(json.dumps(described)) == described
    assert described["lr"] == 3e-4
    assert described["schedule"] == "halving"


def test_a_callable_optimizer_has_no_learning_rate_of_ours_to_describe():
    described = Recipe(optimizer=my_optimizer).describe()
    assert (described["optimizer"], described["lr"]) == ("my_optimizer", None)


def test_a_callable_without_a_name_is_described_by_its_repr():
    class Loss:
        def __call__(self, outputs, targets): ...

        def __repr__(self):
            return "Loss()"

    assert Recipe(loss=Loss()).describe()["loss"] == "Loss()"
