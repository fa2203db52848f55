"""Running committed trials again: from the source that is stored with them, on this machine, in a run of their own."""

from collections.abc import Sequence
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.entries.committed import CommittedTrial
from timetrial.harness.entries.comparing import Ending, read_ending
from timetrial.harness.planning.catalogue import hash_source
from timetrial.harness.planning.spec import INCOMPLETE
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment
from timetrial.harness.runs.trial_state import trial_states


def run_again(trials: Sequence[CommittedTrial], folder: Path, data_root: str | None) -> dict[str, Ending]:
    """Run committed trials again in the run `folder`, or go on there, and give how each ended, by its place in a run.

    Raises `UsageError` where one cannot be run here: for want of data, memory or a device.
    """
    run = RunFolder(folder)
    specs = [trial.read_spec() for trial in trials]
    for trial, spec in zip(trials, specs, strict=True):
        _restore_source(run, trial, spec.source_hash)
    run.add(specs)
    to_do = tuple(state.name for state in trial_states(run, [run.trial(spec) for spec in specs]) if not state.is_over)
    with Progress(run.path, specs, done=len(specs) - len(to_do)) as progress:
        if to_do:
            slots, threads = slots_and_threads({"slots": "auto", "threads": specs[0].threads}, specs[0].device)
            assignment = SlotAssignment(str(run.path), to_do, data_root, cores=None)
            run_locally(assignment, min(slots, len(to_do)), threads, specs[0].device, progress)
    if blocked := [*progress.blocked.values(), *progress.failed]:
        raise UsageError(blocked[0])
    endings = {spec.folder: read_ending(run.trial(spec)) for spec in specs}
    for trial, spec in zip(trials, specs, strict=True):
        recorded, (again, _) = trial.read_result(), endings[spec.folder]
        if again.status in INCOMPLETE:
            raise UsageError(f"{run.trial(spec).path}: it cannot be run here: {again.status} ({again.reason})")
        if again.data_hash != recorded.data_hash:
            raise UsageError(f"{spec.workload.name}: data {again.data_hash} here, and {recorded.data_hash} recorded")
    return endings


def _restore_source(run: RunFolder, trial: CommittedTrial, source_hash: str) -> None:
    """Copy what ran into the place of a run where sources are; raises `UsageError` where another lies there."""
    place = run.source(trial.entry.submission)
    if not place.exists():
        trial.entry.restore_source(place)
    files = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    if hash_source(files) != source_hash:
        raise UsageError(f"{place} does not hold the source {source_hash} that ran: remove {run.path} and try again")
