"""Starting a run: from overrides to a folder with its plan, and its trials run here or in the jobs of a cluster."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import choose_device
from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.plan import add_reference, check_space, plan_trials, submission_list
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment
from timetrial.harness.runs.slurm import Resources, read_resources, submit
from timetrial.harness.runs.trial_state import TrialState, trial_states

if TYPE_CHECKING:
    from timetrial.harness.runs.jobs import Job

POLL_SECONDS = 5.0
"""How often the jobs of a cluster are looked at."""
RESUBMISSIONS = 3
"""How often what lost its job is submitted again, without a trial having ended in between."""


@dataclass(frozen=True)
class Start:
    """A run whose plan is written, and where its trials are to run."""

    run: RunFolder
    plan: list[TrialSpec]
    slots: int
    threads: int
    data_root: str | None
    resources: Resources | None
    """What a job of the cluster gets; None: the trials run on this machine."""

    def states(self) -> list[TrialState]:
        """Say how the trials of the plan stand."""
        return trial_states(self.run, [self.run.trial(spec) for spec in self.plan])

    def sum_up(self) -> str:
        """Count how the trials of the plan stand, in a line."""
        counts = Counter(state.status or state.state for state in self.states())
        return f"{self.run.name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def start(overrides: Sequence[str]) -> Start:
    """Plan the trials that overrides of `configs/config.yaml` ask for, and write the plan into the run's folder."""
    config = compose(list(overrides))
    resources = None
    if config["executor"]["name"] == "slurm":
        resources = read_resources(config["executor"], config["device"])
        device, slots, threads = resources.device, resources.slots, resources.threads
    else:
        device = choose_device(config["device"])
        slots, threads = slots_and_threads(config["executor"], device)
    run = RunFolder((RUNS / str(config["run"])).resolve())
    found = [run.find(typed, config["space"]) for typed in submission_list(config["submission"])]
    check_space(config, [folder for folder, _, _ in found])
    for note in (note for _, _, note in found if note):
        _say(f"note: {note}: {run.name} goes on with the source that it keeps; run=NAME starts anew")
    plan = plan_trials(config, {folder: source_hash for folder, source_hash, _ in found}, device, threads)
    plan = add_reference(config, plan, device, threads)
    run.add(plan)
    return Start(run, plan, slots, threads, config["data_root"], resources)


def run_here(started: Start) -> Progress:
    """Run what has not ended in slots on this machine, and show how it goes; gives what was seen."""
    run, plan = started.run, started.plan
    to_do = tuple(state.name for state in started.states() if not state.is_over)
    with Progress(run.path, plan, done=len(plan) - len(to_do)) as progress:
        if to_do:
            assignment = SlotAssignment(str(run.path), to_do, started.data_root, cores=None)
            run_locally(assignment, min(started.slots, len(to_do)), started.threads, plan[0].device, progress)
    return progress


def submit_jobs(started: Start) -> "list[Job]":
    """Submit what is in no job yet to the cluster, and say so on standard error; gives the jobs."""
    jobs = submit(started.run, started.plan, started.resources, started.data_root)
    if jobs:
        trials = sum(len(job.trials) for job in jobs)
        named = jobs[0].id if len(jobs) == 1 else f"{jobs[0].id} to {jobs[-1].id}"
        _say(f"{started.run.name}: {trials} trials in {len(jobs)} jobs, {named}; logs in {started.run.jobs}")
    return jobs


def wait_for_jobs(started: Start) -> None:
    """Wait until all trials of a run on the cluster have ended, and submit again what lost its job."""
    ended, resubmissions = -1, 0
    while True:
        over = sum(state.is_over for state in started.states())
        if over != ended:
            ended, resubmissions = over, 0
            _say(f"{started.run.name}: {over} of {len(started.plan)} trials have ended")
        if over == len(started.plan):
            return
        time.sleep(POLL_SECONDS)
        again = submit_jobs(started) if resubmissions < RESUBMISSIONS else []
        resubmissions += bool(again)
        if resubmissions == RESUBMISSIONS:
            _say(f"{started.run.name}: jobs end and leave trials behind; timetrial status names their logs")
            return


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
