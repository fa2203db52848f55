"""The leaderboard as Markdown, which GitHub and a terminal show alike."""

import math
from collections.abc import Sequence

from timetrial.harness.report.boards import Board
from timetrial.harness.scoring import Estimate
from timetrial.harness.scoring.present import MISS_MARK, significant, with_interval
from timetrial.harness.scoring.standings import Standing, WorkloadResult

INTERVALS = "Brackets hold 95 % confidence intervals; submissions that share a rank (=) cannot be told apart."
MISS_NOTE = f"{MISS_MARK} holds a miss, which counts as the budget."


def leaderboard_markdown(board: Board) -> str:
    """Write title, warnings, who wins, the times behind it, and what else a reader must know."""
    parts = [f"# TimeTrial leaderboard: {board.suite}, {board.ruleset}", board.frame]
    parts += [f"> **{warning}**" for warning in board.warnings]
    parts += [_ranking(board), INTERVALS + (f" {MISS_NOTE}" if MISS_MARK in _ranking(board) else "")]
    if board.scores.by_time.standings:
        parts += ["## Time to target", _times(board), "Median over studies, and how many times the fastest's."]
    notes = [f"- {_escape(note)}" for note in _notes(board)]
    if notes:
        parts += ["## To know when reading this", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def _ranking(board: Board) -> str:
    scores = board.scores
    heading = ["rank", "submission", "score", "score by steps", f"speed-up over {scores.reference}"]
    heading += ["targets reached", "optimizer state"]
    rows = []
    for standing in scores.by_time.standings:
        steps = scores.by_steps.of(standing.submission) if scores.by_steps else None
        rows.append(
            [
                rank_of(standing, scores.by_time.standings),
                _escape(standing.submission),
                with_interval(standing.score, "{:.2f}"),
                with_interval(steps.score if steps else None, "{:.2f}"),
                speedup_of(standing),
                f"{standing.reached} of {len(standing.workloads)}",
                memory_text(memory_of(board, standing.submission)),
            ]
        )
    for submission in scores.incomplete if not scores.counted_as_misses else ():
        rows.append(["-", _escape(submission), "incomplete", "-", "-", "-", memory_text(memory_of(board, submission))])
    return _table(heading, rows)


def rank_of(standing: Standing, standings: Sequence[Standing]) -> str:
    """Write a rank, with = where it is shared."""
    return f"{standing.rank}{'=' if sum(other.rank == standing.rank for other in standings) > 1 else ''}"


def speedup_of(standing: Standing) -> str:
    """Write the speed-up over the reference with its interval, marked where a miss is in it."""
    mark = MISS_MARK if any(result.counted_as_budget for result in standing.workloads.values()) else ""
    return "-" if standing.speedup is None else with_interval(standing.speedup, "{:.2f}x") + mark


def memory_of(board: Board, submission: str) -> float | None:
    """Compute the bytes of optimizer state per parameter of the model, the most over workloads."""
    rows = board.trials[board.trials["submission"] == submission]
    per_parameter = (rows["optimizer_state_bytes"].astype(float) / rows["parameters"].astype(float)).dropna()
    return float(per_parameter.max()) if len(per_parameter) else None


def memory_text(memory: float | None) -> str:
    return "-" if memory is None else f"{memory:.1f} B/parameter"


def _times(board: Board) -> str:
    standings = board.scores.by_time.standings
    rows = [
        [_escape(standing.submission), *(_time(result) for result in standing.workloads.values())]
        for standing in standings
    ]
    return _table(["submission", *standings[0].workloads], rows)


def _time(result: WorkloadResult) -> str:
    reached = f"{result.studies_reached} of {result.studies} studies"
    if math.isinf(result.value.value):
        return f"missed ({reached})"
    few = f", {reached}" if result.studies_reached < result.studies else ""
    return f"{seconds_with_interval(result.value)} {result.ratio:.2f}x{few}"


def seconds_with_interval(estimate: Estimate) -> str:
    """Write seconds with three significant digits and, where there is one, the interval."""
    text = f"{significant(estimate.value)} s"
    if estimate.low is None or estimate.high is None:
        return text
    high = "missed" if math.isinf(estimate.high) else significant(estimate.high)
    return f"{text} ({significant(estimate.low)} to {high})"


def _notes(board: Board) -> list[str]:
    counts = {"without a result": board.scores.incomplete, "with an unsteady clock": board.scores.unsteady}
    notes = [
        f"trials {which}: " + ", ".join(f"{name} {len(trials)}" for name, trials in of.items())
        for which, of in counts.items()
        if of
    ]
    notes += list(board.scores.notes)
    return notes + [
        f"{pair.better} and {pair.worse} are not distinguishable: the scores differ by "
        f"{with_interval(pair.difference, '{:+.2f}')}"
        for pair in board.scores.by_time.neighbours
        if not pair.distinguishable
    ]


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    for character in "\\`*_|<>[]":
        text = text.replace(character, f"\\{character}") if character != "_" else text
    return text.replace("\n", " ")
