"""The cost of a step of the pacer on this machine, for `pace_seconds` of a suite.

The machine that a suite is paced on should be quiet meanwhile, and its name stand in the suite. What is printed is the
median over bursts, of all workloads in turn, in processor seconds on one thread.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.plan import make_plan

BURSTS = 100


def measure(config: dict[str, Any], bursts: int = BURSTS) -> dict[str, float]:
    """Give the seconds of a step of the pacer on each workload."""
    import torch

    from timetrial.harness.trial.arena import Arena

    torch.set_num_threads(1)
    root = None if config["data_root"] is None else Path(config["data_root"])
    specs = {spec.workload.name: spec for spec in make_plan(config, "cpu", threads=1)}
    pacers = {name: Arena(spec, root).build_pacer() for name, spec in specs.items()}
    costs: dict[str, list[float]] = {name: [] for name in specs}
    for _ in range(bursts):
        for name, spec in specs.items():
            costs[name].append(pacers[name].burst(spec.workload.eval_every)[1])
    return {name: statistics.median(values) for name, values in costs.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m timetrial.harness.measuring.pace",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m timetrial.harness.measuring.pace suite=mini data_root=DIR",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as of timetrial run, such as suite=mini")
    try:
        costs = measure(compose([*parser.parse_args().overrides, "submission=adamw"]))
    except UsageError as error:
        print(f"timetrial.harness.measuring.pace: {error}", file=sys.stderr)
        return 2
    print(f"# reference machine: one core of {describe_machine()['processor']}")
    for name, seconds in costs.items():
        print(f"{name}: pace_seconds: {seconds:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
