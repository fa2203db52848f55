"""AdamW with a linear decay to zero (Defazio et al. 2023)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import linear


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, linear(optimizer, task.step_hint)
