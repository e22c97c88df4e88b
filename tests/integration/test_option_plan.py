"""--repro-plan: what would be trained, how long, and what it could show; nothing is trained."""

import json
import re

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n0"], ["-n1"]], ids=["none", "n0", "n1"])

TESTS = """
@reproducibility(runs=4, regularizers="none,dropout", max_prediction_difference=0.3,
                 min_effective_accuracy={"none": 0.5})
def test_torch(retrain):
    retrain(make_solved, **data)
    raise SystemExit("trained")

@reproducibility(runs=4)
def test_function(retrain):
    retrain(FunctionTrainer(lambda run: 1 / 0, y_true=y_true))
    raise SystemExit("trained")
"""

ITEMS = """
@reproducibility(runs=3, regularizers=["none", "dropout", weight_decay(1e-3)],
                 max_prediction_difference={"none": 0.1, "dropout": 0.05})
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def summary(result):
    """The lines of the plan."""
    lines = result.stdout.str().splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip("= ") == "reproducibility plan")
    ends = (n for n, line in enumerate(lines) if n > start and " skipped" in line)
    return [line for line in lines[start + 1 : next(ends)] if line]


def untimed(lines):
    """The table's cells without times, which differ from one machine to another."""
    cells = [re.sub(r"<?\d+\.\d s(?!\S*\+)|<?\d+\.\d (?=s\+)", "", line) for line in lines]
    return [line.split() for line in cells]


@WORKERS
def test_the_plan_tells_runs_and_half_widths_and_nothing_is_trained(project, workers):
    project.write(TESTS)
    result = project.run("--repro-plan", "--repro-device=cpu", "-rs", *workers)
    assert result.ret == 0
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED * planned"])
    heading, rule, *table = untimed(summary(result)[:8])
    assert heading == ["test,", "regularizer", "runs", "time", "PD", "ETA", "for", "±0.005"]
    assert set("".join(rule)) == {"-"}
    assert table == [
        ["test_audit.py::test_torch"],
        ["none", "(baseline)", "4", "0.300", "±0.191", "0.500", "±0.211", "2132"],
        ["dropout", "4", "0.300", "±0.191", "-", "1748"],
        ["test_audit.py::test_function"],
        ["none", "(baseline)", "4", "?", "no", "pilot", "-", "-"],
        ["total", "12", "s+?"],
    ]


@WORKERS
def test_sentences_come_once_after_the_table_and_the_items_of_a_test_are_taken_together(
    project, workers
):
    project.write(ITEMS)
    said = project.said(project.run("--repro-plan", *workers))
    assert "test_audit.py::test_items: FunctionTrainer can't be timed without training" in said
    assert said.count("can't be timed") == 1
    assert (
        "test_audit.py::test_items: 3 runs can't show that a regularizer changes the prediction "
        "difference: the smallest p-value is 0.1, and the level is 0.05; 5 runs can test_audit"
    ) in said
    assert said.count("3 runs can't show") == 1
    assert (
        "max_prediction_difference=0.05 for 'dropout', the worst of 2 such, allows 0.05, and 3 runs over "
        "10 test samples typically give an interval that is wider there, ±0.16; with 22 runs it is narrower"
    ) in said
    assert said.count("typically give") == 1
    assert (
        "no pilot: without a limit on PD nothing tells how wide its interval will be. Train a few runs with "
        "--repro-json=pilot.json, then plan with --repro-pilot=pilot.json"
    ) in said


def test_an_item_alone_compares_nothing(project):
    project.write(ITEMS)
    said = project.said(project.run("--repro-plan", "-k", "dropout"))
    assert "3 runs can't show" not in said
    assert "max_prediction_difference=0.05 allows 0.05" in said


def test_quiet_is_the_table_only(project):
    project.write(TESTS)
    lines = summary(project.run("--repro-plan", "-q", "--repro-json=out.json"))
    assert lines[-1].startswith("total")
    assert len(lines) == 8


def test_a_training_loop_is_never_called_and_a_model_is_not_trained_to_its_end(project):
    project.write("""
        steps = []

        class Counted(torch.optim.SGD):
            def step(self, *args, **kwargs):
                steps.append(1)
                return super().step(*args, **kwargs)

        @reproducibility(runs=3)
        def test_long(retrain):
            retrain(
                make_solved,
                **{**data, "epochs": 100_000},
                optimizer=lambda parameters: Counted(parameters, lr=0.1),
            )

        def test_few():
            assert 0 < len(steps) < 500
        """)
    result = project.run("--repro-plan", "-n0")
    result.assert_outcomes(skipped=1, passed=1)
    assert summary(result)[3].split()[4] in ("min", "h")


def test_the_state_of_generators_is_as_before(project):
    project.write("""
        import random

        def drawn():
            return random.random(), np.random.random(), torch.rand(1).item()

        def seed():
            random.seed(1), np.random.seed(1), torch.manual_seed(1)

        @reproducibility(runs=3, regularizers="none,dropout")
        @pytest.mark.parametrize("engine", ["stacked", "sequential"])
        def test_planned(retrain, engine):
            seed()
            expected = drawn()
            seed()
            threads = torch.get_num_threads()
            try:
                retrain(make_solved, **data)
            finally:
                assert drawn() == expected
                assert torch.get_num_threads() == threads
        """)
    project.run("--repro-plan").assert_outcomes(skipped=2)


