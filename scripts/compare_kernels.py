"""Measure what torch's fused optimizers save of a step: .venv/bin/python scripts/compare_kernels.py

AdamW and SGD with momentum, fused and foreach, on the workloads of `mini` with synthetic data and one thread. The two
take turns, ten steps each; a line gives the milliseconds per step of both and, in brackets, of the optimizer alone
(medians of the turns), and the share of the step that fused saves.
"""

import statistics
import time
from itertools import cycle

import torch

from timetrial.harness.planning.configuration import compose
from timetrial.harness.workload import DataSource, Workload, workload_class

TURNS, STEPS = 30, 10
OPTIMIZERS = {
    "adamw": lambda parameters, **kernel: torch.optim.AdamW(parameters, lr=1e-4, **kernel),
    "momentum": lambda parameters, **kernel: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, **kernel),
}


def turn(workload: Workload, model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch) -> tuple[float, float]:
    """Take `STEPS` steps; give the milliseconds of one, and those of the optimizer in it."""
    inside, begin = 0.0, time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        workload.loss(model, batch).backward()
        start = time.perf_counter()
        optimizer.step()
        inside += time.perf_counter() - start
    return (time.perf_counter() - begin) / STEPS * 1000, inside / STEPS * 1000


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'workload':20} {'optimizer':10} {'foreach':>16} {'fused':>16} {'saved':>8}")
    for name, entry in compose(["suite=mini", "submission=adamw"])["suite"]["workloads"].items():
        workload = workload_class(entry["implementation"])(**entry["sizes"])
        data = workload.load("train", DataSource("synthetic"))
        generator = torch.Generator().manual_seed(0)
        indices = torch.randint(workload.examples(data), (workload.batch_size,), generator=generator)
        batch = workload.batch(data, indices, generator)
        for label, build in OPTIMIZERS.items():
            runs = []
            for kernel in ({"foreach": True}, {"fused": True}):
                model = workload.build_model(torch.Generator().manual_seed(0))
                runs.append((model, build(model.parameters(), **kernel), []))
            for i, (model, optimizer, times) in zip(range(2 * TURNS), cycle(runs), strict=False):
                taken = turn(workload, model, optimizer, batch)
                if i > 3:  # the first turns warm up
                    times.append(taken)
            (foreach, foreach_step), (fused, fused_step) = (
                [statistics.median(part) for part in zip(*times, strict=True)] for _, _, times in runs
            )
            columns = f"{foreach:7.2f} ({foreach_step:5.2f})  {fused:7.2f} ({fused_step:5.2f})"
            print(f"{name:20} {label:10} {columns} {(foreach - fused) / foreach:8.0%}", flush=True)


if __name__ == "__main__":
    main()
