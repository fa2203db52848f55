"""A leaderboard: one suite, one ruleset, everything that its trials say, by seconds and by steps."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.scoring.bootstrap import Estimate
from timetrial.harness.scoring.findings import check_one_leaderboard, find_incomplete, find_unsteady, notes_on
from timetrial.harness.scoring.ranking import standings_by
from timetrial.harness.scoring.rules import DEFAULT, REFERENCE, Rules
from timetrial.harness.scoring.standings import Standing, Standings
from timetrial.harness.scoring.trials import prepare_trials

RESAMPLES = 1000


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
    check_one_leaderboard(trials)
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
        notes=tuple(notes_on(scored, by_time, reference)),
    )
