"""signSGD with momentum (Signum): m <- momentum m + (1 - momentum) g; w <- w - learning_rate sign(m).

Bernstein et al. (2018), algorithm 2; with momentum 0 it is their algorithm 1, signSGD.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class SignSGD(ForeachOptimizer):
    buffers = ("m",)

    def update(self, group, weights, gradients, m):
        torch._foreach_lerp_(m, gradients, 1 - group["momentum"])
        torch._foreach_add_(weights, torch._foreach_sign(m), alpha=-group["lr"])


def build_optimizer(model, hyperparameters, task):
    optimizer = SignSGD(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
