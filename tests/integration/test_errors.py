"""Whatever a user gets wrong has a message of its own: never an internal error, never our traceback."""

import re

import pytest
import torch

PLAIN = """
def test_plain(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
"""


def clean(project, result):
    """What a run said, once it is certain that it shows the user's code and none of ours."""
    said = project.said(result)
    for forbidden in ("INTERNALERROR", "Traceback", "During handling", "direct cause"):
        assert forbidden not in said
    assert not re.search(r"pytest_reprotest/\w", said)
    return said


OPTIONS = {
    "--repro-runs=1": "got '1'; expected at least 2 runs, since a pair is compared",
    "--repro-runs=ten": "got 'ten'; expected an integer",
    "--repro-runs=2.5": "got '2.5'; expected an integer",
    "--repro-runs=": "got ''; expected an integer",
    "--repro-seed=-1": "got '-1'; expected a seed of 0 or more",
    "--repro-seed=lucky": "got 'lucky'; expected an integer",
    "--repro-vary=noize": "unknown variance source 'noize'; expected any of init, data_order, noise, "
    "or 'all' or 'none'. Did you mean 'noise'?",
    "--repro-vary=init,all": "got 'init,all'; expected 'all' or 'none' alone, or any of the others",
    "--repro-device=gpu": "got 'gpu'; expected auto, cpu, cuda",
    "--repro-device=": "got ''; expected auto, cpu, cuda",
    "--repro-max-prediction-difference=6": "got '6'; expected a fraction of test samples between 0 and "
    "1. For 6% write 0.06.",
    "--repro-max-prediction-difference=nan": "got 'nan'; expected a fraction of test samples between 0",
    "--repro-max-prediction-difference=six": "got 'six' (str); expected a fraction of test samples",
    "--repro-min-effective-accuracy=88": "got '88'; expected a fraction of test samples between -1 and "
    "1. For 88% write 0.88.",
    "--repro-min-effective-accuracy=-inf": "got '-inf'; expected a fraction of test samples between -1",
    "--repro-regularizers=": "got an empty text; expected names such as 'none,dropout', or 'all'",
    "--repro-json=": "that is a folder; expected the path of a file to write",
    "--repro-json=absent/out.json": "absent does not exist; create it, or write elsewhere",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_impossible_option_is_a_usage_error_of_one_line(project, option):
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    clean(project, result)
    (line,) = filter(None, result.errlines)
    assert line.startswith(f"ERROR: {option.partition('=')[0]}=")
    assert OPTIONS[option] in line
    assert result.outlines in ([], [""])


@pytest.mark.parametrize("option", ["--repro-runs=1", "--repro-json=absent/out.json"])
def test_a_usage_error_is_one_under_xdist_too_before_a_worker_starts(project, option):
    project.write(PLAIN)
    result = project.run(option, "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert OPTIONS[option] in clean(project, result)
    assert result.outlines in ([], [""])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--repro-rums=3", "unrecognized arguments: --repro-rums=3"),
        ("--repro-runs", "argument --repro-runs: expected one argument"),
        (
            "--repro-report-only=yes",
            "argument --repro-report-only: ignored explicit argument 'yes'",
        ),
    ],
)
def test_pytest_itself_refuses_options_that_are_no_options(project, option, message):
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in clean(project, result)


INI = {
    "repro_runs = 1": "got '1'; expected at least 2 runs",
    "repro_seed = -2": "got '-2'; expected a seed of 0 or more",
    "repro_vary = noize": "unknown variance source 'noize'",
    "repro_device = tpu": "got 'tpu'; expected auto, cpu, cuda",
    "repro_report_only = perhaps": "got 'perhaps'; expected true or false",
    "repro_max_prediction_difference = 5": "got '5'; expected a fraction of test samples between 0 and",
    "repro_min_effective_accuracy = high": "got 'high' (str); expected a fraction of test samples",
}


@pytest.mark.parametrize("line", INI)
def test_an_impossible_ini_value_is_a_usage_error_that_names_it(project, line):
    project.ini(line)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: ini option {line}: {INI[line]}" in clean(project, result)


def test_an_ini_files_json_path_that_cannot_be_written_is_a_usage_error(project):
    project.ini("repro_json = absent/out.json")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "absent does not exist; create it, or write elsewhere" in clean(project, result)


