"""A run as whoever reads it sees it: its trials, and the copies of the sources that ran."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.verification import Verification


class Slowness(NamedTuple):
    """How many times longer than on its leaderboard the same steps took when and where an entry was run."""

    paced: float = 1.0
    measured: float = 1.0
    error: float = 0.0
    """The standard error of the logarithm of `paced`: trials of one machine differ by some per cent."""


class Run:
    """A folder of `RUNS`, or any laid out like it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.reference = path.name if path.parent == RUNS else str(path)
        """What a person types to mean this run."""

    def trial(self, spec: TrialSpec) -> TrialFolder:
        return TrialFolder(self.path / spec.folder)

    def trials(self) -> Iterable[TrialFolder]:
        """Give the planned trials, sorted by path."""
        return [TrialFolder(file.parent) for file in sorted(self.path.glob("*/*/*/study_*/trial_*/spec.json"))]

    def slowness_of(self, folder: TrialFolder, workload: str) -> Slowness:
        """Give by how much the seconds of a trial are too many beside others that it is scored with."""
        return Slowness()

    @property
    def jobs(self) -> Path:
        """Where the records and logs of cluster jobs are."""
        return self.path / "jobs"

    @property
    def report(self) -> Path:
        """Where its report goes if nobody names another folder."""
        return self.path / "report"

    def source(self, submission: str) -> Path:
        return self.path / submission / "source"

    def imports(self, submission: str) -> Path:
        """Where what a submission imports from outside is, or links to it."""
        return self.path / submission / "imports"

    def source_of(self, folder: TrialFolder) -> dict[str, Path]:
        """List the source files that a trial ran, by their names in the copy: `submission.py`, `shared/NAME.py`."""
        return self._files_of(folder.path.relative_to(self.path).parts[0])

    def _files_of(self, submission: str) -> dict[str, Path]:
        copy = self.source(submission)
        return {path.relative_to(copy).as_posix(): path for path in sorted(copy.rglob("*")) if path.is_file()}

    def verifications_of(self, folder: TrialFolder) -> list[Verification] | None:
        """List the re-runs of the entry that a trial belongs to; None where it is not committed, as in a run."""
        return None