def test_no_results_are_written_and_it_is_said(project):
    project.write(TESTS)
    before = {path.name for path in project.path.iterdir()}
    result = project.run("--repro-plan", "--repro-json=out.json", "-p", "no:cacheprovider")
    assert {path.name for path in project.path.iterdir()} - before <= {"__pycache__"}
    told = f"--repro-json={project.path / 'out.json'} is not written: --repro-plan trains nothing"
    assert "".join(told.split()) in "".join(project.said(result).split())


def test_an_ini_file_that_always_writes_is_left_alone(project):
    project.ini("repro_json = out.json")
    project.write(TESTS)
    assert "not written" not in project.said(project.run("--repro-plan"))
    assert not (project.path / "out.json").exists()


def test_runs_of_an_adaptive_audit_are_told_from_the_first_look_to_the_last(project):
    project.write("""
        @reproducibility(decision="confidence", runs=3, max_runs=20, regularizers="none,dropout",
                         min_effective_accuracy=0.9)
        def test_adaptive(retrain):
            retrain(make_solved, **data)
        """)
    result = project.run("--repro-plan")
    lines = summary(result)
    assert [line.split()[-1] for line in lines[3:5]] == ["390"] * 2
    assert [line.split()[1 + ("(" in line)] for line in lines[3:6]] == ["3..20", "3..20", "6..40"]
    assert "can't show that a regularizer" not in project.said(result)


def test_what_does_not_fit_is_told_and_the_rest_is_planned(project):
    project.write("""
        @reproducibility(runs=3, regularizers="all")
        def test_linear(retrain):
            retrain(lambda: nn.Linear(2, 2), **data)
        """)
    result = project.run("--repro-plan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  batch_norm *0 *-  does not fit *-"])
    assert "test_linear: batch_norm does not fit: 'batch_norm' needs" in project.said(result)


def test_what_could_not_be_trained_can_not_be_planned(project):
    project.write("""
        @reproducibility(runs=3)
        def test_wrong(retrain):
            retrain(make_mlp, **{**data, "optimizer": "sdg"})
        """)
    result = project.run("--repro-plan")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "test_audit.py::test_wrong: " in project.said(result)


def test_workers_shorten_the_total(project):
    project.write(TESTS)
    result = project.run("--repro-plan", "--repro-workers=2", "-k", "torch", "-n0")
    assert summary(result)[5].startswith("total, 2 workers ")
    assert "in the total side by side, without the start of the workers" in project.said(result)


@pytest.mark.parametrize("columns", ["60", "80", "100"])
def test_no_line_is_wider_than_the_terminal(project, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    project.write(ITEMS + TESTS)
    lines = summary(project.run("--repro-plan", "--repro-workers=2"))
    assert max(map(len, lines)) <= max(int(columns), 79)


def test_without_plugins(project):
    project.write(TESTS)
    off = [
        argument
        for name in ("xdist", "cacheprovider", "junitxml", "capture", "doctest")
        for argument in ("-p", f"no:{name}")
    ]
    result = project.run("--repro-plan", *off)
    result.assert_outcomes(skipped=2)
    assert len(summary(result)) > 8


class TestBeforeTraining:
    """The same sentences in ordinary runs: on the terminal before training, else in the summary."""

    TEST = """
        @reproducibility(runs=3, regularizers="none,dropout")
        def test_few(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """
    TOLD = (
        "3 runs can't show that a regularizer changes the prediction difference: the smallest p-value is "
        "0.1, and the level is 0.05; 4 runs can"
    )

    def test_what_the_terminal_had_before_the_summary_does_not_repeat(self, project):
        project.write(self.TEST)
        result = project.run("--repro-json=out.json", "-n0")
        assert project.said(result).count(self.TOLD) == 1
        result.stdout.fnmatch_lines([f"test_few: {self.TOLD}", "*= reproducibility =*"])
        (stored,) = json.loads((project.path / "out.json").read_text())["audits"]
        assert stored["notes"] == [self.TOLD]

    def test_where_nothing_is_live_the_summary_tells(self, project):
        project.write(self.TEST)
        result = project.run("-n2")
        assert project.said(result).count(self.TOLD) == 1
        result.stdout.fnmatch_lines(["*= reproducibility =*", "test_audit.py::test_few: 3 runs*"])

    def test_items_are_told_of_once(self, project):
        project.write(ITEMS)
        for workers in ("-n0", "-n2"):
            said = project.said(project.run(workers, "--repro-report-only"))
            assert said.count("3 runs can't show") == 1
            assert said.count("typically give an interval") == 1

    @pytest.mark.parametrize(
        "marker",
        [
            "runs=2",
            "runs=3",
            "runs=5, regularizers='none,dropout,adam'",
            "runs=3, regularizers='none,dropout', decision='confidence', max_runs=5",
        ],
    )
    def test_nothing_is_told_that_was_not_asked(self, project, marker):
        project.write(f"""
            @reproducibility({marker})
            def test_quiet(retrain):
                retrain(FunctionTrainer(shaky, y_true=y_true))
            """)
        assert "runs c" not in project.said(project.run("-n0"))