NAMES = {
    "dropuot": "unknown regularizer 'dropuot'; expected any of none, momentum, adam, weight_decay, ",
    "none,none": "the regularizer 'none' is listed twice; name each one once",
    "weight_decay(": "can't read the regularizers 'weight_decay('; expected names such as 'none,weight",
    "weight_decay(x)": "can't read the parameters of 'weight_decay' in 'weight_decay(x)'; expected num",
    "weight_decay(-1)": "weight_decay(coefficient=-1); expected a finite number above 0",
    "dropout(p=0.1,q=3)": "the regularizer 'dropout' can't be built: Dropout.__init__() got an unexpec",
    "adam+momentum": "'adam+momentum' sets the optimizer twice (adam and momentum); keep one",
    "none;dropout": "can't read the regularizers 'none;dropout'; expected names such as",
    "__import__('os').getcwd()": "can't read the regularizers \"__import__('os').getcwd()\"; expected",
}


@pytest.mark.parametrize("text", NAMES)
def test_regularizers_that_are_none_are_refused_at_collection(project, text):
    project.write(PLAIN)
    result = project.run(f"--repro-regularizers={text}")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    message = f"test_audit.py::test_plain: --repro-regularizers={text}: {NAMES[text]}"
    assert message in clean(project, result)


MARKERS = {
    "runs=1": "reproducibility(runs=1): got 1; expected at least 2 runs, since a pair is compared",
    "runs=True": "reproducibility(runs=True): got True (bool); expected an integer",
    "runs=2.0": "reproducibility(runs=2.0): got 2.0 (float); expected an integer",
    "runs=[3]": "reproducibility(runs=[3]): got [3] (list); expected an integer",
    "rums=3": "reproducibility() got an unknown keyword 'rums'; expected any of runs, regularizers,",
    "max_predicton_difference=0.1": "'max_predicton_difference'; expected any of runs",
    "device='cpu'": "reproducibility(device=...) can't be set on the marker; use --repro-device, or rep",
    "max_prediction_difference=True": "got True (bool); expected a fraction of test samples between 0 ",
    "max_prediction_difference=float('inf')": "got inf; expected a fraction of test samples between 0",
    "max_prediction_difference={}": "got an empty mapping; expected regularizer names with a number",
    "max_prediction_difference={'droput': 0.1}": "max_prediction_difference: unknown regularizer 'drop",
    "max_prediction_difference={'dropout': 7}": "got 7; expected a fraction of test samples between 0 ",
    "min_accuracy=90": "got 90; expected a fraction of test samples between 0 and 1. For 90% write 0.9",
    "max_accuracy_std=-0.5": "got -0.5; expected a fraction of test samples between 0 and 1",
    "min_effective_accuracy=-1.5": "got -1.5; expected a fraction of test samples between -1 and 1",
    "seed=-1": "reproducibility(seed=-1): got -1; expected a seed of 0 or more",
    "vary=['init', 3]": "got ['init', 3]; expected 'all', 'none' or any of init, data_order, noise",
    "vary=[]": "reproducibility(vary=[]): got an empty list; expected 'none' or any of init",
    "regularizers=[]": "got an empty list; expected at least one regularizer, such as 'none'",
    "regularizers=['none', 3]": "got 3 as a regularizer; expected a name, or an object such as weight",
    "regularizers=[dropout]": "as a regularizer; expected a name, or an object such as weight_decay(1e",
    "regularizers=['none', dropout(1.5)]": "dropout(p=1.5); expected a probability from 0 to below 1",
    "baseline='dropout'": "baseline='dropout' is not among the audited regularizers none.",
    "baseline=3": "reproducibility(baseline=3): got 3; expected the name of a regularizer",
    "5": "reproducibility() takes keywords only; got 5. Write reproducibility(runs=10), for example",
    "4, runs=3": "reproducibility() takes keywords only; got 4.",
}


@pytest.mark.parametrize("keywords", MARKERS)
def test_an_impossible_marker_is_refused_at_collection(project, keywords):
    project.write(f"@reproducibility({keywords}){PLAIN}")
    result = project.run("--collect-only")
    result.assert_outcomes(errors=1)
    assert MARKERS[keywords] in clean(project, result)


def test_the_argument_regularizer_beside_retrain_is_not_the_users_to_set(project):
    project.write("""
        @pytest.mark.parametrize("regularizer", ["none"])
        def test_own(retrain, regularizer):
            retrain(FunctionTrainer(exact, y_true=y_true))
        """)
    project.write(
        """
        @pytest.fixture
        def regularizer():
            return ["l2"]

        def test_own(retrain, regularizer):
            retrain(FunctionTrainer(exact, y_true=y_true))
        """,
        "test_fixture",
    )
    result = project.run("--continue-on-collection-errors")
    result.assert_outcomes(errors=2)
    said = clean(project, result)
    assert (
        "test_audit.py::test_own: beside retrain, the argument regularizer is set by pytest" in said
    )
    assert (
        "test_fixture.py::test_own[none]: beside retrain, the argument regularizer is set" in said
    )


