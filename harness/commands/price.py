"""Measure what a step of each submission of a leaderboard costs here, and print what the ranking is on this machine.

Steps to target do not depend on hardware; what a step costs does. Each submission's step is measured with the
hyperparameters that won, in turn with the reference. `break-even`: so many times as much its step may cost here before
it is no faster than the reference; below 1, so much cheaper it would have to be. --output keeps the prices as a small
file that `timetrial report --prices FILE` takes.
"""

import argparse
import sys
from pathlib import Path

from timetrial.harness import UsageError

EXAMPLE = "timetrial price results/mini/external --output prices.json data_root=DIR"
TAKEN = ("ruleset", "device", "executor", "executor.threads", "data_root")
"""Keys that price something else: all others say what the board was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="SUITE", help="a suite with committed results, a folder of them, or a run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="ruleset, device, executor, data_root")
    parser.add_argument("--submissions", metavar="A,B", help="price these alone, and adamw")
    parser.add_argument("--name", help="of this machine, as a page shows it; by default its processor or GPU")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the prices there")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.measuring.prices import cost_ratio, measure_prices, winners
    from timetrial.harness.planning.configuration import RUN_ONLY, compose
    from timetrial.harness.planning.places import RESULTS, make_output
    from timetrial.harness.records.files import write_atomically
    from timetrial.harness.report.boards import read_boards
    from timetrial.harness.runs.execute import read_place
    from timetrial.harness.scoring import REFERENCE
    from timetrial.harness.scoring.prices import break_even, score_at

    config = compose(["submission=adamw", *options.overrides], RUN_ONLY)
    if refused := sorted({word.lstrip("+~").partition("=")[0] for word in options.overrides} - set(TAKEN)):
        raise UsageError(f"{refused[0]}=: that is as it was on the board; timetrial price takes {', '.join(TAKEN)}")
    committed = RESULTS / options.board
    run = find_run(str(committed) if committed.is_dir() and "/" not in options.board else options.board)
    asked = [word.partition("=")[2] for word in options.overrides if word.startswith("ruleset=")]
    place = read_place(config)
    if place.resources is not None:
        raise UsageError("executor=slurm: prices are of the machine that this runs on; run it there with srun")
    boards = [
        board for board in read_boards([run], allow_incomplete=True) if board.ruleset in (asked or [board.ruleset])
    ]
    if len(boards) != 1:
        there = ", ".join(f"{board.suite}/{board.ruleset}" for board in boards) or "none"
        raise UsageError(f"{options.board}: {there}: price one leaderboard at a time, with ruleset=NAME")
    (board,) = boards
    trials = board.trials
    if options.submissions:
        wanted = {*options.submissions.split(","), REFERENCE}
        if unknown := sorted(wanted - set(trials["submission"])):
            raise UsageError(f"--submissions: {unknown[0]} is not on {board.suite}/{board.ruleset}")
        trials = trials[trials["submission"].isin(wanted)]
    specs = {path: board.folders[path].read_spec() for path in trials["path"]}
    skipped: dict[str, str] = {}
    if options.output:
        make_output(options.output.parent)
    found = measure_prices(
        winners(trials, specs, skipped, run),
        place,
        options.name or _name(place),
        lambda line: print(line, file=sys.stderr),
        skipped,
    )
    here = score_at(trials, found, allow_incomplete=True)
    there = {standing.submission: standing for standing in board.scores.standings}
    print(f"{board.suite}/{board.ruleset} version {found.suite_version} on {found.name}; there by {board.scores.clock}")
    print(_row(("rank here", "there", "submission", "speed-up here", "there", "step over adamw's", "break-even")))
    for standing in here.standings:
        name = standing.submission
        even = break_even(trials, found, name, here)
        speed, was = standing.speedup, there[name].speedup
        print(
            _row(
                (
                    standing.rank,
                    there[name].rank,
                    name,
                    f"{speed.value:.2f}x" if speed else "-",
                    f"{was.value:.2f}x" if was else "-",
                    f"{cost_ratio(found, name):.2f}x",
                    "-" if name == REFERENCE else in_words(even),
                )
            )
        )
    for name, reason in found.missing.items():
        print(f"not priced: {name}: {reason}", file=sys.stderr)
    if found.changed:
        print(f"priced with a source that has changed since it ran: {', '.join(found.changed)}", file=sys.stderr)
    if options.output:
        write_atomically(options.output, found.to_json())
        print(f"next: timetrial report {options.board} --prices {options.output}", file=sys.stderr)
    return 0


def in_words(break_even: float | None) -> str:
    return "never" if break_even is None else "at any price" if break_even == float("inf") else f"{break_even:.2f}x"


def _row(cells: tuple[object, ...]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, (9, 5, 22, 13, 7, 17, 12), strict=True)).rstrip()


def _name(place) -> str:
    from timetrial.harness.planning.environment import describe_machine

    machine = describe_machine()
    if place.device == "cuda":
        return machine["gpus"][0].split(",")[0] if machine["gpus"] else "GPU"
    return f"{machine['processor']}, {place.threads} thread{'s' * (place.threads != 1)}"
