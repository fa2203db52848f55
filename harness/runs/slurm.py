"""The SLURM executor: trials packed into jobs, submitted as an array through submitit."""

import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.runs.claims import take_claim
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.jobs import Job, log_of, read_jobs, read_queue, write_job
from timetrial.harness.runs.local import LocalSlots, share_out, whole
from timetrial.harness.runs.packing import pack
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment
from timetrial.harness.runs.trial_state import trial_states

REQUEUES = 1000
"""How often a job goes on after its time limit; a job that makes no progress ends by the rules for trials instead."""


@dataclass(frozen=True)
class Resources:
    """What a job asks SLURM for; the fields are the options of `executor=slurm`."""

    device: str
    slots: int
    threads: int
    time: int
    """Minutes."""
    max_jobs: int
    sbatch: dict[str, Any]
    """The parameters that submitit hands to sbatch."""

    @property
    def stop_seconds(self) -> int:
        """How long before its end a job is told to stop."""
        return min(90, 15 * self.time)


def read_resources(options: Mapping[str, Any], device: Any) -> Resources:
    """Check the options of `executor=slurm`; raises `UsageError` where one makes no sense."""
    gpus = options["gpus"]
    count = str(gpus).rpartition(":")[2]
    if not count.isdigit():
        raise UsageError(f"executor.gpus is {gpus!r}: give a number, or TYPE:NUMBER such as a100:1")
    if (device == "cuda" and count == "0") or (device == "cpu" and count != "0"):
        raise UsageError(f"device={device} with executor.gpus={gpus}: the GPUs of a job decide where it trains")
    cpus, minutes = whole(options["cpus"], "cpus"), whole(options["time"], "time")
    slots, threads = share_out(options, int(count), cpus, _bytes_of(options["memory"]))
    names = {"partition": "partition", "account": "account", "qos": "qos", "constraint": "constraint", "memory": "mem"}
    given = {theirs: options[ours] for ours, theirs in names.items() if options[ours] is not None}
    resources = Resources(
        device="cuda" if int(count) else "cpu",
        slots=slots,
        threads=threads,
        time=minutes,
        max_jobs=whole(options["max_jobs"], "max_jobs"),
        sbatch=given | ({"gpus_per_node": gpus} if int(count) else {}),
    )
    resources.sbatch.update(
        time=minutes,
        cpus_per_task=cpus,
        srun_args=[f"--cpus-per-task={cpus}"],  # which srun does not take over from sbatch since SLURM 22.05
        signal_delay_s=resources.stop_seconds,
        setup=list(options["setup"]),
        stderr_to_stdout=True,
        additional_parameters={"requeue": True, **options["additional_parameters"]},
    )
    return resources


def _bytes_of(memory: Any) -> float:
    """Read what `--mem` takes, such as 64G, or 4000 for so many MiB; infinite where nothing can be told of it."""
    read = re.fullmatch(r"(\d+)([KMGT]?)B?", str(memory), re.IGNORECASE)
    return int(read[1]) * 1024 ** (1 + "KMGT".index(read[2].upper() or "M")) if read and int(read[1]) else math.inf


@dataclass
class SlotJob:
    """What a job runs: slots on its node. submitit calls it, and `checkpoint` on the signal before the end of a job."""

    assignment: SlotAssignment
    resources: Resources
    working: LocalSlots | None = field(default=None, compare=False)

    def __call__(self) -> None:
        import submitit

        run = RunFolder(Path(self.assignment.run))
        specs = [TrialFolder(run.path / trial).read_spec() for trial in self.assignment.trials]
        folders = [run.trial(spec) for spec in specs]
        done = sum(state.is_over for state in trial_states(run, folders))
        assignment = replace(self.assignment, job=submitit.JobEnvironment().job_id)
        with Progress(run.path, specs, done) as progress:
            self.working = LocalSlots(assignment, self.resources.slots, self.resources.threads, self.resources.device)
            self.working.run(progress)
        bad = [state for state in trial_states(run, folders) if state.state != "done"]
        if bad:
            named = ", ".join(f"{state.name} {state.status or state.state}" for state in bad[:5])
            raise TrialsFailed(f"{len(bad)} of {len(specs)} trials have not trained to an end: {named}")

    def checkpoint(self) -> Any:
        """Stop at the next evaluation point; the job is requeued with the same assignment, and goes on there."""
        from submitit.helpers import DelayedSubmission

        if self.working is not None:
            in_time = self.working.stop(0.8 * self.resources.stop_seconds)
            where = (
                "stopped with a checkpoint"
                if in_time
                else "killed, too far from an evaluation point: goes on before it"
            )
            print(f"slots {where}; the job is requeued", file=sys.stderr, flush=True)
        return DelayedSubmission(SlotJob(self.assignment, self.resources))


