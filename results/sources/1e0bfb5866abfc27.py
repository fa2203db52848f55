"""Adan: Nesterov momentum in a form that needs no second gradient (Xie et al. 2024, algorithm 1).

With d the change of the gradient: m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) d; n <- b3 n + (1 - b3) (g + b2 d)^2;
w <- (w - rate (m + b2 v)) / (1 + learning_rate weight_decay), rate = learning_rate / (sqrt(n) + eps), bias-corrected as
its authors do, without restarts. The betas here are one minus those of the paper.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class Adan(ForeachOptimizer):
    buffers = ("m", "v", "n", "previous")

    def decay(self, group, weights, gradients):
        """Leave it to the update: this decay is proximal."""

    def update(self, group, weights, gradients, m, v, n, previous):
        t, b1, b2, b3 = group["step"], group["beta1"], group["beta2"], group["beta3"]
        change = torch._foreach_sub(gradients, previous if t > 1 else gradients)
        torch._foreach_copy_(previous, gradients)
        torch._foreach_lerp_(m, gradients, 1 - b1)
        torch._foreach_lerp_(v, change, 1 - b2)
        torch._foreach_add_(gradients, change, alpha=b2)
        torch._foreach_mul_(n, b3)
        torch._foreach_addcmul_(n, gradients, gradients, 1 - b3)
        denominators = torch._foreach_div(n, 1 - b3**t)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_addcdiv_(weights, m, denominators, -group["lr"] / (1 - b1**t))
        torch._foreach_addcdiv_(weights, v, denominators, -group["lr"] * b2 / (1 - b2**t))
        torch._foreach_div_(weights, 1 + group["lr"] * group["weight_decay"])


def build_optimizer(model, hyperparameters, task):
    optimizer = Adan(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        beta3=hyperparameters.beta3,
        eps=1e-8,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
