"""Cancel what waits and runs of a run: its cluster jobs, and `timetrial run` on this machine. All records are kept."""

import argparse
import contextlib
import os
import signal
import sys

EXAMPLE = "timetrial cancel mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.runs.claims import is_here, started_at
    from timetrial.harness.runs.jobs import cancel_jobs, read_jobs, read_queue
    from timetrial.harness.runs.trial_state import trial_states

    run = find_run(options.run)
    records = read_jobs(run)
    queue = read_queue() if records else {}
    jobs = [job.id for job in records if job.id in queue]
    cancel_jobs(jobs)
    cancelled = [f"job {job}" for job in jobs]
    out_of_reach = []
    for state in trial_states(run):
        holder = state.holder
        if holder is None or holder["job"]:
            continue
        name = f"timetrial run on {holder['host']}, process {holder['runner']}"
        if not is_here(holder):
            out_of_reach.append(name)
        elif name not in cancelled and started_at(holder["runner"]) == holder["runner_started"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder["runner"], signal.SIGTERM)
                cancelled.append(name)
    print(
        f"cancelled: {', '.join(cancelled)}" if cancelled else f"nothing of {run.name} waits or runs", file=sys.stderr
    )
    for name in sorted(set(out_of_reach)):
        print(f"out of reach from here: {name}; stop it there", file=sys.stderr)
    return 0
