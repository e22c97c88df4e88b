"""The study as a suite: its smallest profile trains, the others are collected and planned."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from regularizer_study.factors import profile
from regularizer_study.published import by_cell, read_published
from regularizer_study.test_remedies import REGULARIZERS

ROOT = Path(__file__).parents[1]


def run(*arguments, data=None):
    environment = {key: value for key, value in os.environ.items() if key != "REPROTEST_DATA"}
    environment |= {"COLUMNS": "100"} | ({} if data is None else {"REPROTEST_DATA": str(data)})
    return subprocess.run(
        [sys.executable, "-m", "pytest", "examples/regularizer_study", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip


def test_the_smallest_profile_is_audited_without_any_file(tmp_path):
    done = run("-v", f"--repro-json={tmp_path / 'found.json'}")

    assert done.returncode == 0, done.stdout
    for cell in profile("smoke").cells:
        assert f"test_study[{cell.id}] PASSED" in done.stdout
    assert "test_remedies[digits] PASSED" in done.stdout
    assert "test_remedies[mnist] SKIPPED" in done.stdout
    audits = json.loads((tmp_path / "found.json").read_text())["audits"]
    runs = {
        audit["name"].split("[")[1]: {
            label: found["n_runs"] for label, found in audit["regularizers"].items()
        }
        for audit in audits
    }
    remedies = runs.pop("digits]")
    assert tuple(remedies) == REGULARIZERS
    assert set(remedies.values()) == {10}
    assert len(runs) == 4
    assert {count for found in runs.values() for count in found.values()} == {3}
    assert len({audit["settings"]["seed"] for audit in audits}) == len(audits), "seeds of their own"


def test_a_cell_is_chosen_by_k_and_planned():
    done = run(
        "--repro-plan", "--study-profile=smoke", "-k", "mlp6 and layer", "--repro-runs=5"
    )  # of digits: nothing has to be there

    assert done.returncode == 0, done.stdout
    assert "reproducibility plan" in done.stdout
    assert "test_study[digits-mlp6-sgd-layer-residual-stochastic_depth]" in done.stdout
    assert len(re.findall(r"::test_study\[", done.stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--study-profile=published",), 108),
        (("--study-profile=ci",), len(profile("ci").cells)),
        (("--study-profile=published", "--study-data=svhn"), 108),
        (("--study-profile=full", "--study-data=cifar10"), 7776 // 6),
    ],
)
def test_profiles_are_collected_without_data(arguments, expected):
    done = run("--collect-only", "-q", *arguments)

    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"::test_study\[", done.stdout)) == expected


def test_data_that_is_not_there_is_told():
    done = run("-rs", "--study-profile=published", "-k", "mlp2-sgd-layer and not residual")

    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    told = " ".join(done.stdout.split())
    assert "REPROTEST_DATA" in told


def test_a_profile_has_its_own_data():
    done = run("--study-data=mnist")

    assert done.returncode == 4
    assert "--study-data: the profile smoke has its own data" in done.stderr


def test_an_unknown_profile_is_told_with_those_there_are():
    done = run("--study-profile=small")

    assert done.returncode == 4
    assert "smoke" in done.stderr


def test_cells_that_collapsed_in_the_study_may_fail():
    low = [row for row in read_published() if row.effective_accuracy < 0.5]
    assert {row.cell.depth for row in low} == {20}
    assert len(by_cell(tuple(low))) == 5
