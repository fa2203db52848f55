"""An entry that is added later is compared through the reference that ran beside it."""

import numpy as np
import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming, tamper
from tests.harness.report.generator import write_planned_run
from timetrial.harness.cli import main
from timetrial.harness.entries.beside import choose_beside
from timetrial.harness.entries.committed import CommittedEntry, committed_results
from timetrial.harness.records.table import read_trials

SLOWER = 1.25


@pytest.fixture
def added(results):
    """Submit `muon` from a run on a machine that was slower, which its pacer did not see: with `adamw` beside it."""
    run = write_planned_run(results / "runs" / "later", "muon", "adamw", seconds_per_step=SLOWER)
    assert main(["submit", "muon", str(run.path)]) == 0
    return results


def crossings(run, submission):
    table = read_trials([run])
    table = table[table["submission"] == submission].sort_values(["workload", "study", "trial"])
    return table[["crossing_paced", "crossing_measured", "crossing_steps"]].to_numpy()


def test_the_speed_of_another_day_does_not_count(added, tmp_path):
    undisturbed = write_planned_run(tmp_path / "same_day", "muon", "adamw")
    wanted, found = crossings(undisturbed, "muon"), crossings(committed_results(added / BOARD), "muon")
    both = np.isfinite(wanted[:, 0]) & np.isfinite(found[:, 0])
    assert both.sum() > 10
    assert found[both] == pytest.approx(wanted[both])


def test_the_leaderboard_and_the_check_know_it(added, capsys):
    slowness = CommittedEntry(added / BOARD / "muon").slowness
    assert len(slowness) == 4
    assert [one.paced for one in slowness.values()] == pytest.approx([SLOWER] * 4)
    assert "on small_gpt the reference beside muon took 1.2" in (added / BOARD / "leaderboard.md").read_text()
    capsys.readouterr()
    assert main(["submit", "--check"]) == 0


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
