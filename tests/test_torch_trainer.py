from __future__ import annotations

import itertools
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, blobs, make_mlp, some_runs, trained, trainer_of
from torch import nn
from torch.nn import functional

from pytest_reprotest import audit
from pytest_reprotest.errors import DataError, RegularizerRefused, TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.regularizers import (
    batch_norm,
    dropout,
    group_norm,
    momentum,
    none,
    orthogonal,
    residual,
    weight_decay,
)
from pytest_reprotest.training.model import same_object

STACKED = Placement("cpu", "stacked", 3)


def prepare(trainer, *regularizers, asked=SEQUENTIAL):
    return trainer.prepare(regularizers or (none(),), asked, 3)


def refused(error=TrainingError, regularizers=(), **arguments) -> str:
    with pytest.raises(error) as info:
        prepare(trainer_of(**arguments), *regularizers)
    return str(info.value)


# --- what it is made of -----------------------------------------------------------------------------


def test_the_true_labels_are_those_of_the_test_set():
    assert trainer_of().y_true.tolist() == [0, 1, 2] * 10


def test_it_describes_recipe_and_data_as_json_primitives():
    described = trainer_of(schedule="cosine").describe()
    hashes = described.pop("data")
    assert {role: len(found) for role, found in hashes.items()} == {"train": 32, "test": 32}
    assert hashes == trainer_of().describe()["data"]
    assert described == {
        "model_factory": "make_mlp",
        "epochs": 2,
        "batch_size": 16,
        "optimizer": "sgd",
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "loss": "cross_entropy",
        "schedule": "cosine",
        "max_grad_norm": None,
        "drop_last": False,
        "ema_decay": None,
        "threads": 1,
        "n_train": 48,
        "n_test": 30,
    }


def test_a_factory_without_a_name_is_described_by_its_repr():
    class Maker:
        def __call__(self):
            return make_mlp()

        def __repr__(self):
            return "Maker()"

    assert trainer_of(Maker()).describe()["model_factory"] == "Maker()"


def test_a_wrong_factory_is_refused_at_once():
    with pytest.raises(
        TrainingError, match=r"^got a model \(Sequential\) in place of a model factory"
    ):
        trainer_of(make_mlp())


def test_arrays_and_tensors_train_alike():
    inputs, targets = blobs()
    pairs = [
        (inputs, targets),
        (inputs.numpy(), targets.numpy()),
        (inputs.numpy().astype("float64"), targets.numpy().astype("int32")),
        (inputs.tolist(), targets.tolist()),
        torch.utils.data.TensorDataset(inputs, targets),
        torch.utils.data.Subset(torch.utils.data.TensorDataset(inputs, targets), range(48)),
    ]
    losses = {trained(trainer_of(train=pair), some_runs(1))[0].losses for pair in pairs}
    assert len(losses) == 1


def test_data_is_moved_once():
    trainer = trainer_of()
    first = trainer._on("cpu")
    assert trainer._on("cpu")[0] is first[0]
    assert trainer._on("meta")[0].inputs.device.type == "meta"


def test_the_users_callables_are_told_for_other_processes():
    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, number):
            return torch.rand(6), number % 3

    def loss(outputs, targets):
        raise AssertionError

    assert trainer_of().callables() == (make_mlp,)
    assert trainer_of(train=Noisy(), loss=loss).callables() == (make_mlp, loss, Noisy)


# --- prepare ----------------------------------------------------------------------------------------


def test_what_fits_is_prepared_without_refusals():
    prepared = prepare(trainer_of(), none(), dropout(), batch_norm(), weight_decay())
    assert prepared.refusals == {}
    assert prepared.placement == SEQUENTIAL


def test_each_refusal_is_kept_with_its_reason_and_the_rest_goes_on():
    def make():
        return nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 3))

    prepared = prepare(trainer_of(make), none(), residual(), group_norm(), dropout())
    assert list(prepared.refusals) == ["residual", "group_norm"]
    assert prepared.refusals["residual"].startswith("'residual' needs a hidden layer whose output")
    assert prepared.refusals["group_norm"].endswith("numbers that fit are [1], e.g. group_norm(1)")


def test_inputs_of_a_wrong_shape_are_told_with_their_shape():
    told = refused(
        train=(torch.rand(48, 5), torch.arange(48) % 3),
        test=(torch.rand(6, 5), torch.arange(6) % 3),
    )
    assert told.startswith(
        "'none': a first step on a small batch raised RuntimeError: mat1 and mat2 shapes cannot be multiplied"
    )
    assert told.endswith("\n  inputs are torch.float32 of shape (n, 5)")


