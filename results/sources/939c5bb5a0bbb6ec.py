"""Momentum with a constant learning rate, no warm-up and weight decay: what `exponential_growing` is equivalent to."""

from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import constant


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task)
    return optimizer, constant(optimizer, task.step_hint, warmup=0.0)
