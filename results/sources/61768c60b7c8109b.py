"""Nesterov's momentum: v <- momentum v + g'; w <- w - learning_rate (g' + momentum v) with g' = g + weight_decay w.

The form of Sutskever et al. (2013, eqs. 3-4), written for the point at which the gradient is taken.
"""

from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task, nesterov=True)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
