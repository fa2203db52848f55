"""Run the trials of one or several submissions; the same command again goes on where it was stopped."""

import argparse
import shlex
import signal
import sys

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
    from timetrial.harness.runs.execute import run_here, submit_plan, wait_for_jobs
    from timetrial.harness.runs.start import start

    started = start(options.overrides)
    run_plan_place = started.run, started.plan, started.place
    reference, progress = started.run.reference, None
    if started.place.resources is None:
        progress = run_here(*run_plan_place)
    else:
        jobs = submit_plan(*run_plan_place)
        if not options.wait:
            if not jobs:
                nothing = "nothing to submit: all trials have ended, or are in jobs already"
                print(f"{started.run.name}: {nothing}", file=sys.stderr)
            print(reference)
            print(f"next: timetrial status {reference} --watch    timetrial cancel {reference}", file=sys.stderr)
            return 0
        wait_for_jobs(*run_plan_place)
    print(started.sum_up(), file=sys.stderr)
    missing = any(state.state != "done" for state in started.states())
    name = shlex.quote(reference)
    print("next:", command if missing else f"timetrial score {name}    timetrial report {name}", file=sys.stderr)
    if progress and progress.failed:
        print(f"timetrial run: {progress.failed[0]}{_KEPT} {command}", file=sys.stderr)
    if progress and progress.blocked:
        return 2
    return int(missing)
