"""How weights move, role by role: the size of updates, their stable rank, how much they turn, and the effective rate.

For the parameters of a role, with w their weights, d the change of a step and g the last gradient: the relative update
is |d| / |w|; the effective rate |d| / (|g| |w|^2), which is eta / |w|^2 for a step of SGD with the rate eta and is
what counts for weights whose scale does not matter (van Laarhoven 2017); the cosine is between d and the change of the
step before. The stable rank |d|_F^2 / |d|_2^2 is of single matrices: the median over those of a role.
"""

from dataclasses import dataclass

import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload
from timetrial.harness.report.colours import PALETTE

MEASURES = {
    "relative_update": "|d| / |w|",
    "stable_rank": "stable rank of d",
    "cosine": "cosine with the step before",
    "effective_rate": "|d| / (|g| |w|^2)",
}


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "mini"
    workload: str = "small_gpt"
    submission: tuple[str, ...] = ("momentum", "adamw", "muon", "soap")
    steps: int = 400
    every: int = 10
    """Steps from one measurement to the next."""
    role: str = "hidden_matrix"
    """Whose parameters the figure and the paragraph are about; the table has all roles."""


def run(options: Options) -> Finding:
    workload = find_workload(options.suite, options.workload)
    data = workload.load("train", options.source)
    rows = []
    for name in options.submission:
        training = Training(workload, name, steps=options.steps, data=data, seed=options.seed)
        if options.role not in (there := dict.fromkeys(training.task.roles.values())):
            raise UsageError(f"role is {options.role!r}: {options.workload} has {', '.join(there)}")
        rows += [{"submission": name, **row} for row in measure(training, options.steps, options.every)]
    table = pandas.DataFrame(rows)
    shown = table[table.role == options.role]
    medians = shown.groupby("submission")[list(MEASURES)].median()
    numbers = {f"{measure}_{name}": float(medians.loc[name, measure]) for name in medians.index for measure in MEASURES}
    return Finding(table, numbers, describe(numbers, options), lambda: draw(shown, options))


def measure(training: Training, steps: int, every: int) -> list[dict]:
    """Train, and give a row for each role at every so many steps."""
    roles: dict[str, list[Tensor]] = {}
    for name, parameter in training.model.named_parameters():
        roles.setdefault(training.task.roles[name], []).append(parameter)
    before = {role: [p.detach().clone() for p in parameters] for role, parameters in roles.items()}
    last: dict[str, Tensor] = {}
    rows = []
    for step in training.run(steps):
        for role, parameters in roles.items():
            changes = [p.detach() - old for p, old in zip(parameters, before[role], strict=True)]
            change = torch.cat([one.flatten() for one in changes])
            if step % every == 0:
                weights = torch.cat([old.flatten() for old in before[role]])
                gradients = [p.grad.flatten() for p in parameters if p.grad is not None]
                rows.append(
                    {"step": step, "role": role, **_measures(changes, change, weights, gradients, last.get(role))}
                )
            last[role] = change
            before[role] = [p.detach().clone() for p in parameters]
    return rows


def _measures(
    changes: list[Tensor], change: Tensor, weights: Tensor, gradients: list[Tensor], last: Tensor | None
) -> dict[str, float]:
    size, weight = change.norm(), weights.norm()
    gradient = torch.cat(gradients).norm() if gradients else torch.tensor(torch.nan)
    ranks = [stable_rank(one) for one in changes if one.ndim >= 2]
    return {
        "relative_update": (size / weight).item(),
        "stable_rank": float(torch.tensor(ranks).median()) if ranks else float("nan"),
        "cosine": float("nan") if last is None else torch.nn.functional.cosine_similarity(change, last, dim=0).item(),
        "effective_rate": (size / (gradient * weight**2)).item(),
    }


def stable_rank(matrix: Tensor) -> float:
    """Compute |A|_F^2 / |A|_2^2 of a matrix, or of a tensor as [outputs, rest]: from 1 to its rank."""
    values = torch.linalg.svdvals(matrix.flatten(1).double())
    return float((values**2).sum() / values[0] ** 2)


def describe(n: dict[str, float], options: Options) -> str:
    def listed(measure: str, form: str) -> str:
        return ", ".join(f"{name} {n[f'{measure}_{name}']:{form}}" for name in options.submission)

    return (
        f"On {options.workload}, medians over {options.steps} steps for parameters of the role {options.role}. Update "
        f"over weights: {listed('relative_update', '.1e')}. Stable rank of the update: {listed('stable_rank', '.1f')}. "
        f"Cosine between successive updates: {listed('cosine', '+.2f')}. Effective rate: "
        f"{listed('effective_rate', '.1e')}."
    )


def draw(shown: pandas.DataFrame, options: Options) -> Figure:
    figure = Figure(figsize=(6.6, 4.2))
    for ax, (measure, label) in zip(figure.subplots(2, 2).flat, MEASURES.items(), strict=True):
        for place, name in enumerate(options.submission):
            rows = shown[shown.submission == name]
            ax.plot(rows.step, rows[measure], color=PALETTE[place % len(PALETTE)], label=name, linewidth=1)
        ax.set(xlabel="steps", ylabel=label, yscale="linear" if measure == "cosine" else "log")
    figure.axes[0].legend()
    figure.suptitle(f"{options.workload}, {options.role}")
    return figure
