"""Benchmark: what the harness costs on top of training.

Every figure comes from real trials, and from loops written by hand that take turns with them (A B A B ...) in processes
of their own, on the same threads or GPU, and with the same settings of malloc:

- step: seconds per step inside the clock, over a minimal loop with the same model, batches, optimizer, schedule and
  precision, and over one that trains on a single batch again and again without a schedule (forward, backward, step).
- trial: wall-clock of a trial over its clock and its evaluations, with a referee that has run trials before.
- slots: trials per hour, what sharing the machine does to the seconds per step, and the share of clock and evaluations
  that evaluations take.
- floor: operations and bytes of a step, counted, over the matrix rate and the bandwidth of this machine, measured.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import choose_device, describe_machine, gpus
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.source import Source, read_source
from timetrial.harness.planning.spec import NO_BUDGET, UNREACHABLE, TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import slots_and_threads

SUBMISSIONS = ("adamw", "muon")
REPETITIONS = 9
STRETCHES = 3
"""Evaluation points of a measured trial; steps are timed from one to the next."""
SLOT_STUDIES = 2
LOOPS = ("hand", "bare")
"""The loop with batches and schedule, and the one without."""

Row = dict[str, Any]


def measure_steps(spec: TrialSpec, source: Source, data_root: Path | None) -> Row:
    """Time trials of `spec` and loops by hand in turn; seconds are medians, ratios medians over the turns."""
    import torch

    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.referee import run_trial

    torch.set_num_threads(spec.threads)
    arena = Arena(spec, data_root)
    turns = []
    for _ in range(1 + REPETITIONS):
        with tempfile.TemporaryDirectory() as folder:
            trial = TrialFolder(Path(folder))
            result = run_trial(spec, source, arena, trial)
            if result.status != "budget_exhausted":
                raise UsageError(f"{spec.submission} on {spec.workload.name}: {result.status}: {result.reason}")
            own = _seconds_per_step(trial)
        turns.append((own, *(_in_a_process(_loop, spec, data_root, kind) for kind in LOOPS), result))
    own, hand, bare, results = zip(*turns[1:], strict=True)  # the first turn starts the forkserver and fills caches
    arena.close()
    ratios = statistics.quantiles([a / b for a, b in zip(own, hand, strict=True)], n=4)
    return {
        "workload": spec.workload.name,
        "submission": spec.submission,
        "seconds_per_step": statistics.median(own),
        "by_hand": statistics.median(hand),
        "bare": statistics.median(bare),
        "ratio": ratios[1],
        "ratio_quartiles": [ratios[0], ratios[2]],
        "ratio_to_bare": statistics.median(a / b for a, b in zip(own, bare, strict=True)),
        "trial_seconds": statistics.median(r.wall_seconds - r.seconds - r.evaluation_seconds for r in results),
    }


def _seconds_per_step(trial: TrialFolder) -> float:
    """Give the median over the stretches between evaluations."""
    points = [(0.0, 0.0), *((line.step, line.seconds) for line in trial.read_evaluations())]
    return statistics.median((after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(points))


def _in_a_process(function: Any, *arguments: Any) -> Any:
    """Call `function(connection, *arguments)` in a fresh process, and give what it sends."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["timetrial.harness.trial.preload"])  # the same settings of malloc
    process = context.Process(target=function, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _loop(connection: Connection, spec: TrialSpec, data_root: Path | None, kind: str) -> None:
    """Train as one would without a harness, and send the median seconds per step over the stretches."""
    import torch

    workload, data, model, optimizer, scheduler = _prepare(spec, data_root)
    device, size = torch.device(spec.device), workload.batch_size
    generator = torch.Generator(device).manual_seed(0)
    examples = workload.examples(data)
    orders = [torch.randperm(examples, generator=generator, device=device)[: examples // size * size]]
    while sum(len(order) for order in orders) < spec.max_steps * size:
        orders.append(torch.randperm(examples, generator=generator, device=device)[: examples // size * size])
    indices = torch.cat(orders).split(size)
    single = workload.batch(data, indices[0], generator)
    seconds = []
    for stretch in range(STRETCHES):
        _synchronize(device)
        started = time.perf_counter()
        for i in range(stretch * spec.workload.eval_every, (stretch + 1) * spec.workload.eval_every):
            batch = single if kind == "bare" else workload.batch(data, indices[i], generator)
            optimizer.zero_grad()
            workload.loss(model, batch).backward()
            optimizer.step()
            if kind == "hand":
                scheduler.step()
        _synchronize(device)
        seconds.append((time.perf_counter() - started) / spec.workload.eval_every)
    connection.send(statistics.median(seconds))


def _prepare(spec: TrialSpec, data_root: Path | None) -> tuple[Any, ...]:
    """Build workload, training data, model, optimizer and scheduler, on the device."""
    import torch

    from timetrial.harness.trial.arena import make_workload
    from timetrial.harness.workload import DataSource

    torch.set_num_threads(spec.threads)
    device = torch.device(spec.device)
    workload = make_workload(spec.workload, None)
    data = {n: t.to(device) for n, t in workload.load("train", DataSource(spec.data, data_root)).items()}
    model = workload.build_model(torch.Generator().manual_seed(0)).to(device).train()
    task = SimpleNamespace(step_hint=spec.step_hint, roles=workload.parameter_roles(model))
    build = importlib.import_module(f"timetrial.submissions.{spec.submission}.submission").build_optimizer
    return workload, data, model, *build(model, SimpleNamespace(**spec.hyperparameters), task)


def _synchronize(device: Any) -> None:
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def count_step(connection: Connection, spec: TrialSpec, data_root: Path | None) -> None:
    """Count a training step, and send its floating-point operations, bytes read and written, and calls of kernels."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import FlopCounterMode

    class Traffic(TorchDispatchMode):
        """Adds up the tensors that go into and come out of every operation that is no view."""

        def __init__(self) -> None:
            super().__init__()
            self.bytes = self.calls = 0

        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            result = function(*arguments, **(keywords or {}))
            if not function.is_view:
                tensors = [leaf for leaf in tree_leaves((arguments, keywords, result)) if torch.is_tensor(leaf)]
                self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
                self.calls += 1
            return result

    workload, data, model, optimizer, _ = _prepare(spec, data_root)
    generator = torch.Generator(spec.device).manual_seed(0)
    indices = torch.arange(workload.batch_size, device=spec.device)
    for _ in range(2):  # the first step allocates the optimizer's state
        operations, traffic = FlopCounterMode(display=False), Traffic()
        with operations, traffic:
            batch = workload.batch(data, indices, generator)
            optimizer.zero_grad()
            workload.loss(model, batch).backward()
            optimizer.step()
    connection.send({"flops": operations.get_total_flops(), "bytes": traffic.bytes, "calls": traffic.calls})


def measure_machine(connection: Connection, device: str, threads: int, precision: str) -> None:
    """Send the operations a second of a large matrix product, and the bytes a second of a large copy."""
    import torch

    torch.set_num_threads(threads)
    where = torch.device(device)
    size = 8192 if where.type == "cuda" else 1536
    matrix = torch.randn(size, size, device=where, dtype=getattr(torch, precision))
    long = torch.randn((1 << 28) if where.type == "cuda" else (1 << 25), device=where)
    other = torch.empty_like(long)

    def seconds(function: Any) -> float:
        times = []
        for _ in range(10):
            _synchronize(where)
            started = time.perf_counter()
            function()
            _synchronize(where)
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    product, copy = seconds(lambda: matrix @ matrix), seconds(lambda: other.copy_(long))
    connection.send({"flops_per_second": 2 * size**3 / product, "bytes_per_second": 8 * long.numel() / copy})


def measure_floor(spec: TrialSpec, data_root: Path | None, seconds_per_step: float) -> Row:
    """Say how long a step would take at the machine's matrix rate or at its bandwidth, whichever is longer."""
    step = _in_a_process(count_step, spec, data_root)
    precision = spec.workload.sizes.get("precision", "float32")
    machine = _in_a_process(measure_machine, spec.device, spec.threads, precision)
    by_rate, by_bandwidth = step["flops"] / machine["flops_per_second"], step["bytes"] / machine["bytes_per_second"]
    floor = max(by_rate, by_bandwidth)
    return {
        "workload": spec.workload.name,
        "submission": spec.submission,
        **step,
        **machine,
        "floor_seconds": floor,
        "bound_by": "matrix rate" if by_rate > by_bandwidth else "bandwidth",
        "times_floor": seconds_per_step / floor,
        "microseconds_per_call": 1e6 * (seconds_per_step - floor) / step["calls"],
    }


def measure_slots(overrides: list[str], device: str) -> Iterator[Row]:
    """Run real trials with one slot and with as many as there are cores or GPUs, by `timetrial run`, from its start."""
    cores, most = len(os.sched_getaffinity(0)), len(gpus()) if device == "cuda" else len(os.sched_getaffinity(0))
    alone = max(1, cores // most)
    for slots, threads in dict.fromkeys([(1, alone), (most, alone), (1, cores)]):
        with tempfile.TemporaryDirectory() as folder:
            options = [f"run={folder}/run", f"executor.slots={slots}", f"executor.threads={threads}"]
            options += ["submission=adamw", "ruleset=self_tuning", f"ruleset.studies={SLOT_STUDIES}"]
            started = time.perf_counter()
            command = [sys.executable, "-m", "timetrial.harness.cli", "run", *overrides, *options]
            done = subprocess.run(command, capture_output=True, text=True)
            seconds = time.perf_counter() - started
            if done.returncode:
                raise UsageError(f"slots={slots}: {done.stderr.strip().splitlines()[-1]}")
            trials = RunFolder(Path(folder) / "run").trials()
            steps: dict[str, list[float]] = {}
            evaluations: dict[str, list[float]] = {}
            for trial in trials:
                name, result = trial.read_spec().workload.name, trial.read_result()
                steps.setdefault(name, []).append(_seconds_per_step(trial))
                share = result.evaluation_seconds / (result.seconds + result.evaluation_seconds)
                evaluations.setdefault(name, []).append(share)
        yield {
            "slots": slots,
            "threads": threads,
            "trials_per_hour": 3600 * len(trials) / seconds,
            "steps": {name: statistics.median(values) for name, values in steps.items()},
            "evaluation_shares": {name: statistics.median(values) for name, values in evaluations.items()},
        }


def measure(overrides: list[str]) -> dict[str, Any]:
    """Measure everything; raises `UsageError` for overrides that make no run, and trials that fail."""
    from timetrial.harness.trial.forkserver import prepare_forkserver  # imports torch, which takes a second

    config = compose([*overrides, f"submission=[{','.join(SUBMISSIONS)}]", "ruleset=self_tuning", "ruleset.studies=1"])
    device = choose_device(config["device"])
    threads = slots_and_threads({**config["executor"], "slots": 1}, device)[1]
    data_root = None if config["data_root"] is None else Path(config["data_root"])
    specs = [_endless(spec) for spec in make_plan(config, device, threads)]
    sources = {name: read_source(name, find_submission(name).source_files()) for name in SUBMISSIONS}
    prepare_forkserver(specs)
    steps, floors = [], []
    for spec in specs:
        steps.append(measure_steps(spec, sources[spec.submission], data_root))
        floors.append(measure_floor(spec, data_root, steps[-1]["seconds_per_step"]))
        print(json.dumps(steps[-1]), file=sys.stderr)
    return {
        "suite": config["suite"]["name"],
        "suite_version": config["suite"]["version"],
        "device": device,
        "threads": threads,
        "machine": describe_machine(),
        "steps": steps,
        "floors": floors,
        "slots": list(measure_slots(overrides, device)),
    }


def _endless(spec: TrialSpec) -> TrialSpec:
    """Change a trial into one of `STRETCHES` evaluation points that neither target nor budget ends."""
    from timetrial.harness.trial.arena import make_workload

    target = UNREACHABLE[make_workload(spec.workload, None).higher_is_better]
    workload = replace(spec.workload, target=target)
    return replace(spec, workload=workload, budget_seconds=NO_BUDGET, max_steps=STRETCHES * spec.workload.eval_every)


def to_markdown(report: dict[str, Any]) -> str:
    """Write a report as Markdown tables."""
    machine = report["machine"]
    hardware = ", ".join(machine["gpus"]) or f"{machine['processor']}, {machine['cores']} cores"
    lines = [
        f"Suite {report['suite']}, version {report['suite_version']}; {hardware}; "
        f"{report['threads']} threads; torch {machine['libraries']['torch']}.",
        "",
        "| workload | submission | ms per step | over a loop by hand (quartiles) | over bare steps "
        "| ms on top of a trial |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['workload']} | {r['submission']} | {1e3 * r['seconds_per_step']:.2f} "
        f"| {r['ratio']:.3f} ({r['ratio_quartiles'][0]:.3f} to {r['ratio_quartiles'][1]:.3f}) "
        f"| {r['ratio_to_bare']:.3f} | {1e3 * r['trial_seconds']:.0f} |"
        for r in report["steps"]
    ]
    lines += [
        "",
        "| workload | submission | GFLOP per step | MB per step | calls per step | floor, ms | bound by "
        "| measured / floor | rest, us per call |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['workload']} | {r['submission']} | {r['flops'] / 1e9:.2f} | {r['bytes'] / 1e6:.0f} | {r['calls']} "
        f"| {1e3 * r['floor_seconds']:.2f} | {r['bound_by']} | {r['times_floor']:.1f} "
        f"| {r['microseconds_per_call']:.0f} |"
        for r in report["floors"]
    ]
    names = list(report["slots"][0]["steps"])
    lines += [
        "",
        "Milliseconds per step, and the share of evaluations in clock and evaluations:",
        "",
        f"| slots | threads each | trials per hour | {' | '.join(names)} |",
        f"| --- | --- | --- |{' --- |' * len(names)}",
    ]
    for r in report["slots"]:
        per_step = " | ".join(f"{1e3 * r['steps'][name]:.2f}, {r['evaluation_shares'][name]:.1%}" for name in names)
        lines.append(f"| {r['slots']} | {r['threads']} | {r['trials_per_hour']:.0f} | {per_step} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: scripts/benchmark suite=mini data_root=DIR",
    )
    parser.add_argument("overrides", nargs="+", metavar="key=value", help="as of timetrial run; needs suite=NAME")
    parser.add_argument("--output", type=Path, default=RESULTS / "benchmark", metavar="FOLDER")
    options = parser.parse_args()
    try:
        report = measure(options.overrides)
    except UsageError as error:
        print(f"scripts/benchmark: {error}", file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    name = f"{report['suite']}_{report['device']}"
    (options.output / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = to_markdown(report)
    (options.output / f"{name}.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
