"""Performance profiles, whose area is the score (Dolan and More 2002; Dahl et al. 2023, section 4.5)."""

from dataclasses import dataclass

import numpy as np

from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.rules import MAX_TAU

BAND_TAUS = np.linspace(1.0, MAX_TAU, 61)
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


def profile_of(ratios: Array, weights: Array) -> Profile:
    """Make a profile of ratios to the fastest (n,), each with its weight (n,), without a band; inf is a miss."""
    kept = ratios <= MAX_TAU
    taus, place = np.unique(np.append(np.maximum(ratios[kept], 1.0), 1.0), return_inverse=True)
    jumps = np.bincount(place, np.append(weights[kept], 0.0))
    return Profile(taus, jumps.cumsum())


def credit(ratios: Array) -> Array:
    """Compute the area under a step to 1 at each ratio, over the width 3: (4 - r) / 3 within 0 and 1."""
    return np.clip((MAX_TAU - ratios) / (MAX_TAU - 1), 0, 1)
