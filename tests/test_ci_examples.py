"""The examples for continuous integration: valid YAML, and no option that is not there."""

import re
from pathlib import Path

import pytest
import yaml

from pytest_reprotest.flags import FLAGS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples" / "ci").iterdir())
OPTIONS = {flag.option for flag in FLAGS}


def test_there_is_one_for_each_service():
    assert [path.name for path in FILES] == ["github-actions.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize(
    "path",
    [*FILES, ROOT / "docs" / "ci.md", ROOT / "docs" / "reports.md"],
    ids=lambda path: path.name,
)
def test_every_option_is_there(path):
    used = set(re.findall(r"--repro-[a-z-]+", path.read_text(encoding="utf-8")))
    assert used
    assert used <= OPTIONS


def commands(jobs):
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def test_the_workflow_is_one_of_github_actions():
    text = (ROOT / "examples" / "ci" / "github-actions.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert set(workflow) == {
        "name",
        True,
        "permissions",
        "env",
        "jobs",
    }  # YAML 1.1 reads "on" as true
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps", "timeout-minutes"} <= set(job)
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
    audits = [command for command in commands(workflow["jobs"]) if "pytest" in command]
    assert len(audits) == 3
    assert all("\n" not in command.strip() for command in audits)  # one command line


def test_the_snippet_is_a_job_of_gitlab_ci():
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["reproducibility"]
    assert job["artifacts"]["reports"] == {"junit": "junit.xml"}
    assert all("\n" not in command.strip() for command in job["script"])
    written = re.findall(r"--(?:repro-(?:json|markdown)|junitxml)=(\S+)", " ".join(job["script"]))
    assert sorted(written) == sorted([*job["artifacts"]["paths"], "junit.xml"])
