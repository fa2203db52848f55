"""Which clock do other programs move least? A/A repeats of one trial, timed in every way that its records allow.

The same trial, to the last bit, runs again and again in slots that fill the cores: with nothing else on the machine,
and with one core kept busy by another program; some of the repeats have a second pacer beside them that runs all the
time. What differs between repeats is the noise of the clock alone. The raw stretches go to
`results/benchmark/clock.csv`, from which `--again` computes the table, `clock.md`, without a new run.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.measuring.clock_variants import spreads
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.places import RESULTS, RUNS
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.spec import NO_BUDGET, UNREACHABLE, TrialSpec
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment

CONDITIONS = ("quiet", "loaded", "quiet, concurrent pacer", "loaded, concurrent pacer")
CONCURRENT_SHARE = 0.05
"""Of a core, for a pacer that runs beside the trials."""
BLOCK = 3
"""Repeats under one condition before the next has its turn."""


def make_trials(config: dict[str, Any], stretches: int, repeats: int) -> list[TrialSpec]:
    """Describe `repeats` equal trials on each workload, of so many `stretches`, which no target or budget ends."""
    config = config | {"ruleset": config["ruleset"] | {"studies": 1, "trials": repeats}}
    return [_endless(spec, stretches) for spec in make_plan(config, "cpu", 1)]


def _endless(spec: TrialSpec, stretches: int) -> TrialSpec:
    from timetrial.harness.workload import workload_class  # imports torch

    workload = replace(
        spec.workload,
        target=UNREACHABLE[workload_class(spec.workload.implementation, spec.workload.text).higher_is_better],
        pace_seconds=spec.workload.pace_seconds or 1.0,
    )
    return replace(spec, workload=workload, budget_seconds=NO_BUDGET, max_steps=stretches * workload.eval_every)


def run_trials(specs: list[TrialSpec], run: RunFolder, config: dict[str, Any], condition: str) -> list[dict[str, Any]]:
    """Run what is missing of `specs` under `condition`; gives a row for each stretch."""
    run.add(specs)
    missing = tuple(spec.folder for spec in specs if not run.trial(spec).is_finished)
    slots, _ = slots_and_threads(config["executor"], "cpu")
    bursts_file = run.path / "concurrent_pacer.jsonl"
    load = os.getloadavg()[0]
    if missing:
        with contextlib.ExitStack() as stack:
            if "loaded" in condition:
                stack.enter_context(run_beside(keep_busy))
            if "concurrent" in condition:
                stack.enter_context(run_beside(_pace, _one_of_each(specs), config["data_root"], bursts_file))
            progress = stack.enter_context(Progress(run.path, specs, done=len(specs) - len(missing)))
            run_locally(SlotAssignment(str(run.path), missing, config["data_root"], None), slots, 1, "cpu", progress)
        if progress.blocked:
            raise UsageError(next(iter(progress.blocked.values())))
    bursts = [json.loads(line) for line in bursts_file.read_text().splitlines()] if bursts_file.exists() else []
    return [row for spec in specs for row in _rows(run, spec, condition, load, bursts)]


def _one_of_each(specs: list[TrialSpec]) -> list[TrialSpec]:
    return list({spec.workload.name: spec for spec in specs}.values())


def _rows(
    run: RunFolder, spec: TrialSpec, condition: str, load: float, bursts: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Give the stretches of a trial, with what a step of the concurrent pacer has cost while the trial ran."""
    folder = run.trial(spec)
    result, evaluations = folder.read_result(), folder.read_evaluations()
    if result.status != "budget_exhausted":
        raise UsageError(f"{folder.path}: {result.status}: {result.reason}")
    ended = folder.result_file.stat().st_mtime
    beside = [
        burst
        for burst in bursts
        if burst["workload"] == spec.workload.name and ended - result.wall_seconds <= burst["at"] <= ended
    ]
    cost = {
        f"concurrent_{name}": sum(b[name] for b in beside) / len(beside) if beside else None
        for name in ("seconds", "processor_seconds")
    }
    steps = [0.0, *(evaluation.step for evaluation in evaluations)]
    for index, ((before, after), evaluation) in enumerate(zip(pairwise(steps), evaluations, strict=True)):
        yield {
            "suite": f"{spec.suite} version {spec.suite_version}",
            "condition": condition,
            "load_average": load,
            "workload": spec.workload.name,
            "repeat": spec.trial,
            "index": index,
            "batches": after - before,
            **asdict(evaluation.stretch),
            **cost,
        }


