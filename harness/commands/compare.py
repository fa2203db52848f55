"""Compare two submissions of a run, workload by workload, paired by study, with intervals and in words."""

import argparse
import sys

EXAMPLE = "timetrial compare quickstart adamw sgd"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run, or of committed results")
    parser.add_argument("one", metavar="A", help="submission")
    parser.add_argument("other", metavar="B", help="submission to compare it with")
    parser.add_argument("--clock", help="measured, paced or steps; by default paced where the records have it")
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="count trials that crashed or are missing as misses"
    )
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )


def main(options: argparse.Namespace) -> int:
    """Print a table for each suite and ruleset, and a sentence; return 1 where trials without a result prevent it."""
    from rich.console import Console

    import timetrial
    from timetrial.harness.report.comparison import TABLE_WIDTH, comparison_table, in_words

    results = timetrial.read(
        options.run,
        clock=options.clock,
        allow_incomplete=options.allow_incomplete,
        allow_mixed_hardware=options.allow_mixed_hardware,
    )
    comparisons = results.comparisons(options.one, options.other)
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, highlight=False)
    for comparison in comparisons:
        if comparison.unscored:
            print(comparison, file=sys.stderr)
        else:
            console.print(comparison_table(comparison))
            print(in_words(comparison))
            for submission, trials in comparison.board.unsteady.items():
                print(f"note: the clock of {submission} was unsteady in {len(trials)} trials", file=sys.stderr)
    machines = sorted({machine for comparison in comparisons for machine in comparison.machines})
    if len(machines) > 1:
        print(f"warning: times from different hardware: {' and '.join(machines)}", file=sys.stderr)
    return int(any(comparison.unscored for comparison in comparisons))
