"""One leaderboard with the records behind it: what every table, plot and page of a report is made from."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.files import CorruptRecord, Evaluation, Metrics, TrialFolder
from timetrial.harness.records.run import Run
from timetrial.harness.records.table import check_hardware, read_trials
from timetrial.harness.scoring import Leaderboard, score_leaderboards

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """The scores of one suite under one ruleset, and the trials that they were computed from."""

    scores: Leaderboard
    trials: "pd.DataFrame"
    """The rows of `read_trials` that are on this leaderboard."""
    folders: dict[str, TrialFolder]
    """Where the records of a trial are, by its `path` in the table."""
    sources: dict[str, dict[str, Path]]
    """For each submission, the source files that ran, by their names."""

    @property
    def suite(self) -> str:
        return self.scores.suite

    @property
    def ruleset(self) -> str:
        return self.scores.ruleset

    @property
    def submissions(self) -> list[str]:
        """Everybody, best first; those without a score, because they are incomplete, last."""
        ranked = [standing.submission for standing in self.scores.by_time.standings]
        return ranked + sorted(set(self.trials["submission"]) - set(ranked))

    @cached_property
    def specs(self) -> dict[str, TrialSpec]:
        """A trial of each workload, by the workload's name: what is the same for all trials on it."""
        first = self.trials.drop_duplicates("workload").sort_values("workload")
        return {row.workload: self.folders[row.path].read_spec() for row in first.itertuples()}

    @cached_property
    def environments(self) -> list[dict[str, Any]]:
        """The different environments that trials ran in, as recorded."""
        found: dict[str, dict[str, Any]] = {}
        ended = self.trials[self.trials["machine"].notna()]
        for row in ended.drop_duplicates(["machine", "libraries"]).itertuples():
            found[f"{row.machine} {row.libraries}"] = self.folders[row.path].read_result().environment
        return list(found.values())

    def ended(self, workload: str) -> list[TrialFolder]:
        """The trials on a workload that ended by reaching the target or the budget, the former first."""
        rows = self.trials[(self.trials["workload"] == workload) & (self.trials["n_evals"] > 0)]
        rows = rows[rows["status"].isin(("target_reached", "budget_exhausted"))]
        return [self.folders[path] for path in rows.sort_values(["status", "path"], ascending=[False, True])["path"]]

    @property
    def machines(self) -> list[str]:
        return sorted(self.trials["machine"].dropna().unique())

    @property
    def studies(self) -> int:
        """The most studies that a submission has on a workload."""
        return int(self.trials.groupby(["submission", "workload"])["study"].nunique().max())

    @property
    def frame(self) -> str:
        """What a title says of where the numbers come from."""
        studies = f"{self.studies} {'study' if self.studies == 1 else 'studies'}"
        return f"{self.suite} · {self.ruleset} · {studies} · {' + '.join(self.machines) or 'no trial has ended'}"

    @property
    def plot_frame(self) -> str:
        """The same for a figure, where what a reader must be warned of has no other place."""
        provisional = " · provisional targets" if self.trials["provisional"].any() else ""
        mixed = " · different hardware" if len(self.machines) > 1 else ""
        return f"{self.frame}{provisional}{mixed}"

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What must stand on every report: provisional targets, mixed hardware, misses that are none."""
        found = []
        provisional = sorted(self.trials.loc[self.trials["provisional"].astype(bool), "workload"].unique())
        if provisional:
            found.append(f"Targets and budgets are provisional, not calibrated yet: {', '.join(provisional)}.")
        if len(self.machines) > 1:
            found.append(f"Times from different hardware stand side by side: {' and '.join(self.machines)}.")
        if self.scores.counted_as_misses:
            named = ", ".join(f"{name} ({len(trials)})" for name, trials in self.scores.incomplete.items())
            found.append(f"Trials without a result count as misses: {named}.")
        return tuple(found)


def read_boards(
    runs: Iterable[Run], *, allow_incomplete: bool = False, allow_mixed_hardware: bool = False
) -> list[Board]:
    """Read and score runs, one board for each suite and ruleset in them.

    Raises `UsageError` where trials cannot share a leaderboard.
    """
    runs = list(runs)
    trials = read_trials(runs)
    check_hardware(trials, allow_mixed_hardware)
    folders = {str(folder.path): folder for run in runs for folder in run.trials()}
    runs_of = {str(folder.path): run for run in runs for folder in run.trials()}
    boards = []
    for scores in score_leaderboards(trials, allow_incomplete=allow_incomplete):
        here = trials[(trials["suite"] == scores.suite) & (trials["ruleset"] == scores.ruleset)]
        first = here.drop_duplicates("submission")
        its_sources = {row.submission: runs_of[row.path].source_of(folders[row.path]) for row in first.itertuples()}
        boards.append(Board(scores, here.reset_index(drop=True), folders, its_sources))
    return boards


@dataclass(frozen=True)
class TargetMetric:
    """The validation metric that a target is on."""

    name: str
    higher_is_better: bool


def target_metric(workload: WorkloadSpec, ended: Iterable[TrialFolder]) -> TargetMetric:
    """Find the metric that the target of `workload` is on, from trials that have ended.

    It is the one by which a trial ends when it comes to the target, and never before. Where trials leave a choice, the
    workload's class is asked, which imports torch. Raises `UsageError` where there is no such class.
    """
    possible: set[tuple[str, bool]] | None = None
    for folder in ended:
        fitting = _fitting_metrics(
            workload.target, evaluations_of(folder), folder.read_result().time_to_target is not None
        )
        possible = fitting if possible is None else possible & fitting
        if len(possible) == 1:
            return TargetMetric(*possible.pop())
    from timetrial.harness.workload import workload_class  # imports torch, which takes a second

    try:
        found = workload_class(workload.implementation)
    except (ImportError, AttributeError, ValueError):
        raise UsageError(
            f"workload {workload.name}: there is no {workload.implementation} here: use the version that ran it"
        ) from None
    return TargetMetric(found.metric, found.higher_is_better)


def _fitting_metrics(target: float, evaluations: list[Evaluation], reached: bool) -> set[tuple[str, bool]]:
    """List (metric, higher is better) that a trial with these evaluations, and no others, is consistent with."""
    values = [evaluation.validation for evaluation in evaluations]
    before = values[:-1]
    return {
        (name, higher)
        for name in set().union(*values)
        for higher in (True, False)
        if not any(_past(metrics, name, target, higher) for metrics in before)
        and (not reached or _past(values[-1], name, target, higher))
    }


def _past(metrics: Metrics, name: str, target: float, higher: bool) -> bool:
    return name in metrics and (metrics[name] >= target if higher else metrics[name] <= target)


def evaluations_of(folder: TrialFolder) -> list[Evaluation]:
    """Read the evaluations of a trial; none where its record is corrupt, which the status of the trial says."""
    try:
        return folder.read_evaluations()
    except CorruptRecord:
        return []
