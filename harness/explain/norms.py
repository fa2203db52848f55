"""Steepest descent in four norms (Bernstein & Newhouse 2024), and the polynomials that come close to the spectral one.

Everything is computed with the code of the submissions: the oracles of `lmo`, the polynomials of `muon` and its
variants. One-step Shampoo is (G G^T)^(-1/4) G (G^T G)^(-1/4), which is U V^T.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import submission_module
from timetrial.harness.report.colours import PALETTE

POLYNOMIALS = {"muon": "NEWTON_SCHULZ", "muon_cubic": "CUBIC", "muon_polar_express": "POLAR_EXPRESS"}
REPETITIONS = 5


@dataclass(frozen=True)
class Options(experiment.Options):
    sizes: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Sizes of the square matrices that are timed."""
    rows: int = 48
    columns: int = 32
    """Of the random gradient."""


def run(options: Options) -> Finding:
    generator = torch.Generator().manual_seed(options.seed)
    gradient = torch.randn(options.rows, options.columns, generator=generator, dtype=torch.float64)
    duality = {norm: duality_error(oracle, norm, gradient) for norm, oracle in oracles().items()}
    exact = torch.linalg.svd(gradient, full_matrices=False)
    polar = exact.U @ exact.Vh
    shampoo = inverse_fourth_root(gradient @ gradient.mT) @ gradient @ inverse_fourth_root(gradient.mT @ gradient)
    rows, ends = [], {}
    x = torch.logspace(-3, 0, 200, dtype=torch.float64)
    of_norm_one = torch.diag_embed(torch.stack([x, (1 - x**2).clamp(min=0).sqrt()], -1))
    for name, iterate in polynomials().items():
        after = torch.linalg.svdvals(iterate(gradient))
        ends[name] = (float(after.min()), float(after.max()))
        mapped = iterate(of_norm_one)[:, 0, 0].tolist()
        rows += [
            {"what": "polynomial", "method": name, "x": a, "y": b} for a, b in zip(x.tolist(), mapped, strict=True)
        ]
        before = (exact.S / exact.S.norm()).tolist()
        rows += [
            {"what": "singular_value", "method": name, "x": a, "y": b}
            for a, b in zip(before, after.tolist(), strict=True)
        ]
    rows += timings(options.sizes, generator)
    table = pandas.DataFrame(rows)
    largest = max(options.sizes)
    slow = table[(table.what == "milliseconds") & (table.x == largest)].set_index("method").y
    numbers = {
        **{f"duality_error_{norm}": value for norm, value in duality.items()},
        **{
            f"{name}_{end}": value
            for name, pair in ends.items()
            for end, value in zip(("min", "max"), pair, strict=True)
        },
        "shampoo_error": float((shampoo - polar).abs().max()),
        **{f"milliseconds_{name}": float(slow[name]) for name in slow.index},
    }
    return Finding(table, numbers, describe(numbers, largest), lambda: draw(table))


def oracles() -> dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Give LMO(g), with its sign turned, and the dual norm of g, as the submission computes them; l2 is of a vector."""
    return {"l2": submission_module("lmo").frobenius, **submission_module("lmo").ORACLES}


def norm_of(norm: str, direction: Tensor) -> float:
    """Measure a direction in the norm whose unit ball it should lie in."""
    if norm == "sign":
        return float(direction.abs().max())
    return float(torch.linalg.matrix_norm(direction, 2) if norm == "spectral" else direction.norm())


def duality_error(oracle: Callable[[Tensor], tuple[Tensor, Tensor]], norm: str, gradient: Tensor) -> float:
    """Give by how much, relatively, <g, LMO(g)> misses the dual norm of g, or LMO(g) the unit sphere.

    The dual norm is computed here in its own way: the l2 norm, the sum of absolute values, or of singular values.
    """
    g = gradient.flatten() if norm == "l2" else gradient
    direction, _ = oracle(g)
    dual = {"sign": g.abs().sum, "spectral": lambda: torch.linalg.svdvals(g).sum()}.get(norm, g.norm)()
    return max(float(((g * direction).sum() - dual).abs() / dual), abs(norm_of(norm, direction) - 1.0))


def polynomials() -> dict[str, Callable[[Tensor], Tensor]]:
    """Give the orthogonalization of each variant of Muon that is a polynomial."""
    found = {}
    for name, constant in POLYNOMIALS.items():
        module = submission_module(name)
        coefficients, margin = getattr(module, constant), getattr(module, "SAFETY", 1.0)
        found[name] = lambda g, c=coefficients, m=margin, f=module.orthogonalize: f(g, c, m)
    return found


def inverse_fourth_root(matrix: Tensor) -> Tensor:
    """Compute M^(-1/4) of a symmetric positive semi-definite matrix, on the span of M alone."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return (vectors[:, kept] * values[kept] ** -0.25) @ vectors[:, kept].mT


