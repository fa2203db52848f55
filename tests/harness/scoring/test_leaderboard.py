"""What is incomplete, unsteady or not comparable is said, and never silently scored."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.harness.scoring.tables import INF, random_table, table
from timetrial.harness import UsageError
from timetrial.harness.planning.spec import INCOMPLETE
from timetrial.harness.scoring import score_leaderboards, score_table

TIMES = {"a": {"x": [10, 11], "y": [10, 11]}, "b": {"x": [20, 21], "y": [20, INF]}}


def with_status(status: str) -> pd.DataFrame:
    """Let b's second study of y, which missed, have ended in `status`."""
    trials = table(TIMES)
    missed = np.isinf(trials["time_to_target"])
    return trials.assign(status=np.where(missed, status, "target_reached"), path=np.where(missed, "runs/r/b/y", ""))


@pytest.mark.parametrize("status", INCOMPLETE)
def test_incomplete_submissions_have_no_score_and_their_trials_are_named(status: str) -> None:
    board = score_table(with_status(status))
    scores = {score["submission"]: score for score in board.to_json()["scores"]}
    assert scores["b"]["score"] is None and scores["b"]["rank"] is None
    assert scores["b"]["incomplete"] == [f"runs/r/b/y: {status}"]
    assert scores["a"]["score"] == pytest.approx(0.98, abs=0.02)


@pytest.mark.parametrize("status", INCOMPLETE)
def test_allowed_incomplete_trials_count_as_misses_and_it_says_so(status: str) -> None:
    allowed = score_table(with_status(status), allow_incomplete=True)
    missed = score_table(with_status("budget_exhausted"))
    assert allowed.of("b").score == missed.of("b").score
    assert allowed.to_json()["incomplete_counted_as_misses"]
    assert allowed.to_json()["scores"][1]["incomplete"] == [f"runs/r/b/y: {status}"]


@pytest.mark.parametrize("status", ["budget_exhausted", "diverged", "hung"])
def test_honest_misses_are_complete(status: str) -> None:
    board = score_table(with_status(status))
    assert not board.incomplete
    assert board.of("b").workloads["y"].trials_reached == 1


def test_disqualified_trials_never_count_as_reached() -> None:
    trials = table(TIMES).assign(status="target_reached")
    trials.loc[trials["submission"] == "b", "status"] = ["target_reached", "target_reached", "disqualified", "diverged"]
    board = score_table(trials, allow_incomplete=True)
    assert board.of("b").workloads["y"].trials_reached == 0


def test_a_workload_that_was_not_run_at_all_is_named() -> None:
    trials = table({"a": {"x": [1], "y": [1]}, "b": {"x": [1]}})
    assert score_table(trials).incomplete == {"b": ("b/y: no trial",)}


def test_a_workload_that_was_not_run_counts_as_missed_where_that_is_allowed() -> None:
    times = {"adamw": {"x": [1, 2], "y": [3, 4]}, "b": {"x": [1, 2], "y": [5, 5]}, "part": {"x": [1, 2]}}
    missed = {**times, "part": {"x": [1, 2], "y": [INF, INF]}}
    board = score_table(table(times, budget_seconds=40.0), allow_incomplete=True)
    assert board.incomplete == {"part": ("part/y: no trial",)}
    of_misses = score_table(table(missed, budget_seconds=40.0))
    for name in times:
        assert board.of(name).speedup == of_misses.of(name).speedup and board.of(name).score == of_misses.of(name).score
        assert board.of(name).workloads == of_misses.of(name).workloads


def test_everybody_incomplete_gives_an_empty_leaderboard() -> None:
    board = score_table(table({"a": {"x": [INF]}}).assign(status="missing"))
    assert board.standings == ()
    assert board.to_json()["scores"][0]["score"] is None


