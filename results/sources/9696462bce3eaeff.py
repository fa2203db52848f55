"""Lion: w <- w - learning_rate sign(beta1 m + (1 - beta1) g), then m <- beta2 m + (1 - beta2) g.

Chen et al. (2023), algorithm 2.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class Lion(ForeachOptimizer):
    buffers = ("m",)

    def update(self, group, weights, gradients, m):
        directions = torch._foreach_lerp(m, gradients, 1 - group["beta1"])
        torch._foreach_add_(weights, torch._foreach_sign(directions), alpha=-group["lr"])
        torch._foreach_lerp_(m, gradients, 1 - group["beta2"])


def build_optimizer(model, hyperparameters, task):
    optimizer = Lion(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
