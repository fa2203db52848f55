"""What CI asks of `results/`: is every committed record what was recorded, and every score what follows from it?"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.entries.committed import CommittedEntry, CommittedResults, CommittedTrial, metadata_of
from timetrial.harness.entries.forgery import find_bad_names, find_forgeries
from timetrial.harness.entries.numbers import boards_by_name, files_with_numbers, find_wrong_numbers
from timetrial.harness.entries.sources import find_text_problems
from timetrial.harness.entries.submitting import environment_problems, write_leaderboards
from timetrial.harness.planning.catalogue import hash_source
from timetrial.harness.planning.configuration import compose, options
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.records.contradictions import find_contradictions
from timetrial.harness.records.files import CorruptRecord
from timetrial.harness.records.verification import verdict_on
from timetrial.harness.report.boards import read_boards

CHECKED = ("leaderboard.md", "leaderboard.csv", "leaderboard.html")
TOLERANCE = 2e-3
"""Relative, between a committed number and the one computed here: what another processor may round otherwise."""


def check_results(results: CommittedResults, root: Path, allow_mixed_hardware: bool = False) -> list[str]:
    """Say what is wrong with committed results, one line each, naming file and trial; none: all is well."""
    problems = [problem for entry in results.entries for problem in check_entry(entry)]
    problems = list(dict.fromkeys(problems)) or [
        f"{text}: no entry names it: remove it" for text in results.unused_texts()
    ]
    if problems:
        return problems
    try:
        boards = read_boards([results], allow_mixed_hardware=allow_mixed_hardware)
    except UsageError as error:
        return [str(error)]
    with tempfile.TemporaryDirectory(prefix="timetrial-check-") as folder:
        written = write_leaderboards(root, boards, into=Path(folder))
        by_name = boards_by_name(boards)
        numbers = [problem for file in files_with_numbers(root) for problem in find_wrong_numbers(file, by_name)]
        pairs = [(root / path.relative_to(folder), path) for path in written if path.name in CHECKED]
        return [problem for there, computed in pairs for problem in compare_files(there, computed)] + numbers


def check_entry(entry: CommittedEntry) -> list[str]:
    """Say what is wrong with the files of one entry, one line each."""
    try:
        said = entry.read()
        recorded = {trial.key: trial for trial in entry.trials()}
        beside = {trial.key: trial for trial in entry.beside()}
        files = entry.source_files()
    except CorruptRecord as error:
        return [f"corrupt record: {error}"]
    except UsageError as error:
        return [str(error)]
    problems = [*find_bad_names(entry), *find_text_problems(files, entry.entry_file)]
    problems += _changed(entry.trials_file, recorded, said.get("trials", {}))
    problems += _changed(entry.reference_file, beside, said.get("reference", {}))
    problems += [f"{entry.trials_file}: trial {key} is missing" for key in _planned(entry, said) if key not in recorded]
    together = [*recorded.values(), *beside.values()]
    problems += [problem for trial in together for problem in find_contradictions(trial)]
    if not problems and recorded:
        problems += environment_problems(together)
        problems += find_forgeries(entry, files, [trial.read_spec() for trial in recorded.values()])
        problems += _check_said(entry, said, files, list(recorded.values()))
        problems += _check_verifications(entry, recorded)
    return list(dict.fromkeys(problems)) or ([] if recorded else [f"{entry.trials_file}: no trial"])


def _changed(file: Path, recorded: Mapping[str, CommittedTrial], hashes: Mapping[str, str]) -> Iterator[str]:
    """Compare the lines of a file with the hashes that `entry.json` has of them."""
    for key, expected in hashes.items():
        if key not in recorded:
            yield f"{file}: trial {key} is missing"
        elif recorded[key].hash != expected:
            yield f"{recorded[key].path}: the record of trial {key} was changed after it was submitted"
    yield from (f"{recorded[key].path}: trial {key} was added by hand" for key in recorded if key not in hashes)


def _planned(entry: CommittedEntry, said: dict) -> Iterable[str]:
    """List the trials that the suite asks for, if this clone still has that version of it."""
    if entry.suite not in options("suite"):
        return
    config = compose([f"suite={entry.suite}", f"ruleset={entry.ruleset}"])
    if config["suite"]["version"] == said.get("suite_version"):
        for workload in select_workloads(config):
            for study in range(config["ruleset"]["studies"]):
                for trial in range(config["ruleset"]["trials"]):
                    yield f"{workload.name}/study_{study}/trial_{trial}"


def _check_said(entry: CommittedEntry, said: dict, files: Mapping[str, Path], trials: list) -> list[str]:
    """Compare what `entry.json` says, and the source, with the records."""
    problems = []
    spec, environment = trials[0].read_spec(), trials[0].read_result().environment
    same = {
        "submission": (entry.submission, spec.submission),
        "suite": (entry.suite, spec.suite),
        "ruleset": (entry.ruleset, spec.ruleset),
        "suite_version": (spec.suite_version,),
        "source_hash": (hash_source(files), *(trial.read_spec().source_hash for trial in trials)),
        "environment": (environment,),
        "metadata": (metadata_of(entry.submission, files),),
    }
    for name, values in same.items():
        wrong = [value for value in values if value != said.get(name)]
        if wrong:
            problems.append(
                f"{entry.entry_file}: {name} is {said.get(name)!r}, and {wrong[0]!r} elsewhere in the entry"
            )
    return problems


def _check_verifications(entry: CommittedEntry, recorded: Mapping[str, CommittedTrial]) -> list[str]:
    """Compare what re-runs say that is recorded with the records, and their verdicts with what they found."""
    try:
        verifications = entry.verifications()
    except CorruptRecord as error:
        return [f"corrupt record: {error}"]
    problems = []
    for number, verification in enumerate(verifications, start=1):
        where = f"{entry.verifications_file}:{number}"
        if verification.records != entry.records_hash:
            problems.append(f"{where}: it verifies other records than these: `timetrial verify` compares with these")
            continue
        if not verification.trials or verification.verdict != verdict_on(verification.trials):
            problems.append(f"{where}: its verdict {verification.verdict} is not what it found")
        for rerun in verification.trials:
            its = recorded.get(rerun.trial)
            result = its and its.read_result()
            if result is None or (result.status, result.step) != (rerun.status[0], rerun.steps[0]):
                problems.append(f"{where}: trial {rerun.trial} is not recorded as it says")
    return problems


def compare_files(there: Path, computed: Path) -> list[str]:
    """Say where a committed file is not what the records give; decimal numbers may differ by rounding."""
    remedy = "`timetrial submit --rewrite` writes it again"
    if not there.exists():
        return [f"{there} is missing: {remedy}"]
    ours, theirs = there.read_text().splitlines(), computed.read_text().splitlines()
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), start=1):
        if not _same(one, other):
            at = _first_difference(one, other)
            return [
                f"{there} line {number} says {_near(one, at)!r}, and the records give {_near(other, at)!r}: {remedy}"
            ]
    return [] if len(ours) == len(theirs) else [f"{there} has {len(ours)} lines, and not {len(theirs)}: {remedy}"]


_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if _DECIMAL.sub("#", one) != _DECIMAL.sub("#", other):
        return False
    pairs = zip(_DECIMAL.findall(one), _DECIMAL.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE * max(float(a), float(b)) for a, b in pairs)


def _first_difference(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _near(line: str, at: int) -> str:
    return line if len(line) <= 120 else f"...{line[max(0, at - 60) : at + 60]}..."
