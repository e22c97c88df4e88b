from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, some_runs, trained

from pytest_reprotest import audit
from pytest_reprotest.errors import DataError, OptionError, TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.plan import Run
from pytest_reprotest.regularizers import dropout, none
from pytest_reprotest.seeds import SOURCES
from pytest_reprotest.training.function_trainer import FunctionTrainer, RunContext

Y_TRUE = np.array([0, 1, 2, 0, 1, 2])


def function_trainer(train_fn, **settings) -> FunctionTrainer:
    return FunctionTrainer(train_fn, **{"y_true": Y_TRUE, **settings})


def outcome_of(train_fn, run: Run | None = None, **settings):
    run = run or some_runs(1)[0]
    return next(function_trainer(train_fn, **settings).train([run], none(), SEQUENTIAL))


def labels_of(train_fn, **settings) -> list[int]:
    outcome = outcome_of(train_fn, **settings)
    assert outcome.failure is None
    return outcome.labels.tolist()


def failure_of(train_fn, run: Run | None = None, **settings) -> str:
    outcome = outcome_of(train_fn, run, **settings)
    assert outcome.labels is None
    return outcome.failure


def context(index: int = 0, vary: tuple[str, ...] = SOURCES, label: str = "none") -> RunContext:
    return RunContext(some_runs(index + 1, label, vary)[index], "cpu")


# --- what the function gets -------------------------------------------------------------------------


def test_a_run_has_its_number_device_and_regularizer():
    run = RunContext(some_runs(4, "dropout")[3], "cuda:1")
    assert (run.index, run.device, run.regularizer) == (3, "cuda:1", "dropout")


def test_the_device_is_that_of_the_placement():
    got = []

    def train_fn(run):
        got.append(run.device)
        return Y_TRUE

    next(function_trainer(train_fn).train(some_runs(1), none(), Placement("cuda:3", "sequential")))
    assert got == ["cuda:3"]


def test_one_seed_differs_between_runs_where_all_vary_and_is_run_0s_where_none_does():
    varied = [context(index).seed for index in range(5)]
    assert len(set(varied)) == 5
    assert all(0 <= seed < 2**63 for seed in varied)
    assert len({context(index, vary=()).seed for index in range(5)}) == 1


def test_one_seed_cannot_vary_one_source():
    told = failure_of(lambda run: [run.seed] * 6, some_runs(2, vary=("init",))[1])
    assert told == (
        "run.seed is one number, so it cannot vary only init. Use run.generator(source) for each source, or "
        "vary='all' or 'none'."
    )


def test_generators_follow_their_source():
    def drawn(index, source, vary, kind):
        generator = context(index, vary).generator(source, kind=kind)
        if kind == "numpy":
            return generator.integers(0, 2**62)
        return torch.randint(0, 2**62, (), generator=generator).item()

    for kind in ("torch", "numpy"):
        assert drawn(1, "init", ("init",), kind) == drawn(1, "init", SOURCES, kind)
        assert drawn(1, "init", ("init",), kind) != drawn(0, "init", ("init",), kind)
        assert drawn(1, "noise", ("init",), kind) == drawn(0, "noise", ("init",), kind)
        assert len({drawn(1, source, SOURCES, kind) for source in SOURCES}) == 3


def test_a_generator_is_one_object_that_moves_on():
    run = context()
    assert run.generator("init") is run.generator("init")
    assert run.generator("init") is not run.generator("init", kind="numpy")
    first, second = (torch.rand((), generator=run.generator("init")).item() for _ in range(2))
    assert first != second


def test_the_seed_of_a_source_follows_it_and_is_where_its_torch_generator_starts():
    seeds = {source: context(1).seed_of(source) for source in SOURCES}

    assert all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds.values())
    assert len(set(seeds.values())) == 3
    assert context(1).generator("noise").initial_seed() == seeds["noise"]
    assert context(1, ("noise",)).seed_of("noise") == seeds["noise"]
    assert context(1, ("noise",)).seed_of("init") == context(0).seed_of("init") != seeds["init"]


def test_a_source_whose_seed_is_asked_for_is_drawn_from():
    def train_fn(run):
        run.seed_of("noise")
        return Y_TRUE

    assert outcome_of(train_fn, some_runs(1, vary=("noise",))[0]).failure is None


def test_wrong_sources_and_kinds_are_refused():
    with pytest.raises(OptionError, match=r"unknown variance source 'inti'.*Did you mean 'init'"):
        context().generator("inti")
    with pytest.raises(OptionError, match=r"unknown variance source 'inti'.*Did you mean 'init'"):
        context().seed_of("inti")
    with pytest.raises(
        TrainingError, match=r"^generator\(kind='jax'\); expected 'torch' or 'numpy'$"
    ):
        context().generator("init", kind="jax")


