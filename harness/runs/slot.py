"""A slot: a process that works through trials one after the other, and is the referee of each."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.records import CorruptRecord, TrialFolder
from harness.runs.claims import take_claim
from harness.runs.folder import RunFolder
from harness.spec import TrialSpec


@dataclass(frozen=True)
class SlotAssignment:
    """What a slot is to do; sent as a line of JSON."""

    run: str
    trials: tuple[str, ...]
    """Trial folders within the run, in the order in which they are tried."""
    data_root: str | None
    cores: tuple[int, ...] | None
    """The CPU cores to stay on; None for all."""
    job: str | None = None
    """The cluster job that the slot is, to name it in claims."""


Report = Callable[..., None]
"""`report(event, **fields)`: tell whoever started the slot what happens."""


def work(assignment: SlotAssignment, report: Report, stop: Callable[[], bool]) -> None:
    """Run every trial of the assignment that is neither finished nor claimed by another slot.

    Trials of a workload whose data are missing are reported as `blocked` and left; everything else ends in a record.
    """
    from harness.trial.arena import Arena  # imports torch, which takes a second
    from harness.trial.referee import Interrupted, run_trial
    from harness.trial.forkserver import prepare_forkserver

    run = RunFolder(Path(assignment.run))
    folders = [TrialFolder(run.path / trial) for trial in assignment.trials]
    specs = [folder.read_spec() for folder in folders]
    prepare_forkserver(
        specs, [file for name in {s.submission for s in specs} for file in run.source(name).rglob("*.py")]
    )
    arenas: dict[tuple[Any, ...], Arena | UsageError] = {}
    for spec, folder in zip(specs, folders, strict=True):
        if stop():
            return
        with _claimed(folder, assignment.job) as is_mine:
            if not is_mine:
                continue
            arena = _arena(arenas, spec, assignment.data_root)
            if isinstance(arena, UsageError):
                report("blocked", trial=spec.folder, reason=str(arena))
                continue
            report("started", trial=spec.folder)
            source = (run.source(spec.submission) / "submission.py").read_text()
            try:
                result = run_trial(spec, source, arena, folder, stop)
            except Interrupted:
                report("interrupted", trial=spec.folder)
                return
            except CorruptRecord as error:
                folder.remove_records()
                report("corrupt", trial=spec.folder, reason=str(error))
                result = run_trial(spec, source, arena, folder, stop)
            report("finished", trial=spec.folder, status=result.status, seconds=result.seconds, reason=result.reason)


@contextlib.contextmanager
def _claimed(folder: TrialFolder, job: str | None) -> Iterator[bool]:
    """Claim a trial that is not finished; gives whether it is ours to run."""
    claim = None if folder.is_finished else take_claim(folder.path, job)
    if claim is None:
        yield False
        return
    with claim:
        yield not folder.is_finished  # it may have been finished just before the claim


def _arena(arenas: dict, spec: TrialSpec, data_root: str | None) -> Any:
    from harness.trial.arena import Arena

    key = (json.dumps(asdict(spec.workload), sort_keys=True), spec.data, spec.variant_seed, spec.device, spec.threads)
    if key not in arenas:
        import torch

        torch.set_num_threads(spec.threads)
        try:
            arenas[key] = Arena(spec, None if data_root is None else Path(data_root))
        except UsageError as error:
            arenas[key] = error
    return arenas[key]


def main() -> None:
    """Run as a process: the assignment is the first line of standard input, reports are lines of standard output.

    SIGTERM stops at the next evaluation point, with a checkpoint. The end of standard input stops at once: whoever
    started the slot has gone.
    """
    assignment = SlotAssignment(**json.loads(sys.stdin.readline()))
    if assignment.cores is not None:
        os.sched_setaffinity(0, assignment.cores)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    reports, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no report

    def report(event: str, **fields: Any) -> None:
        reports.write(json.dumps({"event": event, **fields}) + "\n")
        reports.flush()

    try:
        work(assignment, report, stopping.is_set)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        report("failed", reason=f"{error.strerror or error}: {error.filename or ''}")
        sys.exit(1)


def _stop_at_end_of_input() -> None:
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGINT)
