"""--repro-store, repro_store and --repro-resume: finished runs are kept, and taken where nothing has changed."""

import sqlite3

import pytest

TESTS = """
@reproducibility(runs=3, regularizers="none,dropout")
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(drawn, y_true=y_true))

@reproducibility(runs=3)
def test_one(retrain):
    retrain(make_solved, **data)
    retrain(FunctionTrainer(exact, y_true=y_true))
"""
ALL = "runs are from the store"


def audits(project, *arguments):
    project.run("--repro-json=out.json", *arguments).assert_outcomes(passed=3)
    return {
        name: {
            label: (found["predictions"], found["losses"], found["verdict"])
            for label, found in stored["regularizers"].items()
        }
        for name, stored in project.audits().items()
    }


def counted(project):
    connection = sqlite3.connect(project.path / "store" / "runs.sqlite3")
    return connection.execute("SELECT count(*), max(finished) FROM runs").fetchone()


@pytest.mark.parametrize("first", [("-n0",), ("-n2",)])
def test_a_second_session_trains_nothing(first, project):
    project.write(TESTS)
    plain = audits(project, "-n0")
    kept = audits(project, "--repro-store=store", *first)
    before = counted(project)
    assert before[0] == 12
    result = project.run("--repro-store=store", "--repro-resume", "--repro-json=out.json", "-n0")
    assert counted(project) == before
    said = project.said(result)
    assert said.count(f"all 3 {ALL} store, trained ") + said.count(f"all 3 {ALL} ") >= 3
    assert plain == kept == audits(project, "--repro-store=store", "-n0")


def test_a_name_and_a_bank_do_not_matter_to_it(project):
    project.write(TESTS)
    audits(project, "--repro-store=store", "--repro-save-bank=bank.json", "-n0")
    project.run("--repro-store=store", "--repro-bank=bank.json", "-n0")
    count, _ = counted(project)
    assert count == 16  # one new run each
    project.run("--repro-store=store", "--repro-compare=out.json", "-n0").assert_outcomes(passed=3)
    assert counted(project)[0] == 16


def test_resuming_what_has_changed_fails(project):
    project.write(TESTS)
    audits(project, "--repro-store=store", "-n0")
    project.write(TESTS.replace("**data", "**{**data, 'lr': 0.5}"))
    result = project.run("--repro-store=store", "--repro-resume", "-n0")
    result.assert_outcomes(passed=2, failed=1)
    assert (
        "test_audit.py::test_one: 'none' can't be resumed: what its stored runs depended on has changed: "
        "content.recipe (its content); settings.lr: 0.1 before, 0.5 now. Undo the change, or leave "
        "--repro-resume out to train it anew"
    ) in project.said(result)
    project.run("--repro-store=store", "-n0").assert_outcomes(passed=3)


def test_the_ini_file_names_it(project):
    project.ini("repro_store = store")
    project.write(TESTS)
    audits(project, "-n0")
    assert counted(project)[0] == 12


def test_a_damaged_store_is_set_aside_and_told(project):
    project.write(TESTS)
    (project.path / "store").mkdir()
    (project.path / "store" / "runs.sqlite3").write_bytes(b"garbage " * 500)
    result = project.run("--repro-store=store", "-n0")
    result.assert_outcomes(passed=3)
    said = project.said(result)
    assert "The store was damaged; it is now" in said
    assert "runs.sqlite3.damaged-1, and a new one was begun." in said
    assert counted(project)[0] == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--repro-resume",), "--repro-resume goes on with what a store holds; name it with"),
        (("--repro-store=test_audit.py",), "--repro-store"),
    ],
)
def test_what_can_not_work_is_refused_at_the_start(arguments, told, project):
    project.write(TESTS)
    result = project.run(*arguments, "-n0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in project.said(result)


def test_another_programs_database_is_refused_at_the_start(project):
    project.write(TESTS)
    (project.path / "store").mkdir()
    connection = sqlite3.connect(project.path / "store" / "runs.sqlite3")
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    result = project.run("--repro-store=store", "-n0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is a database of another program; name another folder" in project.said(result)
