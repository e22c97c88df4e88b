"""What models' outputs are to each task: shapes, losses, targets, predictions, scores."""

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, blobs, make_mlp, some_runs, trained, trainer_of
from torch import nn
from torch.nn import functional
from torch.utils.data import Dataset

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import DataError, OptionError, TrainingError
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import none
from pytest_reprotest.tasks import CLASSIFICATION, MAX_SCORES, MultiLabel, Regression, Task
from pytest_reprotest.training.data import DatasetSource, TensorSource, as_source
from pytest_reprotest.training.first_step import check_step
from pytest_reprotest.training.heads import CLASSES, Gathered, default_loss, head_of
from pytest_reprotest.training.objective import losses_by_run, make_loss
from pytest_reprotest.training.torch_trainer import TorchTrainer

STACKED = Placement("cpu", "stacked", 3)
REGRESSION, MULTILABEL = Regression(0.5), MultiLabel()
NUMBERS, LABELS = head_of(REGRESSION, "mse"), head_of(MULTILABEL, "bce_with_logits")


def numbers(n=48, seed=0):
    inputs, _ = blobs(n, seed)
    return inputs, inputs[:, :2].sum(1) * 3


def several(n=48, seed=0):
    inputs, _ = blobs(n, seed)
    return inputs, (inputs[:, :3] > 0.3).long()


def linear(width):
    return lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, width))


def trainer(task, factory=None, loss=None, data=None, **recipe):
    data = data or (numbers if isinstance(task, Regression) else several)
    return TorchTrainer(
        factory or linear(1 if isinstance(task, Regression) else 3),
        data(),
        data(30, seed=1),
        Recipe(loss=loss or default_loss(task), **{"epochs": 2, "batch_size": 16, **recipe}),
        task,
    )


# --- losses -----------------------------------------------------------------------------------------


def test_the_default_loss_is_that_of_the_task():
    assert [default_loss(task) for task in (CLASSIFICATION, REGRESSION, MULTILABEL)] == [
        "cross_entropy",
        "mse",
        "bce_with_logits",
    ]


@pytest.mark.parametrize(
    ("task", "loss", "told"),
    [
        (CLASSIFICATION, "mse", "a classification; expected cross_entropy or nll_loss"),
        (REGRESSION, "cross_entropy", "a regression; expected mse or l1"),
        (MULTILABEL, "l1", "a multilabel classification; expected bce_with_logits"),
    ],
)
def test_a_loss_of_another_task_is_refused(task, loss, told):
    with pytest.raises(OptionError) as error:
        head_of(task, loss)
    assert str(error.value) == f"loss={loss!r} is none for {told}, or a callable"


def test_a_task_of_ones_own_has_no_models():
    class Ranking(Regression):
        pass

    assert head_of(Ranking(1.0), "l1") is not None  # what is a regression is trained as one

    class Other(Task):
        def __repr__(self):
            return "Other()"

    Other.__abstractmethods__ = frozenset()
    with pytest.raises(OptionError) as error:
        head_of(Other(), "mse")
    assert str(error.value) == (
        "task=Other() can't be trained from a model factory; train in a function of your own: "
        "FunctionTrainer(train_fn, y_true=..., task=...)"
    )


def test_losses_are_means_over_all_elements():
    outputs, targets = torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 1.0])
    assert make_loss(Recipe(loss="mse"), NUMBERS)(outputs, targets).item() == 2.5
    assert make_loss(Recipe(loss="l1"), NUMBERS)(outputs, targets).item() == 1.5
    scores, cells = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    expected = (np.log(2) + np.log1p(np.exp(2.0))) / 2
    found = make_loss(Recipe(loss="bce_with_logits"), LABELS)(scores, cells)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_a_column_of_outputs_does_not_broadcast_against_targets():
    outputs, targets = torch.randn(5, 1), torch.randn(5)
    loss = make_loss(Recipe(loss=lambda o, t: ((o - t) ** 2).mean()), NUMBERS)
    assert loss(outputs, targets) == functional.mse_loss(outputs[:, 0], targets)
    with pytest.raises(TrainingError) as error:
        loss(torch.randn(5, 2), targets)
    assert str(error.value) == "the model returned (5, 2) for targets of shape (5,)"


