"""The loss around where training ends (Goodfellow et al. 2015; Li et al. 2018, "Visualizing the loss landscape").

On a line from the start w0 to the end w1, L(w0 + a (w1 - w0)), and on a plane through the end, L(w1 + a d1 + b d2)
with two random directions that are filter-normalised: each filter (row) of a direction has the norm of the filter of
the weights, and parameters of one dimension stay as they are. The width is how far one can go along such a direction,
before the loss has risen by `rise`, the mean over both directions and signs. Pairs differ in one thing: dropout, the
shortcuts of a residual network, or the submission; the minima of the last pair are joined by a line as well. With
`run=NAME` they are the minima that two submissions have come to in trials of a run that kept its weights. Batch norm
takes the statistics of the examples that the loss is computed on.
"""

import math
from dataclasses import dataclass, replace

import numpy
import pandas
import torch
from matplotlib.figure import Figure

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding, pair
from timetrial.harness.explain.kept import find_kept
from timetrial.harness.explain.loop import Training, find_workload, weights_of
from timetrial.harness.explain.surface import Landscape, line, width
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import DataSource, Workload

CLEAR = 1.2
"""How many times as wide as another a minimum must be to be called wider."""


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    submission: tuple[str, str] = ("momentum", "adamw")
    """The first trains all but the last pair, in which they meet."""
    run: str = ""
    """A run with `keep_weights=true`, by its name or folder: the minima of its trials in place of fresh ones."""
    workload: str = "fashion_mnist_mlp"
    """Of that run."""
    dropout: float = 0.2
    mlp_steps: int = 1500
    resnet_steps: int = 300
    examples: int = 500
    """Training examples that the loss is computed on."""
    points: int = 13
    """Of each axis of a plane."""
    reach: float = 1.0
    """How far a plane reaches: 1 changes a filter by as much as its own norm."""
    rise: float = 0.1


def train(workload: Workload, submission: str, steps: int, options: Options) -> Landscape:
    """Train freshly, and give the landscape around the end."""
    data = workload.load("train", options.source)
    training = Training(workload, submission, steps=steps, data=data, seed=options.seed)
    start = weights_of(training.model)
    training.train(steps)
    return Landscape(workload, data, start, training.model, options.examples)


def read(submission: str, options: Options) -> Landscape:
    """Give the landscape around the weights that a trial of the run has kept, on the data that it trained on."""
    kept = find_kept(options.run, submission, options.workload)
    data = kept.workload.load("train", DataSource(kept.spec.data, options.source.root))
    return Landscape(kept.workload, data, weights_of(kept.start), kept.end, options.examples)


def fresh(options: Options) -> dict[str, Landscape]:
    """Train the pairs; the first and the last are of the two submissions."""
    one, other = options.submission
    mlp, resnet = (find_workload(options.suite, name) for name in ("fashion_mnist_mlp", "cifar_resnet"))
    plain, dropped = (replace(mlp, dropout=dropout) for dropout in (0.0, options.dropout))
    return {
        f"mlp, {one}": train(plain, one, options.mlp_steps, options),
        f"mlp, dropout {options.dropout:g}": train(dropped, one, options.mlp_steps, options),
        "resnet": train(resnet, one, options.resnet_steps, options),
        "resnet, no skips": train(replace(resnet, skips=False), one, options.resnet_steps, options),
        f"mlp, {other}": train(plain, other, options.mlp_steps, options),
    }


def run(options: Options) -> Finding:
    one, other = pair(options.submission)
    landscapes = {name: read(name, options) for name in (one, other)} if options.run else fresh(options)
    (first_name, first), *_, (last_name, last) = landscapes.items()
    rows, numbers = [], {}
    axis = numpy.linspace(-options.reach, options.reach, options.points)
    steps = numpy.linspace(0, options.reach, 4 * options.points)
    for name, landscape in landscapes.items():
        generator = torch.Generator().manual_seed(options.seed)
        directions = [landscape.direction(generator) for _ in range(2)]
        rows += [
            {"model": name, "kind": "line", "a": a, "b": 0.0, "loss": x} for a, x in line(landscape, landscape.start)
        ]
        plane = [
            (a, b, landscape.loss(landscape.end + a * directions[0] + b * directions[1])) for a in axis for b in axis
        ]
        rows += [{"model": name, "kind": "plane", "a": a, "b": b, "loss": loss} for a, b, loss in plane]
        numbers[f"width_{name}"] = width(landscape, directions, steps, options.rise)
        numbers[f"end_{name}"] = landscape.loss(landscape.end)
    between = f"{one} to {other}"
    rows += [{"model": between, "kind": "line", "a": a, "b": 0.0, "loss": x} for a, x in line(last, first.end)]
    table = pandas.DataFrame(rows)
    joined = table[table.model == between]
    higher = max(numbers[f"end_{first_name}"], numbers[f"end_{last_name}"])
    numbers["barrier"] = float(joined.loss[(joined.a >= 0) & (joined.a <= 1)].max() - higher)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, list(landscapes), between))


def describe(n: dict[str, float], options: Options) -> str:
    names = [key.removeprefix("width_") for key in n if key.startswith("width_")]
    listed = "; ".join(f"{name} {n[f'width_{name}']:.2f} (loss {n[f'end_{name}']:.3f})" for name in names)
    shortcuts = ""
    if "width_resnet" in n:
        ratio = n["width_resnet"] / n["width_resnet, no skips"]
        said = "wider than" if ratio > CLEAR else "narrower than" if ratio < 1 / CLEAR else "about as wide as"
        shortcuts = f"With shortcuts the minimum is {said} without. "
    barrier = n["barrier"] > options.rise
    return (
        f"Width at which the loss has risen by {options.rise:g}, in filter norms: {listed}. {shortcuts}On the line "
        f"between the minima of {' and '.join(options.submission)} the loss rises {n['barrier']:.3f} above the higher "
        f"of the two: there is {'a' if barrier else 'no'} barrier."
    )


def draw(table: pandas.DataFrame, names: list[str], between: str) -> Figure:
    lines = math.ceil((1 + len(names)) / 3)
    figure = Figure(figsize=(6.6, 2.1 * lines))
    panels = list(figure.subplots(lines, 3, squeeze=False).flat)
    for place, name in enumerate([*names, between]):
        rows = table[(table.model == name) & (table.kind == "line")]
        panels[0].plot(rows.a, rows.loss, color=PALETTE[place], label=name, linewidth=1)
    panels[0].set(xlabel="start (0) to end (1)", ylabel="training loss", yscale="log")
    panels[0].legend(fontsize=4)
    for ax, name in zip(panels[1:], names, strict=True):
        plane = table[(table.model == name) & (table.kind == "plane")].pivot(index="b", columns="a", values="loss")
        contours = ax.contour(plane.columns, plane.index, numpy.log10(plane.to_numpy()), levels=10, linewidths=0.7)
        ax.clabel(contours, fontsize=4, fmt=lambda level: f"{10**level:.2g}")
        ax.set(title=name, xlabel="filter norms", aspect="equal")
    return figure