def test_unsteady_clocks_are_counted_and_named() -> None:
    trials = table(TIMES)
    trials["flags"] = [("unsteady_clock",), (), (), ("other", "unsteady_clock")] + [()] * 4
    board = score_table(trials)
    assert board.unsteady == {"a": ("a/x/study 0/trial 0", "a/y/study 1/trial 0")}


def test_json_has_no_infinities() -> None:
    json.dumps(score_table(table(TIMES)).to_json(), allow_nan=False)


def test_each_suite_and_ruleset_is_its_own_leaderboard() -> None:
    mini, full = table(TIMES, suite="mini", ruleset="external"), table(TIMES, suite="full", ruleset="external")
    boards = score_leaderboards(pd.concat([mini, full, full.assign(ruleset="self_tuning")]))
    assert [(b.suite, b.ruleset) for b in boards] == [
        ("full", "external"),
        ("full", "self_tuning"),
        ("mini", "external"),
    ]


def test_two_protocols_on_one_leaderboard_are_an_error_naming_both() -> None:
    trials = table(TIMES).assign(protocol=lambda t: np.where(t["submission"] == "a", "p1", "p2"))
    with pytest.raises(UsageError, match=r"'p1' in a/x/study 0.* and 'p2' in b/x/study 0"):
        score_table(trials)


def test_protocols_may_differ_between_workloads_and_for_trials_that_have_not_ended() -> None:
    trials = table(TIMES).assign(protocol=lambda t: t["workload"])
    trials["status"] = np.where(np.isinf(trials["time_to_target"]), "missing", "target_reached")
    trials.loc[trials["status"] == "missing", "protocol"] = "not known yet"
    assert score_table(trials).incomplete


def test_mixed_machines_and_provisional_targets_are_noted() -> None:
    trials = table(TIMES).assign(machine=lambda t: t["submission"], provisional=lambda t: t["workload"] == "x")
    notes = score_table(trials).notes
    assert "seconds come from different machines (a; b): compare by steps" in notes
    assert "targets are provisional on x" in notes


def test_a_score_that_is_the_same_without_any_study_has_no_interval_and_a_note() -> None:
    fast, slow = {"a": [1.0, 1.0, 1.0]}, {"a": [9.0, 9.0, 9.0]}
    notes = score_table(table({"adamw": fast, "slow": slow}, budget_seconds=20.0)).notes
    assert "no interval for the score of adamw: it is the same whichever study is left out" in notes
    notes = score_table(random_table(0, {"adamw": 1.0, "b": 1.1})).notes
    assert not any("no interval" in note for note in notes)


def test_trials_that_max_steps_has_ended_are_noted() -> None:
    trials = with_status("budget_exhausted").assign(max_steps=None, last_step=30.0)
    assert not any("max_steps" in note for note in score_table(trials).notes)
    assert not any("max_steps" in note for note in score_table(trials.assign(max_steps=31)).notes)
    note = "max_steps=30 ended 1 of 8 trials: they count as missed"
    assert note in score_table(trials.assign(max_steps=30)).notes


@pytest.mark.parametrize(
    "spoil, complaint",
    [
        (lambda t: t.drop(columns="study"), "column 'study' is missing"),
        (lambda t: t.assign(time_to_target=-1.0), "a/x/study 0/trial 0: time_to_target is -1.0"),
        (lambda t: t.assign(time_to_target=np.nan), "time_to_target is nan"),
        (lambda t: t.assign(status="target_reached"), "b/y/study 1/trial 0: time_to_target is inf"),
        (lambda t: t.assign(status="asleep"), "status is 'asleep'"),
        (
            lambda t: pd.concat([t.assign(path=""), t[:1].assign(path="again")]),
            "two rows for one trial: a/x/study 0/trial 0 and again",
        ),
        (lambda t: t[:0], "the table is empty"),
        (lambda t: t.assign(role="heldout", base_workload="z"), "no base workload"),
    ],
)
def test_bad_tables_are_one_clear_line(spoil, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        score_table(spoil(table(TIMES)))
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
