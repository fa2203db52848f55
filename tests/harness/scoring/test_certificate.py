"""Tuning certificates: a curve that still falls, a target seldom reached, and neither."""

import pandas as pd

from timetrial.harness.scoring import score_table

LUCKY = (10.0, 30.0, 90.0, 270.0, 300.0)
"""One draw in five is good, so a study that draws twice as often is nearly sure of one."""
EVEN = (10.0, 10.1, 10.2, 10.3, 10.4)


def certificate(times, budget=400.0):
    rows = [
        {"submission": "adamw", "workload": "x", "study": study, "trial": trial, "time_to_target": seconds}
        for study in range(5)
        for trial, seconds in enumerate(times)
    ]
    return score_table(pd.DataFrame(rows).assign(budget_seconds=budget)).of("adamw").certificate


def test_a_curve_that_still_falls_costs_the_certificate_and_says_how_much_is_left():
    found = certificate(LUCKY)
    assert not found.holds and found.falling["x"].low > 1.1 and not found.seldom
    assert "twice the draws would be sooner" in found.reasons()[0] and "on x" in found.reasons()[0]


def test_a_flat_curve_holds():
    assert certificate(EVEN).holds


def test_a_target_that_studies_seldom_reach_costs_it_too():
    found = certificate((10.0, *[float("inf")] * 4))
    assert 0.5 < found.seldom["x"] < 0.9 and not found.holds
    assert found.reasons()[0] == f"is estimated to reach x in {found.seldom['x']:.0%} of studies"
