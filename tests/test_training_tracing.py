"""What is recorded along a training, and which calls are watched; both leave everything as it was."""

import contextlib
import gc
import pickle
import random
import sys
import threading
import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from small_training import blobs, make_mlp, some_runs, trainer_of
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from pytest_reprotest import FunctionTrainer
from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.regularizers import none
from pytest_reprotest.training import tracing
from pytest_reprotest.training.content import digest_of
from pytest_reprotest.training.proving import train_to_prove
from pytest_reprotest.training.tracing import Recorder
from pytest_reprotest.training.watching import Watch, unseeded_calls

TRACED = Placement("cpu", "sequential", 1, deterministic=True, traced=True)
INPUTS, TARGETS = blobs()


def one_step(recorder, model=None):
    model = model or make_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with recorder.recording():
        nn.functional.cross_entropy(model(INPUTS), TARGETS).backward()
        optimizer.step()
    return [(event.phase, event.name) for event in recorder.events]


def test_a_step_is_recorded_in_the_order_of_its_computations():
    names = [f"{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")]
    assert one_step(Recorder()) == [
        *(("start", name) for name in names),
        *(("stream", name) for name in ("Python", "NumPy", "torch")),
        ("inputs", ""),
        *(("forward", f"{n} ({kind})") for n, kind in enumerate(["Linear", "ReLU"] * 2)),
        ("forward", "4 (Linear)"),
        ("forward", "Sequential"),
        *(("gradient", name) for name in names),
        *(("weights", name) for name in names),
    ]


def test_nothing_is_recorded_outside():
    recorder, model = Recorder(), make_mlp()
    one_step(recorder, model)
    count = len(recorder.events)
    model(INPUTS)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert (len(recorder.events), recorder.step, tracing.current.get()) == (count, 1, None)


def test_many_events_are_chained_by_step_and_phase(monkeypatch):
    monkeypatch.setattr(tracing, "_IN_FULL", 4)
    one, other, third = Recorder(), Recorder(), Recorder()
    for recorder, bias in ((one, 0.0), (other, 0.0), (third, 1.0)):
        torch.manual_seed(0)
        model = make_mlp()
        with torch.no_grad():
            model[4].bias += bias
        told = one_step(recorder, model)
    assert [phase for phase, _ in told[4:]] == [
        "start", "stream", "inputs", "forward", "gradient", "weights"
    ]  # fmt: skip
    assert one.events == other.events
    unlike = [a.phase for a, b in zip(one.events, third.events, strict=True) if a != b]
    assert unlike == ["start", "forward", "gradient", "weights"]


def test_outputs_of_any_nesting_and_none_are_recorded():
    class Nested(nn.Module):
        def forward(self, inputs):
            return {"a": [inputs, (inputs + 1, None)], "b": "text"}

    recorder = Recorder()
    with recorder.recording():
        Nested()(INPUTS)
    assert [event.phase for event in recorder.events].count("forward") == 2


def test_parameters_of_no_module_have_a_number():
    recorder, weight = Recorder(), torch.ones(2, requires_grad=True)
    with recorder.recording():
        weight.sum().backward()
        torch.optim.SGD([weight], lr=0.1).step()
    assert [(event.phase, event.name) for event in recorder.events] == [
        ("gradient", "parameter 0"),
        ("weights", "parameter 0"),
    ]


def test_a_function_reports_checkpoints():
    def train_fn(run):
        run.checkpoint("loss", 0.5)
        run.checkpoint("state", {"weights": [torch.ones(2), np.zeros(3)], "epoch": 1})
        return TARGETS

    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    (outcome,) = train_to_prove(trainer, some_runs(1, vary=()), none(), TRACED)
    assert [(event.phase, event.name) for event in outcome.trace.events] == [
        ("checkpoint", "loss"),
        ("checkpoint", "state"),
        ("predictions", ""),
    ]
    (plain,) = trainer.train(some_runs(1, vary=()), none(), Placement("cpu", "sequential", 1))
    assert (plain.failure, plain.trace) == (None, None)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (3, 0.5, r"checkpoint\(3, ...\): expected a text"),
        (
            "model",
            make_mlp(),
            "a checkpoint of a Sequential; expected a tensor, an array or a number",
        ),
    ],
)
def test_what_cannot_be_a_checkpoint_is_refused(name, value, told):
    def train_fn(run):
        run.checkpoint(name, value)
        return TARGETS

    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    (outcome,) = train_to_prove(trainer, some_runs(1, vary=()), none(), TRACED)
    with pytest.raises(TrainingError, match=told):
        raise TrainingError(outcome.failure)


