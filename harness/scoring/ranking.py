"""From a table of trials to standings: the one path that every set of rules and every measure takes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from timetrial.harness.scoring.bootstrap import Estimates, estimate, profile_band, resample
from timetrial.harness.scoring.fragility import fragilities
from timetrial.harness.scoring.profile import profile_of, ratios_to_fastest, scores_of, surviving_times
from timetrial.harness.scoring.rules import Rules
from timetrial.harness.scoring.speedup import budgets, geometric_mean, speedups
from timetrial.harness.scoring.standings import Comparison, Standing, Standings, WorkloadResult
from timetrial.harness.scoring.times import Array, Workloads, medians, study_values, workloads_of
from timetrial.harness.scoring.trials import MEASURES, counting_trials


@dataclass(frozen=True, eq=False)
class Field:
    """Everybody's times on every workload: S submissions, W workloads (held-out ones last), B resamples."""

    submissions: tuple[str, ...]
    workloads: Workloads
    studies: list[Array]
    """Per workload (S, studies): inf for a study that missed, nan for one that was not run."""
    times: Array
    """(S, W), the medians over studies."""
    samples: Array | None
    """(B, S, W), the medians over resampled studies."""


def standings_by(
    measure: str, trials: pd.DataFrame, rules: Rules, reference: str, resamples: int, seed: int
) -> Standings:
    """Score a prepared table by `measure`, one of `MEASURES`."""
    if trials.empty:
        return Standings(MEASURES[measure], (), ())
    field = _field(measure, trials, rules, resamples, seed)
    ratios = ratios_to_fastest(surviving_times(field.times, field.workloads, rules))
    profiles = [profile_of(row) for row in ratios]
    scores, sampled_scores = scores_of(ratios, rules), None
    if field.samples is not None:
        sampled_ratios = ratios_to_fastest(surviving_times(field.samples, field.workloads, rules))
        sampled_scores = scores_of(sampled_ratios, rules)
        profiles = [profile_band(profile, sampled_ratios[:, s]) for s, profile in enumerate(profiles)]

    order = sorted(range(len(field.submissions)), key=lambda s: -scores[s])
    neighbours = _compare(field.submissions, order[:-1], order[1:], scores, sampled_scores)
    ranks = _ranks(field.submissions, order, scores, sampled_scores, rules)
    score = estimate(scores, sampled_scores)
    fragility = fragilities(field.times, field.submissions, field.workloads, rules)
    per_workload, overall = _speedups(
        field, budgets(trials, field.submissions, field.workloads.base, measure), reference
    )
    results = _workload_results(field, ratios, per_workload, reference)
    standings = tuple(
        Standing(
            submission=field.submissions[s],
            rank=rank,
            score=score[s],
            profile=profiles[s],
            workloads=results[s],
            speedup=None if np.isnan(overall.value[s]) else overall[s],
            fragility=fragility[s],
        )
        for s, rank in zip(order, ranks, strict=True)
    )
    return Standings(MEASURES[measure], standings, neighbours)


def _field(measure: str, trials: pd.DataFrame, rules: Rules, resamples: int, seed: int) -> Field:
    workloads = workloads_of(trials, rules.heldout)
    submissions = tuple(sorted(trials["submission"].unique()))
    studies = study_values(counting_trials(trials, rules, measure), submissions, workloads.names, measure)
    times = np.stack([medians(array, np.ones((1, array.shape[1]), int))[0] for array in studies], axis=-1)
    return Field(submissions, workloads, studies, times, resample(studies, resamples, seed))


def _compare(
    submissions: tuple[str, ...], better: list[int], worse: list[int], scores: Array, sampled: Array | None
) -> tuple[Comparison, ...]:
    """Give the difference of the scores of each pair."""
    difference = estimate(
        scores[better] - scores[worse], None if sampled is None else sampled[:, better] - sampled[:, worse]
    )
    pairs = enumerate(zip(better, worse, strict=True))
    return tuple(Comparison(submissions[b], submissions[w], difference[i]) for i, (b, w) in pairs)


def _ranks(
    submissions: tuple[str, ...], order: list[int], scores: Array, sampled: Array | None, rules: Rules
) -> list[int]:
    """Rank from 1, best first; whoever is tied with the first of a rank shares it, and the next one skips.

    With the first and not with the neighbour: in a long field neighbours are always close, and all would share a rank.
    """
    ranks, first = [1], order[0]
    for place, s in enumerate(order[1:], start=2):
        (pair,) = _compare(submissions, [first], [s], scores, sampled)
        by_interval = rules.ties == "interval" and pair.difference.low is not None
        tied = not pair.distinguishable if by_interval else scores[first] == scores[s]
        first = first if tied else s
        ranks.append(ranks[-1] if tied else place)
    return ranks


def _speedups(field: Field, budget: Array, reference: str) -> tuple[Estimates, Estimates]:
    """Estimate the speed-ups per base workload, (S, W), and overall, (S,); nan where they are not known."""
    if reference not in field.submissions:
        return Estimates(np.full(budget.shape, np.nan)), Estimates(np.full(len(budget), np.nan))
    index, base = field.submissions.index(reference), len(field.workloads.base)
    values = speedups(field.times[:, :base], budget, index)
    samples = None if field.samples is None else speedups(field.samples[..., :base], budget, index)
    overall = None if samples is None else geometric_mean(samples)
    return estimate(values, samples), estimate(geometric_mean(values), overall)


def _workload_results(
    field: Field, ratios: Array, speedup: Estimates, reference: str
) -> list[dict[str, WorkloadResult]]:
    value = estimate(field.times, field.samples)
    missed = np.isinf(field.times)
    in_speedup = missed | missed[field.submissions.index(reference)] if reference in field.submissions else missed

    def result(s: int, w: int) -> WorkloadResult:
        return WorkloadResult(
            value=value[s, w],
            ratio=float(ratios[s, w]),
            studies=int((~np.isnan(field.studies[w][s])).sum()),
            studies_reached=int(np.isfinite(field.studies[w][s]).sum()),
            speedup=None if np.isnan(speedup.value[s, w]) else speedup[s, w],
            counted_as_budget=bool(in_speedup[s, w]),
        )

    return [{name: result(s, w) for w, name in enumerate(field.workloads.base)} for s in range(len(field.submissions))]
