"""Speed-up over a frozen reference submission: a number that does not depend on who else is in the field."""

import numpy as np
import pandas as pd

from timetrial.harness.scoring.times import Array


def budgets(trials: pd.DataFrame, submissions: tuple[str, ...], workloads: tuple[str, ...], measure: str) -> Array:
    """Find what a miss counts as, (S, W), from a prepared table; nan where the table does not say.

    In seconds it is the workload's budget. In steps it is what that budget bought the submission: the most steps that
    any of its trials took, brought up to the whole budget at that trial's own speed.
    """
    trials = trials[trials["submission"].isin(submissions) & trials["workload"].isin(workloads)]
    if measure == "time_to_target":
        counted = trials["budget_seconds"]
    else:
        whole = (trials["budget_seconds"] / trials["last_seconds"].where(trials["last_seconds"] > 0)).clip(lower=1)
        counted = trials["last_step"] * whole
    table = counted.groupby([trials["submission"], trials["workload"]], observed=False).max().unstack()
    return table.reindex(index=submissions, columns=workloads).to_numpy(float)


def speedups(times: Array, budget: Array, reference: int) -> Array:
    """Divide the reference's times by each submission's, (..., S, W).

    A miss counts as the larger of the submission's and the reference's budget (S, W), so it is never faster than what
    the other reached, and two misses are equally fast.
    """
    budget = np.fmax(budget, budget[reference])
    own = np.where(np.isinf(times), budget, times)
    references = times[..., [reference], :]
    others = np.where(np.isinf(references), budget, references)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(own == others, 1.0, others / own)


def geometric_mean(ratios: Array) -> Array:
    """Average ratios over workloads on a log scale: (..., W) to (...)."""
    with np.errstate(divide="ignore"):
        return np.exp(np.log(ratios).mean(axis=-1))
