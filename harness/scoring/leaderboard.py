"""A leaderboard: one suite, one ruleset, everything that its trials say, by seconds and by steps."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.errors import UsageError
from harness.scoring.bootstrap import Estimate
from harness.scoring.ranking import standings_by
from harness.scoring.rules import DEFAULT, REFERENCE, Rules
from harness.scoring.standings import Standing, Standings
from harness.scoring.trials import INCOMPLETE, UNFINISHED, name_trial, prepare_trials

RESAMPLES = 1000
FEW_STUDIES = 5
"""Below this many studies the range of the studies themselves covers the median in well under 95 % of cases."""


@dataclass(frozen=True)
class Leaderboard:
    """The standings of the complete submissions, and what was found about the others."""

    suite: str
    ruleset: str
    rules: Rules
    reference: str
    by_time: Standings
    by_steps: Standings | None
    """None where the table has no `steps_to_target`."""
    incomplete: dict[str, tuple[str, ...]]
    """Per submission, its trials that are neither reached nor missed, each as "trial: status"."""
    counted_as_misses: bool
    """Whether the incomplete submissions are in the standings, those trials as misses; if not, they have no score."""
    unsteady: dict[str, tuple[str, ...]]
    """Per submission, its trials whose clock was unsteady."""
    notes: tuple[str, ...]
    """What a reader of the scores must know, one sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as JSON values: best first, incomplete submissions last; inf and unknown are null."""
        entries = [self._entry(standing) for standing in self.by_time.standings]
        if not self.counted_as_misses:
            unscored = {"rank": None, "score": None, "low": None, "high": None}
            entries += [{"submission": name, **unscored, **self._findings(name)} for name in self.incomplete]
        return {
            "suite": self.suite,
            "ruleset": self.ruleset,
            "rules": self.rules.name,
            "reference": self.reference,
            "scores": [{"suite": self.suite, "ruleset": self.ruleset, **entry} for entry in entries],
            "neighbours": _neighbours(self.by_time),
            "neighbours_by_steps": _neighbours(self.by_steps) if self.by_steps else None,
            "incomplete_counted_as_misses": self.counted_as_misses,
            "notes": list(self.notes),
        }

    def _entry(self, standing: Standing) -> dict[str, Any]:
        steps = _standing(self.by_steps.of(standing.submission)) if self.by_steps else None
        findings = self._findings(standing.submission)
        return {"submission": standing.submission, **_standing(standing), "steps": steps, **findings}

    def _findings(self, submission: str) -> dict[str, Any]:
        return {
            "incomplete": list(self.incomplete.get(submission, ())),
            "unsteady_clock": list(self.unsteady.get(submission, ())),
        }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _estimate(estimate: Estimate | None, name: str = "value") -> dict[str, float | None]:
    if estimate is None:
        return {name: None, "low": None, "high": None}
    ends = {"low": estimate.low, "high": estimate.high}
    return {name: _number(estimate.value), **{end: None if v is None else _number(v) for end, v in ends.items()}}


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "rank": standing.rank,
        **_estimate(standing.score, "score"),
        "speedup": _estimate(standing.speedup),
        "fragility": vars(standing.fragility),
        "workloads": {
            name: {
                **_estimate(result.value),
                "ratio": _number(result.ratio),
                "studies": result.studies,
                "studies_reached": result.studies_reached,
                "speedup": _estimate(result.speedup),
                "counted_as_budget": result.counted_as_budget,
            }
            for name, result in standing.workloads.items()
        },
        "profile": {"tau": standing.profile.taus.tolist(), "rho": standing.profile.rhos.tolist()},
    }


def _neighbours(standings: Standings) -> list[dict[str, Any]]:
    return [
        {
            "better": pair.better,
            "worse": pair.worse,
            **_estimate(pair.difference, "difference"),
            "distinguishable": pair.distinguishable,
        }
        for pair in standings.neighbours
    ]


def score_leaderboards(trials: pd.DataFrame, rules: Rules = DEFAULT, **options: Any) -> tuple[Leaderboard, ...]:
    """Score every (suite, ruleset) of a table as its own leaderboard, in alphabetical order, as `score_table` does."""
    trials = prepare_trials(trials)
    groups = trials.groupby(["suite", "ruleset"], sort=True, observed=True)
    return tuple(_score(group, rules, **options) for _, group in groups)


def score_table(trials: pd.DataFrame, rules: Rules = DEFAULT, **options: Any) -> Leaderboard:
    """Score one leaderboard's table of trials (its columns: harness/scoring/trials.py).

    Options: `allow_incomplete` (False) counts incomplete trials as misses, `reference` ("adamw") is whom speed-ups are
    measured against, `resamples` (1000; 0 for no intervals) and `seed` (0) rule the bootstrap.
    Raises `UsageError` for a bad table, and where it holds several suites, rulesets or protocols.
    """
    return _score(prepare_trials(trials), rules, **options)


def _score(
    trials: pd.DataFrame,
    rules: Rules,
    *,
    allow_incomplete: bool = False,
    reference: str = REFERENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Leaderboard:
    """Score a prepared table."""
    _check_one_leaderboard(trials)
    roles = ("base", "heldout") if rules.heldout else ("base",)
    trials = trials[trials["role"].isin(roles) & ~trials["workload"].isin(rules.ignored_workloads)]
    if trials.empty:
        raise UsageError("no trials to score: there is no base workload under these rules; see the roles of workloads")
    incomplete = find_incomplete(trials)
    scored = trials if allow_incomplete else trials[~trials["submission"].isin(incomplete)]
    by_time = standings_by("time_to_target", scored, rules, reference, resamples, seed)
    has_steps = "steps_to_target" in trials
    first = trials.iloc[0]
    return Leaderboard(
        suite=str(first["suite"]),
        ruleset=str(first["ruleset"]),
        rules=rules,
        reference=reference,
        by_time=by_time,
        by_steps=standings_by("steps_to_target", scored, rules, reference, resamples, seed) if has_steps else None,
        incomplete=incomplete,
        counted_as_misses=allow_incomplete and bool(incomplete),
        unsteady=find_unsteady(trials),
        notes=tuple(_notes(scored, by_time, reference)),
    )


def _check_one_leaderboard(trials: pd.DataFrame) -> None:
    ended = trials[~trials["status"].isin(UNFINISHED)]
    groups = [("suite", trials), ("ruleset", trials)]
    groups += [("protocol", rows) for _, rows in ended.groupby("workload", observed=True)]
    for column, rows in groups:
        different = rows.drop_duplicates(column)
        if len(different) > 1:
            one, other = different.iloc[0], different.iloc[1]
            raise UsageError(
                f"{column} is {one[column]!r} in {name_trial(one)} and {other[column]!r} in {name_trial(other)}: "
                f"they cannot share the {one['suite']}/{one['ruleset']} leaderboard; score them apart"
            )


def find_incomplete(trials: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Name, per submission of a prepared table, the trials that ended in `INCOMPLETE` and the workloads without any."""
    found: dict[str, list[str]] = {}
    for _, row in trials[trials["status"].isin(INCOMPLETE)].iterrows():
        found.setdefault(row["submission"], []).append(f"{name_trial(row)}: {row['status']}")
    planned = {submission: set(rows["workload"]) for submission, rows in trials.groupby("submission", observed=True)}
    for submission, workloads in planned.items():
        for workload in set().union(*planned.values()) - workloads:
            found.setdefault(submission, []).append(f"{submission}/{workload}: no trial")
    return {submission: tuple(sorted(found[submission])) for submission in sorted(found)}