def test_inputs_of_a_wrong_dtype_are_told_with_their_dtype():
    inputs, targets = blobs()
    told = refused(train=(inputs.double(), targets), test=(inputs.double(), targets))
    assert "a first step on a small batch raised RuntimeError" in told
    assert told.endswith("\n  inputs are torch.float64 of shape (n, 6)")


def test_a_test_set_unlike_the_train_set_is_told():
    told = refused(DataError, test=(torch.rand(5, 7), torch.arange(5) % 3))
    assert told.startswith("'none': the model trains on train= and can't predict test=")
    assert "torch.float32 of shape (n, 7)" in told


def test_an_exception_in_the_model_is_told_with_the_users_line():
    class Net(nn.Linear):
        def forward(self, inputs):
            raise KeyError("tokens")

    told = refused(factory=lambda: Net(6, 3))
    assert "raised KeyError: 'tokens'\n  at " in told
    assert 'in forward: raise KeyError("tokens")' in told


def test_errors_of_ours_keep_their_kind_and_name_the_regularizer():
    told = refused(DataError, factory=lambda: nn.Linear(6, 2))
    assert told.startswith("'none': labels outside the classes: the largest label is 2")


def test_the_labels_of_the_test_set_count_too():
    told = refused(
        DataError,
        factory=lambda: nn.Linear(6, 3),
        test=(torch.rand(5, 6), torch.arange(5)),
    )
    assert "the largest label is 4, the model gives scores for 3 classes" in told


def test_exceptions_of_the_users_loss_and_optimizer_are_told():
    def loss(outputs, targets):
        raise ValueError("no loss today")

    assert 'in loss: raise ValueError("no loss today")' in refused(loss=loss)

    def optimizer(parameters):
        return torch.optim.SGD(parameters, lr=-1)

    told = refused(optimizer=optimizer)
    assert "ValueError: Invalid learning rate: -1" in told
    assert "in optimizer: return torch.optim.SGD(parameters, lr=-1)" in told


def test_a_last_batch_of_one_sample_is_told_before_training():
    told = refused(train=blobs(33), regularizers=(batch_norm(),))
    assert told.startswith(
        "'batch_norm': the last batch of an epoch holds 1 sample (33 samples, batch_size=16)"
    )
    assert told.endswith("Set drop_last=True, or another batch_size")


def test_lazy_modules_are_prepared_and_trained():
    trainer = trainer_of(lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)))
    assert prepare(trainer, dropout()).refusals == {}
    outcomes = trained(trainer, some_runs(2))
    assert outcomes[0].losses != outcomes[1].losses


def test_surgery_that_the_model_passes_by_is_a_refusal():
    class FromAList(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
            self.steps = [self.body, self.head]

        def forward(self, inputs):
            return self.steps[1](self.steps[0](inputs))

    prepared = prepare(trainer_of(FromAList), none(), dropout())
    assert list(prepared.refusals) == ["dropout"]
    assert "'body', which the model reaches by another way" in prepared.refusals["dropout"]


def test_prepare_leaves_no_trace_in_what_is_trained():
    prepared, fresh = trainer_of(), trainer_of()
    prepare(prepared, none(), dropout())
    assert trained(prepared, some_runs(2))[1].losses == trained(fresh, some_runs(2))[1].losses


# --- initial weights that can't vary ----------------------------------------------------------------

MINE = make_mlp()


def the_same_object():
    return MINE


def self_seeded():
    torch.manual_seed(0)
    return make_mlp()


@pytest.mark.parametrize("factory", [the_same_object, self_seeded])
@pytest.mark.parametrize("vary", [("init",), ("init", "data_order", "noise")])
@pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED])
def test_initial_weights_that_are_the_same_for_every_seed_fail_where_init_is_to_vary(
    factory, vary, placement
):
    trainer = trainer_of(factory)
    prepare(trainer)
    outcomes = trained(trainer, some_runs(3, vary=vary), placement=placement)
    assert list(outcomes) == [0]
    assert outcomes[0].labels is None
    assert outcomes[0].failure.startswith(
        f"the model factory '{factory.__name__}' gives the same initial weights for every seed, so 'init', "
        "which is to vary, does not"
    )
    same = "'the_same_object' returned the same model object twice; here each run trains a copy"
    assert (same in outcomes[0].failure) == (factory is the_same_object)


def test_a_parameter_in_two_models_is_told():
    shared = nn.Linear(6, 8)
    factory = lambda: nn.Sequential(shared, nn.ReLU(), nn.Linear(8, 3))  # noqa: E731
    assert same_object(factory, none()).startswith(
        "'<lambda>' returned the parameter '0.weight' in"
    )
    assert same_object(make_mlp, none()) == ""


@pytest.mark.parametrize("factory", [the_same_object, self_seeded])
def test_initial_weights_may_be_the_same_where_init_is_not_to_vary(factory):
    trainer = trainer_of(factory)
    prepare(trainer)
    outcomes = trained(trainer, some_runs(3, vary=("data_order",)))
    assert len({outcome.losses for outcome in outcomes.values()}) == 3


