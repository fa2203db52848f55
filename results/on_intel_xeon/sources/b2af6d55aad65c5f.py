"""AlgoPerf's baseline: AdamW with Nesterov momentum, warm-up and cosine decay (Dahl et al. 2023)."""

from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = nadamw(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
