"""The trainer of a user's own loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError, OptionError, TrainingError
from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import SOURCES, RunSeeds, check_sources
from pytest_reprotest.tasks import MAX_SCORES, Array, Classification, Task, make_task
from pytest_reprotest.training.content import check_digestible, digest_of, path_content
from pytest_reprotest.training.faults import tell
from pytest_reprotest.training.state import preserved_state, seed_globals, torch_generator
from pytest_reprotest.training.tracing import current


class RunContext:
    """What a training function gets: the run's seeds, device and regularizer.

    Attributes
    ----------
    index : int
        The run's number, from 0.
    device : str
        Such as ``"cpu"`` or ``"cuda:0"``.
    """

    def __init__(self, run: Run, device: str) -> None:
        self.index = run.index
        self.device = device
        self._regularizer = run.regularizer
        self._rung = run.rung
        self._seeds: RunSeeds = run.seeds
        self._generators: dict[tuple[str, str], Any] = {}
        self.read: set[str] = set()

    @property
    def seed(self) -> int:
        """One seed for the whole run, 63 bits.

        Raises
        ------
        OptionError
            Where only some sources vary; use ``generator(source)`` then.
        """
        self.read.add("seed")
        if self._rung and self._seeds.vary not in ((), SOURCES):
            raise OptionError(
                "train_fn reads run.seed, one number that can't vary a single source. Draw from "
                "run.generator(source) for each"
            )
        return self._seeds.combined

    @property
    def regularizer(self) -> str:
        """The label of the regularizer that this run is to be trained with."""
        self.read.add("regularizer")
        return self._regularizer

    @overload
    def generator(self, source: str, kind: Literal["torch"] = ...) -> torch.Generator: ...
    @overload
    def generator(self, source: str, kind: Literal["numpy"]) -> np.random.Generator: ...
    def generator(
        self, source: str, kind: Literal["torch", "numpy"] = "torch"
    ) -> torch.Generator | np.random.Generator:
        """The run's generator of one source: the same object at every call, so that it moves on.

        Parameters
        ----------
        source : {"init", "data_order", "noise"}
        kind : {"torch", "numpy"}
            A CPU ``torch.Generator``, or a ``numpy.random.Generator``; two independent streams.
        """
        check_sources([source])
        if kind not in ("torch", "numpy"):
            raise TrainingError(f"generator(kind={kind!r}); expected 'torch' or 'numpy'")
        self.read.add(source)
        if (source, kind) not in self._generators:
            self._generators[source, kind] = (
                torch_generator(self._seeds, source)
                if kind == "torch"
                else np.random.default_rng(self._seeds.sequence(source))
            )
        generator: torch.Generator | np.random.Generator = self._generators[source, kind]
        return generator

    def checkpoint(self, name: str, value: Any) -> None:
        """Report something that the training computed, so that a proof of determinism can tell where two
        trainings first differ. It costs next to nothing where nothing is traced.

        Parameters
        ----------
        name : str
            Such as ``"loss"``; the same name may come many times.
        value : tensor, array, number, or a list, tuple or dict of them

        Raises
        ------
        TrainingError
            For a value of another kind, and for a name that is no text.
        """
        if not isinstance(name, str):
            raise TrainingError(f"checkpoint({name!r}, ...): expected a text as its name")
        check_digestible(value)
        recorder = current.get()
        if recorder is not None:
            recorder.add("checkpoint", name, digest_of(value))

    def seed_of(self, source: str) -> int:
        """The run's seed of one source, 63 bits: an integer goes where a generator can't, such as to the
        workers of a DataLoader. The torch generator of the source starts from it, so use one of the two.

        Parameters
        ----------
        source : {"init", "data_order", "noise"}

        >>> run = RunContext(Run("none", 3, RunSeeds(base=0, run=3)), "cpu")
        >>> of_sample = np.random.SeedSequence(run.seed_of("noise"), spawn_key=(1, 7))  # epoch, index
        >>> np.random.default_rng(of_sample).integers(-2, 3, size=4)
        array([ 0, -2,  0,  0])
        """
        check_sources([source])
        self.read.add(source)
        return self._seeds.seed(source)


class FunctionTrainer(Trainer):
    """Trains by a function of the user's.

    Parameters
    ----------
    train_fn : callable
        ``train_fn(run)`` trains one model from ``run.seed`` or ``run.generator(source)`` on
        ``run.device`` under ``run.regularizer``, and returns labels (n_samples,) or scores
        (n_samples, n_classes) for the test set; of a regression numbers (n_samples,), of several labels
        0 and 1 or scores (n_samples, n_labels). Before each call the global generators of Python, NumPy
        and torch are seeded from the run; afterwards they are restored.
    y_true : array (n_samples,) or (n_samples, n_labels)
        True labels, or numbers, of the test set.
    n_classes : int, optional
        Refuse predicted labels of n_classes and above.
    task : str or Task
        ``"classification"``, ``"regression"`` or ``"multilabel"``.
    tolerance : float, optional
        Of a regression: the largest difference between two predictions that does not matter.
    score : str, optional
        Of a regression: ``"r2"`` (default) or ``"mae"``.
    threads : int
        CPU threads for torch.
    depends_on : sequence, optional
        What the function reads beside its closure and globals: paths, whose files are hashed, arrays or other
        values. A store (``--repro-store``) takes a function that names ``open``, ``read_csv`` and the like
        only where this is given; an empty list says that the result hangs on no file.

    >>> def train_fn(run):
    ...     noise = run.generator("noise", kind="numpy")
    ...     return np.where(noise.random(4) < 0.1, 1 - y_true, y_true)
    >>> y_true = np.array([0, 1, 1, 0])
    >>> FunctionTrainer(train_fn, y_true=y_true).describe()
    {'train_fn': 'train_fn', 'threads': 1, 'n_test': 4}
    """

    def __init__(
        self,
        train_fn: Callable[[RunContext], Any],
        *,
        y_true: Any,
        n_classes: int | None = None,
        task: str | Task = "classification",
        tolerance: float | None = None,
        score: str | None = None,
        threads: int = 1,
        depends_on: Sequence[Any] | None = None,
    ) -> None:
        __tracebackhide__ = True  # pytest shows the user's line only
        if not callable(train_fn):
            raise TrainingError(
                f"got {train_fn!r} as train_fn; expected a function that takes a run and returns labels"
            )
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise TrainingError(f"threads={threads!r}; expected an integer of at least 1")
        kind = make_task(task, tolerance, score)
        if n_classes is not None:
            if not isinstance(kind, Classification):
                raise OptionError(
                    f"n_classes={n_classes!r} is none of a {kind.title}; leave it out"
                )
            kind = Classification(n_classes)
        labels = kind.check_y_true(y_true.cpu() if isinstance(y_true, torch.Tensor) else y_true)
        if n_classes is not None and labels.max() >= n_classes:
            raise DataError(
                f"labels outside the classes: y_true holds {labels.max()}; expected classes from 0 to "
                f"{n_classes - 1}, since n_classes={n_classes}"
            )
        if isinstance(depends_on, (str, os.PathLike)):
            raise TrainingError(f"depends_on={depends_on!r}; expected a list of paths and values")
        self.train_fn = train_fn
        self.threads = threads
        self.n_classes = n_classes
        self.depends_on = tuple(depends_on or ())
        self.reads_unseen = depends_on is None
        self._task = kind
        self._y_true = labels

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._task

    @property
    def y_true(self) -> Array:
        """True values of the test set, (n_samples,): int64 labels, floats, or 0 and 1 (n_samples, n_labels)."""
        return self._y_true

    def describe(self) -> dict[str, Any]:
        """The function's name and the sizes."""
        name = getattr(self.train_fn, "__name__", repr(self.train_fn))
        return {"train_fn": name, "threads": self.threads, "n_test": len(self._y_true)}

    def callables(self) -> tuple[Any, ...]:
        """The training function, and the class of a task of the user's own."""
        ours = type(self._task).__module__.startswith("pytest_reprotest.")
        return (self.train_fn,) if ours else (self.train_fn, type(self._task))

    def content(self, regularizer: Regularizer) -> Mapping[str, Any]:
        """The function, the true values, and what the function was said to depend on."""
        return {
            "train_fn": self.train_fn,
            "y_true": self._y_true,
            "task": (self._task, self.n_classes),
            "depends_on": [path_content(each) for each in self.depends_on],
        }

    def train(
        self, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
    ) -> Iterator[RunOutcome]:
        """Call the function once a run."""
        for run in runs:
            started = time.perf_counter()
            with preserved_state(self.threads):
                try:
                    outcome = self._call(run, placement.device)
                except (Exception, SystemExit) as error:  # sys.exit() would end pytest, or a worker
                    outcome = RunOutcome(run, failure=tell(error))
            yield replace(outcome, seconds=time.perf_counter() - started)

    def _call(self, run: Run, device: str) -> RunOutcome:
        context = RunContext(run, device)
        seed_globals(run.seeds, "noise")
        output = self.train_fn(context)
        if isinstance(output, torch.Tensor):
            output = output.detach().cpu()
            output = (output.float() if output.dtype == torch.bfloat16 else output).numpy()
        labels = self._task.check_output(output, self._y_true)
        if run.regularizer != "none" and "regularizer" not in context.read:
            raise TrainingError(
                f"train_fn never read run.regularizer, so {run.regularizer!r} was not applied and its "
                "row would repeat 'none'. Apply it in train_fn, or audit 'none' alone"
            )
        unread = [source for source in run.seeds.vary if source not in context.read]
        if run.seeds.vary not in ((), SOURCES) and unread and not run.rung:
            raise TrainingError(
                f"only {', '.join(run.seeds.vary)} may vary, and train_fn never asked for "
                f"run.generator({unread[0]!r}); every run would be the same. Draw from it, or use "
                "vary='all'"
            )
        scores = self._task.scores_kept(output)
        return RunOutcome(run, labels, scores=scores if _few(scores) else None)


def _few(scores: NDArray[np.float32] | None) -> bool:
    return scores is not None and scores.size <= MAX_SCORES
