"""Slots on one machine: shared work, takeover, Ctrl-C, cancel, and what a person sees."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.harness.runs.tiny_runs import (
    BROKEN,
    LOCAL,
    PLAIN,
    add_submission,
    kill,
    lines_written,
    metrics,
    overrides,
    slots_of,
    start,
    timetrial,
    trainees_of,
    trial_folders,
    wait_for,
)
from timetrial.harness import cli
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.places import ROOT
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.trial_state import trial_states


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    done = timetrial("run", *overrides(run, steps=200), *LOCAL)
    assert done.returncode == 0, done.stderr
    return run, done


def test_a_run_leaves_a_result_for_each_trial_and_nothing_else(undisturbed):
    run, done = undisturbed
    names = {file.name for folder in trial_folders(run) for file in folder.path.iterdir()}
    assert names <= {"spec.json", "evals.jsonl", "result.json", "trainee.log"}
    assert len(trial_folders(run)) == 2
    assert "[2/2]" in done.stderr and "2 budget_exhausted" in done.stderr
    assert all(folder.read_result().environment["threads"] == 1 for folder in trial_folders(run))


def test_a_finished_run_is_not_run_again(undisturbed):
    run, _ = undisturbed
    before = {folder.path: folder.result_file.stat().st_mtime_ns for folder in trial_folders(run)}
    assert timetrial("run", *overrides(run, steps=200), *LOCAL).returncode == 0
    assert before == {folder.path: folder.result_file.stat().st_mtime_ns for folder in trial_folders(run)}


def test_two_slots_at_once_change_no_metric(tmp_path, undisturbed):
    done = timetrial("run", *overrides(tmp_path / "run", steps=200), *LOCAL, "executor.slots=2")
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "run") == metrics(undisturbed[0])


def test_two_runs_at_once_on_one_folder_share_the_trials_and_both_wait_for_the_end(tmp_path):
    arguments = [*overrides(tmp_path / "run", trials=4, steps=100), *LOCAL]
    both = [start("run", *arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=200)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    finished = "".join(outputs).count(" stopped by max_steps=")
    assert finished == 4, "every trial runs in one of the two, and in one only"
    assert all("4 budget_exhausted" in output for output in outputs)
    for folder in trial_folders(tmp_path / "run"):
        steps = [line.split(b",")[0] for line in folder.evaluations_file.read_bytes().splitlines()]
        assert len(steps) == len(set(steps)) == 10


def test_a_trial_whose_holder_is_killed_is_taken_over_by_a_run_that_waits(tmp_path, undisturbed):
    run = tmp_path / "run"
    arguments = [*overrides(run, trials=1, steps=200), *LOCAL]
    first = start("run", *arguments)
    second = None
    try:
        wait_for(lambda: lines_written(run) >= 2, "the first evaluations")
        (slot,) = slots_of(first.pid)
        kill(slot, signal.SIGSTOP)  # alive, so that the second can only wait
        second = start("run", *arguments)
        while "waiting" not in second.stderr.readline():
            assert second.poll() is None
        kill(first.pid)
        kill(slot)
        assert second.wait(timeout=100) == 0
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()
    trial = "sgd/external/modular_division/study_0/trial_0"
    assert metrics(run)[trial] == metrics(undisturbed[0])[trial]


def test_ctrl_c_stops_at_once_keeps_all_and_says_how_to_go_on(tmp_path, undisturbed):
    run = tmp_path / "run"
    arguments = [*overrides(run, steps=200), *LOCAL]
    process = start("run", *arguments)
    wait_for(lambda: lines_written(run) >= 3, "some evaluations")
    (slot,) = slots_of(process.pid)
    trainees = trainees_of(slot)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 130, errors
    assert f"go on with: timetrial run '{arguments[0]}'" in errors.replace("Go", "go")
    assert "Traceback" not in errors
    for pid in (slot, *trainees):
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "its processes to end", seconds=10)
    assert lines_written(run) >= 3
    assert timetrial("run", *arguments).returncode == 0
    assert metrics(run) == metrics(undisturbed[0])


def test_cancel_stops_a_run_of_this_machine(tmp_path):
    run = tmp_path / "run"
    process = start(
        "run", *overrides(run, steps=100_000), *LOCAL, "suite.workloads.modular_division.budget_seconds=500"
    )
    wait_for(lambda: lines_written(run) >= 1, "the first evaluation")
    done = timetrial("cancel", str(run))
    assert "cancelled: timetrial run on" in done.stderr
    assert process.wait(timeout=15) == 130
    process.communicate()
    assert [state.state for state in trial_states(RunFolder(run))] == ["waiting", "waiting"]
    assert "nothing of run waits or runs" in timetrial("cancel", str(run)).stderr


def test_a_submission_that_fails_is_named_and_the_others_go_on(tmp_path, monkeypatch, capfd):
    add_submission(tmp_path / "submissions", "broken", BROKEN)
    add_submission(tmp_path / "submissions", "plain", PLAIN)
    monkeypatch.setattr(catalogue, "SUBMISSIONS", tmp_path / "submissions")
    run = tmp_path / "run"
    assert cli.main(["run", *overrides(run, "broken,plain", trials=1), *LOCAL]) == 1
    assert "1 budget_exhausted, 1 crashed" in capfd.readouterr().err
    assert cli.main(["status", str(run)]) == 0
    shown = capfd.readouterr().out
    assert (
        "failed   broken/external/modular_division/study_0/trial_0: crashed: RuntimeError: broken on purpose" in shown
    )


@pytest.mark.parametrize("wrong", ["executor.slots=0", "executor.threads=many", "executor.slots=1.5"])
def test_wrong_slots_and_threads_are_named(tmp_path, wrong):
    done = timetrial("run", *overrides(tmp_path / "run"), *LOCAL, wrong)
    assert done.returncode == 2
    name, _, value = wrong.partition("=")
    assert name in done.stderr and value in done.stderr and done.stderr.count("\n") == 1


def test_a_terminal_shows_slot_step_budget_metric_and_bar(tmp_path):
    controller, terminal = pty.openpty()
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "timetrial.harness.cli", "run", *overrides(run, trials=1, steps=400), *LOCAL],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "150", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:  # the terminal's other side has closed
        pass
    assert process.wait(timeout=10) == 0
    text = shown.decode()
    for part in (
        "study/trial",
        "seconds / budget",
        "best / target",
        "modular_division",
        "/ 5",
        "accuracy 0.",
        "1 of 1",
    ):
        assert part in text, part
