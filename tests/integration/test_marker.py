"""The marker, its typed decorator, and the fixtures ``retrain`` and ``regularizer``."""

import inspect

import pytest

from pytest_reprotest import reproducibility
from pytest_reprotest.options import MARKER_KEYS


def settings(project, test):
    stored = project.audits()[test]
    return stored["settings"]["runs"], stored["settings"]["seed"], list(stored["regularizers"])


def test_the_decorator_is_the_marker_and_keeps_what_was_given():
    marker = reproducibility(runs=3, max_prediction_difference={"none": 0.1})
    assert (
        marker.mark
        == pytest.mark.reproducibility(runs=3, max_prediction_difference={"none": 0.1}).mark
    )


def test_the_decorator_names_every_keyword_of_the_marker_and_no_other():
    parameters = inspect.signature(reproducibility).parameters.values()
    named = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert named == list(MARKER_KEYS)
    assert all(p.default is None for p in parameters if p.name in named)


def test_the_plain_marker_the_decorator_and_bare_use_all_audit(project):
    project.write("""
        @pytest.mark.reproducibility(runs=2)
        def test_plain(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @reproducibility(runs=2)
        def test_typed(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @reproducibility
        def test_bare(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        def test_unmarked(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-json=out.json", "--strict-markers").assert_outcomes(passed=4)
    assert settings(project, "test_plain") == (2, 0, ["none"])
    assert settings(project, "test_typed") == (2, 0, ["none"])
    assert settings(project, "test_bare") == (5, 0, ["none"])
    assert settings(project, "test_unmarked") == (5, 0, ["none"])


def test_the_marker_is_listed_with_its_keywords(project):
    result = project.run("--markers")
    line = next(line for line in result.outlines if line.startswith("@pytest.mark.reproducibility"))
    assert f"reproducibility(*, {', '.join(MARKER_KEYS)}): retrain the test's model" in line


def test_a_nearer_marker_wins_keyword_by_keyword(project):
    project.write("""
        pytestmark = reproducibility(runs=2, seed=1, regularizers="dropout")

        def test_module(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @reproducibility(seed=2)
        class TestClass:
            def test_class(self, retrain):
                retrain(FunctionTrainer(shaky, y_true=y_true))

            @reproducibility(runs=4, regularizers="residual")
            @reproducibility(regularizers="none,dropout")
            def test_function(self, retrain):
                retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-json=out.json").assert_outcomes(passed=3)
    assert settings(project, "test_module") == (2, 1, ["dropout"])
    assert settings(project, "TestClass::test_class") == (2, 2, ["dropout"])
    assert settings(project, "TestClass::test_function") == (4, 2, ["none", "dropout"])


def test_a_marker_on_one_parameter_set_adds_to_the_functions(project):
    project.write("""
        @pytest.mark.parametrize(
            "wide", [False, pytest.param(True, marks=reproducibility(seed=3))]
        )
        @reproducibility(runs=2)
        def test_width(retrain, wide):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-json=out.json").assert_outcomes(passed=2)
    assert settings(project, "test_width[False]") == (2, 0, ["none"])
    assert settings(project, "test_width[True]") == (2, 3, ["none"])


def test_retrain_returns_the_result_for_assertions_of_the_users_own(project):
    project.write("""
        @reproducibility(runs=4, regularizers=["none", "dropout"], baseline="dropout")
        def test_result(retrain):
            result = retrain(FunctionTrainer(shaky, y_true=y_true))
            assert result.regularizers == ("none", "dropout")
            assert result.baseline == "dropout"
            assert result["dropout"].predictions.shape == (4, 10)
            assert result["dropout"].verdict.status == "pass"
            assert abs(result["none"].prediction_difference.value - 0.2) < 1e-12
            assert result.y_true.tolist() == y_true.tolist()
            assert result.passed
        """)
    project.run().assert_outcomes(passed=1)


def test_retrain_reached_through_a_fixture_of_the_users_own_counts(project):
    project.write("""
        @pytest.fixture
        def audited(retrain):
            return retrain

        @reproducibility(runs=2)
        def test_indirect(audited):
            audited(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert settings(project, "test_indirect") == (2, 0, ["none"])


def test_a_marked_test_without_retrain_is_refused_at_collection(project):
    project.write("""
        @reproducibility(runs=2)
        def test_forgotten():
            pass
        """)
    result = project.run()
    result.assert_outcomes(errors=1)
    assert (
        "test_audit.py::test_forgotten is marked 'reproducibility' and does not ask for the fixture "
        "retrain, so it would audit nothing" in project.said(result)
    )


def test_a_test_of_a_marked_module_has_to_audit_too(project):
    project.write("""
        pytestmark = reproducibility(runs=2)

        def test_audit(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        def test_other():
            pass
        """)
    result = project.run()
    result.assert_outcomes(errors=1)
    said = project.said(result)
    assert "test_audit.py::test_other is marked 'reproducibility' and does not ask for" in said
    assert "on a class or module it is meant for every test there" in said


def test_a_marked_test_that_never_calls_retrain_fails(project):
    project.write("""
        @reproducibility(runs=2)
        def test_idle(retrain):
            pass
        """)
    result = project.run()
    result.assert_outcomes(failed=1)
    assert (
        "test_audit.py::test_idle is marked 'reproducibility' and never called retrain(...), so nothing "
        "was audited. Call it, or take the marker off" in project.said(result)
    )


def test_a_test_that_fails_or_skips_by_itself_keeps_its_own_reason(project):
    project.write("""
        @reproducibility(runs=2)
        def test_skipped(retrain):
            pytest.skip("no data")

        @reproducibility(runs=2)
        def test_failing(retrain):
            assert 1 == 2, "their own"
        """)
    result = project.run("-rs")
    result.assert_outcomes(skipped=1, failed=1)
    assert "never called retrain" not in project.said(result)
    result.stdout.fnmatch_lines(["E * AssertionError: their own", "SKIPPED*no data"])


def test_a_marked_unittest_method_is_refused_with_a_way_out(project):
    project.write("""
        import unittest

        class TestOld(unittest.TestCase):
            @reproducibility(runs=2)
            def test_method(self):
                pass
        """)
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = project.said(result)
    assert "TestOld::test_method is marked 'reproducibility' and does not ask for" in said
    assert "unittest methods can't: write a function" in said


class TestParametrization:
    SOURCE = """
        @reproducibility(
            runs=3, regularizers=["none", "dropout", weight_decay(1e-3)],
            max_prediction_difference={"dropout": 0.1},
        )
        def test_each(retrain, regularizer):
            result = retrain(FunctionTrainer(shaky, y_true=y_true))
            assert result.regularizers == (regularizer,)
        """

    def test_there_is_an_item_a_regularizer(self, project):
        project.write(self.SOURCE)
        result = project.run("--collect-only", "-q")
        assert [line for line in result.outlines if "::" in line] == [
            "test_audit.py::test_each[none]",
            "test_audit.py::test_each[dropout]",
            "test_audit.py::test_each[weight_decay(0.001)]",
        ]

    def test_k_picks_one_and_the_summary_shows_them_under_one_test(self, project):
        project.write(self.SOURCE)
        project.run("-k", "dropout").assert_outcomes(failed=1, deselected=2)
        result = project.run("-k", "none or weight_decay")
        result.assert_outcomes(passed=2, deselected=1)
        result.stdout.fnmatch_lines(
            ["test_audit.py::test_each", "  none * 0.200 *", "  weight_decay(0.001) * 0.200 *"]
        )

    def test_lf_runs_the_failed_one_again(self, project):
        project.write(self.SOURCE)
        project.run().assert_outcomes(passed=2, failed=1)
        result = project.run("--lf", "-v")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*::test_each[[]dropout[]] FAILED*"])

    def test_the_command_to_run_it_again_runs_just_that(self, project):
        project.write(self.SOURCE)
        result = project.run()
        command = next(line.strip() for line in result.outlines if line.startswith("  pytest "))
        assert command == (
            "pytest 'test_audit.py::test_each[dropout]' --repro-runs=3 --repro-seed=0 "
            "--repro-regularizers=dropout"
        )
        again = project.run("test_audit.py::test_each[dropout]", *command.split()[2:])
        again.assert_outcomes(failed=1)

    def test_other_parameters_stay_in_the_tests_name(self, project):
        project.write("""
            @pytest.mark.parametrize("width", ["narrow", "wide"])
            @reproducibility(runs=2, regularizers="none,dropout")
            def test_each(retrain, regularizer, width):
                retrain(FunctionTrainer(shaky, y_true=y_true))
            """)
        result = project.run()
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(
            [
                "test_audit.py::test_each[[]narrow[]]",
                "  none *",
                "  dropout *",
                "test_audit.py::test_each[[]wide[]]",
                "  none *",
                "  dropout *",
            ]
        )

    def test_all_skips_what_does_not_fit_the_model_and_says_why(self, project):
        project.write("""
            @reproducibility(runs=2, regularizers="all")
            def test_each(retrain, regularizer):
                retrain(make_solved, **data)
            """)
        result = project.run("-rs", "-k", "none or residual")
        result.assert_outcomes(passed=1, skipped=1, deselected=10)
        assert "does not fit this model: 'residual' needs a hidden layer whose output has its" in (
            project.said(result)
        )

    def test_a_regularizer_that_was_named_and_does_not_fit_fails(self, project):
        project.write("""
            @reproducibility(runs=2, regularizers="none,residual")
            def test_each(retrain, regularizer):
                retrain(make_solved, **data)
            """)
        result = project.run()
        result.assert_outcomes(passed=1, failed=1)
        assert "test_each[residual]: 'residual' needs a hidden layer" in project.said(result)

    def test_a_fixture_of_that_name_without_retrain_is_the_users_own(self, project):
        project.write("""
            @pytest.fixture
            def regularizer():
                return "l2"

            def test_other(regularizer):
                assert regularizer == "l2"
            """)
        project.run().assert_outcomes(passed=1)


def test_all_in_one_test_reports_what_does_not_fit_and_audits_the_rest(project):
    project.write("""
        @reproducibility(runs=2, regularizers="all")
        def test_all(retrain):
            result = retrain(make_solved, **data)
            assert set(result.not_applicable) == {"stochastic_depth", "group_norm", "residual"}
        """)
    result = project.run("--repro-json=out.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["  residual * does not fit"])
    assert "test_all: residual does not fit: 'residual' needs a hidden" in project.said(result)
    assert len(project.audits()["test_all"]["regularizers"]) == 9


def test_a_factory_with_a_parameter_regularizer_gets_each_label(project):
    project.write("""
        built = []

        def make_by_hand(regularizer):
            built.append(regularizer)
            return make_solved()

        @reproducibility(runs=2, regularizers="none,dropout(0.2)")
        def test_by_hand(retrain):
            retrain(make_by_hand, **data)
            assert set(built) == {"none", "dropout(0.2)"}
        """)
    project.run().assert_outcomes(passed=1)
