"""AdamW with a linear decay to zero (Defazio et al. 2023)."""

from submissions.optimizers import adamw
from submissions.schedules import linear


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, linear(optimizer, task.step_hint)
