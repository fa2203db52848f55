"""AdamW with warm-up, a constant learning rate, and a linear cool-down over the last fifth (Hu et al. 2024)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import warmup_stable_decay


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, warmup_stable_decay(optimizer, task.step_hint)
