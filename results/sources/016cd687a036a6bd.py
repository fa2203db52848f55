"""Stochastic gradient descent: w <- w - learning_rate (g + weight_decay w) (Robbins & Monro 1951)."""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.SGD(
        decay_groups(model, task, hyperparameters.weight_decay), lr=hyperparameters.learning_rate, foreach=True
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
