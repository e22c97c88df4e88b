"""--repro-regularizers and repro_regularizers."""

import re

import pytest

TEST = """
@reproducibility(runs=2, regularizers=["dropout", weight_decay(1e-3)])
def test_marked(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=2)
def test_open(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def audited(project, test):
    return list(project.audits()[test]["regularizers"])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("none", ["none"]),
        ("dropout,none", ["dropout", "none"]),
        ("weight_decay(1e-2)", ["weight_decay(0.01)"]),
        ("batch_norm+dropout(0.2), none", ["batch_norm+dropout(0.2)", "none"]),
    ],
)
def test_the_command_line_replaces_the_markers_regularizers(project, text, labels):
    project.write(TEST)
    result = project.run(f"--repro-regularizers={text}", "--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=2)
    assert audited(project, "test_marked") == labels
    assert audited(project, "test_open") == labels


def test_all_audits_every_registered_regularizer(project):
    project.write(TEST)
    project.run("--repro-regularizers=all", "--repro-json=out.json").assert_outcomes(passed=2)
    assert audited(project, "test_open") == [
        "none",
        "momentum",
        "adam",
        "weight_decay",
        "orthogonal",
        "dropout",
        "stochastic_depth",
        "batch_norm",
        "layer_norm",
        "group_norm",
        "residual",
        "ema",
    ]


def test_an_object_of_the_marker_is_picked_by_its_label(project):
    project.write(TEST)
    result = project.run(
        "--repro-regularizers=weight_decay(0.001)", "--repro-json=out.json", "-k", "marked"
    )
    result.assert_outcomes(passed=1, deselected=1)
    assert audited(project, "test_marked") == ["weight_decay(0.001)"]


def test_the_ini_file_gives_what_no_marker_says(project):
    project.ini("repro_regularizers = none,layer_norm")
    project.write(TEST)
    project.run("--repro-json=out.json").assert_outcomes(passed=2)
    assert audited(project, "test_marked") == ["dropout", "weight_decay(0.001)"]
    assert audited(project, "test_open") == ["none", "layer_norm"]


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_a_parametrized_test_gets_an_item_each(project, workers):
    project.write("""
        @reproducibility(runs=2)
        def test_each(retrain, regularizer):
            result = retrain(FunctionTrainer(shaky, y_true=y_true))
            assert result.regularizers == (regularizer,)
        """)
    result = project.run(
        "--repro-regularizers=none,weight_decay(1e-3)", "--repro-json=out.json", *workers
    )
    result.assert_outcomes(passed=2)
    assert sorted(project.audits()) == ["test_each[none]", "test_each[weight_decay(0.001)]"]


def test_items_are_compared_whatever_else_is_parametrized_and_other_tests_keep_their_names(project):
    project.write("""
        @reproducibility(runs=2, regularizers=["none", "dropout"])
        @pytest.mark.parametrize("net", ["small", "mlp-dropout"])
        def test_each(retrain, regularizer, net):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @reproducibility(runs=2, regularizers="dropout")
        @pytest.mark.parametrize("net", ["mlp", "mlp-dropout"])
        def test_one(retrain, net):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    result = project.run()
    result.assert_outcomes(passed=6)
    titles = [line for line in result.outlines if re.fullmatch(r"\S+::\S+", line)]
    assert [title.partition("::")[2] for title in titles] == [
        "test_each[small]",
        "test_each[mlp-dropout]",
        "test_one[mlp]",
        "test_one[mlp-dropout]",
    ]
