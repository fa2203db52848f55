"""RAdam: Adam whose step is rectified for the variance of its early second moment (Liu et al. 2020, algorithm 2)."""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.RAdam(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        decoupled_weight_decay=True,
        foreach=True,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
