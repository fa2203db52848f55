"""Where the trials of a plan run, slots of this machine or jobs of a cluster, and running them to their end there."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.environment import choose_device
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment
from timetrial.harness.runs.slurm import Resources, lost_trials, read_resources, submit
from timetrial.harness.runs.trial_state import TrialState, trial_states

if TYPE_CHECKING:
    from timetrial.harness.runs.jobs import Job

POLL_SECONDS = 5.0
"""How often the jobs of a cluster are looked at."""
PATIENCE_SECONDS = 3600.0
"""For how long a cluster may give no answer."""
RESUBMISSIONS = 3
"""How often what lost its job is submitted again, without a trial having ended in between."""


@dataclass(frozen=True)
class Place:
    """Where trials run: the executor of a configuration, read and checked."""

    device: str
    slots: int
    threads: int
    data_root: str | None
    resources: Resources | None
    """What a job of the cluster asks for; None: the slots of this machine."""
    keep_weights: bool = False
    """Whether the weights of each trial's last evaluation are kept in its folder."""

    @property
    def at_once(self) -> int:
        """How many trials run at the same time."""
        return self.slots * (self.resources.max_jobs if self.resources else 1)


def read_place(config: Mapping[str, Any]) -> Place:
    """Read `executor`, `device`, `data_root` and `keep_weights` of a configuration.

    Raises `UsageError` where one makes no sense.
    """
    keep, data_root = config["keep_weights"], config["data_root"]
    if not isinstance(keep, bool):
        raise UsageError(f"keep_weights is {keep!r}: write keep_weights=true or keep_weights=false")
    if data_root is not None and not isinstance(data_root, str):
        raise UsageError(f"data_root is {data_root!r}: give a folder, such as data_root=./{data_root}")
    if config["executor"]["name"] == "slurm":
        resources = read_resources(config["executor"], config["device"])
        return Place(resources.device, resources.slots, resources.threads, data_root, resources, keep)
    device = choose_device(config["device"])
    return Place(device, *slots_and_threads(config["executor"], device), data_root, None, keep)


def run_here(run: RunFolder, plan: Sequence[TrialSpec], place: Place) -> Progress:
    """Run what of a plan is not over in the slots of this machine; gives what was seen, trials blocked included."""
    states = states_of(run, plan)
    to_do = tuple(state.name for state in states if not state.is_over)
    with Progress(run.path, plan, done=len(plan) - len(to_do)) as progress:
        if to_do:
            assignment = SlotAssignment(
                str(run.path), to_do, place.data_root, cores=None, keep_weights=place.keep_weights
            )
            run_locally(assignment, min(place.slots, len(to_do)), place.threads, place.device, progress)
    return progress


def submit_plan(run: RunFolder, plan: Sequence[TrialSpec], place: Place) -> "list[Job]":
    """Submit what of a plan is neither over nor in a job, and say so."""
    jobs = submit(run, plan, place.resources, place.data_root, place.keep_weights)
    if jobs:
        trials = sum(len(job.trials) for job in jobs)
        named = jobs[0].id if len(jobs) == 1 else f"{jobs[0].id} to {jobs[-1].id}"
        print(f"{run.name}: {trials} trials in {len(jobs)} jobs, {named}; logs in {run.jobs}", file=sys.stderr)
    return jobs


def wait_for_jobs(run: RunFolder, plan: Sequence[TrialSpec], place: Place) -> None:
    """Return when all trials of a submitted plan are over; those that lose their job are submitted again.

    A cluster that does not answer is asked again. Raises `UsageError` where it has not answered for `PATIENCE_SECONDS`.
    """
    ended, resubmissions, answered = -1, 0, time.monotonic()
    while True:
        over = sum(state.is_over for state in states_of(run, plan))
        if over != ended:
            ended, resubmissions = over, 0
            print(f"{run.name}: {over} of {len(plan)} trials have ended", file=sys.stderr, flush=True)
        if over == len(plan):
            return
        time.sleep(POLL_SECONDS)
        try:
            if resubmissions < RESUBMISSIONS:
                resubmissions += bool(submit_plan(run, plan, place))
            elif lost_trials(run, plan):
                print(
                    f"{run.name}: jobs end and leave trials behind; timetrial status names their logs", file=sys.stderr
                )
                return
            answered = time.monotonic()
        except UsageError as error:
            if time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            print(f"{run.name}: {error}; asking again", file=sys.stderr, flush=True)


def run_to_end(run: RunFolder, plan: Sequence[TrialSpec], place: Place) -> None:
    """Add a plan to a run, and return when each of its trials has trained to an end.

    Raises `UsageError` naming the first that has not: its data are missing, it failed, or its job was lost.
    """
    run.add(plan)
    if place.resources is None:
        progress = run_here(run, plan, place)
        for reason in (*progress.blocked.values(), *progress.failed):
            raise UsageError(reason)
    else:
        submit_plan(run, plan, place)
        wait_for_jobs(run, plan, place)
    for state in states_of(run, plan):
        if state.state != "done":
            raise TrialLost(f"{state.folder.path}: {state.status or state.state}: {state.reason or 'see its folder'}")


class TrialLost(UsageError):
    """A trial that says nothing about speed: it crashed, ran out of memory, was disqualified, or lost its job."""


def states_of(run: RunFolder, plan: Sequence[TrialSpec]) -> list[TrialState]:
    return trial_states(run, [run.trial(spec) for spec in plan])
