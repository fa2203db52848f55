"""The cluster jobs of a run: what each was given, where its log is, and whether SLURM still has it."""

import contextlib
import getpass
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.records.files import write_atomically
from timetrial.harness.runs.folder import RunFolder


@dataclass(frozen=True)
class Job:
    """A job as it was submitted; its JSON is `jobs/ID.json` in the folder of the run."""

    id: str
    """As SLURM names it: 17, or 17_3 in an array."""
    trials: tuple[str, ...]
    log: str
    submitted_at: str


@dataclass(frozen=True)
class Queued:
    """A job that waits or runs, as `squeue` shows it."""

    state: str
    reason: str
    node: str


def write_job(run: RunFolder, job: Job) -> None:
    write_atomically(run.jobs / f"{job.id}.json", json.dumps(asdict(job), indent=1) + "\n")


def read_jobs(run: RunFolder) -> list[Job]:
    """List the jobs that were submitted for a run, the first one first.

    A record that cannot be read is left out: at worst its trials are submitted twice, and run once all the same.
    """
    jobs = []
    for file in run.jobs.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            given = json.loads(file.read_text())
            jobs.append(Job(**{**given, "trials": tuple(given["trials"])}))
    return sorted(jobs, key=lambda job: [int(number) for number in job.id.split("_")])


def read_queue() -> dict[str, Queued]:
    """Ask SLURM for this person's jobs that wait or run; raises `UsageError` where it does not answer."""
    form = "%i|%T|%r|%N"
    output = slurm("squeue", "--noheader", "--array", f"--user={getpass.getuser()}", f"--format={form}")
    return {line.split("|")[0].strip(): Queued(*line.split("|")[1:4]) for line in output.splitlines() if line.strip()}


def cancel_jobs(ids: Iterable[str]) -> None:
    """Have SLURM cancel jobs, those that wait and those that run."""
    ids = list(ids)
    if ids:
        slurm("scancel", *ids)


def slurm(program: str, *arguments: str) -> str:
    """Run a program of SLURM and give its output; raises `UsageError` with the last line of what it says."""
    if shutil.which(program) is None:
        raise UsageError(f"executor=slurm: there is no {program} on this machine; run it where sbatch works")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise UsageError(f"executor=slurm: {program} does not answer within 60 s; try again later") from None
    if done.returncode:
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise UsageError(f"executor=slurm: {program}: {said.removeprefix(f'{program}: ')}")
    return done.stdout


def log_of(folder: Path, job_id: str) -> Path:
    """Say where submitit writes what a job prints."""
    return folder / f"{job_id}_0_log.out"