class TrialsFailed(Exception):
    """Makes a job fail in the eyes of SLURM, so that nobody takes it for a success."""


def submit(
    run: RunFolder, plan: Sequence[TrialSpec], resources: Resources, data_root: str | None, keep_weights: bool = False
) -> list[Job]:
    """Submit the trials of `plan` that are neither over, nor claimed, nor in a job that waits or runs.

    Raises `UsageError` where SLURM refuses.
    """
    with _alone(run):
        queued = _queued_jobs(run)
        packs = pack(
            _missing(run, plan, queued),
            resources.time * 60 - resources.stop_seconds,
            resources.slots,
            resources.max_jobs,
        )
        root = None if data_root is None else str(Path(data_root).resolve())
        assignments = [
            SlotAssignment(
                str(run.path), tuple(spec.folder for spec in trials), root, cores=None, keep_weights=keep_weights
            )
            for trials in packs
        ]
        return _submit_jobs(run, assignments, resources, max(1, resources.max_jobs - len(queued)))


def lost_trials(run: RunFolder, plan: Sequence[TrialSpec]) -> list[TrialSpec]:
    """List the trials of `plan` that are neither over, nor claimed, nor in a job that waits or runs."""
    return _missing(run, plan, _queued_jobs(run))


def _queued_jobs(run: RunFolder) -> list[Job]:
    queue = read_queue()
    return [job for job in read_jobs(run) if job.id in queue]


def _missing(run: RunFolder, plan: Sequence[TrialSpec], queued: Sequence[Job]) -> list[TrialSpec]:
    taken = {trial for job in queued for trial in job.trials}
    free = [spec for spec in plan if spec.folder not in taken]
    states = trial_states(run, [run.trial(spec) for spec in free])
    return [spec for spec, at in zip(free, states, strict=True) if at.state in ("waiting", "corrupt")]


def _submit_jobs(run: RunFolder, assignments: list[SlotAssignment], resources: Resources, at_once: int) -> list[Job]:
    if not assignments:
        return []
    from submitit import SlurmExecutor  # cloudpickle and asyncio, 0.2 s
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    tasks = [SlotJob(assignment, resources) for assignment in assignments]
    try:
        executor = SlurmExecutor(run.jobs, max_num_timeout=REQUEUES)
        executor.update_parameters(**resources.sbatch, job_name=f"timetrial-{run.name}", array_parallelism=at_once)
        with executor.batch():
            submitted = [executor.submit(task) for task in tasks]
    except (FailedSubmissionError, FailedJobError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if "error:" in line] or [str(error).splitlines()[0]]
        raise UsageError(f"executor=slurm: sbatch refused: {lines[0].removeprefix('sbatch: error: ')}") from None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    jobs = [
        Job(job.job_id, task.assignment.trials, str(log_of(run.jobs, job.job_id)), now)
        for job, task in zip(submitted, tasks, strict=True)
    ]
    for job in jobs:
        write_job(run, job)
    return jobs


@contextmanager
def _alone(run: RunFolder):
    """Have one submission for a run at a time; the second then sees what the first has queued."""
    run.jobs.mkdir(parents=True, exist_ok=True)
    while (claim := take_claim(run.jobs)) is None:
        time.sleep(0.2)
    with claim:
        yield
