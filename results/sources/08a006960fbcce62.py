"""AlgoPerf's NadamP: NAdamW that takes another root than the square root of its second moment.

w <- w - learning_rate m / (v^(1 / power) + eps), as in its code (Kasimbeg et al. 2025); power 2 is NAdamW.
"""

from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = nadamw(model, hyperparameters, task, power=hyperparameters.power)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
