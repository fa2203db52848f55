"""Adam with weight decay in the gradient, as an L2 penalty (Kingma & Ba 2015, algorithm 1)."""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.Adam(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        foreach=True,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