def test_digests_tell_kinds_of_values_apart():
    values = [1, 1.0, True, "1", [1], torch.ones(1), np.ones(1), {"a": 1}, {"b": 1}]
    assert len({digest_of(value) for value in values}) == len(values)


# --- watching ---------------------------------------------------------------------------------------


def kinds_of(call):
    watch = Watch()
    with watch.watching():
        call()
    return [draw.kind for draw in watch.draws]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: random.random(), "global"),
        (lambda: random.gauss(0, 1), "global"),
        (lambda: torch.rand(2), "global"),
        (lambda: torch.ones(2).uniform_(), "global"),
        (lambda: np.random.rand(), "global"),
        (lambda: torch.seed(), "unseeded"),
        (lambda: torch.Generator().seed(), "unseeded"),
        (lambda: np.random.RandomState(), "unseeded"),
        (lambda: random.SystemRandom().random(), "system"),
        (lambda: threading.Thread(target=int).start(), "thread"),
    ],
)
def test_calls_are_told_by_kind(call, kind):
    assert kinds_of(call)[0] == kind


@pytest.mark.parametrize(
    "call",
    [
        lambda: (random.seed(1), random.random()),
        lambda: (torch.manual_seed(1), torch.rand(2)),
        lambda: (np.random.seed(1), np.random.rand()),
        lambda: torch.rand(2, generator=torch.Generator().manual_seed(1)),
        lambda: random.Random(1).random(),
        lambda: np.random.default_rng(1).random(),
        lambda: nn.functional.dropout(torch.ones(2), training=False),
        lambda: np.random.seed(np.array([1])),
    ],
)
def test_what_is_seeded_is_not_told(call):
    assert kinds_of(call) == []


def test_a_line_is_told_once():
    def often():
        for _ in range(5):
            random.random()

    assert kinds_of(often) == ["global"]


def replaced():
    return (
        np.random.rand,
        np.random.seed,
        DataLoader.__init__,
        DataLoader.__iter__,
        sys.getprofile(),
    )


def interrupted(before):
    assert all(one is not other for one, other in zip(before, replaced(), strict=True))
    raise KeyboardInterrupt


def test_watching_leaves_everything_as_it_was():
    before = replaced()
    with pytest.raises(KeyboardInterrupt), Watch().watching():
        interrupted(before)
    assert replaced() == before


def test_a_profiler_of_somebody_else_is_left_alone():
    def theirs(*_):
        return None

    sys.setprofile(theirs)
    try:
        with Watch().watching():
            assert sys.getprofile() is theirs
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(None)


def test_a_limited_watch_ends_after_its_seconds_and_three_steps():
    model, watch = make_mlp(), Watch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch.watching(seconds=0.0):
        for _ in range(3):
            assert sys.getprofile() is not None
            optimizer.step()
        random.random()
        assert sys.getprofile() is None
    with watch.watching(seconds=0.0, at_most=0.0):
        random.random()
        assert sys.getprofile() is None


def test_calls_go_on_a_sentence():
    assert unseeded_calls(lambda: torch.ones(1)) == ""
    told = unseeded_calls(lambda: np.random.default_rng())
    assert told.startswith("; NumPy's generator without a seed at ")
    assert told.endswith("np.random.default_rng())")


def test_a_trainer_that_was_watched_gives_the_bits_of_one_that_was_not():
    trainer, runs = trainer_of(), some_runs(1, vary=())
    (plain,) = trainer.train(runs, none(), Placement("cpu", "sequential", 1, deterministic=True))
    (traced,) = train_to_prove(trainer, runs, none(), TRACED)
    assert traced.digests == plain.digests


# --- what users do is not disturbed -----------------------------------------------------------------


def stepped(model, call=None, steps=4):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy((call or model)(INPUTS), TARGETS).backward()
        optimizer.step()
    with torch.no_grad():
        return model.eval()(INPUTS)