@pytest.mark.parametrize("loss", ["mse", "l1", lambda o, t: functional.smooth_l1_loss(o, t)])
@pytest.mark.parametrize("column", [True, False])
def test_losses_of_stacked_runs_are_those_of_each(loss, column):
    outputs, targets = torch.randn(3, 7, 1), torch.randn(3, 7)
    outputs = outputs if column else outputs[:, :, 0]
    together = losses_by_run(Recipe(loss=loss), NUMBERS)(outputs, targets)
    alone = [make_loss(Recipe(loss=loss), NUMBERS)(outputs[run], targets[run]) for run in range(3)]
    torch.testing.assert_close(together, torch.stack(alone))


def test_losses_of_stacked_labels_are_those_of_each():
    scores, cells = torch.randn(3, 7, 4), torch.randint(0, 2, (3, 7, 4)).float()
    recipe = Recipe(loss="bce_with_logits")
    alone = [make_loss(recipe, LABELS)(scores[run], cells[run]) for run in range(3)]
    torch.testing.assert_close(losses_by_run(recipe, LABELS)(scores, cells), torch.stack(alone))


# --- targets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [("float32", torch.float32), ("float64", torch.float32), ("int64", torch.float32)],
)
def test_numbers_take_the_type_of_the_inputs(inputs, dtype):
    data = (np.zeros((3, 2), dtype=inputs), np.array([1, 2, 3]))
    assert as_source(data, "train", False, NUMBERS).targets.dtype == dtype


def test_float64_tensors_stay_so_with_their_targets():
    data = (torch.zeros(3, 2, dtype=torch.float64), [0.1, 0.2, 0.3])
    assert as_source(data, "train", False, NUMBERS).targets.dtype == torch.float64


def test_a_constant_target_may_be_trained_on_and_not_tested():
    data = (np.zeros((3, 2)), np.ones(3))
    assert as_source(data, "train", False, NUMBERS).n_samples == 3
    with pytest.raises(DataError) as error:
        TorchTrainer(
            linear(1), numbers(), (np.zeros((3, 6)), np.ones(3)), Recipe(loss="mse"), REGRESSION
        )
    assert str(error.value) == (
        "test=: y_true is 1 for all 3 samples, so R², the explained share of its variance, is not defined. "
        'Take a test set whose targets vary, or score="mae"'
    )


def test_targets_that_are_no_numbers_are_refused_with_the_set_they_are_in():
    with pytest.raises(DataError) as error:
        as_source((torch.zeros(2, 1), torch.tensor([[1.0], [2.0]])), "train", False, NUMBERS)
    assert str(error.value) == (
        "train=: y_true has shape (2, 1); expected (n_samples,), one number a test sample. Flatten a single "
        "column: y[:, 0]"
    )


def test_both_sets_have_the_same_labels():
    with pytest.raises(DataError) as error:
        TorchTrainer(
            linear(3),
            several(),
            (torch.zeros(2, 6), torch.eye(2)),
            Recipe(loss="bce_with_logits"),
            MULTILABEL,
        )
    assert str(error.value) == (
        "train= has 3 labels a sample and test= has 2; expected the same labels in both"
    )


class Noisy(Dataset):
    """Numbers from a Dataset whose inputs are random at each reading."""

    def __len__(self):
        return 20

    def __getitem__(self, number):
        return torch.randn(6), float(number)


def test_random_samples_have_targets_of_the_task():
    found = as_source(Noisy(), "train", False, NUMBERS)
    assert isinstance(found, DatasetSource)
    _, targets = found.to("cpu").take(torch.tensor([3, 1]))
    assert (targets.tolist(), targets.dtype) == ([3.0, 1.0], torch.float32)


