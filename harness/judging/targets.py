"""A target for a workload that nobody has calibrated: what the reference reaches well before the end of its plan."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.workload import workload_class

SHARE = 0.7
"""Of the plan, after which the reference has reached the target; the suites' targets were set so."""
UNREACHABLE = {True: 1e9, False: 1e-9}
LONG = 20.0
"""How many budgets a trial without a target may take; its number of steps ends it."""


def without_target(spec: TrialSpec, steps: int | None = None) -> TrialSpec:
    """Change a trial into one that trains to the end of its plan, or for `steps`, whatever it reaches."""
    target = UNREACHABLE[higher_is_better(spec.workload)]
    workload = replace(spec.workload, target=target, test_target=None)
    return replace(
        spec, workload=workload, budget_seconds=LONG * spec.budget_seconds, max_steps=steps or spec.step_hint
    )


def higher_is_better(workload: WorkloadSpec) -> bool:
    return workload_class(workload.implementation).higher_is_better


def best_so_far(folder: TrialFolder, workload: WorkloadSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a trial: the steps, the seconds (paced where it has them) and the best metric so far at each evaluation."""
    found = workload_class(workload.implementation)
    lines = folder.read_evaluations()
    best = np.maximum if found.higher_is_better else np.minimum
    seconds = [line.seconds if line.paced_seconds is None else line.paced_seconds for line in lines]
    metric = np.array([line.validation[found.metric] for line in lines], float)
    return np.array([line.step for line in lines]), np.array(seconds), best.accumulate(metric)


def set_target(workload: WorkloadSpec, pilots: Sequence[TrialFolder]) -> WorkloadSpec:
    """Give a workload the target that the median of `pilots`, trials without a target, has reached at `SHARE` of its
    steps, and the seconds of a whole pilot as its budget.

    Raises `UsageError` where a pilot diverged before, or made no progress that a target could be set by.
    """
    levels, seconds, first = [], [], []
    for folder in pilots:
        steps, clock, best = best_so_far(folder, workload)
        levels.append(np.interp(SHARE * steps[-1], steps, best) if len(steps) else np.nan)
        seconds.append(clock[-1] if len(clock) else np.nan)
        first.append(best[0] if len(best) else np.nan)
    target = float(np.median(levels))
    if not np.isfinite(target) or not target > 0 or target == np.median(first):
        raise UsageError(
            f"{workload.name}: the reference makes no progress in {pilots[0].path}: no target can be set there"
        )
    return replace(workload, target=target, test_target=None, budget_seconds=float(np.median(seconds)))