def test_an_audit_of_one_model_object_fails_with_the_reason():
    result = audit(
        the_same_object,
        train=blobs(),
        test=blobs(30, 1),
        runs=3,
        epochs=1,
        batch_size=16,
        device="cpu",
    )
    (reason,) = result["none"].verdict.reasons
    assert result["none"].verdict.broken
    assert reason.startswith(
        "run 0 of 'none' (--repro-seed=0) failed: the model factory 'the_same_object'"
    )
    assert reason.endswith("say vary='data_order,noise'")


def test_weights_from_a_generator_of_the_factorys_own_are_refused():
    def make():
        model = make_mlp()
        with torch.no_grad():
            model[0].bias += torch.from_numpy(np.random.default_rng().random(8))
        return model

    told = refused(factory=make)
    number = make.__code__.co_firstlineno + 3
    line = f"{number} in make: model[0].bias += torch.from_numpy(np.random.default_rng().random(8))"
    assert re.sub(r"at \S*(?=test_torch)", "at ", told) == (
        "'none': the model factory 'make' gave other initial weights for the same seed: it draws on something "
        "else than the generators of random, numpy.random and torch, or remembers earlier calls; NumPy's "
        f"generator without a seed at test_torch_trainer.py:{line}. Draw initial "
        "weights from those generators, which are seeded before each call"
    )


def test_a_factory_that_remembers_its_calls_is_refused():
    calls = itertools.count()

    def make():
        return nn.Sequential(nn.Linear(6, 8 + next(calls)), nn.ReLU(), nn.LazyLinear(3))

    assert "gave other initial weights for the same seed" in refused(factory=make)


# --- train ------------------------------------------------------------------------------------------


def test_an_outcome_holds_labels_losses_and_time():
    outcome = trained(trainer_of(epochs=3), some_runs(1))[0]
    assert outcome.failure is None
    assert outcome.labels.shape == (30,)
    assert outcome.labels.dtype == np.uint8
    assert len(outcome.losses) == 3
    assert outcome.losses[2] < outcome.losses[0]
    assert outcome.seconds > 0


def test_a_failing_run_becomes_an_outcome_and_the_next_runs_are_trained():
    made = itertools.count()

    def make():
        if next(made) == 1:
            raise OSError("the second one is not there")
        return make_mlp()

    outcomes = trained(trainer_of(make), some_runs(3))
    assert [outcomes[run].failure is None for run in range(3)] == [True, False, True]
    assert outcomes[1].labels is None
    assert outcomes[1].failure.startswith("the model factory 'make' raised OSError: the second one")
    assert 'raise OSError("the second one is not there")' in outcomes[1].failure


def test_the_message_of_an_audit_names_run_seed_and_the_users_line():
    steps = itertools.count()

    def loss(outputs, targets):
        if next(steps) == 10:
            raise ZeroDivisionError("in the middle")
        return functional.cross_entropy(outputs, targets)

    result = audit(
        make_mlp,
        train=blobs(),
        test=blobs(30, 1),
        runs=3,
        seed=7,
        epochs=2,
        batch_size=16,
        loss=loss,
        device="cpu",
        engine="sequential",
    )
    (reason,) = result["none"].verdict.reasons
    # one step is taken before training, three in each epoch: the eleventh is the fourth of run 1
    assert reason.startswith(
        "run 1 of 'none' (--repro-seed=7) failed: ZeroDivisionError: in the middle\n  at "
    )
    assert reason.endswith('in loss: raise ZeroDivisionError("in the middle")')
    assert result["none"].verdict.broken
    assert not result.passed


# --- what can go wrong with a stack -----------------------------------------------------------------


def test_a_factory_that_fails_for_one_run_of_a_stack_fails_that_run():
    made = itertools.count()

    def make():
        if next(made) == 1:
            raise OSError("the second one is not there")
        return make_mlp()

    outcomes = trained(trainer_of(make), some_runs(3), placement=STACKED)
    assert list(outcomes) == [1]
    assert outcomes[1].failure.startswith("the model factory 'make' raised OSError: the second one")


def test_an_exception_in_a_stack_is_told_with_the_users_line():
    steps = itertools.count()

    def loss(outputs, targets):
        if next(steps) == 4:
            raise ValueError("enough")
        return functional.cross_entropy(outputs, targets)

    outcomes = trained(trainer_of(loss=loss), some_runs(3), placement=STACKED)
    assert list(outcomes) == [0]
    assert outcomes[0].failure.startswith("ValueError: enough\n  at ")
    assert outcomes[0].failure.endswith('in loss: raise ValueError("enough")')


