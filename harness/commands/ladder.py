"""How does an advantage change with size, batch size, data or the length of the plan? Compare along one axis.

For each value every submission has a short search over its learning rate; the first submission, the reference, sets the
target; then all train in paired studies at their best rates. It writes a page with the advantage along the axis, the
drift of the best rates and a fit with one exponent, which says nothing beyond the values where it is poor.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError

EXAMPLE = "timetrial ladder submission=[adamw,muon] workload=small_gpt axis=width values=[16,32,64] suite=quickstart"
OWN = ("workload", "axis", "values")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides",
        nargs="+",
        metavar="key=value",
        help="submission=[REFERENCE,...] workload=NAME axis=NAME values=[...], and what timetrial run takes; an axis "
        "is a size of the workload (width, layers, batch_size, training_examples, ...) or horizon, times the step hint",
    )
    parser.add_argument("--studies", type=int, default=3, metavar="N", help="paired studies at each value (3)")
    parser.add_argument("--clock", default="steps", choices=("paced", "measured", "steps"), help="steps by default")
    parser.add_argument("--output", type=Path, metavar="DIR", help="of the page; by default in the folder of the run")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.judging.ladder import climb
    from timetrial.harness.judging.ladder_page import sentences, table, write_page
    from timetrial.harness.planning.configuration import RUN_ONLY, compose
    from timetrial.harness.planning.places import make_output
    from timetrial.harness.planning.plan import submission_list
    from timetrial.harness.runs.execute import TrialLost, read_place

    own = {word.partition("=")[0]: word.partition("=")[2] for word in options.overrides if "=" in word}
    if missing := [name for name in (*OWN, "submission") if not own.get(name)]:
        raise UsageError(f"{missing[0]}= is not given: {EXAMPLE}")
    if options.studies < 2:
        raise UsageError(f"--studies {options.studies}: give at least 2, since one has no interval")
    values = read_values(own["values"])
    rest = [word for word in options.overrides if word.partition("=")[0] not in OWN]
    config = compose(["ruleset=self_tuning", *rest, f"workloads=[{own['workload']}]"], (*RUN_ONLY, "max_steps"))
    names = submission_list(config["submission"])
    if len(names) < 2:
        raise UsageError(f"submission={own['submission']}: name the reference and one more, such as [adamw,muon]")
    place = read_place(config)
    if options.output:  # before hours of training
        make_output(options.output)
    try:
        found = climb(config, names, own["axis"], values, options.studies, place, options.clock, _say)
    except TrialLost as lost:
        print(f"timetrial ladder: {lost}", file=sys.stderr)
        return 1
    rows = table(found)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for sentence in sentences(found):
        print(sentence)
    for file in write_page(found, options.output or Path(found.run) / "ladder"):
        print(file)
    return 0


def read_values(given: str) -> list[float]:
    """Read `values=[16,32]`; raises `UsageError` for anything but two or more rising numbers above zero."""
    from yaml import YAMLError, safe_load

    try:
        found: Any = safe_load(given)
    except YAMLError:
        found = None
    numbers = isinstance(found, list) and all(isinstance(value, int | float) and value > 0 for value in found)
    if not numbers or len(found) < 2 or sorted(set(found)) != found:
        raise UsageError(f"values={given}: give rising numbers, such as values=[32,64,128]")
    return [float(value) for value in found]


def _say(line: str) -> None:
    print(f"ladder: {line}", file=sys.stderr, flush=True)
