"""Run the trials of one or several submissions; the same command again goes on where it was stopped."""

import argparse
import shlex
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetrial.harness.planning.spec import TrialSpec
    from timetrial.harness.runs.execute import Place
    from timetrial.harness.runs.folder import RunFolder

EXAMPLE = "timetrial run submission=[sgd,adamw] suite=mini ruleset=external data_root=DIR"


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
    from timetrial.harness.planning.places import RUNS
    from timetrial.harness.planning.plan import add_reference, make_plan
    from timetrial.harness.runs.execute import read_place, run_here
    from timetrial.harness.runs.folder import RunFolder

    config = compose(options.overrides)
    place = read_place(config)
    run = RunFolder((RUNS / str(config["run"])).resolve())
    plan = add_reference(config, make_plan(config, place.device, place.threads), place.device, place.threads)
    run.add(plan)
    if place.resources is not None:
        return _run_on_cluster(run, plan, place, options.wait)
    progress = run_here(run, plan, place)
    code = _sum_up(run, plan)
    if progress.failed:
        print(f"timetrial run: {progress.failed[0]}{_KEPT} {command}", file=sys.stderr)
    return 2 if progress.blocked else code


def _run_on_cluster(run: "RunFolder", plan: "list[TrialSpec]", place: "Place", wait: bool) -> int:
    from timetrial.harness.runs.execute import submit_plan, wait_for_jobs

    jobs = submit_plan(run, plan, place)
    if not wait:
        if not jobs:
            print(f"{run.name}: nothing to submit: all trials have ended, or are in jobs already", file=sys.stderr)
        print(run.reference)
        print(f"next: timetrial status {run.reference} --watch    timetrial cancel {run.reference}", file=sys.stderr)
        return 0
    wait_for_jobs(run, plan, place)
    return _sum_up(run, plan)


def _sum_up(run: "RunFolder", plan: "list[TrialSpec]") -> int:
    """Print how the trials of the plan stand; gives the exit code."""
    from collections import Counter

    from timetrial.harness.runs.execute import states_of

    states = states_of(run, plan)
    counts = Counter(state.status or state.state for state in states)
    print(f"{run.name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())), file=sys.stderr)
    print(f"next: timetrial score {run.reference}    timetrial report {run.reference}", file=sys.stderr)
    return int(any(state.state != "done" for state in states))
