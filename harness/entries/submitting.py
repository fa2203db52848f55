"""Adding a complete run of a submission to the committed leaderboard."""

import math
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.entries.beside import choose_beside
from timetrial.harness.entries.committed import CommittedEntry, committed_results
from timetrial.harness.entries.numbers import boards_by_name, files_with_numbers, insert_numbers
from timetrial.harness.entries.sources import is_name
from timetrial.harness.planning import places
from timetrial.harness.planning.catalogue import find_submission, hash_source, submission_names
from timetrial.harness.planning.configuration import compose, options
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.search_space import Hyperparameters
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.contradictions import find_contradictions
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.run import Run
from timetrial.harness.report.boards import Board, read_boards
from timetrial.harness.report.write import write_pictures, write_report
from timetrial.harness.scoring import REFERENCE


@dataclass(frozen=True)
class Candidate:
    """What a run holds of one submission under one suite and ruleset."""

    suite: str
    ruleset: str
    submission: str
    trials: tuple[TrialFolder, ...]
    files: Mapping[str, Path]
    """The source files that ran, by their names."""
    beside: tuple[TrialFolder, ...] = ()
    """Trials of the suite's reference that ran beside it."""


def find_candidates(run: Run, name: str) -> list[Candidate]:
    """Find what `run` holds of submission `name`; raises `UsageError` where that is nothing."""
    found: dict[tuple[str, str], dict[str, list[TrialFolder]]] = {}
    for folder in run.trials():
        spec = folder.read_spec()
        found.setdefault((spec.suite, spec.ruleset), {}).setdefault(spec.submission, []).append(folder)
    candidates = [_candidate(run, key, name, trials) for key, trials in sorted(found.items()) if name in trials]
    if not candidates:
        there = ", ".join(sorted({other for trials in found.values() for other in trials})) or "no trial at all"
        raise UsageError(f"{run.path} holds no trial of {name!r}: there is {there}")
    return candidates


def _candidate(run: Run, key: tuple[str, str], name: str, there: Mapping[str, list[TrialFolder]]) -> Candidate:
    suite, ruleset = key
    reference = (compose([f"suite={suite}"])["reference"] if suite in options("suite") else None) or REFERENCE
    beside = there.get(reference, ()) if reference != name else ()
    studies = len({folder.read_spec().study for folder in there[name]})
    return Candidate(
        suite, ruleset, name, tuple(there[name]), run.source_of(there[name][0]), choose_beside(beside, studies)
    )


def find_problems(candidate: Candidate) -> list[str]:
    """Say why a candidate cannot be on the leaderboard, one line for each reason; none: it can."""
    together = (*candidate.trials, *candidate.beside)
    problems = [problem for folder in together for problem in find_contradictions(folder)]
    if candidate.submission not in submission_names():
        place = f"submissions/{candidate.submission}/" if candidate.submission.isidentifier() else "submissions/NAME/"
        return [
            f"{candidate.submission} is not of the collection: make it a folder {place} of this clone, and run that"
        ]
    if problems:
        return problems + _plan_problems(candidate)
    return [*_plan_problems(candidate), *_source_problems(candidate), *environment_problems(together)]


def _plan_problems(candidate: Candidate) -> list[str]:
    """Compare the trials with those that the suite and the ruleset of this clone plan."""
    there = {spec.folder: spec for spec in (folder.read_spec() for folder in candidate.trials)}
    first = next(iter(there.values()))
    names = (f"submission={candidate.submission}", f"suite={candidate.suite}", f"ruleset={candidate.ruleset}")
    planned = make_plan(compose(list(names)), first.device, first.threads)
    missing = [spec.folder for spec in planned if spec.folder not in there]
    problems = [f"{folder}: no such trial in the run, and {candidate.ruleset} needs it" for folder in missing]
    wanted = {spec.folder: spec for spec in planned}
    for folder, spec in there.items():
        if folder not in wanted:
            problems.append(f"{folder}: a trial that {candidate.suite} under {candidate.ruleset} does not have")
        elif wrong := difference(spec, wanted[folder]):
            problems.append(f"{folder}: {wrong}")
    return problems


def difference(spec: TrialSpec, wanted: TrialSpec) -> str:
    """Say in what a trial differs from what is planned; nothing where that is threads or source alone."""
    wanted = replace(wanted, threads=spec.threads, source_hash=spec.source_hash)
    return _first_difference(spec.to_json(), wanted.to_json(), f"that of the {spec.suite} suite in this clone")


def _first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], whose: str, inside: str = "") -> str:
    for name in {**ours, **theirs}:
        one, other = ours.get(name), theirs.get(name)
        if one == other or (name == "hyperparameters" and same_point(one, other)):
            continue
        if isinstance(one, dict) and isinstance(other, dict) and name != "hyperparameters":
            return _first_difference(one, other, whose, f"{inside}{name}.")
        return f"its {inside}{name} is {one}, and {whose} {other}"
    return ""


def same_point(one: Hyperparameters, other: Hyperparameters) -> bool:
    """Whether two points are one, but for the last digits that two processors may compute otherwise."""
    return one.keys() == other.keys() and all(
        math.isclose(value, other[name], rel_tol=1e-9)
        if isinstance(value, float) and isinstance(other[name], float)
        else value == other[name]
        for name, value in one.items()
    )


