import getpass
import json
import platform
import socket
from importlib import metadata

import numpy as np
import pytest

from pytest_reprotest import fingerprint
from pytest_reprotest.fingerprint import VARIABLES, driver, environment, machine, versions


@pytest.fixture(autouse=True)
def _afresh():
    fingerprint._processor.cache_clear()
    yield
    fingerprint._processor.cache_clear()


def test_the_versions_of_what_computed_are_told():
    found = versions()
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", "pytest-reprotest", "torch", "numpy", "scipy"}


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    def missing(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    fingerprint._version.cache_clear()
    try:
        assert versions()["torch"] == "unknown"
    finally:
        fingerprint._version.cache_clear()


def test_a_machine_is_told_by_its_kind_and_not_by_its_name():
    found = machine()
    assert found["system"] == platform.system()
    assert found["architecture"] == platform.machine()
    assert found["processor"]
    told = json.dumps(found)
    for personal in (socket.gethostname(), getpass.getuser(), str(fingerprint.__file__)):
        assert personal not in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel name\t: another\n", "A CPU @ 2 GHz"),
        ("Model\t\t: A Board\n", "A Board"),
        (f"model name: {'x' * 999}\n", "x" * 100),
        ("processor\t: 0\n", "Family 6"),
        (None, "Family 6"),
    ],
)
def test_the_processor_is_told_where_it_can_be_read(tmp_path, monkeypatch, text, expected):
    path = tmp_path / "cpuinfo"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(fingerprint, "_CPU_INFO", path)
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "Family 6")
    assert machine()["processor"] == expected


def test_a_processor_that_cannot_be_read_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.delenv("PROCESSOR_IDENTIFIER", raising=False)
    assert machine()["processor"] == "unknown"


# --- the environment ----------------------------------------------------------------------------

SPELLINGS = {
    "PYTHONHASHSEED": ["0", "random"],
    "OMP_NUM_THREADS": ["4", "4,2"],
    "OMP_DYNAMIC": ["TRUE"],
    "MKL_NUM_THREADS": ["1"],
    "MKL_DYNAMIC": ["false"],
    "MKL_CBWR": ["AUTO", "COMPATIBLE", "AVX2", "AVX512_E1,STRICT"],
    "MKL_ENABLE_INSTRUCTIONS": ["AVX2", "SSE4_2", "AVX512_E1"],
    "OPENBLAS_NUM_THREADS": ["16"],
    "ONEDNN_MAX_CPU_ISA": ["AVX512_CORE_AMX", "avx2_vnni", "ALL", "SSE41"],
    "ONEDNN_DEFAULT_FPMATH_MODE": ["BF16", "strict"],
    "ATEN_CPU_CAPABILITY": ["default", "avx2", "avx512"],
    "CUBLAS_WORKSPACE_CONFIG": [":4096:8", ":16:8", ":4096:2:16:8"],
    "CUBLASLT_WORKSPACE_SIZE": ["4096"],
    "NVIDIA_TF32_OVERRIDE": ["0"],
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": ["1"],
    "TORCHINDUCTOR_DETERMINISTIC": ["1"],
}


def test_a_variable_that_is_not_set_is_told_as_such(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert environment() == dict.fromkeys(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_what_numbers_depend_on_is_told_as_it_is_spelled(name, monkeypatch):
    for value in SPELLINGS[name]:
        monkeypatch.setenv(name, value)
        assert environment()[name] == value


SECRETS = [
    "/home/someone",
    "ghp_0123456789abcdefABCDEF",
    "someone@example.org",
    "",
    "1" * 200,
    "1\n2",
]


@pytest.mark.parametrize("value", SECRETS)
def test_a_value_of_another_shape_is_not_repeated(value, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, value)
    assert environment() == dict.fromkeys(VARIABLES, "another value")


def test_variables_of_the_processes_that_train_come_first(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert environment({"OMP_NUM_THREADS": "1"})["OMP_NUM_THREADS"] == "1"


# --- the driver ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
            "GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)\n",
            "535.104.05",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  560.35.03  Release Build  (me@host)\n",
            "560.35.03",
        ),
        ("nothing of the kind", None),
        (None, None),
    ],
)
def test_the_driver_is_told_by_its_number(tmp_path, monkeypatch, text, expected):
    path = tmp_path / "version"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(fingerprint, "_DRIVER", path)
    assert driver() == expected
