"""Two optimizers on one trajectory: at which step and on which parameter they part, and by how much.

Both start from the same weights, with the same hyperparameters, and take each step from the weights that the first one
has come to, on the same batch. So each has the gradients of one trajectory and a state of its own, a difference of one
step is not mixed with those of the steps before, and what agrees goes on to agree. Learning rates are constant: the
schedules of both are taken off.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from timetrial.harness import UsageError
from timetrial.harness.explain.agreement import Agreement, Conformance, Difference
from timetrial.harness.explain.loop import Training, find_workload
from timetrial.harness.explain.sides import Setting, first_side, second_side
from timetrial.harness.workload import ROLES, DataSource, Workload

DTYPES = (torch.float64, torch.float32)
REPRESENTABLE = 4.0
"""Roundings of a weight, of half a unit in the last place each, that two ways to write an update may differ by."""


def conform(
    one: str,
    other: str,
    *,
    steps: int = 20,
    values: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    workload: Workload | None = None,
    seed: int = 0,
) -> Conformance:
    """Compare two optimizers, each a submission's name or a class such as `torch.optim:AdamW`, over `steps` steps.

    `values`: hyperparameters of `one`, in place of its own or its defaults. Those of `other` are the same by name, or
    as `mapping` says: `{"lr": "learning_rate"}`, or a value, `{"nesterov": "False"}`. A class takes the parameter
    groups of `one`, with their values. `only`: roles of parameters to compare; without it all, or the hidden matrices
    alone where a class refuses others. `workload`: what is trained, by default small_gpt of the suite quickstart.

    Raises `UsageError` for what cannot be found or built.
    """
    for role in only:
        if role not in ROLES:
            raise UsageError(f"--only {role}: choose of {', '.join(ROLES)}")
    workload = workload or find_workload("quickstart", "small_gpt")
    data = workload.load("train", DataSource("synthetic"))
    agreements = []
    for dtype in DTYPES:
        setting = Setting(workload, tuple(only), {"steps": steps, "data": data, "seed": seed, "dtype": dtype})
        first = first_side(setting, one, dict(values or {}))
        second = second_side(setting, other, first, dict(mapping or {}))
        shared = sorted(first.trained & second.trained)
        if not shared:
            raise UsageError(f"{one} and {other} train no parameter both: choose other roles with --only")
        try:
            agreements.append(_follow(first.training, second.training, shared, steps))
        except (TypeError, ValueError, RuntimeError, LookupError) as error:
            raise UsageError(f"{one} and {other} cannot take these steps: {' '.join(str(error).split())}") from None
    parameters = len(list(first.training.model.parameters()))
    return Conformance(one, other, (first.values, second.values), len(shared), parameters, tuple(agreements))


def _follow(first: Training, second: Training, shared: Sequence[str], steps: int) -> Agreement:
    """Take the steps, both from the weights of the first."""
    differences: list[Difference] = []
    ahead, beside = first.run(steps), second.run(steps)
    ours, theirs = dict(first.model.named_parameters()), dict(second.model.named_parameters())
    for step in range(1, steps + 1):
        before = {name: parameter.detach().clone() for name, parameter in ours.items()}
        random = torch.get_rng_state()
        next(ahead)
        torch.set_rng_state(random)
        with torch.no_grad():
            for name, parameter in theirs.items():
                parameter.copy_(before[name])
        next(beside)
        for name in shared:
            role = first.task.roles[name]
            differences.append(_difference(step, name, role, before[name], ours[name], theirs[name]))
    earliest: dict[str, Difference] = {}
    for difference in differences:
        if difference.parts:
            earliest.setdefault(difference.parameter, difference)
    parted = sorted(earliest.values(), key=lambda difference: (difference.step, -difference.share))
    dtype = str(next(iter(ours.values())).dtype).removeprefix("torch.")
    return Agreement(dtype, tuple(parted), max(differences, key=lambda difference: difference.share))


@torch.no_grad()
def _difference(step: int, name: str, role: str, before: Tensor, one: Tensor, other: Tensor) -> Difference:
    """Measure two steps: they part by more than half of their digits, and more than roundings of the weights."""
    apart, moved = (one - other).abs().max().item(), (one - before).abs().max().item()
    epsilon = torch.finfo(one.dtype).eps
    rounding = REPRESENTABLE * epsilon * before.abs().max().item()
    share = apart / moved if moved else math.inf if apart else 0.0
    parts = not apart <= math.sqrt(epsilon) * moved + rounding
    return Difference(step, name, role, apart, share, parts)
