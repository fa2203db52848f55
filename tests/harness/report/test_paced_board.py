"""Records with a pacer, from the files to the page: two that are equal, one of which ran while the machine was slow."""

from dataclasses import replace

import pytest

from tests.harness.report.generator import PACED_WORKLOADS, Algorithm, write_run
from timetrial.harness.cli import main
from timetrial.harness.records.contradictions import find_contradictions
from timetrial.harness.report.boards import read_boards

SLOWNESS = 1.5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    field = [Algorithm("adamw"), replace(Algorithm("late"), slowness=SLOWNESS), Algorithm("muon", 1.5)]
    return write_run(tmp_path_factory.mktemp("runs") / "paced", field, workloads=PACED_WORKLOADS)


@pytest.fixture(scope="module")
def board(run):
    return read_boards([run])[0]


def test_made_up_paced_records_could_be_those_of_a_referee(run):
    assert [problem for folder in run.trials() for problem in find_contradictions(folder)] == []


def test_scores_are_by_paced_seconds_where_the_records_have_them(board):
    assert (board.scores.clock, board.scores.unit) == ("paced", "s")
    assert set(board.by_clock) == {"paced", "measured", "steps"}
    assert {clock: scores.clock for clock, scores in board.by_clock.items()} == {c: c for c in board.by_clock}


def test_a_slow_machine_moves_measured_seconds_and_neither_paced_seconds_nor_steps(board):
    speedups = {clock: scores.of("late").speedup for clock, scores in board.by_clock.items()}
    assert speedups["paced"].value == pytest.approx(1, abs=0.1)
    assert speedups["steps"].value == pytest.approx(1, abs=0.1)
    assert speedups["measured"].high < 0.85
    assert "adamw" in board.by_clock["measured"].of("late").slower_than
    assert "adamw" not in board.scores.of("late").slower_than


def test_what_a_miss_counts_as_is_the_budget_on_each_clock(board):
    for spec in PACED_WORKLOADS:
        own = board.trials[(board.trials["workload"] == spec.name) & (board.trials["submission"] == "adamw")]
        steps = spec.budget_seconds * (own["last_step"] / own["last_paced"]).median()
        assert board.by_clock["paced"].budgets[spec.name] == spec.budget_seconds
        assert board.by_clock["measured"].budgets[spec.name] == pytest.approx(spec.budget_seconds)
        assert board.by_clock["steps"].budgets[spec.name] == pytest.approx(steps)


def test_the_report_of_paced_records_says_its_clock(run, capsys):
    assert main(["report", str(run.path)]) == 0
    assert "paced" in capsys.readouterr().out and "paced" in (run.path / "report" / "leaderboard.html").read_text()


def test_compare_counts_the_clock_that_it_is_asked_for(run, capsys):
    said = {}
    for clock in ("paced", "measured", "steps"):
        assert main(["compare", str(run.path), "adamw", "late", "--clock", clock]) == 0
        said[clock] = capsys.readouterr().out
    assert "adamw reaches the target" in said["measured"] and "sooner than late" in said["measured"]
    assert "not distinguishable" in said["paced"] and "not distinguishable" in said["steps"]
    assert "(steps)" in said["steps"] and "(s)" in said["paced"]


def test_compare_names_a_clock_that_is_none(run, capsys):
    assert main(["compare", str(run.path), "adamw", "late", "--clock", "sundial"]) == 2
    assert "--clock sundial" in capsys.readouterr().err
