"""The folder of a run: the plan as `spec.json` files, copies of the sources, and the records of the trials."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.catalogue import ROOT, find_submission
from harness.environment import describe_machine
from harness.errors import UsageError
from harness.records import CorruptRecord, TrialFolder, write_atomically
from harness.runs.claims import holder
from harness.spec import TrialSpec

RUNS = ROOT / "results" / "runs"


class RunFolder:
    """`results/runs/RUN`, or any folder laid out like it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.reference = path.name if path.parent == RUNS else str(path)
        """What a person types to mean this run."""

    def trial(self, spec: TrialSpec) -> TrialFolder:
        return TrialFolder(self.path / spec.folder)

    def trials(self) -> list[TrialFolder]:
        """List the planned trials, sorted by path."""
        return [TrialFolder(file.parent) for file in sorted(self.path.glob("*/*/*/study_*/trial_*/spec.json"))]

    @property
    def jobs(self) -> Path:
        """Where the records and logs of cluster jobs are."""
        return self.path / "jobs"

    def source(self, submission: str) -> Path:
        return self.path / submission / "source"

    def add(self, plan: Iterable[TrialSpec]) -> None:
        """Write down a plan. Trials that are there already stay as they are.

        Raises `UsageError` where the run holds trials of another suite version, configuration or source.
        """
        plan = list(plan)
        for spec in plan:
            self._check(spec)
        self.path.mkdir(parents=True, exist_ok=True)
        environment = self.path / "environment.json"
        if not environment.exists():
            write_atomically(environment, json.dumps(describe_machine(), indent=1) + "\n")
        for submission in sorted({spec.submission for spec in plan}):
            self._copy_source(submission)
        for spec in plan:
            self._add_trial(spec)

    def _add_trial(self, spec: TrialSpec) -> None:
        folder = self.trial(spec)
        there = _spec_there(folder)
        if there == spec or (there is not None and (folder.is_finished or holder(folder.path))):
            return
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.remove_records()  # of a spec that cannot be read, or half a trial on another number of threads
        folder.write_spec(spec)

    def _check(self, spec: TrialSpec) -> None:
        folder = self.trial(spec)
        there = _spec_there(folder)
        if there is None or replace(there, threads=spec.threads) == spec:
            return
        for name, what in (
            ("suite_version", "version {} of the suite"),
            ("source_hash", "source {} of the submission"),
            ("data", "{} data"),
            ("device", "device {}"),
        ):
            old, new = getattr(there, name), getattr(spec, name)
            if old != new:
                was, now = what.format(old), what.format(new)
                break
        else:
            was, now = "other settings", "these"
        raise UsageError(f"{folder.path} was made with {was}, not {now}: give this run another name with run=NAME")

    def _copy_source(self, submission: str) -> None:
        target = self.source(submission)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".source-", dir=target.parent))
        for name, path in find_submission(submission).source_files().items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, temporary / name)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:  # another `timetrial run` was faster, or the disk is at fault
            shutil.rmtree(temporary, ignore_errors=True)
            if not target.exists():
                raise


def _spec_there(folder: TrialFolder) -> TrialSpec | None:
    """Read the spec of a trial; None where there is none, or none that can be read."""
    try:
        return folder.read_spec() if folder.spec_file.exists() else None
    except CorruptRecord:
        return None


def find_run(name: str) -> RunFolder:
    """Find a run by its name in `results/runs`, or by the path of its folder.

    A folder of committed results, such as `results/mini`, is read like one. Raises `UsageError` where there is none.
    """
    from harness.committed import committed_results  # which reads its trials as a run's

    for path in (Path(name), RUNS / name):
        if path.is_dir():
            return committed_results(path) or RunFolder(path.resolve())
    known = (
        ", ".join(sorted(path.name for path in RUNS.glob("*") if path.is_dir())) or "none yet: timetrial run makes one"
    )
    raise UsageError(f"no run {name!r} in {RUNS} and no such folder: runs there are {known}")