# --- the first step ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "change", "told"),
    [
        (REGRESSION, lambda x: x, "(16, 3) for 16 inputs; expected a tensor of one number a sample, (16,) or (16, 1)"),
        (REGRESSION, lambda x: x[:, :1].sum(), "() for 16 inputs; expected a tensor of one number a sample, (16,) or (16, 1)"),
        (REGRESSION, lambda x: (x, x), "a tuple for 16 inputs; expected a tensor of one number a sample, (16,) or (16, 1)"),
        (MULTILABEL, lambda x: x[:, :2], "(16, 2) for 16 inputs with 3 labels each; expected a tensor of scores (16, 3)"),
        (MULTILABEL, lambda x: x[:, 0], "(16,) for 16 inputs with 3 labels each; expected a tensor of scores (16, 3)"),
    ],
)  # fmt: skip
def test_outputs_of_another_shape_are_refused(task, change, told):
    class Of(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, inputs):
            return change(self.layer(inputs))

    loss = default_loss(task)
    data = numbers() if task is REGRESSION else several()
    source = as_source(data, "train", False, head_of(task, loss))
    with pytest.raises(TrainingError) as error:
        check_step(Of(), Recipe(batch_size=16, loss=loss), none(), source, None, "cpu")
    assert str(error.value) == f"the model returned {told}"


def test_a_model_that_squeezes_is_told_of_a_lone_sample():
    class Squeezing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 1)

        def forward(self, inputs):
            return self.layer(inputs).squeeze()

    source = as_source(numbers(33), "train", False, NUMBERS)
    with pytest.raises(TrainingError) as error:
        check_step(Squeezing(), Recipe(batch_size=16, loss="mse"), none(), source, None, "cpu")
    assert str(error.value) == (
        "the last batch of an epoch holds 1 sample (33 samples, batch_size=16), and the model can't be "
        "trained on it: the model returned () for 1 inputs; expected a tensor of one number a sample, (1,) "
        "or (1, 1). Set drop_last=True, or another batch_size"
    )


# --- predictions and scores -------------------------------------------------------------------------


@pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED])
def test_a_regression_predicts_numbers(placement):
    found = trained(trainer(REGRESSION), some_runs(), placement=placement)
    for outcome in found.values():
        assert (outcome.labels.shape, outcome.labels.dtype) == ((30,), np.float32)
        assert outcome.scores is None
    flat = trained(
        trainer(REGRESSION, lambda: nn.Sequential(*linear(1)(), nn.Flatten(0))),
        some_runs(),
    )
    columns = trained(trainer(REGRESSION), some_runs())
    assert flat[1].labels.tolist() == columns[1].labels.tolist()


@pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED])
def test_several_labels_are_predicted_where_logits_are_positive(placement):
    found = trained(trainer(MULTILABEL), some_runs(), placement=placement)
    assert {o.labels.dtype for o in found.values()} == {np.dtype("uint8")}
    assert found[0].labels.shape == (30, 3)


def test_logits_within_0_and_1_are_logits_where_the_loss_says_so():
    gathered = Gathered(LABELS, 2)
    gathered.add(torch.tensor([[[0.1, 0.9], [0.2, 0.3]]]))
    assert gathered.runs()[0][0].tolist() == [[1, 1], [1, 1]]
    gathered = Gathered(head_of(MULTILABEL, nn.BCELoss()), 2)
    gathered.add(torch.tensor([[[0.1, 0.9], [0.2, 0.3]]]))
    assert gathered.runs()[0][0].tolist() == [[0, 1], [0, 0]]


def test_half_precision_numbers_are_read():
    gathered = Gathered(NUMBERS, 2)
    gathered.add(torch.tensor([[[1.5], [2.5]]], dtype=torch.bfloat16))
    assert gathered.runs()[0][0].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED])
def test_scores_of_classes_are_kept_and_are_the_models(placement):
    found = trained(trainer_of(make_mlp), some_runs(), placement=placement)
    for outcome in found.values():
        assert (outcome.scores.shape, outcome.scores.dtype) == ((30, 3), np.float32)
        assert outcome.scores.argmax(axis=1).tolist() == outcome.labels.tolist()


