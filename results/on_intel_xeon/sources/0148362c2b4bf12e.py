"""Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