CALLS = {
    # factories
    "make_mlp": "train= is missing; expected the pair (inputs, targets), or a Dataset",
    "make_mlp, train=data['train']": "test= is missing; expected the pair (inputs, targets), or a Dat",
    "None, **data": "got None as model factory; expected a function that builds and returns an nn.Mod",
    "make_mlp(), **data": "got a model (Sequential) in place of a model factory; every run needs a fr",
    "nn.Linear, **data": "the model factory 'Linear' requires the parameters in_features, out_feature",
    "exact, **data": "'exact' takes a run, as training functions do; expected a function that builds ",
    "lambda: None, **data": "the model factory '<lambda>' returned NoneType; expected a torch.nn.Modul",
    "lambda: 1 / 0, **data": "the model factory '<lambda>' raised ZeroDivisionError: division by zero",
    "lambda: nn.ReLU(), **data": "has no parameter that requires a gradient; there is nothing to train",
    "lambda: nn.Linear(2, 1), **data": "the largest label is 1, the model gives scores for 1 classes",
    "lambda: nn.Linear(3, 2), **data": "a first step on a small batch raised RuntimeError: mat1 and ma",
    "lambda: nn.LSTM(2, 2), **data": "the model returned a tuple for 4 inputs; expected a tensor of sc",
    # settings
    "make_mlp, **data, learning_rate=1": "unknown training setting 'learning_rate'; expected any of tr",
    "make_mlp, **data, runs=3": "threads. It belongs on the marker: @reproducibility(...)",
    "make_mlp, **data, device='cpu'": "threads. It is set by --repro-device, or repro_device in the in",
    "exact, y_true=y_true": "A training function of your own is wrapped: FunctionTrainer(train_fn, y_tr",
    "make_mlp, **{**data, 'epochs': 0}": "epochs=0; expected an integer of at least 1",
    "make_mlp, **{**data, 'batch_size': 2.0}": "batch_size=2.0; expected an integer of at least 1",
    "make_mlp, **data, lr=0": "lr=0; expected a finite number above 0",
    "make_mlp, **data, lr=float('nan')": "lr=nan; expected a finite number above 0",
    "make_mlp, **data, optimizer='sgdd'": "optimizer='sgdd'; expected one of sgd, momentum, nesterov, ",
    "make_mlp, **data, optimizer=torch.optim.SGD, lr=1.0": "lr=1.0 has no effect on an optimizer given",
    "make_mlp, **data, optimizer=lambda p: p": "optimizer= returned list; expected a torch.optim.Optim",
    "make_mlp, **data, loss='mse'": "loss='mse' is none for a classification; expected cross_entropy or nll_",
    "make_mlp, **data, loss='mae'": "loss='mae'; expected one of cross_entropy, nll_loss, mse, l1, bce_with",
    "make_mlp, **data, loss=lambda o, t: o": "the loss returned (4, 2); expected a scalar tensor, the",
    "make_mlp, **data, loss=lambda o, t: o.sum() * np.nan": "failed: the training loss became nan in e",
    "make_mlp, **data, schedule='cosinus'": "schedule='cosinus'; expected one of constant, linear, cos",
    "make_mlp, **data, weight_decay=-1": "weight_decay=-1; expected a finite number of 0 or more",
    "make_mlp, **data, drop_last='no'": "drop_last='no'; expected True or False",
    # data
    "make_mlp, train=inputs, test=data['test']": "train= is a ndarray; expected the pair (inputs, targ",
    "make_mlp, train='a.csv', test=data['test']": "train= is a str; expected the pair (inputs, targets",
    "make_mlp, train=(inputs,), test=data['test']": "train= has 1 parts; expected the pair (inputs, ta",
    "make_mlp, train=(inputs, targets[:5]), test=data['test']": "train= has inputs of shape (20, 2) an",
    "make_mlp, train=data['train'], test=(inputs[:0], targets[:0])": "the test set is empty: 0 samples",
    "make_mlp, train=(inputs * np.nan, targets), test=data['test']": "train= holds inputs that are NaN",
    "make_mlp, train=(inputs, targets - 1), test=data['test']": "holds the label -1; expected classes ",
    "make_mlp, train=(inputs, targets + 0.5), test=data['test']": "has dtype float32; expected integer",
    "make_mlp, train=(inputs, np.eye(2)[targets]), test=data['test']": "Turn one-hot rows into labels ",
    "make_mlp, train=(inputs, targets + 1), test=data['test']": "the largest label is 2, the model giv",
    "make_mlp, train=data['train'], test=(inputs[:, :1], targets)": "can't predict test=, whose inputs",
    "make_mlp, train=(inputs.astype(object), targets), test=data['test']": "dtype object; expected num",
    "make_mlp, train=Stream(), test=data['test']": "train= is an IterableDataset, which has no sample ",
    "make_mlp, train=Broken(), test=data['test']": "reading sample 0 of train= raised OSError: disk",
    "make_mlp, train=Words(), test=data['test']": "the Dataset's samples are (tuple, tuple); expected ",
    "make_mlp, train=data['train'], test=Noisy()": "test= gives a different sample each time it is rea",
    # training functions
    "FunctionTrainer(3, y_true=y_true)": "got 3 as train_fn; expected a function that takes a run and ",
    "FunctionTrainer(exact, y_true=[])": "the test set is empty: y_true has 0 samples; expected at lea",
    "FunctionTrainer(exact, y_true=['a', 'b'])": "y_true has dtype <U1; expected integer class labels ",
    "FunctionTrainer(exact, y_true=y_true, threads=0)": "threads=0; expected an integer of at least 1",
    "FunctionTrainer(exact, y_true=y_true), epochs=3": "epochs can't be set beside a FunctionTrainer, ",
    "FunctionTrainer(lambda run: y_true[:4], y_true=y_true)": "predictions have shape (4,); expected l",
    "FunctionTrainer(lambda run: None, y_true=y_true)": "predictions have shape (); expected labels (1",
    "FunctionTrainer(lambda run: y_true - 1, y_true=y_true)": "predictions go from -1 to 0; expected c",
    "FunctionTrainer(lambda run: y_true * 0.5, y_true=y_true)": "predictions have dtype float64; expec",
    "FunctionTrainer(lambda run: np.zeros((10, 1)), y_true=y_true)": "scores are given for 1 classes (",
    "FunctionTrainer(lambda run: np.eye(2)[y_true] / 0, y_true=y_true)": "scores hold NaN or infinity",
    "FunctionTrainer(lambda run: y_true * 0, y_true=y_true)": "constant predictor: run 0 (class 0), ru",
    "FunctionTrainer(lambda run: 1 / 0, y_true=y_true)": "failed: ZeroDivisionError: division by zero ",
    "FunctionTrainer(lambda run: run.generator('nose'), y_true=y_true)": "unknown variance source 'nos",
}