def _source_problems(candidate: Candidate) -> list[str]:
    problems = [
        f"{folder.path}: it ran source {folder.read_spec().source_hash}, and the copy in the run is {copied}"
        for copied in [hash_source(candidate.files)]
        for folder in candidate.trials
        if folder.read_spec().source_hash != copied
    ]
    problems = problems[:1] + [
        f"{name!r} of {candidate.submission}: rename the file: letters, digits, spaces and - _ . only"
        for name in candidate.files
        if not is_name(name)
    ]
    if unsigned := find_submission(candidate.submission).unsigned:
        problems.append(unsigned)
    return problems + [
        f"submissions/{candidate.submission}/{name} is not what ran: run again, or bring it back"
        for name in changed_files(candidate)
        if not name.startswith("shared/")
    ]


def changed_files(candidate: Candidate) -> list[str]:
    """List the files of a submission, shared modules included, that differ from those that ran."""
    now = find_submission(candidate.submission).source_files()
    ran = candidate.files
    differing = [name for name in now.keys() & ran.keys() if now[name].read_bytes() != ran[name].read_bytes()]
    return sorted({*differing, *(now.keys() ^ ran.keys())})


def environment_problems(trials: Iterable[TrialFolder]) -> list[str]:
    """Check that all trials ran in one environment, and on one set of data for each workload.

    How many cores a slot may use makes no difference to a trial on one thread: a run may go on with other slots.
    """
    problems, first = [], None
    hashes: dict[str, str] = {}
    for folder in trials:
        spec, result = folder.read_spec(), folder.read_result()
        passed_over = {"host", "commit"} | ({"cores"} if spec.threads == 1 else set())
        own = {key: value for key, value in result.environment.items() if key not in passed_over}
        first = first or (folder, own)
        for key in sorted(own.keys() | first[1].keys()):
            if own.get(key) != first[1].get(key):
                problems.append(f"{folder.path}: {key} {own.get(key)}, and {first[1].get(key)} in {first[0].path}")
        if hashes.setdefault(spec.workload.name, result.data_hash) != result.data_hash:
            problems.append(f"{folder.path}: data {result.data_hash}, and {hashes[spec.workload.name]} in other trials")
    return problems


@dataclass(frozen=True)
class Change:
    """A leaderboard before and after an entry was added; before is None where there was none."""

    before: Board | None
    after: Board
    files: tuple[Path, ...]


def root_of(machine: str | None) -> Path:
    """Find where the leaderboards of a machine are: `results/on_MACHINE`, or those of all in `results`.

    Raises `UsageError` where `machine` is no name for a folder.
    """
    if machine is None:
        return places.RESULTS
    if not re.fullmatch("[a-z0-9_]+", machine):
        raise UsageError(f"--on {machine}: name the machine in small letters, digits and _, such as intel_xeon")
    return places.RESULTS / f"on_{machine}"


def add_entry(candidate: Candidate, root: Path, allow_mixed_hardware: bool = False) -> Change:
    """Add a candidate without problems to a leaderboard under `root`, in place of an earlier entry, and write it anew.

    Raises `UsageError` and leaves everything as it was where it cannot share the leaderboard with who is there.
    """
    board_folder = root / candidate.suite / candidate.ruleset
    before = read_committed(board_folder, allow_mixed_hardware)
    place, old, new = (board_folder / f"{prefix}{candidate.submission}" for prefix in ("", ".old-", ".new-"))
    for leftover in (old, new):
        shutil.rmtree(leftover, ignore_errors=True)
    CommittedEntry(new).write(candidate.trials, candidate.files, candidate.beside)
    if place.exists():
        place.rename(old)
    new.rename(place)
    try:
        after = read_committed(board_folder, allow_mixed_hardware)
    except UsageError:
        shutil.rmtree(place)
        if old.exists():
            old.rename(place)
        remove_unused_texts(root)
        raise
    shutil.rmtree(old, ignore_errors=True)
    remove_unused_texts(root)
    files = write_leaderboards(root, [after])
    if files_with_numbers(root):
        everything = read_boards([committed_results(root)], allow_mixed_hardware=allow_mixed_hardware)
        files += write_numbers(root, everything)
    return Change(before, after, tuple(files))


def rewrite(root: Path, allow_mixed_hardware: bool = False) -> list[Path]:
    """Write everything that follows from the committed records under `root` again, and list the files.

    Raises `UsageError` where there is no record.
    """
    results = committed_results(root)
    if results is None:
        raise UsageError(f"{root}: no entry is committed yet, so there is no leaderboard to write")
    boards = read_boards([results], allow_mixed_hardware=allow_mixed_hardware)
    remove_unused_texts(root)
    return write_leaderboards(root, boards) + write_numbers(root, boards)


def write_numbers(root: Path, boards: list[Board]) -> list[Path]:
    """Insert what the records give into the texts that hold marks, and list those that this changed."""
    by_name = boards_by_name(boards)
    return [file for file in files_with_numbers(root) if insert_numbers(file, by_name)]


def remove_unused_texts(root: Path) -> None:
    """Remove the source texts that no entry under `root` names any more."""
    everything = committed_results(root)
    for text in everything.unused_texts() if everything else ():
        text.unlink()


def read_committed(board_folder: Path, allow_mixed_hardware: bool = False) -> Board | None:
    """Read the board of `results/SUITE/RULESET`; None where nobody is on it yet."""
    results = committed_results(board_folder) if board_folder.is_dir() else None
    return read_boards([results], allow_mixed_hardware=allow_mixed_hardware)[0] if results else None


def write_leaderboards(root: Path, boards: list[Board], into: Path | None = None) -> list[Path]:
    """Write what is committed of leaderboards under `root`: the tables, the page and the pictures.

    With `into`, write only the tables and the page, as they would be, in that folder instead.
    """
    files = []
    for board in boards:
        place = Path(board.suite) / board.ruleset
        files += write_report([board], (into or root) / place, formats=(), links_from=root / place)
        if not into and board.scores.standings:
            files += write_pictures(board, root / place)
    return files
