import getpass
import json
import platform
import socket
from importlib import metadata

import numpy as np
import pytest

from pytest_reprotest import fingerprint
from pytest_reprotest.fingerprint import machine, versions


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
    assert versions()["torch"] == "unknown"


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
