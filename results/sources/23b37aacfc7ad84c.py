"""Quasi-hyperbolic momentum: m <- beta m + (1 - beta) g; w <- w - learning_rate ((1 - nu) g + nu m).

Ma & Yarats (2019), eqs. 3-4.
"""

import torch

from timetrial.submissions.foreach import L2
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class QHM(L2):
    buffers = ("m",)

    def update(self, group, weights, gradients, m):
        torch._foreach_lerp_(m, gradients, 1 - group["beta"])
        torch._foreach_lerp_(gradients, m, group["nu"])
        torch._foreach_add_(weights, gradients, alpha=-group["lr"])


def build_optimizer(model, hyperparameters, task):
    optimizer = QHM(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta=hyperparameters.beta,
        nu=hyperparameters.nu,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
