"""Crossings lie on a straight line between evaluations, on every clock at once."""

import numpy as np

from timetrial.harness.records.crossing import crossings, padded
from timetrial.harness.scoring.certificate import edge_of
from timetrial.harness.scoring.on_the_way import rungs

RISING = np.array([[0.2, 1.0, 2.0, 10.0], [0.4, 2.0, 4.0, 20.0], [0.8, 3.0, 6.0, 30.0]])
"""Metric, paced seconds, measured seconds, steps."""


def test_a_level_is_crossed_between_the_evaluations_around_it_on_every_clock() -> None:
    assert crossings(RISING[None], 0.6, True).tolist() == [[2.5, 5.0, 25.0]]


def test_the_first_evaluation_gives_its_own_time_and_what_is_never_reached_is_infinite() -> None:
    assert crossings(RISING[None], 0.1, True).tolist() == [[1.0, 2.0, 10.0]]
    assert np.isinf(crossings(RISING[None], 0.9, True)).all()


def test_falling_metrics_and_trials_of_unequal_length() -> None:
    falling = RISING * [-1, 1, 1, 1]
    found = crossings(padded([falling, falling[:1]]), -0.6, False)
    assert found[0].tolist() == [2.5, 5.0, 25.0] and np.isinf(found[1]).all()


def test_rungs_rise_from_the_first_evaluation_to_the_target_and_need_no_trial_that_reaches_it() -> None:
    for crossing in (25.0, np.inf):
        levels = rungs([RISING], np.array([crossing]), 0.6, True)
        assert len(levels) == 7 and (np.diff(levels) > 0).all() and levels[0] > 0.2 and levels[-1] < 0.6


def test_an_edge_is_where_four_of_the_best_five_lie() -> None:
    assert edge_of([0.9, 0.95, 0.85, 0.99, 0.3]) == "high"
    assert edge_of([0.1, 0.15, 0.05, 0.01, 0.3]) == "low"
    assert edge_of([0.9, 0.1, 0.85, 0.99, 0.3]) == ""


def test_a_trial_that_diverged_before_its_first_evaluation_says_nothing_about_rungs() -> None:
    lost, missed = np.array([[np.nan, 1.0, 2.0, 10.0]]), np.array([np.inf, 25.0])
    assert (rungs([lost, RISING], missed, 0.6, True) == rungs([RISING], missed[1:], 0.6, True)).all()
    assert rungs([lost], missed[:1], 0.6, True) is None
