"""What a session says: the summary at each verbosity, the outcome of tests, and the progress on the way."""

import json
import platform
import re
import xml.etree.ElementTree as ElementTree

import pytest

TESTS = """
@reproducibility(
    runs=3, regularizers="none,dropout", max_prediction_difference={"dropout": 0.1}
)
def test_breach(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=3, max_prediction_difference=0.1)
def test_holds(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
"""


def summary(result):
    """The lines of our section, empty where there is none."""
    lines = result.stdout.str().splitlines()
    starts = [n for n, line in enumerate(lines) if line.strip("= ") == "reproducibility"]
    if not starts:
        return []
    ends = (n for n, line in enumerate(lines) if n > starts[0] and line.startswith("==="))
    return lines[starts[0] + 1 : next(ends, len(lines))]


def failure(result):
    """The lines of the failures."""
    lines = result.stdout.str().splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip("= ") == "FAILURES")
    ends = (n for n, line in enumerate(lines) if n > start and line.startswith("==="))
    return lines[start + 1 : next(ends)]


def rows(result):
    """First words of the table's lines."""
    return [line.split()[0] for line in summary(result) if line.startswith(("test_audit", "  "))]


def document(project):
    return json.loads((project.path / "out.json").read_text(encoding="utf-8"))


class TestVerbosity:
    def test_by_default_there_is_a_row_for_each_test_and_regularizer(self, project):
        project.write(TESTS)
        result = project.run()
        assert rows(result) == [
            "test_audit.py::test_breach",
            "none",
            "dropout",
            "test_audit.py::test_holds",
            "none",
        ]
        result.stdout.fnmatch_lines(
            [
                "test, regularizer * runs * accuracy * PD * ETA * PD/error * thresholds * verdict",
                "  none (baseline) * 3 * 0.900 * 0.200 ±0.000 * 0.700 * 2.00 * - * no limit",
                "  dropout * 3 * 0.900 * 0.200 ±0.000~ * 0.700 * 2.00 * PD≤0.1 * fail",
                "  none (baseline) * 3 * 1.000 * 0.000 ±0.000 * 1.000 * PD≤0.1 * pass",
            ]
        )

    def test_q_shows_breaches_only(self, project):
        project.write(TESTS)
        assert rows(project.run("-q")) == ["test_audit.py::test_breach", "dropout"]

    def test_q_shows_breaches_that_are_only_reported(self, project):
        project.write(TESTS)
        result = project.run("-q", "--repro-report-only")
        result.assert_outcomes(passed=2)
        assert rows(result) == ["test_audit.py::test_breach", "dropout"]
        result.stdout.fnmatch_lines(["  dropout * fail (report)"])

    def test_q_shows_nothing_where_all_holds(self, project):
        project.write(TESTS)
        result = project.run("-q", "-k", "holds")
        assert summary(result) == []
        assert "reproducibility" not in project.said(result)

    def test_v_adds_dispersion_engine_and_time(self, project):
        project.write(TESTS)
        lines = summary(project.run("-v", "-k", "holds"))
        spread = next(
            n for n, line in enumerate(lines) if line.startswith("  none: SD of accuracy")
        )
        assert lines[spread - 1] == "test_audit.py::test_holds"
        assert lines[spread].startswith("  none: SD of accuracy 0.0000, ambiguity 0.0000")
        assert re.fullmatch(r"    \d+\.\d s of training, engine sequential", lines[-1])
        assert not any("runs = 3" in line for line in lines)

    def test_vv_adds_settings_with_their_origin(self, project):
        project.ini("repro_vary = none")
        project.write(TESTS)
        lines = summary(project.run("-vv", "-k", "holds", "--repro-seed=4"))
        told = lines[lines.index("  settings:") + 1 :]
        assert told[:4] == [
            "    runs = 3 (marker)",
            "    seed = 4 (command line)",
            "    vary = none (ini)",
            "    device = cpu (default)",
        ]
        assert "    max_prediction_difference = 0.1 (marker)" in told

    def test_vv_adds_the_fingerprint(self, project, monkeypatch):
        monkeypatch.setenv("MKL_CBWR", "AVX2")
        project.write(TESTS)
        said = " ".join(summary(project.run("-vv", "-k", "holds")))
        assert f" software: python {platform.python_version()}, " in said
        assert " threads 1, inter-op " in said
        assert "MKL_CBWR=AVX2" in said
        assert "software: python" not in " ".join(summary(project.run("-v", "-k", "holds")))

    def test_a_session_that_audits_nothing_says_nothing(self, project):
        project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
        result = project.run("-vv")
        result.assert_outcomes(passed=1)
        assert "reproducib" not in project.said(result).replace(str(project.path), "")


