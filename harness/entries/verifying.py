"""Verifying a committed entry: studies drawn at random are run again from the source that is stored with it.

On the libraries and the processor family that are recorded, steps and metrics must be equal bit for bit. Elsewhere they
may differ as far as repeated trials do (`spread.py`). A step must take as long as is recorded, in paced seconds: by the
same spread, and on another processor relative to the reference submission, of which the same trials are run as well.
"""

import os
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.entries.committed import CommittedEntry, CommittedTrial, committed_results
from timetrial.harness.entries.comparing import Ending, compare, read_ending
from timetrial.harness.entries.rerun import run_again
from timetrial.harness.entries.spread import Repeats, log_pace
from timetrial.harness.planning.configuration import compose, options
from timetrial.harness.planning.environment import choose_device, describe_machine, is_same_machine
from timetrial.harness.records.curve import curve_of
from timetrial.harness.records.verification import Verification, verdict_on
from timetrial.harness.scoring import REFERENCE

Environment = Mapping[str, Any]


def find_entry(name: str, results: Path) -> CommittedEntry:
    """Find a committed entry by its folder, in full or in `results`; raises `UsageError` where there is none."""
    for path in (Path(name), results / name):
        if (path / "entry.json").is_file():
            return CommittedEntry(path.resolve())
    raise UsageError(f"{name} is no committed entry: name a folder with an entry.json, such as mini/self_tuning/muon")


def check_can_run(entry: CommittedEntry) -> None:
    """Raise `UsageError` where this clone has another version of the suite, or this machine lacks the device."""
    spec, said = entry.trials()[0].read_spec(), entry.read()
    if spec.suite not in options("suite"):
        raise UsageError(f"{entry.path} is of the suite {spec.suite}, which this clone does not have")
    version = compose([f"suite={spec.suite}"])["suite"]["version"]
    if version != spec.suite_version:
        commit = said["environment"].get("commit")
        raise UsageError(
            f"{entry.path} ran version {spec.suite_version} of {spec.suite}, and this clone has version {version}: "
            f"what it ran is in commit {commit}"
        )
    choose_device(spec.device)


def draw_trials(entry: CommittedEntry, studies: int, seed: int) -> list[CommittedTrial]:
    """Draw studies of an entry at random, and give all of their trials; raises `UsageError` for more than it has."""
    trials = {trial: trial.read_spec().study for trial in entry.trials()}
    there = sorted(set(trials.values()))
    if not 1 <= studies <= len(there):
        raise UsageError(f"--studies {studies}: {entry.path} has {len(there)}: give a number from 1 to {len(there)}")
    drawn = np.random.default_rng(seed).choice(there, studies, replace=False)
    return [trial for trial, study in trials.items() if study in drawn]


def verify(
    entry: CommittedEntry, trials: Sequence[CommittedTrial], seed: int, folder: Path, data_root: str | None
) -> Verification:
    """Run `trials` of an entry again in the run `folder`, and compare.

    A trial that is found to differ is run once more, and counts as different where it differs twice. Raises
    `UsageError` where they cannot be run here, or where nothing says how far repeated trials may be apart.
    """
    reference = _reference_trials(entry, trials)
    again = run_again([*trials, *reference], folder, data_root)
    environment = again[trials[0].read_spec().folder][0].environment
    suite = committed_results(entry.path.parents[1]).entries
    repeats = {spec.workload.name: Repeats(suite, spec) for spec in (trial.read_spec() for trial in trials)}
    shifts = _shifts(reference, again) or dict.fromkeys(repeats, 0.0)
    if entry.submission == REFERENCE and not is_same_machine(trials[0].read_result().environment, environment):
        shifts = {}  # it is what other times are relative to there

    def compared(trial: CommittedTrial, endings: Mapping[str, Ending]):
        spec, recorded = trial.read_spec(), read_ending(trial)
        ending, workload = endings[spec.folder], spec.workload.name
        exact = spec.device == "cpu" and _is_same_place(recorded[0].environment, ending[0].environment)
        return compare(trial.key, recorded, ending, exact, shifts.get(workload), repeats[workload])

    reruns = {trial.key: compared(trial, again) for trial in trials}
    if differing := [trial for trial in trials if reruns[trial.key].problem]:
        once_more = run_again(differing, folder.with_name(f"{folder.name}-once-more"), data_root)
        reruns |= {trial.key: compared(trial, once_more) for trial in differing}
    return Verification(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        where=_where(environment),
        environment={name: value for name, value in environment.items() if name != "host"},
        seed=seed,
        records=entry.records_hash,
        trials=tuple(reruns.values()),
        verdict=verdict_on(list(reruns.values())),
    )


def _is_same_place(recorded: Environment, here: Environment) -> bool:
    return is_same_machine(recorded, here) and recorded["libraries"] == here["libraries"]


def _reference_trials(entry: CommittedEntry, trials: Sequence[CommittedTrial]) -> list[CommittedTrial]:
    """Give the same trials of the reference, where this machine is another than the recorded one.

    Raises `UsageError` where the reference has no entry from the machine of this entry.
    """
    recorded = trials[0].read_result().environment
    if entry.submission == REFERENCE or is_same_machine(recorded, describe_machine()):
        return []
    reference, keys = CommittedEntry(entry.path.with_name(REFERENCE)), {trial.key for trial in trials}
    found = [trial for trial in reference.trials() if trial.key in keys]
    if not found or found[0].read_result().environment["processor"] != recorded["processor"]:
        raise UsageError(
            f"{entry.path} ran on {recorded['processor']}, which is not this machine, and no entry of {REFERENCE} from "
            "there is beside it, through which times could be compared: verify it where it ran"
        )
    return found


def _shifts(reference: Sequence[CommittedTrial], again: Mapping[str, Ending]) -> dict[str, float]:
    """Give for each workload the logarithm of how many times longer the reference's steps take here; the median."""
    found: dict[str, list[float]] = {}
    for trial in reference:
        spec, (result, points) = trial.read_spec(), again[trial.read_spec().folder]
        shift = log_pace((result, curve_of(points))) - log_pace(trial.read_curve())
        found.setdefault(spec.workload.name, []).append(shift)
    return {workload: statistics.median(shifts) for workload, shifts in found.items()}


def _where(environment: Environment) -> str:
    """Name the workflow run that this is part of, or else the machine."""
    if run := os.environ.get("GITHUB_RUN_ID"):
        return f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}/actions/runs/{run}"
    return "; ".join(environment["gpus"]) if environment["device"] == "cuda" else environment["processor"]
