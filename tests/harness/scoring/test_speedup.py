"""Speed-up over the reference: by hand, with misses, and whoever else is in the field."""

import pytest

from tests.harness.scoring.tables import INF, table
from timetrial.harness.scoring import score_table


def test_speedup_is_the_geometric_mean_over_workloads() -> None:
    board = score_table(table({"adamw": {"x": [10], "y": [10]}, "a": {"x": [5], "y": [20 / 9]}}))
    standing = board.by_time.of("a")
    assert standing.workloads["x"].speedup.value == pytest.approx(2.0)
    assert standing.workloads["y"].speedup.value == pytest.approx(4.5)
    assert standing.speedup.value == pytest.approx(3.0)
    assert board.by_time.of("adamw").speedup.value == 1.0


def test_a_miss_counts_as_the_budget_and_is_marked() -> None:
    times = {"adamw": {"x": [10], "y": [INF], "z": [INF]}, "a": {"x": [INF], "y": [20], "z": [INF]}}
    workloads = score_table(table(times, budget_seconds=40.0)).by_time.of("a").workloads
    assert [workloads[name].speedup.value for name in "xyz"] == [0.25, 2.0, 1.0]
    assert [workloads[name].counted_as_budget for name in "xyz"] == [True, True, True]


def test_a_miss_by_steps_counts_as_the_steps_that_the_budget_buys() -> None:
    trials = table({"adamw": {"x": [10]}, "slow_steps": {"x": [INF]}, "quick_steps": {"x": [INF]}})
    trials = trials.assign(
        budget_seconds=40.0,
        steps_to_target=[100, INF, INF],
        last_seconds=[10.0, 40.0, 20.0],  # the last one diverged half-way
        last_step=[100, 50, 500],
    )
    board = score_table(trials).by_steps
    # adamw could have taken 400 steps, slow_steps took 50 and so counts as 400, quick_steps could have taken 1000.
    assert board.of("slow_steps").speedup.value == pytest.approx(100 / 400)
    assert board.of("quick_steps").speedup.value == pytest.approx(100 / 1000)


def test_speedup_does_not_depend_on_who_else_is_in_the_field() -> None:
    times = {"adamw": {"x": [10, 11, 12], "y": [9, 8, 7]}, "a": {"x": [5, 6, 7], "y": [9, 8, INF]}}
    alone = score_table(table(times, budget_seconds=40.0)).by_time.of("a")
    crowd = score_table(table({**times, "b": {"x": [1] * 3, "y": [1] * 3}}, budget_seconds=40.0)).by_time.of("a")
    assert crowd.speedup == alone.speedup
    assert crowd.score.value < alone.score.value


def test_a_miss_without_a_known_budget_gives_no_speedup() -> None:
    standing = score_table(table({"adamw": {"x": [10], "y": [10]}, "a": {"x": [INF], "y": [5]}})).by_time.of("a")
    assert standing.speedup is None
    assert standing.workloads["x"].speedup is None
    assert standing.workloads["y"].speedup.value == 2.0


def test_without_the_reference_there_are_no_speedups_and_a_note_says_so() -> None:
    board = score_table(table({"a": {"x": [10]}}))
    assert board.by_time.of("a").speedup is None
    assert any("adamw" in note for note in board.notes)


def test_fragility_names_what_the_score_owes_to() -> None:
    times = {"a": {"x": [20], "y": [10]}, "b": {"x": [10], "y": [40]}, "c": {"x": [20], "y": [20]}}
    fragility = score_table(table(times)).by_time.of("a").fragility
    # a: x at 2 (2/3), y at 1, so 5/6; without b it is the fastest everywhere, without y only x is left.
    assert (fragility.high, fragility.high_without) == (1.0, "b")
    assert (fragility.low, fragility.low_without) == (pytest.approx(2 / 3), "y")
