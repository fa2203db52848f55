"""The folder of a run: the plan as `spec.json` files, copies of the sources, and the records of the trials."""

import compileall
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from py_compile import PycInvalidationMode
from types import MappingProxyType
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import (
    COLLECTION,
    SubmissionFolder,
    find_submission,
    hash_source,
    read_submission,
    submission_names,
)
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.imports import SMALL_BYTES
from timetrial.harness.planning.outside import METADATA, name_of
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
        for submission, source_hash in sorted({(spec.submission, spec.source_hash) for spec in plan}):
            self._copy_source(submission, source_hash)
        for spec in plan:
            self._add_trial(spec)

    def find(self, typed: str, space: Mapping[str, Any] | None = None) -> tuple[SubmissionFolder, str, str | None]:
        """Find a submission to add trials of: with the hash of its source, and a note where that is the copy here.

        One from outside that has changed, or has gone, since this run began goes on as it began, as long as trials of
        it are open. Raises `UsageError` as `find_submission` does.
        """
        name = name_of(typed)
        kept = self.source(name)
        try:
            now = find_submission(typed, space)
        except UsageError:
            if not kept.exists() or name in submission_names():
                raise
            return self._kept(name), self._kept_hash(name), f"{typed} is not there as it was"
        if now.origin == COLLECTION or not kept.exists() or now.source_hash() == self._kept_hash(name):
            return now, now.source_hash(), None
        other_space = now.arguments and (now.path / METADATA).read_bytes() != (kept / METADATA).read_bytes()
        if other_space or all(
            folder.is_finished for folder in self.trials() if folder.path.is_relative_to(kept.parent)
        ):
            return now, now.source_hash(), None  # `add` says that this is another source
        return self._kept(name), self._kept_hash(name), f"{typed} has changed"

    def _kept(self, name: str) -> SubmissionFolder:
        return read_submission(name, self.source(name) / METADATA)

    def _kept_hash(self, name: str) -> str:
        return hash_source(self._files_of(name))

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
        if there.source_hash != spec.source_hash:
            raise _other(folder.path, f"another source of {spec.submission}, which has changed since")
        raise _other(folder.path, next(_differences(there.to_json(), replace(spec, threads=there.threads).to_json())))

    def _copy_source(self, submission: str, source_hash: str) -> None:
        """Copy what a submission is, and what it imports from outside, or a link to it where that is large.

        A copy that is there already stays, but for one of another source that no trial has used.
        """
        if self.source(submission).exists():
            if self._kept_hash(submission) == source_hash:
                return
            if any(folder.path.is_relative_to(self.path / submission) for folder in self.trials()):
                raise _other(self.path, f"another source of {submission}, which has changed since")
            for copy in (self.source(submission), self.imports(submission)):
                shutil.rmtree(copy, ignore_errors=True)
        found = find_submission(submission)
        places = {its.place.name: its.place for its in found.imports if its.bytes <= SMALL_BYTES}
        large = {its.place.name: its.place for its in found.imports if its.bytes > SMALL_BYTES}
        if found.imports:
            self._copy(places, self.imports(submission), large)
        self._copy(found.source_files(), self.source(submission))

    def _copy(self, files: Mapping[str, Path], target: Path, links: Mapping[str, Path] = MappingProxyType({})) -> None:
        """Make the folder `target` at once, of copies of files and folders and of links, by their names in it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
        for name, path in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, temporary / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
                compileall.compile_dir(temporary / name, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
            else:
                shutil.copyfile(path, temporary / name)
        for name, path in links.items():
            (temporary / name).symlink_to(path)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:  # another `timetrial run` was faster, or the disk is at fault
            shutil.rmtree(temporary, ignore_errors=True)
            if not target.exists():
                raise


def _other(place: Path, made: str) -> UsageError:
    return UsageError(f"{place} was made with {made}: give this run another name with run=NAME")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Say what differs between two nested mappings, such as "workload.target 0.5, not 0.6"."""
    for key in [*old, *(key for key in new if key not in old)]:
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _differences(was, now, f"{where}{key}.")
        elif was != now:
            yield f"{where}{key} {was}, not {now}"


def _spec_there(folder: TrialFolder) -> TrialSpec | None:
    """Read the spec of a trial; None where there is none, or none that can be read."""
    try:
        return folder.read_spec() if folder.spec_file.exists() else None
    except CorruptRecord:
        return None
