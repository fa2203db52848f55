"""Leaderboards as people and programs read them: words, a terminal table, CSV and JSON."""

import io
import json
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.leaderboard import Leaderboard, Standing, WorkloadResult

MOST_NAMED = 3
"""Of the submissions that one is separated from, so many are named in a table."""


def as_json(leaderboards: Iterable[Leaderboard]) -> str:
    """Write `{"rules", "scores", "leaderboards"}`: everybody's scores, then what holds for each leaderboard."""
    boards = [leaderboard.to_json() for leaderboard in leaderboards]
    scores = [score for board in boards for score in board.pop("scores")]
    return json.dumps({"rules": boards[0]["rules"], "scores": scores, "leaderboards": boards}, indent=2)


def as_frame(leaderboards: Iterable[Leaderboard]) -> pd.DataFrame:
    """Make one row per submission of each leaderboard; what is missing is unknown, or a target never reached."""
    rows = []
    for board in leaderboards:
        frame = {"rules": board.rules.name, "clock": board.clock}
        rows += [{**frame, **_row(entry, board.unit)} for entry in board.to_json()["scores"]]
    return pd.DataFrame(rows)


def as_csv(leaderboards: Iterable[Leaderboard]) -> str:
    """Write what `as_frame` makes; an empty cell is what is missing."""
    return as_frame(leaderboards).to_csv(index=False, lineterminator="\n")


def _row(entry: dict[str, Any], unit: str) -> dict[str, Any]:
    row = {name: entry[name] for name in ("suite", "ruleset", "rank", "submission")}
    row |= {"speedup" if end == "value" else f"speedup_{end}": value for end, value in entry["speedup"].items()}
    row |= {"score": entry["score"], "score_low": entry["low"], "score_high": entry["high"]}
    row |= {name: len(entry[name]) for name in ("incomplete", "unsteady_clock")}
    if "workloads" not in entry:
        return row
    row |= {"may_be_best": entry["may_be_best"], "reach": entry["reach"]}
    row |= {name: " ".join(entry[name]) for name in ("faster_than", "slower_than")}
    row["certificate"] = entry["certificate"] and entry["certificate"]["holds"]
    row |= {f"on_the_way_{end}": value for end, value in entry["on_the_way"].items()}
    word = "steps" if unit == "steps" else "seconds"
    for name, result in entry["workloads"].items():
        row |= {f"{word}_to_target.{name}": result["value"], f"reach.{name}": result["reach"]}
    return row


def as_text(shown: RenderableType, width: int) -> str:
    """Draw a table as plain text, in lines of at most `width` letters."""
    console = Console(width=width, highlight=False, force_jupyter=False, force_terminal=False, file=io.StringIO())
    console.print(shown)
    return console.file.getvalue()


def as_table(board: Leaderboard) -> RenderableType:
    """Draw who leads, the times behind it and what tuning there was, for a terminal."""
    return Group(*_who(board), *_times(board), *_certificates(board))


def _who(board: Leaderboard) -> list[RenderableType]:
    ours = not board.rules.algoperf
    frame = f"{board.suite} · {board.ruleset} · rules {board.rules.name} · {clock_in_words(board.clock)}"
    table = Table()
    table.add_column("rank", justify="right")
    headings = ["submission", "score"]
    if ours:
        headings = ["submission", f"speed-up over {board.reference}", "score", "on the way", "reach", "may be best"]
        headings += ["separated from"]
    for heading in headings:
        table.add_column(heading)
    for standing in board.standings:
        cells = [with_interval(standing.score, "{:.3f}")]
        if ours:
            cells = [with_interval(standing.speedup, "{:.2f}x"), *cells, with_interval(standing.on_the_way, "{:.2f}x")]
            cells += [percent(standing.reach), yes(standing.may_be_best), separated_in_words(standing)]
        table.add_row(str(standing.rank), standing.submission + _remark(board, standing.submission), *cells)
    if not board.counted_as_misses:
        for submission in board.incomplete:
            table.add_row("-", submission + _remark(board, submission), "none: incomplete")
    explained = [Text(f"{frame} · 95 % intervals in brackets" if ours else frame), table]
    return explained + [Text(explanation(board))] * ours