class TestTerminals:
    def test_without_unicode_our_signs_are_spelled_and_tables_fit(self, project, monkeypatch):
        monkeypatch.setenv("PYTHONIOENCODING", "ascii")
        monkeypatch.setenv("COLUMNS", "80")
        project.write(TESTS)
        result = project.pytester.runpytest_subprocess("-v", "--color=no")
        lines = [*summary(result), *failure(result)]
        assert not any(sign in line for line in lines for sign in ("\\x", "\\u", "\x1b"))
        assert all(line.isascii() for line in lines)
        assert "+/-0.000~" in " ".join(lines)
        assert "; dropout PD<=0.1" in " ".join(lines)
        commands = [line for line in lines if "--repro-regularizers" in line]
        assert max(len(line) for line in lines if line not in commands) <= 80

    def test_colours_are_for_those_who_want_them(self, project, monkeypatch):
        project.write(TESTS)
        assert "\x1b[31m" in project.run("-q", "--color=yes").stdout.str()
        assert "\x1b" not in project.run("-q", "--color=no").stdout.str()
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b" not in project.run("-q").stdout.str()

    def test_where_failures_are_listed_each_is_a_line(self, project, monkeypatch):
        monkeypatch.setenv("CI", "true")
        project.write(TESTS)
        said = project.run("-k", "breach").stdout.str()
        listed = said[said.index("short test summary info") :].splitlines()
        assert len(listed) == 3
        assert listed[1].endswith(
            "- Failed: reproducibility: 1 of 2 regularizers breach a threshold"
        )

    def test_a_failure_of_the_users_own_is_listed_as_pytest_does(self, project, monkeypatch):
        monkeypatch.setenv("CI", "true")
        own = "def test_own(retrain):\n    retrain(FunctionTrainer(exact, y_true=y_true))\n"
        project.write(f"{own}    pytest.fail('one\\ntwo', pytrace=False)\n")
        said = project.run().stdout.str()
        assert "- Failed: one\ntwo\n" in said[said.index("short test summary info") :]


class TestOutcomes:
    def test_a_breach_is_a_failed_test_with_a_message_and_no_traceback(self, project):
        project.write(TESTS)
        result = project.run()
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "*= FAILURES =*",
                "*_ test_breach _*",
                "reproducibility: 1 of 2 regularizers breach a threshold",
                "  dropout (3 runs): prediction_difference 0.2000 [[]0.2000, 0.2000[]] is above*",
                "run just this again:",
                "  pytest test_audit.py::test_breach --repro-runs=3 --repro-seed=0 "
                "--repro-regularizers=dropout",
                "*= reproducibility =*",
                "FAILED test_audit.py::test_breach - Failed: reproducibility: 1 of 2 regularizers*",
            ]
        )
        assert "retrain(FunctionTrainer(shaky" not in result.stdout.str()

    def test_junit_says_failure(self, project):
        project.write(TESTS)
        project.run("--junitxml=junit.xml")
        suite = ElementTree.parse(project.path / "junit.xml").getroot().find("testsuite")
        assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "skipped": "0",
        }
        failure = suite.find("testcase[@name='test_breach']/failure")
        assert "reproducibility: 1 of 2 regularizers breach a threshold" in failure.get("message")
        assert "dropout (3 runs): prediction_difference 0.2000" in failure.text

    def test_an_expected_breach_is_an_xfail_and_its_row_says_so(self, project):
        project.write("""
            @pytest.mark.xfail(reason="too shaky", strict=True)
            @reproducibility(runs=3, max_prediction_difference=0.1)
            def test_shaky(retrain):
                retrain(FunctionTrainer(shaky, y_true=y_true))
            """)
        result = project.run("--repro-json=out.json")
        assert result.ret == pytest.ExitCode.OK
        result.assert_outcomes(xfailed=1)
        result.stdout.fnmatch_lines(["  none (baseline) * fail (xfail)"])
        assert not project.audits()["test_shaky"]["passed"]

    @pytest.mark.parametrize(("strict", "outcome"), [(False, "xpassed"), (True, "failed")])
    def test_a_breach_that_was_expected_and_did_not_come(self, project, strict, outcome):
        project.write(f"""
            @pytest.mark.xfail(strict={strict})
            @reproducibility(runs=3, max_prediction_difference=0.1)
            def test_steady(retrain):
                retrain(FunctionTrainer(exact, y_true=y_true))
            """)
        result = project.run()
        result.assert_outcomes(**{outcome: 1})
        assert result.ret == (pytest.ExitCode.TESTS_FAILED if strict else pytest.ExitCode.OK)
        assert rows(result) == ["test_audit.py::test_steady", "none"]

    def test_x_stops_at_the_first_breach_and_reports_it(self, project):
        project.write(TESTS)
        result = project.run("-x", "--repro-json=out.json")
        assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
        result.assert_outcomes(failed=1)
        assert rows(result) == ["test_audit.py::test_breach", "none", "dropout"]
        assert not document(project)["complete"]

    def test_report_only_fails_nothing_and_says_it_in_the_row(self, project):
        project.write(TESTS)
        result = project.run("--repro-report-only", "-q")
        assert result.ret == pytest.ExitCode.OK
        result.assert_outcomes(passed=2)
        result = project.run("--repro-report-only")
        result.stdout.fnmatch_lines(["  dropout * fail (report)"])


