"""Compare the order of a leaderboard with a published one: Kendall's tau with its interval, and pairs that disagree."""

import argparse
from pathlib import Path

from timetrial.harness import UsageError

EXAMPLE = "timetrial validity results/mini/external"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run, or of committed results")
    parser.add_argument(
        "--published", type=Path, metavar="FILE", help="CSV with submission,score; by default AlgoPerf's v0.5 external"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write validity.md and validity.svg there")
    parser.add_argument("--resamples", type=int, metavar="N", help="of the bootstrap (default 200)")
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )


def main(options: argparse.Namespace) -> int:
    """Print how each leaderboard of the run agrees with the published scores, by its clock and by steps."""
    if options.resamples is not None and options.resamples < 20:
        raise UsageError(f"--resamples {options.resamples}: an interval needs at least 20")
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.report.boards import read_boards
    from timetrial.harness.report.style import plotting
    from timetrial.harness.report.validity import agreement_of, as_markdown, plot
    from timetrial.harness.scoring.validity import ALGOPERF, RESAMPLES, read_published

    published = read_published(options.published or ALGOPERF)
    boards = read_boards([find_run(options.run)], allow_mixed_hardware=options.allow_mixed_hardware)
    if options.output and len(boards) > 1:
        places = ", ".join(f"{board.suite}/{board.ruleset}" for board in boards)
        raise UsageError(f"--output: {options.run} has several leaderboards ({places}): name one")
    for board in boards:
        clocks = list(dict.fromkeys([board.scores.clock, "steps"]))
        agreements = [agreement_of(board, published, clock, options.resamples or RESAMPLES) for clock in clocks]
        text = as_markdown(agreements)
        print(text)
        if options.output:
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / "validity.md").write_text(text)
            with plotting():
                plot(agreements[0], board.plot_frame).savefig(options.output / "validity.svg")
    return 0
