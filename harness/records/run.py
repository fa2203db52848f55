"""A run as whoever reads it sees it: its trials, and the copies of the sources that ran."""

from collections.abc import Iterable
from pathlib import Path

from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.verification import Verification


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

    def source_of(self, folder: TrialFolder) -> dict[str, Path]:
        """List the source files that a trial ran, by their names in the copy: `submission.py`, `shared/NAME.py`."""
        copy = self.source(folder.path.relative_to(self.path).parts[0])
        return {path.relative_to(copy).as_posix(): path for path in sorted(copy.rglob("*")) if path.is_file()}

    def verifications_of(self, folder: TrialFolder) -> list[Verification] | None:
        """List the re-runs of the entry that a trial belongs to; None where it is not committed, as in a run."""
        return None
