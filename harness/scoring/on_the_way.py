"""Seven levels of the metric below the target, and when trials crossed them: a second question, with more answers."""

import numpy as np
import pandas as pd

from timetrial.harness.planning.spec import INCOMPLETE
from timetrial.harness.records.crossing import CLOCKS, crossings, padded
from timetrial.harness.scoring.best_of_k import Array

RUNGS = 7


def times_on_the_way(trials: pd.DataFrame, clock: str, anchor: str) -> Array | None:
    """Find when each of the prepared trials of one workload crossed each rung: (N, `RUNGS`).

    Infinite where it never did, or ended as one of `INCOMPLETE`, whatever it had reached before.

    The rungs are those of the `anchor`, which is the reference where it is there: of its trials that reach the target,
    the median of the best metric so far at 1/8, 2/8 ... 7/8 of the steps from the first evaluation to the crossing.
    Nobody else has a part in them. Where none of its trials reaches the target, they are evenly spaced from the median
    metric of its first evaluations to the target. None where it has no evaluation, or the table has none.
    """
    if "evaluations" not in trials or trials["higher_is_better"].dropna().empty:
        return None
    higher = bool(trials["higher_is_better"].dropna().iloc[0])
    own = trials[trials["submission"] == anchor]
    levels = rungs(list(own["evaluations"]), own["crossing_steps"].to_numpy(), float(own["target"].max()), higher)
    if levels is None:
        return None
    array = padded(list(trials["evaluations"]))
    column = list(CLOCKS).index(clock)
    times = np.stack([crossings(array, level, higher)[:, column] for level in levels], axis=1)
    times[trials["status"].isin(INCOMPLETE).to_numpy()] = np.inf
    return times


def rungs(evaluations: list[Array], crossing_steps: Array, target: float, higher_is_better: bool) -> Array | None:
    """Compute the levels (`RUNGS`,) from the reference's evaluations and crossings of the target; None without any."""
    best = np.maximum if higher_is_better else np.minimum
    shares = np.arange(1, RUNGS + 1) / (RUNGS + 1)
    starts, found = [], []
    for array, crossing in zip(evaluations, crossing_steps, strict=True):
        known = array[np.isfinite(array[:, 0])]
        if not len(known):  # it diverged before its first evaluation
            continue
        starts.append(known[0, 0])
        if known[0, -1] < crossing < np.inf:
            steps = known[0, -1] + shares * (crossing - known[0, -1])
            found.append(np.interp(steps, known[:, -1], best.accumulate(known[:, 0])))
    if found:
        return np.median(found, axis=0)
    start = np.median(starts) if starts else target
    return None if start == target else start + shares * (target - start)
