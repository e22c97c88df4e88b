"""How far the runs of each regularizer lie apart: the three figures of the study, and a fourth."""

from __future__ import annotations

from pytest_reprotest.report.html.section import Picture, Section
from pytest_reprotest.report.plots import Axis, Boxes, Forest, Point, Points, ReferenceLine, Row
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.tasks import Task

PD = Axis("prediction difference", "percent")


def spreading(result: AuditResult) -> dict[str, RegularizerResult]:
    """The regularizers whose runs may differ: two runs or more, which are not of one seed."""
    return {
        label: found
        for label, found in result.by_regularizer.items()
        if found.n_runs > 1 and found.proof is None
    }


def predicting(result: AuditResult) -> dict[str, RegularizerResult]:
    """Those of them whose predictions are there: a file may leave them out."""
    return {
        label: found for label, found in spreading(result).items() if len(found.predictions) > 1
    }


def score_axis(task: Task) -> Axis:
    """The axis of the score, in the task's own unit."""
    return Axis(task.names.score_short, "percent" if task.names.score == "accuracy" else "plain")


def differences(result: AuditResult) -> Section | None:
    """A box of pairs for each regularizer."""
    found = predicting(result)
    if not found:
        return None
    groups = {
        label: [each.pairwise[i, j] for i in range(len(each.pairwise)) for j in range(i)]
        for label, each in found.items()
    }
    return Section(
        "Prediction difference of each pair of runs",
        "Each point is a pair of runs: the fraction of test samples on which the two predict something "
        "else. The box holds the middle half of the pairs, the line in it is their median. Lower is more "
        "reproducible. Pairs share runs, so the boxes are no intervals: those are in the table.",
        [Picture("Prediction difference of pairs", Boxes("", PD, groups, "regularizer"))],
    )


def scores(result: AuditResult) -> Section | None:
    """A box of scores for each regularizer."""
    names = result.task.names
    groups = {
        label: result.task.tally(found.predictions, result.y_true).run_scores
        for label, found in result.by_regularizer.items()
        if len(found.predictions) and found.proof is None
    }
    if not groups:
        return None
    better = "Higher" if result.task.higher_is_better else "Lower"
    title = f"{names.score_short[0].upper()}{names.score_short[1:]} of each run"
    return Section(
        title,
        f"Each point is a run. {better} is better. Boxes of about the same height may hide that the runs "
        "are wrong on different samples: that is what prediction difference tells.",
        [Picture(title, Boxes("", score_axis(result.task), groups, "regularizer"))],
    )


def effective(result: AuditResult) -> Section | None:
    """The effective score of each regularizer with its interval."""
    names, found = result.task.names, spreading(result)
    if not found or not names.effective_short:
        return None
    short = names.effective_short
    axis = Axis(short, score_axis(result.task).format)
    rows = [Row(label, each.effective_score) for label, each in found.items()]
    return Section(
        f"{short} with its interval",
        f"{short} is {names.score_short} minus prediction difference: what is left of the score once the "
        "samples that depend on the run are taken off. Further right is better. Bars are 95% intervals "
        "over runs; that two of them overlap does not show that two regularizers are alike.",
        [Picture(short, Forest("", axis, rows, zero=None))],
    )


def difference_and_error(result: AuditResult) -> Section | None:
    """Prediction difference against error, with what a calibrated ensemble would have."""
    found = spreading(result)
    if not found or not result.task.names.ratio_short:
        return None
    series = {
        label: [Point(_error(each.score), each.prediction_difference, f"{each.n_runs} runs")]
        for label, each in found.items()
    }
    line = ReferenceLine("calibrated ensemble: PD = error", (0, 0), (1, 1))
    return Section(
        "Prediction difference against error",
        "On the dashed line two runs differ as often as a run is wrong, as they do where the runs are a "
        "calibrated ensemble. Below it runs make the same mistakes; above it they differ more than their "
        "error explains. Bars are 95% intervals over runs.",
        [Picture("PD against error", Points("", Axis("error", "percent"), PD, series, line))],
    )


def _error(score: Estimate) -> Estimate:
    return Estimate(1 - score.value, 1 - score.high, 1 - score.low)
