"""Whatever is killed, whenever: every trial exists once in the end, with the metrics of an undisturbed run."""

import random
import subprocess
import time

import pytest

from tests.harness.runs.tiny_runs import (
    LOCAL,
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

KILLS = 15
"""Each costs seconds, until whoever was killed has started again."""
SHARES = {"referee": 0.7, "program": 0.3}
"""A trainee that is killed has crashed: there is nothing to recover."""
PROGRAM = ("-m", "tests.harness.runs.impatient")
SETTINGS = (*LOCAL, "suite.workloads.modular_division.eval_every=4")


@pytest.mark.timeout(600)
def test_a_run_that_is_killed_at_random_moments_ends_as_one_that_is_not(tmp_path):
    steps, trials = 160, 4
    calm = tmp_path / "calm"
    done = timetrial("run", *overrides(calm, trials=trials, steps=steps), *SETTINGS)
    assert done.returncode == 0, done.stderr
    expected = metrics(calm)

    draw = random.Random(20)
    killed = dict.fromkeys(SHARES, 0)
    for number in range(KILLS):  # a run that has ended makes room for the next
        run = tmp_path / f"run{number}"
        _disturb(run, overrides(run, trials=trials, steps=steps), draw, killed)
        assert metrics(run) == expected
        folders = trial_folders(run)
        assert len(folders) == trials and all(folder.is_finished for folder in folders)
        left = {file.name for folder in folders for file in folder.path.iterdir()}
        assert left <= {"spec.json", "evals.jsonl", "result.json", "trainee.log"}
        if sum(killed.values()) >= KILLS:
            break
    assert sum(killed.values()) == KILLS and min(killed.values()) > 0


def _disturb(run, arguments, draw, killed):
    """Run to the end, and on the way kill until `KILLS` are reached, always after some progress."""
    program, furthest = start("run", *arguments, *SETTINGS, program=PROGRAM), [0]
    try:
        while sum(killed.values()) < KILLS and not _is_complete(run):
            if not _goes_on(program, run, furthest):
                program.communicate()
                program = start("run", *arguments, *SETTINGS, program=PROGRAM)
                continue
            time.sleep(draw.uniform(0, 0.1))
            victim = draw.choices(list(SHARES), SHARES.values())[0]
            for pid in {"referee": slots_of(program.pid), "program": [program.pid]}[victim][:1]:
                kill(pid)
                killed[victim] += 1
        program.communicate(timeout=100)
    finally:
        program.kill()
        program.communicate()
    done = timetrial("run", *arguments, *SETTINGS)
    assert done.returncode == 0, done.stderr


def _goes_on(program, run, furthest):
    """Wait until the run is further than ever before; says whether the program lived to see it."""
    wait_for(lambda: _evaluations(run) > furthest[0] or program.poll() is not None, "an evaluation")
    furthest[0] = max(furthest[0], _evaluations(run))
    return program.poll() is None


def _evaluations(run):
    return sum(len(folder.read_evaluations()) for folder in trial_folders(run))


def _is_complete(run):
    folders = trial_folders(run)
    return bool(folders) and all(folder.is_finished for folder in folders)


def test_a_program_that_is_killed_leaves_no_process_behind(tmp_path):
    run = tmp_path / "run"
    program: subprocess.Popen = start("run", *overrides(run, steps=100_000), *LOCAL)
    wait_for(lambda: lines_written(run), "the first evaluation")
    slots = slots_of(program.pid)
    trainees = [trainee for slot in slots for trainee in trainees_of(slot)]
    assert slots and trainees
    kill(program.pid)
    program.communicate()
    wait_for(lambda: not any(_lives(pid) for pid in (*slots, *trainees)), "slots and trainees to end", seconds=20)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
