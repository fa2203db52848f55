"""Batch size: the variance of gradients, what a larger batch saves in steps, and what it costs in examples.

The variance E|g_B - g|^2 of minibatch gradients at the initial weights falls as 1 / B. Steps to a validation target
with the rate retuned at each batch size follow S = S_min (1 + B_crit / B) (McCandlish et al. 2018, equation 2.11): far
below the critical batch B_crit twice the batch halves the steps, far above it nothing is gained (Shallue et al. 2019).
Every run sees the same number of examples, and the generalisation gap is training minus validation accuracy at its end,
at the best rate.
"""

import math
from dataclasses import dataclass, replace

import numpy
import pandas
from matplotlib.figure import Figure
from scipy.optimize import curve_fit

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import Data, Workload


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "quickstart"
    workload: str = "fashion_mnist_mlp"
    submission: tuple[str, ...] = ("momentum", "adamw", "lamb", "lars", "muon")
    batch_sizes: tuple[int, ...] = (32, 128, 512, 1024)
    factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0)
    """On the submission's own rate, times the square root of the batch size over the second one."""
    examples: int = 64_000
    """That every run sees."""
    evaluations: int = 60
    target: float = 0.8
    """Validation accuracy."""
    gradients: int = 64
    """Minibatch gradients for each variance."""


def run(options: Options) -> Finding:
    if len(options.batch_sizes) < 2:
        raise UsageError("batch_sizes has one value: give at least two to compare")
    workload = find_workload(options.suite, options.workload)
    train, validation = (workload.load(split, options.source) for split in ("train", "validation"))
    rows = variances(workload, train, options)
    for name in options.submission:
        for size in options.batch_sizes:
            runs = [
                race(replace(workload, batch_size=size), name, factor, train, validation, options)
                for factor in options.factors
            ]
            best = min(runs, key=lambda one: (one["steps_to_target"], -one["validation"]))
            rows.append({"kind": "race", "submission": name, "batch_size": size, **best})
    table = pandas.DataFrame(rows)
    numbers = summarise(table, options)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, numbers, options))


def variances(workload: Workload, train: Data, options: Options) -> list[dict]:
    """Compute the total variance of minibatch gradients at the initial weights, a row for each batch size."""
    rows = []
    for size in options.batch_sizes:
        sized = replace(workload, batch_size=size)
        training = Training(sized, "sgd", steps=1, data=train, seed=options.seed)
        variance = training.gradients(options.gradients).var(0).sum().item()
        rows.append({"kind": "variance", "batch_size": size, "variance": variance})
    return rows


def race(workload: Workload, name: str, factor: float, train: Data, validation: Data, options: Options) -> dict:
    """Train on so many examples at one rate; gives the steps to the target (inf: missed) and accuracies at the end."""
    own, steps = hyperparameters_of(name), max(1, options.examples // workload.batch_size)
    rate = own["learning_rate"] * factor * math.sqrt(workload.batch_size / options.batch_sizes[1])
    values = hyperparameters_of(name, learning_rate=rate)
    training = Training(workload, name, values, steps=steps, data=train, seed=options.seed)
    every, reached = max(1, steps // options.evaluations), math.inf
    for step in training.run(steps):
        if step % every == 0 and math.isinf(reached) and training.evaluate(validation)["accuracy"] >= options.target:
            reached = step
    some = workload.first(train, workload.examples(validation))
    return {
        "learning_rate": rate,
        "steps_to_target": reached,
        "validation": training.evaluate(validation)["accuracy"],
        "training": training.evaluate(some)["accuracy"],
    }


def slope(x: numpy.ndarray, y: numpy.ndarray) -> float:
    """Fit the exponent of y ~ x^slope by least squares of logarithms."""
    return float(numpy.polyfit(numpy.log(x), numpy.log(y), 1)[0])


def critical_batch(sizes: numpy.ndarray, steps: numpy.ndarray) -> float:
    """Fit S = S_min (1 + B_crit / B) to the logarithms of steps; gives B_crit, NaN with fewer than three points."""
    if len(sizes) < 3:
        return math.nan

    def model(size, log_least, log_critical):
        return log_least + numpy.log1p(numpy.exp(log_critical) / size)

    start = (math.log(steps.min()), math.log(numpy.median(sizes)))
    found, _ = curve_fit(model, sizes, numpy.log(steps), p0=start, maxfev=10_000)
    return float(numpy.exp(found[1]))


def summarise(table: pandas.DataFrame, options: Options) -> dict[str, float]:
    variance, races = (table[table.kind == kind] for kind in ("variance", "race"))
    numbers = {"variance_slope": slope(variance.batch_size.to_numpy(), variance.variance.to_numpy())}
    for name in options.submission:
        own = races[races.submission == name].set_index("batch_size")
        there = own[numpy.isfinite(own.steps_to_target)]
        numbers[f"critical_{name}"] = critical_batch(there.index.to_numpy(float), there.steps_to_target.to_numpy(float))
        gap = own.training - own.validation
        numbers |= {f"gap_small_{name}": float(gap.iloc[0]), f"gap_large_{name}": float(gap.iloc[-1])}
        numbers[f"reached_{name}"] = len(there)
    return numbers


def describe(n: dict[str, float], options: Options) -> str:
    small, large = options.batch_sizes[0], options.batch_sizes[-1]

    def critical(name: str) -> str:
        value = n[f"critical_{name}"]
        if math.isnan(value):
            return f"{name} unknown ({n[f'reached_{name}']:.0f} sizes reach the target)"
        if value > large:
            return f"{name} above {large}"
        return f"{name} below {small}" if value < small else f"{name} {value:.0f}"

    gaps = [n[f"gap_large_{name}"] - n[f"gap_small_{name}"] for name in options.submission]
    grows = sum(gap > 0 for gap in gaps)
    return (
        f"The variance of gradients falls as the power {n['variance_slope']:.2f} of the batch size, where theory "
        f"says -1. Critical batch on {options.workload}, to an accuracy of {options.target:g}: "
        f"{', '.join(map(critical, options.submission))}. From batches of {small} to {large}, with as many examples, "
        f"the generalisation gap grows for {grows} of {len(gaps)} submissions (by {numpy.mean(gaps):+.3f} in the mean)."
    )


def draw(table: pandas.DataFrame, numbers: dict[str, float], options: Options) -> Figure:
    variance, races = (table[table.kind == kind] for kind in ("variance", "race"))
    figure = Figure(figsize=(6.6, 4.2))
    (top, steps), (examples, gap) = figure.subplots(2, 2)
    top.plot(variance.batch_size, variance.variance, "o-", color=PALETTE[0])
    top.set(ylabel="gradient variance", yscale="log", title=f"slope {numbers['variance_slope']:.2f}")
    for place, name in enumerate(options.submission):
        own = races[races.submission == name].replace(math.inf, math.nan)
        style = {"color": PALETTE[place % len(PALETTE)], "label": name, "linewidth": 1, "markersize": 3}
        steps.plot(own.batch_size, own.steps_to_target, "o-", **style)
        examples.plot(own.batch_size, own.steps_to_target * own.batch_size, "o-", **style)
        gap.plot(own.batch_size, own.training - own.validation, "o-", **style)
    scale = "log" if numpy.isfinite(races.steps_to_target).any() else "linear"  # nothing is drawn where all miss
    steps.set(ylabel="steps to the target", yscale=scale)
    examples.set(ylabel="examples to the target", yscale=scale)
    gap.set(ylabel="training minus validation accuracy")
    for ax in figure.axes:
        ax.set(xscale="log", xlabel="batch size")
    steps.legend(fontsize=5)
    return figure
