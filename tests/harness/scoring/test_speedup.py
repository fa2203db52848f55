"""Speed-up over the reference: by hand, with misses, and whoever else is in the field."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tests.harness.scoring.tables import INF, random_table, table
from timetrial.harness.scoring import score_table
from timetrial.harness.scoring.best_of_k import curve, weights, weights_without_each_study


@pytest.mark.parametrize(("n", "k"), [(5, 1), (7, 3), (25, 5), (3, 5)])
def test_weights_are_those_of_the_best_of_every_choice_of_k(n: int, k: int) -> None:
    choices = list(combinations(range(n), min(k, n)))
    counted = np.bincount([min(choice) for choice in choices], minlength=n) / len(choices)
    assert weights(n, k) == pytest.approx(counted)


def test_weights_without_a_study_are_those_of_the_other_trials() -> None:
    study = np.array([0, 1, 1, 0, 2, 2])
    found = weights_without_each_study(study, 3, 2)
    assert found[2].tolist() == pytest.approx([weights(4, 2)[0], 0, 0, *weights(4, 2)[1:]])


def test_tuning_curves_never_rise() -> None:
    assert (np.diff(curve(np.sort(np.random.default_rng(0).normal(size=25)), 25)) < 0).all()


def test_speedup_is_the_geometric_mean_over_workloads() -> None:
    board = score_table(table({"adamw": {"x": [10], "y": [10]}, "a": {"x": [5], "y": [20 / 9]}}))
    standing = board.of("a")
    assert standing.workloads["x"].speedup.value == pytest.approx(2.0)
    assert standing.workloads["y"].speedup.value == pytest.approx(4.5)
    assert standing.speedup.value == pytest.approx(3.0)
    assert board.of("adamw").speedup.value == 1.0


def test_a_miss_counts_as_the_budget() -> None:
    times = {"adamw": {"x": [10], "y": [INF], "z": [INF]}, "a": {"x": [INF], "y": [20], "z": [INF]}}
    workloads = score_table(table(times, budget_seconds=40.0)).of("a").workloads
    assert [workloads[name].speedup.value for name in "xyz"] == pytest.approx([0.25, 2.0, 1.0])
    assert [workloads[name].reach for name in "xyz"] == [0, 1, 0]


def test_half_of_the_trials_missing_is_half_way_to_the_budget_on_a_log_scale() -> None:
    result = score_table(table({"a": {"x": [10, INF]}}, budget_seconds=40.0)).of("a").workloads["x"]
    assert (result.value.value, result.reach) == (pytest.approx(math.sqrt(10 * 40)), 0.5)


def test_a_miss_by_steps_counts_as_the_steps_that_the_budget_buys_the_reference() -> None:
    trials = table({"adamw": {"x": [10]}, "slow_steps": {"x": [INF]}, "quick_steps": {"x": [INF]}})
    trials = trials.assign(
        budget_seconds=40.0,
        steps_to_target=[100, INF, INF],
        last_seconds=[10.0, 40.0, 20.0],
        last_step=[100, 50, 500],
    )
    board = score_table(trials, clock="steps")
    assert board.budgets == {"x": 400.0}
    assert board.of("slow_steps").speedup.value == pytest.approx(100 / 400)
    assert score_table(trials, clock="steps", reference="slow_steps").budgets == {"x": 400.0}


@pytest.mark.parametrize(("studies", "draws"), [(5, 2), (6, 1), (7, 1), (2, 2), (3, 3)])
def test_who_reaches_in_every_trial_reaches_with_certainty(studies: int, draws: int) -> None:
    trials = pd.concat([table({"a": {"x": np.arange(1, studies + 1)}}).assign(trial=draw) for draw in range(draws)])
    assert score_table(trials).of("a").reach == 1


def test_a_speedup_is_as_sure_as_its_inverse() -> None:
    trials = random_table(0, {"a": 1.0, "b": 1.5})
    trials["slowness_error"] = np.where(trials["submission"] == "a", 0.2, 0.0)
    one, other = score_table(trials, reference="a").of("b"), score_table(trials, reference="b").of("a")
    assert (one.speedup.low, one.speedup.high) == pytest.approx((1 / other.speedup.high, 1 / other.speedup.low))
    assert one.speedup.high / one.speedup.low > 1.4
    assert score_table(trials, reference="a").of("a").speedup.low == 1


def test_an_added_submission_changes_nobodys_speedup() -> None:
    times = {"adamw": {"x": [10, 11, 12], "y": [9, 8, 7]}, "a": {"x": [5, 6, 7], "y": [9, 8, INF]}}
    alone = score_table(table(times, budget_seconds=40.0)).of("a")
    crowd = score_table(table({**times, "b": {"x": [1] * 3, "y": [1] * 3}}, budget_seconds=40.0)).of("a")
    assert crowd.speedup == alone.speedup
    assert crowd.score.value < alone.score.value


def test_without_the_reference_there_are_no_speedups_and_a_note_says_so() -> None:
    board = score_table(table({"a": {"x": [10]}}))
    assert board.of("a").speedup is None
    assert any("adamw" in note for note in board.notes)


def test_a_reference_that_misses_has_no_certificate_and_a_note_says_so() -> None:
    board = score_table(table({"adamw": {"x": [10, INF, INF]}, "a": {"x": [5, 6, 7]}}, budget_seconds=40.0))
    assert board.of("adamw").certificate.seldom == {"x": pytest.approx(1 / 3)}
    assert any("without a tuning certificate: adamw reaches x in 33%" in note for note in board.notes)
