"""Compare two submissions of a run, workload by workload, paired by study, with intervals and in words."""

import argparse
import sys

from timetrial.harness import UsageError

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

    from timetrial.harness.entries.find import find_run
    from timetrial.harness.planning.outside import name_of
    from timetrial.harness.records.table import check_hardware, read_trials
    from timetrial.harness.report.comparison import compare, comparison_table, in_words
    from timetrial.harness.scoring import REFERENCE

    one, other = name_of(options.one), name_of(options.other)
    if one == other:
        raise UsageError(f"{one} with itself: name two submissions")
    trials = read_trials([find_run(options.run)])
    for name in (one, other):
        if name not in set(trials["submission"]):
            known = ", ".join(sorted(set(trials["submission"])))
            raise UsageError(f"no submission {name!r} in {options.run}: there are {known}")
    trials = trials[trials["submission"].isin((one, other, REFERENCE))]
    check_hardware(trials, options.allow_mixed_hardware)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    failed = False
    for comparison in compare(trials, one, other, options.clock, options.allow_incomplete):
        if comparison.unscored:
            print(f"{comparison.frame}: {comparison.unscored}", file=sys.stderr)
            failed = True
            continue
        console.print(comparison_table(comparison))
        print(in_words(comparison))
    machines = sorted(trials["machine"].dropna().unique())
    if len(machines) > 1:
        print(f"warning: times from different hardware: {' and '.join(machines)}", file=sys.stderr)
    return int(failed)