def make_rich():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def compiled(run):
    model = make_rich()
    return stepped(model, torch.compile(model, backend="eager"))


def scripted(run):
    return stepped(torch.jit.script(make_rich()))


def traced_by_jit(run):
    return stepped(torch.jit.trace(make_mlp(), INPUTS))


def gradients_of_functions(run):
    model = make_mlp()
    parameters = dict(model.named_parameters())

    def loss(parameters):
        found = torch.func.functional_call(model, parameters, (INPUTS,))
        return nn.functional.cross_entropy(found, TARGETS)

    assert torch.func.grad(loss)(parameters).keys() == parameters.keys()
    return stepped(model)


def lazily_made(run):
    return stepped(nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)))


def fake_tensors(run):
    with FakeTensorMode():
        assert nn.Linear(6, 3)(torch.rand(2, 6)).shape == (2, 3)
    return stepped(make_mlp())


def pickles_what_is_replaced(run):
    rand = pickle.loads(pickle.dumps(partial(np.random.rand, 3)))
    assert rand().shape == (3,)
    return TARGETS


def other_bits(run):
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(run.seed))
    try:
        return stepped(make_mlp())
    finally:
        np.random.set_bit_generator(before)


def retries(run):
    with contextlib.suppress(RuntimeError):
        make_mlp()(torch.ones(2, 7))
    return stepped(make_mlp())


KEPT_LOADER = []


def keeps_its_loader(run):
    if not KEPT_LOADER:
        KEPT_LOADER.append(DataLoader(TensorDataset(INPUTS, TARGETS), 16, num_workers=2))
    assert len([*KEPT_LOADER[0]]) == 3
    return TARGETS


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*Lazy modules:UserWarning")
@pytest.mark.parametrize(
    "train_fn",
    [
        compiled,
        scripted,
        traced_by_jit,
        gradients_of_functions,
        lazily_made,
        fake_tensors,
        pickles_what_is_replaced,
        other_bits,
        retries,
        keeps_its_loader,
    ],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("traced", [False, True], ids=["watched", "traced"])
def test_what_users_do_is_not_disturbed(train_fn, traced):
    trainer = FunctionTrainer(train_fn, y_true=TARGETS)
    runs = some_runs(2, vary=())
    outcomes = list(train_to_prove(trainer, runs, none(), replace(TRACED, traced=traced)))
    assert [outcome.failure for outcome in outcomes] == [None, None]
    if traced:
        assert outcomes[0].trace.events == outcomes[1].trace.events


def test_inputs_by_keyword_are_recorded_before_what_comes_of_them():
    class ByKeyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, *, batch):
            return self.layer(batch)

    recorder = Recorder()
    with recorder.recording():
        ByKeyword()(batch=INPUTS)
    phases = [event.phase for event in recorder.events]
    assert phases.index("inputs") < phases.index("forward")


def test_recomputed_activations_and_exceptions_leave_the_depth_as_it_was():
    recorder, model = Recorder(), make_mlp()
    with recorder.recording():
        for _ in range(2):
            checkpoint(model, INPUTS.clone().requires_grad_(), use_reentrant=False).sum().backward()
        with contextlib.suppress(RuntimeError):
            model(torch.ones(2, 7))
        count = len(recorder.events)
        model(INPUTS)
    assert [event.phase for event in recorder.events[count:]][:4] == ["stream"] * 3 + ["inputs"]


def test_modules_are_not_kept():
    with Recorder().recording():
        model = make_mlp()
        model(INPUTS)
        reference = weakref.ref(model)
        del model
        gc.collect()
        assert reference() is None


def test_a_thread_that_outlives_the_watch_is_let_go():
    go_on, found = threading.Event(), []

    def outlives():
        go_on.wait(10)
        str(found)  # a call, at which a profiler is asked
        found.append(sys.getprofile())

    with Watch().watching():
        thread = threading.Thread(target=outlives)
        thread.start()
    go_on.set()
    thread.join()
    assert found == [None]


def test_other_threads_are_not_recorded():
    recorder, model = Recorder(), make_mlp()
    with recorder.recording():
        thread = threading.Thread(target=model, args=(INPUTS,))
        thread.start()
        thread.join()
    assert recorder.events == []