def memory_for(monkeypatch, n_runs):
    """Let no more than n_runs fit into memory; return the sizes that were tried."""
    from pytest_reprotest.training import torch_trainer

    tried = []
    original = torch_trainer.train_stack

    def train_stack(runs, *rest):
        tried.append(len(runs))
        if len(runs) > n_runs:
            raise torch.OutOfMemoryError("out of memory")
        return original(runs, *rest)

    monkeypatch.setattr(torch_trainer, "train_stack", train_stack)
    return tried


def test_a_stack_that_does_not_fit_into_memory_is_halved_and_says_so(monkeypatch):
    expected = trained(trainer_of(), some_runs(5), placement=STACKED)
    tried = memory_for(monkeypatch, 2)
    outcomes = trained(trainer_of(), some_runs(5), placement=STACKED)
    assert tried == [5, 2, 3, 1, 2]
    assert {outcome.note for outcome in outcomes.values()} == {
        "5 runs did not fit into the memory of cpu; trained in halves"
    }
    for run in range(5):
        assert outcomes[run].losses == expected[run].losses
        assert (outcomes[run].labels == expected[run].labels).all()


def test_one_run_that_does_not_fit_into_memory_fails(monkeypatch):
    memory_for(monkeypatch, 0)
    outcomes = trained(trainer_of(), some_runs(1), placement=STACKED)
    told = "cpu is out of memory for one run: OutOfMemoryError: out of memory"
    assert outcomes[0].failure.startswith(told)
    assert "make batch_size or the model smaller" in outcomes[0].failure


# --- guards -----------------------------------------------------------------------------------------


def guarded(**settings):
    base = {
        "train": blobs(),
        "test": blobs(30, 1),
        "runs": 2,
        "epochs": 2,
        "batch_size": 16,
        "device": "cpu",
    }
    result = audit(settings.pop("factory", make_mlp), **{**base, **settings})
    assert not result.passed
    assert result["none"].verdict.broken
    (reason,) = result["none"].verdict.reasons
    return reason


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_divergence_fails_an_audit_with_the_run_and_what_to_do(engine):
    reason = guarded(lr=1e30, epochs=4, engine=engine)
    assert reason.startswith("run 0 of 'none' (--repro-seed=0) failed: the training loss became ")
    assert "Lower the learning rate, clip gradients (max_grad_norm=1.0)" in reason


class FlawedPrediction(nn.Linear):
    def forward(self, inputs):
        scores = super().forward(inputs)
        return scores if self.training or len(inputs) < 30 else scores / 0.0


def test_infinite_scores_fail_an_audit():
    reason = guarded(factory=lambda: FlawedPrediction(6, 3), engine="sequential")
    assert reason.startswith(
        "run 0 of 'none' (--repro-seed=0) failed: the model's scores on the test set are NaN"
    )


class AlwaysTheFirst(nn.Linear):
    def forward(self, inputs):
        scores = super().forward(inputs)
        return scores + torch.tensor([0.0, 100.0, 0.0])


def test_a_constant_predictor_fails_an_audit():
    reason = guarded(factory=lambda: AlwaysTheFirst(6, 3), lr=1e-6)
    assert reason.startswith(
        "constant predictor: run 0 (class 1), run 1 (class 1) predicted one class for all 30 test samples"
    )


def test_an_empty_test_set_is_refused():
    with pytest.raises(DataError, match=r"^the test set is empty: 0 samples; expected at least 1$"):
        trainer_of(test=(torch.rand(0, 6), torch.zeros(0, dtype=torch.int64)))


def test_recipes_are_changed_by_the_regularizer():
    plain = trained(trainer_of(), some_runs(1))[0]
    penalized = trained(trainer_of(), some_runs(1), orthogonal(1.0))[0]
    decayed = trained(trainer_of(), some_runs(1), weight_decay(0.5))[0]
    assert len({plain.losses, penalized.losses, decayed.losses}) == 3


def test_a_refusal_in_training_is_no_outcome_but_an_error():
    with pytest.raises(RegularizerRefused):
        trained(
            trainer_of(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1)),
            some_runs(1),
            momentum(),
        )


def test_a_trainer_can_be_pickled_with_what_it_has_found():
    trainer = trainer_of(the_same_object)
    prepare(trainer)
    twin = pickle.loads(pickle.dumps(trainer))
    assert trained(twin, some_runs(1))[0].failure == trained(trainer, some_runs(1))[0].failure
    runs = some_runs(2, vary=("noise", "data_order"))
    assert trained(twin, runs)[1].losses == trained(trainer, runs)[1].losses


def test_an_unprepared_trainer_trains():
    placement = replace(SEQUENTIAL, chunk=2)
    assert trained(trainer_of(), some_runs(2), placement=placement)[1].failure is None
