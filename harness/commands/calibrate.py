"""Find targets, budgets and step hints of a suite by tuning reference submissions on this machine.

Each of adamw, muon and momentum is tuned on every workload, and its best point is run with other seeds. The target is
what adamw reaches with most of them. The first lines that are printed of a workload are those for its suite.
"""

import argparse
import sys

from timetrial.harness import UsageError

EXAMPLE = "timetrial calibrate suite=./mine.yaml --seconds 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides", nargs="+", metavar="key=value", help="as of timetrial run; needs suite=NAME or FILE"
    )
    parser.add_argument(
        "--seconds", type=float, help="of a tuned adamw to the target; without it, the suite's step hint"
    )
    parser.add_argument(
        "--points", type=int, default=20, help="tried of adamw; half as many of the others (default 20)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="with which the best point is run again (default 5)")
    parser.add_argument(
        "--adamw-only", action="store_true", help="adamw alone: the target, without a look at who else reaches it"
    )


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.measuring.calibration import calibrate_suite
    from timetrial.harness.planning.configuration import RUN_ONLY, compose

    if not any(override.startswith("suite=") for override in options.overrides):
        raise UsageError("name the suite, as suite=mini or suite=./mine.yaml")
    for name in ("points", "seeds", "seconds"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise UsageError(f"--{name} {value}: give a number above zero")
    try:
        for text in calibrate_suite(
            compose([*options.overrides, "submission=adamw"], RUN_ONLY),
            points=options.points,
            seeds=options.seeds,
            adamw_only=options.adamw_only,
            seconds=options.seconds,
        ):
            print(text, flush=True)
    except KeyboardInterrupt:
        print("timetrial calibrate: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0
