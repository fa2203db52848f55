"""Performance profiles and the score: the area under a profile (Dolan and More 2002; Dahl et al. 2023, section 4.5)."""

from dataclasses import dataclass

import numpy as np

from timetrial.harness.scoring.rules import MAX_TAU, Rules
from timetrial.harness.scoring.times import Array, Workloads

BAND_TAUS = np.linspace(1.0, MAX_TAU, 301)
"""Where the uncertainty band of a profile is computed."""


@dataclass(frozen=True, eq=False)
class Profile:
    """rho(tau), the share of workloads within tau times the fastest: a step function that is right-continuous.

    It jumps to `rhos[i]` at `taus[i]`; `taus` starts at 1. `low` and `high` bound it at `BAND_TAUS`, or are None.
    """

    taus: Array
    rhos: Array
    low: Array | None = None
    high: Array | None = None

    def at(self, tau: Array | float) -> Array:
        """Evaluate the profile at any `tau` from 1 on."""
        return self.rhos[np.searchsorted(self.taus, tau, side="right") - 1]


def surviving_times(times: Array, workloads: Workloads, rules: Rules) -> Array:
    """Apply held-out workloads and clipping: (..., S, all workloads) to (..., S, base workloads), inf = miss.

    In AlgoPerf's order: a held-out workload counts only where its base was reached; then a time beyond `MAX_TAU` times
    the fastest is a miss, in every column; then a base workload counts only where its held-out ones were reached.
    """
    times = times.copy()
    base_count = len(workloads.base)
    for variant, base in enumerate(workloads.base_of, start=base_count):
        times[..., variant][np.isinf(times[..., base])] = np.inf
    if rules.clip:
        times[times > MAX_TAU * times.min(axis=-2, keepdims=True)] = np.inf
    for variant, base in enumerate(workloads.base_of, start=base_count):
        times[..., base][np.isinf(times[..., variant])] = np.inf
    return times[..., :base_count]


def ratios_to_fastest(times: Array) -> Array:
    """Divide by the smallest time of each workload, (..., S, W); inf for a miss, also where nobody reached it."""
    fastest = times.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = times / fastest
    return np.where(np.isinf(times), np.inf, np.where(times == fastest, 1.0, ratios))


def credits_of(ratios: Array, rules: Rules) -> Array:
    """Compute what each workload adds to the score, from 0 to 1: (..., S, W) to the same shape.

    The area under one workload's step, which is 1 from tau = r on, divided by the width: (4 - r) / 3 in [0, 1]. A
    trapezoid on a grid of n points sees the step start half a cell before the first point that is at or past r.
    """
    if rules.grid_points is None:
        return np.clip((MAX_TAU - ratios) / (MAX_TAU - 1), 0, 1)
    cells = rules.grid_points - 1
    first = np.searchsorted(np.linspace(1, MAX_TAU, rules.grid_points), ratios, side="left")
    return np.select([first == 0, first <= cells], [1.0, (cells + 0.5 - first) / cells], 0.0)


def scores_of(ratios: Array, rules: Rules) -> Array:
    """Average the credits over workloads, those nobody reached included: (..., S, W) to (..., S)."""
    return credits_of(ratios, rules).mean(axis=-1)


def profile_of(ratios: Array) -> Profile:
    """Make one submission's profile from its ratios (W,), without a band."""
    taus = np.unique(np.append(ratios[ratios <= MAX_TAU], 1.0))
    return Profile(taus, (ratios <= taus[:, None]).mean(axis=1))
