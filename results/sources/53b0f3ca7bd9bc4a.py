"""AdamW with the schedule of the first transformers: warm-up, then 1 / sqrt(t) (Vaswani et al. 2017, eq. 3)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import inverse_sqrt


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, inverse_sqrt(optimizer, task.step_hint)
