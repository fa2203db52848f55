"""Prodigy: Adam that finds its learning rate, an estimate of the distance to the solution, while it trains.

The Adam version of Mishchenko & Defazio (2024), with the cosine decay and the
safeguarded warm-up that its authors recommend.
"""

import prodigyopt

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = prodigyopt.Prodigy(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=1.0,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        d_coef=hyperparameters.d_coef,
        safeguard_warmup=True,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
