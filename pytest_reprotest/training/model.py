"""From a user's factory to the model of one run."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pytest_reprotest.errors import ReprotestError, TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.regularizers._keyed import KeyedDropout
from pytest_reprotest.seeds import ONE_ULP, RunSeeds
from pytest_reprotest.training.faults import tell
from pytest_reprotest.training.state import seed_globals
from pytest_reprotest.training.watching import unseeded_calls

Factory = Callable[..., nn.Module]

_CHANNEL_DROPOUTS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def check_factory(factory: Any) -> None:
    """Refuse what cannot make a fresh model for every run."""
    if isinstance(factory, nn.Module):
        raise TrainingError(
            f"got a model ({type(factory).__name__}) in place of a model factory; every run needs a "
            "fresh one. Pass a function that builds and returns it"
        )
    if not callable(factory):
        raise TrainingError(
            f"got {factory!r} as model factory; expected a function that builds and returns an nn.Module"
        )
    required = _required_parameters(factory)
    if required == ["run"]:
        raise TrainingError(
            f"{_name(factory)} takes a run, as training functions do; expected a function that builds a "
            "model. Wrap it: FunctionTrainer(train_fn, y_true=...)"
        )
    if required not in ([], ["regularizer"]):
        raise TrainingError(
            f"the model factory {_name(factory)} requires the parameters {', '.join(required)}; expected "
            "none, or one named 'regularizer'. Bind the others with functools.partial or a lambda"
        )


def takes_regularizer(factory: Factory) -> bool:
    """Whether the factory builds the regularizer in by hand."""
    try:
        return "regularizer" in inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False


def build_model(
    factory: Factory, regularizer: Regularizer, seeds: RunSeeds, sample: Tensor, device: str
) -> nn.Module:
    """The model of one run, initialized from its ``init`` stream, on a device.

    The regularizer changes a copy, after initialization: runs of different regularizers start from the
    same weights. A factory with a parameter ``regularizer`` gets the label, and its model is left as it is.

    Parameters
    ----------
    sample : tensor (n, …)
        A few inputs, to initialize lazy modules with.
    """
    seed_globals(seeds, "init")
    by_hand = takes_regularizer(factory)
    try:
        made = factory(regularizer=regularizer.label) if by_hand else factory()
    except ReprotestError:
        raise
    except (Exception, SystemExit) as error:  # sys.exit() would end pytest, or a worker
        raise TrainingError(f"the model factory {_name(factory)} raised {tell(error)}") from error
    if not isinstance(made, nn.Module):
        raise TrainingError(
            f"the model factory {_name(factory)} returned {type(made).__name__}; expected a "
            "torch.nn.Module. Does it end in 'return model'?"
        )
    if any(is_lazy(buffer) for buffer in made.buffers()):  # torch can't copy these
        _materialize(made, sample)
    model = copy.deepcopy(made)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        _materialize(model, sample)
    if ONE_ULP in seeds.vary:
        nudge(model, seeds)
    if not by_hand:
        regularizer.modify_model(model)
    model = _with_keyed_dropout(model)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError(
            f"the model of {_name(factory)} has no parameter that requires a gradient; there is "
            "nothing to train"
        )
    key_noise(model, seeds)
    return model.to(device)


def _materialize(model: nn.Module, sample: Tensor) -> None:
    model.eval()  # a normalization layer must not learn from these inputs
    with torch.no_grad():
        model(sample[:2].cpu().clone())
    model.train()


def nudge(model: nn.Module, seeds: RunSeeds) -> None:
    """Move one element of one weight by one ulp, away from 0: another one in each run, and none in run 0.

    Taken are weights that are trained and no vectors, where there are any, and their elements from half of the
    largest up: an ulp of a small one is lost in the first sum, and biases often start at 0.

    Raises
    ------
    TrainingError
        Where the model has no such weight.
    """
    if seeds.run == 0:
        return
    trained = [each for each in model.parameters() if each.requires_grad and each.any()]
    weights = [each for each in trained if each.dim() > 1] or trained
    if not weights:
        raise TrainingError(
            "no initial weight can be moved by one ulp, since all that are trained are 0; expected at least "
            "one that is not. Draw them from a generator, or leave attribution out"
        )
    large = [each.abs() >= each.abs().max() / 2 for each in weights]
    ends = np.cumsum([int(each.sum()) for each in large])
    count = int(ends[-1])
    rng = np.random.default_rng(RunSeeds(seeds.base, 0).sequence(ONE_ULP))
    first, step = (int(number) for number in rng.integers(1, count + 1, 2))
    while math.gcd(step, count) > 1:  # so that no two runs meet
        step += 1
    number = (first + seeds.run * step) % count
    chosen = int(np.searchsorted(ends, number, side="right"))
    weight = weights[chosen]
    at = tuple(large[chosen].nonzero()[number - int(ends[chosen])].tolist())
    with torch.no_grad():
        weight[at] = torch.nextafter(weight[at], torch.sign(weight[at]) * torch.inf)


def key_noise(model: nn.Module, seeds: RunSeeds) -> None:
    """Key every noise layer from the run's noise stream and the layer's place in the model."""
    layers = [module for module in model.modules() if isinstance(module, KeyedDropout)]
    words = seeds.sequence("noise").generate_state(2 * max(len(layers), 1), np.uint32)
    for layer, key in zip(layers, words.view(np.int32).reshape(-1, 2), strict=False):
        layer.noise_key.copy_(torch.from_numpy(key.copy()))
        layer.noise_call.zero_()


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models have equal parameters, to the last bit."""
    first, second = dict(one.named_parameters()), dict(other.named_parameters())
    return first.keys() == second.keys() and all(
        torch.equal(parameter, second[name]) for name, parameter in first.items()
    )


