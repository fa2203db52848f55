"""Parameter groups by role, so that all submissions treat the same parameters in the same way.

The one rule of weight decay: biases and the parameters of normalisation layers have none, all else has it.
"""

from typing import Any

from torch import nn

from timetrial.harness.submission import Task

WITHOUT_DECAY = frozenset({"bias", "norm"})
MATRICES = frozenset({"hidden_matrix", "convolution"})
"""Roles whose parameters are linear maps between hidden features."""

Group = dict[str, Any]


def decay_groups(model: nn.Module, task: Task, weight_decay: float, **options: Any) -> list[Group]:
    """Group the parameters of `model` into those with `weight_decay` and those without; `options` go to each group."""
    return split_by_decay(list(model.named_parameters()), task, weight_decay, **options)


def matrices_and_rest(
    model: nn.Module, task: Task, weight_decay: float, rest_ratio: float = 1.0
) -> tuple[list[Group], list[Group]]:
    """Split into a group of hidden matrices and convolution kernels, with decay, and groups of everything else.

    The weight decay of the rest is `rest_ratio` times that of the matrices: the ratio of the learning rates, where the
    two have their own, keeps the product the same.
    """
    matrices = [p for name, p in model.named_parameters() if task.roles[name] in MATRICES]
    rest = [(name, p) for name, p in model.named_parameters() if task.roles[name] not in MATRICES]
    return [{"params": matrices, "weight_decay": weight_decay}], split_by_decay(rest, task, rest_ratio * weight_decay)


def split_by_decay(
    named: list[tuple[str, nn.Parameter]], task: Task, weight_decay: float, **options: Any
) -> list[Group]:
    """Group named parameters into those with `weight_decay` and those without; either group may be empty."""
    decayed = [p for name, p in named if task.roles[name] not in WITHOUT_DECAY]
    undecayed = [p for name, p in named if task.roles[name] in WITHOUT_DECAY]
    return [
        {"params": decayed, "weight_decay": weight_decay, **options},
        {"params": undecayed, "weight_decay": 0.0, **options},
    ]
