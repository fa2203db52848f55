"""Write the leaderboard (Markdown, CSV, one HTML page) and the plots of runs; prints the leaderboard and the files."""

import argparse
import sys
from pathlib import Path

EXAMPLE = "timetrial report quickstart --style talk"
STYLES = ("paper", "talk")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="name or folder of a run, or of committed results")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to write; by default report/ in the run")
    parser.add_argument("--style", default="paper", choices=STYLES, help="plots for a paper's column, or for a slide")
    parser.add_argument("--clock", help="measured, paced or steps; by default paced where the records have it")
    parser.add_argument(
        "--prices",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="of timetrial price: the page then offers the leaderboard of that machine as well; may be repeated",
    )
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="count trials that crashed or are missing as misses"
    )
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )


def main(options: argparse.Namespace) -> int:
    """Write the report; return 1 where a submission has no score because it is incomplete."""
    import timetrial
    from timetrial.harness.report.markdown import leaderboard_markdown
    from timetrial.harness.scoring.prices import read_prices

    results = timetrial.read(
        *options.runs,
        clock=options.clock,
        allow_incomplete=options.allow_incomplete,
        allow_mixed_hardware=options.allow_mixed_hardware,
        prices=[read_prices(file) for file in options.prices],
    )
    boards, files = results.boards, results.report(options.output, style=options.style)
    print("\n".join(leaderboard_markdown(board) for board in boards))
    for file in files:
        print(file)
    for board in boards:
        for warning in board.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        _name_incomplete(board)
    return int(any(board.scores.incomplete and not board.scores.counted_as_misses for board in boards))


def _name_incomplete(board) -> None:
    for submission, trials in board.scores.incomplete.items():
        if not board.scores.counted_as_misses:
            print(
                f"{submission} has no score, {len(trials)} trials have no result, such as {trials[0]}", file=sys.stderr
            )
