"""Scoring: from a table of trials to leaderboards."""

from typing import Any

import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.records.crossing import CLOCKS
from timetrial.harness.scoring.algoperf import algoperf_standings
from timetrial.harness.scoring.budgets import anchor_of, budget_of
from timetrial.harness.scoring.findings import check_one_leaderboard, find_incomplete, find_unsteady, notes_on
from timetrial.harness.scoring.leaderboard import Leaderboard
from timetrial.harness.scoring.rules import DEFAULT, REFERENCE, Rules
from timetrial.harness.scoring.standings import best_first, trials_of_study
from timetrial.harness.scoring.trials import choose_clock, prepare_trials


def score_leaderboards(trials: pd.DataFrame, rules: Rules = DEFAULT, **options: Any) -> tuple[Leaderboard, ...]:
    """Score every (suite, ruleset) of a table as its own leaderboard, in alphabetical order, as `score_table` does."""
    trials = prepare_trials(trials)
    groups = trials.groupby(["suite", "ruleset"], sort=True, observed=True)
    return tuple(_score(group, rules, **options) for _, group in groups)


def score_table(trials: pd.DataFrame, rules: Rules = DEFAULT, **options: Any) -> Leaderboard:
    """Score one leaderboard's table of trials (its columns: harness/scoring/trials.py).

    Options: `clock` ("paced", "measured" or "steps"; by default paced where the records have it, and AlgoPerf's rules
    measure), `allow_incomplete` (False) counts incomplete trials as misses, `reference` ("adamw") is whom speed-ups are
    measured against. Raises `UsageError` for a bad table, and where it holds several suites, rulesets or protocols.
    """
    return _score(prepare_trials(trials), rules, **options)


def _score(
    trials: pd.DataFrame,
    rules: Rules,
    *,
    clock: str | None = None,
    allow_incomplete: bool = False,
    reference: str = REFERENCE,
) -> Leaderboard:
    """Score a prepared table."""
    check_one_leaderboard(trials)
    roles = ("base", "heldout") if rules.heldout else ("base",)
    trials = trials[trials["role"].isin(roles) & ~trials["workload"].isin(rules.ignored_workloads)]
    if trials.empty:
        raise UsageError("no trials to score: there is no base workload under these rules; see the roles of workloads")
    clock = choose_clock(trials, "measured" if rules.algoperf and clock is None else clock)
    incomplete = find_incomplete(trials)
    scored = trials if allow_incomplete else trials[~trials["submission"].isin(incomplete)]
    if rules.algoperf:
        standings = algoperf_standings(scored, clock, rules) if len(scored) else ()
    else:
        standings = best_first(scored, clock, reference)
    first = trials.iloc[0]
    by_workload = scored.groupby("workload", observed=True)
    return Leaderboard(
        suite=str(first["suite"]),
        ruleset=str(first["ruleset"]),
        rules=rules,
        clock=clock,
        unit=CLOCKS[clock],
        trials_of_study=trials_of_study(trials),
        reference=reference,
        standings=standings,
        budgets={str(name): budget_of(rows, clock, anchor_of(scored, reference)) for name, rows in by_workload},
        incomplete=incomplete,
        counted_as_misses=allow_incomplete and bool(incomplete),
        unsteady=find_unsteady(trials),
        notes=tuple(notes_on(scored, standings, clock, rules, reference)),
    )