def timings(sizes: tuple[int, ...], generator: torch.Generator) -> list[dict]:
    """Time each method on square float32 matrices, in turn: the shortest of some repetitions, in milliseconds."""
    methods = {**polynomials(), "svd": lambda g: torch.linalg.svd(g, full_matrices=False)}
    rows = []
    for size in sizes:
        matrix = torch.randn(size, size, generator=generator)
        seconds: dict[str, list[float]] = {name: [] for name in methods}
        for _ in range(REPETITIONS):
            for name, method in methods.items():
                began = time.perf_counter()
                method(matrix)
                seconds[name].append(time.perf_counter() - began)
        rows += [{"what": "milliseconds", "method": name, "x": size, "y": 1e3 * min(s)} for name, s in seconds.items()]
    return rows


def describe(n: dict[str, float], size: int) -> str:
    worst = max(value for key, value in n.items() if key.startswith("duality_error"))
    bands = "; ".join(f"{name} {n[f'{name}_min']:.3f} to {n[f'{name}_max']:.3f}" for name in POLYNOMIALS)
    same = "is" if n["shampoo_error"] < 1e-8 else "is not"
    ratio = n["milliseconds_svd"] / n["milliseconds_muon"]
    compared = f"{ratio:.1f} times faster" if ratio > 1 else f"{1 / ratio:.1f} times slower"
    return (
        f"In all four norms <g, LMO(g)> is the dual norm of g, to a relative error of {worst:.1e}. The singular values "
        f"of a random gradient end in these bands: {bands}. One step of Shampoo from nothing {same} U V^T (largest "
        f"difference {n['shampoo_error']:.1e}). On a matrix of {size} x {size} the quintic of `muon` takes "
        f"{n['milliseconds_muon']:.3g} ms, {compared} than a singular value decomposition."
    )


def draw(table: pandas.DataFrame) -> Figure:
    figure = Figure(figsize=(6.6, 4.4))
    axes = figure.subplots(2, 2)
    draw_balls(axes[0, 0])
    for i, name in enumerate(POLYNOMIALS):
        for ax, what, mark in ((axes[0, 1], "polynomial", "-"), (axes[1, 0], "singular_value", ".")):
            rows = table[(table.what == what) & (table.method == name)]
            ax.plot(rows.x, rows.y, mark, color=PALETTE[i], label=name)
    for i, (name, rows) in enumerate(table[table.what == "milliseconds"].groupby("method", sort=False)):
        axes[1, 1].loglog(rows.x, rows.y, "o-", color=PALETTE[i], label=name)
    axes[0, 1].set(xscale="log", xlabel="singular value / norm", ylabel="after all steps", title="polynomials")
    axes[1, 0].set(xlabel="singular value / norm", ylabel="after all steps", title="of a random gradient")
    axes[1, 1].set(xlabel="rows = columns", ylabel="milliseconds", title="cost of one orthogonalization")
    axes[0, 1].legend()
    axes[1, 1].legend()
    return figure


def draw_balls(ax) -> None:
    """Draw the unit balls of 2 x 2 diagonal matrices, and where each norm goes for g = diag(1, 0.4)."""
    angle = numpy.linspace(0, 2 * math.pi, 100)
    ax.plot(numpy.cos(angle), numpy.sin(angle), color=PALETTE[0], label="l2, Frobenius")
    ax.plot([1, -1, -1, 1, 1], [1, 1, -1, -1, 1], color=PALETTE[1], label="sign, spectral")
    gradient = torch.tensor([1.0, 0.4])
    for name, colour in (("l2", PALETTE[0]), ("sign", PALETTE[1])):
        direction = oracles()[name](gradient)[0].tolist()
        ax.annotate("", direction, (0, 0), arrowprops={"arrowstyle": "->", "color": colour})
    ax.annotate("g", gradient.tolist(), (0, 0), arrowprops={"arrowstyle": "->", "linestyle": "--"})
    ax.set(aspect="equal", title="unit balls and LMO(g), diagonal g")
    ax.legend(loc="lower left")