def test_global_generators_are_seeded_by_the_runs_noise_stream():
    def drawn(vary):
        got = []

        def train_fn(run):
            for source in SOURCES:
                run.generator(source)
            got.append((random.random(), np.random.rand(), torch.rand(()).item()))
            return Y_TRUE

        trained(function_trainer(train_fn), some_runs(2, vary=vary))
        return got

    first, second = drawn(SOURCES)
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert drawn(SOURCES) == [first, second]
    first, second = drawn(("init",))
    assert first == second


# --- what it may return -----------------------------------------------------------------------------

SCORES = np.eye(3)[Y_TRUE]


@pytest.mark.parametrize(
    "output",
    [
        Y_TRUE,
        Y_TRUE.astype("uint8"),
        Y_TRUE.tolist(),
        torch.from_numpy(Y_TRUE),
        SCORES,
        SCORES.tolist(),
        torch.from_numpy(SCORES),
        torch.from_numpy(SCORES).requires_grad_(),
        torch.from_numpy(SCORES).half(),
        torch.from_numpy(SCORES).bfloat16(),
        torch.from_numpy(SCORES).to(torch.int32),
    ],
    ids=lambda output: f"{type(output).__name__}-{getattr(output, 'dtype', '')}",
)
def test_labels_or_scores_of_any_kind(output):
    assert labels_of(lambda run: output) == Y_TRUE.tolist()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (None, "predictions have shape (); expected labels (6,) or scores (6, n_classes)"),
        (Y_TRUE[:5], "predictions have shape (5,); expected labels (6,) or scores (6, n_classes)"),
        (
            SCORES[:4],
            "predictions have shape (4, 3); expected labels (6,) or scores (6, n_classes)",
        ),
        (np.zeros((6, 3, 1)), "predictions have shape (6, 3, 1); expected labels"),
        (Y_TRUE + 0.5, "predictions have dtype float64; expected integer labels"),
        (np.array(list("abcabc")), "predictions have dtype <U1; expected integer labels"),
        (
            Y_TRUE - 1,
            "labels outside the classes: predictions go from -1 to 1; expected classes from 0 up",
        ),
        (
            SCORES * np.nan,
            "scores hold NaN or infinity; expected finite numbers. Lower the learning rate",
        ),
        (
            SCORES[:, :2],
            "labels outside the classes: y_true holds 2, scores are given for 2 classes (0 … 1)",
        ),
    ],
)
def test_what_is_no_prediction_of_the_test_set_fails_the_run(output, told):
    assert failure_of(lambda run: output).startswith(told)


def test_labels_at_or_above_n_classes_fail_the_run():
    assert failure_of(lambda run: Y_TRUE + 1, n_classes=3) == (
        "labels outside the classes: predictions go from 1 to 3; expected classes from 0 to 2"
    )
    assert labels_of(lambda run: Y_TRUE, n_classes=3) == Y_TRUE.tolist()


# --- guards -----------------------------------------------------------------------------------------


def test_an_exception_fails_the_run_with_the_users_line_and_the_next_run_is_trained():
    def train_fn(run):
        if run.index == 1:
            raise ValueError("bad luck")
        return Y_TRUE

    outcomes = trained(function_trainer(train_fn), some_runs(3))
    assert [outcomes[run].failure is None for run in range(3)] == [True, False, True]
    assert outcomes[1].failure.startswith("ValueError: bad luck\n  at ")
    assert outcomes[1].failure.endswith('in train_fn: raise ValueError("bad luck")')
    assert outcomes[1].seconds >= 0


def test_an_audit_names_run_and_seed():
    def train_fn(run):
        if run.index == 2:
            raise ValueError("bad luck")
        return Y_TRUE

    result = audit(function_trainer(train_fn), runs=3, seed=11, device="cpu")
    (reason,) = result["none"].verdict.reasons
    assert reason.startswith("run 2 of 'none' (--repro-seed=11) failed: ValueError: bad luck")


def test_a_regularizer_that_is_never_read_fails_the_run():
    run = some_runs(1, "dropout")[0]
    assert failure_of(lambda run: Y_TRUE, run) == (
        "train_fn never read run.regularizer, so 'dropout' was not applied and its row would repeat 'none'. "
        "Apply it in train_fn, or audit 'none' alone"
    )

    def reads(run):
        assert run.regularizer == "dropout"
        return Y_TRUE

    assert next(function_trainer(reads).train([run], dropout(), SEQUENTIAL)).failure is None


