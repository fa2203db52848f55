"""Leaderboards as people and programs read them: a terminal table, CSV and JSON."""

import json
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from timetrial.harness.scoring.bootstrap import Estimate
from timetrial.harness.scoring.leaderboard import Leaderboard
from timetrial.harness.scoring.standings import Standing, Standings, WorkloadResult

MISS_MARK = "*"


def as_json(leaderboards: Iterable[Leaderboard]) -> str:
    """Write `{"rules", "scores", "leaderboards"}`: everybody's scores, then what holds for each leaderboard."""
    boards = [leaderboard.to_json() for leaderboard in leaderboards]
    scores = [score for board in boards for score in board.pop("scores")]
    return json.dumps({"rules": boards[0]["rules"], "scores": scores, "leaderboards": boards}, indent=2)


def as_csv(leaderboards: Iterable[Leaderboard]) -> str:
    """Write one row per submission of each leaderboard; an empty cell is unknown, or a target never reached."""
    rows = [
        {"rules": board.rules.name, **_csv_row(entry)} for board in leaderboards for entry in board.to_json()["scores"]
    ]
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def _csv_row(entry: dict[str, Any]) -> dict[str, Any]:
    row = {name: entry[name] for name in ("suite", "ruleset", "rank", "submission", "score", "low", "high")}
    row |= {name: len(entry[name]) for name in ("incomplete", "unsteady_clock")}
    if "speedup" not in entry:
        return row
    row |= {f"{end}_if_one_is_left_out": entry["fragility"][end] for end in ("low", "high")}
    row |= {f"speedup_{name}": value for name, value in entry["speedup"].items()}
    row |= {f"seconds_to_target.{workload}": result["value"] for workload, result in entry["workloads"].items()}
    if steps := entry["steps"]:
        row |= {f"steps_{name}": steps[name] for name in ("rank", "score", "low", "high")}
        row |= {f"steps_speedup_{name}": value for name, value in steps["speedup"].items()}
        row |= {f"steps_to_target.{workload}": result["value"] for workload, result in steps["workloads"].items()}
    return row


def as_table(leaderboard: Leaderboard) -> RenderableType:
    """Draw who leads, the times behind it and the differences between neighbours, for a terminal."""
    return Group(*_ranking(leaderboard), *_times(leaderboard), *_differences(leaderboard.by_time))


def _ranking(leaderboard: Leaderboard) -> list[RenderableType]:
    by_time, by_steps = leaderboard.by_time.standings, leaderboard.by_steps
    with_speedup = any(standing.speedup for standing in by_time)
    frame = f"{leaderboard.suite} · {leaderboard.ruleset} · rules {leaderboard.rules.name}"
    table = Table()
    table.add_column("rank", justify="right")
    speedups = [f"speed-up over {leaderboard.reference}", "speed-up by steps"] * with_speedup
    for heading in ("submission", "score", "score by steps", *speedups, "targets reached", "score if one is left out"):
        table.add_column(heading)
    ranks = [standing.rank for standing in by_time]
    for standing in by_time:
        steps = by_steps.of(standing.submission) if by_steps else None
        table.add_row(
            f"{standing.rank}{'=' if ranks.count(standing.rank) > 1 else ''}",
            standing.submission + _remark(leaderboard, standing.submission),
            with_interval(standing.score, "{:.3f}"),
            with_interval(steps.score if steps else None, "{:.3f}"),
            *[_speedup(standing), _speedup(steps)] * with_speedup,
            f"{standing.reached} of {len(standing.workloads)}",
            f"{standing.fragility.low:.3f} to {standing.fragility.high:.3f}",
        )
    if not leaderboard.counted_as_misses:
        for submission in leaderboard.incomplete:
            table.add_row("-", submission + _remark(leaderboard, submission), "none: incomplete")
    marked = any(_speedup(standing).endswith(MISS_MARK) for standing in by_time)
    caption = [Text(f"{MISS_MARK} with a miss that counts as the budget")] * marked
    return [Text(f"{frame} · 95 % intervals in brackets"), table, *caption]


def _remark(leaderboard: Leaderboard, submission: str) -> str:
    incomplete = len(leaderboard.incomplete.get(submission, ()))
    unsteady = len(leaderboard.unsteady.get(submission, ()))
    remarks = [f"{incomplete} counted as misses" if leaderboard.counted_as_misses else f"{incomplete} incomplete"]
    remarks = remarks * bool(incomplete) + [f"{unsteady} unsteady"] * bool(unsteady)
    return f" ({', '.join(remarks)})" if remarks else ""


def _times(leaderboard: Leaderboard) -> list[RenderableType]:
    standings = leaderboard.by_time.standings
    if not standings:
        return []
    title = "\ntime to target, median over studies, and relative to the fastest (m/n: m of n studies reached it)"
    table = Table("submission")
    for workload in standings[0].workloads:
        table.add_column(workload, justify="right")
    for standing in standings:
        table.add_row(standing.submission, *(_time(result) for result in standing.workloads.values()))
    return [Text(title), table]


def _time(result: WorkloadResult) -> str:
    reached = f"{result.studies_reached}/{result.studies}"
    if math.isinf(result.value.value):
        return f"missed {reached}"
    ratio = f"{result.ratio:.2f}x" if math.isfinite(result.ratio) else "not counted"
    return f"{significant(result.value.value)} s {ratio} {reached if result.studies_reached < result.studies else ''}"


def _speedup(standing: Standing | None) -> str:
    if standing is None or standing.speedup is None:
        return "-"
    mark = MISS_MARK if any(result.counted_as_budget for result in standing.workloads.values()) else ""
    return with_interval(standing.speedup, "{:.2f}x") + mark


def _differences(standings: Standings) -> list[Text]:
    lines = []
    for pair in standings.neighbours:
        verdict = "" if pair.distinguishable or pair.difference.low is None else ": not distinguishable"
        lines.append(Text(f"{pair.better} over {pair.worse}: {with_interval(pair.difference, '{:+.3f}')}{verdict}"))
    return [Text("\nscore differences between neighbours, paired by study"), *lines] if lines else []


def with_interval(estimate: Estimate | None, form: str) -> str:
    """Write a number with its interval: "0.85 (0.72 to 0.87)"; "-" for none."""
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return form.format(estimate.value)
    return f"{form} ({form} to {form})".format(estimate.value, estimate.low, estimate.high)


def significant(value: float) -> str:
    """Write a positive number with three significant digits and no exponent."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f}"
