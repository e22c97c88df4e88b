"""Nets written as classes: which forwards are read as plain trees, and that they train as they would anyway."""

import random
import warnings

import numpy as np
import pytest
import torch
from test_stacked_engine import BATCH, assert_same_state, models_of, runs_of, source, step_both
from torch import nn
from torch.nn import functional

from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.stacked import manual
from pytest_reprotest.training.stacked.direct import DirectStack, NotDirect
from pytest_reprotest.training.stacked.engine import make_stack, train_stack
from pytest_reprotest.training.stacked.reading import as_tree
from pytest_reprotest.training.stacked.vmapped import VmappedStack
from pytest_reprotest.training.state import preserved_state


@pytest.fixture(autouse=True)
def _one_thread():
    with preserved_state(threads=1):
        yield


class Base(nn.Module):
    """Layers of which each forward below takes some, registered in another order than they are called."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(16, 5)
        self.second = nn.Linear(16, 16)
        self.first = nn.Linear(64, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.3)
        self.relu = nn.ReLU(inplace=True)

    def stem(self, x):
        return functional.relu(self.first(x.flatten(1)))


def net(forward, **attributes):
    """A factory of a class with this forward."""

    def init(self):
        Base.__init__(self)
        for name, make in attributes.items():
            setattr(self, name, make())

    return type("Net", (Base,), {"forward": forward, "__init__": init})


def functions(self, x):
    x = torch.relu(self.first(torch.flatten(x, 1)))
    x = self.norm(self.second(x)).relu()
    x = functional.gelu(self.second(self.drop(x)), approximate="tanh")
    return self.scores(functional.leaky_relu(torch.tanh(x), 0.2).sigmoid())


def loop(self, x):
    x = x.view(x.size(0), -1)
    for layer in self.layers:
        x = functional.silu(layer(x))
    return self.scores(x)


def tied(self, x):
    x = self.first(x.reshape(x.shape[0], -1))
    for _ in range(3):
        x = self.drop(self.norm(self.second(torch.relu(x))))
    return self.scores(x)


def residual(self, x):
    x = self.stem(x.view(-1, 64))
    x = x + self.second(functional.relu(self.second(x)))
    y = self.norm(self.second(x))
    y += x
    return self.scores(self.relu(torch.add(self.drop(self.second(y)), y)))


def projected(self, x):
    x = x.flatten(1)
    x = self.relu(self.norm(self.first(x)) + self.other(x).tanh())
    return self.scores(self.second(x).add(x + (x + self.second(x))))


def in_place(self, x):
    x = self.relu(self.first(x.flatten(1)))
    y = self.relu(self.second(self.drop(x)))
    y = self.second(y)
    y += x
    return self.scores(functional.elu(y, inplace=True))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Linear(16, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 16)
        )

    def forward(self, x):
        return x + self.branch(x)


def blocks(self, x):
    x = self.stem(x)
    for block in self.blocks:
        x = functional.relu(block(x))
    return self.scores(self.blocks[0](x))


def shared_sides(self, x):
    x = self.stem(x)
    return self.scores(self.relu(self.second(x)) + self.relu(self.second(self.second(x))))


READ = {
    "functions": net(functions),
    "loop": net(loop, layers=lambda: nn.ModuleList([nn.Linear(64, 16), nn.Linear(16, 16)])),
    "tied": net(tied),
    "residual": net(residual),
    "projected": net(projected, other=lambda: nn.Linear(64, 16, bias=False)),
    "in place": net(in_place),
    "blocks": net(blocks, blocks=lambda: nn.ModuleList([Block(), Block()])),
    "shared sides": net(shared_sides),
    "of blocks": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 16), Block(), nn.Linear(16, 5)),
}


def made(factory, indices, regularizer="none", **recipe):
    found = Registry().resolve([regularizer])[0]
    changed = found.modify_recipe(Recipe(batch_size=BATCH, lr=0.05, **recipe))
    runs, sample = runs_of(indices), source().inputs[:2]
    models = [build_model(factory, found, run.seeds, sample, "cpu") for run in runs]
    return runs, found, changed, models


def trained(factory, stacking=make_stack, steps=6, **settings):
    """Float64 models after some steps of the sequential engine, and a stack after the same steps."""
    runs, found, changed, models = made(factory, range(2), **settings)
    data = source(torch.float64)
    alone, together = step_both(runs, models, changed, found, data, steps, stacking=stacking)
    return models_of(alone), together.stack


def assert_same_scores(alone, stack):
    inputs = source(torch.float64).inputs
    stack.train(False)
    with torch.no_grad():
        together = stack(inputs.expand(len(alone), *inputs.shape))
        for scores, model in zip(together, alone, strict=True):
            torch.testing.assert_close(scores, model.eval()(inputs), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", READ)
def test_a_class_that_is_read_agrees_with_the_sequential_engine_and_vmap(name):
    alone, stack = trained(READ[name])
    assert isinstance(stack, DirectStack)
    assert_same_state(alone, stack)
    assert_same_scores(alone, stack)
    if name not in ("in place", "residual", "projected"):  # vmap refuses some writes in place
        alone, stack = trained(READ[name], VmappedStack)
        assert_same_state(alone, stack)


class Usual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 16), nn.Linear(16, 16)
        self.scores = nn.Linear(16, 5)

    def forward(self, x):
        x = functional.relu(self.first(torch.flatten(x, 1)))
        return self.scores(functional.relu(self.second(x)))


@pytest.mark.parametrize("regularizer", ["dropout", "batch_norm+residual", "stochastic_depth"])
def test_regularizers_furnish_a_class_that_is_read(regularizer):
    alone, stack = trained(Usual, regularizer=regularizer)
    assert isinstance(stack, DirectStack)
    assert_same_state(alone, stack)


@pytest.mark.parametrize("name", ["tied", "residual", "projected", "blocks"])
def test_a_run_is_the_same_bits_alone_among_three_and_among_ten(name):
    def states(indices):
        runs, found, changed, models = made(READ[name], indices, epochs=1, optimizer="momentum")
        results = train_stack(runs, models, changed, found, source(), source(), "cpu")
        return {run: (r.labels.tolist(), r.losses) for run, r in zip(indices, results, strict=True)}

    ten = states(range(10))
    assert states([7])[7] == ten[7]
    three = states([9, 7, 2])
    assert {run: three[run] for run in (2, 7, 9)} == {run: ten[run] for run in (2, 7, 9)}
    assert ten[2] != ten[7]


def test_negative_control_a_sum_that_loses_a_side_does_not_agree(monkeypatch):
    def backward(self, gradient, inward):
        self.first.backward(gradient, inward)
        return self.second.backward(gradient, inward)

    monkeypatch.setattr(manual._Sum, "backward", backward)
    with pytest.raises(AssertionError):
        assert_same_state(*trained(READ["blocks"], steps=3))


def scaled(self, x):
    return self.scores(self.stem(x)) * 2.0


def added_number(self, x):
    return self.scores(self.stem(x) + 1.0)


def weighted_sum(self, x):
    x = self.stem(x)
    return self.scores(torch.add(x, self.second(x), alpha=2.0))


def functional_layer(self, x):
    return functional.linear(self.stem(x), self.scores.weight, self.scores.bias)


def by_mode(self, x):
    x = self.stem(x)
    return self.scores(self.second(x) if self.training else x)


def by_mode_of_a_child(self, x):
    x = self.stem(x)
    return self.scores(self.second(x) if self.norm.training else x)


def counting(self, x):
    self.calls = getattr(self, "calls", 0) + 1
    return self.scores(self.stem(x))


def remembering(self, x):
    self.seen.append(len(self.seen))
    return self.scores(self.stem(x))


def replacing(self, x):
    self.kept = self.first(x.flatten(1))
    return self.scores(functional.relu(self.kept))


def no_gradient(self, x):
    with torch.no_grad():
        x = self.stem(x)
    return self.scores(x)


def detached(self, x):
    return self.scores(self.stem(x).detach())


def autocast(self, x):
    with torch.autocast("cpu", torch.bfloat16):
        x = self.stem(x)
    return self.scores(x)


def constant(self, x):
    return self.scores(self.stem(x)) if torch.ones(()) > 0 else x


def dense(self, x):
    x = self.stem(x)
    y = self.second(x)
    z = x + self.second(y)
    return self.scores(z + y)


def twice(self, x):
    h = self.stem(x)
    s = self.drop(h) + self.second(h)
    return self.scores(s + torch.relu(h + s))


def unused(self, x):
    h = self.stem(x)
    self.norm(h)
    return self.scores(h)


def stateful_sides(self, x):
    h = self.stem(x)
    return self.scores(self.norm(h) + self.norm(self.second(h)))


def changed_input(self, x):
    h = self.stem(x)
    y = self.relu(h)
    return self.scores(h + y)


def changed_alias(self, x):
    h = self.stem(x)
    y = self.same(h)
    y += self.second(h)
    return self.scores(self.second(y))


def other_shapes(self, x):
    return self.scores(self.stem(x).unflatten(1, (4, 4)).flatten(2).flatten(1))


def a_view_of_all(self, x):
    return self.scores(self.stem(x).flatten().view(-1, 4, 4).flatten(1))


def two_inputs(self, x, scale=1):
    return self.scores(self.stem(x))


def any_inputs(self, *x):
    return self.scores(self.stem(x[0]))


def mean_of_batch(self, x):
    x = self.stem(x)
    return self.scores(x - x.mean(0))


REFUSED = {
    "times a number": net(scaled),
    "plus a number": net(added_number),
    "alpha": net(weighted_sum),
    "functional layer": net(functional_layer),
    "by mode": net(by_mode),
    "by a child's mode": net(by_mode_of_a_child),
    "a count": net(counting),
    "a list": net(remembering, seen=list),
    "an attribute": net(replacing),
    "no_grad": net(no_gradient),
    "detach": net(detached),
    "autocast": net(autocast),
    "a real tensor": net(constant),
    "dense": net(dense),
    "a skip over a sum": net(twice),
    "a result for nothing": net(unused),
    "state on both sides": net(stateful_sides),
    "in place, used later": net(changed_input),
    "in place, through an alias": net(changed_alias, same=nn.Identity),
    "other shapes": net(other_shapes),
    "a view of all": net(a_view_of_all),
    "two inputs": net(two_inputs),
    "any inputs": net(any_inputs),
    "its batch": net(mean_of_batch),
}
# what vmap can't run either, or what it shares among runs: the trial decides
NOT_UNDER_VMAP = ("autocast", "a real tensor", "in place, used later", "in place, through an alias")


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_forward_runs_under_vmap(name):
    if name in NOT_UNDER_VMAP:
        with pytest.raises(NotDirect):
            DirectStack([REFUSED[name](), REFUSED[name]()])
        return
    alone, stack = trained(REFUSED[name], steps=3)
    assert isinstance(stack, VmappedStack)
    assert_same_state(alone, stack)


class Drawing(Block):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def forward(self, x):
        return self.branch(x) if self.draw() > 2.0 else x + self.branch(x)


@pytest.mark.parametrize("draw", [random.random, np.random.rand, lambda: torch.rand(()).item()])
def test_a_forward_that_draws_is_not_read_and_the_streams_stay_where_they_are(draw):
    def states():
        return random.getstate(), np.random.get_state()[2], torch.get_rng_state().tolist()

    model = Drawing(draw)
    before = states()
    assert as_tree(model) is None
    assert states() == before
    assert as_tree(Drawing(lambda: 1.0)) is not None


@pytest.mark.parametrize(
    "hook",
    [
        lambda module: module.register_forward_hook(lambda *_: None),
        lambda module: module.register_forward_pre_hook(lambda *_: None),
        lambda module: module.register_full_backward_hook(lambda *_: None),
        lambda module: module.register_full_backward_pre_hook(lambda *_: None),
    ],
)
@pytest.mark.parametrize("place", ["", "first"])
def test_hooks_are_refused_wherever_they_are(hook, place):
    model = Usual()
    assert isinstance(make_stack([model, model]), DirectStack)
    hook(model.get_submodule(place))
    with pytest.raises(NotDirect, match="has hooks"):
        DirectStack([model, model])


class OwnTrain(Usual):
    def train(self, mode=True):
        super().train(mode)
        self.second.eval()
        return self


class OwnCall(Usual):
    def __call__(self, x):
        return 2.0 * super().__call__(x)


def test_a_forward_that_is_not_all_there_is_is_refused():
    patched = Usual()
    patched.forward = lambda x: patched.scores(patched.first(x))
    assert as_tree(Usual()) is not None
    assert [as_tree(OwnTrain()), as_tree(OwnCall()), as_tree(patched)] == [None] * 3


class Oblivious(nn.Linear):
    """A class of the user's over one of torch's that is known."""

    def forward(self, x):
        return super().forward(x) + 1.0


def test_subclasses_of_known_modules_and_torchs_own_others_are_refused():
    for module in (Oblivious(4, 4), nn.Conv2d(1, 1, 3), nn.BatchNorm2d(2), nn.Softmax(1)):
        assert as_tree(module) is None
        with pytest.raises(NotDirect):
            DirectStack([nn.Sequential(module), nn.Sequential(module)])


def snapshot(model):
    return [
        (
            name,
            id(module),
            list(vars(module)),
            module.training,
            [id(each) for each in module.children()],
        )
        for name, module in model.named_modules()
    ]


@pytest.mark.parametrize("factory", [*READ.values(), *REFUSED.values()])
def test_reading_leaves_the_module_as_it_is_and_is_silent(factory):
    model = factory()
    model.eval()
    before, values = snapshot(model), {k: v.clone() for k, v in model.state_dict().items()}
    seen = list(getattr(model, "seen", ()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_tree(model)
    assert snapshot(model) == before
    assert list(getattr(model, "seen", ())) == seen
    assert all(torch.equal(value, values[key]) for key, value in model.state_dict().items())


def test_warnings_of_a_forward_are_left_to_the_training():
    def warning(self, x):
        warnings.warn("planted", stacklevel=1)
        return self.scores(self.stem(x))

    assert as_tree(net(warning)()) is not None  # the suite's filters would raise


def test_an_activation_that_writes_in_place_is_trained_by_hand_too():
    def made_in_place():
        layers = nn.Linear(64, 16), nn.ELU(inplace=True), nn.Linear(16, 5)
        return nn.Sequential(nn.Flatten(), *layers)

    alone, stack = trained(made_in_place)
    assert isinstance(stack, DirectStack)
    assert_same_state(alone, stack)


def test_the_sides_of_a_sum_may_be_broadcast():
    def broadcast(self, x):
        x = self.stem(x)
        return self.scores(self.narrow(x) + self.second(x))

    alone, stack = trained(net(broadcast, narrow=lambda: nn.Linear(16, 1)))
    assert isinstance(stack, DirectStack)
    assert_same_state(alone, stack)
