"""Run the trials of one or several submissions; the same command again goes on where it was stopped."""

import argparse
import sys
from typing import Any

from harness.environment import gpus
from harness.errors import UsageError

EXAMPLE = "timetrial run submission=[sgd,adamw] suite=mini ruleset=external data_root=DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="Hydra overrides of configs/config.yaml: submission, suite, ruleset, executor, run, data_root, workloads, ...",
    )


def main(options: argparse.Namespace) -> int:
    from harness.configuration import compose
    from harness.plan import make_plan
    from harness.runs.folder import RUNS, RunFolder
    from harness.runs.local import run_locally, slots_and_threads, unfinished
    from harness.runs.progress import Progress
    from harness.runs.slot import SlotAssignment

    config = compose(options.overrides)
    device = choose_device(config["device"])
    slots, threads = slots_and_threads(config["executor"], device)
    plan = make_plan(config, device, threads)
    run = RunFolder(RUNS / str(config["run"]))
    run.add(plan)
    folders = [run.trial(spec) for spec in plan]
    waiting = unfinished(folders)
    assignment = SlotAssignment(
        run=str(run.path),
        trials=tuple(spec.folder for spec in plan if not run.trial(spec).is_finished),
        data_root=config["data_root"],
        cores=None,
    )
    with Progress(run.path, plan, done=len(plan) - len(waiting)) as progress:
        try:
            run_locally(assignment, min(slots, max(1, len(waiting))), threads, device, progress) if waiting else None
        except KeyboardInterrupt:
            progress.note(f"stopped; everything is kept. Go on with: timetrial run {' '.join(options.overrides)}")
            return 130
    return _summary(run, plan, progress)


def choose_device(wanted: Any) -> str:
    """Choose cuda where there is a GPU and nothing else is asked for; raises `UsageError` for other names."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device is {wanted!r}: choose auto, cpu or cuda")
    if wanted == "cuda" and not gpus():
        raise UsageError("device=cuda, but nvidia-smi lists no GPU here: use device=cpu")
    return ("cuda" if gpus() else "cpu") if wanted == "auto" else wanted


FAILURES = ("crashed", "out_of_memory", "hung", "disqualified")
"""The statuses that make the exit code 1: the trial says nothing of how fast the submission trains."""


def _summary(run, plan, progress) -> int:
    from harness.records import CorruptRecord

    counts: dict[str, int] = {}
    for spec in plan:
        folder = run.trial(spec)
        try:
            status = folder.read_result().status if folder.is_finished else "missing"
        except CorruptRecord:
            status = "corrupt"
        counts[status] = counts.get(status, 0) + 1
    print(f"{run.name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())), file=sys.stderr)
    print(f"next: timetrial score {run.name}    timetrial report {run.name}", file=sys.stderr)
    if progress.blocked:
        return 2
    return 1 if any(status in counts for status in (*FAILURES, "missing", "corrupt")) else 0
