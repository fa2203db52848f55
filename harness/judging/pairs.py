"""Arms and their paired studies: trials that share weights and batches, planned, run and read like those of a run.

An arm is a submission with hyperparameters. The trials of arm i are trial i of each study, so that several arms of one
submission fit into a run; those of a study start from the same weights and see the same batches.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.plan import select_workloads, trial_maker
from timetrial.harness.planning.search_space import Hyperparameters
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.crossing import Array
from timetrial.harness.records.table import read_trials
from timetrial.harness.runs.execute import Place
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.scoring.budgets import budget_of
from timetrial.harness.scoring.trials import LAST, choose_clock, crossing_column, prepare_trials

if TYPE_CHECKING:
    import pandas

APART = 100_000
"""What is added to the number of a study for an arm whose studies are its own."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    label: str
    submission: str
    values: Mapping[str, Hyperparameters]
    """Its hyperparameters on each workload."""
    apart: bool = False
    """Whether its studies have weights and batches of their own, which no other arm shares."""


def own_values(
    submission: str, workloads: Sequence[WorkloadSpec], given: Hyperparameters
) -> dict[str, Hyperparameters]:
    """Give a submission's self-tuning values, changed as `given`, for each workload.

    Raises `UsageError` where it has none and `given` is empty.
    """
    own = find_submission(submission).hyperparameters
    if own is None and not given:
        raise UsageError(
            f"submission {submission!r} has no hyperparameters of its own: give --tune N, or all of them with --set"
        )
    if own is not None and (unknown := sorted(set(given) - set(own) - {"horizon"})):
        raise UsageError(f"{unknown[0]}: no such hyperparameter of {submission}; there are {', '.join(own)}")
    for name, value in given.items():
        if isinstance(value, str) and isinstance((own or {}).get(name), int | float):
            raise UsageError(f"{submission}.{name}={value}: give a number, as its own value is ({own[name]})")
    return {workload.name: {**(own or {}), **given} for workload in workloads}


def plan_arms(
    config: Mapping[str, Any],
    arms: Sequence[Arm],
    studies: Sequence[int],
    place: Place,
    workloads: Sequence[WorkloadSpec] | None = None,
) -> list[TrialSpec]:
    """List the trials of arms in the order in which they run: those that are compared one after the other.

    `workloads` stand in for those that the configuration names.
    """
    make = trial_maker(config, place.device, place.threads)
    hashes = {arm.submission: find_submission(arm.submission).source_hash() for arm in arms}
    return [
        make(
            arm.submission,
            hashes[arm.submission],
            workload,
            study + APART * arm.apart,
            number,
            dict(arm.values[workload.name]),
        )
        for study in studies
        for workload in (select_workloads(config) if workloads is None else workloads)
        for number, arm in enumerate(arms)
    ]


def check_clock(asked: str | None, plan: Sequence[TrialSpec]) -> None:
    """Raise `UsageError`, before anything has trained, where trials of `plan` have no clock such as was `asked` for."""
    from timetrial.harness.trial.pacer import is_paced

    without = next((spec.workload.name for spec in plan if not is_paced(spec)), None)
    if asked == "paced" and without:
        raise UsageError(f"--clock paced: trials of {without} have no pacer here: choose measured or steps")


def name_of(kind: str, plan: Sequence[TrialSpec], *more: Any) -> str:
    """Name the run of a comparison by its first trials, so that the same command goes on, and another starts anew."""
    what = [{**spec.to_json(), "threads": 0} for spec in plan]
    digest = hashlib.sha256(json.dumps([what, *more], sort_keys=True).encode()).hexdigest()[:8]
    names = "-".join(dict.fromkeys(spec.submission for spec in plan))
    return f"{kind}-{plan[0].suite}-{names[:60]}-{digest}"


@dataclass(frozen=True, eq=False)
class Times:
    """Times to target of A arms in S studies on W workloads."""

    clock: str
    workloads: tuple[str, ...]
    times: Array
    """(S, W, A), inf for a miss."""
    budgets: Array
    """(S, W), what a miss counts as."""
    seconds: float
    """Training seconds of all trials together, measured."""

    def log_ratios(self, arm: int, reference: int) -> Array:
        """Give log(time of `reference` / time of `arm`), (S, W): above 0 where the arm is faster.

        A miss counts as the budget: by the clock that the budget counts, too little for whoever missed. By steps it is
        what the budget buys the reference, and whose steps are dear has taken fewer. A pair in which both miss counts
        as no difference.
        """
        counted = np.log(np.minimum(self.times, self.budgets[:, :, None]))
        return counted[:, :, reference] - counted[:, :, arm]

    def misses(self, arm: int) -> NDArray[np.bool_]:
        """(S, W): whether the arm has missed the target."""
        return self.times[:, :, arm] > self.budgets


def read_table(run: RunFolder, plan: Sequence[TrialSpec]) -> "pandas.DataFrame":
    """Read the trials of a plan, which may be a part of a run."""
    trials = prepare_trials(read_trials([run]))
    wanted = {str(run.trial(spec).path) for spec in plan}
    return trials[trials["path"].isin(wanted)]


def read_times(run: RunFolder, plan: Sequence[TrialSpec], arms: Sequence[Arm], clock: str | None) -> Times:
    """Read the times of a plan of `plan_arms`, all of whose trials have ended; the last arm is the reference.

    Raises `UsageError` for a clock that the records do not have.
    """
    trials = read_table(run, plan)
    clock = choose_clock(trials, clock)
    trials = trials.assign(study=trials["study"] % APART)
    workloads = tuple(dict.fromkeys(spec.workload.name for spec in plan))
    studies = sorted({spec.study % APART for spec in plan})
    budgets = {
        (study, workload): budget_of(rows, clock, arms[-1].submission)
        for (study, workload), rows in trials.groupby(["study", "workload"], observed=True)
    }
    times = trials.set_index(["study", "workload", "trial"])[crossing_column(clock)].to_dict()
    return Times(
        clock,
        workloads,
        np.array([[[times[s, w, a] for a in range(len(arms))] for w in workloads] for s in studies]),
        np.array([[budgets[s, w] for w in workloads] for s in studies]),
        float(trials[LAST["measured"]].sum()),
    )
