"""Grokking (Power et al. 2022): a network that fits its training data long before it generalises, or does not wait.

Division modulo a prime, learnt from half of the table, with decoupled weight decay and with an L2 penalty of the same
product of learning rate and decay. Each of two steps is the first at which the training or the validation accuracy is
at `threshold`.
"""

import math
from dataclasses import dataclass, replace

import pandas
from matplotlib.figure import Figure

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE

LATE = 2.0
"""Generalising after so many times the steps to fit is called late."""


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    workload: str = "modular_division"
    modulus: int = 59
    submission: tuple[str, ...] = ("adamw", "adam")
    """Decoupled decay, and an L2 penalty in the gradient."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.5
    steps: int = 3000
    every: int = 50
    """Steps from one evaluation to the next; the first hundred steps have five times as many."""
    threshold: float = 0.99


def run(options: Options) -> Finding:
    workload = replace(find_workload(options.suite, options.workload), modulus=options.modulus)
    train, validation = (workload.load(split, options.source) for split in ("train", "validation"))
    rows = []
    for name in options.submission:
        values = hyperparameters_of(name, learning_rate=options.learning_rate, weight_decay=options.weight_decay)
        training = Training(workload, name, values, steps=options.steps, data=train, seed=options.seed)
        for step in training.run(options.steps):
            if step % options.every == 0 or (step <= 100 and step % max(1, options.every // 5) == 0):
                fitted, general = (training.evaluate(data)["accuracy"] for data in (train, validation))
                rows.append({"submission": name, "step": step, "training": fitted, "validation": general})
    table = pandas.DataFrame(rows)
    numbers = {}
    for name, curve in table.groupby("submission", sort=False):
        numbers[f"fitted_{name}"] = first_step(curve, "training", options.threshold)
        numbers[f"generalised_{name}"] = first_step(curve, "validation", options.threshold)
        numbers[f"validation_{name}"] = float(curve.validation.iloc[-1])
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table))


def first_step(curve: pandas.DataFrame, column: str, threshold: float) -> float:
    """Give the first step at which an accuracy is at `threshold`; infinite where it never is."""
    reached = curve.step[curve[column] >= threshold]
    return float(reached.iloc[0]) if len(reached) else math.inf


def describe(n: dict[str, float], options: Options) -> str:
    parts, late = [], []
    for name in options.submission:
        fitted, general, end = (n[f"{what}_{name}"] for what in ("fitted", "generalised", "validation"))
        fits = f"fitted at step {fitted:.0f}" if math.isfinite(fitted) else "did not fit"
        generalises = (
            f"generalised at step {general:.0f}"
            if math.isfinite(general)
            else f"did not generalise in {options.steps} steps (validation accuracy {end:.3f})"
        )
        parts.append(f"{name} {fits} and {generalises}")
        if math.isfinite(fitted) and general > LATE * fitted:
            late.append(name)
    shown = f"Grokking showed with {' and '.join(late)}" if late else "Grokking did not show"
    return (
        f"On division modulo {options.modulus}, from half of the table, with learning rate {options.learning_rate:g} "
        f"and weight decay {options.weight_decay:g}: {'; '.join(parts)}. {shown}, that is an accuracy of "
        f"{options.threshold:g} in validation more than {LATE:g} times as late as in training, or not at all."
    )


def draw(table: pandas.DataFrame) -> Figure:
    figure = Figure()
    ax = figure.subplots()
    for colour, (name, curve) in zip(PALETTE, table.groupby("submission", sort=False), strict=False):
        ax.semilogx(curve.step, curve.training, "--", color=colour, label=f"{name}, training")
        ax.semilogx(curve.step, curve.validation, "-", color=colour, label=f"{name}, validation")
    ax.set(xlabel="step", ylabel="accuracy")
    ax.legend(fontsize=5.5)
    return figure
