"""Prices of a step: a leaderboard as it would be on another machine, and the choice of it on the page."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.harness.report.generator import FIELD, PACED_WORKLOADS, WORKLOADS, write_run
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.commands.price import in_words
from timetrial.harness.measuring.prices import _in_turn, cost_ratio
from timetrial.harness.records.table import read_trials
from timetrial.harness.report.boards import read_boards
from timetrial.harness.report.write import write_report
from timetrial.harness.scoring import score_table
from timetrial.harness.scoring.prices import Prices, break_even, read_prices, score_at


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of all of `FIELD`, who reach every target or miss some."""
    return write_run(tmp_path_factory.mktemp("priced") / "run", FIELD, workloads=WORKLOADS[:2], studies=3, trials=1)


@pytest.fixture(scope="module")
def trials(run):
    return read_trials([run])


@pytest.fixture(scope="module")
def prices(trials):
    """A machine on which a step of everybody costs the same."""
    first = trials.iloc[0]
    seconds = {name: dict.fromkeys(set(trials["workload"]), 0.01) for name in set(trials["submission"])}
    frame = (first["suite"], int(first["suite_version"]), first["ruleset"])
    return Prices("a machine", *frame, seconds, {}, [], {}, {}, "2026-01-01T00:00:00+00:00")


def dearer(prices, name, factor):
    its = {workload: factor * price for workload, price in prices.seconds[name].items()}
    return replace(prices, seconds={**prices.seconds, name: its})


def speedups(board):
    return {standing.submission: standing.speedup.value for standing in board.standings}


def test_where_all_steps_cost_the_same_the_leaderboard_is_that_of_steps(trials, prices):
    by_steps, here = score_table(trials, clock="steps"), score_at(trials, prices)
    assert speedups(here) == pytest.approx(speedups(by_steps))
    assert here.clock == "at a machine" and here.unit == "s"


def test_who_reaches_every_target_is_slower_by_what_a_step_costs_more(trials, prices):
    before, after = score_at(trials, prices), score_at(trials, dearer(prices, "muon", 1.3))
    assert before.of("muon").reach == after.of("muon").reach == 1
    assert speedups(before)["muon"] / speedups(after)["muon"] == pytest.approx(1.3, rel=0.02)


def test_at_the_break_even_a_submission_is_as_fast_as_the_reference(trials, prices):
    factor = break_even(trials, prices, "muon", score_at(trials, prices))
    assert speedups(score_at(trials, dearer(prices, "muon", factor)))["muon"] == pytest.approx(1, abs=1e-3)


def test_who_reaches_what_the_reference_misses_is_faster_at_any_price(trials, prices):
    own = (trials["submission"] != "adamw").to_numpy()
    missed = trials.assign(
        status=np.where(own, trials["status"], "budget_exhausted"),
        **{name: trials[name].where(own, np.inf) for name in ("crossing_steps", "steps_to_target", "time_to_target")},
    )
    board = score_at(missed, prices)
    assert speedups(board)["muon"] > 1
    assert break_even(missed, prices, "muon", board) == np.inf
    assert in_words(np.inf) == "at any price" and in_words(None) == "never" and in_words(1.5) == "1.50x"


def test_prices_know_nothing_of_the_speed_on_another_day(prices, tmp_path):
    paced = write_run(tmp_path / "paced", FIELD, workloads=PACED_WORKLOADS[:2], studies=3, trials=1)
    trials = read_trials([paced])
    drifted = trials.assign(slowness=1.2, slowness_error=0.3)
    one, other = score_at(trials, prices).of("muon").speedup, score_at(drifted, prices)
    assert other.of("muon").speedup == one
    assert not any("times are divided" in note for note in other.notes)
    assert any("times are divided" in note for note in score_table(drifted, clock="paced").notes)
    assert not any("times are divided" in note for note in score_table(drifted, clock="steps").notes)


def test_a_submission_without_a_price_is_left_out_and_named(trials, prices):
    without = replace(prices, seconds={k: v for k, v in prices.seconds.items() if k != "muon"}, changed=["adamw"])
    board = score_at(trials, without)
    assert "muon" not in speedups(board)
    assert any("left out: muon" in note for note in board.notes)
    assert any("changed since: adamw" in note for note in board.notes)


def test_prices_are_taken_over_the_reference_on_both_sides_so_that_a_machine_that_slows_down_changes_none():
    turns = [("adamw", [1.0, 1.0]), ("muon", [3.0, 3.0]), ("adamw", [2.0, 2.0]), ("lion", [2.5, 2.5]), ("adamw", [3.0])]
    found = {name: price for name, price, _ in _in_turn(turns)}
    assert found == {"adamw": 2.0, "muon": pytest.approx(4.0), "lion": pytest.approx(2.0)}


def test_the_page_offers_the_machine_as_one_more_clock(run, prices, tmp_path):
    file = tmp_path / "prices.json"
    file.write_text(prices.to_json())
    assert read_prices(file) == prices
    write_report(read_boards([run], prices=[read_prices(file)]), tmp_path / "report", formats=())
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))
    (board,) = data["boards"]
    assert "at a machine" in board["clocks"] and board["clock"] != "at a machine"


def test_prices_of_another_board_and_a_file_that_holds_none_are_refused_in_a_line(run, prices, tmp_path, capsys):
    other, broken = tmp_path / "other.json", tmp_path / "broken.json"
    other.write_text(replace(prices, suite_version=99).to_json())
    broken.write_text("{}")
    assert main(["report", str(run.path), "--prices", str(other)]) == 2
    assert "version 99" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no price file"):
        read_prices(broken)


def test_the_cost_of_a_step_is_a_geometric_mean_over_workloads(prices):
    uneven = replace(prices, seconds={"adamw": {"a": 1.0, "b": 2.0}, "muon": {"a": 4.0, "b": 2.0}})
    assert cost_ratio(uneven, "muon") == pytest.approx(np.sqrt(4.0))
