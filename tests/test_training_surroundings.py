"""What a result says of the software, the machine and the settings of PyTorch that it was computed with."""

import getpass
import json
import socket

import numpy as np
import pytest
import torch
from small_training import blobs, make_mlp, trainer_of
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.regularizers import layer_norm, none
from pytest_reprotest.training import surroundings as module
from pytest_reprotest.training.surroundings import flags, surroundings
from pytest_reprotest.training.switches import FLAGS, SWITCHES

ALGORITHMS = "torch.use_deterministic_algorithms"


def audited(factory=make_mlp, **settings):
    given = {"runs": 2, "epochs": 1, "batch_size": 16, **settings}
    return audit(factory, train=blobs(), test=blobs(30, seed=1), **given).settings


@pytest.fixture
def algorithms():
    yield torch.use_deterministic_algorithms
    torch.use_deterministic_algorithms(False)


# --- flags --------------------------------------------------------------------------------------


def test_every_flag_that_can_be_read_is_told_as_json():
    found = flags()
    assert set(found) <= {flag.name for flag in FLAGS}
    assert found["torch.backends.cudnn.benchmark"] is torch.backends.cudnn.benchmark
    assert found["torch.set_float32_matmul_precision"] == torch.get_float32_matmul_precision()
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((False,), False), ((True,), True), ((True, True), "warn_only")],
)
def test_deterministic_algorithms_are_off_on_or_warned_of(algorithms, arguments, expected):
    algorithms(arguments[0], warn_only=len(arguments) > 1)
    assert flags()[ALGORITHMS] == expected


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_default_type_is_told_as_it_is(deterministic):
    torch.set_default_dtype(torch.float64)
    try:
        assert flags(deterministic)["torch.set_default_dtype"] == "float64"
    finally:
        torch.set_default_dtype(torch.float32)


def test_of_a_proof_the_flags_are_told_that_it_trains_with():
    found = flags(deterministic=True)
    assert found[ALGORITHMS] is True
    others = SWITCHES[1:]
    assert {flag.name: found[flag.name] for flag in others} == {f.name: f.wanted for f in others}


# --- software and hardware ----------------------------------------------------------------------


def test_builds_and_instructions_are_told_of_a_cpu():
    found = surroundings("cpu", threads=1)
    assert found["machine"]["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert found["versions"]["cuda"] == (torch.version.cuda or "none")
    assert "cudnn" not in found["versions"]
    assert "gpu" not in found["machine"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605\n"
            "  - Intel(R) MKL-DNN v3.12.0 (Git Hash 80afa7)\n",
            ("2024.2", "3.12.0"),
        ),
        ("PyTorch built with:\n  - GCC 13.3\n", ("none", "none")),
    ],
)
def test_libraries_are_read_from_what_torch_says_of_its_build(monkeypatch, told, expected):
    monkeypatch.setattr(torch.__config__, "show", lambda: told)
    found = surroundings("cpu")["versions"]
    assert (found["mkl"], found["onednn"]) == expected


@pytest.mark.parametrize("version", ["535.104.05", None])
def test_of_a_gpu_its_model_is_told(monkeypatch, version):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    monkeypatch.setattr(module, "driver", lambda: version)
    found = surroundings("cuda:0")
    assert found["machine"]["gpu"] == "A GPU"
    assert found["machine"]["compute_capability"] == "9.0"
    assert found["machine"].get("driver") == version
    assert found["versions"]["cudnn"] == "91002"
    assert found["versions"]["hip"] == "6.4"


def test_threads_are_those_of_the_training_where_it_says_how_many():
    assert set(surroundings("cpu", threads=2)["threads"]) == {"inter_op"}
    assert surroundings("cpu")["threads"]["intra_op"] == torch.get_num_threads()


# --- initial weights ----------------------------------------------------------------------------


def starts(factory=make_mlp, regularizers=None, **recipe):
    trainer = trainer_of(factory, **recipe)
    return trainer.prepare(regularizers or [none()], Placement(), 2).initial_weights


def test_initial_weights_are_those_of_the_factory_whatever_the_seed():
    first, other = audited(), audited(seed=7)
    assert first["initial_weights"] == other["initial_weights"] == starts()


def test_another_initialization_and_another_net_start_elsewhere():
    def rescaled():
        model = make_mlp()
        with torch.no_grad():
            model[0].bias.add_(1)
        return model

    def renamed():
        return nn.ModuleDict({"net": make_mlp()})["net"]

    assert starts() == starts(renamed) != starts(rescaled)
    assert starts() == starts(lr=0.01)


def test_every_regularizer_that_fits_has_its_own():
    found = starts(regularizers=[none(), layer_norm()])
    assert set(found) == {"none", "layer_norm"}
    assert found["none"] != found["layer_norm"]


def test_a_function_has_no_initial_weights():
    truth = np.array([0, 1] * 4)

    def train_fn(run):
        labels = truth.copy()
        labels[run.index] ^= 1
        return labels

    settings = audit(FunctionTrainer(train_fn, y_true=truth), runs=2).settings
    assert "initial_weights" not in settings
    assert settings["threads"].keys() == {"inter_op"}


# --- nothing personal ---------------------------------------------------------------------------

REAL = [name for name in (socket.gethostname(), getpass.getuser(), torch.__file__) if len(name) > 4]
PLANTED = {
    "HOME": "/home/planted-home",
    "USER": "planted-user",
    "LOGNAME": "planted-logname",
    "HOSTNAME": "planted-host",
    "GITHUB_TOKEN": "ghp_plantedtoken0123456789",
    "MKL_CBWR": "planted-token-in-a-variable-that-is-read",
    "OMP_NUM_THREADS": "/planted/path",
}


def test_nothing_personal_is_in_a_result(monkeypatch, tmp_path):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    result = audit(make_mlp, train=blobs(), test=blobs(30, seed=1), runs=2, epochs=1, batch_size=16)
    text = json.dumps(result.to_dict())
    assert result.settings["environment"]["MKL_CBWR"] == "another value"
    assert "planted" not in text
    assert str(tmp_path) not in text
    assert not [name for name in REAL if name in json.dumps(result.settings)]