def test_a_source_that_alone_may_vary_and_is_never_drawn_from_fails_the_run():
    run = some_runs(1, vary=("init", "noise"))[0]

    def train_fn(run):
        run.generator("init")
        return Y_TRUE

    assert failure_of(train_fn, run) == (
        "only init, noise may vary, and train_fn never asked for run.generator('noise'); every run would be "
        "the same. Draw from it, or use vary='all'"
    )


@pytest.mark.parametrize("vary", [(), SOURCES])
def test_where_all_or_nothing_varies_no_source_need_be_asked_for(vary):
    assert outcome_of(lambda run: Y_TRUE, some_runs(1, vary=vary)[0]).failure is None


# --- its settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 3, "train"])
def test_a_function_is_expected(value):
    with pytest.raises(TrainingError) as error:
        function_trainer(value)
    assert str(error.value) == (
        f"got {value!r} as train_fn; expected a function that takes a run and returns labels"
    )


@pytest.mark.parametrize("value", [0, -1, 1.0, "2", True])
def test_threads_are_counted(value):
    with pytest.raises(TrainingError) as error:
        function_trainer(len, threads=value)
    assert str(error.value) == f"threads={value!r}; expected an integer of at least 1"


def test_true_labels_may_be_a_list_or_a_tensor():
    assert FunctionTrainer(len, y_true=[0, 1]).y_true.tolist() == [0, 1]
    assert FunctionTrainer(len, y_true=torch.tensor([0, 1])).y_true.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("y_true", "told"),
    [
        ([], "the test set is empty: y_true has 0 samples; expected at least 1."),
        (
            np.eye(3),
            "y_true has shape (3, 3); expected (n_samples,), one class label a test sample.",
        ),
        ([0.5, 1.0], "y_true has dtype float64; expected integer class labels"),
        ([-1, 0], "y_true holds the label -1; expected classes 0 … n_classes - 1."),
    ],
)
def test_true_labels_are_checked(y_true, told):
    with pytest.raises(DataError) as error:
        FunctionTrainer(len, y_true=y_true)
    assert str(error.value).startswith(told)


def test_true_labels_lie_within_n_classes():
    with pytest.raises(DataError) as error:
        function_trainer(len, n_classes=2)
    assert str(error.value) == (
        "labels outside the classes: y_true holds 2; expected classes from 0 to 1, since n_classes=2"
    )


def test_it_describes_the_function_by_name():
    def train_fn(run):
        raise AssertionError

    class Callable:
        def __call__(self, run):
            raise AssertionError

        def __repr__(self):
            return "Callable()"

    assert function_trainer(train_fn, threads=2).describe() == {
        "train_fn": "train_fn",
        "threads": 2,
        "n_test": 6,
    }
    assert function_trainer(Callable()).describe()["train_fn"] == "Callable()"


def test_its_function_is_told_for_other_processes():
    assert function_trainer(len).callables() == (len,)


def test_it_trains_one_run_at_a_time():
    trainer = function_trainer(len)
    assert trainer.prepare([none()], Placement("cpu", "auto"), 5).placement.engine == "sequential"
    with pytest.raises(OptionError) as error:
        trainer.prepare([none()], Placement("cpu", "stacked"), 5)
    assert str(error.value) == (
        "engine 'stacked' was asked for, and FunctionTrainer trains one run at a time; use "
        "--repro-engine=auto"
    )


# --- global state -----------------------------------------------------------------------------------


def global_state():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


def messy(run):
    random.random()
    np.random.rand()
    torch.rand(1)
    torch.set_grad_enabled(False)
    if run.index == 1:
        raise ValueError("mess")
    return Y_TRUE


def test_global_state_is_as_before_whenever_an_outcome_is_handed_over():
    before = global_state()
    states = []
    for outcome in function_trainer(messy, threads=2).train(some_runs(3), none(), SEQUENTIAL):
        states.append((outcome.run.index, outcome.failure is None, global_state() == before))
    assert states == [(0, True, True), (1, False, True), (2, True, True)]
    assert global_state() == before


def test_threads_are_the_trainers_inside_the_function():
    got = []

    def train_fn(run):
        got.append(torch.get_num_threads())
        return Y_TRUE

    for threads in (1, 2):
        outcome_of(train_fn, threads=threads)
    assert got == [1, 2]


def test_ctrl_c_passes_through_and_restores():
    def train_fn(run):
        torch.rand(1)
        raise KeyboardInterrupt

    before = global_state()
    with pytest.raises(KeyboardInterrupt):
        outcome_of(train_fn)
    assert global_state() == before
