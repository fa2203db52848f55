"""Say what this machine is, what it lets the referee enforce, which data are here, and how steady its clock is."""

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from timetrial.harness import UsageError

EXAMPLE = "timetrial doctor --data-root DIR"
REPETITIONS = 5
NOISE_STEPS = 400
STEADY_PERCENT = 5.0
"""A spread above this asks for a quieter machine."""

Line = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-root",
        default=os.environ.get("TIMETRIAL_DATA_ROOT"),
        metavar="DIR",
        help="the folder with the data sets (default: TIMETRIAL_DATA_ROOT; without it, the cache)",
    )


def main(options: argparse.Namespace) -> int:
    from itertools import chain

    failed = False
    root = None if options.data_root is None else Path(options.data_root)
    for what, finding in chain(_machine(), _enforced(), _data(root), _noise()):
        print(f"{what:26} {finding}", flush=True)
        failed = failed or finding.startswith("failed")
    return 1 if failed else 0


def _machine() -> Iterator[Line]:
    from timetrial.harness.planning.environment import describe_machine

    machine = describe_machine()
    yield (
        "processor",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB memory",
    )
    yield "GPUs", "; ".join(machine["gpus"]) or "none: trials run on the processor"
    yield "system", f"{machine['system']}, Python {machine['python']}"
    for name, version in machine["libraries"].items():
        yield f"  {name}", version or "not installed"


def _enforced() -> Iterator[Line]:
    from timetrial.harness.planning.environment import gpus
    from timetrial.harness.trial.isolation import WALL, available, start_gpu

    stands = available()
    for what in WALL:
        partly = next((line for line in stands if line.startswith(f"{what} (")), None)
        missing = f"only in part, {partly.removeprefix(what).strip()}" if partly else "not kept from a trainee here"
        yield f"wall: {what}", "stands" if what in stands else f"{missing}; results and leaderboards say so"
    if gpus():
        error = start_gpu()
        yield (
            "GPU behind the wall",
            f"failed: its driver gives error {error}; trials here would crash: use device=cpu" if error else "starts",
        )


def _data(root: Path | None) -> Iterator[Line]:
    """Try to load every workload of the suites `mini` and `miniature` from real data, from what is here alone."""
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.plan import select_workloads
    from timetrial.harness.trial.arena import make_workload
    from timetrial.harness.workload import DataSource, cache_folder

    where = root if root is not None else cache_folder()
    suites = [select_workloads(compose([f"suite={name}", "submission=template"])) for name in ("miniature", "mini")]
    for spec in {spec.name: spec for suite in suites for spec in suite}.values():
        workload = make_workload(spec, None)
        try:
            data, place = workload.load("train", DataSource("real", where)), f"found in {where}"
            with contextlib.suppress(UsageError), tempfile.TemporaryDirectory() as empty:
                workload.load("train", DataSource("real", Path(empty)))
                place = "computed, without any file"
            yield f"data {spec.name}", f"{place}: {', '.join(f'{n} {tuple(t.shape)}' for n, t in data.items())}"
        except UsageError as error:
            yield f"data {spec.name}", f"missing: {error}"


def _noise() -> Iterator[Line]:
    """Repeat a fixed tiny trial, and say by how much its seconds differ."""
    from dataclasses import replace

    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.plan import make_plan
    from timetrial.harness.rules.probe import run_briefly

    given = ["submission=template", "suite=quickstart", "ruleset=self_tuning", f"max_steps={NOISE_STEPS}"]
    spec = make_plan(compose(given), "cpu", threads=1)[0]
    unreachable = replace(spec.workload, target=1e9, eval_every=NOISE_STEPS // 4)
    fixed = replace(spec, workload=unreachable, budget_seconds=60.0)
    seconds = []
    for _, result in run_briefly([fixed] * REPETITIONS):
        if isinstance(result, UsageError) or result.status != "budget_exhausted":
            yield "timing noise", f"failed: {result if isinstance(result, UsageError) else result.reason}"
            return
        seconds.append(result.seconds)
    spread = (max(seconds) - min(seconds)) / statistics.median(seconds) * 100
    advice = "steady" if spread <= STEADY_PERCENT else "close other programs, or give slots cores of their own"
    times = " ".join(f"{value:.2f}" for value in seconds)
    yield "timing noise", f"{spread:.1f} % between {REPETITIONS} runs of one trial ({times} s): {advice}"
