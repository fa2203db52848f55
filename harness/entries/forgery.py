"""What a committed entry would have to forge: its name, its plan, and the hyperparameters that were drawn for it.

Times cannot be checked by reading: `timetrial verify` runs the entry again and sees whether they are true.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.entries.submitting import difference
from timetrial.harness.planning.catalogue import read_submission
from timetrial.harness.planning.configuration import compose, options
from timetrial.harness.planning.plan import plan_trials
from timetrial.harness.planning.spec import TrialSpec

NAME = re.compile(r"[a-z][a-z0-9_]*")


def find_bad_names(entry: CommittedEntry) -> list[str]:
    """Say which of the names that an entry's place consists of is none: small letters, digits and underscores."""
    names = (entry.submission, entry.ruleset, entry.suite)
    wrong = [name for name in names if not NAME.fullmatch(name)]
    return [f"{entry.path}: {name!r} is no name: use small letters, digits and underscores" for name in wrong]


def find_forgeries(entry: CommittedEntry, files: Mapping[str, Path], specs: Sequence[TrialSpec]) -> list[str]:
    """Compare the specs of an entry with each other, and with the plan where this clone has that version of the suite.

    Hyperparameters follow from the search space in the source that ran and the number of the study, so nobody chooses
    them; under every version they are the same on all workloads.
    """
    return [*_points_that_differ(entry, specs), *_unplanned(entry, files, specs)]


def _points_that_differ(entry: CommittedEntry, specs: Iterable[TrialSpec]) -> list[str]:
    first: dict[tuple[int, int], TrialSpec] = {}
    problems = []
    for spec in specs:
        known = first.setdefault((spec.study, spec.trial), spec)
        if known.hyperparameters != spec.hyperparameters:
            place = f"study {spec.study}, trial {spec.trial}"
            problems.append(
                f"{entry.trials_file}: the hyperparameters of {place} are {spec.hyperparameters} on "
                f"{spec.workload.name}, and {known.hyperparameters} on {known.workload.name}: they are one point"
            )
    return problems


def _unplanned(entry: CommittedEntry, files: Mapping[str, Path], specs: Sequence[TrialSpec]) -> list[str]:
    if entry.suite not in options("suite") or entry.ruleset not in options("ruleset"):
        return [f"{entry.path}: this clone has no suite {entry.suite} with a ruleset {entry.ruleset}"]
    config = compose([f"suite={entry.suite}", f"ruleset={entry.ruleset}"])
    if any(spec.suite_version != config["suite"]["version"] for spec in specs):
        return []  # another version has other numbers, and may have drawn by another rule
    folder = read_submission(entry.submission, files["submission.yaml"])
    first = specs[0]
    planned = plan_trials(config, {folder: first.source_hash}, first.device, first.threads)
    wanted = {spec.folder: spec for spec in planned}
    problems = []
    for spec in specs:
        if spec.folder not in wanted:
            problems.append(f"{entry.trials_file}: {spec.folder} is in no plan of {entry.suite}, {entry.ruleset}")
        elif wrong := difference(spec, wanted[spec.folder]):
            problems.append(f"{entry.trials_file}: {spec.folder}: {wrong}")
    return problems
