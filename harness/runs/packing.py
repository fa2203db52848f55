"""How trials of seconds are packed into jobs of minutes."""

import math
from collections.abc import Sequence

from harness.spec import TrialSpec

BUDGET_FACTOR, TRIAL_SECONDS = 1.5, 5.0
"""A trial takes at most about its budget times the one, for its evaluations, and the other, for its start."""
JOB_SECONDS = 30.0
"""What a job needs before its first trial starts."""
LEAST_SECONDS = 120.0
"""Less work than this is not spread over several jobs."""


def expected_seconds(spec: TrialSpec) -> float:
    """Say how long a trial takes at most, in seconds of a slot."""
    return BUDGET_FACTOR * spec.budget_seconds + TRIAL_SECONDS


def pack(specs: Sequence[TrialSpec], job_seconds: float, slots: int, max_jobs: int) -> list[list[TrialSpec]]:
    """Divide trials into jobs of `slots` slots, in their order, so that a job ends within `job_seconds`.

    There are `max_jobs` jobs where that is worth their start, and more where the time limit asks for it.
    """
    if not specs:
        return []
    total = sum(expected_seconds(spec) for spec in specs) / slots
    needed = math.ceil(total / max(1.0, job_seconds - JOB_SECONDS))
    useful = min(max_jobs, math.ceil(total / LEAST_SECONDS))
    count = min(len(specs), max(needed, useful))
    packs: list[list[TrialSpec]] = [[] for _ in range(count)]
    before = 0.0
    for spec in specs:
        seconds = expected_seconds(spec) / slots
        packs[min(count - 1, int((before + seconds / 2) / total * count))].append(spec)
        before += seconds
    return [trials for trials in packs if trials]