@pytest.mark.parametrize("where", ["test", "training"])
def test_an_interrupt_reports_what_is_finished_and_marks_the_file_incomplete(project, where):
    project.write(f"""
        def interrupt(run):
            raise KeyboardInterrupt

        @reproducibility(runs=3, max_prediction_difference=0.1)
        def test_finished(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @reproducibility(runs=3)
        def test_interrupted(retrain):
            if "{where}" == "test":
                interrupt(None)
            retrain(FunctionTrainer(interrupt, y_true=y_true))

        def test_never(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    result = project.run("--repro-json=out.json", no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert rows(result)[:2] == ["test_audit.py::test_finished", "none"]
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    said = project.said(result)
    assert "INTERNALERROR" not in said
    lost = "test_audit.py::test_interrupted began and never ended, so its audit is missing here: its process"
    assert said.count("began and never ended") == said.count(lost) == 1
    assert not document(project)["complete"]
    assert list(project.audits()) == ["test_finished"]


def test_a_collection_error_marks_the_file_incomplete(project):
    project.write(TESTS)
    project.write("@reproducibility(rums=3)\ndef test_typo(retrain):\n    pass\n", "test_typo")
    result = project.run("--repro-json=out.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert document(project) == {
        "schema_version": 2,
        "kind": "results",
        "complete": False,
        "audits": [],
    }


def test_where_a_test_is_run_again_the_first_verdict_stands_and_the_row_says_so(project):
    project.conftest("""
        import pytest
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):  # as pytest-rerunfailures does
                item._initrequest()
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    item.ihook.pytest_runtest_logreport(report=report)
            return True
        """)
    project.write("""
        attempts = []

        @reproducibility(runs=3, max_prediction_difference=0.1)
        def test_again(retrain):
            attempts.append(1)
            retrain(FunctionTrainer(shaky if len(attempts) == 1 else exact, y_true=y_true))
        """)
    result = project.run("--repro-json=out.json")
    result.assert_outcomes(failed=2)  # a plugin that knows of reruns counts the last alone
    assert project.said(result).count("the test was run again: its first verdict stands") == 1
    result.stdout.fnmatch_lines(["  none (baseline) * 0.200 * fail (rerun)"])
    assert list(project.audits()) == ["test_again"]
    assert not project.audits()["test_again"]["passed"]


class TestProgress:
    TERMINAL = """
        def pytest_collection_finish(session):
            session.config.pluginmanager.getplugin("terminalreporter").isatty = True
        """

    def test_there_is_no_bar_where_there_is_no_terminal(self, project):
        project.write(TESTS)
        for option in ("-q", "-v", "-s"):
            written = project.run(option, "-k", "holds").stdout.str()
            assert "\r" not in written
            assert "run/s" not in written
            assert "of 3 runs" not in written

    def test_a_terminal_gets_a_bar_past_pytests_capture(self, project):
        project.conftest(self.TERMINAL)
        project.write(TESTS)
        written = project.run("-k", "holds").stdout.str()
        assert "test_holds:   0%|" in written
        assert "0/3 [" in written
        assert written.count("1 passed") == 1

    @pytest.mark.parametrize("option", ["-q", "--collect-only"])
    def test_a_terminal_gets_no_bar_at_q_or_where_nothing_is_trained(self, project, option):
        project.conftest(self.TERMINAL)
        project.write(TESTS)
        assert "0/3 [" not in project.run(option, "-k", "holds").stdout.str()


class TestHeader:
    def test_it_is_one_line_to_copy_where_an_audit_is_collected(self, project):
        project.ini("repro_vary = init,noise")
        project.write(TESTS)
        options = ("--repro-seed=2", "--repro-regularizers=none,dropout(0.2)")
        result = project.run("--collect-only", *options)
        assert [line for line in result.outlines if line.startswith("reproducibility:")] == [
            "reproducibility: --repro-seed=2 --repro-vary=init,noise "
            "'--repro-regularizers=none,dropout(0.2)' (2 audited tests)"
        ]

    def test_there_is_none_where_nothing_is_audited(self, project):
        project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
        assert "reproducibility:" not in project.run("--repro-seed=2").stdout.str()

    def test_there_is_none_at_q(self, project):
        project.write(TESTS)
        assert "reproducibility:" not in project.run("-q", "--collect-only").stdout.str()
