"""A target for a workload that nobody has calibrated: what the reference reaches well before the end of its plan."""

from dataclasses import replace

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import UNREACHABLE, TrialSpec, WorkloadSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.workload import Workload, workload_class

SHARE = 0.7
"""Of the plan, after which the reference has reached the target; the suites' targets were set so."""
HELD = 3
"""Evaluations in a row at which it held the level: a single one may be luck that no other seed has."""
LONG = 20.0
"""How many budgets a trial without a target may take; its number of steps ends it."""


def without_target(spec: TrialSpec, steps: int | None = None) -> TrialSpec:
    """Change a trial into one that trains to the end of its plan, or for `steps`, whatever it reaches."""
    target = UNREACHABLE[kind_of(spec.workload).higher_is_better]
    workload = replace(spec.workload, target=target, test_target=None)
    return replace(
        spec, workload=workload, budget_seconds=LONG * spec.budget_seconds, max_steps=steps or spec.step_hint
    )


def kind_of(workload: WorkloadSpec) -> type[Workload]:
    """Import the class that a workload is of, which may be text that travels with it."""
    return workload_class(workload.implementation, workload.text)


def best_so_far(folder: TrialFolder, workload: WorkloadSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a trial: the steps, the seconds (paced where it has them) and the best metric so far at each evaluation."""
    found = kind_of(workload)
    lines = folder.read_evaluations()
    best = np.maximum if found.higher_is_better else np.minimum
    seconds = [line.seconds if line.paced_seconds is None else line.paced_seconds for line in lines]
    metric = np.array([line.validation[found.metric] for line in lines], float)
    return np.array([line.step for line in lines]), np.array(seconds), best.accumulate(metric)


def set_target(workload: WorkloadSpec, pilot: TrialFolder) -> WorkloadSpec:
    """Give a workload the best level that `pilot`, a trial without a target, has held for `HELD` evaluations in a row
    in the first `SHARE` of its plan, and the seconds of the whole pilot as its budget.

    A level that is held is no lucky evaluation, so other seeds reach it as well. Raises `UsageError` where the pilot
    made no progress that a target could be set by.
    """
    steps, seconds, _ = best_so_far(pilot, workload)
    kind = kind_of(workload)
    metric, sign = kind.metric, 1 if kind.higher_is_better else -1
    gains = sign * np.array([line.validation[metric] for line in pilot.read_evaluations()], float)
    ends = [end for end in range(HELD, len(steps) + 1) if steps[end - 1] <= SHARE * steps[-1]]
    held = [gains[end - HELD : end].min() for end in ends]
    if not held or not np.isfinite(max(held)) or max(held) == held[0] or sign * max(held) <= 0:
        raise UsageError(
            f"{workload.name}: the reference makes no progress in {pilot.path}: no target can be set there"
        )
    target = float(sign * max(held))
    return replace(workload, target=target, test_target=None, budget_seconds=float(seconds[-1]))