def test_too_many_scores_are_not_kept():
    for n_samples, kept in ((MAX_SCORES // 2, True), (MAX_SCORES // 2 + 1, False)):
        gathered = Gathered(CLASSES, n_samples)
        gathered.add(torch.zeros(1, 1, 2))
        assert (gathered.runs()[0][1] is not None) is kept


def test_scores_that_are_not_finite_are_no_predictions():
    gathered = Gathered(CLASSES, 2)
    gathered.add(torch.tensor([[[0.0, 1.0]], [[0.0, torch.inf]]]))
    gathered.add(torch.tensor([[[2.0, 1.0]], [[0.0, 1.0]]]))
    first, second = gathered.runs()
    assert (first[0].tolist(), second) == ([1, 0], None)


def test_the_distance_of_scores_is_in_the_result():
    inputs, targets = blobs()
    for engine in ("sequential", "stacked"):
        result = audit(
            make_mlp,
            train=(inputs, targets),
            test=(inputs, targets),
            epochs=2,
            runs=3,
            engine=engine,
        )
        assert 0 < result["none"].score_distance < 2


def test_a_function_keeps_scores_as_far_as_they_are_few():
    def train_fn(run):
        return np.random.default_rng(run.seed).random((4, 3))

    def too_many(run):
        return np.zeros((4, MAX_SCORES))

    for function, kept in ((train_fn, True), (too_many, False), (lambda run: [0, 1, 1, 0], False)):
        (outcome,) = FunctionTrainer(function, y_true=[0, 1, 1, 0]).train(
            some_runs(1), none(), SEQUENTIAL
        )
        assert (outcome.scores is not None) is kept


def test_functions_may_predict_numbers_or_several_labels():
    y_true = np.linspace(0, 1, 5)
    one = FunctionTrainer(
        lambda run: torch.tensor(y_true)[:, None] + run.index,
        y_true=y_true,
        task="regression",
        tolerance=0.1,
    )
    assert [o.labels.tolist() for o in one.train(some_runs(2), none(), SEQUENTIAL)] == [
        y_true.tolist(),
        (y_true + 1).tolist(),
    ]
    assert one.task == Regression(0.1)
    labels = FunctionTrainer(lambda run: [[-0.5, 0.5]], y_true=[[0, 1]], task=MULTILABEL)
    (outcome,) = labels.train(some_runs(1), none(), SEQUENTIAL)
    assert outcome.labels.tolist() == [[0, 1]]
    with pytest.raises(OptionError) as error:
        FunctionTrainer(lambda run: 0, y_true=y_true, task=REGRESSION, n_classes=3)
    assert str(error.value) == "n_classes=3 is none of a regression; leave it out"


@pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED])
@pytest.mark.parametrize("task", [CLASSIFICATION, REGRESSION, MULTILABEL])
def test_workers_predict_the_same(task, placement):
    from pytest_reprotest.options import resolve
    from pytest_reprotest.plan import make_plan

    local = trainer_of(make_mlp) if task is CLASSIFICATION else trainer(task)
    plan = make_plan(resolve(call={"runs": 2, "device": "cpu"}), ["none"], range(2))
    executor = ProcessExecutor(1)
    try:
        found = list(executor.run(local, plan, {"none": none()}, placement))
    finally:
        executor.close()
    here = list(local.train(plan.runs, none(), placement))
    assert [o.failure for o in found] == [None, None]
    assert [o.labels.tolist() for o in found] == [o.labels.tolist() for o in here]


def test_a_source_takes_its_head_along():
    moved = TensorSource(torch.zeros(1, 1), torch.zeros(1), NUMBERS).to("meta")
    assert moved.head is NUMBERS


@pytest.mark.parametrize("task", ["regression", "multilabel"])
@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_an_audit_is_trained_by_task(task, engine):
    data = numbers if task == "regression" else several
    own = {"tolerance": 0.5} if task == "regression" else {}
    result = audit(
        linear(1 if task == "regression" else 3),
        train=data(),
        test=data(30, seed=1),
        task=task,
        epochs=5,
        batch_size=16,
        lr=0.05,
        runs=3,
        engine=engine,
        regularizers=["none", "dropout"],
        **own,
    )
    assert result.task.name == task
    assert result.settings["training"]["loss"] == default_loss(result.task)
    assert all(found.score.value > 0.3 for found in result.by_regularizer.values())
    assert type(result).from_dict(result.to_dict()) == result
