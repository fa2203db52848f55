"""Double descent (Belkin et al. 2019): the test error rises to a peak where the model can just fit, then falls again.

Polynomials of least norm in Legendre's basis, fitted to noisy points: the peak is expected where there are as many
coefficients as points. A network of one hidden layer, trained with the squared loss on few examples with noisy labels:
where there are as many parameters as examples times classes.
"""

from dataclasses import dataclass, replace

import numpy
import pandas
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import Batch

CLEAR = 1.05
"""How many times as high as its sides a peak must be."""
NEAR = 3.0
"""A peak within this factor of the threshold is called near it."""


@dataclass(frozen=True)
class Options(experiment.Options):
    points: int = 20
    """Training points of the polynomials."""
    noise: float = 0.3
    repetitions: int = 200
    coefficients: tuple[int, ...] = (1, 2, 4, 6, 8, 10, 13, 16, 18, 20, 22, 25, 30, 40, 60, 100, 200, 400)
    suite: str = "mini"
    workload: str = "fashion_mnist_mlp"
    submission: str = "adamw"
    learning_rate: float = 2e-3
    steps: int = 4000
    examples: int = 1000
    label_noise: float = 0.4
    """The share of training labels that are drawn anew."""
    widths: tuple[int, ...] = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512)
    """Widths of the network; a single 0 leaves the networks out."""


def run(options: Options) -> Finding:
    rows = polynomials(options)
    if options.widths != (0,):
        rows += networks(options)
    table = pandas.DataFrame(rows)
    numbers: dict[str, float] = {}
    for model, curve in table.groupby("model", sort=False):
        numbers |= {f"{model}_{key}": value for key, value in find_peak(curve.reset_index(drop=True)).items()}
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, numbers))


def polynomials(options: Options) -> list[dict]:
    """Fit polynomials of least norm to noisy points of sin(pi x); rows with median errors over repetitions."""
    random = numpy.random.default_rng(options.seed)
    x_test = numpy.linspace(-1, 1, 200)
    errors: dict[int, list[tuple[float, float]]] = {p: [] for p in options.coefficients}
    for _ in range(options.repetitions):
        x = random.uniform(-1, 1, options.points)
        y = numpy.sin(numpy.pi * x) + options.noise * random.standard_normal(options.points)
        for p, found in errors.items():
            features, test = (numpy.polynomial.legendre.legvander(at, p - 1) for at in (x, x_test))
            weights = numpy.linalg.lstsq(features, y, rcond=None)[0]
            residuals = (features @ weights - y, test @ weights - numpy.sin(numpy.pi * x_test))
            found.append(tuple(float((r**2).mean()) for r in residuals))
    medians = {p: numpy.median(found, axis=0) for p, found in errors.items()}
    return [
        {"model": "polynomial", "size": p, "threshold": options.points, "training_error": a, "test_error": b}
        for p, (a, b) in medians.items()
    ]


def networks(options: Options) -> list[dict]:
    """Train networks of one hidden layer on noisy labels; rows with the errors (1 - accuracy) and the parameters."""
    base = find_workload(options.suite, options.workload)
    base = replace(base, activation="gelu", training_examples=options.examples, batch_size=100)
    train, test = dict(base.load("train", options.source)), base.load("test", options.source)
    generator = torch.Generator().manual_seed(options.seed)
    labels = train["labels"].clone()
    classes = int(labels.max()) + 1
    noisy = torch.rand(len(labels), generator=generator) < options.label_noise
    train["labels"] = torch.where(noisy, torch.randint(classes, labels.shape, generator=generator), labels)
    values = hyperparameters_of(options.submission, learning_rate=options.learning_rate, weight_decay=0.0)

    def squared(model: torch.nn.Module, batch: Batch) -> torch.Tensor:  # that of cross-entropy had a peak of 0.03
        return (model(batch.inputs) - F.one_hot(batch.targets, classes)).square().sum(1).mean()

    common = {"steps": options.steps, "data": train, "seed": options.seed, "loss": squared}
    rows = []
    for width in options.widths:
        training = Training(replace(base, hidden=(width,)), options.submission, values, **common)
        training.train(options.steps)
        fitted, general = (1 - training.evaluate(data)["accuracy"] for data in (train, test))
        parameters = sum(p.numel() for p in training.model.parameters())
        row = {"model": "network", "width": width, "size": parameters, "threshold": options.examples * classes}
        rows.append({**row, "training_error": fitted, "test_error": general})
    return rows


def find_peak(curve: pandas.DataFrame) -> dict[str, float]:
    """Find the highest test error between two lower ones: the one with the most prominence, as its size, test error,
    and the lowest errors before and after it. Without one its size is 0."""
    error = curve.test_error.to_numpy()
    inner = range(1, len(error) - 1)
    prominence = {i: error[i] - max(error[:i].min(), error[i + 1 :].min()) for i in inner}
    best = max(prominence, key=prominence.get)
    shown = error[best] > CLEAR * (error[best] - prominence[best])
    return {
        "threshold": float(curve.threshold.iloc[0]),
        "peak_size": float(curve["size"][best]) if shown else 0.0,
        "peak_error": float(error[best]) if shown else float(error.max()),
        "before": float(error[:best].min()) if shown else float(error.min()),
        "after": float(error[best + 1 :].min()) if shown else float(error.min()),
    }


def describe(n: dict[str, float], options: Options) -> str:
    sentences = []
    named = {"polynomial": "Polynomials of least norm", "network": f"Networks on {options.examples} noisy examples"}
    for model, title in named.items():
        if f"{model}_threshold" not in n:
            continue
        size, threshold = n[f"{model}_peak_size"], n[f"{model}_threshold"]
        if size == 0:
            sentences.append(f"{title}: no peak of the test error between two lower values, so it did not show.")
            continue
        near = "near" if threshold / NEAR <= size <= threshold * NEAR else "not near"
        sentences.append(
            f"{title}: the test error peaks at {n[f'{model}_peak_error']:.3g} with {size:.0f} parameters, {near} the "
            f"threshold of {threshold:.0f}; the lowest is {n[f'{model}_before']:.3g} before the peak and "
            f"{n[f'{model}_after']:.3g} after it."
        )
    return " ".join(sentences)


def draw(table: pandas.DataFrame, numbers: dict[str, float]) -> Figure:
    models = list(table.model.unique())
    figure = Figure(figsize=(3.3 * len(models), 2.3))
    for ax, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        rows = table[table.model == model]
        ax.plot(rows["size"], rows.test_error, "o-", color=PALETTE[1], label="test")
        ax.plot(rows["size"], rows.training_error.clip(lower=1e-6), "o-", color=PALETTE[0], label="training")
        ax.axvline(numbers[f"{model}_threshold"], color="black", linewidth=0.7, linestyle=":", label="threshold")
        ax.set(xscale="log", xlabel="parameters", ylabel="error", title=model)
        if model == "polynomial":
            ax.set(yscale="log", ylim=(1e-3, None))
        ax.legend()
    return figure
