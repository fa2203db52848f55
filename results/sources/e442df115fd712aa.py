"""Adadelta, whose steps have the units of the weights and need no learning rate but 1 (Zeiler 2012, algorithm 1).

Its learning rate is about 1, so that decoupled weight decay would have another meaning than in its neighbours: weight
decay is an L2 penalty here.
"""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.Adadelta(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        rho=hyperparameters.rho,
        eps=1e-6,
        foreach=True,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
