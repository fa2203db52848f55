"""How the trials of a run stand: what `timetrial status` shows and `timetrial run` decides by."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from timetrial.harness.records.files import CorruptRecord, TrialFolder
from timetrial.harness.runs.claims import holder
from timetrial.harness.runs.folder import RunFolder

FAILURES = ("crashed", "out_of_memory", "hung", "disqualified")
"""The statuses that say nothing of how fast the submission trains, and make the exit code 1."""
STATES = ("done", "running", "waiting", "failed", "corrupt")


@dataclass(frozen=True)
class TrialState:
    """How one trial stands."""

    folder: TrialFolder
    name: str
    """Its place in the run: SUBMISSION/RULESET/WORKLOAD/study_K/trial_J."""
    state: str
    """One of `STATES`: failed has a result, which is one of `FAILURES`; corrupt is run again, as waiting is."""
    status: str | None = None
    """The status in its result."""
    reason: str | None = None
    """Why it failed, or which file is corrupt and how."""
    holder: dict[str, Any] | None = None
    """Who runs it: host, pid, runner and job."""

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed")

    @property
    def submission(self) -> str:
        return self.name.partition("/")[0]


def state_of(run: RunFolder, folder: TrialFolder) -> TrialState:
    """Say how a trial stands, from the files in its folder."""
    name = folder.path.relative_to(run.path).as_posix()
    try:
        folder.read_spec()
        ending = folder.read_ending()
        if ending is not None:
            result = ending[0]
            state = "failed" if result.status in FAILURES else "done"
            return TrialState(folder, name, state, result.status, result.reason)
        owner = holder(folder.path)
        if owner is not None:
            return TrialState(folder, name, "running", holder=owner)
        folder.read_evaluations()
        folder.read_checkpoint()
    except CorruptRecord as error:
        return TrialState(folder, name, "corrupt", reason=str(error))
    return TrialState(folder, name, "waiting")


def trial_states(run: RunFolder, folders: Iterable[TrialFolder] | None = None) -> list[TrialState]:
    """Say how the trials in `folders` stand; all of the run by default."""
    return [state_of(run, folder) for folder in (run.trials() if folders is None else folders)]
