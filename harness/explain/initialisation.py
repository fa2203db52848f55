"""How the scale of initial weights decides whether a deep network learns (He et al. 2015, section 2.2).

First the signal: the standard deviation of the activations of each layer of a deep network, for several
initialisations and activations, on real images. A rectifier lets Kaiming's normal weights (variance 2 / inputs) keep
the mean square of the signal, and halves it in each layer with Xavier's (1 / inputs, for equal widths). Then training
with rectifiers: two depths, with Kaiming's and with Xavier's normal weights.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE, line_styles

INITIALISATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "normal_0.01": lambda w, g: nn.init.normal_(w, 0.0, 0.01, generator=g),
    "normal_0.05": lambda w, g: nn.init.normal_(w, 0.0, 0.05, generator=g),
    "xavier_normal": lambda w, g: nn.init.xavier_normal_(w, generator=g),
    "xavier_uniform": lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    "kaiming_normal": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "kaiming_uniform": lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "constant_0.01": lambda w, g: nn.init.constant_(w, 0.01),
}
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    workload: str = "fashion_mnist_mlp"
    width: int = 100
    depth: int = 30
    """Layers with weights of the network whose signal is measured."""
    sample: int = 500
    depths: tuple[int, ...] = (22, 30)
    """Layers with weights of the networks that are trained."""
    submission: str = "momentum"
    learning_rate: float = 0.003
    steps: int = 1000
    every: int = 50
    learnt: float = 0.5
    """The accuracy from which on a network counts as learning."""


def run(options: Options) -> Finding:
    base = find_workload(options.suite, options.workload)
    train, validation = (base.load(split, options.source) for split in ("train", "validation"))
    rows = []
    workload = replace(base, hidden=(options.width,) * (options.depth - 1))
    batch = workload.batch(train, torch.arange(options.sample), torch.Generator())
    for activation in ACTIVATIONS:
        for init in INITIALISATIONS:
            model = build(workload, init, activation, options.seed)
            for layer, values in enumerate(signals(model, batch.inputs), 1):
                row = {"what": "signal", "activation": activation, "init": init, "layer": layer}
                rows.append({**row, "std": values.std().item(), "mean_square": values.square().mean().item()})
    for depth in options.depths:
        workload = replace(base, hidden=(options.width,) * (depth - 1))
        for init in ("xavier_normal", "kaiming_normal"):
            rows += train_one(workload, init, depth, train, validation, options)
    table = pandas.DataFrame(rows)
    numbers = measure(table, options)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, options))


def build(workload, init: str, activation: str, seed: int) -> nn.Module:
    """Build the workload's network with other activations and initial weights; biases are 0."""
    model = workload.build_model(torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    for name, module in list(model.named_children()):
        if isinstance(module, nn.Linear):
            INITIALISATIONS[init](module.weight, generator)
            nn.init.zeros_(module.bias)
        else:
            setattr(model, name, ACTIVATIONS[activation]())
    return model


def signals(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Give the activations [examples, width] of each hidden layer."""
    found = []
    with torch.inference_mode():
        for module in model.children():
            inputs = module(inputs)
            if not isinstance(module, nn.Linear):
                found.append(inputs)
    return found


def train_one(workload, init: str, depth: int, train, validation, options: Options) -> list[dict]:
    """Train with rectifiers; a row every so many steps with the validation accuracy."""
    model = build(workload, init, "relu", options.seed)
    values = hyperparameters_of(options.submission, learning_rate=options.learning_rate)
    training = Training(
        workload, options.submission, values, steps=options.steps, data=train, seed=options.seed, model=model
    )
    return [
        {"what": "training", "init": init, "depth": depth, "step": step, **training.evaluate(validation)}
        for step in training.run(options.steps)
        if step % options.every == 0
    ]


def measure(table: pandas.DataFrame, options: Options) -> dict[str, float]:
    """Give the factor on the mean square from layer to layer with rectifiers, and when and how well each one learns."""
    numbers = {}
    for init in ("xavier_normal", "kaiming_normal"):
        rows = table[(table.what == "signal") & (table.activation == "relu") & (table.init == init)]
        squares = rows.mean_square.to_numpy()
        numbers[f"ratio_{init}"] = float((squares[-1] / squares[0]) ** (1 / (len(squares) - 1)))
        for depth in options.depths:
            curve = table[(table.what == "training") & (table.init == init) & (table.depth == depth)]
            learnt = curve.step[curve.accuracy >= options.learnt]
            numbers[f"step_{init}_{depth}"] = float(learnt.iloc[0]) if len(learnt) else math.inf
            numbers[f"accuracy_{init}_{depth}"] = float(curve.accuracy.iloc[-1])
    return numbers


def describe(n: dict[str, float], options: Options) -> str:
    sentences = [
        f"With rectifiers the mean square of the signal changes from layer to layer by the factor "
        f"{n['ratio_kaiming_normal']:.2f} with Kaiming's weights (theory: 1) and {n['ratio_xavier_normal']:.2f} with "
        f"Xavier's (theory: 1/2)."
    ]
    for depth in options.depths:
        kaiming, xavier = n[f"step_kaiming_normal_{depth}"], n[f"step_xavier_normal_{depth}"]
        ends = (
            f"(after {options.steps} steps {n[f'accuracy_kaiming_normal_{depth}']:.2f} and "
            f"{n[f'accuracy_xavier_normal_{depth}']:.2f})"
        )
        if not math.isfinite(kaiming):
            told = "Kaiming's does not learn"
        elif not math.isfinite(xavier):
            told = f"only Kaiming's learns, with an accuracy of {options.learnt:g} at step {kaiming:.0f}"
        elif kaiming < xavier:
            told = f"Kaiming's is faster to an accuracy of {options.learnt:g}: {kaiming:.0f} steps against {xavier:.0f}"
        else:
            told = f"Kaiming's is not faster: {kaiming:.0f} steps against {xavier:.0f}"
        sentences.append(f"With {depth} layers {told} {ends}.")
    return " ".join(sentences)


def draw(table: pandas.DataFrame, options: Options) -> Figure:
    figure = Figure(figsize=(6.6, 4.6))
    axes = list(figure.subplots(2, 3).flat)
    styles = line_styles(list(INITIALISATIONS))
    for ax, activation in zip(axes, ACTIVATIONS, strict=False):
        rows = table[(table.what == "signal") & (table.activation == activation)]
        for init, one in rows.groupby("init", sort=False):
            ax.plot(one.layer, one["std"].clip(lower=1e-12), color=styles[init][0], label=init, linewidth=0.9)
        ax.set(yscale="log", xlabel="layer", ylabel="std of activations", title=activation)
    axes[0].legend(fontsize=4.5)
    for ax, depth in zip(axes[3:], options.depths, strict=False):
        rows = table[(table.what == "training") & (table.depth == depth)]
        for colour, (init, one) in zip(PALETTE, rows.groupby("init", sort=False), strict=False):
            ax.plot(one.step, one.accuracy, color=colour, label=init)
        ax.set(xlabel="step", ylabel="validation accuracy", title=f"{depth} layers", ylim=(0, 1))
        ax.legend()
    for ax in axes[3 + len(options.depths) :]:
        ax.set_visible(False)
    return figure
