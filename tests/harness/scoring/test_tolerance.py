"""How much a learning rate may be off, on draws whose bands are known."""

import math

import numpy
import pandas
import pytest

from timetrial.harness.scoring.tolerance import find_bands, learning_rate_draws, learning_rate_tolerances

RATES = (1e-4, 1e-3, 1e-2, 1e-1)


def trials(higher, metrics, rates=RATES, name="learning_rate", workload="one", status="budget_exhausted"):
    """Make a table of trials that each come to their metric at the second of three evaluations."""
    worse = -1.0 if higher else 99.0
    return pandas.DataFrame(
        [
            {
                "submission": "any",
                "workload": workload,
                "status": status,
                "hyperparameters": {name: rate, "beta": 0.9},
                "higher_is_better": higher,
                "evaluations": numpy.array([[worse, 1.0], [metric, 2.0], [math.nan, 3.0]]),
            }
            for rate, metric in zip(rates, metrics, strict=True)
        ]
    )


@pytest.mark.parametrize("higher, metrics", [(True, (0.5, 0.9, 0.88, math.nan)), (False, (3.0, 2.0, 2.09, math.nan))])
@pytest.mark.parametrize("name", ["learning_rate", "lr"])
def test_a_band_reaches_from_the_smallest_to_the_largest_rate_near_the_best(higher, metrics, name):
    table = trials(higher, metrics, name=name)
    (band,) = find_bands(learning_rate_draws(table)).to_dict("records")
    assert (band["band_low"], band["band_high"]) == (1e-3, 1e-2) and band["decades"] == pytest.approx(1.0)
    assert learning_rate_tolerances(table) == {"any": pytest.approx(10.0)}


def test_the_tolerance_is_the_geometric_mean_over_workloads():
    wide = trials(True, (0.9, 0.9, 0.9, 0.1), workload="two")
    narrow = trials(True, (0.1, 0.9, 0.1, 0.1))
    assert learning_rate_tolerances(pandas.concat([wide, narrow])) == {"any": pytest.approx(10.0)}


def test_nothing_is_said_where_no_rate_was_tried_against_another():
    fixed = trials(True, (0.9, 0.8), rates=(1e-3, 1e-3))
    for table in (fixed, trials(True, (0.9,) * 4, name="step"), trials(True, (0.9,) * 4, status="missing")):
        assert learning_rate_tolerances(table) == {}
