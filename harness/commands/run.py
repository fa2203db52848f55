"""Run the trials of one or several submissions; the same command again goes on where it was stopped."""

import argparse
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timetrial.harness.planning.spec import TrialSpec
    from timetrial.harness.runs.folder import RunFolder
    from timetrial.harness.runs.slurm import Resources

EXAMPLE = "timetrial run submission=[sgd,adamw] suite=mini ruleset=external data_root=DIR"
POLL_SECONDS = 5.0
"""How often `--wait` looks at the jobs of a cluster."""
RESUBMISSIONS = 3
"""How often `--wait` submits again what lost its job, without a trial having ended in between."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="Hydra overrides of configs/config.yaml: submission, suite, ruleset, executor, run, data_root, ...",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="with executor=slurm: wait for all trials, exit with 1 if one failed, and resubmit what loses its job",
    )


def main(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `timetrial cancel`, or a machine that shuts down
    command = shlex.join(["timetrial", "run", *options.overrides])
    try:
        return _run(options, command)
    except KeyboardInterrupt:
        print(f"stopped; everything is kept. Go on with: {command}", file=sys.stderr)
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"timetrial run: {where}{error.strerror or error}{_KEPT} {command}", file=sys.stderr)
        return 1


_KEPT = "; what was written stays as it is. Once this is mended, go on with:"


def _run(options: argparse.Namespace, command: str) -> int:
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.environment import choose_device
    from timetrial.harness.planning.places import RUNS
    from timetrial.harness.planning.plan import add_reference, check_space, plan_trials, submission_list
    from timetrial.harness.runs.folder import RunFolder
    from timetrial.harness.runs.local import slots_and_threads
    from timetrial.harness.runs.slurm import read_resources

    config = compose(options.overrides)
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
        print(f"note: {note}: {run.name} goes on with the source that it keeps; run=NAME starts anew", file=sys.stderr)
    plan = plan_trials(config, {folder: source_hash for folder, source_hash, _ in found}, device, threads)
    plan = add_reference(config, plan, device, threads)
    run.add(plan)
    if config["executor"]["name"] == "slurm":
        return _run_on_cluster(run, plan, resources, config["data_root"], options.wait)
    return _run_here(run, plan, slots, threads, config["data_root"], command)


def _run_here(
    run: "RunFolder", plan: "list[TrialSpec]", slots: int, threads: int, data_root: str | None, command: str
) -> int:
    from timetrial.harness.runs.local import run_locally
    from timetrial.harness.runs.progress_bar import Progress
    from timetrial.harness.runs.slot import SlotAssignment
    from timetrial.harness.runs.trial_state import trial_states

    states = trial_states(run, [run.trial(spec) for spec in plan])
    to_do = tuple(state.name for state in states if not state.is_over)
    with Progress(run.path, plan, done=len(plan) - len(to_do)) as progress:
        if to_do:
            assignment = SlotAssignment(str(run.path), to_do, data_root, cores=None)
            run_locally(assignment, min(slots, len(to_do)), threads, plan[0].device, progress)
    code = _sum_up(run, plan)
    if progress.failed:
        print(f"timetrial run: {progress.failed[0]}{_KEPT} {command}", file=sys.stderr)
    return 2 if progress.blocked else code


def _run_on_cluster(
    run: "RunFolder", plan: "list[TrialSpec]", resources: "Resources", data_root: str | None, wait: bool
) -> int:
    from timetrial.harness.runs.slurm import submit
    from timetrial.harness.runs.trial_state import trial_states

    jobs = submit(run, plan, resources, data_root)
    _announce(run, jobs)
    if not wait:
        if not jobs:
            print(f"{run.name}: nothing to submit: all trials have ended, or are in jobs already", file=sys.stderr)
        print(run.reference)
        print(f"next: timetrial status {run.reference} --watch    timetrial cancel {run.reference}", file=sys.stderr)
        return 0
    ended, resubmissions = -1, 0
    folders = [run.trial(spec) for spec in plan]
    while True:
        over = sum(state.is_over for state in trial_states(run, folders))
        if over != ended:
            ended, resubmissions = over, 0
            print(f"{run.name}: {over} of {len(plan)} trials have ended", file=sys.stderr, flush=True)
        if over == len(plan):
            break
        time.sleep(POLL_SECONDS)
        again = submit(run, plan, resources, data_root) if resubmissions < RESUBMISSIONS else []
        _announce(run, again)
        resubmissions += bool(again)
        if resubmissions == RESUBMISSIONS:
            print(f"{run.name}: jobs end and leave trials behind; timetrial status names their logs", file=sys.stderr)
            break
    return _sum_up(run, plan)


def _announce(run: "RunFolder", jobs: list[Any]) -> None:
    if jobs:
        trials = sum(len(job.trials) for job in jobs)
        named = jobs[0].id if len(jobs) == 1 else f"{jobs[0].id} to {jobs[-1].id}"
        print(f"{run.name}: {trials} trials in {len(jobs)} jobs, {named}; logs in {run.jobs}", file=sys.stderr)


def _sum_up(run: "RunFolder", plan: "list[TrialSpec]") -> int:
    """Print how the trials of the plan stand; gives the exit code."""
    from collections import Counter

    from timetrial.harness.runs.trial_state import trial_states

    states = trial_states(run, [run.trial(spec) for spec in plan])
    counts = Counter(state.status or state.state for state in states)
    print(f"{run.name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())), file=sys.stderr)
    print(f"next: timetrial score {run.reference}    timetrial report {run.reference}", file=sys.stderr)
    return int(any(state.state != "done" for state in states))
