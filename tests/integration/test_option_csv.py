"""--repro-csv and repro_csv."""

import csv

import pytest

from pytest_reprotest.report.results_csv import COLUMNS

STUDY = (
    "optim,dataset,num_layers,norms,noise,lnoise,residual,seed,epochs,runs,device,eff_test_accuracy,"
    "med_stat,pval"
)
TEST = """
@reproducibility(runs=5, regularizers="none,dropout+layer_norm+weight_decay(1e-3)", max_prediction_difference=0.1)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def read(project, name="out.csv"):
    with (project.path / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])
def test_each_regularizer_has_a_row_in_the_study_s_columns(project, workers):
    project.write(TEST)
    project.run("--repro-csv=out.csv", "--repro-seed=3", "--repro-compat=study", *workers)
    text = (project.path / "out.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert text.startswith(STUDY + ",test,regularizer,")
    plain, other = read(project)
    assert {key: plain[key] for key in STUDY.split(",")} == {
        "optim": "",
        "dataset": "test_audit.py::test_shaky",
        "num_layers": "",
        "norms": "false",
        "noise": "false",
        "lnoise": "false",
        "residual": "false",
        "seed": "3",
        "epochs": "",
        "runs": "5",
        "device": "cpu",
        "eff_test_accuracy": plain["effective_score"],
        "med_stat": "0",
        "pval": "0.001953125",
    }
    assert float(plain["effective_score"]) == pytest.approx(0.7)
    assert float(plain["score"]) == pytest.approx(0.9)
    assert float(plain["prediction_difference"]) == pytest.approx(0.2)
    assert (plain["task"], plain["verdict"]) == ("classification", "fail")
    assert [other[key] for key in ("norms", "noise", "lnoise")] == ["layer", "dropout", "wdecay"]
    assert other["regularizer"] == "dropout+layer_norm+weight_decay(0.001)"


def test_what_a_training_of_ours_is_known_of_is_told(project):
    project.write("""
        @reproducibility(runs=2, regularizers="none,momentum,adam,residual")
        def test_net(retrain):
            retrain(make_solved, **data, optimizer="nesterov", weight_decay=1e-4)

        @reproducibility(runs=2, regularizers="all")
        def test_all(retrain):
            retrain(make_solved, **data)
        """)
    project.ini("repro_csv = out.csv")
    project.run("-k", "net or all")
    rows = {(row["test"].partition("::")[2], row["regularizer"]): row for row in read(project)}
    optimizers = {label: row["optim"] for (test, label), row in rows.items() if test == "test_net"}
    assert optimizers.get("none", "nesterov") == "nesterov"
    assert rows["test_all", "momentum"]["optim"] == "sgdmom"
    assert rows["test_all", "adam"]["optim"] == "adam"
    assert rows["test_all", "none"]["epochs"] == "2"
    unfit = rows["test_all", "residual"]
    assert (unfit["verdict"], unfit["prediction_difference"]) == ("does not fit", "")


def test_numbers_that_are_none_are_empty_and_r2_is_no_accuracy(project):
    project.write("""
        def noisy(run):
            run.regularizer
            return inputs[:, 0] + run.generator("noise", kind="numpy").normal(size=20)

        @reproducibility(runs=2)
        def test_numbers(retrain):
            trainer = FunctionTrainer(noisy, y_true=inputs[:, 0], task="regression", tolerance=0.1)
            retrain(trainer)

        @reproducibility(runs=2)
        def test_broken(retrain):
            retrain(FunctionTrainer(lambda run: 1 / 0, y_true=y_true))
        """)
    project.run("--repro-csv=out.csv")
    numbers, broken = read(project)
    assert numbers["eff_test_accuracy"] == ""
    assert float(numbers["effective_score"]) < 1
    assert (broken["score"], broken["verdict"]) == ("", "broken")


def test_a_folder_that_is_not_there_is_refused(project):
    result = project.run("--repro-csv=no/out.csv")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--repro-csv=" in project.said(result)
    assert "does not exist; create it, or write elsewhere" in project.said(result)


def test_it_takes_no_other_file_s_place(project):
    result = project.run("--repro-json=out.json", "--repro-csv=out.json")
    assert (
        "ERROR: --repro-json=out.json and --repro-csv=out.json name one file; expected two"
    ) in project.said(result)
