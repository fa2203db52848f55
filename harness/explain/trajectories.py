"""What update rules do, on problems of two dimensions: paths, the noise floor of a constant rate, and Reddi's example.

`submission=mine` draws anybody's. Each path is that of the learning rate of a grid that ends lowest, with no weight
decay, and all else is the submission's own. For |w - a_i|^2 / 2 and batches of b examples of unit variance, plain
descent at the rate eta ends at the mean loss eta / (b (2 - eta)) above the minimum (from the variance of
w <- (1 - eta) w + eta noise), about proportional to eta; with the rate (2k + 1) / (2 mu (k + 1)^2) it goes on as 1/k
(after Gower et al. 2019, theorem 3.2).
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy
import pandas
import torch
from matplotlib.figure import Figure

from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, hyperparameters_of
from timetrial.harness.explain.problems import PATHS, NoisySum, Problem, WrongWay
from timetrial.harness.report.colours import PALETTE

MU = 1.0
FALLING = "2k+1"


@dataclass(frozen=True)
class Options(experiment.Options):
    submission: tuple[str, ...] = ("sgd", "momentum", "adamw", "muon")
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
    """The learning rates of the grid."""
    steps: int = 200
    constant: str = "constant"
    """The submission whose rate stays: its momentum is set to 0."""
    floor_rates: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
    floor_steps: int = 600
    copies: int = 512
    """Independent runs that the noise floor is a mean of."""
    wrong: str = "adam"
    right: str = "amsgrad"


def run(options: Options) -> Finding:
    rows, ends = [], {}
    for problem_name, make in PATHS.items():
        for name in options.submission:
            paths = {rate: path(make(), name, rate, options) for rate in options.rates}
            rate = min(paths, key=lambda rate: (numpy.nan_to_num(paths[rate][-1][2], nan=numpy.inf), rate))
            ends[f"{problem_name}_{name}"] = paths[rate][-1][2]
            rows += [
                {"what": problem_name, "run": name, "learning_rate": rate, "step": k, "x": x, "y": y, "loss": loss}
                for k, (x, y, loss) in enumerate(paths[rate])
            ]
    for rate in (*options.floor_rates, FALLING):
        rows += noise_floor(rate, options)
    for name in (options.wrong, options.right):
        rows += reddi(name, options)
    table = pandas.DataFrame(rows)
    numbers = {f"loss_{key}": value for key, value in ends.items()} | measure(table, options)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, options))


def path(problem: Problem, name: str, rate: float, options: Options) -> list[tuple[float, float, float]]:
    """Train; gives x, y and the loss without noise, at the start and after each step."""
    changes = {"learning_rate": rate, "adam_learning_rate": rate, "weight_decay": 0.0}
    training = Training(problem, name, hyperparameters_of(name, **changes), steps=options.steps, seed=options.seed)
    points = [(*problem.start, training.evaluate(training.data)["loss"])]
    for _ in training.run(options.steps):
        with training.submission.prepare_for_evaluation():
            x, y = training.model.at[0].tolist()
        points.append((x, y, training.evaluate(training.data)["loss"]))
    return points


def noise_floor(rate: float | str, options: Options) -> list[dict]:
    """Train copies on the noisy sum at a constant rate, or at the falling one; a row of their mean loss a step."""
    problem = NoisySum(copies=options.copies)
    if rate == FALLING:
        training = Training(problem, SimpleNamespace(build_optimizer=falling), steps=1, seed=options.seed)
    else:
        changes = {"learning_rate": rate, "momentum": 0.0, "weight_decay": 0.0}
        values = hyperparameters_of(options.constant, **changes)
        training = Training(problem, options.constant, values, steps=options.floor_steps, seed=options.seed)
    return [
        {"what": "floor", "run": str(rate), "step": step, "loss": training.evaluate(training.data)["loss"]}
        for step in training.run(options.floor_steps)
    ]


def falling(model, hyperparameters, task):
    """Plain descent at the rate (2k + 1) / (2 mu (k + 1)^2), k = 1, 2, ..."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    factor = lambda t: (2 * (t + 1) + 1) / (2 * MU * (t + 2) ** 2)  # noqa: E731
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def reddi(name: str, options: Options) -> list[dict]:
    """Train on Reddi's example, held in [-1, 1], with beta1 = 0 and beta2 = 1 / (1 + 3^2); a row of x a step."""
    changes = {"learning_rate": 0.05, "beta1": 0.0, "beta2": 0.1, "weight_decay": 0.0}
    training = Training(WrongWay(), name, hyperparameters_of(name, **changes), steps=300, seed=options.seed)
    rows = []
    for step in training.run(300):
        with torch.no_grad():
            x = training.model.at.clamp_(-1.0, 1.0)[0, 0].item()
        rows.append({"what": "reddi", "run": name, "step": step, "x": x})
    return rows