@contextlib.contextmanager
def run_beside(target: Any, *arguments: Any) -> Iterator[None]:
    """Run a function in a process of its own, from when it is ready on."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=target, args=(ready, *arguments), daemon=True)
    process.start()
    try:
        while not ready.wait(0.5):
            if not process.is_alive():
                raise UsageError(f"{target.__name__.strip('_')}: it ended with exit code {process.exitcode}")
        yield
    finally:
        process.kill()
        process.join()


def keep_busy(ready: Any) -> None:
    """Be the other program: matrix products on one thread, that never end."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.randn(512, 512) / 32
    ready.set()
    while True:
        matrix = (matrix @ matrix).tanh()


def _pace(ready: Any, specs: list[TrialSpec], data_root: str | None, file: Path) -> None:
    """Be a pacer that runs beside the trials, and write down what its steps cost."""
    import torch

    from timetrial.harness.trial.arena import Arena

    torch.set_num_threads(1)
    arenas = [Arena(spec, None if data_root is None else Path(data_root)) for spec in specs]
    ready.set()
    with open(file, "a", buffering=1) as lines:
        while True:
            for spec, arena in zip(specs, arenas, strict=True):
                began = time.perf_counter()
                seconds, processor_seconds = arena.pacer.burst(spec.workload.eval_every)
                costs = {"seconds": seconds, "processor_seconds": processor_seconds}
                lines.write(json.dumps({"at": time.time(), "workload": spec.workload.name, **costs}) + "\n")
                time.sleep((time.perf_counter() - began) / CONCURRENT_SHARE)


def write_table(stretches: Any, output: Path) -> str:
    """Write and give the table of a comparison."""
    table = spreads(stretches)
    repeats = stretches.groupby(["condition", "workload"])["repeat"].nunique()
    environment = describe_machine()
    head = (
        "# Which clock other programs move least\n\n"
        "Standard deviation of log time over repeats of the same trial, as a root mean square over workloads, and of\n"
        "the worst workload; `moved` is how much longer a trial seems to take on the loaded machine.\n"
        "Made by `python -m timetrial.harness.measuring.clock`; the stretches are in `clock.csv`.\n\n"
        f"Machine: {environment['processor']}, {environment['cores']} cores. Suite: {stretches['suite'].iloc[0]}, "
        f"{', '.join(sorted(stretches['workload'].unique()))}.\n\n"
        "| condition | repeats | load average before |\n| --- | ---: | ---: |\n"
        + "".join(
            f"| {condition} | {repeats[condition].min()} | {own['load_average'].min():.1f} to "
            f"{own['load_average'].max():.1f} |\n"
            for condition, own in stretches.groupby("condition")
        )
        + "\n"
    )
    lines = ["| clock | " + " | ".join(table.columns) + " |", "| --- " + "| ---: " * len(table.columns) + "|"]
    for clock, row in table.iterrows():
        lines.append(f"| {clock} | " + " | ".join("" if value != value else f"{value:.3f}" for value in row) + " |")
    text = head + "\n".join(lines) + "\n"
    output.write_text(text)
    return text


def main() -> int:
    import pandas

    parser = argparse.ArgumentParser(
        prog="python -m timetrial.harness.measuring.clock",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m timetrial.harness.measuring.clock suite=mini data_root=DIR",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as of timetrial run, such as suite=mini")
    parser.add_argument("--repeats", type=int, default=12, help="of each workload and condition (default 12)")
    parser.add_argument("--stretches", type=int, default=20, help="evaluation points of a trial (default 20)")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=CONDITIONS, metavar="CONDITION")
    parser.add_argument(
        "--again", action="store_true", help="only compute the table, from the stretches of the last run"
    )
    options = parser.parse_args()
    output = RESULTS / "benchmark" / "clock.csv"
    try:
        if not options.again:
            stretches = measure(options)
            stretches.to_csv(output, index=False, float_format="%.6g")
        print(write_table(pandas.read_csv(output), output.with_suffix(".md")))
    except UsageError as error:
        print(f"timetrial.harness.measuring.clock: {error}", file=sys.stderr)
        return 2
    return 0


def measure(options: argparse.Namespace) -> Any:
    """Run everything, condition after condition in blocks of `BLOCK` repeats; gives the table of stretches."""
    import pandas

    config = compose([*options.overrides, "submission=adamw", "ruleset=self_tuning", "device=cpu"])
    specs = make_trials(config, options.stretches, options.repeats)
    rows = []
    for first in range(0, options.repeats, BLOCK):
        for condition in options.conditions:
            block = [spec for spec in specs if first <= spec.trial < first + BLOCK]
            run = RunFolder(RUNS / f"clock-{config['suite']['name']}-{condition.replace(', ', '-').replace(' ', '_')}")
            rows += run_trials(block, run, config, condition)
    return pandas.DataFrame(rows)


if __name__ == "__main__":
    sys.exit(main())
