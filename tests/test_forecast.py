import json
import math

import pytest

from pytest_reprotest.forecast import Expected, Forecast, Width, width_of
from pytest_reprotest.statistics.planning import half_width, runs_for_half_width


@pytest.mark.parametrize("n_runs", [3, 5, 20])
def test_a_width_is_that_of_so_many_runs_and_the_runs_are_those_of_the_wanted_one(n_runs):
    found = width_of(0.04, 0.01, n_runs, wanted=0.004)
    assert found == Width(0.04, half_width(0.01, n_runs), runs_for_half_width(0.01, 0.004), "limit")


def test_two_runs_have_no_width_and_still_more_runs_have():
    assert width_of(0.04, 0.01, 2, 0.005, "pilot") == Width(0.04, None, 19, "pilot")


def test_a_width_out_of_reach_has_no_runs():
    assert width_of(0.04, 0.01, 5, 1e-9).runs is None


def test_a_forecast_crosses_processes_as_json():
    forecast = Forecast(
        "test_a.py::test_a",
        "none",
        (3, 5),
        2,
        (
            Expected(
                "none", (1.5, 2.5), {"prediction_difference": Width(0.1, None, None, "limit")}
            ),
            Expected("dropout", None),
        ),
        None,
        {"batch_norm": "does not fit"},
        ("a sentence",),
    )
    stored = json.dumps(forecast.to_dict(), allow_nan=False)
    assert Forecast.from_dict(json.loads(stored)) == forecast
    assert not math.isnan(forecast.expected[0].seconds[0])
