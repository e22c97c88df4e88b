"""--repro-vary and repro_vary: tests look at the streams that each run gets."""

import json

import pytest

from pytest_reprotest.stored import unpack

TEST = """
import json
from pathlib import Path

streams = {"init": [], "data_order": [], "noise": []}

def train(run):
    run.regularizer
    for source, seen in streams.items():
        seen.append(run.generator(source).initial_seed())
    return y_true

@reproducibility(runs=3)
def test_open(retrain):
    retrain(FunctionTrainer(train, y_true=y_true))
    different = {source: len(set(seen)) for source, seen in streams.items()}
    Path("streams.json").write_text(json.dumps(different))
"""


def streams(project):
    """How many different streams three runs had, by source."""
    return json.loads((project.path / "streams.json").read_text())


@pytest.mark.parametrize(
    ("text", "init", "data_order", "noise"),
    [
        ("all", 3, 3, 3),
        ("none", 1, 1, 1),
        ("init", 3, 1, 1),
        ("data_order", 1, 3, 1),
        ("noise,init", 3, 1, 3),
    ],
)
def test_only_the_named_sources_differ_between_runs(project, text, init, data_order, noise):
    project.write(TEST)
    project.run(f"--repro-vary={text}", "-n0").assert_outcomes(passed=1)
    assert streams(project) == {"init": init, "data_order": data_order, "noise": noise}


def test_all_sources_differ_by_default_and_the_ini_file_says_otherwise(project):
    project.write(TEST)
    project.run().assert_outcomes(passed=1)
    assert streams(project) == {"init": 3, "data_order": 3, "noise": 3}
    project.ini("repro_vary = data_order")
    project.run().assert_outcomes(passed=1)
    assert streams(project) == {"init": 1, "data_order": 3, "noise": 1}


def test_the_marker_wins_over_the_ini_file_and_the_command_line_over_both(project):
    project.ini("repro_vary = none")
    project.write(TEST.replace("runs=3", "runs=3, vary=['init', 'noise']"))
    project.run().assert_outcomes(passed=1)
    assert streams(project) == {"init": 3, "data_order": 1, "noise": 3}
    project.run("--repro-vary=data_order").assert_outcomes(passed=1)
    assert streams(project) == {"init": 1, "data_order": 3, "noise": 1}


def test_a_network_trained_with_nothing_varied_has_a_prediction_difference_of_zero(project):
    project.write("""
        @reproducibility(runs=3)
        def test_mlp(retrain):
            retrain(make_mlp, **data)
        """)
    found = {}
    for vary in ("all", "none"):
        project.run(f"--repro-vary={vary}", "--repro-json=out.json")
        found[vary] = project.audits()["test_mlp"]["regularizers"]["none"]
    assert found["all"]["prediction_difference"]["value"] > 0.1
    assert found["none"]["prediction_difference"]["value"] == 0.0
    runs = unpack(found["none"]["predictions"], n_dimensions=2)
    assert (runs == runs[0]).all()
