"""One leaderboard with the records behind it: what every table, plot and page of a report is made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.metric import TargetMetric, target_metric
from timetrial.harness.records.run import Run
from timetrial.harness.records.table import as_measured, check_hardware, read_trials
from timetrial.harness.records.verification import Verification
from timetrial.harness.scoring import Leaderboard, score_leaderboards, score_table
from timetrial.harness.scoring.present import clock_in_words
from timetrial.harness.scoring.prices import Prices, fits, score_at
from timetrial.harness.scoring.tolerance import learning_rate_tolerances
from timetrial.harness.scoring.trials import available_clocks, prepare_trials
from timetrial.harness.trial.isolation import WALL

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """The scores of one suite under one ruleset, and the trials that they were computed from."""

    scores: Leaderboard
    """By the clock that was chosen."""
    by_clock: dict[str, Leaderboard]
    """By each clock that the records have."""
    trials: "pd.DataFrame"
    """The rows of `read_trials` that are on this leaderboard."""
    folders: dict[str, TrialFolder]
    """Where the records of a trial are, by its `path` in the table."""
    sources: dict[str, dict[str, Path]]
    """For each submission, the source files that ran, by their names."""
    verifications: dict[str, list[Verification]]
    """For each submission of a committed leaderboard, what came out when its trials were run again."""

    @property
    def suite(self) -> str:
        return self.scores.suite

    @property
    def ruleset(self) -> str:
        return self.scores.ruleset

    @property
    def submissions(self) -> list[str]:
        """Everybody, best first; those without a score, because they are incomplete, last."""
        ranked = [standing.submission for standing in self.scores.standings]
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

    @cached_property
    def walls(self) -> dict[str, tuple[str, ...]]:
        """For each submission, what of `WALL` stood around every one of its trials that has ended."""
        stood = {name: set(WALL) for name in self.submissions}
        for row in self.trials[self.trials["machine"].notna()].itertuples():
            environment = self.folders[row.path].read_result().environment
            stood[row.submission] &= set(environment.get("isolation", ()))
        return {name: tuple(what for what in WALL if what in stood[name]) for name in stood}

    @cached_property
    def tolerances(self) -> dict[str, float]:
        """For each submission whose learning rate was drawn, by what factor it may be off."""
        return learning_rate_tolerances(self.trials)

    def state_bytes(self, submission: str) -> float | None:
        """Compute the bytes of optimizer state per parameter of the model, the most over trials."""
        rows = self.trials[self.trials["submission"] == submission]
        per_parameter = (rows["optimizer_state_bytes"].astype(float) / rows["parameters"].astype(float)).dropna()
        return float(per_parameter.max()) if len(per_parameter) else None

    def peak_memory_bytes(self, submission: str) -> float | None:
        """Give the largest resident memory of the training process, the most over trials; None: not recorded."""
        peaks = self.trials.loc[self.trials["submission"] == submission, "peak_memory_bytes"].astype(float)
        return float(peaks.max()) if (peaks > 0).any() else None

    def metric(self, workload: str) -> TargetMetric:
        """The metric that the target of a workload is on; raises `UsageError` where that cannot be told."""
        known = self.trials[(self.trials["workload"] == workload) & self.trials["metric"].notna()]
        if known.empty:
            return target_metric(self.specs[workload].workload, ())
        return TargetMetric(known["metric"].iloc[0], bool(known["higher_is_better"].iloc[0]))

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
        """The same for a figure, where what a reader must be warned of and the clock have no other place."""
        provisional = " · provisional targets" if self.trials["provisional"].any() else ""
        mixed = " · different hardware" if len(self.machines) > 1 else ""
        return f"{self.frame} · {clock_in_words(self.scores.clock)}{provisional}{mixed}"

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What must stand on every report: provisional targets, mixed hardware, misses that are none."""
        found = []
        provisional = sorted(self.trials.loc[self.trials["provisional"].astype(bool), "workload"].unique())
        if provisional:
            found.append(f"Targets and budgets are provisional, not calibrated yet: {', '.join(provisional)}.")
        if len(machines := sorted(as_measured(self.trials)["machine"].unique())) > 1:
            found.append(f"Times from different hardware stand side by side: {' and '.join(machines)}.")
        if self.scores.counted_as_misses:
            named = ", ".join(f"{name} ({len(trials)})" for name, trials in self.scores.incomplete.items())
            found.append(f"Trials without a result count as misses: {named}.")
        return tuple(found)


def read_boards(
    runs: Iterable[Run],
    *,
    clock: str | None = None,
    allow_incomplete: bool = False,
    allow_mixed_hardware: bool = False,
    prices: Sequence[Prices] = (),
) -> list[Board]:
    """Read and score runs, one board for each suite and ruleset in them, by `clock` and by every other they have.

    Each of `prices` adds what the board that it is of would be on another machine, as one more clock.
    Raises `UsageError` where trials cannot share a leaderboard, the records of one have no such clock, or prices are of
    none of the boards.
    """
    runs = list(runs)
    trials = read_trials(runs)
    check_hardware(trials, allow_mixed_hardware)
    read = [(run, folder) for run in runs for folder in run.trials()]
    folders = {str(folder.path): folder for _, folder in read}
    runs_of = {str(folder.path): run for run, folder in read}
    boards, unused = [], list(prices)
    for scores in score_leaderboards(trials, clock=clock, allow_incomplete=allow_incomplete):
        here = trials[(trials["suite"] == scores.suite) & (trials["ruleset"] == scores.ruleset)]
        others = [name for name in available_clocks(prepare_trials(here)) if name != scores.clock]
        by_clock = {scores.clock: scores}
        by_clock |= {name: score_table(here, clock=name, allow_incomplete=allow_incomplete) for name in others}
        fitting = [one for one in prices if fits(one, here)]
        by_clock |= {one.clock: score_at(here, one, allow_incomplete) for one in fitting}
        unused = [one for one in unused if one not in fitting]
        first = here.drop_duplicates("submission")
        its_sources = {row.submission: runs_of[row.path].source_of(folders[row.path]) for row in first.itertuples()}
        checked = {row.submission: runs_of[row.path].verifications_of(folders[row.path]) for row in first.itertuples()}
        verifications = {name: found for name, found in checked.items() if found is not None}
        boards.append(Board(scores, by_clock, here.reset_index(drop=True), folders, its_sources, verifications))
    if unused:
        one = unused[0]
        raise UsageError(
            f"prices of {one.name} are of {one.suite}/{one.ruleset} version {one.suite_version}, which is not here: "
            "timetrial price makes others"
        )
    return boards
