"""What a reader of scores must know beside them: what is incomplete, unsteady, not comparable or uncertain."""

from collections.abc import Sequence

import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import INCOMPLETE, UNFINISHED
from timetrial.harness.records.table import as_measured
from timetrial.harness.scoring.leaderboard import Standing
from timetrial.harness.scoring.rules import Rules
from timetrial.harness.scoring.trials import name_trial

DRIFT = 0.05
"""How far the speed of a machine may be from that of a leaderboard before it is said."""


def check_one_leaderboard(trials: pd.DataFrame) -> None:
    """Raise `UsageError` where trials that have ended cannot stand side by side, naming two of them."""
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


def _drift(trials: pd.DataFrame) -> list[str]:
    """Say which submissions ran at another speed than their board's reference, which their times are corrected for."""
    drifted = trials[(trials["slowness"] - 1).abs() > DRIFT].drop_duplicates(["submission", "workload"])
    drifted = drifted.assign(slowness=drifted["slowness"].round(2))
    return [
        f"on {workload} the reference beside {', '.join(sorted(rows['submission']))} took {slowness:.2f} times as long "
        "as the reference of this board: their times are divided by that"
        for (workload, slowness), rows in drifted.groupby(["workload", "slowness"], observed=True)
    ]


def _machines(trials: pd.DataFrame) -> list[str]:
    """Say which times come from different machines, and which of them are corrected for it."""
    machines = sorted(as_measured(trials)["machine"].unique())
    notes = [f"seconds come from different machines ({'; '.join(machines)}): compare by steps"] * (len(machines) > 1)
    elsewhere = trials[trials["machine"].notna() & ~trials["machine"].isin(machines) & bool(machines)]
    return notes + [
        f"seconds of {', '.join(sorted(rows['submission'].unique()))} come from {machine}: they are corrected through "
        "the reference that ran there, and their intervals are wider by what processors differ in"
        for machine, rows in elsewhere.groupby("machine")
    ]


def _fewer_studies(trials: pd.DataFrame) -> list[str]:
    """Say who has fewer studies than others, but more than one; the studies that it lacks count as if it had them."""
    studies = trials.groupby(["submission", "workload"], observed=True)["study"].nunique()
    fewer = studies[(studies > 1) & (studies < studies.max())].reset_index()
    return [
        f"{', '.join(sorted(rows['submission'].unique()))} ran in {count} of {studies.max()} studies: intervals of "
        "these are too narrow"
        for count, rows in fewer.groupby("study")
    ]


def _cut_short(trials: pd.DataFrame) -> list[str]:
    """Say how many trials `max_steps` has ended."""
    limit = trials["max_steps"].astype(float)
    cut = int(((trials["status"] == "budget_exhausted") & (trials["last_step"] >= limit)).sum())
    return [f"max_steps={limit.min():.0f} ended {cut} of {len(trials)} trials: they count as missed"] if cut else []


def notes_on(
    trials: pd.DataFrame, standings: Sequence[Standing], clock: str, rules: Rules, reference: str
) -> list[str]:
    """Say in one sentence each what limits the scores of `trials`."""
    if not standings:
        return ["no submission is complete, so there are no scores"]
    results = {standing.submission: standing for standing in standings}
    notes = []
    if not rules.algoperf:
        if clock == "measured":
            notes.append("times are measured seconds: they hold what else ran on the machine")
        if reference not in results:
            notes.append(f"no speed-ups: the reference submission {reference} is not among those scored")
        elif (certificate := results[reference].certificate) and not certificate.holds:
            reasons = "; ".join(certificate.reasons())
            notes.append(f"speed-ups are over a reference without a tuning certificate: {reference} {reasons}")
        if standings[0].score.low is None:
            notes.append("no intervals: some workload was run in one study only, which says nothing about spread")
        elif alike := [one.submission for one in standings if one.score.high and one.score.low == one.score.high]:
            notes.append(f"no interval for the score of {', '.join(alike)}: it is the same whichever study is left out")
    notes += _drift(trials) if clock == "paced" else []
    notes += _cut_short(trials)
    notes += [] if rules.algoperf else _fewer_studies(trials)
    notes += _machines(trials)
    if provisional := sorted(trials.loc[trials["provisional"].astype(bool), "workload"].unique()):
        notes.append(f"targets are provisional on {', '.join(provisional)}")
    for workload in standings[0].workloads:
        if not any(standing.workloads[workload].trials_reached for standing in standings):
            notes.append(f"nobody reached the target of {workload}; it lowers every score")
    return notes