def measure(table: pandas.DataFrame, options: Options) -> dict[str, float]:
    """Give the floors, the exponents of floor against rate and of loss against step, and where Reddi's example ends."""
    floor = table[table.what == "floor"]
    late = floor[floor.step > options.floor_steps / 2]
    floors = late.groupby("run").loss.mean()
    measured = [floors[str(rate)] for rate in options.floor_rates]
    falls = late[late.run == FALLING]
    last = table[table.what == "reddi"].groupby("run").x.last()
    return {
        **{f"floor_{rate}": float(loss) for rate, loss in zip(options.floor_rates, measured, strict=True)},
        "floor_exponent": float(numpy.polyfit(numpy.log(options.floor_rates), numpy.log(measured), 1)[0]),
        "falling_exponent": float(numpy.polyfit(numpy.log(falls.step), numpy.log(falls.loss), 1)[0]),
        "reddi_wrong": float(last[options.wrong]),
        "reddi_right": float(last[options.right]),
    }


def describe(n: dict[str, float], options: Options) -> str:
    best = []
    for problem in PATHS:
        name = min(options.submission, key=lambda name: n[f"loss_{problem}_{name}"])
        best.append(f"{name} on {problem} ({n[f'loss_{problem}_{name}']:.1e})")
    low, high = min(options.floor_rates), max(options.floor_rates)
    proportional = "is about proportional" if abs(n["floor_exponent"] - 1) < 0.15 else "is not proportional"
    slope = "as 1/k does" if abs(n["falling_exponent"] + 1) < 0.15 else "unlike 1/k"
    wrong, right = n["reddi_wrong"], n["reddi_right"]
    shown = "as Reddi et al. say" if wrong > 0 > right else "so the effect did not show"
    return (
        f"After {options.steps} steps the lowest is {', '.join(best)}. With noise, the floor of a constant rate "
        f"{proportional} to it: from {n[f'floor_{low}']:.2g} at {low:g} to {n[f'floor_{high}']:.2g} at {high:g}, the "
        f"power {n['floor_exponent']:.2f}; the falling rate (2k+1)/(2 mu (k+1)^2) falls as the power "
        f"{n['falling_exponent']:.2f} of k, {slope}. Where the minimum is at x = -1, {options.wrong} ends at "
        f"{wrong:.2f} and {options.right} at {right:.2f}, {shown}."
    )


def draw(table: pandas.DataFrame, options: Options) -> Figure:
    figure = Figure(figsize=(6.6, 4.6))
    axes = figure.subplots(2, 3).flat
    x, y = torch.meshgrid(torch.linspace(-2, 2, 40), torch.linspace(-1, 2, 40), indexing="xy")
    for ax, (name, make) in zip(axes, PATHS.items(), strict=False):
        ax.contour(x, y, (make().value(x, y) + 1e-3).log(), levels=6, colors="#bbbbbb", linewidths=0.4)
        for i, submission in enumerate(options.submission):
            rows = table[(table.what == name) & (table.run == submission)].round({"x": 3, "y": 3})
            colour = PALETTE[i % len(PALETTE)]
            ax.plot(rows.x, rows.y, color=colour, linewidth=0.8, label=f"{submission}, {rows.learning_rate.iloc[0]:g}")
        ax.plot(*make().minimum, "k+")
        ax.set(title=name, xlim=(-2, 2), ylim=(-1, 2))
        ax.legend(fontsize=4.5)
    for run, rows in table[table.what == "floor"].groupby("run", sort=False):
        kept = rows[rows.step.isin(numpy.geomspace(1, options.floor_steps, 60).round())]
        axes[4].loglog(kept.step, kept.loss, linewidth=0.7, label=run)
    axes[4].set(title="noise: rate constant, or falling", xlabel="step", ylabel="loss")
    for run, rows in table[table.what == "reddi"].groupby("run", sort=False):
        axes[5].plot(rows.step, rows.x, label=run)
    axes[5].set(title="Reddi: the minimum is at -1", xlabel="step", ylabel="x")
    axes[4].legend(fontsize=5)
    axes[5].legend()
    return figure
