"""The cluster executor on a real SLURM: `eval "$(scripts/local_slurm up)"` starts one on a Debian machine.

Where no SLURM answers these tests skip; with TIMETRIAL_REQUIRE=slurm in the environment they fail instead.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.runs.tiny_runs import (
    BROKEN,
    LOCAL,
    PLAIN,
    SLEEPY,
    TINY,
    add_submission,
    kill,
    lines_written,
    metrics,
    overrides,
    start,
    timetrial,
    trial_folders,
    wait_for,
)
from tests.requirements import lacks
from timetrial.harness import cli
from timetrial.harness.planning import catalogue
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.jobs import read_jobs, read_queue
from timetrial.harness.runs.trial_state import trial_states

SLURM = (*TINY, "executor=slurm", "executor.cpus=1", "executor.time=2")
SLEEPY_BUDGET = "suite.workloads.modular_division.budget_seconds=300"


@pytest.fixture(scope="module", autouse=True)
def cluster():
    try:
        subprocess.run(["sinfo"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        lacks("slurm", "no SLURM answers sinfo here: scripts/local_slurm up starts one")


@pytest.fixture
def run(tmp_path):
    """The folder of a run, whose jobs do not outlive the test."""
    folder = tmp_path / "run"
    yield folder
    if folder.exists():
        timetrial("cancel", str(folder))


@pytest.fixture
def submissions(tmp_path, monkeypatch):
    """Submissions of a test in the place of the collection; runs hold copies of what they run."""
    folder = tmp_path / "submissions"
    add_submission(folder, "sleepy", SLEEPY)
    add_submission(folder, "broken", BROKEN)
    add_submission(folder, "plain", PLAIN)
    monkeypatch.setattr(catalogue, "SUBMISSIONS", folder)
    return folder


def _logs(run: Path) -> str:
    return "".join(Path(job.log).read_text() for job in read_jobs(RunFolder(run)) if Path(job.log).exists())


def _wait_until_over(run: Path, seconds: float = 120) -> None:
    over = lambda: all(state.is_over for state in trial_states(RunFolder(run)))  # noqa: E731
    wait_for(over, f"all trials of {run}; the logs: {_logs(run)}", seconds)


def _show(job: str) -> str:
    return subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout


def _steps(run: Path) -> list[bytes]:
    return [line.split(b",")[0] for f in trial_folders(run) for line in f.evaluations_file.read_bytes().splitlines()]


def test_an_array_of_packed_trials_runs_each_once_and_two_submissions_at_once_submit_each_once(run):
    arguments = [*overrides(run, trials=8, steps=20), *SLURM, "executor.max_jobs=1"]
    both = [start("run", *arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert [output for output, _ in outputs] == [f"{run}\n"] * 2
    jobs = read_jobs(RunFolder(run))
    assert len(jobs) == 2 and all("_" in job.id for job in jobs), "an array of two jobs"
    submitted = [trial for job in jobs for trial in job.trials]
    assert len(submitted) == len(set(submitted)) == 8
    assert "%1" in (run / "jobs" / f"{jobs[0].id.split('_')[0]}_submission.sh").read_text(), "one job at a time"
    waited = timetrial("run", *arguments, "--wait")
    assert waited.returncode == 0, waited.stderr + _logs(run)
    assert len(read_jobs(RunFolder(run))) == 2
    assert _logs(run).count(" stopped by max_steps=") == 8
    status = timetrial("status", str(run), "--watch")
    assert all(job.id in status.stdout and job.log in status.stdout for job in jobs)


def test_a_failing_submission_fails_its_job_and_the_command_that_waits(run, submissions, capfd):
    assert cli.main(["run", "--wait", *overrides(run, "broken,plain", trials=1), *SLURM]) == 1
    (job,) = read_jobs(RunFolder(run))
    wait_for(lambda: job.id not in read_queue(), "the job to end")
    assert "JobState=FAILED" in _show(job.id)
    capfd.readouterr()
    assert cli.main(["status", str(run)]) == 0
    shown = capfd.readouterr().out
    assert "broken/external/modular_division/study_0/trial_0: crashed: RuntimeError: broken on purpose" in shown
    assert [state.state for state in trial_states(RunFolder(run))] == ["failed", "done"]


def test_a_preempted_job_stops_with_a_checkpoint_is_requeued_and_ends_as_if_undisturbed(run, tmp_path, submissions):
    calm = tmp_path / "calm"
    assert cli.main(["run", *overrides(calm, "sleepy", trials=1, steps=100), *LOCAL, SLEEPY_BUDGET]) == 0
    assert cli.main(["run", *overrides(run, "sleepy", trials=1, steps=100), *SLURM, SLEEPY_BUDGET]) == 0
    wait_for(lambda: lines_written(run) >= 3, "the first evaluations")
    (job,) = read_jobs(RunFolder(run))
    for number in ("TERM", "USR2"):  # as SLURM does with PreemptParameters=send_user_signal
        subprocess.run(["scancel", f"--signal={number}", job.id], check=True)
    wait_for(lambda: "Restarts=1" in _show(job.id), "the job to be requeued")
    _wait_until_over(run)
    assert "stopped with a checkpoint" in _logs(run)
    assert metrics(run) == metrics(calm)
    assert len(_steps(run)) == len(set(_steps(run))), "it went on at the checkpoint, and repeated nothing"


def test_a_job_that_reaches_its_time_limit_is_requeued_and_goes_on(run, submissions):
    # A budget is in paced seconds, which pass faster than measured ones on a machine that is faster than the suite's.
    limits = ("executor.time=2", "suite.workloads.modular_division.budget_seconds=1500")
    assert cli.main(["run", *overrides(run, "sleepy", trials=1, steps=2400), *SLURM, *limits]) == 0
    (job,) = read_jobs(RunFolder(run))
    wait_for(lambda: "Restarts=1" in _show(job.id), "the job to be requeued", seconds=150)
    _wait_until_over(run, seconds=200)
    assert len(_steps(run)) == len(set(_steps(run))) == 240


def test_cancel_empties_the_queue_and_the_same_command_goes_on(run, submissions):
    arguments = [*overrides(run, "sleepy", trials=1, steps=300), *SLURM, SLEEPY_BUDGET]
    assert cli.main(["run", *arguments]) == 0
    wait_for(lambda: lines_written(run) >= 1, "the first evaluation")
    (job,) = read_jobs(RunFolder(run))
    assert cli.main(["cancel", str(run)]) == 0
    wait_for(lambda: job.id not in read_queue(), "the job to end")
    assert cli.main(["run", *arguments, "--wait"]) == 0
    assert len(read_jobs(RunFolder(run))) == 2


def test_sbatch_that_refuses_is_one_line(run):
    done = timetrial("run", *overrides(run), *SLURM, "executor.partition=nowhere")
    assert done.returncode == 2
    assert re.search("sbatch refused: .*partition", done.stderr.splitlines()[-1]) and "Traceback" not in done.stderr


def test_trials_of_a_node_that_dies_are_run_again(run, submissions):
    """The node daemon and all processes of the job are killed, as a power cut does; then the node comes back."""
    configuration = Path(os.environ.get("SLURM_CONF", "none"))
    pid_file = configuration.parent / "slurmd.pid"
    if not pid_file.exists():
        pytest.skip("only a cluster that scripts/local_slurm has started may lose its node")
    assert cli.main(["run", *overrides(run, "sleepy", trials=1, steps=100), *SLURM, SLEEPY_BUDGET]) == 0
    wait_for(lambda: lines_written(run) >= 2, "the first evaluations")
    (job,) = read_jobs(RunFolder(run))
    kill(int(pid_file.read_text()))
    try:
        for pid in _processes_of(job.id):
            kill(pid, signal.SIGKILL)
        wait_for(lambda: "NODE_FAIL" in _show(job.id) or "Restarts=1" in _show(job.id), "SLURM to notice", seconds=90)
    finally:
        subprocess.run(["slurmd", "-f", str(configuration), "-N", os.uname().nodename], check=True, capture_output=True)
    _wait_until_over(run)
    assert len(metrics(run)["sleepy/external/modular_division/study_0/trial_0"]) == 10


def _processes_of(job: str) -> list[int]:
    """List the step daemons of a job, and with them the processes that have its id in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if re.match(rf"slurmstepd: \[{job}\.".encode(), line) or f"SLURM_JOB_ID={job}\0".encode() in variables:
                found.append(int(folder.name))
    return sorted(found)
