"""Two submissions side by side: how much sooner one reaches each target, and whether that can be told at all."""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timetrial.harness import UsageError
from timetrial.harness.records.table import check_hardware
from timetrial.harness.scoring import REFERENCE, Estimate, Leaderboard, Standing, WorkloadResult, score_leaderboards
from timetrial.harness.scoring.present import as_text, clock_in_words, percent, significant, with_interval

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

RATIO = "{:.2f}x"
TABLE_WIDTH = 160
"""Letters in a line of a table that is not made for the terminal it is shown in."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `one` did and what `other` did under one suite and ruleset; speed-ups are those of `one` over `other`."""

    board: Leaderboard
    one: str
    other: str
    unscored: str
    """Why there is nothing to compare; '' where there is."""
    machines: tuple[str, ...]
    """What the trials ran on: several only where that was allowed."""

    @property
    def frame(self) -> str:
        return f"{self.board.suite} · {self.board.ruleset} · {clock_in_words(self.board.clock)}"

    @property
    def pair(self) -> tuple[Standing, Standing]:
        """The standings of both; raises `KeyError` where one has none."""
        return self.board.of(self.one), self.board.of(self.other)

    def __repr__(self) -> str:
        if self.unscored:
            return f"{self.frame}: {self.unscored}"
        return f"{as_text(comparison_table(self), TABLE_WIDTH)}{in_words(self)}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def compare(
    trials: "pd.DataFrame",
    one: str,
    other: str,
    *,
    clock: str | None = None,
    allow_incomplete: bool = False,
    allow_mixed_hardware: bool = False,
) -> list[Comparison]:
    """Compare two submissions on each leaderboard of a table of trials.

    Raises `UsageError` for a submission that has no trial in it, and where their times are from different machines.
    """
    if one == other:
        raise UsageError(f"{one} with itself: name two submissions")
    for name in (one, other):
        if name not in set(trials["submission"]):
            raise UsageError(f"no submission {name!r} here: there are {', '.join(sorted(set(trials['submission'])))}")
    trials = trials[trials["submission"].isin((one, other, REFERENCE))]
    check_hardware(trials, allow_mixed_hardware)
    found = []
    for board in score_leaderboards(trials, clock=clock, allow_incomplete=allow_incomplete, reference=other):
        scored = {standing.submission for standing in board.standings}
        unscored = ""
        for name in (one, other):
            if name in board.incomplete and name not in scored:
                count = len(board.incomplete[name])
                unscored = f"{name} has {count} trials without a result: resume the run, or give --allow-incomplete"
            elif name not in scored:
                unscored = f"{name} has no trials here"
        here = trials[(trials["suite"] == board.suite) & (trials["ruleset"] == board.ruleset)]
        found.append(Comparison(board, one, other, unscored, tuple(sorted(here["machine"].dropna().unique()))))
    return found


def comparison_table(comparison: Comparison) -> "Table":
    """Draw times and speed-ups, at the target and on the way to it, for a terminal."""
    from rich.table import Table

    one, other, unit = comparison.one, comparison.other, comparison.board.unit
    table = Table(title=f"{comparison.frame} · 95 % intervals in brackets", title_justify="left")
    for heading in ("workload", f"{one} ({unit})", f"{other} ({unit})", f"{one} is so much faster"):
        table.add_column(heading)
    first, second = comparison.pair
    for workload, result in first.workloads.items():
        times = [_time(result), _time(second.workloads[workload])]
        table.add_row(workload, *times, with_interval(result.speedup, RATIO))
    table.add_section()
    table.add_row("geometric mean", "", "", with_interval(first.speedup, RATIO))
    if first.on_the_way:
        table.add_row("on the way to the targets", "", "", with_interval(first.on_the_way, RATIO))
    study = comparison.board.study
    expected = "steps" if unit == "steps" else "time"
    table.caption = (
        f"expected {expected} of a study, a miss counting as the budget; "
        f"in brackets the expected share of {study} that reach"
    )
    table.caption_justify = "left"
    return table


def in_words(comparison: Comparison) -> str:
    """Say who is faster overall and on each workload, and where that cannot be told."""
    one, other = comparison.one, comparison.other
    first, second = comparison.pair
    said, alike = [], []
    for workload, result in first.workloads.items():
        theirs = second.workloads[workload]
        if not result.trials_reached and not theirs.trials_reached:
            said.append(f"neither reaches the target of {workload}")
        elif result.speedup.low is None or result.speedup.high is None:
            said.append(f"{_sooner(one, other, result, theirs)} on {workload} (one study, no interval)")
        elif result.speedup.low <= 1 <= result.speedup.high:
            alike.append(workload)
        else:
            said.append(f"{_sooner(one, other, result, theirs)} on {workload}")
    if alike:
        said.append(f"on {' and '.join(alike)} they are not distinguishable")
    return f"{_overall(one, other, first.speedup)}; {'; '.join(said)}."


def _overall(one: str, other: str, speedup: Estimate) -> str:
    if speedup.low is not None and speedup.high is not None and speedup.low <= 1 <= speedup.high:
        return f"over all workloads {one} and {other} are not distinguishable"
    winner, loser, shown = (one, other, speedup) if speedup.value >= 1 else (other, one, _inverse(speedup))
    return f"over all workloads {winner} is {_times(shown)} as fast as {loser}"


def _sooner(one: str, other: str, result: WorkloadResult, theirs: WorkloadResult) -> str:
    if not result.trials_reached or not theirs.trials_reached:
        winner, loser = (one, other) if result.trials_reached else (other, one)
        return f"{winner} reaches the target and {loser} misses it"
    if result.speedup.value >= 1:
        return f"{one} reaches the target {_times(result.speedup)} sooner than {other}"
    return f"{other} reaches the target {_times(_inverse(result.speedup))} sooner than {one}"


def _inverse(speedup: Estimate) -> Estimate:
    return Estimate(1 / speedup.value, *(end and 1 / end for end in (speedup.high, speedup.low)))


def _times(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}x"
    return f"{estimate.value:.2f}x ({estimate.low:.2f} to {estimate.high:.2f})"


def _time(result: WorkloadResult) -> str:
    if not result.trials_reached:
        return "missed"
    return f"{significant(result.value.value)} ({percent(result.reach)})"
