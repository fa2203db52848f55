"""The folder of a run: the plan as `spec.json` files, copies of the sources, and the records of the trials."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, TrialFolder, write_atomically
from timetrial.harness.records.run import Run
from timetrial.harness.runs.claims import holder


class RunFolder(Run):
    """A run that trials can be added to: a folder of `RUNS`, or any laid out like it."""

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
