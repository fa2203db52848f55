"""Show what of a run is done, running, waiting or failed, with reasons, cluster jobs and logs. It changes nothing."""

import argparse
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError

if TYPE_CHECKING:
    from timetrial.harness.runs.folder import RunFolder

EXAMPLE = "timetrial status mini --watch"
FORMATS = ("table", "json")
WATCH_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument(
        "--watch", action="store_true", help="show it again and again until nothing runs or waits in SLURM"
    )
    parser.add_argument("--format", default="table", help="table, or json")


def main(options: argparse.Namespace) -> int:
    if options.format not in FORMATS:
        raise UsageError(f"--format {options.format}: choose one of {', '.join(FORMATS)}")
    from timetrial.harness.entries.find import find_run

    run = find_run(options.run)
    status = read_status(run)
    if not status["submissions"]:
        raise UsageError(f"no trials in {run.path}: timetrial run makes some")
    if options.watch:
        _watch(run, options.format)
    elif options.format == "json":
        print(json.dumps(status, indent=1))
    else:
        _console().print(_table(status))
    return 0


def read_status(run: "RunFolder") -> dict[str, Any]:
    """Describe a run in what JSON can hold."""
    from timetrial.harness.runs.jobs import read_jobs, read_queue
    from timetrial.harness.runs.trial_state import STATES, trial_states

    states = trial_states(run)
    over = {state.name for state in states if state.is_over}
    submissions: dict[str, dict[str, int]] = {}
    for state in states:
        counts = submissions.setdefault(state.submission, dict.fromkeys(STATES, 0))
        counts[state.state] += 1
    jobs, note = [], None
    records = read_jobs(run)
    try:
        queue = read_queue() if any(set(job.trials) - over for job in records) else {}
    except UsageError as error:
        queue, note = {}, str(error)
    for job in records:
        queued = queue.get(job.id)
        ended = "ended" if note is None or not set(job.trials) - over else "unknown"
        jobs.append(
            {
                "id": job.id,
                "state": ended if queued is None else queued.state.lower(),
                "where": None if queued is None else queued.node or queued.reason,
                "trials": len(job.trials),
                "over": len(set(job.trials) & over),
                "log": job.log,
            }
        )
    return {
        "run": run.name,
        "path": str(run.path),
        "trials": dict(Counter(state.status or state.state for state in states)),
        "submissions": submissions,
        "running": [{"trial": s.name, **_who(s.holder)} for s in states if s.state == "running"],
        "failed": [
            {"trial": s.name, "status": s.status, "reason": s.reason, "folder": str(s.folder.path)}
            for s in states
            if s.state == "failed"
        ],
        "corrupt": [{"trial": s.name, "reason": s.reason} for s in states if s.state == "corrupt"],
        "jobs": jobs,
        "note": note,
    }


def _who(holder: dict[str, Any] | None) -> dict[str, Any]:
    return {key: (holder or {}).get(key) for key in ("host", "pid", "job")}


def _watch(run: "RunFolder", form: str) -> None:
    """Show the status until nothing runs: in place in a terminal, elsewhere once for each change."""
    from rich.live import Live

    console, shown = _console(), None
    live = Live(console=console, auto_refresh=False) if console.is_terminal and form == "table" else None
    if live:
        live.start()
    try:
        while True:
            status = read_status(run)
            if live:
                live.update(_table(status), refresh=True)
            elif status != shown:
                console.print_json(data=status) if form == "json" else console.print(_table(status))
            shown = status
            if not status["running"] and all(job["state"] in ("ended", "unknown") for job in status["jobs"]):
                return
            time.sleep(WATCH_SECONDS)
    finally:
        if live:
            live.stop()


def _console():
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def _table(status: dict[str, Any]):
    from rich.console import Group
    from rich.text import Text

    parts = [_counts(status)]
    for failed in status["failed"]:
        parts.append(Text(f"failed   {failed['trial']}: {failed['status']}: {failed['reason']}"))
    for corrupt in status["corrupt"]:
        parts.append(Text(f"corrupt  {corrupt['reason']}"))
    for running in status["running"]:
        where = f"job {running['job']} on " if running["job"] else ""
        parts.append(Text(f"running  {running['trial']}: {where}{running['host']}, process {running['pid']}"))
    if status["jobs"]:
        parts.append(_jobs(status))
    if status["note"]:
        parts.append(Text(status["note"]))
    if status["corrupt"]:
        parts.append(Text("timetrial run, as before, runs the corrupt trials again, and only what else is missing"))
    return Group(*parts)


def _counts(status: dict[str, Any]):
    from rich.table import Table

    from timetrial.harness.runs.trial_state import STATES

    table = Table(box=None, pad_edge=False)
    table.add_column(status["run"])
    for state in STATES:
        table.add_column(state, justify="right")
    for submission, counts in status["submissions"].items():
        table.add_row(submission, *(str(counts[state]) for state in STATES))
    return table


def _jobs(status: dict[str, Any]):
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("job", "state", "trials over", "node or reason", "log"):
        table.add_column(name, overflow="fold")
    for job in status["jobs"]:
        table.add_row(job["id"], job["state"], f"{job['over']} of {job['trials']}", job["where"] or "", job["log"])
    return table
