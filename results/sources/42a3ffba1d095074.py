"""Momentum with steps down by ten at 50, 75 and 90 % of the way (after He et al. 2016)."""

from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import step_decay


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task)
    return optimizer, step_decay(optimizer, task.step_hint)
