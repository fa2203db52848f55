"""Optimizer classes that are made for matrices alone, such as `torch.optim.Muon`: AdamW takes what they do not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from timetrial.harness.submission import Task
from timetrial.submissions.combined import Combined
from timetrial.submissions.parameter_groups import Group, split_by_decay


def with_adamw(
    build: Callable[[list[Group]], torch.optim.Optimizer],
    model: nn.Module,
    task: Task,
    *,
    roles: tuple[str, ...],
    weight_decay: float,
    learning_rate: float,
    adam_learning_rate: float,
    **options: Any,
) -> Combined:
    """Build an optimizer for the parameters of `roles`, a group with `options`, and AdamW for the rest.

    `weight_decay` is that of the group; the rest has what makes learning rate times weight decay the same for all.
    """
    named = list(model.named_parameters())
    matrices = [p for name, p in named if task.roles[name] in roles]
    rest = [(name, p) for name, p in named if task.roles[name] not in roles]
    groups = split_by_decay(rest, task, weight_decay * learning_rate / adam_learning_rate)
    adamw = torch.optim.AdamW(groups, lr=adam_learning_rate, betas=(0.9, 0.98), foreach=True)
    if not matrices:
        return Combined(adamw)
    return Combined(build([{"params": matrices, "weight_decay": weight_decay, **options}]), adamw)
