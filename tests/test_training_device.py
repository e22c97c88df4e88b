from __future__ import annotations

import pytest
import torch

from pytest_reprotest.errors import OptionError
from pytest_reprotest.training.device import resolve_devices


def cuda_devices(monkeypatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "devices"), [(0, ("cpu",)), (1, ("cuda:0",)), (3, ("cuda:0", "cuda:1", "cuda:2"))]
)
def test_auto_is_every_gpu_or_the_cpu(monkeypatch, count, devices):
    cuda_devices(monkeypatch, count)
    assert resolve_devices("auto") == devices


@pytest.mark.parametrize(
    ("spelling", "devices"),
    [
        ("cuda", ("cuda:0",)),
        ("cuda:0", ("cuda:0",)),
        ("cuda:1", ("cuda:1",)),
        ("cuda:1,0", ("cuda:1", "cuda:0")),
    ],
)
def test_gpus_that_are_there_are_named_by_their_numbers(monkeypatch, spelling, devices):
    cuda_devices(monkeypatch, 2)
    assert resolve_devices(spelling) == devices


@pytest.mark.parametrize(
    ("spelling", "missing", "count"),
    [("cuda", 0, 0), ("cuda:0", 0, 0), ("cuda:2", 2, 2), ("cuda:0,3", 3, 2)],
)
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, spelling, missing, count):
    cuda_devices(monkeypatch, count)
    with pytest.raises(OptionError) as error:
        resolve_devices(spelling)
    assert str(error.value) == (
        f"device 'cuda:{missing}' is not available: torch {torch.__version__} sees {count} CUDA devices; use "
        "--repro-device=cpu, or auto"
    )


def test_mps_is_taken_where_it_is(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_devices("mps") == ("mps",)


def test_mps_is_refused_where_it_is_not(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        OptionError, match=r"^device 'mps' is not available on this machine; use --repro-"
    ):
        resolve_devices("mps")


def test_the_cpu_is_always_there():
    assert resolve_devices("cpu") == ("cpu",)
