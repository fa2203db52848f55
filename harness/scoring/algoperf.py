"""Scores as AlgoPerf's code computes them: the median over studies of the trial that counts, and its trapezoid.

Of a study counts the trial with the earliest evaluation at the target; trials without any evaluation are left out. A
time beyond `MAX_TAU` times the fastest is a miss. Held-out workloads of v0.5: Dahl et al. 2023, section 4.4.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.leaderboard import Standing, WorkloadResult, ranks_of
from timetrial.harness.scoring.profile import profile_of
from timetrial.harness.scoring.rules import MAX_TAU, Rules
from timetrial.harness.scoring.trials import FIRST_EVALUATION

GRID_POINTS = 100
"""Points of the trapezoid that integrates the profile."""


@dataclass(frozen=True)
class Workloads:
    """The columns of an array of times: base workloads first, then held-out ones, both in alphabetical order."""

    base: tuple[str, ...]
    heldout: tuple[str, ...] = ()
    base_of: tuple[int, ...] = ()
    """For each held-out workload, the index of its base workload."""


def algoperf_standings(trials: pd.DataFrame, clock: str, rules: Rules) -> tuple[Standing, ...]:
    """Score a prepared table by the times of first evaluations at the target; there are no intervals."""
    workloads = workloads_of(trials, rules.heldout)
    submissions = tuple(sorted(trials["submission"].unique()))
    counting = counting_trials(trials, FIRST_EVALUATION[clock])
    grouped = counting.groupby(["submission", "workload"], observed=True)[FIRST_EVALUATION[clock]]
    names = workloads.base + workloads.heldout
    times, studies, reached = (
        table.unstack().reindex(index=submissions, columns=names)
        for table in (grouped.median(), grouped.size(), grouped.agg(lambda times: np.isfinite(times).sum()))
    )
    ratios = ratios_to_fastest(surviving_times(times.fillna(np.inf).to_numpy(float), workloads))
    scores = credits_of(ratios).mean(axis=1)
    share = np.full(len(workloads.base), 1 / len(workloads.base))
    standings = []
    for s in sorted(range(len(submissions)), key=lambda s: -scores[s]):
        results = {}
        for w, name in enumerate(workloads.base):
            number = studies.iloc[s, w]
            number, hits = (0, 0) if np.isnan(number) else (int(number), int(reached.iloc[s, w]))
            results[name] = WorkloadResult(
                value=Estimate(float(times.iloc[s, w]) if hits * 2 > number else np.inf),
                ratio=float(ratios[s, w]),
                reach=hits / number if number else 0.0,
                trials=number,
                trials_reached=hits,
            )
        profile = profile_of(ratios[s], share)
        standings.append(Standing(submissions[s], 0, Estimate(float(scores[s])), profile, results))
    return ranks_of(standings, [standing.score.value for standing in standings])


def workloads_of(trials: pd.DataFrame, heldout: bool) -> Workloads:
    """Find the workloads of a prepared table; raises `UsageError` for a held-out workload without its base."""
    found = trials[["workload", "role", "base_workload"]].drop_duplicates().astype(str).sort_values("workload")
    base = tuple(found.loc[found["role"] == "base", "workload"])
    variants = found[found["role"] == "heldout"]
    if not heldout or variants.empty:
        return Workloads(base)
    for variant, parent in zip(variants["workload"], variants["base_workload"], strict=True):
        if parent not in base:
            raise UsageError(f"held-out workload {variant}: its base workload {parent!r} is not in the table; add it")
    return Workloads(base, tuple(variants["workload"]), tuple(map(base.index, variants["base_workload"])))


def counting_trials(trials: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Pick the row of each (submission, workload, study) that counts, from a prepared table; ties go to the faster."""
    trials = trials[trials["n_evals"] > 0]
    index = trials["eval_index_at_target"].where(np.isfinite(trials[measure]), np.inf)
    cell = [trials["study"], trials["workload"].cat.codes, trials["submission"].cat.codes]
    ordered = trials.iloc[np.lexsort([trials["trial"], trials[measure], index, *cell])]
    return ordered[~ordered.duplicated(["submission", "workload", "study"])]


def surviving_times(times: Array, workloads: Workloads) -> Array:
    """Apply held-out workloads and clipping: (S, all workloads) to (S, base workloads), inf = miss.

    In AlgoPerf's order: a held-out workload counts only where its base was reached; then a time beyond `MAX_TAU` times
    the fastest is a miss, in every column; then a base workload counts only where its held-out ones were reached.
    """
    times = times.copy()
    base_count = len(workloads.base)
    for variant, base in enumerate(workloads.base_of, start=base_count):
        times[:, variant][np.isinf(times[:, base])] = np.inf
    times[times > MAX_TAU * times.min(axis=0)] = np.inf
    for variant, base in enumerate(workloads.base_of, start=base_count):
        times[:, base][np.isinf(times[:, variant])] = np.inf
    return times[:, :base_count]


def ratios_to_fastest(times: Array) -> Array:
    """Divide by the smallest time of each workload, (S, W); inf for a miss, also where nobody reached it."""
    fastest = times.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = times / fastest
    return np.where(np.isinf(times), np.inf, np.where(times == fastest, 1.0, ratios))


def credits_of(ratios: Array) -> Array:
    """Compute what each workload adds to the score, from 0 to 1: (S, W) to the same shape.

    A trapezoid on a grid of n points sees the step at a ratio start half a cell before the first point at or past it.
    """
    cells = GRID_POINTS - 1
    first = np.searchsorted(np.linspace(1, MAX_TAU, GRID_POINTS), ratios, side="left")
    return np.select([first == 0, first <= cells], [1.0, (cells + 0.5 - first) / cells], 0.0)
