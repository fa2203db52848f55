"""The leaderboard as Markdown, which GitHub and a terminal show alike."""

from timetrial.harness.records.verification import SELF_REPORTED
from timetrial.harness.report.boards import Board
from timetrial.harness.scoring.present import (
    clock_in_words,
    explanation,
    percent,
    separated_in_words,
    time_in_words,
    with_interval,
    yes,
)
from timetrial.harness.trial.isolation import WALL


def leaderboard_markdown(board: Board) -> str:
    """Write title, warnings, who wins, the times behind it, and what else a reader must know."""
    scores = board.scores
    parts = [f"# TimeTrial leaderboard: {board.suite}, {board.ruleset}"]
    parts += [f"{board.frame} · {clock_in_words(scores.clock)}"]
    parts += [f"> **{warning}**" for warning in board.warnings]
    parts += [_table(*standings_table(board)), f"Brackets hold 95 % confidence intervals; {explanation(scores)}"]
    if scores.standings:
        parts += ["## Time to target", _times(board)]
        parts += [
            f"Expected {clock_in_words(scores.clock)} of a study, a miss counting as the budget; how many times the "
            f"fastest's; and the share of {scores.study} that are expected to reach the target, where it is not all."
        ]
    uncertain = [s for s in scores.standings if s.certificate and not s.certificate.holds]
    if uncertain:
        parts += ["## Without a tuning certificate"]
        parts += [
            "\n".join(f"- {_escape(s.submission)}: {_escape('; '.join(s.certificate.reasons()))}" for s in uncertain)
        ]
    if board.verifications:
        parts += ["## Verified by re-run", "\n".join(f"- {_escape(line)}" for line in _verifications(board))]
    notes = [f"- {_escape(note)}" for note in _notes(board)]
    if notes:
        parts += ["## To know when reading this", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def standings_table(board: Board) -> tuple[list[str], list[list[str]]]:
    """Say who wins: headings, and a row of text for each submission, those without a score last."""
    scores = board.scores
    heading = ["rank", "submission", f"speed-up over {scores.reference}", "score", "on the way", "reach", "may be best"]
    heading += ["separated from", "tuning certificate", "tolerance of the learning rate"]
    heading += ["optimizer state", "peak memory"]
    rows = []
    for standing in scores.standings:
        rows.append(
            [
                str(standing.rank),
                standing.submission,
                with_interval(standing.speedup, "{:.2f}x"),
                with_interval(standing.score, "{:.2f}"),
                with_interval(standing.on_the_way, "{:.2f}x"),
                percent(standing.reach),
                yes(standing.may_be_best),
                separated_in_words(standing),
                yes(standing.certificate.holds if standing.certificate else None),
                *_costs(board, standing.submission),
            ]
        )
    for submission in scores.incomplete if not scores.counted_as_misses else ():
        rows.append(["-", submission, "incomplete", *["-"] * 6, *_costs(board, submission)])
    return heading, rows


def _costs(board: Board, submission: str) -> list[str]:
    """Say what a submission asks for beside time: a learning rate that is so right, and memory."""
    numbers = (
        ("{:.1f}x", board.tolerances.get(submission), 1.0),
        ("{:.1f} B/parameter", board.state_bytes(submission), 1.0),
        ("{:,.0f} MB", board.peak_memory_bytes(submission), 1e6),
    )
    return ["-" if number is None else form.format(number / unit) for form, number, unit in numbers]


def _times(board: Board) -> str:
    standings, unit = board.scores.standings, board.scores.unit
    rows = [
        [standing.submission, *(time_in_words(result, unit) for result in standing.workloads.values())]
        for standing in standings
    ]
    return _table(["submission", *standings[0].workloads], rows)


def _notes(board: Board) -> list[str]:
    counts = {"without a result": board.scores.incomplete, "with an unsteady clock": board.scores.unsteady}
    notes = [
        f"trials {which}: " + ", ".join(f"{name} {len(trials)}" for name, trials in of.items())
        for which, of in counts.items()
        if of
    ]
    missing: dict[str, list[str]] = {}
    for name, stood in board.walls.items():
        if unkept := ", ".join(what for what in WALL if what not in stood):
            missing.setdefault(unkept, []).append(name)
    notes += [f"made without a wall around {what}: {', '.join(names)}" for what, names in missing.items()]
    return notes + list(board.scores.notes)


def _verifications(board: Board) -> list[str]:
    """Say of each entry that was run again what came out, and then whose numbers are its own report alone."""
    lines = [
        f"{name}: {verification.in_words()}" + "".join(f"; {problem}" for problem in verification.problems)
        for name in board.submissions
        for verification in board.verifications.get(name, ())
    ]
    unchecked = [name for name in board.submissions if not board.verifications.get(name)]
    return lines + [f"{SELF_REPORTED}: {', '.join(unchecked)}"] * bool(unchecked)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    for character in "\\`*_|<>[]":
        text = text.replace(character, f"\\{character}") if character != "_" else text
    return text.replace("\n", " ")
