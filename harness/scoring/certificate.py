"""Whether a submission was tuned as far as a study's draws allow: what its trials say about its search space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from timetrial.harness.scoring.jackknife import Estimate

ENOUGH_REACH = 0.9
"""A study must reach each target with at least this probability."""
FALLING = 1.1
"""The curve still falls where the 95 % interval of how many times sooner twice the draws would be lies above this."""
OUTER = 0.2
"""The share of a range, at either end, that counts as its edge."""
BEST = 5
"""How many of the fastest trials on a workload are asked where in the search space they are."""
MOST_INSIDE = 1
"""How many of them may be elsewhere than at an edge. With none there by chance more often than 1.3 % of the time."""


@dataclass(frozen=True)
class Certificate:
    """What stands against a submission's being tuned; it holds where nothing does."""

    seldom: dict[str, float]
    """Workloads whose target a study reaches with a probability below `ENOUGH_REACH`, and that probability."""
    falling: dict[str, Estimate]
    """Workloads on which twice the draws of a study would surely be `FALLING` times sooner, and how much sooner."""
    edges: tuple[str, ...]
    """Hyperparameters whose best values lie at an edge of their range, such as "learning_rate high on small_gpt"."""
    tuned: bool
    """Whether there was anything to tune: a study of one trial has only its reach."""

    @property
    def holds(self) -> bool:
        return not (self.seldom or self.falling or self.edges)

    def reasons(self) -> list[str]:
        """Say in a few words each what stands against it."""
        found = []
        if self.seldom:
            shares = ", ".join(f"{name} in {reach:.0%}" for name, reach in self.seldom.items())
            found.append(f"is estimated to reach {shares} of studies" if self.tuned else f"reaches {shares} of trials")
        if self.falling:
            gains = ", ".join(f"{with_interval(gain)} on {name}" for name, gain in self.falling.items())
            found.append(f"twice the draws would be sooner: {gains}")
        if self.edges:
            found.append(f"best values at an edge: {', '.join(self.edges)}")
        return found


def with_interval(gain: Estimate) -> str:
    return f"{gain.value:.2f}x ({gain.low:.2f} to {gain.high:.2f})"


def certify(
    reach: Mapping[str, float],
    gains: Mapping[str, Estimate],
    positions: Mapping[str, Sequence[Mapping[str, float]]],
    trials_of_study: int,
) -> Certificate:
    """Judge a submission by workload: how likely a study reaches the target, what twice the draws would gain, and where
    in their ranges the hyperparameters of its trials lie, the fastest first (only of trials that reach the target)."""
    edges = [
        f"{name} {end} on {workload}"
        for workload, points in positions.items()
        for name in (points[0] if points else ())
        if (end := edge_of([point[name] for point in points[:BEST] if name in point]))
    ]
    return Certificate(
        seldom={name: share for name, share in reach.items() if share < ENOUGH_REACH},
        falling={name: gain for name, gain in gains.items() if gain.low is not None and gain.low > FALLING},
        edges=tuple(edges) if trials_of_study > 1 else (),
        tuned=trials_of_study > 1,
    )


def edge_of(places: Sequence[float]) -> str:
    """Name the edge, "low" or "high", at which all of `BEST` places in a range but `MOST_INSIDE` lie; "" for none."""
    for end, there in (("low", np.less_equal(places, OUTER)), ("high", np.greater_equal(places, 1 - OUTER))):
        if np.sum(there) >= BEST - MOST_INSIDE:
            return end
    return ""
