"""The loss around where training ends (Goodfellow et al. 2015; Li et al. 2018, "Visualizing the loss landscape").

On a line from the start w0 to the end w1, L(w0 + a (w1 - w0)), and on a plane through the end, L(w1 + a d1 + b d2)
with two random directions that are filter-normalised: each filter (row) of a direction has the norm of the filter of
the weights, and parameters of one dimension stay as they are. The width is how far one can go along such a direction,
before the loss has risen by `rise`, the mean over both directions and signs. Pairs differ in one thing: dropout, the
shortcuts of a residual network, or the submission; the minima of the last pair are joined by a line as well. Batch norm
takes the statistics of the examples that the loss is computed on.
"""

import copy
from dataclasses import dataclass, replace

import numpy
import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding, pair
from timetrial.harness.explain.loop import Training, find_workload, set_weights, weights_of
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import Batch, Workload


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    submission: tuple[str, str] = ("momentum", "adamw")
    """The first trains all but the last pair, in which they meet."""
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


class Landscape:
    """The loss of a trained model as a function of its weights, a vector."""

    def __init__(self, workload: Workload, submission: str, steps: int, options: Options) -> None:
        data = workload.load("train", options.source)
        training = Training(workload, submission, steps=steps, data=data, seed=options.seed)
        self.start = weights_of(training.model)
        for _ in training.run(steps):
            pass
        self.end = weights_of(training.model)
        self.workload, self.model = workload, copy.deepcopy(training.model).eval()
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        self.batch: Batch = workload.batch(data, torch.arange(options.examples), torch.Generator().manual_seed(0))

    @torch.no_grad()
    def loss(self, weights: Tensor) -> float:
        set_weights(self.model, weights)
        return self.workload.loss(self.model, self.batch).item()

    def direction(self, generator: torch.Generator) -> Tensor:
        """Draw a filter-normalised direction at the end."""
        set_weights(self.model, self.end)
        return torch.cat([filter_normalised(p.detach(), generator).reshape(-1) for p in self.model.parameters()])


def filter_normalised(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a direction whose filters (along the first dimension) have the norms of those of `weights`."""
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    drawn = torch.randn(weights.shape, generator=generator)
    norms = [tensor.flatten(1).norm(dim=1) for tensor in (weights, drawn)]
    return drawn * (norms[0] / norms[1]).reshape(-1, *[1] * (weights.ndim - 1))


def run(options: Options) -> Finding:
    one, other = pair(options.submission)
    mlp, resnet = (find_workload(options.suite, name) for name in ("fashion_mnist_mlp", "cifar_resnet"))
    plain = replace(mlp, dropout=0.0)
    first = Landscape(plain, one, options.mlp_steps, options)
    last = Landscape(plain, other, options.mlp_steps, options)
    landscapes = {
        f"mlp, {one}": first,
        f"mlp, dropout {options.dropout:g}": Landscape(
            replace(mlp, dropout=options.dropout), one, options.mlp_steps, options
        ),
        "resnet": Landscape(resnet, one, options.resnet_steps, options),
        "resnet, no skips": Landscape(replace(resnet, skips=False), one, options.resnet_steps, options),
        f"mlp, {other}": last,
    }
    rows, numbers = [], {}
    axis = numpy.linspace(-options.reach, options.reach, options.points)
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
        numbers[f"width_{name}"] = width(landscape, directions, options)
        numbers[f"end_{name}"] = landscape.loss(landscape.end)
    between = f"{one} to {other}"
    rows += [{"model": between, "kind": "line", "a": a, "b": 0.0, "loss": x} for a, x in line(last, first.end)]
    table = pandas.DataFrame(rows)
    joined = table[table.model == between]
    ends = [numbers[f"end_mlp, {name}"] for name in options.submission]
    numbers["barrier"] = float(joined.loss[(joined.a >= 0) & (joined.a <= 1)].max() - max(ends))
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, list(landscapes), between))


def line(landscape: Landscape, start: Tensor) -> list[tuple[float, float]]:
    """Compute the loss on the line from `start` (0) to the end (1), and a quarter beyond both."""
    return [(float(a), landscape.loss(start + a * (landscape.end - start))) for a in numpy.linspace(-0.25, 1.25, 25)]


def width(landscape: Landscape, directions: list[Tensor], options: Options) -> float:
    """Find how far one can go before the loss has risen by `rise`: the mean over directions and their opposites."""
    steps = numpy.linspace(0, options.reach, 4 * options.points)
    found = []
    for direction in (signed * sign for signed in directions for sign in (1, -1)):
        losses = [landscape.loss(landscape.end + s * direction) for s in steps]
        found.append(first_rise(steps, numpy.array(losses), options.rise))
    return float(numpy.mean(found))


def first_rise(steps: numpy.ndarray, losses: numpy.ndarray, rise: float) -> float:
    """Interpolate where `losses` are first `rise` above their first; the last step where they never are."""
    above = losses - losses[0] >= rise
    if not above.any():
        return float(steps[-1])
    i = int(above.argmax())
    share = (losses[0] + rise - losses[i - 1]) / (losses[i] - losses[i - 1])
    return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))


def describe(n: dict[str, float], options: Options) -> str:
    names = [key.removeprefix("width_") for key in n if key.startswith("width_")]
    listed = "; ".join(f"{name} {n[f'width_{name}']:.2f} (loss {n[f'end_{name}']:.3f})" for name in names)
    skips = n["width_resnet"] > n["width_resnet, no skips"]
    barrier = n["barrier"] > options.rise
    return (
        f"Width at which the loss has risen by {options.rise:g}, in filter norms: {listed}. With shortcuts the minimum "
        f"is {'wider' if skips else 'not wider'} than without. On the line between the minima of "
        f"{' and '.join(options.submission)} the loss rises {n['barrier']:.3f} above the higher of the two: there is "
        f"{'a' if barrier else 'no'} barrier."
    )


def draw(table: pandas.DataFrame, names: list[str], between: str) -> Figure:
    figure = Figure(figsize=(6.6, 4.2))
    panels = list(figure.subplots(2, 3).flat)
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
