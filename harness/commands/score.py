"""`timetrial score`: scores with confidence intervals, from our runs or from AlgoPerf's logs."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from timetrial.harness import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from timetrial.harness.scoring import Leaderboard

EXAMPLE = "timetrial score quickstart --format csv > scores.csv"
FORMATS = ("table", "json", "csv")
PIPED_WIDTH = 200
MOST_NAMED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; their values are checked in `main`, which complains in one line."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help="name or folder of a run")
    parser.add_argument("--rules", default="default", help="default, algoperf_v05 or algoperf_v06")
    parser.add_argument("--clock", help="measured, paced or steps; by default paced where the records have it")
    parser.add_argument("--format", default="table", help="table, json or csv")
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="count trials that crashed or are missing as misses"
    )
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )
    foreign = parser.add_argument_group("AlgoPerf's own logs instead of runs (all four together)")
    foreign.add_argument("--algoperf-evals", metavar="FILE", type=Path, help="CSV, one row per evaluation")
    foreign.add_argument("--targets", metavar="FILE", type=Path, help="CSV, one row per workload")
    foreign.add_argument("--leaderboard", metavar="VERSION", help="for example v0.5")
    foreign.add_argument("--tuning", help="external or self")


def main(arguments: argparse.Namespace) -> int:
    """Print the scores; return 1 where a submission has none because it is incomplete."""
    if arguments.format not in FORMATS:
        raise UsageError(f"--format {arguments.format}: unknown format; choose one of {', '.join(FORMATS)}")
    from timetrial.harness.scoring import rules_named, score_leaderboards  # pandas takes 0.5 s, and --help needs none

    rules = rules_named(arguments.rules)
    boards = score_leaderboards(
        _read(arguments), rules, clock=arguments.clock, allow_incomplete=arguments.allow_incomplete
    )
    for board in boards:
        _print_findings(board)
    _print(boards, arguments.format)
    return int(any(board.incomplete and not board.counted_as_misses for board in boards))


def _read(arguments: argparse.Namespace) -> "pd.DataFrame":
    options = ("--algoperf-evals", "--targets", "--leaderboard", "--tuning")
    foreign = {option: getattr(arguments, option[2:].replace("-", "_")) for option in options}
    given = [option for option, value in foreign.items() if value is not None]
    if not given and not arguments.runs:
        raise UsageError("nothing to score: name a run, for example `timetrial score quickstart`")
    if not given:
        from timetrial.harness.entries.find import find_run
        from timetrial.harness.records.table import check_hardware, read_trials

        trials = read_trials(map(find_run, arguments.runs))
        check_hardware(trials, arguments.allow_mixed_hardware)
        for reason in filter(None, trials.loc[trials["status"] == "missing", "reason"]):
            print(f"{reason}: timetrial run, as before, runs this trial again", file=sys.stderr)
        return trials
    if arguments.runs:
        raise UsageError(f"{arguments.runs[0]} and {given[0]}: score runs or AlgoPerf's logs, not both at once")
    for option in options:
        if option not in given:
            raise UsageError(f"{option} is missing: AlgoPerf's logs need all of {', '.join(options)}")
    from timetrial.harness.scoring import read_algoperf_logs

    return read_algoperf_logs(*foreign.values())


def _print(boards: "tuple[Leaderboard, ...]", form: str) -> None:
    from timetrial.harness.scoring import present

    if form == "json":
        print(present.as_json(boards))
    elif form == "csv":
        print(present.as_csv(boards), end="")
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
        for board in boards:
            console.print(present.as_table(board))


def _print_findings(board: "Leaderboard") -> None:
    """Say on stderr what a reader of the scores must know, and name the trials."""
    for submission, trials in board.incomplete.items():
        if board.counted_as_misses:
            outcome = "counted as misses (--allow-incomplete)"
        else:
            outcome = "so it has no score; resume the run, or count them as misses with --allow-incomplete"
        print(f"{submission} is incomplete ({_count(trials)}), {outcome}:", file=sys.stderr)
        _print_names(trials)
    if unsteady := tuple(trial for trials in board.unsteady.values() for trial in trials):
        where = "paced seconds correct for it, and --format json names them"
        print(f"{board.suite} {board.ruleset}: the clock was unsteady in {_count(unsteady)}: {where}", file=sys.stderr)
    for note in board.notes:
        print(f"note: {note}", file=sys.stderr)


def _print_names(trials: tuple[str, ...]) -> None:
    for trial in trials[:MOST_NAMED]:
        print(f"  {trial}", file=sys.stderr)
    if len(trials) > MOST_NAMED:
        print(f"  and {len(trials) - MOST_NAMED} more, all named by --format json", file=sys.stderr)


def _count(trials: tuple[str, ...]) -> str:
    return f"{len(trials)} {'trial' if len(trials) == 1 else 'trials'}"
