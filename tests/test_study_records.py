"""What is kept of an audit gives the package's own estimates, and files that hold something else are told."""

import json
from dataclasses import replace

import numpy as np
import pytest
from regularizer_study.records import (
    Record,
    RecordsError,
    main,
    read_records,
    record,
    write_records,
)

from pytest_reprotest import audit_predictions
from pytest_reprotest.results_file import write_results

Y_TRUE = np.arange(40) % 4


def labels(seed, runs=4):
    generator = np.random.default_rng(seed)
    flips = generator.random((runs, 40)) < 0.2
    return np.where(flips, generator.integers(0, 4, (runs, 40)), Y_TRUE)


@pytest.fixture
def audited():
    return audit_predictions(
        {"none": labels(0), "ema": labels(1, runs=3)},
        Y_TRUE,
        name="test_a.py::test_study[mnist-mlp2]",
    )


def same(found, expected):
    for name in ("score", "prediction_difference", "effective_score", "difference_error_ratio"):
        for end in ("value", "low", "high"):
            assert getattr(getattr(found, name), end) == pytest.approx(
                getattr(getattr(expected, name), end), rel=1e-12
            )


def test_counts_give_the_estimates_of_the_audit(audited):
    kept = record(audited)

    assert (kept.test, kept.labels, kept.runs) == ("mnist-mlp2", ("none", "ema"), (4, 3))
    for label in kept.labels:
        same(kept.summary(label), audited[label].summary)
        np.testing.assert_array_equal(
            kept.matrix[kept.place(label), kept.place(label)] / 40, audited[label].pairwise
        )


def test_a_broken_regularizer_is_kept_with_its_reason():
    constant = np.zeros((3, 40), int)
    kept = record(audit_predictions({"none": labels(0), "sgd": constant}, Y_TRUE))

    assert list(kept.broken) == ["sgd"]
    assert "one class" in kept.broken["sgd"] or "constant" in kept.broken["sgd"]


def test_they_come_back_from_their_file_in_the_order_of_their_tests(audited, tmp_path):
    first = record(audited)
    second = Record("a", ("none",), (2,), 5, (5, 4), (1,), {}, {"none": 1.0}, {"seed": 3})
    write_records(tmp_path / "kept.json", [first, second])

    assert read_records(tmp_path / "kept.json") == (second, first)
    assert len((tmp_path / "kept.json").read_text().splitlines()) == 4


def test_the_command_keeps_every_audit_of_every_file(audited, tmp_path, capsys):
    stored = audited.to_dict()
    write_results(tmp_path / "a.json", [stored])
    write_results(tmp_path / "b.json", [{**stored, "name": "test_b"}])

    code = main(
        [str(tmp_path / "a.json"), str(tmp_path / "b.json"), "-o", str(tmp_path / "out.json")]
    )

    assert (code, [each.test for each in read_records(tmp_path / "out.json")]) == (
        0,
        ["mnist-mlp2", "test_b"],
    )
    assert "2 records" in capsys.readouterr().out


def test_the_command_tells_what_is_no_result(tmp_path, capsys):
    (tmp_path / "a.json").write_text("{}")

    assert main([str(tmp_path / "a.json"), "-o", str(tmp_path / "out.json")]) == 2
    assert "a.json is not a result of pytest-reprotest" in capsys.readouterr().err


def unfinished(audited):
    return replace(
        audited,
        by_regularizer={
            name: replace(found, predictions=np.empty((0, 40), int))
            for name, found in audited.by_regularizer.items()
        },
    )


def test_an_audit_without_finished_runs_is_refused(audited):
    with pytest.raises(RecordsError, match="no run was finished"):
        record(unfinished(audited))


def test_the_command_leaves_such_an_audit_out_and_says_so(audited, tmp_path, capsys):
    failed = {**unfinished(audited).to_dict(), "name": "test_failed"}
    write_results(tmp_path / "a.json", [audited.to_dict(), failed])

    assert main([str(tmp_path / "a.json"), "-o", str(tmp_path / "out.json")]) == 0
    assert len(read_records(tmp_path / "out.json")) == 1
    assert "left out: test_failed of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"records": 1}', '{"records": [{"test": "a"}]}', '{"records": [[1]]}'],
)
def test_a_file_of_something_else_is_told(text, tmp_path):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(RecordsError, match=r"kept\.json holds no records of the study"):
        read_records(path)


@pytest.mark.parametrize(
    "change",
    [
        {"correct": [1]},
        {"differing": [1, 2]},
        {"labels": []},
        {"correct": [6, 4]},
        {"differing": [-1]},
    ],
)
def test_counts_that_do_not_fit_each_other_are_told(change, tmp_path):
    stored = {
        "test": "a", "labels": ["none"], "runs": [2], "n_samples": 5, "correct": [5, 4], "differing": [1],
        "broken": {}, "seconds": {}, "settings": {},
    }  # fmt: skip
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({"records": [{**stored, **change}]}))
    with pytest.raises(RecordsError, match=r"a: .* (runs|samples)"):
        read_records(path)
