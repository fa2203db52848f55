"""A learning rate that grows exponentially, without weight decay, is a constant rate with it (Li & Arora 2020).

Two submissions that the theorem makes one, `exponential_growing` and `constant`, train a residual network with
normalisation from the same weights on the same batches, and so does a control, `constant` without weight decay, which
must separate. The theorem wants a loss that is blind to the scale of the weights, so the small constant in the
denominator of the normalisation layers is next to 0. Both runs have the same effective rate
eta / |w|^2, with w the growing weights as one vector.
"""

from dataclasses import dataclass, replace

import pandas
import torch
from matplotlib.figure import Figure
from torch import nn

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.submission import optimizers_of

GROWING = ("hidden_matrix", "convolution")
"""The roles whose weights grow."""
TINY = 1e-30
"""In place of 1e-5 in batch normalisation, which torch does not let be 0."""
SEPARATES = 0.01
"""A difference of the mean loss of the last tenth, in nats, above which two runs are called apart."""


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    workload: str = "cifar_resnet"
    depth: int = 8
    width: int = 4
    batch_size: int = 16
    constant: str = "constant"
    growing: str = "exponential_growing"
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    steps: int = 4800
    """At the defaults the rate grows by 1.001 a step, 1.48 an epoch of 391 steps, and 120 times in all."""
    every: int = 20
    dtype: str = "float32"
    """float64 shows that the two are equal but for rounding."""


def run(options: Options) -> Finding:
    if options.dtype not in ("float32", "float64"):
        raise UsageError(f"dtype is {options.dtype!r}: choose float32 or float64")
    sizes = {"depth": options.depth, "width": options.width, "batch_size": options.batch_size}
    workload = replace(find_workload(options.suite, options.workload), **sizes)
    data = workload.load("train", options.source)
    rows = []
    for name, submission, decay in (
        ("constant", options.constant, options.weight_decay),
        ("growing", options.growing, options.weight_decay),
        ("control", options.constant, 0.0),
    ):
        changes = {"learning_rate": options.learning_rate, "momentum": options.momentum, "weight_decay": decay}
        rows += curve(name, submission, hyperparameters_of(submission, **changes), workload, data, options)
    table = pandas.DataFrame(rows)
    numbers = measure(table)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table))


def curve(name, submission, values, workload, data, options: Options) -> list[dict]:
    """Train; a row every so many steps with the mean loss since the last, the rate, |w| and eta / |w|^2."""
    training = Training(
        workload, submission, values, steps=options.steps, data=data, seed=options.seed,
        dtype=getattr(torch, options.dtype),
    )  # fmt: skip
    for module in training.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            module.eps = TINY
    weights = [p for key, p in training.model.named_parameters() if training.task.roles[key] in GROWING]
    (optimizer,) = optimizers_of(training.submission)
    (group,) = (g for g in optimizer.param_groups if any(p is weights[0] for p in g["params"]))
    rows, losses = [], []
    rate = group["lr"]
    for step in training.run(options.steps):
        losses.append(training.loss)
        if step % options.every == 0:
            norm = torch.nn.utils.get_total_norm([w.detach() for w in weights]).item()
            row = {"run": name, "step": step, "loss": sum(losses) / len(losses), "learning_rate": rate}
            rows.append({**row, "norm": norm, "effective_rate": rate / norm**2})
            losses = []
        rate = group["lr"]
    return rows


def measure(table: pandas.DataFrame) -> dict[str, float]:
    """Give the growth of the rate, and how far growing and control are from constant, all along and at the end."""
    runs = {name: rows.set_index("step") for name, rows in table.groupby("run")}
    constant, late = runs["constant"], max(1, len(runs["constant"]) // 10)
    rates = runs["growing"].learning_rate
    numbers = {"growth": float(rates.iloc[-1] / constant.learning_rate.iloc[-1])}
    for name in ("growing", "control"):
        difference = runs[name].loss - constant.loss
        ratio = runs[name].effective_rate / constant.effective_rate
        numbers[f"largest_difference_{name}"] = float(difference.abs().max())
        numbers[f"late_difference_{name}"] = float(difference.iloc[-late:].mean())
        numbers[f"effective_rate_ratio_{name}"] = float(ratio.iloc[-late:].mean())
    numbers["late_loss"] = float(constant.loss.iloc[-late:].mean())
    return numbers


def describe(n: dict[str, float], options: Options) -> str:
    growing, control = n["late_difference_growing"], n["late_difference_control"]
    if n["largest_difference_growing"] < 1e-6:
        shown = "the two are equal but for rounding"
    elif abs(growing) < abs(control) / 2:
        shown = "the two stay together, up to what rounding in training becomes"
    else:
        shown = "so the equivalence did not show"
    apart = "separates" if abs(control) > SEPARATES else "does not separate"
    return (
        f"Over {options.steps} steps in {options.dtype} the rate grows {n['growth']:.3g} times. The training loss of "
        f"the growing rate without decay differs from that of the constant rate with decay by "
        f"{n['largest_difference_growing']:.2g} at most, and by {growing:+.2g} in the mean of the last tenth (loss "
        f"{n['late_loss']:.3g}): {shown}. Its effective rate ends at {n['effective_rate_ratio_growing']:.3f} times the "
        f"other's. The control without decay {apart}: {control:+.2g} in the last tenth, with an effective rate "
        f"{n['effective_rate_ratio_control']:.3f} times as large."
    )


def draw(table: pandas.DataFrame) -> Figure:
    figure = Figure(figsize=(6.6, 2.3))
    axes = figure.subplots(1, 3)
    for colour, (name, rows) in zip(PALETTE, table.groupby("run", sort=False), strict=False):
        dash = {"growing": (0, (3, 2))}.get(name, "-")
        smooth = rows.loss.rolling(12, min_periods=1).mean()
        for ax, y in zip(axes, (smooth, rows.learning_rate, rows.effective_rate), strict=True):
            ax.plot(rows.step, y, color=colour, linestyle=dash, label=name, linewidth=0.9)
    for ax, label in zip(axes, ("training loss", "learning rate", "rate / |w|²"), strict=True):
        ax.set(xlabel="step", title=label)
    axes[1].set_yscale("log")
    axes[2].set_yscale("log")
    axes[0].legend()
    return figure
