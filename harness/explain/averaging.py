"""Averages of weights against their last iterate (Izmailov et al. 2018; LAWA: Kaddour 2022), from one run.

At a constant rate, weights wander around a good region. SWA is the mean of all snapshots from `start` on, LAWA that of
the last `window`. All are of the same run, so nothing but averaging differs. Running statistics of batch norm are
computed anew for averages. Distances are roots of mean squares over snapshots. Snapshots that are drawn around a centre
independently are as far from the next one as from any other; those of weights that still wander are nearer to it.
"""

import copy
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy
import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of, set_weights, weights_of
from timetrial.harness.report.colours import PALETTE

KINDS = ("last", "lawa", "swa")
NORM_BATCHES = 20
"""Batches for the running statistics of batch norm."""


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    workload: str = "fashion_mnist_mlp"
    submission: str = "constant"
    learning_rate: float = 0.1
    """High, so that the weights do not settle; at twice the rate they diverge on some processors."""
    steps: int = 2000
    start: float = 0.4
    """The share of the steps after which snapshots are taken."""
    every: int = 40
    window: int = 5


def run(options: Options) -> Finding:
    workload = find_workload(options.suite, options.workload)
    train, validation = (workload.load(split, options.source) for split in ("train", "validation"))
    values = hyperparameters_of(options.submission, learning_rate=options.learning_rate)
    training = Training(workload, options.submission, values, steps=options.steps, data=train, seed=options.seed)
    snapshots: list[Tensor] = []
    rows = []
    for step in training.run(options.steps):
        if step < options.start * options.steps or step % options.every:
            continue
        snapshots.append(weights_of(training.model))
        averages = {"last": snapshots[-1], "lawa": mean(snapshots[-options.window :]), "swa": mean(snapshots)}
        for kind, weights in averages.items():
            metrics = _evaluate(training, weights, validation, renew=kind != "last")
            rows.append(
                {"step": step, "weights": kind, workload.metric: metrics[workload.metric], "loss": metrics["loss"]}
            )
    table = pandas.DataFrame(rows)
    ends = table.groupby("weights").last()
    numbers = {f"{kind}_{name}": float(ends.loc[kind, name]) for kind in KINDS for name in {workload.metric, "loss"}}
    numbers |= distances(snapshots) | {"snapshots": len(snapshots)}
    return Finding(table, numbers, describe(numbers, options, workload.metric), lambda: draw(table, workload.metric))


def mean(snapshots: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(snapshots)).mean(0)


def distances(snapshots: Sequence[Tensor]) -> dict[str, float]:
    """Compute the root mean square distances of snapshots: from their centre, the next one, and any other one."""
    centre = mean(snapshots)
    from_centre = _root_mean_square((one, centre) for one in snapshots)
    next_one = _root_mean_square(itertools.pairwise(snapshots))
    between = _root_mean_square(itertools.combinations(snapshots, 2))
    ratio = next_one / between if between else math.nan
    return {"from_centre": from_centre, "next_one": next_one, "between": between, "ratio": ratio}


def _root_mean_square(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    squares = [(one - other).square().sum().item() for one, other in pairs]
    return math.sqrt(numpy.mean(squares)) if squares else math.nan


def _evaluate(training: Training, weights: Tensor, data: dict, renew: bool) -> dict[str, float]:
    """Evaluate other weights on a copy of the model, with running statistics of their own if they are to be renewed."""
    model = copy.deepcopy(training.model)
    set_weights(model, weights)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        if norms and renew:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the plain mean over batches
            examples = training.workload.examples(training.data)
            for number in range(NORM_BATCHES):
                generator = torch.Generator().manual_seed(number)
                indices = torch.randint(examples, (training.workload.batch_size,), generator=generator)
                training.workload.loss(model, training.workload.batch(training.data, indices, generator))
        return training.workload.evaluate(model.eval(), data)


def describe(n: dict[str, float], options: Options, metric: str) -> str:
    better = {kind: n[f"{kind}_loss"] < n["last_loss"] for kind in ("swa", "lawa")}
    verdict = {(True, True): "Both averages are better than", (False, False): "Neither average is better than"}.get(
        (better["swa"], better["lawa"]), f"Only {'SWA' if better['swa'] else 'LAWA'} is better than"
    )
    listed = "; ".join(f"{kind} {n[f'{kind}_{metric}']:.4f} and {n[f'{kind}_loss']:.4f}" for kind in KINDS)
    return (
        f"{options.submission} on {options.workload} at the constant rate {options.learning_rate:g}: validation "
        f"{metric} and loss after {options.steps} steps are {listed}. {verdict} the last iterate by the loss. The "
        f"{n['snapshots']:.0f} snapshots are {n['from_centre']:.3g} from their centre, {n['next_one']:.3g} from the "
        f"next one and {n['between']:.3g} from any other, a ratio of {n['ratio']:.2f} where independent ones have 1."
    )


def draw(table: pandas.DataFrame, metric: str) -> Figure:
    figure = Figure(figsize=(6.6, 2.4))
    for ax, name in zip(figure.subplots(1, 2), (metric, "loss"), strict=True):
        for place, kind in enumerate(KINDS):
            rows = table[table.weights == kind]
            ax.plot(rows.step, rows[name], color=PALETTE[place], label=kind, linewidth=1)
        ax.set(xlabel="steps", ylabel=f"validation {name}")
    figure.axes[0].legend()
    return figure
