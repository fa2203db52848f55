"""AdamW with warm restarts: the cosine begins anew `cycles` times (SGDR, Loshchilov & Hutter 2017, eq. 5)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import cosine_with_restarts


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, cosine_with_restarts(optimizer, task.step_hint, cycles=hyperparameters.cycles)
