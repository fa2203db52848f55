"""What a miss counts as: the budget of a workload, on whichever clock is scored."""

import numpy as np
import pandas as pd

from timetrial.harness.scoring.rules import REFERENCE
from timetrial.harness.scoring.trials import LAST, crossing_column


def anchor_of(trials: pd.DataFrame, reference: str) -> str:
    """Name the submission that step budgets and rungs are made from: the frozen one, where it is there.

    Whoever else speed-ups are measured against, as when two submissions are compared, moves neither.
    """
    return REFERENCE if (trials["submission"] == REFERENCE).any() else reference


def budget_of(trials: pd.DataFrame, clock: str, anchor: str) -> float:
    """Find the budget on `clock` from the prepared trials of one workload; the same for everybody.

    A budget counts one clock. On another it is what it buys the `anchor`: its median trial's reading of `clock` for
    each second of the budget's clock, times the budget; without an anchor that of all trials. Where no budget is
    recorded it is the longest that any trial ran.
    """
    crossed = trials[crossing_column(clock)]
    budget = trials["budget_seconds"].max()
    counted = "paced" if (trials["budget_clock"] == "paced").any() else "measured"
    if not np.isnan(budget) and counted != clock:
        own = trials[trials["submission"] == anchor]
        readings = (own if len(own) else trials)[[LAST[clock], LAST[counted]]].astype(float)
        readings = readings[(readings > 0).all(axis=1)]
        budget *= (readings[LAST[clock]] / readings[LAST[counted]]).median()
    if not np.isnan(budget):
        return float(budget)
    longest = np.fmax(crossed.where(np.isfinite(crossed)).max(), trials[LAST[clock]].astype(float).max())
    return float(longest) if longest > 0 else 1.0
