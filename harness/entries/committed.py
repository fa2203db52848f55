"""The committed leaderboard: `results/SUITE/RULESET/SUBMISSION/` with its files, read like a run."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.entries.beside import slowness
from timetrial.harness.entries.lines import Line, read_line
from timetrial.harness.entries.sources import check_name, find_text_problems, keep_texts, restore_texts
from timetrial.harness.planning.catalogue import read_submission
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.curve import Curve, curve_of
from timetrial.harness.records.files import (
    CorruptRecord,
    Evaluation,
    Result,
    TrialFolder,
    parse_evaluation,
    parse_result,
    reported,
    write_atomically,
)
from timetrial.harness.records.run import Run, Slowness
from timetrial.harness.records.verification import (
    Verification,
    hash_records,
    read_verification,
    write_verification,
)

PRIVATE = ("host",)
"""What of a trial's environment is not committed: nothing is measured by it."""


class CommittedTrial(TrialFolder):
    """One line of a `trials.jsonl`, read like the folder of a trial."""

    def __init__(self, entry: "CommittedEntry", file: Path, number: int, line: bytes) -> None:
        self.path = file.with_name(f"{file.name}:{number}")
        self.evaluations_file = self.result_file = self.spec_file = self.path
        self.entry = entry
        self._line = line

    @property
    def hash(self) -> str:
        return hashlib.sha256(self._line).hexdigest()[:16]

    @cached_property
    def _content(self) -> Line:
        return read_line(self._line)

    @property
    def is_finished(self) -> bool:
        return True

    def read_spec(self) -> TrialSpec:
        with reported(self.path):
            return TrialSpec.from_json(self._content.spec)

    def read_result(self) -> Result:
        with reported(self.path):
            return parse_result(self._content.result)

    def read_evaluations(self) -> list[Evaluation]:
        with reported(self.path):
            return [parse_evaluation(given) for given in json.loads(self._line)["evaluations"]]

    def read_curve(self) -> tuple[Result, Curve] | None:
        result = self.read_result()
        points = self._content.evaluations
        if points is None:
            return super().read_curve()
        self._check_end(result, points[-1].seconds if points else None)
        return result, curve_of(points)

    @property
    def key(self) -> str:
        """Its place among the trials of its submission, such as `small_gpt/study_0/trial_3`."""
        return trial_key(self.read_spec())


def trial_key(spec: TrialSpec) -> str:
    return f"{spec.workload.name}/study_{spec.study}/trial_{spec.trial}"


class CommittedEntry:
    """One submission on a committed leaderboard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.submission, self.ruleset, self.suite = path.name, path.parent.name, path.parent.parent.name
        self.entry_file = path / "entry.json"
        self.trials_file = path / "trials.jsonl"
        self.reference_file = path / "reference.jsonl"
        """The trials of the suite's reference that ran beside it, if any did."""
        self.verifications_file = path / "verifications.jsonl"
        self.texts = path.parents[2] / "sources"
        """Where the texts of all entries are."""

    def read(self) -> dict[str, Any]:
        """Read `entry.json`; raises `CorruptRecord` where it is none."""
        with reported(self.entry_file):
            entry = json.loads(self.entry_file.read_bytes())
            if not isinstance(entry, dict):
                raise ValueError("not a mapping")
            return entry

    def trials(self) -> list[CommittedTrial]:
        return self._read(self.trials_file)

    def beside(self) -> list[CommittedTrial]:
        """List the trials of the suite's reference that ran beside it."""
        return self._read(self.reference_file)

    def _read(self, file: Path) -> list[CommittedTrial]:
        if not file.exists():
            return []
        return [CommittedTrial(self, file, n, line) for n, line in enumerate(file.read_bytes().splitlines(), start=1)]

    @cached_property
    def slowness(self) -> Mapping[str, Slowness]:
        """By how much the machine was slower than for the reference of its board: for each workload that tells it."""
        beside = self.beside()
        board = CommittedEntry(self.path.with_name(beside[0].read_spec().submission)) if beside else None
        return slowness(beside, board.trials()) if board else {}

    def source_files(self) -> dict[str, Path]:
        """List the texts that ran, by the names they had.

        Raises `UsageError` where `entry.json` does not say it, or has a name that leads to another folder.
        """
        try:
            with reported(self.entry_file):
                sources = self.read()["sources"]
                if missing := {"submission.py", "submission.yaml"} - set(sources):
                    raise ValueError(f"sources: no {min(missing)}")
                return {check_name(name): self.texts / check_name(text) for name, text in sources.items()}
        except CorruptRecord as error:
            raise UsageError(f"corrupt record: {error}: `git checkout` brings back what was committed") from None

    def restore_source(self, folder: Path) -> None:
        """Build the source that ran again, in a new folder.

        Raises `UsageError` where `folder` is there already, or the texts are not what ran.
        """
        files = self.source_files()
        if problems := find_text_problems(files, self.entry_file):
            raise UsageError(problems[0])
        restore_texts(files, folder)

    def verifications(self) -> list[Verification]:
        """Read what came out when its trials were run again; raises `CorruptRecord` where a line is no verification."""
        if not self.verifications_file.exists():
            return []
        found = []
        for number, line in enumerate(self.verifications_file.read_bytes().splitlines(), start=1):
            with reported(self.verifications_file, number):
                found.append(read_verification(line))
        return found

    def add_verification(self, verification: Verification) -> None:
        before = self.verifications_file.read_bytes() if self.verifications_file.exists() else b""
        write_atomically(self.verifications_file, before + write_verification(verification))

    @property
    def records_hash(self) -> str:
        """What a verification names these records by."""
        return hash_records({trial.key: trial.hash for trial in self.trials()})

    def write(
        self, folders: Iterable[TrialFolder], files: Mapping[str, Path], beside: Iterable[TrialFolder] = ()
    ) -> None:
        """Write the records of a complete submission, its source files, and what `entry.json` says of them.

        `beside` are trials of the suite's reference from the same run.
        """
        self.path.mkdir(parents=True)
        for file, some in ((self.trials_file, folders), (self.reference_file, beside)):
            if trials := sorted(some, key=lambda folder: trial_key(folder.read_spec())):
                write_atomically(file, "".join(_line(folder) + "\n" for folder in trials))
        first = self.trials()[0]
        spec, result = first.read_spec(), first.read_result()
        entry = {
            "submission": spec.submission,
            "suite": spec.suite,
            "suite_version": spec.suite_version,
            "ruleset": spec.ruleset,
            "metadata": metadata_of(spec.submission, files),
            "environment": result.environment,
            "finished_at": max(trial.read_result().finished_at for trial in self.trials()),
            "source_hash": spec.source_hash,
            "sources": keep_texts(files, self.texts),
            "trials": {trial.key: trial.hash for trial in self.trials()},
            "reference": {trial.key: trial.hash for trial in self.beside()},
        }
        write_atomically(self.entry_file, json.dumps(entry, indent=1) + "\n")