def explanation(board: Leaderboard) -> str:
    """Say what the columns of a table mean, in one paragraph."""
    return (
        f"speed-up: how many times sooner than {board.reference}, what the best of a study is expected to be worth; on "
        "the way: the same for seven levels before the target; reach: the probability that one of the "
        f"{board.study} reaches a target; may be best: with 95 % the best is one of these; "
        "separated from: who is faster or slower at simultaneous 95 %."
    )


def clock_in_words(clock: str) -> str:
    if clock.startswith("at "):
        return f"seconds {clock}"
    return "steps" if clock == "steps" else f"{clock} seconds"


def yes(answer: bool | None) -> str:
    return "-" if answer is None else "yes" if answer else "no"


def separated_in_words(standing: Standing) -> str:
    """Name whom a submission is separated from: "faster than a, b and 3 more; slower than c"."""
    parts = []
    for word, names in (("faster than", standing.faster_than), ("slower than", standing.slower_than)):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            parts.append(f"{word} {', '.join(names[:MOST_NAMED])}{more}")
    return "; ".join(parts) or ("-" if standing.may_be_best is None else "nobody")


def _remark(board: Leaderboard, submission: str) -> str:
    incomplete = len(board.incomplete.get(submission, ()))
    unsteady = len(board.unsteady.get(submission, ()))
    remarks = [f"{incomplete} counted as misses" if board.counted_as_misses else f"{incomplete} incomplete"]
    remarks = remarks * bool(incomplete) + [f"{unsteady} unsteady"] * bool(unsteady)
    return f" ({', '.join(remarks)})" if remarks else ""


def _times(board: Leaderboard) -> list[RenderableType]:
    if not board.standings:
        return []
    what = f"expected {board.unit} to target of a study, a miss counting as the budget"
    if board.rules.algoperf:
        what = f"{board.unit} to target, median over studies"
    table = Table("submission")
    for workload in board.standings[0].workloads:
        table.add_column(workload, justify="right")
    for standing in board.standings:
        cells = [time_in_words(result, board.unit) for result in standing.workloads.values()]
        table.add_row(standing.submission, *cells)
    share = f"the expected share of {board.study} that reach it (none given: all)"
    return [Text(f"\n{what}, over the fastest, and {share}"), table]


def time_in_words(result: WorkloadResult, unit: str) -> str:
    """Write an expected time, its ratio to the fastest and its reach: "10.2 s 1.31x 80%", or "missed"."""
    if result.trials_reached == 0 or math.isinf(result.value.value):
        return "missed" if result.reach == 0 else f"missed {result.reach:.0%}"
    ratio = f"{result.ratio:.2f}x" if math.isfinite(result.ratio) else "not counted"
    reach = f" {percent(result.reach)}" if result.reach < 1 else ""
    return f"{significant(result.value.value)} {unit} {ratio}{reach}"


def percent(share: float) -> str:
    """Write a share without rounding what is not certain to certainty."""
    return f"{min(max(share, 0.01), 0.99):.0%}" if 0 < share < 1 else f"{share:.0%}"


def _certificates(board: Leaderboard) -> list[RenderableType]:
    lines = [
        Text(f"{standing.submission}: {'; '.join(standing.certificate.reasons())}")
        for standing in board.standings
        if standing.certificate and not standing.certificate.holds
    ]
    return [Text("\nwithout a tuning certificate"), *lines] if lines else []


def with_interval(estimate: Estimate | None, form: str) -> str:
    """Write a number with its interval: "0.85 (0.72 to 0.87)"; "-" for none."""
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return form.format(estimate.value)
    return f"{form} ({form} to {form})".format(estimate.value, estimate.low, estimate.high)


def significant(value: float) -> str:
    """Write a positive number with three significant digits and no exponent."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f}"