def unseeded_start(factory: Factory, regularizer: Regularizer) -> TrainingError:
    """The error of a factory whose weights do not follow the seed; it is called once more to see why."""
    given = {"regularizer": regularizer.label} if takes_regularizer(factory) else {}
    return TrainingError(
        f"the model factory {_name(factory)} gave other initial weights for the same seed: it draws on "
        "something else than the generators of random, numpy.random and torch, or remembers earlier "
        f"calls{unseeded_calls(lambda: factory(**given))}. Draw initial weights from those generators, which "
        "are seeded before each call"
    )


def fixed_start(factory: Factory, seeds: RunSeeds, why: str) -> TrainingError:
    """The error of a factory whose weights are one and the same although they are to vary.

    Parameters
    ----------
    why : str
        As ``same_object`` tells it; may be empty.
    """
    others = ",".join(source for source in seeds.vary if source != "init") or "none"
    return TrainingError(
        f"the model factory {_name(factory)} gives the same initial weights for every seed, so 'init', "
        f"which is to vary, does not{': ' * bool(why)}{why}. Build the model inside the factory and don't seed there; or, "
        f"where the weights are meant to be the same, say vary={others!r}"
    )


def same_object(factory: Factory, regularizer: Regularizer) -> str:
    """A sentence where a factory returns one model, or one parameter, at two calls; empty where it does not."""
    given = {"regularizer": regularizer.label} if takes_regularizer(factory) else {}
    one, other = factory(**given), factory(**given)
    if one is other:
        return f"{_name(factory)} returned the same model object twice; {_COPIED}"
    shared = {id(each) for each in one.parameters()} & {id(each) for each in other.parameters()}
    names = [name for name, each in one.named_parameters() if id(each) in shared]
    if not names:
        return ""
    return f"{_name(factory)} returned the parameter {names[0]!r} in two models; {_COPIED}"


_COPIED = "here each run trains a copy, elsewhere a second training goes on from the first"


def _with_keyed_dropout(model: nn.Module) -> nn.Module:
    """Replace torch's dropout modules, which draw from a shared stream, by keyed ones."""
    keyed = {
        id(module): _keyed(module)
        for module in model.modules()
        if type(module) is nn.Dropout or type(module) in _CHANNEL_DROPOUTS
    }
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # named_children() skips repeats
            if id(child) in keyed:
                parent.add_module(name, keyed[id(child)])
    return keyed.get(id(model), model)


def _keyed(dropout: Any) -> KeyedDropout:
    return KeyedDropout(dropout.p, dims=2 if type(dropout) in _CHANNEL_DROPOUTS else None)


def _required_parameters(factory: Any) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _name(factory: Any) -> str:
    return f"{getattr(factory, '__name__', repr(factory))!r}"
