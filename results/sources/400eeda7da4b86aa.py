"""AMSGrad: AdamW that divides by the largest second moment so far (Reddi et al. 2018, algorithm 2)."""

from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task, amsgrad=True)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
