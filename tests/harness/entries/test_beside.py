"""An entry that is added later is compared through the reference that ran beside it."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming, tamper
from tests.harness.report.generator import MACHINE, write_planned_run
from timetrial.harness.cli import main
from timetrial.harness.entries.beside import OTHER_PROCESSOR, choose_beside, slowness
from timetrial.harness.entries.committed import CommittedEntry, CommittedTrial, committed_results
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.records.table import read_trials
from timetrial.harness.report.boards import read_boards

SLOWER = 1.25


@pytest.fixture
def added(results):
    """Submit `muon` from a run on a machine that was slower, which its pacer did not see: with `adamw` beside it."""
    run = write_planned_run(results / "runs" / "later", "muon", "adamw", seconds_per_step=SLOWER)
    assert main(["submit", "muon", str(run.path)]) == 0
    return results


@dataclass(frozen=True)
class Costing:
    """A recorded trial, as if each step had taken so many seconds."""

    trial: CommittedTrial
    seconds_per_step: float

    def read_spec(self):
        return self.trial.read_spec()

    def read_result(self):
        result = self.trial.read_result()
        seconds = result.step * self.seconds_per_step
        return replace(result, seconds=seconds, paced_seconds=seconds)


def crossings(run, submission):
    table = read_trials([run])
    table = table[table["submission"] == submission].sort_values(["workload", "study", "trial"])
    return table[["crossing_paced", "crossing_measured", "crossing_steps"]].to_numpy()


def test_the_speed_of_another_day_does_not_count(added, tmp_path):
    undisturbed = write_planned_run(tmp_path / "same_day", "muon", "adamw")
    wanted, found = crossings(undisturbed, "muon"), crossings(committed_results(added / BOARD), "muon")
    both = np.isfinite(wanted[:, 0]) & np.isfinite(found[:, 0])
    assert both.sum() > 10
    assert found[both] == pytest.approx(wanted[both], rel=0.01)


def test_the_leaderboard_and_the_check_know_it(added, capsys):
    slowness = CommittedEntry(added / BOARD / "muon").slowness
    assert len(slowness) == 4
    assert [one.paced for one in slowness.values()] == pytest.approx([SLOWER] * 4, rel=0.01)
    assert all(0 <= one.error < 0.01 for one in slowness.values())
    assert "on small_gpt the reference beside muon took 1.2" in (added / BOARD / "leaderboard.md").read_text()
    capsys.readouterr()
    assert main(["submit", "--check"]) == 0


def test_what_the_reference_costs_is_the_mean_over_the_board_and_has_an_error(pristine):
    (entry,) = committed_results(pristine / BOARD / "adamw").entries
    board = [Costing(trial, 1.0 + 0.02 * (n % 2)) for n, trial in enumerate(entry.trials())]
    beside = [Costing(trial, 1.2) for trial in choose_beside(entry.trials(), 1)]
    assert slowness(choose_beside(entry.trials(), 1), entry.trials()) == {}  # all ran in one run
    for found in slowness(beside, board).values():
        assert 1.2 / 1.02 < found.paced < 1.2
        assert 0 < found.error < 0.02


def test_an_entry_from_another_processor_has_wider_intervals_and_a_note(results, capsys):
    xeon = {"processor": "Intel Xeon", "processor_family": "GenuineIntel family 6 model 106, avx512f"}
    widths = []
    for name, machine in (("here", MACHINE), ("there", MACHINE | xeon)):
        run = write_planned_run(results / "runs" / name, "muon", "adamw", seconds_per_step=SLOWER, machine=machine)
        assert main(["submit", "muon", str(run.path)]) == 0
        errors = [one.error for one in CommittedEntry(results / BOARD / "muon").slowness.values()]
        (board,) = read_boards([committed_results(results / BOARD)])
        widths.append(math.log(board.scores.of("muon").speedup.high / board.scores.of("muon").speedup.low))
    assert all(OTHER_PROCESSOR <= error < OTHER_PROCESSOR + 0.01 for error in errors) and widths[1] > widths[0]
    notes = (results / BOARD / "leaderboard.md").read_text()
    assert "seconds of muon come from Intel Xeon" in notes and "compare by steps" not in notes
    assert "stand side by side" not in notes and main(["submit", "--check"]) == 0
    alone = write_planned_run(results / "runs" / "alone", "muon", machine=MACHINE | xeon)
    assert main(["submit", "muon", str(alone.path)]) == 2
    assert "give --allow-mixed-hardware" in capsys.readouterr().err


def test_what_processors_differ_in_is_what_the_prices_say():
    one, other = (
        json.loads((RESULTS / "prices" / f"mini_self_tuning_{name}.json").read_bytes())["seconds"]
        for name in ("epyc_zen4", "intel_xeon")
    )
    ratio = {name: {w: s / other[name][w] for w, s in seconds.items()} for name, seconds in one.items()}
    moved = [math.log(ratio[name][w] / ratio["adamw"][w]) for name in ratio if name != "adamw" for w in ratio[name]]
    assert len(moved) == 52 * 4 and np.std(moved) == pytest.approx(OTHER_PROCESSOR, abs=0.002)


def test_a_reference_that_was_changed_is_found(added, capsys):
    tamper(added / BOARD / "muon" / "reference.jsonl", '"wall_seconds":', '"wall_seconds":1')
    check_fails_naming(capsys, "reference.jsonl", "was changed after it was submitted")


def test_no_reference_leaves_times_alone(results):
    run = write_planned_run(results / "runs" / "alone", "muon", seconds_per_step=SLOWER)
    assert main(["submit", "muon", str(run.path)]) == 0
    assert not (results / BOARD / "muon" / "reference.jsonl").exists()
    assert crossings(committed_results(results / BOARD), "muon") == pytest.approx(crossings(run, "muon"))


def test_one_study_is_kept_of_a_reference_that_entered_itself(pristine):
    (entry,) = committed_results(pristine / BOARD / "adamw").entries
    trials = entry.trials()
    studies = len({trial.read_spec().study for trial in trials})
    assert {trial.read_spec().study for trial in choose_beside(trials, studies)} == {0}
    assert len(choose_beside(trials, studies + 1)) == len(trials)