DATASETS = """
class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield inputs[0], 0

class Four(torch.utils.data.Dataset):
    def __len__(self):
        return 4

class Broken(Four):
    def __getitem__(self, index):
        raise OSError("disk")

class Words(Four):
    def __getitem__(self, index):
        return "a", "b"

class Noisy(Four):
    def __getitem__(self, index):
        return torch.rand(2), index % 2

np.seterr(divide="ignore", invalid="ignore")
"""


@pytest.fixture(scope="module")
def told():
    """What each wrong call was told: all of them are made in one session, for the first test."""
    return {}


@pytest.fixture
def failures(project, told):
    """The failure of each wrong call."""
    if not told:
        project.write(
            DATASETS
            + "".join(
                f"\n@reproducibility(runs=2)\ndef test_{number:03}(retrain):\n    retrain({call})\n"
                for number, call in enumerate(CALLS)
            )
        )
        result = project.run("--tb=short", "-p", "no:cacheprovider")
        result.assert_outcomes(failed=len(CALLS))
        clean(project, result)
        parts = re.split(r"^_+ test_\d{3} _+$", result.stdout.str(), flags=re.MULTILINE)[1:]
        told.update(zip(CALLS, (" ".join(part.split()) for part in parts), strict=True))
    return told


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_of_retrain_fails_with_a_message_of_its_own(failures, call):
    assert CALLS[call] in failures[call]


def test_the_users_own_line_is_named_where_their_code_raised(failures):
    failure = failures["lambda: 1 / 0, **data"]
    assert re.search(r"at \S*test_audit.py:\d+ in <lambda>: retrain\(lambda: 1 / 0", failure)


def test_a_wrong_call_names_retrain_and_shows_the_users_line(project):
    project.write("def test_empty(retrain):\n    retrain()\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    said = clean(project, result)
    assert "TypeError: retrain() missing 1 required positional argument: 'model_factory'" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_named_with_what_there_is(project):
    result = project.run("--repro-device=cuda:7")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = clean(project, result)
    assert "ERROR: device 'cuda:7' is not available: torch" in said
    assert "sees 0 CUDA devices; use --repro-device=cpu, or auto" in said