def find_unsteady(trials: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Name, per submission of a prepared table, the trials that carry the flag `unsteady_clock`."""
    found: dict[str, list[str]] = {}
    for _, row in trials[["unsteady_clock" in flags for flags in trials["flags"]]].iterrows():
        found.setdefault(row["submission"], []).append(name_trial(row))
    return {submission: tuple(sorted(found[submission])) for submission in sorted(found)}


def _notes(trials: pd.DataFrame, standings: Standings, reference: str) -> list[str]:
    if not standings.standings:
        return ["no submission is complete, so there are no scores"]
    results = {standing.submission: standing.workloads for standing in standings.standings}
    notes = []
    if reference not in results:
        notes.append(f"no speed-ups: the reference submission {reference} is not among those scored")
    studies = min((r.studies for workloads in results.values() for r in workloads.values() if r.studies), default=0)
    if standings.standings[0].score.low is None:
        notes.append("no intervals: some workload was run in one study only, which says nothing about spread")
    elif studies < FEW_STUDIES:
        notes.append(f"as few as {studies} studies of a workload: read the 95 % intervals as too narrow")
    machines = sorted(trials["machine"].dropna().unique())
    if len(machines) > 1:
        notes.append(f"seconds come from different machines ({'; '.join(machines)}): compare by steps")
    if provisional := sorted(trials.loc[trials["provisional"].astype(bool), "workload"].unique()):
        notes.append(f"targets are provisional on {', '.join(provisional)}")
    for workload in next(iter(results.values())):
        if not any(math.isfinite(workloads[workload].value.value) for workloads in results.values()):
            notes.append(f"nobody reached the target of {workload}; it lowers every score")
    return notes
