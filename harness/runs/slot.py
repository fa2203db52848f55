"""A slot: a process that works through trials one after the other, and is the referee of each."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.source import read_copy
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, TrialFolder
from timetrial.harness.runs.claims import take_claim
from timetrial.harness.runs.folder import RunFolder

LOOK_AGAIN_SECONDS = 1.0
"""How often a slot that has nothing left to start looks whether a trial that another holds has become free."""
STOPPED = 130
"""The exit code of a slot that was told to stop at once."""


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
    keep_weights: bool = False
    """Whether the weights of each trial's last evaluation are kept in its folder."""


Report = Callable[..., None]
"""`report(event, **fields)`: tell whoever started the slot what happens."""


def work(assignment: SlotAssignment, report: Report, stop: Callable[[], bool]) -> None:
    """Run every trial of the assignment that is not finished, and wait for those that other slots hold.

    A trial whose holder dies is taken over. Trials of a workload whose data are missing are reported as `blocked` and
    left; everything else ends in a record. Returns when nothing is left, or at the next evaluation point once `stop`
    has become true.
    """
    from timetrial.harness.trial.forkserver import prepare_forkserver  # imports torch, which takes a second

    run = RunFolder(Path(assignment.run))
    open_trials = [TrialFolder(run.path / trial) for trial in assignment.trials]
    specs = {folder.path: folder.read_spec() for folder in open_trials}
    prepare_forkserver(specs.values())
    arenas = Arenas(assignment.data_root)
    while open_trials:
        held = []
        for folder in open_trials:
            if stop():
                return
            spec = specs[folder.path]
            if _has_ended(folder):
                report("found", trial=spec.folder)
                continue
            with _claimed(folder, assignment.job) as is_mine:
                if is_mine:
                    _run(spec, run, arenas, folder, report, stop, assignment.keep_weights)
                else:
                    held.append(folder)
        if held == open_trials:
            report("waiting", trials=[specs[folder.path].folder for folder in held])
            time.sleep(LOOK_AGAIN_SECONDS)
        open_trials = held


def _run(
    spec: TrialSpec,
    run: RunFolder,
    arenas: "Arenas",
    folder: TrialFolder,
    report: Report,
    stop: Callable[[], bool],
    keep_weights: bool,
) -> None:
    """Run a trial that is claimed, from its checkpoint if there is one, or from its beginning where that is damaged."""
    from timetrial.harness.trial.referee import Interrupted, run_trial

    try:
        source = read_copy(spec.submission, run.source(spec.submission), run.imports(spec.submission))
        arena = arenas.open(spec)
        if keep_weights:
            arena.check_that_weights_can_be_kept()
    except UsageError as error:
        return report("blocked", trial=spec.folder, reason=str(error))
    folder.remove_leftovers()
    workload = arena.workload
    report("started", trial=spec.folder, metric=workload.metric, higher_is_better=workload.higher_is_better)
    try:
        folder.read_ending()  # raises where a trial that ended is corrupt
        result = run_trial(spec, source, arena, folder, stop, keep_weights)
    except Interrupted:
        return report("interrupted", trial=spec.folder)
    except CorruptRecord as error:
        report("corrupt", trial=spec.folder, reason=str(error))
        folder.remove_records()
        return _run(spec, run, arenas, folder, report, stop, keep_weights)
    seconds = result.seconds if result.paced_seconds is None else result.paced_seconds
    report(
        "finished",
        trial=spec.folder,
        status=result.status,
        seconds=seconds,
        step=result.step,
        reason=result.reason,
    )


@contextlib.contextmanager
def _claimed(folder: TrialFolder, job: str | None) -> Iterator[bool]:
    """Claim a trial; gives whether it is ours to run."""
    claim = take_claim(folder.path, job)
    if claim is None:
        yield False
        return
    with claim:
        yield not _has_ended(folder)  # it may have ended just before the claim


def _has_ended(folder: TrialFolder) -> bool:
    """Say whether the trial has a result that can be read."""
    try:
        return folder.read_ending() is not None
    except CorruptRecord:
        return False


class Arenas:
    """The workloads that were loaded so far, kept for the trials to come."""

    def __init__(self, data_root: str | None) -> None:
        self.data_root = None if data_root is None else Path(data_root)
        self.loaded: dict[tuple[Any, ...], Any] = {}

    def open(self, spec: TrialSpec) -> Any:
        """Give the `Arena` of a trial; raises `UsageError` where its data are missing."""
        import torch

        from timetrial.harness.trial.arena import Arena

        key = (
            json.dumps(asdict(spec.workload), sort_keys=True),
            spec.data,
            spec.variant_seed,
            spec.device,
            spec.threads,
        )
        if key not in self.loaded:
            torch.set_num_threads(spec.threads)
            try:
                self.loaded[key] = Arena(spec, self.data_root)
            except UsageError as error:
                self.loaded[key] = error
        if isinstance(self.loaded[key], UsageError):
            raise self.loaded[key]
        return self.loaded[key]


def main() -> None:
    """Run as a process: the assignment is the first line of standard input, reports are lines of standard output.

    A further line of input stops the slot at the next evaluation point, with a checkpoint. The end of the input stops
    it at once: whoever started the slot has gone. Signals that a cluster sends to all processes of a job are ignored,
    here and in all that the slot starts: the job itself knows what they mean.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a program in the background has ignored
    assignment = SlotAssignment(**json.loads(sys.stdin.readline()))
    if assignment.cores is not None:
        os.sched_setaffinity(0, assignment.cores)
    stopping = threading.Event()
    threading.Thread(target=_obey, args=(stopping,), daemon=True).start()
    reports, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no report

    def report(event: str, **fields: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever listened has gone, and the input has ended as well
            reports.write(json.dumps({"event": event, **fields}) + "\n")
            reports.flush()

    try:
        work(assignment, report, stopping.is_set)
    except KeyboardInterrupt:
        os._exit(STOPPED)  # not held up by what a library still does in a thread
    except UsageError as error:
        report("failed", reason=str(error))
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        report("failed", reason=f"{where}{error.strerror or error}")
        sys.exit(1)


def _obey(stopping: threading.Event) -> None:
    while sys.stdin.readline():
        stopping.set()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
    os._exit(STOPPED)
