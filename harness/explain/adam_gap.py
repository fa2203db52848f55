"""Convolutional network against transformer: by how much Adam is ahead of SGD, and the noise of their gradients.

From the records of a run with both: the training loss along their best trials, and the ratio of their expected times
with its interval, as `timetrial score` computes it. Freshly: minibatch gradients g_i at weights after some steps; the
histogram of |g_i - mean g| / its median, and the tail index of these norms by Hill's estimator over the largest
tenth (Hill 1975): the smaller, the heavier the tail (Zhang et al. 2020: "Why are adaptive methods good for attention
models?").
"""

from dataclasses import dataclass

import numpy
import pandas
from matplotlib.figure import Figure

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding, pair, records_of
from timetrial.harness.explain.loop import Training, find_workload
from timetrial.harness.records.table import read_trials
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.scoring import score_table

TAIL = 0.1
"""The share of the largest norms that Hill's estimator looks at."""


@dataclass(frozen=True)
class Options(experiment.Options):
    run: str = "results/mini/external"
    """The run whose records are read: its name, or its folder."""
    submission: tuple[str, str] = ("momentum", "adamw")
    suite: str = "mini"
    workloads: tuple[str, ...] = ("cifar_resnet", "small_gpt")
    """Where gradients are looked at."""
    warm_steps: int = 100
    """Steps of the second submission before that."""
    samples: int = 300
    """Minibatch gradients."""


def run(options: Options) -> Finding:
    sgd, adam = pair(options.submission)
    source = records_of(options.run)
    trials = read_trials([source])
    trials = trials[trials.submission.isin(options.submission)]
    if set(trials.submission) != set(options.submission) or trials.groupby(["suite", "ruleset"]).ngroups != 1:
        raise UsageError(f"{options.run} is no leaderboard with {sgd} and {adam}: name a run of one ruleset with both")
    board = score_table(trials, reference=adam)
    if board.incomplete:
        name, (first, *_) = next(iter(board.incomplete.items()))
        raise UsageError(f"{options.run}: {name} has no score ({first}): run that trial again")
    numbers: dict[str, float] = {}
    for workload, result in board.of(sgd).workloads.items():
        slower = result.speedup  # of SGD over Adam: below 1 where Adam is ahead
        numbers |= {f"gap_{workload}": 1 / slower.value, f"reach_{workload}": result.reach}
        if slower.low is not None:
            numbers |= {f"gap_low_{workload}": 1 / slower.high, f"gap_high_{workload}": 1 / slower.low}
    rows = best_curves(source, trials)
    for workload in options.workloads:
        norms = noise(workload, adam, options)
        numbers[f"tail_{workload}"] = tail_index(norms)
        rows += [{"kind": "noise", "workload": workload, "value": value} for value in norms / numpy.median(norms)]
    table = pandas.DataFrame(rows)
    return Finding(
        table, numbers, describe(numbers, options, list(board.of(sgd).workloads)), lambda: draw(table, options)
    )


def best_curves(source, trials: pandas.DataFrame) -> list[dict]:
    """Give the training loss along the quickest trial of each submission on each workload."""
    paths = {str(folder.path): folder for folder in source.trials()}
    rows = []
    for (submission, workload), own in trials.groupby(["submission", "workload"], observed=True):
        best = own.sort_values(["crossing_steps", "last_step"], ascending=[True, False]).iloc[0]
        for evaluation in paths[best.path].read_evaluations():
            if "loss" in evaluation.train:
                point = {"step": evaluation.step, "value": evaluation.train["loss"]}
                rows.append({"kind": "curve", "workload": workload, "submission": submission, **point})
    return rows


def noise(workload_name: str, submission: str, options: Options) -> numpy.ndarray:
    """Compute |g_i - mean g| of minibatch gradients after some steps, (samples,)."""
    workload = find_workload(options.suite, workload_name)
    data = workload.load("train", options.source)
    training = Training(workload, submission, steps=options.warm_steps, data=data, seed=options.seed)
    training.train(options.warm_steps)
    gradients = training.gradients(options.samples)
    return (gradients - gradients.mean(0)).norm(dim=1).numpy()


def tail_index(values: numpy.ndarray, share: float = TAIL) -> float:
    """Estimate the exponent alpha of P(X > x) ~ x^-alpha from the largest values (Hill 1975)."""
    ordered = numpy.sort(values)[::-1]
    k = max(2, round(share * len(values)))
    return float(1 / numpy.log(ordered[: k - 1] / ordered[k - 1]).mean())


def describe(n: dict[str, float], options: Options, workloads: list[str]) -> str:
    sgd, adam = options.submission

    def gap(workload: str) -> str:
        interval = (
            f" ({n[f'gap_low_{workload}']:.2f} to {n[f'gap_high_{workload}']:.2f})"
            if f"gap_low_{workload}" in n
            else ""
        )
        return f"{workload} {n[f'gap_{workload}']:.2f}{interval}"

    tails = " and ".join(f"{n[f'tail_{workload}']:.1f} on {workload}" for workload in options.workloads)
    missed = [workload for workload in workloads if n[f"reach_{workload}"] == 0]
    censored = f"; {sgd} never reaches {', '.join(missed)}, where the true ratio is larger" if missed else ""
    return (
        f"How many times longer {sgd} takes than {adam}, a miss counting as the budget: "
        f"{'; '.join(map(gap, workloads))}{censored}. After {options.warm_steps} steps the tail index of the gradient "
        f"noise is {tails}: the smaller, the heavier the tail."
    )


def draw(table: pandas.DataFrame, options: Options) -> Figure:
    curves, noises = (table[table.kind == kind] for kind in ("curve", "noise"))
    workloads = sorted(curves.workload.unique())
    figure = Figure(figsize=(6.6, 4.2))
    grid = figure.subplots(2, max(len(workloads), len(options.workloads)), squeeze=False)
    for ax, workload in zip(grid[0], workloads, strict=False):
        for place, name in enumerate(options.submission):
            rows = curves[(curves.workload == workload) & (curves.submission == name)]
            ax.plot(rows.step, rows.value, color=PALETTE[place], label=name, linewidth=1)
        ax.set(title=workload, xlabel="steps", ylabel="training loss", yscale="log")
    grid[0, 0].legend()
    for ax, workload in zip(grid[1], options.workloads, strict=False):
        ax.hist(noises.value[noises.workload == workload], bins=40, color=PALETTE[2])
        ax.set(title=workload, xlabel="noise over its median", ylabel="minibatches", yscale="log")
    for ax in (*grid[0, len(workloads) :], *grid[1, len(options.workloads) :]):
        ax.remove()
    return figure