class CommittedResults(Run):
    """A part of `results/`, all of it or down to one entry, read like a run."""

    def __init__(self, path: Path, entries: list[CommittedEntry]) -> None:
        super().__init__(path)
        self.entries = entries

    @property
    def root(self) -> Path:
        """The folder that holds the suites."""
        return self.entries[0].path.parents[2]

    @property
    def report(self) -> Path:
        return self.root / "reports" / self.path.resolve().relative_to(self.root)

    def unused_texts(self) -> list[Path]:
        """List the texts that no entry names any more, if these are all the entries of their `results/`."""
        used = {text for entry in self.entries for text in entry.source_files().values()}
        return sorted(set((self.root / "sources").glob("*")) - used)

    def trials(self) -> Iterator[CommittedTrial]:
        """Go through the trials, entry by entry: those of many entries together would fill the memory."""
        for entry in self.entries:
            yield from entry.trials()

    def source_of(self, folder: CommittedTrial) -> dict[str, Path]:
        return folder.entry.source_files()

    def slowness_of(self, folder: CommittedTrial, workload: str) -> Slowness:
        return folder.entry.slowness.get(workload, Slowness())

    def verifications_of(self, folder: CommittedTrial) -> list[Verification]:
        return folder.entry.verifications()


def committed_results(path: Path) -> CommittedResults | None:
    """Read `path` as committed results; None where no `entry.json` is in it."""
    entries = [CommittedEntry(file.parent) for file in _entry_files(path.resolve())]
    return CommittedResults(path, entries) if entries else None


def read_roots(results: Path) -> dict[Path, CommittedResults]:
    """Read the folders that hold leaderboards: `results`, and in it those of other machines and of earlier versions.

    They are `on_MACHINE` and `version_N`. Each has sources and a README of its own. One without an entry is left out.
    """
    roots = [results, *sorted(results.glob("on_*")), *sorted(results.glob("version_*"))]
    return {root: found for root in roots if (found := committed_results(root))}


def _entry_files(path: Path) -> Iterator[Path]:
    for depth in range(4):
        yield from sorted(
            file for file in path.glob("*/" * depth + "entry.json") if not file.parent.name.startswith(".")
        )


def metadata_of(submission: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """Give what the `submission.yaml` among the files of a source says of authorship."""
    metadata = read_submission(submission, files["submission.yaml"])
    return {
        "author": metadata.author,
        "description": metadata.description,
        "references": list(metadata.references),
        "licence": metadata.licence,
    }


def _line(folder: TrialFolder) -> str:
    result = asdict(folder.read_result())
    result["environment"] = {key: value for key, value in result["environment"].items() if key not in PRIVATE}
    content = {
        "spec": folder.read_spec().to_json(),
        "result": result,
        "evaluations": [asdict(evaluation) for evaluation in folder.read_evaluations()],
    }
    return json.dumps(content, separators=(",", ":"))
