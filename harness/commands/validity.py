"""Compare the order of a leaderboard with a published or another one: Kendall's tau, and pairs that disagree."""

import argparse
import sys
from pathlib import Path

from timetrial.harness import UsageError

EXAMPLE = "timetrial validity results/mini/external"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run, or of committed results")
    parser.add_argument(
        "--published",
        metavar="FILE",
        help="CSV with submission,score, or another leaderboard: a run, or a folder of committed results; by default "
        "AlgoPerf's v0.5 external",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write validity.md and validity.svg there")
    parser.add_argument("--resamples", type=int, metavar="N", help="of the bootstrap (default 200)")
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )


def main(options: argparse.Namespace) -> int:
    """Print how each leaderboard of the run agrees with published scores or another one, by its clock and by steps."""
    if options.resamples is not None and options.resamples < 20:
        raise UsageError(f"--resamples {options.resamples}: an interval needs at least 20")
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.planning.places import make_output
    from timetrial.harness.report.boards import Board, read_boards
    from timetrial.harness.report.style import plotting
    from timetrial.harness.report.validity import agreement_between, agreement_of, as_markdown, plot
    from timetrial.harness.scoring.validity import ALGOPERF, RESAMPLES, read_published

    def read(name: str, only_one: str | None) -> list[Board]:
        boards = read_boards([find_run(name)], allow_mixed_hardware=options.allow_mixed_hardware)
        if only_one and len(boards) > 1:
            places = ", ".join(f"{board.suite}/{board.ruleset}" for board in boards)
            raise UsageError(f"{only_one}: {name} has several leaderboards ({places}): name one")
        return boards

    if options.output:
        make_output(options.output)
    resamples, there = options.resamples or RESAMPLES, options.published
    if there is None or there.endswith(".csv") or Path(there).is_file():
        published, name = read_published(Path(there or ALGOPERF)), None
    else:
        (other,), name = read(there, "--published"), there.rstrip("/")
    for board in read(options.run, "--output" if options.output else None):
        agreements = [
            agreement_between(board, other, clock, resamples)
            if name
            else agreement_of(board, published, clock, resamples)
            for clock in dict.fromkeys([board.scores.clock, "steps"])
        ]
        text = as_markdown(agreements, name)
        print(text)
        if options.output:
            (options.output / "validity.md").write_text(text)
            if board.scores.reference not in board.submissions:
                print(f"no validity.svg: it needs speed-ups over {board.scores.reference}", file=sys.stderr)
                continue
            with plotting():
                plot(agreements[0], board.plot_frame, name).savefig(options.output / "validity.svg")
    return 0
