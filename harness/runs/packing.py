"""How trials of seconds are packed into jobs of minutes."""

import math
from collections.abc import Sequence

from timetrial.harness.planning.spec import TrialSpec

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
    limit = max(1.0, job_seconds - JOB_SECONDS)
    total = sum(expected_seconds(spec) for spec in specs) / slots
    share = total / min(max_jobs, math.ceil(total / LEAST_SECONDS))
    packs: list[list[TrialSpec]] = [[]]
    before, job, filled = 0.0, 0, 0.0
    for spec in specs:
        seconds = expected_seconds(spec) / slots
        own_job = int((before + seconds / 2) / share)
        if packs[-1] and (own_job != job or filled + seconds > limit):
            packs.append([])
            filled = 0.0
        packs[-1].append(spec)
        before, job, filled = before + seconds, own_job, filled + seconds
    return packs
