"""How much a score owes to the field: its range when one other submission or one workload is left out."""

from dataclasses import dataclass

import numpy as np

from timetrial.harness.scoring.profile import credits_of, ratios_to_fastest, surviving_times
from timetrial.harness.scoring.rules import Rules
from timetrial.harness.scoring.times import Array, Workloads


@dataclass(frozen=True)
class Fragility:
    """The lowest and highest score with one submission or workload left out, and which; '' where leaving out none."""

    low: float
    low_without: str
    high: float
    high_without: str


def fragilities(times: Array, submissions: tuple[str, ...], workloads: Workloads, rules: Rules) -> list[Fragility]:
    """Score each submission of `times` (S, all workloads) again without each other submission and each workload.

    Leaving a submission out is the same as its never reaching a target: neither changes anybody else's score. Leaving
    out a base workload leaves out its held-out variants.
    """
    credits = credits_of(ratios_to_fastest(surviving_times(times, workloads, rules)), rules)
    without: list[tuple[str, Array]] = [("", credits.mean(axis=1))]
    for index, name in enumerate(submissions):
        others = times.copy()
        others[index] = np.inf
        scores = credits_of(ratios_to_fastest(surviving_times(others, workloads, rules)), rules).mean(axis=1)
        scores[index] = without[0][1][index]
        without.append((name, scores))
    if len(workloads.base) > 1:
        for index, name in enumerate(workloads.base):
            without.append((name, np.delete(credits, index, axis=1).mean(axis=1)))
    names = [name for name, _ in without]
    scores = np.stack([score for _, score in without])
    low, high = scores.argmin(axis=0), scores.argmax(axis=0)
    return [
        Fragility(float(scores[low[s], s]), names[low[s]], float(scores[high[s], s]), names[high[s]])
        for s in range(len(submissions))
    ]
