"""Two submissions side by side: how much sooner one reaches each target, and whether that can be told at all."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timetrial.harness.scoring import Estimate, score_leaderboards
from timetrial.harness.scoring.present import MISS_MARK, significant, with_interval
from timetrial.harness.scoring.standings import Standing, WorkloadResult

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

RATIO = "{:.2f}x"


@dataclass(frozen=True)
class Comparison:
    """What `one` did and what `other` did under one suite and ruleset; speed-ups are those of `one` over `other`."""

    frame: str
    one: str
    other: str
    unscored: str
    """Why there is nothing to compare; '' where there is."""
    by_time: tuple[Standing, Standing] | None
    by_steps: tuple[Standing, Standing] | None


def compare(trials: "pd.DataFrame", one: str, other: str, allow_incomplete: bool) -> list[Comparison]:
    """Compare two submissions on each leaderboard of a table that holds only them."""
    found = []
    for board in score_leaderboards(trials, allow_incomplete=allow_incomplete, reference=other):
        frame = f"{board.suite} · {board.ruleset}"
        scored = {standing.submission for standing in board.by_time.standings}
        unscored = ""
        for name in (one, other):
            if name in board.incomplete and name not in scored:
                count = len(board.incomplete[name])
                unscored = f"{name} has {count} trials without a result: resume the run, or give --allow-incomplete"
            elif name not in scored:
                unscored = f"{name} has no trials here"
        pairs = [None, None]
        if not unscored:
            pairs = [(m.of(one), m.of(other)) if m else None for m in (board.by_time, board.by_steps)]
        found.append(Comparison(frame, one, other, unscored, *pairs))
    return found


def comparison_table(comparison: Comparison) -> "Table":
    """Draw times, and speed-ups by time and by steps, for a terminal."""
    from rich.table import Table

    one, other = comparison.one, comparison.other
    table = Table(title=f"{comparison.frame} · 95 % intervals in brackets", title_justify="left")
    for heading in ("workload", f"{one} (s)", f"{other} (s)", f"{one} is so much faster", "by steps"):
        table.add_column(heading)
    first, second = comparison.by_time
    for workload, result in first.workloads.items():
        steps = comparison.by_steps[0].workloads[workload] if comparison.by_steps else None
        times = [_seconds(result), _seconds(second.workloads[workload])]
        table.add_row(workload, *times, _speedup(result), _speedup(steps))
    overall = [
        with_interval(pair[0].speedup, RATIO) if pair else "-" for pair in (comparison.by_time, comparison.by_steps)
    ]
    table.add_section()
    table.add_row("geometric mean", "", "", *overall)
    if any(result.counted_as_budget for result in first.workloads.values()):
        table.caption, table.caption_justify = f"{MISS_MARK} with a miss that counts as the budget", "left"
    return table


def in_words(comparison: Comparison) -> str:
    """Say who reaches which target sooner, and where that cannot be told."""
    one, other = comparison.one, comparison.other
    first, second = comparison.by_time
    said, alike = [], []
    for workload, result in first.workloads.items():
        theirs = second.workloads[workload]
        if _missed(result) and _missed(theirs):
            said.append(f"neither reaches the target of {workload}")
        elif result.speedup is None or result.speedup.low is None or result.speedup.high is None:
            said.append(f"{_sooner(one, other, result, theirs)} on {workload} (one study, no interval)")
        elif result.speedup.low <= 1 <= result.speedup.high:
            alike.append(workload)
        else:
            said.append(f"{_sooner(one, other, result, theirs)} on {workload}")
    if alike:
        said.append(f"on {' and '.join(alike)} they are not distinguishable")
    return "; ".join(said) + "."


def _sooner(one: str, other: str, result: WorkloadResult, theirs: WorkloadResult) -> str:
    speedup = result.speedup
    if _missed(result) or _missed(theirs):
        winner, loser = (other, one) if _missed(result) else (one, other)
        return f"{winner} reaches the target and {loser} misses it"
    if speedup.value >= 1:
        return f"{one} reaches the target {_times(speedup)} sooner than {other}"
    inverse = Estimate(
        1 / speedup.value, *(None if end is None or not end else 1 / end for end in (speedup.high, speedup.low))
    )
    return f"{other} reaches the target {_times(inverse)} sooner than {one}"


def _times(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}x"
    return f"{estimate.value:.2f}x ({estimate.low:.2f} to {estimate.high:.2f})"


def _missed(result: WorkloadResult) -> bool:
    return math.isinf(result.value.value)


def _seconds(result: WorkloadResult) -> str:
    if _missed(result):
        return f"missed {result.studies_reached}/{result.studies}"
    value = result.value
    if value.low is None or value.high is None:
        return significant(value.value)
    high = "missed" if math.isinf(value.high) else significant(value.high)
    return f"{significant(value.value)} ({significant(value.low)} to {high})"


def _speedup(result: WorkloadResult | None) -> str:
    if result is None:
        return "-"
    return with_interval(result.speedup, RATIO) + MISS_MARK * result.counted_as_budget
